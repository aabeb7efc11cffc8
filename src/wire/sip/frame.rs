//! Cutting a TCP or TLS stream into messages (RFC 3261 section 18.3).
//!
//! Where a message's own length cannot be believed, it ends where the next one visibly begins; the connection, and every call on it,
//! stays.

/// More than any phone sends, and small enough to hold for every connection.
const MOST: usize = 64 * 1024;

/// Something the stream held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// One message, good or not: [`super::screen()`] says which.
    Message(Vec<u8>),
    /// A double line end, to be answered with a single one (RFC 5626 section 4.4.1).
    KeepAlive,
    /// More than 64 KiB without an end. Close the connection.
    Hopeless,
}

/// Holds what has come and is no whole message yet.
#[derive(Debug, Default)]
pub struct Framer {
    buffer: Vec<u8>,
    /// What comes next belongs to a message that was given up; skipped until a first line appears.
    lost: bool,
}

/// How a message's length stands.
enum Length {
    Known(usize),
    /// No Content-Length, which a stream requires.
    Missing,
    /// Not a number, or several that differ.
    Wrong,
}

impl Framer {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Part of a message is here, and the rest is not.
    pub fn waiting(&self) -> bool {
        !self.buffer.is_empty()
    }

    /// The next piece; none until more has come.
    pub fn next_piece(&mut self) -> Option<Piece> {
        self.cut(false)
    }

    /// What is here will not become whole: the sender has paused for long. Gives it as a message that claims more than it has.
    pub fn give_up(&mut self) -> Option<Piece> {
        self.cut(true)
    }

    /// More than a message can be is here, and no end of it.
    fn hopeless(&mut self) -> Option<Piece> {
        if self.buffer.len() <= MOST {
            return None;
        }
        self.buffer.clear();
        Some(Piece::Hopeless)
    }

    fn cut(&mut self, late: bool) -> Option<Piece> {
        if self.lost {
            let at = start_line(&self.buffer, true);
            // A line that is still coming may be one.
            let keep = at.unwrap_or_else(|| {
                let line = self.buffer.iter().rposition(|b| *b == b'\n');
                line.map_or(0, |at| at + 1)
            });
            self.buffer.drain(..keep);
            if at.is_none() {
                return self.hopeless();
            }
            self.lost = false;
        }
        if self.buffer.starts_with(b"\r\n\r\n") {
            self.buffer.drain(..4);
            return Some(Piece::KeepAlive);
        }
        let blank = self
            .buffer
            .iter()
            .take_while(|b| matches!(b, b'\r' | b'\n'))
            .count();
        if blank > 0 && blank < self.buffer.len() {
            self.buffer.drain(..blank);
        }
        let Some(head) = find(&self.buffer, b"\r\n\r\n").map(|at| at + 4) else {
            return if self.buffer.len() > MOST {
                self.hopeless()
            } else if late && self.buffer.len() > blank {
                self.lost = true;
                Some(Piece::Message(std::mem::take(&mut self.buffer)))
            } else {
                None
            };
        };
        let next = |buffer: &[u8]| {
            let body = buffer.get(head..).unwrap_or_default();
            start_line(body, false).map(|at| head + at)
        };
        let end = match length(self.buffer.get(..head).unwrap_or_default()) {
            Length::Known(body) if self.buffer.len() >= head + body => head + body,
            Length::Known(_) => match next(&self.buffer) {
                // Another message where this one's body should be: its length was wrong.
                Some(at) => at,
                None if late => self.buffer.len(),
                None => return None,
            },
            Length::Missing => match next(&self.buffer) {
                Some(at) => at,
                None if has_body(self.buffer.get(..head).unwrap_or_default()) => self.buffer.len(),
                None => head,
            },
            Length::Wrong => {
                let next = next(&self.buffer);
                self.lost = next.is_none();
                next.unwrap_or(self.buffer.len())
            }
        };
        let rest = self.buffer.split_off(end);
        Some(Piece::Message(std::mem::replace(&mut self.buffer, rest)))
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|w| w == needle)
}

fn lines(head: &[u8]) -> impl Iterator<Item = (&str, &str)> {
    std::str::from_utf8(head)
        .unwrap_or_default()
        .lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.trim(), value.trim()))
}

fn length(head: &[u8]) -> Length {
    // Names and numbers are ASCII: what is not may be replaced before looking for them.
    let text = String::from_utf8_lossy(head);
    let mut found = None;
    for (name, value) in lines(text.as_bytes()) {
        if name.eq_ignore_ascii_case("Content-Length") || name.eq_ignore_ascii_case("l") {
            match super::number(value, u64::from(u32::MAX)) {
                Some(n) if found.is_none_or(|f| f == n) => found = Some(n),
                _ => return Length::Wrong,
            }
        }
    }
    match found {
        // No phone sends as much: nobody waits for it.
        Some(n) if n > MOST as u64 => Length::Wrong,
        Some(n) => Length::Known(usize::try_from(n).unwrap_or(usize::MAX)),
        None => Length::Missing,
    }
}

fn has_body(head: &[u8]) -> bool {
    let text = String::from_utf8_lossy(head);
    lines(text.as_bytes()).any(|(name, _)| {
        name.eq_ignore_ascii_case("Content-Type") || name.eq_ignore_ascii_case("c")
    })
}

/// Where a line begins that can only be a message's first. `at_front`: one may stand right at the beginning.
fn start_line(bytes: &[u8], at_front: bool) -> Option<usize> {
    let mut from = 0;
    let mut first = true;
    while let Some(len) = bytes.get(from..)?.iter().position(|b| *b == b'\n') {
        let line = bytes.get(from..from + len).unwrap_or_default();
        if (at_front || !first) && is_start(line) {
            return Some(from);
        }
        first = false;
        from += len + 1;
    }
    None
}

fn is_start(line: &[u8]) -> bool {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let Ok(line) = std::str::from_utf8(line) else {
        return false;
    };
    if let Some(rest) = line.strip_prefix("SIP/2.0 ") {
        return rest
            .get(..3)
            .is_some_and(|c| c.bytes().all(|b| b.is_ascii_digit()));
    }
    let Some(rest) = line.trim_end().strip_suffix(" SIP/2.0") else {
        return false;
    };
    let Some((method, uri)) = rest.split_once(' ') else {
        return false;
    };
    super::is_token(method) && uri.contains(':')
}
