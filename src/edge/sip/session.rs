//! Our side of SDP offer and answer for one dialog (RFC 3264, RFC 4566): one audio stream, G.711 both laws, telephone-event.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::audio::g711::Law;
use crate::edge::rtp::payload_type;

/// As SDP names it (RFC 3551 table 4).
pub fn codec_name(law: Law) -> &'static str {
    match law {
        Law::Mu => "PCMU",
        Law::A => "PCMA",
    }
}

/// What both sides settled on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agreed {
    pub remote: SocketAddr,
    pub rtcp: SocketAddr,
    pub law: Law,
    /// The payload type the far end gave telephone-event; none: keys go as INFO or not at all.
    pub events: Option<u8>,
    /// They hear us.
    pub send: bool,
    /// We hear them.
    pub receive: bool,
}

impl Agreed {
    /// The far end has put us on hold.
    pub fn held(&self) -> bool {
        !self.receive || !self.send
    }
}

/// Our description, and what was agreed so far.
#[derive(Debug)]
pub struct Session {
    ip: IpAddr,
    port: u16,
    id: u64,
    version: u64,
    last: String,
    /// Payload type of telephone-event in what we send: the far end's where it offered one.
    events: u8,
    agreed: Option<Agreed>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    SendRecv,
    SendOnly,
    RecvOnly,
    Inactive,
}

impl Way {
    fn name(self) -> &'static str {
        match self {
            Self::SendRecv => "sendrecv",
            Self::SendOnly => "sendonly",
            Self::RecvOnly => "recvonly",
            Self::Inactive => "inactive",
        }
    }
}

/// One `m=` line with what belongs to it.
#[derive(Debug, Default)]
struct Stream {
    kind: String,
    port: u16,
    protocol: String,
    formats: Vec<String>,
    connection: Option<IpAddr>,
    maps: Vec<(u8, String)>,
    way: Option<Way>,
    rtcp: Option<u16>,
    mid: Option<String>,
}

impl Session {
    /// `port` takes RTP; RTCP is the next one.
    pub fn new(ip: IpAddr, port: u16) -> Self {
        // RFC 4566 section 5.2: session ids need only be unlike each other; a random one says nothing about this machine's clock.
        let id = u64::from(rand::random::<u32>());
        Self {
            ip,
            port,
            id,
            version: id,
            last: String::new(),
            events: 101,
            agreed: None,
        }
    }

    pub fn agreed(&self) -> Option<&Agreed> {
        self.agreed.as_ref()
    }

    /// What we offer: both laws, in the order of preference, or the one in use where a call is already up.
    pub fn offer(&mut self) -> Vec<u8> {
        let laws = match &self.agreed {
            Some(agreed) => vec![agreed.law],
            None => vec![Law::Mu, Law::A],
        };
        let media = self.media(&laws, true, Way::SendRecv, None);
        self.write(&media)
    }

    /// Answers an offer.
    ///
    /// # Errors
    /// A sentence when nothing in it can be used (488).
    pub fn answer(&mut self, offer: &[u8]) -> Result<Vec<u8>, String> {
        let streams = parse(offer)?;
        let chosen = streams
            .iter()
            .position(usable)
            .ok_or("the offer has no audio stream in PCMU or PCMA over RTP/AVP")?;
        let agreed = agree(&streams, chosen)?;
        if let Some(events) = agreed.events {
            self.events = events;
        }
        let way = match (agreed.send, agreed.receive) {
            (true, true) => Way::SendRecv,
            (true, false) => Way::SendOnly,
            (false, true) => Way::RecvOnly,
            (false, false) => Way::Inactive,
        };
        // RFC 3264 section 6: as many m= lines as the offer, in its order; what is not taken has port 0.
        let mut media = String::new();
        for (index, stream) in streams.iter().enumerate() {
            if index == chosen {
                media += &self.media(
                    &[agreed.law],
                    agreed.events.is_some(),
                    way,
                    stream.mid.as_deref(),
                );
            } else {
                let format = stream.formats.first().map_or("0", String::as_str);
                let _ = write!(
                    media,
                    "m={} 0 {} {format}\r\n",
                    stream.kind, stream.protocol
                );
            }
        }
        self.agreed = Some(agreed);
        Ok(self.write(&media))
    }

    /// The description that was sent last, as it stands.
    pub fn last_answer(&mut self) -> Vec<u8> {
        let media = self.last.clone();
        self.write(&media)
    }

    /// Takes the far end's answer to our offer.
    ///
    /// # Errors
    /// A sentence when it took nothing that we offered.
    pub fn answered(&mut self, answer: &[u8]) -> Result<(), String> {
        let streams = parse(answer)?;
        let first = streams.first().filter(|s| usable(s));
        if first.is_none() {
            return Err("the far end's answer takes no audio stream in PCMU or PCMA".into());
        }
        self.agreed = Some(agree(&streams, 0)?);
        Ok(())
    }

    fn media(&self, laws: &[Law], events: bool, way: Way, mid: Option<&str>) -> String {
        let mut text = format!("m=audio {} RTP/AVP", self.port);
        for law in laws {
            let _ = write!(text, " {}", payload_type(*law));
        }
        if events {
            let _ = write!(text, " {}", self.events);
        }
        text += "\r\n";
        for law in laws {
            let _ = write!(
                text,
                "a=rtpmap:{} {}/8000\r\n",
                payload_type(*law),
                codec_name(*law)
            );
        }
        if events {
            let n = self.events;
            let _ = write!(
                text,
                "a=rtpmap:{n} telephone-event/8000\r\na=fmtp:{n} 0-15\r\n"
            );
        }
        let _ = write!(
            text,
            "a=ptime:20\r\na=rtcp:{}\r\na={}\r\n",
            self.port + 1,
            way.name()
        );
        if let Some(mid) = mid {
            let _ = write!(text, "a=mid:{mid}\r\n");
        }
        text
    }

    /// The version rises with every change, and only then (RFC 3264 section 8).
    fn write(&mut self, media: &str) -> Vec<u8> {
        if self.last != media {
            if !self.last.is_empty() {
                self.version += 1;
            }
            media.clone_into(&mut self.last);
        }
        let family = if self.ip.is_ipv4() { "IP4" } else { "IP6" };
        let (id, version, ip) = (self.id, self.version, self.ip);
        format!(
            "v=0\r\no=- {id} {version} IN {family} {ip}\r\ns=-\r\nc=IN {family} {ip}\r\nt=0 0\r\n{media}"
        )
        .into_bytes()
    }
}

fn usable(stream: &Stream) -> bool {
    stream.kind == "audio"
        && stream.port != 0
        && (stream.protocol == "RTP/AVP" || stream.protocol == "RTP/AVPF")
        && law_of(stream).is_some()
}

/// The first of the stream's formats that is one of ours: the offerer's order is its preference.
fn law_of(stream: &Stream) -> Option<Law> {
    stream.formats.iter().find_map(|format| {
        let number: u8 = format.parse().ok()?;
        let mapped = stream
            .maps
            .iter()
            .find(|(n, _)| *n == number)
            .map(|(_, m)| m.as_str());
        match (number, mapped) {
            (0, None) => Some(Law::Mu),
            (8, None) => Some(Law::A),
            (0, Some(map)) if map.starts_with("pcmu/8000") => Some(Law::Mu),
            (8, Some(map)) if map.starts_with("pcma/8000") => Some(Law::A),
            _ => None,
        }
    })
}

fn agree(streams: &[Stream], chosen: usize) -> Result<Agreed, String> {
    let stream = streams.get(chosen).ok_or("no audio stream")?;
    let law = law_of(stream).ok_or("no codec in common")?;
    let ip = stream
        .connection
        .ok_or("the session description gives no address (c=)")?;
    let events = stream
        .maps
        .iter()
        .find(|(_, map)| map.starts_with("telephone-event/8000"))
        .map(|(n, _)| *n);
    // Hold as old phones do it: c=0.0.0.0 (RFC 3264 section 8.4).
    let nowhere = ip.is_unspecified();
    let way = stream.way.unwrap_or(Way::SendRecv);
    let (send, receive) = match way {
        Way::SendRecv => (!nowhere, true),
        Way::SendOnly => (false, true),
        Way::RecvOnly => (!nowhere, false),
        Way::Inactive => (false, false),
    };
    let rtcp = stream
        .rtcp
        .or(stream.port.checked_add(1))
        .unwrap_or(stream.port);
    Ok(Agreed {
        remote: SocketAddr::new(ip, stream.port),
        rtcp: SocketAddr::new(ip, rtcp),
        law,
        events,
        send,
        receive,
    })
}

/// Reads a description as far as it concerns us; unknown lines are passed over.
fn parse(body: &[u8]) -> Result<Vec<Stream>, String> {
    if body.len() > 16 * 1024 {
        return Err("the session description is longer than 16 KiB".into());
    }
    let text = String::from_utf8_lossy(body);
    let mut streams: Vec<Stream> = Vec::new();
    let (mut connection, mut way) = (None, None);
    for line in text.lines() {
        let Some((key, value)) = line.trim_end().split_once('=') else {
            continue;
        };
        match key {
            "c" => {
                let ip = value
                    .split_whitespace()
                    .nth(2)
                    .and_then(|a| a.split('/').next())
                    .and_then(|a| a.parse::<IpAddr>().ok());
                match streams.last_mut() {
                    Some(stream) => stream.connection = ip.or(stream.connection),
                    None => connection = ip,
                }
            }
            "m" => streams.push(media_line(value, connection, way)?),
            "a" => {
                let stated = match value {
                    "sendrecv" => Some(Way::SendRecv),
                    "sendonly" => Some(Way::SendOnly),
                    "recvonly" => Some(Way::RecvOnly),
                    "inactive" => Some(Way::Inactive),
                    _ => None,
                };
                match streams.last_mut() {
                    None => way = stated.or(way),
                    Some(stream) => {
                        stream.way = stated.or(stream.way);
                        attribute(stream, value);
                    }
                }
            }
            _ => {}
        }
        if streams.len() > 16 {
            return Err("the session description has more than 16 streams".into());
        }
    }
    if streams.is_empty() {
        return Err("the session description has no stream".into());
    }
    Ok(streams)
}

fn media_line(value: &str, connection: Option<IpAddr>, way: Option<Way>) -> Result<Stream, String> {
    let mut parts = value.split_whitespace();
    let (Some(kind), Some(port), Some(protocol)) = (parts.next(), parts.next(), parts.next())
    else {
        return Err(format!("\"m={value}\" is no media line"));
    };
    let port = port
        .split('/')
        .next()
        .and_then(|p| p.parse().ok())
        .ok_or_else(|| format!("\"m={value}\" has no port"))?;
    Ok(Stream {
        kind: kind.to_owned(),
        port,
        protocol: protocol.to_owned(),
        formats: parts.map(str::to_owned).take(64).collect(),
        connection,
        way,
        ..Stream::default()
    })
}

fn attribute(stream: &mut Stream, value: &str) {
    let Some((name, rest)) = value.split_once(':') else {
        return;
    };
    match name {
        "rtpmap" => {
            if let Some((number, map)) = rest.split_once(' ')
                && let Ok(number) = number.parse()
                && stream.maps.len() < 64
            {
                stream.maps.push((number, map.trim().to_ascii_lowercase()));
            }
        }
        "rtcp" => stream.rtcp = rest.split_whitespace().next().and_then(|p| p.parse().ok()),
        "mid" => stream.mid = Some(rest.chars().filter(|c| !c.is_control()).take(32).collect()),
        _ => {}
    }
}

impl Default for Session {
    fn default() -> Self {
        Self::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: Vec<u8>) -> String {
        String::from_utf8(bytes).unwrap()
    }

    const OFFER: &str = "v=0\r\no=a 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\n\
        m=video 5000 RTP/AVP 96\r\nm=audio 4000 RTP/AVP 18 8 0 100\r\na=rtpmap:100 telephone-event/8000\r\na=rtcp:4005\r\n";

    #[test]
    fn an_answer_keeps_the_offers_lines_and_its_preference() {
        let mut session = Session::new("192.0.2.1".parse().unwrap(), 16_384);
        let answer = text(session.answer(OFFER.as_bytes()).unwrap());
        assert!(
            answer.contains("m=video 0 RTP/AVP 96\r\nm=audio 16384 RTP/AVP 8 100\r\n"),
            "{answer}"
        );
        assert!(answer.contains("a=sendrecv"));
        let agreed = session.agreed().unwrap();
        assert_eq!(agreed.law, Law::A);
        assert_eq!(agreed.events, Some(100));
        assert_eq!(agreed.remote, "192.0.2.9:4000".parse().unwrap());
        assert_eq!(agreed.rtcp.port(), 4005);
        assert!(!agreed.held());
    }

    #[test]
    fn the_version_rises_with_a_change_and_only_then() {
        let mut session = Session::new("192.0.2.1".parse().unwrap(), 16_384);
        let version = |body: Vec<u8>| {
            let body = text(body);
            let line = body
                .lines()
                .find(|l| l.starts_with("o="))
                .unwrap()
                .to_owned();
            line.split(' ').nth(2).unwrap().parse::<u64>().unwrap()
        };
        let first = version(session.answer(OFFER.as_bytes()).unwrap());
        assert_eq!(version(session.answer(OFFER.as_bytes()).unwrap()), first);
        let hold = format!("{OFFER}a=sendonly\r\n");
        let body = session.answer(hold.as_bytes()).unwrap();
        assert!(text(body.clone()).contains("a=recvonly"));
        assert_eq!(version(body), first + 1);
        assert!(session.agreed().unwrap().held());
        assert_eq!(
            version(session.answer(OFFER.as_bytes()).unwrap()),
            first + 2
        );
    }

    #[test]
    fn hold_the_old_way() {
        let mut session = Session::default();
        let offer = OFFER.replace("c=IN IP4 192.0.2.9", "c=IN IP4 0.0.0.0");
        session.answer(offer.as_bytes()).unwrap();
        assert!(session.agreed().unwrap().held());
    }

    #[test]
    fn nothing_in_common_is_said() {
        let mut session = Session::default();
        for bad in [
            "",
            "v=0\r\n",
            "v=0\r\nc=IN IP4 192.0.2.9\r\nm=audio 4000 RTP/AVP 18\r\n",
            "v=0\r\nc=IN IP4 192.0.2.9\r\nm=audio 4000 RTP/SAVP 0\r\n",
            "v=0\r\nc=IN IP4 192.0.2.9\r\nm=audio 0 RTP/AVP 0\r\n",
            "v=0\r\nm=audio 4000 RTP/AVP 0\r\n",
            "m=audio x RTP/AVP 0\r\n",
        ] {
            assert!(session.answer(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
