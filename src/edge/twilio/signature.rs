//! Whether a request is the provider's: HMAC-SHA1 over the address and the form fields, keyed with the account's auth token, as Twilio and
//! SignalWire do; or as Plivo or Telnyx do.
//!
//! Sources: Twilio's "Webhooks Security" page; for others see [`crate::wire::providers`]. What the address was is told by configuration, or by the headers that proxies set: a
//! header that lies makes an address Twilio has not signed, so nothing is lost by asking them.

use axum::http::HeaderMap;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::Sha256;

use crate::wire::providers::{Names, Signed, plivo_string_to_sign};
use crate::wire::twilio::{other_port_form, string_to_sign};

/// How old a signature with a time in it may be, and how far ahead our clocks may differ.
const FRESH_S: u64 = 300;

/// Checks signatures for one account.
pub(super) struct Checker {
    key: Vec<u8>,
    signed: Signed,
    /// What Twilio calls us by, without a slash at its end.
    public: Option<String>,
    /// What it calls this machine alone by.
    node: Option<String>,
}

impl Checker {
    pub fn new(names: &Names, auth_token: &str, public: Option<&str>, node: Option<&str>) -> Self {
        let trimmed = |url: &str| url.trim_end_matches('/').to_owned();
        Self {
            key: auth_token.as_bytes().to_vec(),
            signed: names.signed,
            public: public.map(trimmed),
            node: node.map(trimmed),
        }
    }

    /// The address by which Twilio knows this listener (`https://host`, and a path where `public_url` has one), if the request is
    /// genuine. `path`: path and query as they were asked for; `params`: the decoded form fields of `body`; `now`: seconds since 1970.
    pub fn check(
        &self,
        headers: &HeaderMap,
        path: &str,
        params: &[(String, String)],
        body: &[u8],
        now: u64,
    ) -> Option<String> {
        let mut bases = match &self.public {
            Some(public) => vec![public.clone()],
            None => bases(headers),
        };
        bases.extend(self.node.clone());
        let text = |name: &str| headers.get(name).and_then(|v| v.to_str().ok());
        if self.signed == Signed::Ed25519 {
            let at = text("telnyx-timestamp")?;
            let age = at.parse::<u64>().ok()?.abs_diff(now);
            let given = BASE64.decode(text("telnyx-signature-ed25519")?).ok()?;
            let key = BASE64.decode(&self.key).ok()?;
            let said = [at.as_bytes(), b"|", body].concat();
            let key = ring::signature::UnparsedPublicKey::new(&ring::signature::ED25519, key);
            let genuine = age <= FRESH_S && key.verify(&said, &given).is_ok();
            // The address is not signed: the first that fits is as good as another.
            return bases.into_iter().next().filter(|_| genuine);
        }
        let nonce = text("x-plivo-signature-v3-nonce").unwrap_or_default();
        let given: Vec<Vec<u8>> = match self.signed {
            Signed::HmacSha1(names) => names.iter().find_map(|n| text(n)).unwrap_or_default(),
            _ => text("x-plivo-signature-v3").unwrap_or_default(),
        }
        // While a token is changed Plivo signs with the old and with the new one.
        .split(',')
        .filter_map(|one| BASE64.decode(one.trim()).ok())
        .filter(|one| !one.is_empty())
        .take(4)
        .collect();
        let signs = |url: &str| given.iter().any(|g| self.signs(url, params, nonce, g));
        bases.into_iter().find(|base| {
            let url = format!("{base}{path}");
            signs(&url) || other_port_form(&url).is_some_and(|other| signs(&other))
        })
    }

    fn signs(&self, url: &str, params: &[(String, String)], nonce: &str, given: &[u8]) -> bool {
        // Compares every byte, whichever differs.
        match self.signed {
            Signed::HmacSha1(_) => mac(&self.key, &string_to_sign(url, params))
                .is_some_and(|m| m.verify_slice(given).is_ok()),
            Signed::PlivoV3 if !nonce.is_empty() => {
                mac_256(&self.key, &plivo_string_to_sign(url, params, nonce))
                    .is_some_and(|m| m.verify_slice(given).is_ok())
            }
            _ => false,
        }
    }
}

/// The signature Twilio would send: for a caller that tests a line.
pub fn sign(auth_token: &str, url: &str, params: &[(String, String)]) -> String {
    mac(auth_token.as_bytes(), &string_to_sign(url, params))
        .map_or(String::new(), |m| BASE64.encode(m.finalize().into_bytes()))
}

/// The same as Plivo would (`X-Plivo-Signature-V3`), for this nonce.
pub fn sign_plivo(auth_token: &str, url: &str, params: &[(String, String)], nonce: &str) -> String {
    mac_256(
        auth_token.as_bytes(),
        &plivo_string_to_sign(url, params, nonce),
    )
    .map_or(String::new(), |m| BASE64.encode(m.finalize().into_bytes()))
}

fn mac(key: &[u8], text: &str) -> Option<Hmac<Sha1>> {
    // HMAC takes a key of any length.
    let mut mac = Hmac::<Sha1>::new_from_slice(key).ok()?;
    mac.update(text.as_bytes());
    Some(mac)
}

fn mac_256(key: &[u8], text: &str) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
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
    // RFC 7239: `Forwarded: for=1.2.3.4;host=line.example.com;proto=https`.
    let forwarded = first("forwarded").unwrap_or_default();
    let standard = |name: &str| {
        forwarded.split(';').find_map(|pair| {
            let (key, value) = pair.split_once('=')?;
            let value = value.trim().trim_matches('"');
            (key.trim().eq_ignore_ascii_case(name) && !value.is_empty()).then(|| value.to_owned())
        })
    };
    let mut hosts = vec![first("x-forwarded-host").or_else(|| standard("host"))];
    // Some proxies tell the port beside the name.
    if let (Some(Some(host)), Some(port)) = (hosts.first(), first("x-forwarded-port"))
        && !host.contains(':')
    {
        hosts.push(Some(format!("{host}:{port}")));
    }
    hosts.push(first("host"));
    let told = first("x-forwarded-proto")
        .or_else(|| standard("proto"))
        .map(|p| p.to_ascii_lowercase());
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
    use crate::wire::providers::{TWILIO, named};

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
        let checker = Checker::new(&TWILIO, "12345", Some("https://mycompany.com/"), None);
        let path = "/myapp.php?foo=1&bar=2";
        let good = headers(&[(HEADER, &signature)]);
        assert_eq!(
            check(&checker, &good, path, &params()).as_deref(),
            Some("https://mycompany.com")
        );
        assert!(check(&checker, &good, "/myapp.php?foo=1", &params()).is_none());
        assert!(check(&checker, &good, path, &params()[1..]).is_none());
        let other = Checker::new(&TWILIO, "12346", Some("https://mycompany.com"), None);
        assert!(check(&other, &good, path, &params()).is_none());
        for bad in ["", "x", "0/KCTR6DLpKmkAf8muzZqo1nDgR=", "AAAA"] {
            assert!(check(&checker, &headers(&[(HEADER, bad)]), path, &params()).is_none());
        }
        assert!(check(&checker, &headers(&[]), path, &params()).is_none());
    }

    const HEADER: &str = "x-twilio-signature";

    fn check(
        checker: &Checker,
        headers: &HeaderMap,
        path: &str,
        params: &[(String, String)],
    ) -> Option<String> {
        checker.check(headers, path, params, b"", 0)
    }

    #[test]
    fn others_sign_in_their_own_way() {
        let base = Some("https://line.example.com");
        let path = "/twilio/voice?again=1";
        let url = "https://line.example.com/twilio/voice?again=1";
        let signal = Checker::new(named("signalwire").unwrap(), "k", base, None);
        let signed = sign("k", url, &params());
        for name in ["x-signalwire-signature", HEADER] {
            let all = headers(&[(name, &signed)]);
            assert!(check(&signal, &all, path, &params()).is_some(), "{name}");
        }
        let plivo = Checker::new(named("plivo").unwrap(), "k", base, None);
        let signed = format!("AAAA, {}", sign_plivo("k", url, &params(), "n1"));
        let with = |nonce: &str| {
            headers(&[
                ("x-plivo-signature-v3", &signed),
                ("x-plivo-signature-v3-nonce", nonce),
            ])
        };
        assert!(check(&plivo, &with("n1"), path, &params()).is_some());
        assert!(check(&plivo, &with("n2"), path, &params()).is_none());
        assert!(check(&plivo, &with(""), path, &params()).is_none());
        assert!(check(&plivo, &with("n1"), path, &params()[1..]).is_none());
        let twilios = sign("k", url, &params());
        assert!(check(&plivo, &headers(&[(HEADER, &twilios)]), path, &params()).is_none());

        use ring::signature::{Ed25519KeyPair, KeyPair};
        let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
        let key = BASE64.encode(pair.public_key().as_ref());
        let telnyx = Checker::new(named("telnyx").unwrap(), &key, base, None);
        let signed = BASE64.encode(pair.sign(b"1795000000|CallSid=v3"));
        let all = headers(&[
            ("telnyx-timestamp", "1795000000"),
            ("telnyx-signature-ed25519", &signed),
        ]);
        let at = |body: &[u8], now| telnyx.check(&all, path, &[], body, now);
        assert_eq!(at(b"CallSid=v3", 1_795_000_060).as_deref(), base);
        assert_eq!(at(b"CallSid=v4", 1_795_000_060), None);
        assert_eq!(at(b"CallSid=v3", 1_795_000_400), None, "played back later");
    }

    #[test]
    fn proxies_and_ports() {
        let checker = Checker::new(&TWILIO, "secret", None, None);
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
            (
                "https://line.example.com/v",
                vec![(
                    "forwarded",
                    "for=192.0.2.1;host=\"line.example.com\";proto=https, for=x",
                )],
                "https://line.example.com",
            ),
            (
                "https://line.example.com:8443/v",
                vec![
                    ("x-forwarded-host", "line.example.com"),
                    ("x-forwarded-port", "8443"),
                    ("x-forwarded-proto", "https"),
                ],
                "https://line.example.com:8443",
            ),
        ] {
            let signature = signed(url);
            let mut all = vec![("host", "127.0.0.1:8081"), (HEADER, signature.as_str())];
            all.extend(more);
            assert_eq!(
                check(&checker, &headers(&all), "/v", &[]).as_deref(),
                Some(base),
                "{url}"
            );
        }
        let evil = signed("http://a\"b/v");
        let all = headers(&[("host", "a\"b"), (HEADER, &evil)]);
        assert!(check(&checker, &all, "/v", &[]).is_none());
    }
}
