//! The headers whose inside matters to whoever answers: Via, and those that hold an address.

/// One hop of a Via header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Via {
    pub transport: String,
    /// As written; IPv6 with its brackets.
    pub host: String,
    pub port: Option<u16>,
    pub params: Vec<(String, Option<String>)>,
}

/// An address with its display name and header parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameAddr {
    /// As written, quotes included; empty where there is none.
    pub display: String,
    pub uri: String,
    pub params: Vec<(String, Option<String>)>,
}

/// Splits at commas that stand outside quotes and angle brackets. None where a quote or bracket is never closed.
pub fn split_list(value: &str) -> Option<Vec<&str>> {
    split_outside(value, b',')
}

/// The bytes of a header that stand outside quotes: where each stands, and whether angle brackets are open before it. Quotes within
/// brackets are none.
struct Unquoted<'a> {
    bytes: std::iter::Enumerate<std::str::Bytes<'a>>,
    quoted: bool,
    escaped: bool,
    bracket: bool,
}

impl<'a> Unquoted<'a> {
    fn new(value: &'a str) -> Self {
        Self {
            bytes: value.bytes().enumerate(),
            quoted: false,
            escaped: false,
            bracket: false,
        }
    }

    /// At the end: every quote and bracket was closed.
    fn closed(&self) -> bool {
        !self.quoted && !self.bracket
    }
}

impl Iterator for Unquoted<'_> {
    type Item = (usize, u8, bool);

    fn next(&mut self) -> Option<Self::Item> {
        for (at, byte) in self.bytes.by_ref() {
            let bracket = self.bracket;
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' if self.quoted => self.escaped = true,
                b'"' if !bracket => self.quoted = !self.quoted,
                _ if self.quoted => {}
                _ => {
                    self.bracket = match byte {
                        b'<' => true,
                        b'>' => false,
                        _ => bracket,
                    };
                    return Some((at, byte, bracket));
                }
            }
        }
        None
    }
}

/// Splits at a separator outside of quotes and brackets.
fn split_outside(value: &str, separator: u8) -> Option<Vec<&str>> {
    let (mut parts, mut from) = (Vec::new(), 0);
    let mut outside = Unquoted::new(value);
    for (at, byte, bracket) in outside.by_ref() {
        if byte == separator && !bracket {
            parts.push(value.get(from..at)?.trim());
            from = at + 1;
        }
    }
    if !outside.closed() {
        return None;
    }
    parts.push(value.get(from..)?.trim());
    Some(parts)
}

/// `;a=b;c`, with or without the first semicolon. None where one is empty or has no name.
fn params(text: &str) -> Option<Vec<(String, Option<String>)>> {
    let text = text.trim();
    if text.is_empty() {
        return Some(Vec::new());
    }
    let rest = text.strip_prefix(';')?;
    split_outside(rest, b';')?
        .into_iter()
        .map(|part| {
            let (name, value) = match part.split_once('=') {
                Some((name, value)) => (name.trim(), Some(value.trim())),
                None => (part, None),
            };
            let fine = super::is_token(name)
                && value.is_none_or(|v| {
                    !v.is_empty() && (v.starts_with('"') || !v.contains([' ', '\t', ',', '"', '<']))
                });
            fine.then(|| (name.to_owned(), value.map(str::to_owned)))
        })
        .collect()
}

fn write_params(params: &[(String, Option<String>)]) -> String {
    params
        .iter()
        .map(|(name, value)| match value {
            Some(value) => format!(";{name}={value}"),
            None => format!(";{name}"),
        })
        .collect()
}

fn param<'a>(params: &'a [(String, Option<String>)], name: &str) -> Option<&'a str> {
    params
        .iter()
        .find(|(n, _)| n.eq_ignore_ascii_case(name))
        .map(|(_, v)| v.as_deref().unwrap_or_default())
}

impl Via {
    /// One hop: `SIP/2.0/UDP host:port;branch=...`, with the spaces that the grammar allows about its separators.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, '/');
        let (name, version, rest) = (parts.next()?, parts.next()?, parts.next()?);
        if !name.trim().eq_ignore_ascii_case("SIP") || version.trim() != "2.0" {
            return None;
        }
        let rest = rest.trim_start();
        let (transport, rest) = rest.split_once([' ', '\t'])?;
        if !super::is_token(transport) {
            return None;
        }
        let (sent_by, tail) = match rest.find(';') {
            Some(at) => rest.split_at(at),
            None => (rest, ""),
        };
        let sent_by = sent_by.trim();
        let (host, port) = match sent_by.rfind(']') {
            Some(end) => sent_by.split_at(end + 1),
            None => match sent_by.find(':') {
                Some(at) => sent_by.split_at(at),
                None => (sent_by, ""),
            },
        };
        let (host, port) = (host.trim(), port.trim());
        let port = match port.strip_prefix(':') {
            Some(digits) => Some(u16::try_from(super::number(digits, 65_535)?).ok()?),
            None if port.is_empty() => None,
            None => return None,
        };
        let inside = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
        let good = match inside {
            Some(v6) => v6.parse::<std::net::Ipv6Addr>().is_ok(),
            None => {
                !host.is_empty()
                    && host
                        .bytes()
                        .all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b))
            }
        };
        good.then_some(())?;
        Some(Self {
            transport: transport.to_owned(),
            host: host.to_owned(),
            port,
            params: params(tail)?,
        })
    }

    pub fn param(&self, name: &str) -> Option<&str> {
        param(&self.params, name)
    }
}

impl std::fmt::Display for Via {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SIP/2.0/{} {}", self.transport, self.host)?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        f.write_str(&write_params(&self.params))
    }
}

impl NameAddr {
    /// `"Name" <uri>;params` or `uri;params`. None where quotes or brackets do not match, where a URI has no scheme, or where one
    /// without brackets holds what would need them (RFC 3261 section 20).
    pub fn parse(value: &str) -> Option<Self> {
        let value = value.trim();
        // Balanced at all?
        split_outside(value, b',')?;
        let (display, uri, tail) = match open_bracket(value) {
            Some(at) => {
                let (display, rest) = value.split_at(at);
                let (uri, tail) = rest.strip_prefix('<')?.split_once('>')?;
                (display.trim(), uri.trim(), tail)
            }
            None => {
                let (uri, tail) = match value.find(';') {
                    Some(at) => value.split_at(at),
                    None => (value, ""),
                };
                if uri.contains(['?', ',', '"']) {
                    return None;
                }
                ("", uri.trim(), tail)
            }
        };
        let (scheme, rest) = uri.split_once(':')?;
        let scheme_fine = scheme
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
            && scheme.starts_with(|c: char| c.is_ascii_alphabetic());
        if !scheme_fine || rest.is_empty() || uri.contains([' ', '\t', '<', '>']) {
            return None;
        }
        let display = match display {
            "" => String::new(),
            quoted if quoted.starts_with('"') => {
                (quoted.len() > 1 && quoted.ends_with('"')).then(|| quoted.to_owned())?
            }
            // Names that should have been quoted are (RFC 4475 section 3.1.2.15 lets a receiver infer them).
            bare if bare.contains('"') => return None,
            bare if bare.split_whitespace().all(super::is_token) => bare.to_owned(),
            bare => format!("\"{}\"", bare.replace('\\', "\\\\")),
        };
        Some(Self {
            display,
            uri: uri.to_owned(),
            params: params(tail)?,
        })
    }

    pub fn param(&self, name: &str) -> Option<&str> {
        param(&self.params, name)
    }

    /// In lower case.
    pub fn scheme(&self) -> String {
        let scheme = self.uri.split(':').next().unwrap_or_default();
        scheme.to_ascii_lowercase()
    }
}

/// Where the `<` stands that is not inside quotes.
fn open_bracket(value: &str) -> Option<usize> {
    Unquoted::new(value)
        .find(|(_, byte, _)| *byte == b'<')
        .map(|(at, ..)| at)
}

impl std::fmt::Display for NameAddr {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if !self.display.is_empty() {
            write!(f, "{} ", self.display)?;
        }
        write!(f, "<{}>{}", self.uri, write_params(&self.params))
    }
}
