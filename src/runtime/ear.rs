//! What one party says: kept for recognition, and listened to for speech that starts and ends. Our own voice coming back is no speech.

use crate::audio::fax::FaxDetector;
use crate::audio::returned::Returned;
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

/// Quiet after which the work for a reply begins, milliseconds, and what it is on a busy machine, where work in vain costs others.
const SOON_MS: u64 = 60;
const BUSY_MS: u64 = 120;
/// Speech that makes a start, and what does while we speak: then every frame counts, and what it does can be taken back.
const START_MS: u64 = 60;
const OVER_OURS_MS: u64 = 40;
/// Probability of speech from which on our own voice is looked for in it.
const SUSPICIOUS: f32 = 0.2;

/// One party's ear.
pub struct Ear {
    vad: Box<dyn VoiceActivity>,
    gate: SpeechGate,
    returned: Returned,
    suspected: bool,
    fax: FaxDetector,
    kept: Kept,
    /// Off: what comes is not kept.
    pub on: bool,
}

/// What 20 ms brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// A fax machine's tones.
    Fax,
    /// Something that may become speech; false: it did not.
    Suspected(bool),
    /// Speech that starts or ends at `at`, and how long ago that was.
    Speech {
        speaking: bool,
        at: MediaTime,
        ago_ms: u64,
    },
}

impl Ear {
    pub fn new(vad: Box<dyn VoiceActivity>) -> Self {
        Self {
            vad,
            gate: SpeechGate::new(GateConfig {
                hangover_ms: SOON_MS,
                min_speech_ms: START_MS,
                // Half of the detector's window, and what it goes on hearing after the last sound: measured against the level, some 30 ms.
                lag_ms: 50,
                ..GateConfig::default()
            }),
            returned: Returned::new(),
            suspected: false,
            fax: FaxDetector::default(),
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
        if self.fax.hear(pcm) {
            return Some(Turn::Fax);
        }
        let p = self.vad.push(pcm);
        let ours = self.returned.heard(pcm, p >= SUSPICIOUS);
        let turn = self.gate.push(at, if ours { 0.0 } else { p });
        let suspected = self.gate.suspected_ms() > 0;
        let changed = std::mem::replace(&mut self.suspected, suspected) != suspected;
        let (speaking, at) = match turn {
            None => return changed.then_some(Turn::Suspected(suspected)),
            Some(turn) => match turn {
                Gate::Start { at, .. } => (true, at),
                Gate::End { at } => (false, at),
            },
        };
        let ago = MediaTime(self.kept.now().0.saturating_sub(at.0));
        Some(Turn::Speech {
            speaking,
            at,
            ago_ms: ago.as_ms(),
        })
    }

    /// 20 ms that they are sent: what of it comes back is not theirs.
    pub fn sent(&mut self, pcm: &[i16; FRAME]) {
        self.returned.sent(pcm);
    }

    /// Speech has begun, or may have.
    pub fn hears_speech(&self) -> bool {
        self.suspected || self.gate.is_speech()
    }

    /// Whether we speak to them now.
    pub fn we_speak(&mut self, speaking: bool) {
        self.gate
            .set_min_speech(if speaking { OVER_OURS_MS } else { START_MS });
    }

    /// How soon a pause is taken for what may be the end.
    pub fn hurry(&mut self, machine_is_busy: bool) {
        self.gate
            .set_hangover(if machine_is_busy { BUSY_MS } else { SOON_MS });
    }

    /// Their sound in `[from, to)`, as far as it is kept.
    pub fn cut(&self, from: MediaTime, to: MediaTime) -> Vec<i16> {
        self.kept.cut(from, to)
    }
}
