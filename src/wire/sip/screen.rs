//! Which messages the line's SIP stack is shown, and what the others are told.

use std::net::{IpAddr, SocketAddr};

use super::header::{NameAddr, Via, split_list};
use super::reading::{Fault, Read, common, fault, phrase, read};
use super::{Message, Start, number};

/// What this line takes, and how it knows itself.
pub struct Rules<'a> {
    /// Methods, as Allow lists them.
    pub allow: &'a str,
    /// Option tags, as Supported lists them.
    pub supported: &'a str,
    /// A host that is this line, for Max-Forwards and loops.
    pub ours: &'a dyn Fn(&str) -> bool,
    /// Our own address as Via shows it, host and port.
    pub sent_by: &'a dyn Fn(&str, Option<u16>) -> bool,
    /// Where the message came from.
    pub source: SocketAddr,
    /// TCP or TLS.
    pub stream: bool,
}

/// What becomes of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// For the stack, in plain form.
    Pass(Message),
    /// Refused: bytes to send back where it came from.
    Answer {
        bytes: Vec<u8>,
        code: u16,
        why: &'static str,
    },
    /// Nothing can or may be said to it.
    Drop(&'static str),
}

/// Known methods that make no sense to a line that answers calls: refused as not allowed rather than unknown.
const KNOWN: [&str; 15] = [
    "INVITE",
    "ACK",
    "CANCEL",
    "BYE",
    "OPTIONS",
    "INFO",
    "UPDATE",
    "PRACK",
    "REFER",
    "REGISTER",
    "NOTIFY",
    "MESSAGE",
    "SUBSCRIBE",
    "PUBLISH",
    "QUERY",
];

/// Larger requests over UDP are refused.
const LARGEST_DATAGRAM: usize = 7_500;

/// Judges one message: a datagram, or one cut from a stream.
pub fn screen(bytes: &[u8], rules: &Rules<'_>) -> Verdict {
    let mut read = read(bytes);
    let is_response = matches!(read.start, Some(Start::Response { .. }));
    if is_response {
        return match response(&mut read) {
            Ok(message) => Verdict::Pass(message),
            Err(why) => Verdict::Drop(why),
        };
    }
    // What the stack's own buffer for datagrams would not hold: told to come over a stream (section 21.5.7).
    let judged = match !rules.stream && bytes.len() > LARGEST_DATAGRAM {
        true => Err(fault(513, "it is too large for UDP: send it over TCP")),
        false => request(&mut read, rules),
    };
    match judged {
        Ok(message) => Verdict::Pass(message),
        Err(fault) => {
            // An ACK is never answered (RFC 3261 section 17.1.1.3).
            if read.method() == "ACK" {
                return Verdict::Drop(fault.why);
            }
            match answer(&read, &fault, rules.source) {
                Some(bytes) => Verdict::Answer {
                    bytes,
                    code: fault.code,
                    why: fault.why,
                },
                None => Verdict::Drop(fault.why),
            }
        }
    }
}

fn response(read: &mut Read) -> Result<Message, &'static str> {
    common(read, false).map_err(|f| f.why)?;
    if read.all("Via").count() != 1 {
        return Err("a response with several Vias is not for us");
    }
    // RFC 8760 writes SHA-256; the stack knows it without the hyphen.
    for (name, value) in &mut read.headers {
        if matches!(name.as_str(), "WWW-Authenticate" | "Proxy-Authenticate") {
            *value = respell(value, "SHA-256", "SHA256");
        }
    }
    take(read).ok_or("no first line")
}

fn take(read: &mut Read) -> Option<Message> {
    Some(Message {
        start: read.start.clone()?,
        headers: std::mem::take(&mut read.headers),
        body: std::mem::take(&mut read.body),
    })
}

fn request(read: &mut Read, rules: &Rules<'_>) -> Result<Message, Fault> {
    common(read, rules.stream)?;
    let Some(Start::Request { method, uri }) = read.start.clone() else {
        return Err(fault(400, "no first line"));
    };
    let cseq = read.one("CSeq").unwrap_or_default();
    if cseq.split_once(' ').map(|(_, m)| m) != Some(method.as_str()) {
        return Err(fault(400, "CSeq names another method than the first line"));
    }
    let uri = request_uri(&uri)?;
    if let Some(Start::Request { uri: old, .. }) = &mut read.start {
        old.clone_from(&uri);
    }
    let forwards = match read.one("Max-Forwards") {
        Some(value) => {
            let n = number(value, 255);
            Some(n.ok_or_else(|| fault(400, "Max-Forwards is no number from 0 to 255"))?)
        }
        None => None,
    };
    contacts(read)?;
    let allowed = |m: &str| rules.allow.split(',').any(|a| a.trim() == m);
    let in_dialog = read
        .one("To")
        .and_then(NameAddr::parse)
        .is_some_and(|to| to.param("tag").is_some());
    if !KNOWN.contains(&method.as_str()) {
        let mut unknown = fault(501, "its method is unknown");
        unknown.headers.push(("Allow", rules.allow.to_owned()));
        return Err(unknown);
    }
    // What follows a REFER of ours comes as NOTIFY within the dialog; a REGISTER is asked for its credentials further in.
    if !allowed(&method) && method != "REGISTER" && !(method == "NOTIFY" && in_dialog) {
        let mut refused = fault(405, "its method is not for a line that answers calls");
        refused.headers.push(("Allow", rules.allow.to_owned()));
        return Err(refused);
    }
    if method == "REGISTER" {
        let to = read.one("To").and_then(NameAddr::parse);
        if !to.is_some_and(|t| matches!(t.scheme().as_str(), "sip" | "sips" | "tel")) {
            return Err(fault(400, "To of a REGISTER is no SIP address"));
        }
    }
    if method == "ACK" || method == "CANCEL" {
        return finish(read);
    }
    if forwards == Some(0) && !(rules.ours)(host_of(&uri)) {
        return Err(fault(
            483,
            "Max-Forwards is used up and the address is not this line",
        ));
    }
    // Our own request, come back to us (section 16.3).
    let through_us = |hop: &str| Via::parse(hop).is_some_and(|v| (rules.sent_by)(&v.host, v.port));
    if !in_dialog && read.all("Via").any(through_us) {
        return Err(fault(482, "it has been here before"));
    }
    let unknown: Vec<String> = read
        .all("Require")
        .flat_map(|v| v.split(','))
        .map(str::trim)
        .filter(|tag| !tag.is_empty() && !has(rules.supported, tag))
        .map(str::to_owned)
        .collect();
    if !unknown.is_empty() {
        let mut extension = fault(420, "it requires what this line cannot do");
        extension.headers.push(("Unsupported", unknown.join(", ")));
        return Err(extension);
    }
    if method == "INVITE" || method == "UPDATE" {
        body(read)?;
    }
    // Before RFC 3261 an INVITE need not say where its sender is reached: where it came from, then.
    if method == "INVITE" && read.one("Contact").is_none() {
        let scheme = format!("<sip:{}>", rules.source);
        read.headers.push(("Contact".to_owned(), scheme));
    }
    finish(read)
}

/// A message for the stack. A caller from before RFC 3261 sends no tag in From; the stack needs one, so it is given one that
/// a prefix that never leaves this machine (see [`plain_out`]).
fn finish(read: &mut Read) -> Result<Message, Fault> {
    if let Some(from) = read.one("From").and_then(NameAddr::parse)
        && from.param("tag").is_none()
    {
        let tag = made_tag(&[read.one("Call-ID").unwrap_or_default(), &from.uri]);
        read.set("From", format!("{from};tag={MADE}{tag}"));
    }
    take(read).ok_or_else(|| fault(400, "no first line"))
}

/// In front of tags that were made here for callers who send none.
const MADE: &str = "rfc2543-";

fn made_tag(parts: &[&str]) -> String {
    use std::hash::{Hash, Hasher};
    // Only to tell dialogs apart, and the same for every message of one.
    let mut hasher = std::hash::DefaultHasher::new();
    parts.hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

/// Takes tags that were made here out of a message on its way out, and writes the digest's name as RFC 8760 does.
pub fn plain_out(bytes: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(bytes).ok()?;
    let made = format!(";tag={MADE}");
    if !text.contains(&made) && !text.contains("SHA256") {
        return None;
    }
    let (head, body) = text.split_once("\r\n\r\n")?;
    let mut out = String::with_capacity(text.len());
    for line in head.split("\r\n") {
        let lower = line.to_ascii_lowercase();
        let mut line = line.to_owned();
        while let Some(at) = line.find(&made) {
            let end = at + made.len() + 16;
            line.replace_range(at..end.min(line.len()), "");
        }
        if lower.starts_with("authorization") || lower.starts_with("proxy-authorization") {
            line = respell(&line, "SHA256", "SHA-256");
        }
        out += &line;
        out += "\r\n";
    }
    out += "\r\n";
    out += body;
    Some(out.into_bytes())
}

fn respell(value: &str, from: &str, to: &str) -> String {
    let lower = value.to_ascii_lowercase();
    let Some(at) = lower.find("algorithm") else {
        return value.to_owned();
    };
    let (head, tail) = value.split_at(at);
    let tail_lower = tail.to_ascii_lowercase();
    match tail_lower.find(&from.to_ascii_lowercase()) {
        // Only where it follows the name directly, quotes and spaces between.
        Some(p) if p <= 14 => {
            let mut tail = tail.to_owned();
            tail.replace_range(p..p + from.len(), to);
            format!("{head}{tail}")
        }
        _ => value.to_owned(),
    }
}

fn has(list: &str, item: &str) -> bool {
    list.split(',').any(|i| i.trim().eq_ignore_ascii_case(item))
}

/// Checks the Request-URI; a telephone number becomes a SIP address that holds it.
fn request_uri(uri: &str) -> Result<String, Fault> {
    if uri.contains(['<', '>', '"']) {
        return Err(fault(400, "its address stands in brackets"));
    }
    let Some((scheme, rest)) = uri.split_once(':') else {
        return Err(fault(400, "its address has no scheme"));
    };
    match scheme.to_ascii_lowercase().as_str() {
        "sip" | "sips" => {
            let host = rest.rsplit('@').next().unwrap_or_default();
            if host.is_empty() || host.contains('?') {
                return Err(fault(400, "its address holds headers or no host"));
            }
            Ok(uri.to_owned())
        }
        "tel" => {
            let number = rest.split(';').next().unwrap_or_default();
            Ok(format!("sip:{number}@tel.invalid;user=phone"))
        }
        _ => Err(fault(
            416,
            "its address is of a scheme this line does not know",
        )),
    }
}

fn host_of(uri: &str) -> &str {
    let rest = uri.split_once(':').map_or(uri, |(_, rest)| rest);
    let host = rest.rsplit('@').next().unwrap_or_default();
    let host = host.split([';', '?']).next().unwrap_or_default();
    match host.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    }
}

/// Contact and routing headers hold addresses; one that cannot be read may not be followed.
fn contacts(read: &mut Read) -> Result<(), Fault> {
    for name in ["Contact", "Route", "Record-Route"] {
        let mut plain = Vec::new();
        for value in read.all(name) {
            if value == "*" {
                plain.push(value.to_owned());
                continue;
            }
            let parts = split_list(value).unwrap_or_default();
            let parsed: Option<Vec<_>> = parts.iter().map(|p| NameAddr::parse(p)).collect();
            match parsed.filter(|p| !p.is_empty()) {
                Some(parsed) => plain.extend(parsed.iter().map(NameAddr::to_string)),
                None => return Err(fault(400, "a Contact or Route is not well formed")),
            }
        }
        if plain.is_empty() {
            continue;
        }
        read.headers.retain(|(n, _)| n != name);
        read.headers
            .extend(plain.into_iter().map(|v| (name.to_owned(), v)));
    }
    Ok(())
}

/// What an INVITE may carry, and what its sender must be able to take back.
fn body(read: &mut Read) -> Result<(), Fault> {
    const SDP: &str = "application/sdp";
    if let Some(accept) = read.one("Accept").map(str::to_ascii_lowercase) {
        let takes = accept.split(',').any(|kind| {
            let kind = kind.split(';').next().unwrap_or_default().trim();
            matches!(kind, SDP | "application/*" | "*/*")
        });
        if !takes && !accept.is_empty() {
            return Err(fault(406, "its sender takes no session description back"));
        }
    }
    if let Some(encoding) = read.one("Content-Encoding")
        && !encoding.eq_ignore_ascii_case("identity")
        && !read.body.is_empty()
    {
        let mut media = fault(415, "its body is encoded");
        media.headers.push(("Accept-Encoding", "identity".into()));
        return Err(media);
    }
    let Some(kind) = read.one("Content-Type").map(str::to_owned) else {
        return Ok(());
    };
    let bare = kind
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    if bare == SDP || read.body.is_empty() {
        return Ok(());
    }
    // Gateways put the description beside other things (RFC 5621); the rest of it is not read.
    if bare.starts_with("multipart/")
        && let Some(sdp) = part(&kind, &read.body, SDP)
    {
        read.body = sdp;
        read.set("Content-Type", SDP.to_owned());
        return Ok(());
    }
    let mut media = fault(415, "its body is no session description");
    media.headers.push(("Accept", SDP.to_owned()));
    Err(media)
}

/// The part of a multipart body that is of this kind (RFC 2046 section 5.1).
fn part(kind: &str, body: &[u8], wanted: &str) -> Option<Vec<u8>> {
    let boundary = kind.split(';').skip(1).find_map(|p| {
        let (name, value) = p.split_once('=')?;
        name.trim()
            .eq_ignore_ascii_case("boundary")
            .then(|| value.trim().trim_matches('"').to_owned())
    })?;
    let text = String::from_utf8_lossy(body);
    let marker = format!("--{boundary}");
    text.split(marker.as_str()).skip(1).find_map(|piece| {
        let (head, content) = piece.trim_start_matches("\r\n").split_once("\r\n\r\n")?;
        let right = head
            .split("\r\n")
            .filter_map(|l| l.split_once(':'))
            .any(|(n, v)| {
                matches!(n.trim().to_ascii_lowercase().as_str(), "content-type" | "c")
                    && v.split(';')
                        .next()
                        .unwrap_or_default()
                        .trim()
                        .eq_ignore_ascii_case(wanted)
            });
        right.then(|| content.as_bytes().to_vec())
    })
}

/// A stateless refusal. None where the message does not even say whom to answer.
fn answer(read: &Read, fault: &Fault, source: SocketAddr) -> Option<Vec<u8>> {
    let mut vias = read.all("Via");
    let first = vias.next().filter(|v| !v.is_empty())?;
    let mut text = format!("SIP/2.0 {} {}\r\n", fault.code, phrase(fault.code));
    text += &format!("Via: {}\r\n", received(first, source));
    for via in vias {
        text += &format!("Via: {via}\r\n");
    }
    if let Some(from) = read.one("From") {
        text += &format!("From: {from}\r\n");
    }
    if let Some(to) = read.one("To") {
        text += &format!("To: {to}");
        if !to.to_ascii_lowercase().contains("tag=") {
            let id = [first, read.one("Call-ID").unwrap_or_default(), to];
            text += &format!(";tag={}", made_tag(&id));
        }
        text += "\r\n";
    }
    for name in ["Call-ID", "CSeq"] {
        if let Some(value) = read.one(name) {
            text += &format!("{name}: {value}\r\n");
        }
    }
    for (name, value) in &fault.headers {
        text += &format!("{name}: {value}\r\n");
    }
    text += &format!(
        "Reason: SIP;cause={};text=\"{}\"\r\nContent-Length: 0\r\n\r\n",
        fault.code, fault.why
    );
    Some(text.into_bytes())
}

/// The top Via with where the message really came from (section 18.2.1, RFC 3581).
fn received(first: &str, source: SocketAddr) -> String {
    let hops = split_list(first).unwrap_or_default();
    let Some(mut via) = hops.first().and_then(|hop| Via::parse(hop)) else {
        return first.to_owned();
    };
    let ip = source.ip().to_canonical();
    if via.host.trim_matches(['[', ']']).parse::<IpAddr>().ok() != Some(ip) {
        via.params.push(("received".into(), Some(ip.to_string())));
    }
    for (name, value) in &mut via.params {
        if name.eq_ignore_ascii_case("rport") {
            *value = Some(source.port().to_string());
        }
    }
    // What stood behind it on the same line goes on standing there.
    let rest: String = hops.iter().skip(1).map(|h| format!(", {h}")).collect();
    format!("{via}{rest}")
}
