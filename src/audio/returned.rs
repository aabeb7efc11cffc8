//! Our own voice coming back from the caller's side (a hybrid, a loudspeaker telephone), told from the caller's.
//!
//! What we sent is kept for as long as it may be on its way. What comes is compared with it at every delay: sound that is mostly a
//! weaker copy of ours is ours. Where it comes back from is then known, and how strongly; from there on sound that is no louder than
//! that can be explained even where a room, a codec or a noise has blurred the copy. A caller who speaks is louder than their echo.

use std::collections::VecDeque;

use super::{FRAME, RATE};

/// Samples are averaged four by four: 4 kHz holds what is needed of a voice.
const DOWN: usize = 4;
const FRAME_DOWN: usize = FRAME / DOWN;
/// What is compared: the last 80 ms.
const WINDOW: usize = 4 * FRAME_DOWN;
/// Longest way there and back, in samples at 4 kHz: 600 ms.
const LONGEST: usize = RATE as usize / DOWN * 600 / 1000;
/// Share of the sound's energy that a weaker copy of ours must account for.
const MOSTLY: f32 = 0.4;
/// Energy ratio below which what comes back is certainly weaker than what was sent (3 dB down).
const WEAKER: f32 = 0.5;
/// Quieter than this, mean square of full scale, is not compared: -66 dBFS.
const QUIET: f32 = 2.5e-7;
/// How far above its usual level an echo may be and still be one: 6 dB.
const ABOVE: f32 = 4.0;
/// Delays looked at around the one that is known.
const AROUND: usize = 24;
/// Frames in a row from one delay that make it known.
const SAME: u32 = 4;

/// One leg's memory of what was sent, and of how it comes back.
#[derive(Debug, Clone)]
pub struct Returned {
    /// What was sent, at 4 kHz, newest last.
    sent: VecDeque<f32>,
    /// What came in the last [`WINDOW`], at 4 kHz.
    came: VecDeque<f32>,
    /// Delay at which a copy was found last, samples at 4 kHz, and for how many frames running.
    candidate: (usize, u32),
    /// Times the delay jumped since the sound began: two voices of one pitch look alike now and then, but never from one place.
    jumps: u32,
    /// Delay at which ours comes back.
    delay: Option<usize>,
    /// How strongly: a ratio of energies, smoothed.
    coupling: f32,
}

impl Default for Returned {
    fn default() -> Self {
        Self::new()
    }
}

impl Returned {
    pub fn new() -> Self {
        Self {
            sent: vec![0.0; LONGEST + 2 * WINDOW].into(),
            came: vec![0.0; WINDOW].into(),
            candidate: (0, 0),
            jumps: 0,
            delay: None,
            coupling: 0.0,
        }
    }

    /// 20 ms that leave for the caller now.
    pub fn sent(&mut self, pcm: &[i16; FRAME]) {
        slide(&mut self.sent, pcm);
    }

    /// 20 ms of what comes from the caller. True: it is ours.
    ///
    /// `suspicious`: there may be a voice in it. Only then, and only where we have just spoken, is the search worth its work (about
    /// half a million products).
    pub fn heard(&mut self, pcm: &[i16; FRAME], suspicious: bool) -> bool {
        slide(&mut self.came, pcm);
        if !suspicious {
            self.jumps = 0;
            self.candidate.1 = 0;
            return false;
        }
        let came: Vec<f32> = self.came.iter().copied().collect();
        let sent: Vec<f32> = self.sent.iter().copied().collect();
        let energy = power(&came);
        let sums = sums(&sent);
        let said = sums.last().copied().unwrap_or_default();
        if energy < QUIET * WINDOW as f32 || said < f64::from(QUIET) * WINDOW as f64 {
            return false;
        }
        let mut best = Best::default();
        let mut look = |delays: std::ops::Range<usize>, step| {
            for delay in delays.step_by(step) {
                best.look(&came, &sent, &sums, energy, delay);
            }
            best.clone()
        };
        let mut found = Best::default();
        if let Some(known) = self.delay {
            found = look(known.saturating_sub(AROUND)..known + AROUND, 1);
        }
        if found.share < MOSTLY {
            // Half a millisecond is near enough to see it, and then its neighbours are looked at.
            let near = look(0..LONGEST, 2).delay;
            found = look(near.saturating_sub(1)..near + 2, 1);
        }
        let best = found;
        if best.share >= MOSTLY && energy < best.power * WEAKER {
            return self.copy(&best, energy);
        }
        self.candidate.1 = 0;
        // Blurred, but from where it comes, and no louder than it does. The loudest of what is around that delay: a room rings.
        let Some(known) = self.delay else {
            return false;
        };
        let loudest = (0..=3)
            .filter_map(|n| before(&sent, known + n * WINDOW / 2))
            .map(power)
            .fold(0.0, f32::max);
        energy <= loudest * self.coupling * ABOVE
    }

    /// A weaker copy of ours was found.
    fn copy(&mut self, best: &Best, energy: f32) -> bool {
        if best.delay.abs_diff(self.candidate.0) <= 2 {
            self.candidate.1 += 1;
        } else {
            self.jumps += u32::from(self.candidate.1 > 0);
            self.candidate = (best.delay, 1);
        }
        let ratio = energy / best.power;
        let known = self.delay.is_some_and(|d| d.abs_diff(best.delay) <= AROUND);
        if known {
            self.coupling += 0.2 * (ratio - self.coupling);
        } else if self.candidate.1 >= SAME {
            self.delay = Some(best.delay);
            self.coupling = ratio;
        }
        known || self.candidate.1 >= 2 || self.jumps == 0
    }
}

/// The delay at which ours explains most of a sound.
#[derive(Debug, Clone, Default)]
struct Best {
    share: f32,
    delay: usize,
    power: f32,
}

impl Best {
    fn look(&mut self, came: &[f32], sent: &[f32], sums: &[f64], energy: f32, delay: usize) {
        let Some(ours) = before(sent, delay) else {
            return;
        };
        let from = sent.len() - WINDOW - delay;
        let power = (sums[from + WINDOW] - sums[from]) as f32;
        if power < QUIET * WINDOW as f32 {
            return;
        }
        let product: f32 = came.iter().zip(ours).map(|(a, b)| a * b).sum();
        let share = product * product / (power * energy);
        if share > self.share {
            *self = Self {
                share,
                delay,
                power,
            };
        }
    }
}

/// What was sent in the window that ended `delay` samples ago.
fn before(sent: &[f32], delay: usize) -> Option<&[f32]> {
    let from = (sent.len() - WINDOW).checked_sub(delay)?;
    sent.get(from..from + WINDOW)
}

/// Energy of the first n samples, for each n.
fn sums(pcm: &[f32]) -> Vec<f64> {
    let mut sum = 0.0;
    std::iter::once(0.0)
        .chain(pcm.iter().map(|s| {
            sum += f64::from(*s).powi(2);
            sum
        }))
        .collect()
}

fn power(pcm: &[f32]) -> f32 {
    pcm.iter().map(|s| s * s).sum()
}

/// Moves a memory on by one frame, averaged down.
fn slide(memory: &mut VecDeque<f32>, pcm: &[i16; FRAME]) {
    memory.drain(..FRAME_DOWN);
    memory
        .extend(pcm.chunks_exact(DOWN).map(|four| {
            four.iter().map(|s| f32::from(*s)).sum::<f32>() / (DOWN as f32 * 32_768.0)
        }));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::g711::Law;

    fn random(state: &mut u64) -> f32 {
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        (*state % 2_000) as f32 / 1_000.0 - 1.0
    }

    /// Something like a voice: syllables of a buzz that glides, through a formant that moves; another one for each `seed`.
    fn voice(seed: u64, samples: usize) -> Vec<f32> {
        let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        let (mut phase, mut pitch, mut glide, mut formant) = (0.0_f32, 120.0, 0.0, 700.0);
        let (mut a, mut b, mut loud) = (0.0_f32, 0.0_f32, 0.0);
        (0..samples)
            .map(|n| {
                if n % 2_400 == 0 {
                    pitch = 150.0 + 60.0 * random(&mut state);
                    glide = 0.004 * random(&mut state);
                    formant = 900.0 + 600.0 * random(&mut state);
                    loud = if random(&mut state) > -0.6 { 1.0 } else { 0.0 };
                }
                pitch += glide;
                phase += pitch / 16_000.0;
                let pulse = f32::from(u8::from(phase >= 1.0));
                phase -= pulse;
                let turn = (std::f32::consts::TAU * formant / 16_000.0).cos();
                let out = (pulse + 0.02 * random(&mut state)) * loud + 1.94 * turn * a - 0.94 * b;
                (b, a) = (a, out);
                out * 2_500.0
            })
            .collect()
    }

    fn frame(pcm: impl Fn(usize) -> f32) -> [i16; FRAME] {
        std::array::from_fn(|n| {
            let law = Law::Mu;
            law.decode(law.encode(pcm(n).clamp(-32_000.0, 32_000.0) as i16))
        })
    }

    /// Share of frames with sound in them that are taken for ours. `path`: how ours comes back, as delays in samples and gains;
    /// `caller`: how loud a caller is who speaks all the time; `noise`: its amplitude.
    fn taken(path: &[(usize, f32)], caller: f32, noise: f32) -> f32 {
        const LENGTH: usize = 16_000 * 8;
        let (ours, theirs) = (voice(3, LENGTH), voice(8, LENGTH));
        let mut state = 5;
        let mut returned = Returned::new();
        let (mut frames, mut taken) = (0, 0);
        for at in (0..LENGTH).step_by(FRAME) {
            let hiss: Vec<f32> = (0..FRAME).map(|_| noise * random(&mut state)).collect();
            let came = frame(|n| {
                let echo = path
                    .iter()
                    .map(|(d, gain)| (at + n).checked_sub(*d).map_or(0.0, |i| ours[i] * gain));
                echo.sum::<f32>() + theirs[at + n] * caller + hiss[n]
            });
            let level = power(&came.map(f32::from)) / FRAME as f32;
            let is_ours = returned.heard(&came, level > 900.0);
            returned.sent(&frame(|n| ours[at + n]));
            if at > 8_000 && level > 2_500.0 {
                frames += 1;
                taken += u32::from(is_ours);
            }
        }
        assert!(frames > 50, "{frames}");
        taken as f32 / frames as f32
    }

    #[test]
    fn a_weaker_copy_is_ours_from_wherever_it_comes() {
        for delay in [400, 2_000, 7_000] {
            for gain in [0.1, 0.3] {
                let share = taken(&[(delay, gain)], 0.0, 0.0);
                assert!(share > 0.97, "{delay} {gain}: {share}");
            }
        }
        // A room: three ways back, and a little noise.
        let room = [(3_000, 0.1), (3_150, 0.06), (3_420, -0.05)];
        let share = taken(&room, 0.0, 20.0);
        assert!(share > 0.9, "a room: {share}");
    }

    #[test]
    fn a_caller_is_not_ours_with_or_without_an_echo() {
        for caller in [0.3, 1.0] {
            let share = taken(&[], caller, 0.0);
            assert!(share < 0.1, "alone at {caller}: {share}");
        }
        let share = taken(&[(2_000, 0.1)], 1.0, 0.0);
        assert!(share < 0.15, "over an echo: {share}");
    }
}
