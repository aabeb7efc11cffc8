//! Samples. Pure: imports no other layer, reads no clock.
//!
//! Inside the program sound is mono 16-bit at 16 kHz in 20 ms frames; other rates exist only at a leg's edge and inside the
//! speech engines.

pub mod codec;
pub mod conceal;
pub mod dtmf;
pub mod echo;
pub mod fax;
pub mod g711;
pub mod jitter;
pub mod level;
pub mod mix;
pub mod playout;
pub mod resample;
pub mod returned;
pub mod tone;
pub mod vad;
pub mod wav;

/// Samples per second inside the program.
pub const RATE: u32 = 16_000;
/// Samples in one frame: 20 ms at [`RATE`].
pub const FRAME: usize = 320;
/// Milliseconds in one frame.
pub const FRAME_MS: u64 = 20;

/// Sample position on one leg since it was answered, counted at [`RATE`]: speech and silence alike. Not a timer: when packets
/// stop, this clock is still advanced by the 20 ms tick, but nothing that must happen may hang on it.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Default,
    serde::Serialize,
    serde::Deserialize,
)]
pub struct MediaTime(pub u64);

impl MediaTime {
    /// Milliseconds since the leg was answered.
    pub const fn as_ms(self) -> u64 {
        self.0 * 1000 / RATE as u64
    }
    /// The position `ms` milliseconds after the leg was answered.
    pub const fn from_ms(ms: u64) -> Self {
        Self(ms * RATE as u64 / 1000)
    }
}

/// 20 ms of mono sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame {
    /// Position of the first sample.
    pub at: MediaTime,
    /// [`FRAME`] samples at [`RATE`].
    pub pcm: [i16; FRAME],
}

impl Frame {
    /// A frame of digital silence.
    pub const fn silence(at: MediaTime) -> Self {
        Self {
            at,
            pcm: [0; FRAME],
        }
    }
}
