//! From frame-by-frame probabilities to speech that starts and ends, and a voice detector for when there is no model.

use super::{FRAME_MS, MediaTime, level};

/// When probabilities become speech. Times in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GateConfig {
    /// Speech is suspected at this probability and above.
    pub on: f32,
    /// Speech goes on while the probability stays at this or above.
    pub off: f32,
    /// Frames above `on` that make a start; a cough is shorter.
    pub min_speech_ms: u64,
    /// Frames below `off` that make an end.
    pub hangover_ms: u64,
    /// Sound before the onset that belongs to the utterance: a soft first consonant.
    pub preroll_ms: u64,
    /// How late the probability is: half a model window, say.
    pub lag_ms: u64,
}

impl Default for GateConfig {
    fn default() -> Self {
        Self {
            on: 0.5,
            off: 0.35,
            min_speech_ms: 60,
            hangover_ms: 200,
            preroll_ms: 200,
            lag_ms: 0,
        }
    }
}

/// A turn of the gate. The times are those of the sound itself, not of when it was noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    /// Speech began at `at`. Keep the sound from `keep_from`: the pre-roll, never reaching into earlier speech.
    Start { at: MediaTime, keep_from: MediaTime },
    /// Speech ended at `at`, a hangover ago.
    End { at: MediaTime },
}

/// Hysteresis over a stream of speech probabilities, one a 20 ms frame.
#[derive(Debug, Clone)]
pub struct SpeechGate {
    config: GateConfig,
    open: bool,
    /// First frame of the run that may become speech.
    onset: Option<MediaTime>,
    /// Milliseconds of that run at or above `on`.
    run_ms: u64,
    /// End of the last frame at or above `off` while open, or of a run.
    voiced_until: MediaTime,
    /// End of the last frame pushed.
    now: MediaTime,
    last_end: MediaTime,
}

impl SpeechGate {
    pub fn new(config: GateConfig) -> Self {
        Self {
            config,
            open: false,
            onset: None,
            run_ms: 0,
            voiced_until: MediaTime(0),
            now: MediaTime(0),
            last_end: MediaTime(0),
        }
    }

    /// `at`: position of the frame's first sample. `p`: probability that it holds speech.
    pub fn push(&mut self, at: MediaTime, p: f32) -> Option<Gate> {
        let until = add_ms(at, FRAME_MS);
        self.now = until;
        if self.open {
            if p >= self.config.off {
                self.voiced_until = until;
            } else if ms_between(self.voiced_until, until) >= self.config.hangover_ms {
                self.open = false;
                self.onset = None;
                self.last_end = self.heard_at(self.voiced_until);
                return Some(Gate::End { at: self.last_end });
            }
            return None;
        }
        if p >= self.config.on {
            self.onset.get_or_insert(at);
            self.run_ms += FRAME_MS;
            self.voiced_until = until;
        } else if p < self.config.off {
            self.onset = None;
            self.run_ms = 0;
        }
        let onset = self.onset?;
        if self.run_ms < self.config.min_speech_ms {
            return None;
        }
        self.open = true;
        self.run_ms = 0;
        let at = self.heard_at(onset);
        let keep_from = sub_ms(at, self.config.preroll_ms).max(self.last_end.min(at));
        Some(Gate::Start { at, keep_from })
    }

    /// Between a start and its end.
    pub fn is_speech(&self) -> bool {
        self.open
    }

    /// Milliseconds of silence so far: since the last voiced frame, whether or not the end has been called.
    pub fn silence_ms(&self) -> u64 {
        ms_between(self.voiced_until, self.now)
    }

    /// Milliseconds of speech suspected and not yet called a start; for ducking before an interruption is sure.
    pub fn suspected_ms(&self) -> u64 {
        if self.open { 0 } else { self.run_ms }
    }

    /// Change what speech makes a start, while it runs.
    pub fn set_min_speech(&mut self, ms: u64) {
        self.config.min_speech_ms = ms;
    }

    /// Change what silence ends an utterance, while it runs.
    pub fn set_hangover(&mut self, ms: u64) {
        self.config.hangover_ms = ms;
    }

    /// Forget everything but the position: the caller is back from hold, or a new utterance must start.
    pub fn reset(&mut self) {
        self.open = false;
        self.onset = None;
        self.run_ms = 0;
        self.voiced_until = self.now;
        self.last_end = self.now;
    }

    fn heard_at(&self, noticed: MediaTime) -> MediaTime {
        sub_ms(noticed, self.config.lag_ms)
    }
}

fn add_ms(at: MediaTime, ms: u64) -> MediaTime {
    MediaTime(at.0 + MediaTime::from_ms(ms).0)
}

fn sub_ms(at: MediaTime, ms: u64) -> MediaTime {
    MediaTime(at.0.saturating_sub(MediaTime::from_ms(ms).0))
}

fn ms_between(from: MediaTime, to: MediaTime) -> u64 {
    MediaTime(to.0.saturating_sub(from.0)).as_ms()
}

/// Frames in one slice of the noise memory (400 ms), and how many slices are remembered (2.4 s).
const SLICE: u32 = 20;
const SLICES: usize = 6;
/// Quieter than this is never speech, dBFS.
const FLOOR: f32 = -55.0;
/// Speech is as likely as not this far above the noise, dB.
const MARGIN: f32 = 10.0;

/// Voice activity by energy over an adaptive noise floor (the minimum of the last 2.4 s). For when there is no model: it takes
/// any sound that stands out of the background for speech.
#[derive(Debug, Clone)]
pub struct EnergyVad {
    /// Least smoothed level of each remembered slice, dBFS; the last one is being filled.
    slices: [f32; SLICES],
    filled: u32,
    smooth: f32,
    begun: bool,
}

impl Default for EnergyVad {
    fn default() -> Self {
        Self::new()
    }
}

impl EnergyVad {
    pub fn new() -> Self {
        Self {
            slices: [0.0; SLICES],
            filled: 0,
            smooth: FLOOR,
            begun: false,
        }
    }

    /// One 20 ms frame in, probability of speech out, 0 to 1.
    pub fn push(&mut self, pcm: &[i16]) -> f32 {
        let now = level::rms_dbfs(pcm);
        if !self.begun {
            // A line that begins in mid-word must not take the word for its noise.
            self.slices = [now.min(FLOOR + 10.0); SLICES];
            self.begun = true;
            self.smooth = now;
        }
        self.smooth += 0.4 * (now - self.smooth);
        let last = &mut self.slices[SLICES - 1];
        *last = last.min(self.smooth);
        self.filled += 1;
        let noise = self.slices.iter().copied().fold(f32::MAX, f32::min);
        if self.filled == SLICE {
            self.filled = 0;
            self.slices.rotate_left(1);
            self.slices[SLICES - 1] = self.smooth;
        }
        let above = now - noise.max(FLOOR - MARGIN);
        if now < FLOOR {
            return 0.0;
        }
        1.0 / (1.0 + (-(above - MARGIN) / 2.0).exp())
    }

    pub fn reset(&mut self) {
        *self = Self::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::FRAME;

    fn run(gate: &mut SpeechGate, ps: &[f32]) -> Vec<(usize, Gate)> {
        ps.iter()
            .enumerate()
            .filter_map(|(i, &p)| gate.push(MediaTime((i * FRAME) as u64), p).map(|g| (i, g)))
            .collect()
    }

    fn frames(parts: &[(usize, f32)]) -> Vec<f32> {
        parts
            .iter()
            .flat_map(|&(n, p)| std::iter::repeat_n(p, n))
            .collect()
    }

    #[test]
    fn start_and_end_are_back_dated() {
        let mut g = SpeechGate::new(GateConfig::default());
        let got = run(&mut g, &frames(&[(50, 0.1), (30, 0.9), (30, 0.1)]));
        assert_eq!(
            got,
            [
                (
                    52,
                    Gate::Start {
                        at: MediaTime::from_ms(1000),
                        keep_from: MediaTime::from_ms(800)
                    }
                ),
                (
                    89,
                    Gate::End {
                        at: MediaTime::from_ms(1600)
                    }
                ),
            ]
        );
        assert!(!g.is_speech());
        assert_eq!(g.silence_ms(), 600);
    }

    #[test]
    fn a_click_is_no_start_and_a_dip_is_no_end() {
        let mut g = SpeechGate::new(GateConfig::default());
        assert_eq!(run(&mut g, &frames(&[(5, 0.0), (2, 0.9), (10, 0.0)])), []);
        let mut g = SpeechGate::new(GateConfig::default());
        let got = run(
            &mut g,
            &frames(&[(10, 0.9), (8, 0.1), (10, 0.9), (20, 0.1)]),
        );
        assert_eq!(got.len(), 2);
        assert_eq!(
            got[1].1,
            Gate::End {
                at: MediaTime::from_ms(560)
            }
        );
        // Between the thresholds: neither starts nor ends.
        let mut g = SpeechGate::new(GateConfig::default());
        assert_eq!(run(&mut g, &frames(&[(40, 0.4)])), []);
        let got = run(&mut g, &frames(&[(5, 0.6), (100, 0.4)]));
        assert_eq!(got.len(), 1);
        assert!(g.is_speech());
    }

    #[test]
    fn the_preroll_never_reaches_into_earlier_speech() {
        let config = GateConfig {
            hangover_ms: 60,
            ..GateConfig::default()
        };
        let mut g = SpeechGate::new(config);
        let got = run(&mut g, &frames(&[(10, 0.9), (5, 0.0), (10, 0.9)]));
        assert_eq!(
            got[2].1,
            Gate::Start {
                at: MediaTime::from_ms(300),
                keep_from: MediaTime::from_ms(200)
            }
        );
    }

    #[test]
    fn lag_is_taken_off() {
        let mut g = SpeechGate::new(GateConfig {
            lag_ms: 32,
            ..GateConfig::default()
        });
        let got = run(&mut g, &frames(&[(50, 0.0), (10, 0.9), (20, 0.0)]));
        assert_eq!(
            got[0].1,
            Gate::Start {
                at: MediaTime::from_ms(968),
                keep_from: MediaTime::from_ms(768)
            }
        );
        assert_eq!(
            got[1].1,
            Gate::End {
                at: MediaTime::from_ms(1168)
            }
        );
    }

    #[test]
    fn reset_in_mid_speech() {
        let mut g = SpeechGate::new(GateConfig::default());
        run(&mut g, &frames(&[(10, 0.9)]));
        assert!(g.is_speech());
        g.reset();
        assert!(!g.is_speech());
        assert_eq!((g.silence_ms(), g.suspected_ms()), (0, 0));
        g.push(MediaTime::from_ms(200), 0.9);
        assert_eq!(g.suspected_ms(), 20);
    }

    /// Noise of a given amplitude; `n` picks the sequence.
    fn noise(amplitude: i32, n: u64) -> Vec<i16> {
        let mut x = n.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        (0..FRAME)
            .map(|_| {
                x ^= x << 13;
                x ^= x >> 7;
                x ^= x << 17;
                ((x % (2 * amplitude as u64 + 1)) as i32 - amplitude) as i16
            })
            .collect()
    }

    #[test]
    fn energy_follows_the_noise_and_hears_what_stands_out() {
        for background in [0, 30, 300, 1500] {
            let mut v = EnergyVad::new();
            let mut wrong = 0;
            for n in 0..400 {
                let p = v.push(&noise(background, n));
                // A steady background is learnt within the memory.
                wrong += u32::from(n > 150 && p >= 0.5);
            }
            assert_eq!(wrong, 0, "noise of {background} taken for speech");
            let heard = (0..25)
                .filter(|&n| v.push(&noise(background.max(100) * 8, 1000 + n)) >= 0.5)
                .count();
            assert!(heard >= 24, "background {background}: heard {heard} of 25");
            let after = (0..25)
                .filter(|&n| v.push(&noise(background, 2000 + n)) >= 0.5)
                .count();
            assert_eq!(after, 0);
        }
    }
}
