//! Packet loss concealment on decoded sound, in the manner of ITU-T G.711 Appendix I: the last pitch period is repeated and
//! faded, and what arrives afterwards is cross-faded in. Unlike the appendix it delays nothing: the seam is closed by a
//! correction that dies away instead of by holding sound back.

use std::collections::VecDeque;

/// Sound kept to look for the pitch in: 48.75 ms, as in the appendix.
const HISTORY_MS: usize = 48;
/// Shortest and longest pitch period looked for: 400 Hz and 66 Hz.
const PITCH_MS: (f32, f32) = (2.5, 15.0);
/// Concealment is at full level for this long, and gone after [`GONE_MS`].
const FULL_MS: usize = 10;
const GONE_MS: usize = 60;
/// What comes back is blended in over this.
const BLEND_MS: usize = 5;

/// Fills what is missing from one stream. Any frame length.
#[derive(Debug, Clone)]
pub struct Concealer {
    rate: usize,
    history: VecDeque<i16>,
    /// The stretch that is repeated; empty while nothing is missing.
    cycle: Vec<f32>,
    /// Samples made since the loss began.
    made: usize,
    /// Step between the last true sample and the cycle's start, closed over the first samples.
    seam: f32,
}

impl Concealer {
    /// `rate`: samples per second of the stream.
    pub fn new(rate: u32) -> Self {
        let rate = rate.max(8000) as usize;
        Self {
            rate,
            history: vec![0; rate * HISTORY_MS / 1000].into(),
            cycle: Vec::new(),
            made: 0,
            seam: 0.0,
        }
    }

    /// Sound that arrived. Its first 5 ms are blended with what was made up, if it follows a loss.
    pub fn good(&mut self, pcm: &mut [i16]) {
        if !self.cycle.is_empty() {
            let blend = self.ms(BLEND_MS).min(pcm.len());
            for (i, s) in pcm.iter_mut().take(blend).enumerate() {
                let share = (i + 1) as f32 / (blend + 1) as f32;
                let made = self.next_made();
                *s = (made * (1.0 - share) + f32::from(*s) * share).round() as i16;
            }
            self.cycle.clear();
        }
        self.remember(pcm);
    }

    /// Fills `out` in place of a frame that did not come. Silence from 60 ms of loss on.
    pub fn lost(&mut self, out: &mut [i16]) {
        if self.cycle.is_empty() {
            self.begin();
        }
        for s in out.iter_mut() {
            *s = self.next_made().round() as i16;
        }
        // What was made is not searched for a pitch: the loss began where the true sound ended. It is remembered all the same
        // once it has faded, so that a second loss does not repeat sound from before the first.
        if self.made >= self.ms(GONE_MS) {
            self.history.iter_mut().for_each(|s| *s = 0);
        }
    }

    /// Forget the stream: a new one begins.
    pub fn reset(&mut self) {
        *self = Self::new(self.rate as u32);
    }

    fn ms(&self, ms: usize) -> usize {
        self.rate * ms / 1000
    }

    fn remember(&mut self, pcm: &[i16]) {
        let keep = self.history.len();
        let from = pcm.len().saturating_sub(keep);
        self.history.drain(..pcm.len() - from);
        self.history.extend(&pcm[from..]);
    }

    fn begin(&mut self) {
        let history: Vec<f32> = self.history.iter().map(|&s| f32::from(s)).collect();
        let n = history.len();
        let (lag, likeness) = self.pitch(&history);
        // Voiced sound repeats whole periods, at least 7.5 ms of them; noise repeats the longest stretch, which buzzes least.
        let length = if likeness > 0.5 {
            let periods =
                self.ms(15) / 2 / lag + usize::from(!(self.ms(15) / 2).is_multiple_of(lag));
            lag * periods.max(1)
        } else {
            self.ms(15)
        };
        let length = length.min(n * 2 / 3);
        let overlap = (length / 4).min(n - length - 1);
        self.cycle = history[n - length..].to_vec();
        // The cycle's last quarter turns into what came before its start, so that it meets itself.
        for i in 0..overlap {
            let share = (i + 1) as f32 / (overlap + 1) as f32;
            let at = length - overlap + i;
            let before = history[n - length - overlap + i];
            self.cycle[at] = self.cycle[at] * (1.0 - share) + before * share;
        }
        self.seam = history[n - 1] - history[n - length - 1];
        self.made = 0;
    }

    /// The lag at which the last 20 ms look most like what came before them, and how alike (normalised correlation).
    fn pitch(&self, history: &[f32]) -> (usize, f32) {
        let n = history.len();
        let window = self.ms(20);
        let lags = (PITCH_MS.0 * self.rate as f32 / 1000.0) as usize..=self.ms(PITCH_MS.1 as usize);
        let recent = &history[n - window..];
        let power: f32 = recent.iter().map(|s| s * s).sum();
        let mut best = (self.ms(10), 0.0);
        for lag in lags {
            let earlier = &history[n - window - lag..n - lag];
            let cross: f32 = recent.iter().zip(earlier).map(|(a, b)| a * b).sum();
            let other: f32 = earlier.iter().map(|s| s * s).sum();
            let likeness = cross / (power * other).sqrt().max(1.0);
            // A multiple of the period looks as alike as the period itself: it has to be clearly better.
            if likeness > best.1 + 0.01 {
                best = (lag, likeness);
            }
        }
        best
    }

    fn next_made(&mut self) -> f32 {
        let close = self.ms(BLEND_MS);
        let s = self.cycle[self.made % self.cycle.len()];
        let seam = if self.made < close {
            let x = std::f32::consts::PI * self.made as f32 / close as f32;
            self.seam * (0.5 + 0.5 * x.cos())
        } else {
            0.0
        };
        let (full, gone) = (self.ms(FULL_MS), self.ms(GONE_MS));
        let gain = if self.made < full {
            1.0
        } else {
            (gone.saturating_sub(self.made)) as f32 / (gone - full) as f32
        };
        self.made += 1;
        (s + seam).clamp(-32_768.0, 32_767.0) * gain
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::level::rms_dbfs;
    use std::f64::consts::TAU;

    /// A buzz of eight harmonics, like a sung vowel.
    fn voice(hz: f64, rate: u32, samples: usize) -> Vec<i16> {
        (0..samples)
            .map(|i| {
                let t = i as f64 / f64::from(rate);
                let s: f64 = (1..=8)
                    .map(|k| (TAU * hz * f64::from(k) * t).sin() / f64::from(k))
                    .sum();
                (s * 4000.0) as i16
            })
            .collect()
    }

    fn steepest(pcm: &[i16]) -> i32 {
        pcm.windows(2)
            .map(|w| (i32::from(w[1]) - i32::from(w[0])).abs())
            .max()
            .unwrap()
    }

    /// Plays 20 ms frames, those in `gone` concealed.
    fn play(rate: u32, pcm: &[i16], gone: &[usize]) -> Vec<i16> {
        let frame = rate as usize / 50;
        let mut c = Concealer::new(rate);
        let mut out = Vec::new();
        for (n, chunk) in pcm.chunks_exact(frame).enumerate() {
            let mut f = chunk.to_vec();
            if gone.contains(&n) {
                c.lost(&mut f);
            } else {
                c.good(&mut f);
            }
            out.extend(f);
        }
        out
    }

    #[test]
    fn one_lost_frame_of_a_steady_voice_is_hardly_changed() {
        for rate in [8000, 16_000] {
            for hz in [90.0, 125.0, 210.0, 380.0] {
                let pcm = voice(hz, rate, rate as usize / 2);
                let out = play(rate, &pcm, &[10]);
                let frame = rate as usize / 50;
                let (a, b) = (&pcm[10 * frame..11 * frame], &out[10 * frame..11 * frame]);
                let err: Vec<i16> = a.iter().zip(b).map(|(x, y)| x.saturating_sub(*y)).collect();
                let snr = rms_dbfs(a) - rms_dbfs(&err);
                assert!(snr > 6.0, "{hz} Hz at {rate}: {snr:.1} dB");
            }
        }
    }

    #[test]
    fn no_clicks_going_in_or_coming_back() {
        for rate in [8000, 16_000] {
            for hz in [73.0, 110.3, 217.7, 333.0] {
                let pcm = voice(hz, rate, rate as usize);
                for gone in [
                    vec![7],
                    vec![7, 8],
                    vec![7, 9, 11],
                    vec![5, 6, 7, 8, 9, 10, 11],
                ] {
                    let out = play(rate, &pcm, &gone);
                    let (got, was) = (steepest(&out), steepest(&pcm));
                    assert!(
                        got * 10 <= was * 13,
                        "{hz} Hz at {rate}, {gone:?}: {got} for {was}"
                    );
                }
            }
        }
    }

    #[test]
    fn fades_to_silence_after_sixty_milliseconds() {
        let pcm = voice(120.0, 8000, 8000);
        let out = play(8000, &pcm, &(10..20).collect::<Vec<_>>());
        assert!(rms_dbfs(&out[1600..1680]) > rms_dbfs(&pcm[1600..1680]) - 2.0);
        assert!(rms_dbfs(&out[1920..2080]) < rms_dbfs(&pcm[1920..2080]) - 6.0);
        assert!(out[2080..3200].iter().all(|&s| s == 0));
        assert_eq!(
            out[3200 + 40..],
            pcm[3200 + 40..],
            "back to the sound itself after 5 ms"
        );
    }

    #[test]
    fn loss_before_anything_arrived_is_silence_and_short_frames_work() {
        let mut c = Concealer::new(8000);
        let mut f = [1; 80];
        c.lost(&mut f);
        assert_eq!(f, [0; 80]);
        for n in 0..200 {
            let mut f = voice(150.0, 8000, 5);
            if n % 3 == 0 {
                c.lost(&mut f)
            } else {
                c.good(&mut f)
            }
        }
        let mut long = voice(150.0, 8000, 2000);
        c.good(&mut long);
        c.lost(&mut []);
    }
}
