//! Who hears whom: a small matrix of gains, one frame at a time.

use super::FRAME;

/// Most parties of one call: caller, accepted human, ringing candidates, listeners, music.
pub const MAX_PARTIES: usize = 8;

/// Sums what each party says into what each party hears. A changed gain slides over one frame, so that joining and leaving
/// make no click.
#[derive(Debug, Clone, Default)]
pub struct Mixer {
    /// `[listener][speaker]`, as of the last frame.
    now: [[f32; MAX_PARTIES]; MAX_PARTIES],
    target: [[f32; MAX_PARTIES]; MAX_PARTIES],
}

impl Mixer {
    /// Nobody hears anybody.
    pub fn new() -> Self {
        Self::default()
    }

    /// `listener` hears `speaker` at `gain` (1.0: as it is; 0.0: not at all) from the next frame on. Party numbers from
    /// [`MAX_PARTIES`] up are ignored.
    pub fn set(&mut self, listener: usize, speaker: usize, gain: f32) {
        if let Some(g) = self
            .target
            .get_mut(listener)
            .and_then(|row| row.get_mut(speaker))
        {
            *g = if gain.is_finite() {
                gain.clamp(0.0, 8.0)
            } else {
                0.0
            };
        }
    }

    /// The gain last set.
    pub fn gain(&self, listener: usize, speaker: usize) -> f32 {
        self.target
            .get(listener)
            .and_then(|row| row.get(speaker))
            .copied()
            .unwrap_or(0.0)
    }

    /// `a` and `b` hear each other as they are.
    pub fn join(&mut self, a: usize, b: usize) {
        self.set(a, b, 1.0);
        self.set(b, a, 1.0);
    }

    /// `party` neither hears nor is heard.
    pub fn leave(&mut self, party: usize) {
        for other in 0..MAX_PARTIES {
            self.set(party, other, 0.0);
            self.set(other, party, 0.0);
        }
    }

    /// What `listener` hears of `said` (one frame a party, in party order; missing ones are silent). Call it once a frame for each
    /// listener. Sums that do not fit saturate.
    pub fn hear(&mut self, listener: usize, said: &[&[i16; FRAME]]) -> [i16; FRAME] {
        let mut sum = [0f32; FRAME];
        let Some((now, target)) = self.now.get_mut(listener).zip(self.target.get(listener)) else {
            return [0; FRAME];
        };
        for ((now, &target), pcm) in now.iter_mut().zip(target).zip(said) {
            let (from, to) = (*now, target);
            *now = to;
            if from == 0.0 && to == 0.0 {
                continue;
            }
            for (i, (acc, &s)) in sum.iter_mut().zip(pcm.iter()).enumerate() {
                let gain = from + (to - from) * (i + 1) as f32 / FRAME as f32;
                *acc += f32::from(s) * gain;
            }
        }
        // A float to integer cast saturates.
        sum.map(|s| s.round() as i16)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_hears_the_others_and_not_itself() {
        let mut m = Mixer::new();
        m.join(0, 1);
        m.set(2, 0, 1.0);
        m.set(2, 1, 0.5);
        let (a, b, c) = ([100; FRAME], [2000; FRAME], [7; FRAME]);
        let said = [&a, &b, &c];
        for n in 0..2 {
            let heard: Vec<_> = (0..3).map(|i| m.hear(i, &said)[FRAME - 1]).collect();
            assert_eq!(heard, [2000, 100, 1100], "frame {n}");
        }
        assert_eq!(m.hear(0, &said), b, "as it is once the gain stands");
        m.leave(1);
        m.hear(2, &said);
        assert_eq!(m.hear(2, &said), a);
        assert_eq!(m.hear(1, &said)[FRAME - 1], 0);
    }

    #[test]
    fn saturates_and_slides() {
        let mut m = Mixer::new();
        m.join(0, 1);
        m.set(0, 2, 1.0);
        let loud = [30_000; FRAME];
        let first = m.hear(0, &[&loud, &loud, &loud]);
        assert!(first[0] < 400, "joins softly: {}", first[0]);
        assert_eq!(m.hear(0, &[&loud, &loud, &loud]), [i16::MAX; FRAME]);
    }

    #[test]
    fn a_party_out_of_range_is_nobody() {
        let mut m = Mixer::new();
        m.set(99, 0, 1.0);
        m.set(0, 99, 1.0);
        m.set(0, 1, f32::NAN);
        assert_eq!(m.hear(99, &[&[5; FRAME]]), [0; FRAME]);
        assert_eq!(m.gain(0, 1), 0.0);
    }
}
