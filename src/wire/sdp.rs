//! Session descriptions (RFC 8866) and their negotiation (RFC 3264) for one stream of telephone sound.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

mod codecs;
mod crypto;
mod parse;
#[cfg(test)]
mod tests;

pub use parse::parse;

/// Why a description leads nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SdpError {
    /// It is not SDP. Refuse with 400.
    Malformed(String),
    /// It offers nothing this line can take. Refuse with 488, or end the call where it is an answer.
    NotAcceptable(String),
}

impl std::fmt::Display for SdpError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (SdpError::Malformed(s) | SdpError::NotAcceptable(s)) = self;
        f.write_str(s)
    }
}
impl std::error::Error for SdpError {}

/// Who sends, from the point of view of whoever wrote the description.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Direction {
    #[default]
    SendRecv,
    SendOnly,
    RecvOnly,
    Inactive,
}

impl Direction {
    pub fn sends(self) -> bool {
        matches!(self, Direction::SendRecv | Direction::SendOnly)
    }

    pub fn receives(self) -> bool {
        matches!(self, Direction::SendRecv | Direction::RecvOnly)
    }

    pub fn of(sends: bool, receives: bool) -> Self {
        match (sends, receives) {
            (true, true) => Direction::SendRecv,
            (true, false) => Direction::SendOnly,
            (false, true) => Direction::RecvOnly,
            (false, false) => Direction::Inactive,
        }
    }

    /// The same, as the other side would put it.
    pub fn mirrored(self) -> Self {
        Self::of(self.receives(), self.sends())
    }

    /// The attribute's name.
    pub fn name(self) -> &'static str {
        match self {
            Direction::SendRecv => "sendrecv",
            Direction::SendOnly => "sendonly",
            Direction::RecvOnly => "recvonly",
            Direction::Inactive => "inactive",
        }
    }

    fn named(name: &str) -> Option<Self> {
        [
            Direction::SendRecv,
            Direction::SendOnly,
            Direction::RecvOnly,
            Direction::Inactive,
        ]
        .into_iter()
        .find(|d| d.name() == name)
    }
}

pub use crate::audio::codec::Codec;
pub use crypto::{Secure, Srtp, Suite};

/// A description as parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// `o=`: session id and version.
    pub id: String,
    pub version: String,
    pub media: Vec<Media>,
}

/// One `m=` section, with what the session level says filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Media {
    /// `audio`, `video`, ...
    pub kind: String,
    /// 0: refused, or not wanted.
    pub port: u16,
    /// `RTP/AVP`, ...
    pub protocol: String,
    /// As written.
    pub formats: Vec<String>,
    /// None where neither level has a `c=` line, or it names a host.
    pub address: Option<IpAddr>,
    pub direction: Direction,
    pub ptime_ms: Option<u32>,
    /// `a=rtcp`: port and, if given, address (RFC 3605).
    pub rtcp: Option<(u16, Option<IpAddr>)>,
    pub rtcp_mux: bool,
    /// Payload type, encoding name and clock of every `a=rtpmap`.
    pub rtpmap: Vec<(u8, String, u32)>,
    /// Every `a=crypto` that can be used (RFC 4568), in order.
    pub crypto: Vec<crypto::Offered>,
    /// `a=mid`, to be given back (RFC 5888).
    pub mid: Option<String>,
}

impl Media {
    /// Sound over RTP, wanted.
    fn is_usable(&self) -> bool {
        let known = ["RTP/AVP", "RTP/AVPF", "RTP/SAVP", "RTP/SAVPF"];
        self.kind == "audio" && self.port != 0 && known.contains(&self.protocol.as_str())
    }

    /// The profile says that everything is encrypted.
    fn is_secure(&self) -> bool {
        self.protocol.starts_with("RTP/SAVP")
    }

    /// Who sends, with the hold of RFC 2543 (an address of zero: do not send here) taken in.
    fn wish(&self) -> Direction {
        let receives =
            self.direction.receives() && !self.address.is_some_and(|a| a.is_unspecified());
        Direction::of(self.direction.sends(), receives)
    }

    fn codec(&self, payload_type: u8) -> Option<Codec> {
        match self.rtpmap.iter().find(|(pt, _, _)| *pt == payload_type) {
            Some((_, name, clock)) => Codec::of_rtpmap(name, *clock),
            None => Codec::of_static(payload_type),
        }
    }

    fn payload_types(&self) -> impl Iterator<Item = u8> {
        self.formats
            .iter()
            .filter_map(|f| f.parse().ok())
            .filter(|pt| *pt < 128)
    }

    /// The first codec listed that is among `enabled`, and its payload type.
    fn choose(&self, enabled: &[Codec]) -> Option<(Codec, u8)> {
        self.payload_types()
            .filter_map(|pt| Some((self.codec(pt)?, pt)))
            .find(|(codec, _)| enabled.contains(codec))
    }

    /// The payload type of telephone events on the clock of `codec` (RFC 4733 section 2.1), else on 8000.
    fn telephone_event(&self, codec: Codec) -> Option<u8> {
        let on = |clock: u32| {
            self.payload_types().find(|pt| {
                self.rtpmap.iter().any(|(p, name, hz)| {
                    p == pt && name.eq_ignore_ascii_case("telephone-event") && *hz == clock
                })
            })
        };
        on(codec.clock_hz()).or_else(|| on(8000))
    }

    fn remote(&self) -> Result<SocketAddr, SdpError> {
        match self.address {
            Some(address) => Ok(SocketAddr::new(address, self.port)),
            None => Err(SdpError::NotAcceptable(
                "the far end's description has no numeric address for its sound".into(),
            )),
        }
    }
}

/// What both sides settled on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agreed {
    pub codec: Codec,
    /// To send with. The two `recv_` ones are what the far end sends with; they differ only where it answered our offer under
    /// numbers of its own.
    pub payload_type: u8,
    pub recv_payload_type: u8,
    /// None: keys cannot be sent as events, nor expected.
    pub telephone_event_pt: Option<u8>,
    pub recv_telephone_event_pt: Option<u8>,
    /// Where to send RTP. Address zero while the far end holds in the old way: send nothing.
    pub remote: SocketAddr,
    /// Where to send RTCP.
    pub remote_rtcp: SocketAddr,
    /// Ours: whether we send, and whether we receive.
    pub direction: Direction,
    /// Milliseconds in the packets the far end would like to get.
    pub ptime_ms: u32,
    /// Clock of the telephone events, ticks per second.
    pub event_clock_hz: u32,
    /// Keys of both directions; none: plain RTP.
    pub secure: Option<Secure>,
}

impl Agreed {
    /// One of the two does not want to hear the other.
    pub fn is_held(&self) -> bool {
        self.direction != Direction::SendRecv
    }
}

/// An answer, ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub sdp: String,
    pub agreed: Agreed,
}

/// This side of a session. Keeps what a later description has to agree with: version and number of `m=` lines.
#[derive(Debug, Clone)]
pub struct Local {
    /// As advertised: what the far end can reach.
    pub address: IpAddr,
    pub port: u16,
    /// Enabled, in order of preference.
    pub codecs: Vec<Codec>,
    pub telephone_event: bool,
    pub ptime_ms: u32,
    /// What we want; the answer to a hold narrows it.
    pub direction: Direction,
    pub srtp: Srtp,
    /// What our keys are cut from: random, new for every session.
    pub secret: [u8; crypto::SECRET],
    session_id: u64,
    version: u64,
    /// The last description without its version.
    last: Option<String>,
    /// The `m=` lines of the session: ours, or one that was refused.
    lines: Vec<Line>,
    /// Profile and `a=mid` of our line, as the far end's offer had them.
    protocol: String,
    mid: Option<String>,
    /// The suite in use, with its tag.
    suite: Option<(u32, Suite)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Line {
    Ours,
    Refused(String),
}

/// What goes into our `m=` line.
struct Ours<'a> {
    formats: &'a [(Codec, u8)],
    /// Payload types of telephone events, each with its clock.
    events: Vec<(u8, u32)>,
    direction: Direction,
    /// `a=crypto` lines.
    crypto: Vec<String>,
}

impl Local {
    /// `session_id`: a number unlike other sessions' (RFC 8866 advises the time); both G.711 laws, events, 20 ms.
    pub fn new(session_id: u64, address: IpAddr, port: u16) -> Self {
        Self {
            address,
            port,
            codecs: vec![Codec::Pcmu, Codec::Pcma],
            telephone_event: true,
            ptime_ms: 20,
            direction: Direction::SendRecv,
            srtp: Srtp::Off,
            secret: [0; crypto::SECRET],
            session_id,
            version: session_id,
            last: None,
            lines: vec![Line::Ours],
            protocol: "RTP/AVP".into(),
            mid: None,
            suite: None,
        }
    }

    /// An offer; a later one in the same session keeps its lines and counts its version on if anything changed.
    pub fn offer(&mut self) -> String {
        let formats: Vec<(Codec, u8)> =
            self.codecs.iter().map(|c| (*c, c.payload_type())).collect();
        // Events keep the clock of the sound they interrupt (RFC 4733 section 2.1): one kind for each clock offered.
        let events = EVENTS
            .into_iter()
            .filter(|(_, hz)| {
                self.telephone_event && self.codecs.iter().any(|c| c.clock_hz() == *hz)
            })
            .collect();
        let crypto = match (self.suite, self.srtp) {
            // A call that is up keeps its suite and its key.
            (Some((tag, suite)), _) => vec![suite.line(tag, &self.secret)],
            (None, Srtp::Off | Srtp::Accepted) => Vec::new(),
            (None, Srtp::Offered | Srtp::Required) => (1..)
                .zip(Suite::PREFERRED)
                .map(|(tag, suite)| suite.line(tag, &self.secret))
                .collect(),
        };
        // Optional encryption is offered in the plain profile (RFC 8643 section 3.1): who does not know it answers without.
        if self.last.is_none() && self.srtp == Srtp::Required {
            self.protocol = "RTP/SAVP".into();
        }
        let direction = self.direction;
        self.write(&Ours {
            formats: &formats,
            events,
            direction,
            crypto,
        })
    }

    /// Answers an offer: the first of its codecs that is enabled here; every other `m=` line refused; the direction mirrored.
    pub fn answer(&mut self, offer: &Session) -> Result<Answer, SdpError> {
        let mut found = None;
        for (i, media) in offer.media.iter().enumerate() {
            let Some(secured) = self.secured(media) else {
                continue;
            };
            if media.is_usable()
                && let Some((codec, pt)) = media.choose(&self.codecs)
            {
                found = Some((i, media, codec, pt, secured));
                break;
            }
        }
        let Some((chosen, media, codec, payload_type, secured)) = found else {
            return Err(SdpError::NotAcceptable(match self.srtp {
                Srtp::Required => {
                    "the offer has no encrypted sound in a codec that is enabled here".into()
                }
                _ => "the offer has no sound in a codec and a profile that are enabled here".into(),
            }));
        };
        let remote = media.remote()?;
        let wish = media.wish().mirrored();
        let direction = Direction::of(
            wish.sends() && self.direction.sends(),
            wish.receives() && self.direction.receives(),
        );
        let event = media
            .telephone_event(codec)
            .filter(|_| self.telephone_event);
        let event_clock = event_clock(media, event);
        self.lines = offer
            .media
            .iter()
            .enumerate()
            .map(|(i, m)| {
                if i == chosen {
                    Line::Ours
                } else {
                    Line::Refused(format!(
                        "{} 0 {} {}",
                        m.kind,
                        m.protocol,
                        m.formats.join(" ")
                    ))
                }
            })
            .collect();
        self.protocol.clone_from(&media.protocol);
        self.mid.clone_from(&media.mid);
        self.suite = secured.as_ref().map(|o| (o.tag, o.suite));
        let crypto = secured.iter().map(|o| o.suite.line(o.tag, &self.secret));
        let crypto = crypto.collect();
        let sdp = self.write(&Ours {
            formats: &[(codec, payload_type)],
            events: event.map(|pt| (pt, event_clock)).into_iter().collect(),
            direction,
            crypto,
        });
        Ok(Answer {
            sdp,
            agreed: Agreed {
                codec,
                payload_type,
                recv_payload_type: payload_type,
                telephone_event_pt: event,
                recv_telephone_event_pt: event,
                remote,
                remote_rtcp: rtcp_of(media, remote),
                direction,
                ptime_ms: wanted_ptime(media),
                event_clock_hz: event_clock,
                secure: secured.map(|o| o.with(&self.secret)),
            },
        })
    }

    /// How a line of an offer would be encrypted: not at all, or by the first of its suites. None where it may not be taken.
    fn secured(&self, media: &Media) -> Option<Option<crypto::Offered>> {
        let first = media.crypto.first().filter(|_| self.srtp != Srtp::Off);
        match (first, media.is_secure()) {
            (Some(offered), _) => Some(Some(offered.clone())),
            (None, true) => None,
            (None, false) => (self.srtp != Srtp::Required).then_some(None),
        }
    }

    /// Takes the answer to our last offer.
    pub fn accept(&mut self, answer: &Session) -> Result<Agreed, SdpError> {
        let ours = self
            .lines
            .iter()
            .position(|l| *l == Line::Ours)
            .unwrap_or(0);
        let Some(media) = answer.media.get(ours) else {
            return Err(SdpError::Malformed(
                "the answer has fewer media lines than the offer".into(),
            ));
        };
        if !media.is_usable() {
            return Err(SdpError::NotAcceptable(
                "the far end refused the sound that was offered".into(),
            ));
        }
        let Some((codec, payload_type)) = media.choose(&self.codecs) else {
            return Err(SdpError::NotAcceptable(
                "the far end answered with no codec that was offered".into(),
            ));
        };
        let secured = media.crypto.first().filter(|_| self.srtp != Srtp::Off);
        if secured.is_none() && (self.srtp == Srtp::Required || media.is_secure()) {
            return Err(SdpError::NotAcceptable(
                "the far end answered without encryption".into(),
            ));
        }
        let remote = media.remote()?;
        let wish = media.wish().mirrored();
        let event = media
            .telephone_event(codec)
            .filter(|_| self.telephone_event);
        let event_clock = event_clock(media, event);
        self.suite = secured.map(|o| (o.tag, o.suite));
        Ok(Agreed {
            codec,
            payload_type,
            recv_payload_type: codec.payload_type(),
            telephone_event_pt: event,
            recv_telephone_event_pt: event.map(|_| {
                let own = EVENTS.iter().find(|(_, hz)| *hz == event_clock);
                own.map_or(101, |(pt, _)| *pt)
            }),
            remote,
            remote_rtcp: rtcp_of(media, remote),
            direction: Direction::of(
                wish.sends() && self.direction.sends(),
                wish.receives() && self.direction.receives(),
            ),
            ptime_ms: wanted_ptime(media),
            event_clock_hz: event_clock,
            secure: secured.map(|o| o.clone().with(&self.secret)),
        })
    }

    fn write(&mut self, ours: &Ours<'_>) -> String {
        let Ours {
            formats,
            events,
            direction,
            crypto,
        } = ours;
        let family = if self.address.is_ipv4() { "IP4" } else { "IP6" };
        let mut body = format!("s=-\r\nc=IN {family} {}\r\nt=0 0\r\n", self.address);
        for line in &self.lines {
            match line {
                Line::Refused(rest) => body += &format!("m={rest}\r\n"),
                Line::Ours => {
                    let numbers: Vec<String> = formats
                        .iter()
                        .map(|(_, pt)| *pt)
                        .chain(events.iter().map(|(pt, _)| *pt))
                        .map(|pt| pt.to_string())
                        .collect();
                    body += &format!(
                        "m=audio {} {} {}\r\n",
                        self.port,
                        self.protocol,
                        numbers.join(" ")
                    );
                    for (codec, pt) in *formats {
                        body += &format!("a=rtpmap:{pt} {}\r\n", codec.rtpmap());
                        // Speech, one channel, and repairs of lost packets are welcome (RFC 7587 section 6.1).
                        if *codec == Codec::Opus {
                            body +=
                                &format!("a=fmtp:{pt} maxplaybackrate=16000;useinbandfec=1\r\n");
                        }
                    }
                    for (pt, event_clock) in events {
                        body += &format!(
                            "a=rtpmap:{pt} telephone-event/{event_clock}\r\na=fmtp:{pt} 0-15\r\n"
                        );
                    }
                    for line in crypto {
                        body += &format!("a=crypto:{line}\r\n");
                    }
                    body += &format!("a=ptime:{}\r\na={}\r\n", self.ptime_ms, direction.name());
                    if let Some(mid) = &self.mid {
                        body += &format!("a=mid:{mid}\r\n");
                    }
                }
            }
        }
        if self.last.as_ref().is_some_and(|last| *last != body) {
            self.version += 1;
        }
        let head = format!(
            "v=0\r\no=- {} {} IN {family} {}\r\n",
            self.session_id, self.version, self.address
        );
        let whole = head + &body;
        self.last = Some(body);
        whole
    }
}

/// RTCP goes to the port above unless the far end says otherwise. Sharing the RTP port is never agreed to (it has to be answered
/// with `a=rtcp-mux`, RFC 5761 section 5.1.1, which this line does not write).
fn rtcp_of(media: &Media, remote: SocketAddr) -> SocketAddr {
    match media.rtcp {
        Some((port, address)) if port != 0 && port != remote.port() => {
            SocketAddr::new(address.unwrap_or(remote.ip()), port)
        }
        _ => SocketAddr::new(remote.ip(), remote.port().saturating_add(1)),
    }
}

fn event_clock(media: &Media, event: Option<u8>) -> u32 {
    event
        .and_then(|pt| media.rtpmap.iter().find(|(p, _, _)| *p == pt))
        .map_or(8000, |(_, _, clock)| *clock)
}

/// Payload types that telephone events are offered under, and their clocks.
const EVENTS: [(u8, u32); 2] = [(101, 8000), (110, 48_000)];

fn wanted_ptime(media: &Media) -> u32 {
    media
        .ptime_ms
        .filter(|ms| (5..=120).contains(ms))
        .unwrap_or(20)
}

/// The address that means hold in the old way.
pub const NOWHERE: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
