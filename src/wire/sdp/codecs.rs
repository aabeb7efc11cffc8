//! How the codecs stand in a description. Which ones may be agreed on is up to [`super::Local::codecs`].

use crate::audio::codec::Codec;

impl Codec {
    /// As `a=rtpmap` writes it.
    pub fn rtpmap(self) -> &'static str {
        match self {
            Codec::Pcmu => "PCMU/8000",
            Codec::Pcma => "PCMA/8000",
            Codec::G722 => "G722/8000",
            Codec::Opus => "opus/48000/2",
        }
    }

    /// RTP clock, ticks per second. G.722's is 8000 by a historical error (RFC 3551 section 4.5.2).
    pub fn clock_hz(self) -> u32 {
        match self {
            Codec::Opus => 48_000,
            _ => 8000,
        }
    }

    /// The payload type this line offers it under.
    pub fn payload_type(self) -> u8 {
        match self {
            Codec::Pcmu => 0,
            Codec::Pcma => 8,
            Codec::G722 => 9,
            Codec::Opus => 111,
        }
    }

    pub(super) fn of_rtpmap(name: &str, clock: u32) -> Option<Self> {
        [Codec::Pcmu, Codec::Pcma, Codec::G722, Codec::Opus]
            .into_iter()
            .find(|c| {
                let own = c.rtpmap().split('/').next().unwrap_or_default();
                own.eq_ignore_ascii_case(name) && c.clock_hz() == clock
            })
    }

    /// The static assignments of RFC 3551, for descriptions without `a=rtpmap`.
    pub(super) fn of_static(payload_type: u8) -> Option<Self> {
        match payload_type {
            0 => Some(Codec::Pcmu),
            8 => Some(Codec::Pcma),
            9 => Some(Codec::G722),
            _ => None,
        }
    }
}
