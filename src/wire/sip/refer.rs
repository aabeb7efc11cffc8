//! Handing a call on: where to (RFC 3515), in whose place (RFC 3891), and what became of it (RFC 3420).

use std::fmt::Write as _;

use super::header::NameAddr;

/// One dialog, as somebody outside it names it (RFC 3891 section 3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replaces {
    pub call_id: String,
    /// The tag of whoever receives the INVITE that carries this.
    pub to_tag: String,
    /// The tag of the party whose place is taken.
    pub from_tag: String,
    /// Only while it still rings.
    pub early_only: bool,
}

impl Replaces {
    /// Reads a Replaces header's value. None where a part is missing.
    pub fn parse(value: &str) -> Option<Self> {
        let mut parts = value.split(';').map(str::trim);
        let call_id = parts.next().filter(|id| !id.is_empty())?.to_owned();
        let (mut to_tag, mut from_tag, mut early_only) = (None, None, false);
        for part in parts {
            match part.split_once('=') {
                Some((name, value)) if name.trim().eq_ignore_ascii_case("to-tag") => {
                    to_tag = Some(value.trim().to_owned());
                }
                Some((name, value)) if name.trim().eq_ignore_ascii_case("from-tag") => {
                    from_tag = Some(value.trim().to_owned());
                }
                None if part.eq_ignore_ascii_case("early-only") => early_only = true,
                _ => {}
            }
        }
        Some(Self {
            call_id,
            to_tag: to_tag.filter(|t| !t.is_empty())?,
            from_tag: from_tag.filter(|t| !t.is_empty())?,
            early_only,
        })
    }
}

impl std::fmt::Display for Replaces {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{};to-tag={};from-tag={}",
            self.call_id, self.to_tag, self.from_tag
        )?;
        match self.early_only {
            true => f.write_str(";early-only"),
            false => Ok(()),
        }
    }
}

/// Where a call is to go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReferTo {
    /// Without the headers that stood behind its question mark.
    pub uri: String,
    /// In whose place.
    pub replaces: Option<Replaces>,
}

impl ReferTo {
    /// Reads a Refer-To header's value. None where it is no address, or names a method that makes no call.
    pub fn parse(value: &str) -> Option<Self> {
        let uri = NameAddr::parse(value)?.uri;
        let (uri, headers) = match uri.split_once('?') {
            Some((uri, headers)) => (uri.to_owned(), headers.to_owned()),
            None => (uri, String::new()),
        };
        let other_method = uri.split(';').skip(1).any(|p| {
            p.split_once('=').is_some_and(|(name, value)| {
                name.eq_ignore_ascii_case("method") && !value.eq_ignore_ascii_case("INVITE")
            })
        });
        if other_method {
            return None;
        }
        let replaces = headers
            .split('&')
            .filter_map(|h| h.split_once('='))
            .find(|(name, _)| name.eq_ignore_ascii_case("Replaces"));
        let replaces = match replaces {
            Some((_, value)) => Some(Replaces::parse(&unescaped(value)?)?),
            None => None,
        };
        Some(Self { uri, replaces })
    }
}

/// As a Refer-To header's value.
impl std::fmt::Display for ReferTo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.replaces {
            Some(replaces) => write!(
                f,
                "<{}?Replaces={}>",
                self.uri,
                escaped(&replaces.to_string())
            ),
            None => write!(f, "<{}>", self.uri),
        }
    }
}

/// The status in a NOTIFY's body of type `message/sipfrag`, such as `SIP/2.0 200 OK`.
pub fn sipfrag(body: &[u8]) -> Option<u16> {
    let text = String::from_utf8_lossy(body);
    let (version, rest) = text.lines().next()?.trim().split_once(' ')?;
    let code = rest.trim_start().get(..3)?.parse().ok()?;
    (version.eq_ignore_ascii_case("SIP/2.0") && (100..700).contains(&code)).then_some(code)
}

/// What RFC 3261 section 25.1 allows unescaped in a URI's header; everything else as `%XX`.
fn escaped(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, b| {
        if b.is_ascii_alphanumeric() || b"-_.!~*'()[]/?:+$".contains(&b) {
            out.push(char::from(b));
        } else {
            let _ = write!(out, "%{b:02X}");
        }
        out
    })
}

fn unescaped(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(b) = rest.next() {
        if b == b'%' {
            let digits = [rest.next()?, rest.next()?];
            let digits = std::str::from_utf8(&digits).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
        } else {
            bytes.push(b);
        }
    }
    // What ends a line would begin a header of its own.
    let text = String::from_utf8(bytes).ok()?;
    (!text.contains(char::is_control)).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attended_transfer_there_and_back() {
        // RFC 3891 section 4's example.
        let value = "<sip:cora@dallas.example;transport=tcp?Replaces=12345%40192.168.118.3%3Bto-tag%3D12345%3Bfrom-tag%3D5FFE-3994>";
        let to = ReferTo::parse(value).unwrap();
        assert_eq!(to.uri, "sip:cora@dallas.example;transport=tcp");
        let replaces = to.replaces.clone().unwrap();
        assert_eq!(replaces.call_id, "12345@192.168.118.3");
        assert_eq!(
            (replaces.to_tag.as_str(), replaces.from_tag.as_str()),
            ("12345", "5FFE-3994")
        );
        assert_eq!(to.to_string(), value);
        assert_eq!(ReferTo::parse(&to.to_string()), Some(to));
    }

    #[test]
    fn blind_ones_and_bad_ones() {
        let to = ReferTo::parse("\"Ann\" <sip:ann@example.net>;x=y").unwrap();
        assert_eq!(
            (to.uri.as_str(), to.replaces),
            ("sip:ann@example.net", None)
        );
        assert_eq!(
            ReferTo::parse("sip:ann@example.net")
                .map(|t| t.uri)
                .as_deref(),
            Some("sip:ann@example.net")
        );
        for bad in [
            "",
            "ann",
            "<sip:a@b;method=BYE>",
            "<sip:a@b?Replaces=%zz>",
            "<sip:a@b?Replaces=1%3Bto-tag%3D2>",
            "<sip:a@b?Replaces=1%0D%0AX%3Bto-tag%3D2%3Bfrom-tag%3D3>",
        ] {
            assert_eq!(ReferTo::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn replaces_headers() {
        let early = Replaces::parse("98asjd8@test.com;to-tag=12345; from-tag=54321;early-only");
        assert!(early.unwrap().early_only);
        assert_eq!(Replaces::parse("a;to-tag=1"), None);
        assert_eq!(Replaces::parse(";to-tag=1;from-tag=2"), None);
    }

    #[test]
    fn what_became_of_it() {
        assert_eq!(sipfrag(b"SIP/2.0 200 OK\r\n"), Some(200));
        assert_eq!(sipfrag(b"SIP/2.0 100 Trying"), Some(100));
        assert_eq!(sipfrag(b"SIP/2.0 603"), Some(603));
        assert_eq!(sipfrag(b"HTTP/1.1 200 OK"), None);
        assert_eq!(sipfrag(b"\xff\xff 200"), None);
        assert_eq!(sipfrag(b""), None);
    }
}
