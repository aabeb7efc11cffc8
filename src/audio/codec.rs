//! The codecs of a telephone line, each with its own state: G.711 (both laws), G.722, Opus (RFC 6716).
//!
//! Sound goes in and comes out at [`Codec::rate`]; a leg converts from there to 16 kHz where it has to.

use super::g711::Law;

/// A codec that can be agreed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Codec {
    Pcmu,
    Pcma,
    G722,
    Opus,
}

impl Codec {
    /// Every codec that is built in, the best first.
    pub const ALL: &[Codec] = &[
        #[cfg(feature = "opus")]
        Codec::Opus,
        #[cfg(feature = "line")]
        Codec::G722,
        Codec::Pcmu,
        Codec::Pcma,
    ];

    /// As configuration and `--codec` write it; none where it is unknown or not built in.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|c| c.name().eq_ignore_ascii_case(name.trim()))
    }

    /// The encoding name of RFC 3551 and RFC 7587.
    pub fn name(self) -> &'static str {
        match self {
            Codec::Pcmu => "PCMU",
            Codec::Pcma => "PCMA",
            Codec::G722 => "G722",
            Codec::Opus => "opus",
        }
    }

    /// Samples per second of the sound inside. Opus is decoded at the program's own rate whatever its sender's.
    pub fn rate(self) -> u32 {
        match self {
            Codec::Pcmu | Codec::Pcma => 8_000,
            Codec::G722 | Codec::Opus => 16_000,
        }
    }

    /// Milliseconds of sound in a payload, as its length or its first byte say; 0 for one that is none.
    pub fn payload_ms(self, payload: &[u8]) -> u32 {
        match self {
            // 64 kbit/s, all three.
            Codec::Pcmu | Codec::Pcma | Codec::G722 => {
                u32::try_from(payload.len() / 8).unwrap_or(0)
            }
            Codec::Opus => opus_ms(payload),
        }
    }

    /// The packet lengths it can have nearest to what was asked for, milliseconds.
    pub fn packet_ms(self, wanted: u32) -> u32 {
        match self {
            Codec::Opus => match wanted {
                0..=14 => 10,
                15..=29 => 20,
                30..=49 => 40,
                _ => 60,
            },
            _ => (wanted / 10 * 10).clamp(10, 60),
        }
    }
}

/// RFC 6716 section 3.1: the first byte's configuration gives the length of a frame, its last two bits how many there are.
fn opus_ms(payload: &[u8]) -> u32 {
    let Some(first) = payload.first() else {
        return 0;
    };
    let tenths = match first >> 3 {
        n @ 0..=11 => [100, 200, 400, 600][usize::from(n % 4)],
        n @ 12..=15 => [100, 200][usize::from(n % 2)],
        n => [25, 50, 100, 200][usize::from(n % 4)],
    };
    let frames = match first & 3 {
        0 => 1,
        1 | 2 => 2,
        _ => payload.get(1).map_or(0, |count| u32::from(count & 0x3F)),
    };
    tenths * frames / 10
}

/// Payloads to sound.
pub struct Decoder(Decode);

enum Decode {
    G711(Law),
    #[cfg(feature = "line")]
    G722(Box<audio_codec::g722::G722Decoder>),
    #[cfg(feature = "opus")]
    Opus(Box<opusic_c::Decoder>),
}

impl Decoder {
    /// None where the codec is not built in.
    pub fn new(codec: Codec) -> Option<Self> {
        Some(Self(match codec {
            Codec::Pcmu => Decode::G711(Law::Mu),
            Codec::Pcma => Decode::G711(Law::A),
            #[cfg(feature = "line")]
            Codec::G722 => Decode::G722(Box::default()),
            #[cfg(feature = "opus")]
            Codec::Opus => Decode::Opus(Box::new(
                opusic_c::Decoder::new(opusic_c::Channels::Mono, opusic_c::SampleRate::Hz16000)
                    .ok()?,
            )),
            #[cfg(not(all(feature = "line", feature = "opus")))]
            _ => return None,
        }))
    }

    /// Appends the payload's sound. False where it is no payload of this codec: nothing is appended then.
    pub fn decode(&mut self, payload: &[u8], out: &mut Vec<i16>) -> bool {
        if payload.is_empty() {
            return false;
        }
        match &mut self.0 {
            Decode::G711(law) => law.decode_into(payload, out),
            #[cfg(feature = "line")]
            Decode::G722(decoder) => out.extend(decoder.decode_frame(payload)),
            #[cfg(feature = "opus")]
            Decode::Opus(decoder) => {
                // 120 ms, the longest packet there is (RFC 6716 section 3.2.5).
                let mut pcm = [0f32; 1_920];
                let Ok(len) = decoder.decode_float_to_slice(payload, &mut pcm, false) else {
                    return false;
                };
                let pcm = pcm.get(..len).unwrap_or_default();
                out.extend(pcm.iter().map(|s| (s * 32_767.0).round() as i16));
            }
        }
        true
    }
}

/// Sound to payloads.
pub struct Encoder(Encode);

enum Encode {
    G711(Law),
    #[cfg(feature = "line")]
    G722(Box<audio_codec::g722::G722Encoder>),
    #[cfg(feature = "opus")]
    Opus(Box<opusic_c::Encoder>),
}

impl Encoder {
    /// None where the codec is not built in.
    pub fn new(codec: Codec) -> Option<Self> {
        Some(Self(match codec {
            Codec::Pcmu => Encode::G711(Law::Mu),
            Codec::Pcma => Encode::G711(Law::A),
            #[cfg(feature = "line")]
            Codec::G722 => Encode::G722(Box::default()),
            #[cfg(feature = "opus")]
            Codec::Opus => {
                use opusic_c::{Application, Bitrate, Channels, SampleRate};
                let mut encoder =
                    opusic_c::Encoder::new(Channels::Mono, SampleRate::Hz16000, Application::Voip)
                        .ok()?;
                // Wideband speech is transparent to most ears from 24 kbit/s (RFC 7587 section 3.1.1); half the effort costs a
                // shared core half as much and is not heard.
                encoder.set_bitrate(Bitrate::Value(28_000)).ok()?;
                encoder.set_complexity(5).ok()?;
                Encode::Opus(Box::new(encoder))
            }
            #[cfg(not(all(feature = "line", feature = "opus")))]
            _ => return None,
        }))
    }

    /// Appends the payload for one packet of sound at [`Codec::rate`]: 10, 20, 40 or 60 ms for Opus, any length for the others.
    pub fn encode(&mut self, pcm: &[i16], out: &mut Vec<u8>) {
        match &mut self.0 {
            Encode::G711(law) => law.encode_into(pcm, out),
            #[cfg(feature = "line")]
            Encode::G722(encoder) => {
                use audio_codec::Encoder as _;
                out.extend(encoder.encode(pcm));
            }
            #[cfg(feature = "opus")]
            Encode::Opus(encoder) => {
                let mut sound = [0f32; 960];
                let len = pcm.len().min(sound.len());
                for (slot, sample) in sound.iter_mut().zip(pcm) {
                    *slot = f32::from(*sample) / 32_768.0;
                }
                // RFC 6716 section 3.4: no frame is longer than 1275 bytes.
                let mut packet = [0u8; 1_276];
                let sound = sound.get(..len).unwrap_or_default();
                if let Ok(len) = encoder.encode_float_to_slice(sound, &mut packet) {
                    out.extend(packet.get(..len).unwrap_or_default());
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(rate: u32, ms: u32, hz: f32) -> Vec<i16> {
        (0..rate * ms / 1000)
            .map(|n| {
                let t = n as f32 / rate as f32;
                ((t * hz * std::f32::consts::TAU).sin() * 8_000.0) as i16
            })
            .collect()
    }

    /// Level of one frequency, by correlation with it: relative to the tone that went in.
    fn level(pcm: &[i16], rate: u32, hz: f32) -> f32 {
        let (mut re, mut im) = (0f64, 0f64);
        for (n, s) in pcm.iter().enumerate() {
            let phase = f64::from(hz) * std::f64::consts::TAU * n as f64 / f64::from(rate);
            re += f64::from(*s) * phase.cos();
            im += f64::from(*s) * phase.sin();
        }
        let amplitude = 2.0 * (re * re + im * im).sqrt() / pcm.len() as f64;
        (20.0 * (amplitude / 8_000.0).log10()) as f32
    }

    #[test]
    fn every_codec_keeps_level_and_frequency() {
        for &codec in Codec::ALL {
            let rate = codec.rate();
            let (mut encoder, mut decoder) =
                (Encoder::new(codec).unwrap(), Decoder::new(codec).unwrap());
            for packet_ms in [10, 20, 40, 60].map(|ms| codec.packet_ms(ms)) {
                let pcm = tone(rate, 1_200, 1_000.0);
                let mut out = Vec::new();
                for packet in pcm.chunks((rate * packet_ms / 1000) as usize) {
                    let mut payload = Vec::new();
                    encoder.encode(packet, &mut payload);
                    assert_eq!(codec.payload_ms(&payload), packet_ms, "{codec:?}");
                    assert!(decoder.decode(&payload, &mut out));
                }
                assert_eq!(out.len(), pcm.len(), "{codec:?}");
                let settled = &out[out.len() / 2..];
                let db = level(settled, rate, 1_000.0);
                assert!(db.abs() < 1.0, "{codec:?} at {packet_ms} ms: {db} dB");
            }
        }
    }

    #[test]
    fn what_is_no_payload_is_not_sound() {
        for &codec in Codec::ALL {
            let mut out = Vec::new();
            assert!(!Decoder::new(codec).unwrap().decode(&[], &mut out));
            assert!(out.is_empty());
        }
        assert_eq!(Codec::Opus.payload_ms(&[]), 0);
        // RFC 6716 table 2: configuration 1 is SILK, 20 ms; code 3 counts its frames in the next byte.
        assert_eq!(Codec::Opus.payload_ms(&[1 << 3, 0]), 20);
        assert_eq!(Codec::Opus.payload_ms(&[1 << 3 | 3, 3]), 60);
        assert_eq!(Codec::Opus.payload_ms(&[31 << 3, 0]), 20);
    }

    #[test]
    fn names() {
        assert_eq!(Codec::named("pcma"), Some(Codec::Pcma));
        assert_eq!(Codec::named("speex"), None);
        assert_eq!(Codec::Opus.packet_ms(30), 40);
        assert_eq!(Codec::Pcmu.packet_ms(25), 20);
    }
}
