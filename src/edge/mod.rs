//! Sockets and devices. The sole importers of SIP, WebSocket, audio-device and HTTP-server crates, one file a crate.
#![allow(
    clippy::disallowed_methods,
    reason = "sockets and devices: this layer reads clocks and starts the tasks that serve them"
)]

use crate::audio::FRAME;

pub mod http;
#[cfg(feature = "mic")]
pub mod mic;
pub mod rtp;
pub mod sip;
pub mod twilio;

/// One party of a call: media and signalling. Owned by the call's task; nothing here blocks or waits.
///
/// The task calls [`Leg::pull`] and [`Leg::push`] once each every 20 ms. Sockets are read and written without waiting, so media
/// crosses no channel.
pub trait Leg: Send {
    /// 20 ms of what this party says, concealed or silent where nothing came, with every signal since the last pull.
    fn pull(&mut self) -> Inbound;
    /// 20 ms for this party to hear. Frames pushed before the leg has media are dropped.
    fn push(&mut self, pcm: &[i16; FRAME]);
    /// Tell an inbound caller that it rings (180).
    fn ring(&mut self);
    /// Take an inbound call (200 with SDP).
    fn answer(&mut self);
    /// End it: BYE, CANCEL or a final refusal, whichever fits the state. `code` is used where a refusal is due (486, 503, ...).
    fn hangup(&mut self, code: u16, reason: &str);
    /// Send a key (RFC 4733 event) to this party.
    fn send_digit(&mut self, key: char);
    /// Drop what was pushed and not yet played, where the transport buffers (media streams). Returns milliseconds dropped.
    fn clear(&mut self) -> u64 {
        0
    }
    /// Milliseconds pushed that the far end has not yet been heard to play, where the transport buffers. What is dropped before that
    /// was not heard.
    fn unheard_ms(&self) -> u64 {
        0
    }
    /// How long ago the sound that was pulled last arrived, milliseconds: what the jitter buffer holds. A caller waits through it, too.
    fn held_ms(&self) -> u64 {
        0
    }
    /// Asks this party to call `to` instead of us (SIP: REFER); [`Signal::Referred`] tells how that went. False: this kind of leg cannot.
    fn refer(&mut self, _to: &str) -> bool {
        false
    }
    /// An address for [`Leg::refer`] of another leg: whoever calls it takes our place in the call with this party. None where that
    /// cannot be.
    fn in_our_place(&self) -> Option<String> {
        None
    }
    /// Tells this party what became of the transfer it asked for with [`Signal::Refer`]: a SIP status, 200 where it went well.
    fn referred(&mut self, _code: u16) {}
    /// What this leg is and how it fares.
    fn info(&self) -> LegInfo;
}

/// What one 20 ms pull brings.
#[derive(Debug, Clone)]
pub struct Inbound {
    pub pcm: [i16; FRAME],
    /// Sound in `pcm` came from the far end (or was concealed from it), rather than being filled-in silence.
    pub live: bool,
    pub signals: Vec<Signal>,
}

impl Inbound {
    /// Nothing came.
    pub fn silent() -> Self {
        Self {
            pcm: [0; FRAME],
            live: false,
            signals: Vec::new(),
        }
    }
}

/// Something that happened on a leg.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signal {
    /// An outbound leg rings (180/183).
    Ringing,
    /// The leg is up: outbound answered, or inbound confirmed by ACK.
    Answered,
    /// The first media packet came.
    Media,
    /// A key, once, at its end.
    Digit(char),
    Held,
    Resumed,
    /// What became of [`Leg::refer`]: a SIP status. 2xx: the party is talking to whom it was sent to.
    Referred(u16),
    /// This party wants the other one to be put through to this address; [`Leg::referred`] answers it.
    Refer(String),
    /// The leg is over. Nothing follows.
    Ended(Ended),
}

/// How a leg ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// `caller` (the far end hung up), `ours`, `busy`, `declined`, `no_answer`, `unreachable`, `cancelled`, `failed`.
    pub cause: EndCause,
    /// SIP status or a sentence.
    pub detail: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EndCause {
    Remote,
    Ours,
    Busy,
    Declined,
    NoAnswer,
    Unreachable,
    Cancelled,
    Failed,
}

/// A leg's description and line quality.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LegInfo {
    /// `sip`, `twilio`, `mic`.
    pub channel: &'static str,
    /// The far end's number (E.164 where it is one) or address of record; none when withheld.
    pub from: Option<String>,
    pub to: Option<String>,
    /// The channel vouches for `from`.
    pub vouched: bool,
    pub codec: String,
    pub packets_in: u64,
    pub packets_lost: u64,
    /// Came after their turn to be heard; not counted as lost.
    pub packets_late: u64,
    pub packets_out: u64,
    pub jitter_ms: f32,
    /// Longest time between two packets of sound, milliseconds.
    pub longest_gap_ms: u64,
    /// The same of those sent to this party.
    pub longest_sent_gap_ms: u64,
    /// Share of what we sent that the far end reports lost, 0 to 1.
    pub far_loss: Option<f32>,
    /// There and back, milliseconds, by RTCP.
    pub rtt_ms: Option<f32>,
    /// Estimated mean opinion score of what we hear (ITU-T G.107), 1.0 to 4.5.
    pub mos: Option<f32>,
    /// What the first message said of where the call came from: P-Asserted-Identity, Diversion, History-Info, Identity, X-*.
    pub headers: Vec<(String, String)>,
}
