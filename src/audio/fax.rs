//! Fax machines and modems, by their first tones (ITU-T T.30 section 4 and V.25): a calling fax sends half a second of 1100 Hz every
//! three and a half, an answering one 2100 Hz for about three seconds.

use super::{FRAME, RATE};

/// Share of a frame's energy that has to lie in the tone.
const PURE: f32 = 0.8;
/// Quieter than this is nothing, mean square of full scale: -45 dBFS.
const QUIET: f32 = 3e-5;
/// Calling tone: 0.5 s, with a little less allowed, and twice, so that no whistle is one.
const CALLING: u32 = 20;
const CALLING_MOST: u32 = 32;
/// Answer tone: longer than any key or chime.
const ANSWERING: u32 = 75;
/// A second calling tone comes within this many frames: 5 s.
const AGAIN: u32 = 250;

/// Listens for them on one leg.
#[derive(Debug, Clone, Default)]
pub struct FaxDetector {
    calling: u32,
    answering: u32,
    /// Frames since the first calling tone ended; none where there was none.
    since: Option<u32>,
}

impl FaxDetector {
    /// 20 ms. True once, when there is no doubt.
    pub fn hear(&mut self, pcm: &[i16; FRAME]) -> bool {
        let energy = pcm.iter().map(|s| f32::from(*s).powi(2)).sum::<f32>();
        if let Some(since) = &mut self.since {
            *since += 1;
        }
        let loud = energy > QUIET * FRAME as f32 * 32_768.0 * 32_768.0;
        let (low, high) = match loud {
            true => (share(pcm, 1_100.0, energy), share(pcm, 2_100.0, energy)),
            false => (0.0, 0.0),
        };
        self.answering = if high > PURE { self.answering + 1 } else { 0 };
        if self.answering == ANSWERING {
            return true;
        }
        if low > PURE {
            self.calling += 1;
            return false;
        }
        let length = std::mem::take(&mut self.calling);
        if !(CALLING..=CALLING_MOST).contains(&length) {
            return false;
        }
        self.since.replace(0).is_some_and(|since| since < AGAIN)
    }
}

/// Share of the energy at one frequency (Goertzel).
fn share(pcm: &[i16; FRAME], hz: f32, energy: f32) -> f32 {
    let turn = std::f32::consts::TAU * hz / RATE as f32;
    let c = 2.0 * turn.cos();
    let (mut a, mut b) = (0.0_f32, 0.0_f32);
    for s in pcm {
        let next = f32::from(*s) + c * a - b;
        (b, a) = (a, next);
    }
    (a * a + b * b - c * a * b) * 2.0 / (FRAME as f32 * energy)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(parts: &[(f32, usize)]) -> usize {
        let mut fax = FaxDetector::default();
        let mut n = 0_usize;
        let mut found = 0;
        for (hz, ms) in parts {
            for _ in 0..ms / 20 {
                let pcm = std::array::from_fn(|i| {
                    let t = (n + i) as f32 / 16_000.0;
                    ((t * hz * std::f32::consts::TAU).sin() * 6_000.0) as i16
                });
                n += FRAME;
                found += usize::from(fax.hear(&pcm));
            }
        }
        found
    }

    #[test]
    fn faxes_are_known_and_tones_that_are_none_are_not() {
        let calling = [(1_100.0, 500), (0.0, 3_000)];
        assert_eq!(run(&calling), 0, "once may be a whistle");
        assert_eq!(run(&[calling, calling].concat()), 1);
        assert_eq!(run(&[(2_100.0, 2_600)]), 1);
        // A long whistle at the same pitch, a busy tone, a key's higher half.
        assert_eq!(run(&[(1_100.0, 3_000), (0.0, 500), (1_100.0, 2_000)]), 0);
        assert_eq!(run(&[(425.0, 500), (0.0, 500)].repeat(5)), 0);
        assert_eq!(run(&[(2_100.0, 600), (0.0, 400)].repeat(5)), 0);
    }
}
