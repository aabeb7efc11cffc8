//! Engines without a model, for tests and for trying a line out: what is heard is a script, what is said is a tone.

use std::collections::VecDeque;

use super::{Hints, SpeechError, Synthesizer, Transcriber, Transcript, VoiceActivity, Word};
use crate::audio::RATE;

/// Gives its lines in order, one an utterance, whatever the sound; afterwards it hears nothing. Silence uses no line up.
#[derive(Debug, Clone, Default)]
pub struct ScriptedTranscriber {
    lines: VecDeque<Result<String, SpeechError>>,
    /// The hints it was given, in order.
    pub hints: Vec<Hints>,
}

impl ScriptedTranscriber {
    pub fn new<S: Into<String>>(lines: impl IntoIterator<Item = S>) -> Self {
        Self {
            lines: lines.into_iter().map(|l| Ok(l.into())).collect(),
            hints: Vec::new(),
        }
    }
    /// After the lines there are, fails once.
    #[must_use]
    pub fn then_fails(mut self, error: SpeechError) -> Self {
        self.lines.push_back(Err(error));
        self
    }
}

impl Transcriber for ScriptedTranscriber {
    fn transcribe(&mut self, pcm: &[i16], hints: &Hints) -> Result<Transcript, SpeechError> {
        self.hints.push(hints.clone());
        let audio_ms = (pcm.len() as u64 * 1000 / u64::from(RATE)) as u32;
        let nothing = Transcript {
            no_speech: 1.0,
            audio_ms,
            ..Transcript::default()
        };
        if !is_loud(pcm) {
            return Ok(nothing);
        }
        let Some(line) = self.lines.pop_front() else {
            return Ok(nothing);
        };
        let text = line?;
        let words: Vec<&str> = text.split_whitespace().collect();
        let each = audio_ms / words.len().max(1) as u32;
        Ok(Transcript {
            words: words
                .iter()
                .enumerate()
                .map(|(n, word)| Word {
                    text: (*word).to_owned(),
                    start_ms: n as u32 * each,
                    end_ms: (n as u32 + 1) * each,
                    p: 0.95,
                })
                .collect(),
            no_speech: if words.is_empty() { 1.0 } else { 0.01 },
            avg_logprob: -0.1,
            audio_ms,
            text,
            ..Transcript::default()
        })
    }
}

/// Says every clause as a tone of 60 ms a character, at the loudness of speech.
#[derive(Debug, Clone, Default)]
pub struct ScriptedVoice {
    /// What it was asked to say, in order.
    pub said: Vec<String>,
}

/// Milliseconds of tone for a character.
pub const MS_A_CHARACTER: usize = 60;

impl Synthesizer for ScriptedVoice {
    fn voice(&self) -> &str {
        "scripted:tone"
    }
    fn synthesize(&mut self, clause: &str) -> Result<Vec<i16>, SpeechError> {
        self.said.push(clause.to_owned());
        let n = clause.trim().chars().count() * MS_A_CHARACTER * RATE as usize / 1000;
        // 300 Hz, with ramps of 5 ms at both ends.
        Ok((0..n)
            .map(|i| {
                let edge = i.min(n - 1 - i) as f32 / 80.0;
                ((i as f32 * 300.0 * std::f32::consts::TAU / RATE as f32).sin()
                    * 4_600.0
                    * edge.min(1.0)) as i16
            })
            .collect())
    }
}

/// Calls whatever is louder than -45 dBFS speech.
#[derive(Debug, Clone, Copy, Default)]
pub struct LoudnessActivity;

impl VoiceActivity for LoudnessActivity {
    fn push(&mut self, pcm: &[i16]) -> f32 {
        if is_loud(pcm) { 0.95 } else { 0.02 }
    }
    fn reset(&mut self) {}
}

fn is_loud(pcm: &[i16]) -> bool {
    let power: f64 = pcm.iter().map(|s| f64::from(*s).powi(2)).sum();
    power / pcm.len().max(1) as f64 > (32_768.0 * 10f64.powf(-45.0 / 20.0)).powi(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_heard_in_order_and_silence_costs_nothing() {
        let mut voice = ScriptedVoice::default();
        let sound = voice.synthesize("Hello there.").unwrap();
        assert_eq!(sound.len(), 12 * 60 * 16);
        let mut ear = ScriptedTranscriber::new(["one two", "three"])
            .then_fails(SpeechError::Engine("gone".into()));
        assert_eq!(
            ear.transcribe(&[0; 1600], &Hints::default()).unwrap().text,
            ""
        );
        let t = ear.transcribe(&sound, &Hints::default()).unwrap();
        assert_eq!((t.text.as_str(), t.words.len()), ("one two", 2));
        assert_eq!(
            ear.transcribe(&sound, &Hints::default()).unwrap().text,
            "three"
        );
        assert!(ear.transcribe(&sound, &Hints::default()).is_err());
        assert_eq!(
            ear.transcribe(&sound, &Hints::default()).unwrap().no_speech,
            1.0
        );
        let mut vad = LoudnessActivity;
        assert!(vad.push(&sound[1600..1920]) > 0.5);
        assert!(vad.push(&[0; 320]) < 0.5);
    }
}
