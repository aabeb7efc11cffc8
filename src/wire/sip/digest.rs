//! Digest authentication of callers and phones (RFC 3261 section 22, RFC 7616, RFC 8760): our challenge, and whether the answer to it
//! is right.

use std::fmt::Write as _;

use sha2::Digest as _;

/// How the response is hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    Md5,
    Sha256,
}

impl Algorithm {
    pub fn name(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Sha256 => "SHA-256",
        }
    }

    fn of(name: &str) -> Option<Self> {
        match name.to_ascii_uppercase().as_str() {
            "MD5" => Some(Self::Md5),
            "SHA-256" | "SHA256" => Some(Self::Sha256),
            _ => None,
        }
    }

    fn hash(self, text: &str) -> String {
        match self {
            Self::Md5 => hex(&md5::Md5::digest(text.as_bytes())),
            Self::Sha256 => hex(&sha2::Sha256::digest(text.as_bytes())),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, b| {
        let _ = write!(text, "{b:02x}");
        text
    })
}

/// What a caller answered to a challenge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    pub user: String,
    pub realm: String,
    pub nonce: String,
    pub uri: String,
    response: String,
    algorithm: Algorithm,
    /// qop, nc and cnonce, where qop was used.
    quality: Option<(String, String, String)>,
}

impl Credentials {
    /// Reads an Authorization header's value. None where it is of another scheme or lacks what a response needs.
    pub fn parse(value: &str) -> Option<Self> {
        let (scheme, rest) = value.trim().split_once([' ', '\t'])?;
        if !scheme.eq_ignore_ascii_case("Digest") {
            return None;
        }
        let fields = super::split_list(rest)?;
        let get = |wanted: &str| {
            fields.iter().find_map(|field| {
                let (name, value) = field.split_once('=')?;
                let value = value.trim();
                let bare = value
                    .strip_prefix('"')
                    .and_then(|v| v.strip_suffix('"'))
                    .unwrap_or(value);
                name.trim()
                    .eq_ignore_ascii_case(wanted)
                    .then(|| bare.replace("\\\"", "\""))
            })
        };
        let quality = match get("qop") {
            Some(qop) => Some((qop, get("nc")?, get("cnonce")?)),
            None => None,
        };
        Some(Self {
            user: get("username")?,
            realm: get("realm")?,
            nonce: get("nonce")?,
            uri: get("uri")?,
            response: get("response")?.to_ascii_lowercase(),
            algorithm: Algorithm::of(&get("algorithm").unwrap_or_else(|| "MD5".into()))?,
            quality,
        })
    }

    /// The count of this nonce's uses, where the caller counts.
    pub fn count(&self) -> Option<u32> {
        let (_, nc, _) = self.quality.as_ref()?;
        u32::from_str_radix(nc, 16).ok()
    }

    /// Whether the response is the one that this password gives for this method. Takes as long for a wrong one as for a right one.
    pub fn prove(&self, method: &str, password: &str) -> bool {
        let a1 = self
            .algorithm
            .hash(&format!("{}:{}:{password}", self.user, self.realm));
        let a2 = self.algorithm.hash(&format!("{method}:{}", self.uri));
        let expected = match &self.quality {
            // auth-int would need the body; it is never offered.
            Some((qop, nc, cnonce)) if qop.eq_ignore_ascii_case("auth") => self
                .algorithm
                .hash(&format!("{a1}:{}:{nc}:{cnonce}:{qop}:{a2}", self.nonce)),
            Some(_) => return false,
            None => self.algorithm.hash(&format!("{a1}:{}:{a2}", self.nonce)),
        };
        let (a, b) = (expected.as_bytes(), self.response.as_bytes());
        a.len() == b.len() && a.iter().zip(b).fold(0, |d, (x, y)| d | (x ^ y)) == 0
    }
}

/// The value of a WWW-Authenticate header. One for each algorithm, the stronger first (RFC 8760 section 2.4).
pub fn challenge(realm: &str, nonce: &str, algorithm: Algorithm, stale: bool) -> String {
    let stale = if stale { ", stale=true" } else { "" };
    format!(
        "Digest realm=\"{realm}\", nonce=\"{nonce}\", algorithm={}, qop=\"auth\"{stale}",
        algorithm.name()
    )
}

/// Makes and checks nonces without remembering them: the time, and a hash of it with a secret.
#[derive(Debug, Clone)]
pub struct Nonces {
    secret: String,
}

/// What a nonce is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fresh {
    Yes,
    /// Ours, but too old: the caller is asked again and told so.
    Stale,
    /// Not ours.
    No,
}

/// Seconds a nonce can be used.
const LIFE: u64 = 300;

impl Nonces {
    /// `secret`: random, new at every start.
    pub fn new(secret: String) -> Self {
        Self { secret }
    }

    /// `now`: seconds, of any clock that only goes forward.
    pub fn make(&self, now: u64) -> String {
        format!("{now:x}-{}", self.seal(now))
    }

    pub fn check(&self, nonce: &str, now: u64) -> Fresh {
        let Some((time, seal)) = nonce.split_once('-') else {
            return Fresh::No;
        };
        let Ok(time) = u64::from_str_radix(time, 16) else {
            return Fresh::No;
        };
        if self.seal(time) != seal || time > now {
            return Fresh::No;
        }
        if now - time > LIFE {
            Fresh::Stale
        } else {
            Fresh::Yes
        }
    }

    fn seal(&self, time: u64) -> String {
        let whole = Algorithm::Sha256.hash(&format!("{time}:{}:{time}", self.secret));
        whole.chars().take(32).collect()
    }
}
