//! What a call's Identity header says of its caller (STIR: RFC 8224, RFC 8225; SHAKEN: RFC 8588). It is noted, not verified: that takes the
//! certificates of the carriers' authority, which the carrier in front of this line has.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

/// No token is longer.
const LONGEST: usize = 8 * 1024;

/// The claims of a PASSporT.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Passport {
    /// `A` (the carrier knows the caller and that the number is theirs), `B` (knows the caller), `C` (knows neither).
    pub attest: Option<char>,
    /// The calling number, as signed: digits without a plus.
    pub orig: Option<String>,
    pub dest: Vec<String>,
    /// When it was signed: seconds since 1970.
    pub iat: Option<u64>,
    pub origid: Option<String>,
}

impl Passport {
    /// Reads an Identity header's value: `header.payload.signature;info=<...>;alg=ES256;ppt=shaken`.
    pub fn parse(value: &str) -> Option<Self> {
        let token = value.split(';').next()?.trim();
        if token.len() > LONGEST {
            return None;
        }
        let mut parts = token.split('.');
        let (_, payload, _) = (parts.next()?, parts.next()?, parts.next()?);
        let payload = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
        let claims: Value = serde_json::from_slice(&payload).ok()?;
        if !claims.is_object() {
            return None;
        }
        let number = |v: &Value| -> Option<String> {
            let text = v.as_str()?;
            let digits: String = text.chars().filter(char::is_ascii_digit).collect();
            (!digits.is_empty() && digits.len() <= 32).then_some(digits)
        };
        let dest = match &claims["dest"]["tn"] {
            Value::Array(all) => all.iter().take(8).filter_map(number).collect(),
            one => number(one).into_iter().collect(),
        };
        Some(Self {
            attest: claims["attest"]
                .as_str()
                .and_then(|a| a.chars().next())
                .filter(|a| matches!(a, 'A' | 'B' | 'C')),
            orig: number(&claims["orig"]["tn"]),
            dest,
            iat: claims["iat"].as_u64(),
            origid: claims["origid"]
                .as_str()
                .map(|id| id.chars().filter(|c| !c.is_control()).take(64).collect()),
        })
    }

    /// The same in a few words for a record.
    pub fn said(&self) -> String {
        let mut out = String::from("not verified here");
        if let Some(attest) = self.attest {
            out += &format!("; attest={attest}");
        }
        if let Some(orig) = &self.orig {
            out += &format!("; orig={orig}");
        }
        if !self.dest.is_empty() {
            out += &format!("; dest={}", self.dest.join(","));
        }
        if let Some(iat) = self.iat {
            out += &format!("; iat={iat}");
        }
        if let Some(origid) = &self.origid {
            out += &format!("; origid={origid}");
        }
        out
    }

    /// The number that was signed is another than the one the call shows.
    pub fn contradicts(&self, from: &str) -> bool {
        let digits: String = from.chars().filter(char::is_ascii_digit).collect();
        self.orig.as_ref().is_some_and(|orig| {
            digits.len() >= 7 && !orig.ends_with(&digits) && !digits.ends_with(orig.as_str())
        })
    }
}

/// The carrier in front of us checked the signature and found it wrong: `verstat=TN-Validation-Failed` in P-Asserted-Identity or From (3GPP
/// TS 24.229, section 7.2A.20).
pub fn is_refuted(value: &str) -> bool {
    value
        .to_ascii_lowercase()
        .replace(' ', "")
        .contains("verstat=tn-validation-failed")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(claims: &str) -> String {
        let part = |t: &str| URL_SAFE_NO_PAD.encode(t);
        format!(
            "{}.{}.c2ln;info=<https://cert.example.org/p.cer>;alg=ES256;ppt=shaken",
            part(r#"{"alg":"ES256","ppt":"shaken","typ":"passport"}"#),
            part(claims)
        )
    }

    #[test]
    fn what_a_shaken_token_says() {
        let said = Passport::parse(&token(
            r#"{"attest":"A","dest":{"tn":["15550199"]},"iat":1795000000,"orig":{"tn":"15550100123"},"origid":"de305d54"}"#,
        ))
        .unwrap();
        assert_eq!(said.attest, Some('A'));
        assert_eq!(
            said.said(),
            "not verified here; attest=A; orig=15550100123; dest=15550199; iat=1795000000; origid=de305d54"
        );
        assert!(!said.contradicts("+1 555 0100 123") && !said.contradicts("5550100123"));
        assert!(said.contradicts("+15550100124"));
        assert!(is_refuted(
            "<sip:+15550100@h;user=phone;verstat=TN-Validation-Failed-A>"
        ));
        assert!(!is_refuted(
            "<sip:+15550100@h;user=phone;verstat=TN-Validation-Passed>"
        ));
    }

    #[test]
    fn what_is_no_token_is_none() {
        for odd in [
            "",
            ".",
            "a.b.c",
            "..",
            "e30.e30",
            "e30.W10.x",
            "e30.e.x;ppt=shaken",
        ] {
            assert_eq!(Passport::parse(odd), None, "{odd}");
        }
        assert_eq!(Passport::parse("e30.e30.x"), Some(Passport::default()));
        assert_eq!(
            Passport::parse(&token(r#"{"attest":7,"orig":[],"dest":"x","iat":-1}"#)),
            Some(Passport::default())
        );
    }
}
