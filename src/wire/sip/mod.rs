//! SIP messages as bytes: strict where a mistake is dangerous, forgiving where it is only untidy (RFC 3261, RFC 4475).
//!
//! The line's SIP stack reads what passes here, and only that: [`screen()`] refuses what is no request with the answer the RFC
//! names, and writes what is one in a plain form (unfolded, long header names, one Via a line). [`frame::Framer`] cuts a stream into
//! messages so that a broken one costs itself and nothing after it. [`digest`] checks who a caller says they are.

pub mod digest;
pub mod frame;
mod header;
pub mod identity;
pub mod nat;
mod reading;
pub mod refer;
mod screen;
#[cfg(test)]
mod tests;

pub use header::{NameAddr, Via, split_list};
pub use reading::phrase;
pub use screen::{Rules, Verdict, plain_out, screen};

/// The first line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    Request { method: String, uri: String },
    Response { code: u16, reason: String },
}

/// A message as read: header values unfolded and trimmed, names in their long form where they have one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    pub start: Start,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Message {
    /// The first header of this name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, v)| v.as_str())
    }

    /// Every header of this name, in order.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers
            .iter()
            .filter(move |(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, v)| v.as_str())
    }

    /// On the wire, with a Content-Length that is right.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut text = match &self.start {
            Start::Request { method, uri } => format!("{method} {uri} SIP/2.0\r\n"),
            Start::Response { code, reason } => format!("SIP/2.0 {code} {reason}\r\n"),
        };
        for (name, value) in &self.headers {
            if name != "Content-Length" {
                text += name;
                text += ": ";
                text += value;
                text += "\r\n";
            }
        }
        text += &format!("Content-Length: {}\r\n\r\n", self.body.len());
        let mut bytes = text.into_bytes();
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

/// What may stand in a token (RFC 3261 section 25.1).
pub(crate) fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(&b))
}

/// A number as the grammar writes it: digits only, however many zeros in front.
pub(crate) fn number(text: &str, most: u64) -> Option<u64> {
    let text = text.trim();
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let digits = text.trim_start_matches('0');
    if digits.is_empty() {
        return Some(0);
    }
    digits.parse().ok().filter(|n| *n <= most)
}
