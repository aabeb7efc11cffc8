//! Taking a message apart, as far as it will go: what is wrong with its form is noted, and what it says is kept to answer by.

use super::header::{NameAddr, Via, split_list};
use super::{Start, is_token, number};

/// Header fields that hold one value, and of which there may be one (RFC 3261 section 7.3.1).
const SINGLE: [&str; 8] = [
    "From",
    "To",
    "Call-ID",
    "CSeq",
    "Max-Forwards",
    "Content-Length",
    "Content-Type",
    "Expires",
];

/// A reason to refuse.
pub(super) struct Fault {
    pub(super) code: u16,
    pub(super) why: &'static str,
    pub(super) headers: Vec<(&'static str, String)>,
}

pub(super) fn fault(code: u16, why: &'static str) -> Fault {
    Fault {
        code,
        why,
        headers: Vec::new(),
    }
}

/// A message as far as it could be read.
pub(super) struct Read {
    pub(super) start: Option<Start>,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
    /// The first thing that was wrong with its form.
    fault: Option<Fault>,
}

impl Read {
    pub(super) fn method(&self) -> &str {
        match &self.start {
            Some(Start::Request { method, .. }) => method,
            _ => "",
        }
    }

    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers
            .iter()
            .filter(move |(n, _)| n == name)
            .map(|(_, v)| v.as_str())
    }

    pub(super) fn one(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, v)| v.as_str())
    }

    pub(super) fn set(&mut self, name: &str, value: String) {
        if let Some((_, old)) = self.headers.iter_mut().find(|(n, _)| n == name) {
            *old = value;
        }
    }
}

pub(super) fn read(bytes: &[u8]) -> Read {
    let lead = bytes
        .iter()
        .take_while(|b| matches!(b, b'\r' | b'\n'))
        .count();
    let bytes = bytes.get(lead..).unwrap_or_default();
    let end = bytes
        .windows(4)
        .position(|w| w == b"\r\n\r\n")
        .unwrap_or(bytes.len());
    let head = String::from_utf8_lossy(bytes.get(..end).unwrap_or_default());
    let body = bytes.get(end + 4..).unwrap_or_default().to_vec();
    let mut lines = head.split("\r\n");
    let (start, mut wrong) = first_line(lines.next().unwrap_or_default());
    let mut headers: Vec<(String, String)> = Vec::new();
    for line in lines {
        // A line that begins with a space goes on with the one before (section 7.3.1).
        if line.starts_with([' ', '\t']) {
            if let Some((_, value)) = headers.last_mut() {
                if !value.is_empty() {
                    value.push(' ');
                }
                value.push_str(line.trim());
            }
            continue;
        }
        match line.split_once(':') {
            Some((name, value)) if is_token(name.trim_end()) && headers.len() < 256 => {
                headers.push((long_name(name.trim_end()), value.trim().to_owned()));
            }
            _ if line.is_empty() => {}
            _ => {
                wrong.get_or_insert(fault(400, "a line is no header"));
            }
        }
    }
    Read {
        start,
        headers,
        body,
        fault: wrong,
    }
}

fn first_line(line: &str) -> (Option<Start>, Option<Fault>) {
    if let Some(rest) = line.strip_prefix("SIP/2.0 ") {
        let (code, reason) = rest.split_once(' ').unwrap_or((rest, ""));
        let code = code
            .parse()
            .ok()
            .filter(|c| code.len() == 3 && (100..700).contains(c));
        return match code {
            Some(code) => {
                // Anything printable may stand here, and nothing need; what only some parsers read is not passed on.
                let plain = reason.chars().all(|c| (' '..='~').contains(&c));
                let reason = if plain { reason.trim() } else { "" };
                let reason = if reason.is_empty() {
                    phrase(code)
                } else {
                    reason
                };
                let reason = reason.to_owned();
                (Some(Start::Response { code, reason }), None)
            }
            None => (
                Some(Start::Response {
                    code: 0,
                    reason: String::new(),
                }),
                Some(fault(400, "its status is none")),
            ),
        };
    }
    let parts: Vec<&str> = line.split(' ').collect();
    let request = |method: &str, uri: &str| {
        Some(Start::Request {
            method: method.to_owned(),
            uri: uri.to_owned(),
        })
    };
    match parts[..] {
        [method, uri, version] if is_token(method) && !uri.is_empty() => {
            let wrong = match version.split_once('/') {
                _ if version == "SIP/2.0" => None,
                Some((name, number))
                    if name.eq_ignore_ascii_case("SIP")
                        && number.bytes().all(|b| b.is_ascii_digit() || b == b'.') =>
                {
                    Some(fault(505, "its version of SIP is not 2.0"))
                }
                _ => Some(fault(400, "its first line names no version")),
            };
            (request(method, uri), wrong)
        }
        _ => {
            let method = parts.first().copied().unwrap_or_default();
            (
                request(method, parts.get(1).copied().unwrap_or_default()),
                Some(fault(
                    400,
                    "its first line is not three words with one space between",
                )),
            )
        }
    }
}

/// What both requests and responses must have; the Vias are put in plain form, one a line.
pub(super) fn common(read: &mut Read, stream: bool) -> Result<(), Fault> {
    if let Some(fault) = read.fault.take() {
        return Err(fault);
    }
    for name in SINGLE {
        if read.all(name).count() > 1 {
            return Err(fault(400, "a header that may stand once stands twice"));
        }
    }
    let mut vias = Vec::new();
    for value in read.all("Via") {
        let hops = split_list(value).ok_or_else(|| fault(400, "a Via is not well formed"))?;
        for hop in hops {
            vias.push(Via::parse(hop).ok_or_else(|| fault(400, "a Via is not well formed"))?);
        }
    }
    if vias.is_empty() {
        return Err(fault(400, "it has no Via"));
    }
    if vias.first().and_then(|v| v.param("branch")) == Some("z9hG4bK") {
        return Err(fault(
            400,
            "its branch is the magic cookie and nothing more",
        ));
    }
    for name in ["From", "To"] {
        let value = read
            .one(name)
            .ok_or_else(|| fault(400, "From or To is missing"))?;
        let parsed =
            NameAddr::parse(value).ok_or_else(|| fault(400, "From or To is not well formed"))?;
        read.set(name, parsed.to_string());
    }
    let call_id = read.one("Call-ID").unwrap_or_default();
    if call_id.is_empty() || call_id.contains([' ', '\t']) {
        return Err(fault(400, "Call-ID is missing or not well formed"));
    }
    let cseq = read.one("CSeq").unwrap_or_default();
    let cseq = cseq
        .split_once([' ', '\t'])
        .map(|(n, method)| (number(n, (1 << 31) - 1), method.trim().to_owned()));
    let Some((Some(n), method)) = cseq.filter(|(_, m)| is_token(m)) else {
        return Err(fault(400, "CSeq is missing or not well formed"));
    };
    read.set("CSeq", format!("{n} {method}"));
    match read.one("Content-Length").map(|v| number(v, 1 << 32)) {
        Some(None) => return Err(fault(400, "Content-Length is no number")),
        Some(Some(n)) => {
            let n = usize::try_from(n).unwrap_or(usize::MAX);
            if n > read.body.len() {
                return Err(fault(400, "Content-Length is more than there is"));
            }
            // What follows the body in a datagram is not looked at (section 18.3).
            read.body.truncate(n);
        }
        None if stream && read.one("Content-Type").is_none() => read.body.clear(),
        None => {}
    }
    read.headers.retain(|(name, _)| name != "Via");
    let plain = vias.iter().map(|v| ("Via".to_owned(), v.to_string()));
    read.headers.splice(0..0, plain);
    Ok(())
}

/// As RFC 3261 section 21 words it.
pub fn phrase(code: u16) -> &'static str {
    match code {
        100 => "Trying",
        180 => "Ringing",
        183 => "Session Progress",
        200 => "OK",
        400 => "Bad Request",
        405 => "Method Not Allowed",
        403 => "Forbidden",
        404 => "Not Found",
        406 => "Not Acceptable",
        408 => "Request Timeout",
        415 => "Unsupported Media Type",
        416 => "Unsupported URI Scheme",
        420 => "Bad Extension",
        480 => "Temporarily Unavailable",
        481 => "Call/Transaction Does Not Exist",
        486 => "Busy Here",
        487 => "Request Terminated",
        482 => "Loop Detected",
        483 => "Too Many Hops",
        501 => "Not Implemented",
        505 => "Version Not Supported",
        513 => "Message Too Large",
        603 => "Decline",
        300..=399 => "Redirected",
        500..=599 => "Server Failure",
        600..=699 => "Global Failure",
        _ => "Other",
    }
}

/// A header's full name, in the usual spelling where it is one that this line looks at.
fn long_name(name: &str) -> String {
    const COMPACT: [(&str, &str); 19] = [
        ("a", "Accept-Contact"),
        ("b", "Referred-By"),
        ("c", "Content-Type"),
        ("d", "Request-Disposition"),
        ("e", "Content-Encoding"),
        ("f", "From"),
        ("i", "Call-ID"),
        ("j", "Reject-Contact"),
        ("k", "Supported"),
        ("l", "Content-Length"),
        ("m", "Contact"),
        ("o", "Event"),
        ("r", "Refer-To"),
        ("s", "Subject"),
        ("t", "To"),
        ("u", "Allow-Events"),
        ("v", "Via"),
        ("x", "Session-Expires"),
        ("y", "Identity"),
    ];
    const FULL: [&str; 30] = [
        "Accept",
        "Allow",
        "Authorization",
        "CSeq",
        "Call-ID",
        "Contact",
        "Content-Encoding",
        "Content-Length",
        "Content-Type",
        "Diversion",
        "Event",
        "Expires",
        "From",
        "History-Info",
        "Identity",
        "Max-Forwards",
        "Min-SE",
        "P-Asserted-Identity",
        "Privacy",
        "Proxy-Authenticate",
        "Proxy-Authorization",
        "RAck",
        "Record-Route",
        "Refer-To",
        "Replaces",
        "Require",
        "Route",
        "Session-Expires",
        "Supported",
        "WWW-Authenticate",
    ];
    for (short, long) in COMPACT {
        if name.eq_ignore_ascii_case(short) {
            return long.to_owned();
        }
    }
    if name.eq_ignore_ascii_case("To") {
        return "To".to_owned();
    }
    if name.eq_ignore_ascii_case("Via") {
        return "Via".to_owned();
    }
    FULL.iter()
        .find(|full| full.eq_ignore_ascii_case(name))
        .map_or_else(|| name.to_owned(), |full| (*full).to_owned())
}
