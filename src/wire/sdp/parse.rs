//! Reading a description. Lines that are not acted upon are skipped; what is acted upon must be right.

use std::net::IpAddr;

use super::{Direction, Media, SdpError, Session};

/// Larger than any telephone sends; smaller than what would cost time to read.
const MOST_BYTES: usize = 64 * 1024;
const MOST_MEDIA: usize = 32;
const MOST_FORMATS: usize = 64;

fn bad<T>(sentence: impl Into<String>) -> Result<T, SdpError> {
    Err(SdpError::Malformed(sentence.into()))
}

/// What a level (session, or one `m=` section) says.
#[derive(Default)]
struct Level {
    /// Some(None): a host name.
    address: Option<Option<IpAddr>>,
    direction: Option<Direction>,
    ptime_ms: Option<u32>,
}

/// Reads a session description: lines end in CRLF or LF.
pub fn parse(text: &str) -> Result<Session, SdpError> {
    if text.len() > MOST_BYTES {
        return bad("the session description is longer than 64 kB");
    }
    let mut lines = text.lines().map(str::trim_end).filter(|l| !l.is_empty());
    if lines.next() != Some("v=0") {
        return bad("the session description does not start with v=0");
    }
    let mut origin = None;
    let mut session = Level::default();
    let mut media: Vec<(Media, Level)> = Vec::new();
    for line in lines {
        let Some((kind, value)) = line.split_once('=') else {
            return bad(format!(
                "the session description has a line that is no field: {:?}",
                clip(line)
            ));
        };
        let level = match media.last_mut() {
            Some((_, level)) => level,
            None => &mut session,
        };
        match kind {
            "o" => origin = Some(parse_origin(value)?),
            "c" => level.address = Some(connection(value)?),
            "m" => {
                if media.len() == MOST_MEDIA {
                    return bad("the session description has more than 32 media lines");
                }
                media.push((media_line(value)?, Level::default()));
            }
            "a" => {
                let (name, rest) = value.split_once(':').unwrap_or((value, ""));
                if let Some(direction) = Direction::named(name) {
                    level.direction = Some(direction);
                } else if name == "ptime" {
                    // Some phones write 20.0; what cannot be read is as good as not there.
                    level.ptime_ms = rest.trim().parse::<f32>().ok().map(|ms| ms as u32);
                } else if let Some((media, _)) = media.last_mut() {
                    attribute(media, name, rest);
                }
            }
            _ if kind.len() == 1 => {}
            _ => {
                return bad(format!(
                    "the session description has a line that is no field: {:?}",
                    clip(line)
                ));
            }
        }
    }
    let Some((id, version)) = origin else {
        return bad("the session description has no o= line");
    };
    let media = media
        .into_iter()
        .map(|(mut m, level)| {
            m.address = level.address.or(session.address).flatten();
            m.direction = level.direction.or(session.direction).unwrap_or_default();
            m.ptime_ms = level.ptime_ms.or(session.ptime_ms);
            m
        })
        .collect();
    Ok(Session { id, version, media })
}

/// Enough of a line to recognise it by.
fn clip(line: &str) -> String {
    line.chars().take(40).collect()
}

fn parse_origin(value: &str) -> Result<(String, String), SdpError> {
    let fields: Vec<&str> = value.split_whitespace().collect();
    match fields[..] {
        [_, id, version, _, _, _] => Ok((id.to_owned(), version.to_owned())),
        _ => bad("the o= line needs six fields"),
    }
}

/// The address of a `c=` line; none where it is a host name.
fn connection(value: &str) -> Result<Option<IpAddr>, SdpError> {
    let fields: Vec<&str> = value.split_whitespace().collect();
    let ["IN", family, address] = fields[..] else {
        return bad("the c= line is not an internet address");
    };
    // A multicast address carries its reach behind a slash.
    let bare = address.split('/').next().unwrap_or_default();
    match (family, bare.parse::<IpAddr>()) {
        ("IP4", Ok(a)) if a.is_ipv4() => Ok(Some(a)),
        ("IP6", Ok(a)) if a.is_ipv6() => Ok(Some(a)),
        (_, Ok(_)) => bad("the c= line's address is not of the family it says"),
        ("IP4" | "IP6", Err(_)) => Ok(None),
        _ => bad("the c= line is not an internet address"),
    }
}

fn media_line(value: &str) -> Result<Media, SdpError> {
    let mut fields = value.split_whitespace();
    let (Some(kind), Some(port), Some(protocol)) = (fields.next(), fields.next(), fields.next())
    else {
        return bad("an m= line needs kind, port, protocol and formats");
    };
    let port = port.split('/').next().unwrap_or_default();
    let Ok(port) = port.parse() else {
        return bad(format!("an m= line's port is not one: {:?}", clip(port)));
    };
    let formats: Vec<String> = fields.map(str::to_owned).collect();
    if formats.is_empty() || formats.len() > MOST_FORMATS {
        return bad("an m= line needs 1 to 64 formats");
    }
    Ok(Media {
        kind: kind.to_ascii_lowercase(),
        port,
        protocol: protocol.to_owned(),
        formats,
        address: None,
        direction: Direction::default(),
        ptime_ms: None,
        rtcp: None,
        rtcp_mux: false,
        rtpmap: Vec::new(),
        crypto: Vec::new(),
        mid: None,
    })
}

fn attribute(media: &mut Media, name: &str, rest: &str) {
    match name {
        "rtpmap" => {
            // One that cannot be read leaves its payload type unknown; the others may still do (RFC 4475 has such a line in half of
            // its descriptions).
            let read = rest.trim().split_once(' ').and_then(|(pt, encoding)| {
                let mut parts = encoding.trim().split('/');
                let name = parts.next()?.to_owned();
                Some((pt.parse().ok()?, name, parts.next()?.parse().ok()?))
            });
            if media.rtpmap.len() < MOST_FORMATS {
                media.rtpmap.extend(read);
            }
        }
        "rtcp" => {
            let mut fields = rest.split_whitespace();
            if let Some(Ok(port)) = fields.next().map(str::parse) {
                let address = fields.nth(2).and_then(|a| a.parse().ok());
                media.rtcp = Some((port, address));
            }
        }
        "rtcp-mux" => media.rtcp_mux = true,
        "mid" => media.mid = Some(rest.trim().to_owned()).filter(|m| !m.is_empty()),
        "crypto" if media.crypto.len() < MOST_FORMATS => {
            media.crypto.extend(super::crypto::Offered::parse(rest));
        }
        _ => {}
    }
}
