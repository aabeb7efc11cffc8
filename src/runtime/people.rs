//! Passwords: Argon2id, with the parameters that OWASP recommends (19 MiB, two passes, one lane). The only importer of `argon2`.

use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, PasswordHash, Version};

use crate::edge::http::Role;

/// Shorter passwords are not taken.
pub const SHORTEST: usize = 10;

/// A hash nobody's password has: checked where there is no such user, so that the time does not tell.
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5IG5vYm9keQ$c2l4dGVlbiBieXRlcyBvZiBub2JvZHksIG5vYm9keSE";

fn argon2() -> Argon2<'static> {
    Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::default())
}

/// A password as it is kept (PHC string).
///
/// # Errors
/// One sentence: it is too short, or cannot be hashed.
pub fn hash(password: &str) -> Result<String, String> {
    if password.chars().count() < SHORTEST {
        return Err(format!(
            "a password has at least {SHORTEST} characters; a few words in a row do well"
        ));
    }
    let salt: [u8; 16] = rand::random();
    argon2()
        .hash_password_with_salt(password.as_bytes(), &salt)
        .map(|hash| hash.to_string())
        .map_err(|e| format!("this password cannot be hashed: {e}"))
}

/// Whether it is the password; takes as long where there is no such user.
pub fn fits(password: &str, kept: Option<&str>) -> bool {
    let Ok(hash) = PasswordHash::new(kept.unwrap_or(NOBODY)) else {
        return false;
    };
    argon2().verify_password(password.as_bytes(), &hash).is_ok() && kept.is_some()
}

/// A name as it is kept.
///
/// # Errors
/// One sentence: what a name may be.
pub fn name(given: &str) -> Result<String, String> {
    let name = given.trim().to_lowercase();
    let fine =
        (1..=64).contains(&name.len()) && crate::edge::http::valid_id(&name) && name != "token";
    fine.then_some(name)
        .ok_or_else(|| "a name is letters, digits, dots, - and _".into())
}

/// # Errors
/// One sentence: what roles there are.
pub fn role(word: &str) -> Result<Role, String> {
    Role::read(word).ok_or_else(|| format!("`{word}` is no role: agent, reviewer or admin"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_right_password_fits_and_no_other() {
        let kept = hash("correct horse battery").expect("hashed");
        assert!(
            kept.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{kept}"
        );
        assert!(fits("correct horse battery", Some(&kept)));
        assert!(!fits("correct horse batteries", Some(&kept)));
        assert!(!fits("correct horse battery", None));
        assert!(!fits("", Some("no hash at all")));
        assert_ne!(
            hash("correct horse battery").expect("hashed"),
            kept,
            "salted"
        );
        assert!(PasswordHash::new(NOBODY).is_ok(), "or the time would tell");
        assert!(hash("short").is_err());
    }

    #[test]
    fn names_are_plain() {
        assert_eq!(name(" Ada.L "), Ok("ada.l".into()));
        for bad in ["", "a b", "../x", "token", "a/b"] {
            assert!(name(bad).is_err(), "{bad}");
        }
    }
}
