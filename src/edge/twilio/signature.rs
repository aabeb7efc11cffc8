//! Whether a request is Twilio's: HMAC-SHA1 over the address and the form fields, keyed with the account's auth token.
//!
//! Source: Twilio's "Webhooks Security" page. What the address was is told by configuration, or by the headers that proxies set: a
//! header that lies makes an address Twilio has not signed, so nothing is lost by asking them.

use axum::http::HeaderMap;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

use crate::wire::twilio::{other_port_form, string_to_sign};

const HEADER: &str = "x-twilio-signature";

/// Checks signatures for one account.
pub(super) struct Checker {
    key: Vec<u8>,
    /// What Twilio calls us by, without a slash at its end.
    public: Option<String>,
}

impl Checker {
    pub fn new(auth_token: &str, public: Option<&str>) -> Self {
        Self {
            key: auth_token.as_bytes().to_vec(),
            public: public.map(|p| p.trim_end_matches('/').to_owned()),
        }
    }

    /// The address by which Twilio knows this listener (`https://host`, and a path where `public_url` has one), if the request is
    /// genuine. `path`: path and query as they were asked for; `params`: the decoded form fields.
    pub fn check(
        &self,
        headers: &HeaderMap,
        path: &str,
        params: &[(String, String)],
    ) -> Option<String> {
        let given = headers.get(HEADER)?.as_bytes();
        let given = BASE64.decode(given).ok()?;
        let bases = match &self.public {
            Some(public) => vec![public.clone()],
            None => bases(headers),
        };
        bases.into_iter().find(|base| {
            let url = format!("{base}{path}");
            self.signs(&url, params, &given)
                || other_port_form(&url).is_some_and(|other| self.signs(&other, params, &given))
        })
    }

    fn signs(&self, url: &str, params: &[(String, String)], given: &[u8]) -> bool {
        let Some(mac) = mac(&self.key, &string_to_sign(url, params)) else {
            return false;
        };
        // Compares every byte, whichever differs.
        mac.verify_slice(given).is_ok()
    }
}

/// The signature Twilio would send: for a caller that tests a line.
pub fn sign(auth_token: &str, url: &str, params: &[(String, String)]) -> String {
    mac(auth_token.as_bytes(), &string_to_sign(url, params))
        .map_or(String::new(), |m| BASE64.encode(m.finalize().into_bytes()))
}

fn mac(key: &[u8], text: &str) -> Option<Hmac<Sha1>> {
    // HMAC takes a key of any length.
    let mut mac = Hmac::<Sha1>::new_from_slice(key).ok()?;
    mac.update(text.as_bytes());
    Some(mac)
}

/// The addresses this request may have been sent to, likeliest first.
fn bases(headers: &HeaderMap) -> Vec<String> {
    let first = |name: &str| {
        let value = headers.get(name)?.to_str().ok()?;
        let one = value.split(',').next()?.trim();
        (!one.is_empty() && one.len() <= 255).then(|| one.to_owned())
    };
    let hosts = [first("x-forwarded-host"), first("host")];
    let told = first("x-forwarded-proto").map(|p| p.to_ascii_lowercase());
    let schemes = match told.as_deref() {
        Some("https" | "wss") => ["https", "http"],
        // A proxy that says nothing of it is still more often one that ends TLS; on the bare port only http will match.
        _ => ["http", "https"],
    };
    let good = |host: &String| {
        host.bytes()
            .all(|b| b.is_ascii_alphanumeric() || b".-_:[]".contains(&b))
    };
    let mut bases = Vec::new();
    for host in hosts.into_iter().flatten().filter(good) {
        for scheme in schemes {
            let base = format!("{scheme}://{host}");
            if !bases.contains(&base) {
                bases.push(base);
            }
        }
    }
    bases
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(k, v)| (k.parse().unwrap(), v.parse().unwrap()))
            .collect()
    }

    fn params() -> Vec<(String, String)> {
        [
            ("CallSid", "CA1234567890ABCDE"),
            ("Caller", "+12349013030"),
            ("Digits", "1234"),
            ("From", "+12349013030"),
            ("To", "+18005551212"),
        ]
        .map(|(k, v)| (k.to_owned(), v.to_owned()))
        .to_vec()
    }

    #[test]
    fn the_example_of_twilios_own_page() {
        let url = "https://mycompany.com/myapp.php?foo=1&bar=2";
        let signature = sign("12345", url, &params());
        // printf of the string to sign, piped to openssl dgst -sha1 -hmac 12345 -binary | base64
        assert_eq!(signature, "0/KCTR6DLpKmkAf8muzZqo1nDgQ=");
        let checker = Checker::new("12345", Some("https://mycompany.com/"));
        let path = "/myapp.php?foo=1&bar=2";
        let good = headers(&[(HEADER, &signature)]);
        assert_eq!(
            checker.check(&good, path, &params()).as_deref(),
            Some("https://mycompany.com")
        );
        assert!(
            checker
                .check(&good, "/myapp.php?foo=1", &params())
                .is_none()
        );
        assert!(checker.check(&good, path, &params()[1..]).is_none());
        assert!(
            Checker::new("12346", Some("https://mycompany.com"))
                .check(&good, path, &params())
                .is_none()
        );
        for bad in ["", "x", "0/KCTR6DLpKmkAf8muzZqo1nDgR=", "AAAA"] {
            assert!(
                checker
                    .check(&headers(&[(HEADER, bad)]), path, &params())
                    .is_none()
            );
        }
        assert!(checker.check(&headers(&[]), path, &params()).is_none());
    }

    #[test]
    fn proxies_and_ports() {
        let checker = Checker::new("secret", None);
        let signed = |url: &str| sign("secret", url, &[]);
        for (url, more, base) in [
            ("http://127.0.0.1:8081/v", vec![], "http://127.0.0.1:8081"),
            ("https://127.0.0.1:8081/v", vec![], "https://127.0.0.1:8081"),
            (
                "https://line.example.com/v",
                vec![
                    ("x-forwarded-host", "line.example.com, inner"),
                    ("x-forwarded-proto", "https"),
                ],
                "https://line.example.com",
            ),
            (
                "https://line.example.com:443/v",
                vec![
                    ("x-forwarded-host", "line.example.com"),
                    ("x-forwarded-proto", "https,http"),
                ],
                "https://line.example.com",
            ),
            (
                "https://127.0.0.1:8081/v",
                vec![("x-forwarded-proto", "https")],
                "https://127.0.0.1:8081",
            ),
        ] {
            let signature = signed(url);
            let mut all = vec![("host", "127.0.0.1:8081"), (HEADER, signature.as_str())];
            all.extend(more);
            assert_eq!(
                checker.check(&headers(&all), "/v", &[]).as_deref(),
                Some(base),
                "{url}"
            );
        }
        let evil = signed("http://a\"b/v");
        let all = headers(&[("host", "a\"b"), (HEADER, &evil)]);
        assert!(checker.check(&all, "/v", &[]).is_none());
    }
}
