//! Keeping a loudspeaker's sound from being taken for the person beside it.
//!
//! A speakerphone's way: how loudly our own sound comes back through the room is learnt, and while we speak (and while the room still
//! rings) what is no louder than that is turned down far; a voice that is clearly louder is let through. Nothing is assumed of the
//! delay between loudspeaker and microphone but its longest, so any sound system will do.

use std::collections::VecDeque;

use super::FRAME;

/// Our sound may come back this much later: a large buffer each way and a room. Frames of 20 ms.
const LONGEST: usize = 25;
/// What is taken for echo is turned down by this (30 dB).
const DOWN: f32 = 0.032;
/// A voice has to be louder than the echo that is expected by this (6 dB), as a ratio of levels.
const CLEARLY: f32 = 2.0;
/// Level, as a share of full scale, below which nothing is taken for speech of ours (-60 dBFS).
const SILENCE: f32 = 0.001;
/// Frames by which a voice is let through after it was heard: words end quietly.
const HOLD: u32 = 15;

/// Learns from what is played, and turns down what comes back of it. One for each loudspeaker and microphone.
#[derive(Debug, Clone)]
pub struct EchoSuppressor {
    /// Levels of what was played, newest last.
    played: VecDeque<f32>,
    /// How loudly the loudest of them comes back, as a ratio.
    coupling: f32,
    /// Frames in a row that were above what was expected.
    above: u32,
    hold: u32,
    gain: f32,
}

impl Default for EchoSuppressor {
    fn default() -> Self {
        Self::new()
    }
}

impl EchoSuppressor {
    pub fn new() -> Self {
        Self {
            played: vec![0.0; LONGEST].into(),
            // A laptop's loudspeaker beside its microphone, before anything is known of it.
            coupling: 0.3,
            above: 0,
            hold: 0,
            gain: 1.0,
        }
    }

    /// 20 ms that go to the loudspeaker now.
    pub fn played(&mut self, pcm: &[i16; FRAME]) {
        self.played.pop_front();
        self.played.push_back(level(pcm));
    }

    /// 20 ms from the microphone; what is echo in it is turned down in place. True when it was.
    pub fn heard(&mut self, pcm: &mut [i16; FRAME]) -> bool {
        let loudest = self.played.iter().copied().fold(0.0, f32::max);
        let now = level(pcm);
        let wanted = if loudest < SILENCE {
            self.above = 0;
            self.hold = 0;
            1.0
        } else {
            let expected = loudest * self.coupling;
            if now > expected * CLEARLY {
                self.above += 1;
                // Louder for long without words stopping us: the room is louder than was thought, or somebody turned it up.
                if self.above > 100 {
                    self.coupling = (self.coupling * 1.05).min(2.0);
                }
            } else {
                self.above = 0;
                let ratio = now / loudest;
                // Up at once, down over seconds: pauses of ours say nothing of the room.
                let pace = if ratio > self.coupling { 0.3 } else { 0.005 };
                self.coupling += (ratio.max(0.02) - self.coupling) * pace;
            }
            // Two frames, so that a knock is no voice.
            if self.above >= 2 {
                self.hold = HOLD;
            }
            self.hold = self.hold.saturating_sub(1);
            if self.hold > 0 { 1.0 } else { DOWN }
        };
        let from = self.gain;
        self.gain = wanted;
        if from < 1.0 || wanted < 1.0 {
            for (n, sample) in pcm.iter_mut().enumerate() {
                // From one gain to the other over the frame: a step would click.
                let share = (n + 1) as f32 / FRAME as f32;
                let gain = from + (wanted - from) * share;
                *sample = (f32::from(*sample) * gain).round() as i16;
            }
        }
        wanted < 1.0
    }
}

/// Root mean square, as a share of full scale.
fn level(pcm: &[i16]) -> f32 {
    let sum: f32 = pcm.iter().map(|s| f32::from(*s).powi(2)).sum();
    (sum / pcm.len().max(1) as f32).sqrt() / 32_768.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(amplitude: f32, n: u32) -> [i16; FRAME] {
        let mut pcm = [0; FRAME];
        for (i, s) in pcm.iter_mut().enumerate() {
            let t = (n as usize * FRAME + i) as f32 / 16_000.0;
            *s = ((t * 500.0 * std::f32::consts::TAU).sin() * amplitude) as i16;
        }
        pcm
    }

    /// Plays speech-like bursts; the microphone hears them `delay` frames later at `echo`, with `voice` on top.
    fn run(delay: usize, echo: f32, frames: u32, voice: impl Fn(u32) -> f32) -> Vec<f32> {
        let mut suppressor = EchoSuppressor::new();
        let mut out = VecDeque::from(vec![0.0; delay]);
        let mut heard = Vec::new();
        for n in 0..frames {
            let ours = if n % 40 < 30 { 8_000.0 } else { 0.0 };
            suppressor.played(&frame(ours, n));
            out.push_back(ours * echo);
            let back = out.pop_front().unwrap_or(0.0);
            let mut pcm = frame(back + voice(n), n);
            suppressor.heard(&mut pcm);
            heard.push(level(&pcm));
        }
        heard
    }

    #[test]
    fn our_own_voice_is_turned_down_whatever_the_delay() {
        for delay in [1, 8, 20] {
            for echo in [0.03, 0.1, 0.5] {
                let heard = run(delay, echo, 400, |_| 0.0);
                let loudest = heard[100..].iter().copied().fold(0.0, f32::max);
                // 20 dB below what came in.
                let came = 8_000.0 * echo / 32_768.0 * 0.707;
                assert!(loudest < came * 0.1, "{delay} {echo}: {loudest} of {came}");
            }
        }
    }

    #[test]
    fn a_voice_over_ours_is_heard() {
        let heard = run(8, 0.1, 400, |n| {
            if (200..260).contains(&n) {
                6_000.0
            } else {
                0.0
            }
        });
        let loud = heard[203..258].iter().filter(|l| **l > 0.05).count();
        assert!(loud > 45, "{loud} of 55 frames");
    }

    #[test]
    fn silence_of_ours_changes_nothing() {
        let mut suppressor = EchoSuppressor::new();
        let spoken = frame(3_000.0, 1);
        let mut pcm = spoken;
        suppressor.played(&[0; FRAME]);
        assert!(!suppressor.heard(&mut pcm));
        assert_eq!(pcm, spoken);
    }
}
