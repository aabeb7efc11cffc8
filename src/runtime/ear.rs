//! What one party says: kept for recognition, and listened to for speech that starts and ends.

use crate::audio::vad::{Gate, GateConfig, SpeechGate};
use crate::audio::{FRAME, MediaTime, RATE};
use crate::speech::VoiceActivity;

/// The sound that is kept for recognition.
const KEPT: usize = RATE as usize * 30;

/// The last [`KEPT`] samples a party sent, by position.
#[derive(Default)]
struct Kept {
    pcm: Vec<i16>,
    /// Position of the first sample kept.
    from: u64,
}

impl Kept {
    fn push(&mut self, pcm: &[i16]) {
        self.pcm.extend_from_slice(pcm);
        // Trimmed in large steps: moving half a minute of sound every 20 ms would be waste.
        if self.pcm.len() > KEPT + RATE as usize * 5 {
            let drop = self.pcm.len() - KEPT;
            self.pcm.drain(..drop);
            self.from += drop as u64;
        }
    }

    fn now(&self) -> MediaTime {
        MediaTime(self.from + self.pcm.len() as u64)
    }

    fn cut(&self, from: MediaTime, to: MediaTime) -> Vec<i16> {
        let at = |t: MediaTime| (t.0.saturating_sub(self.from) as usize).min(self.pcm.len());
        self.pcm[at(from)..at(to).max(at(from))].to_vec()
    }
}

/// One party's ear.
pub struct Ear {
    vad: Box<dyn VoiceActivity>,
    gate: SpeechGate,
    kept: Kept,
    /// Off: what comes is not kept.
    pub on: bool,
}

/// Speech that starts or ends, and how long ago it did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn {
    pub speaking: bool,
    pub at: MediaTime,
    pub ago_ms: u64,
}

impl Ear {
    pub fn new(vad: Box<dyn VoiceActivity>) -> Self {
        Self {
            vad,
            gate: SpeechGate::new(GateConfig {
                hangover_ms: 80,
                min_speech_ms: 60,
                lag_ms: 20,
                ..GateConfig::default()
            }),
            kept: Kept::default(),
            on: true,
        }
    }

    /// 20 ms of what they say.
    pub fn hear(&mut self, pcm: &[i16; FRAME]) -> Option<Turn> {
        if !self.on {
            return None;
        }
        let at = self.kept.now();
        self.kept.push(pcm);
        let p = self.vad.push(pcm);
        let (speaking, at) = match self.gate.push(at, p)? {
            Gate::Start { at, .. } => (true, at),
            Gate::End { at } => (false, at),
        };
        let ago = MediaTime(self.kept.now().0.saturating_sub(at.0));
        Some(Turn {
            speaking,
            at,
            ago_ms: ago.as_ms(),
        })
    }

    /// Their sound in `[from, to)`, as far as it is kept.
    pub fn cut(&self, from: MediaTime, to: MediaTime) -> Vec<i16> {
        self.kept.cut(from, to)
    }
}
