//! Finishing what an engine says: edges, loudness, pauses between clauses. Pure.

use crate::audio::RATE;

/// Loudness of speech, measured where there is any: a usual level for a telephone prompt.
const TARGET_DBFS: f32 = -20.0;
/// Nothing may come closer to full scale than this.
const PEAK: f32 = 0.89;
/// Sound quieter than this, below the loudest window, is not yet (or no longer) speech.
const EDGE_DB: f32 = 45.0;
/// What stays before the first and after the last sound, milliseconds. Endings fade slowly, so more of them stays.
const BEFORE_MS: usize = 5;
const AFTER_MS: usize = 25;
/// Length of the ramps at both ends, milliseconds.
const RAMP_MS: usize = 4;

/// Trims silence at both ends to a few milliseconds, brings speech to -20 dBFS and ramps both ends, so that clauses join
/// without clicks and at one loudness. `pcm`: 1.0 is full scale, at `rate`.
pub fn finish(mut pcm: Vec<f32>, rate: u32) -> Vec<i16> {
    let window = (rate / 200).max(1) as usize; // 5 ms
    let levels: Vec<f32> = pcm.chunks(window).map(rms).collect();
    let loudest = levels.iter().copied().fold(0f32, f32::max);
    if loudest < 1e-5 {
        return Vec::new();
    }
    let edge = (loudest * 10f32.powf(-EDGE_DB / 20.0)).max(2e-4);
    let first = levels.iter().position(|l| *l > edge).unwrap_or(0);
    let last = levels.iter().rposition(|l| *l > edge).unwrap_or(0);
    let ms = rate as usize / 1000;
    let to = ((last + 1) * window + AFTER_MS * ms).min(pcm.len());
    let from = (first * window).saturating_sub(BEFORE_MS * ms);
    pcm.truncate(to);
    pcm.drain(..from);

    let gain = gain(&levels[first..=last]);
    for s in &mut pcm {
        *s = soft(*s * gain);
    }
    let ramp = (RAMP_MS * ms).min(pcm.len() / 2);
    let n = pcm.len();
    for i in 0..ramp {
        // Half a raised cosine: no step and no corner.
        let part = 0.5 - 0.5 * (std::f32::consts::PI * (i as f32 + 0.5) / ramp as f32).cos();
        pcm[i] *= part;
        pcm[n - 1 - i] *= part;
    }
    pcm.iter()
        .map(|s| (s * 32_767.0).round().clamp(-32_768.0, 32_767.0) as i16)
        .collect()
}

/// The same for sound that comes in pieces and is played before its end is known: leading silence goes, quiet is held back until
/// it is known whether more follows, both ends are ramped. The level is judged by what the voice said before, and by its first
/// 200 ms where it has said nothing yet; within a clause it does not change.
#[derive(Debug, Clone, Default)]
pub struct Finisher {
    /// What brings this voice to its level; none before its first clause.
    gain: Option<f32>,
    /// The clause's own.
    now: f32,
    begun: bool,
    /// Not given out yet: the beginning, until there is a level; then the end, while it may be the last.
    held: Vec<f32>,
    /// Levels of the clause's windows of 5 ms.
    levels: Vec<f32>,
    /// What does not fill a window yet.
    part: Vec<f32>,
    given: usize,
}

/// Samples of 5 ms at 16 kHz.
const WINDOW: usize = RATE as usize / 200;
/// Speech to be heard before the first clause's level is fixed, in windows.
const JUDGED: usize = 40;
/// Quieter than this is no speech, whatever the voice.
const FLOOR: f32 = 0.003;

impl Finisher {
    /// A new clause.
    pub fn begin(&mut self) {
        *self = Self {
            gain: self.gain,
            ..Self::default()
        };
    }

    /// More of the clause, at 16 kHz; what of it may be played.
    pub fn push(&mut self, pcm: &[i16]) -> Vec<i16> {
        self.part
            .extend(pcm.iter().map(|s| f32::from(*s) / 32_768.0));
        let mut out = Vec::new();
        let whole = self.part.len() / WINDOW * WINDOW;
        let rest = self.part.split_off(whole);
        let ready = std::mem::replace(&mut self.part, rest);
        for window in ready.chunks(WINDOW) {
            let level = rms(window);
            let speech = level > FLOOR;
            if self.levels.is_empty() && !speech {
                // Before the first sound: only the window right before it stays.
                self.held = window.to_vec();
                continue;
            }
            self.levels.push(level);
            self.held.extend_from_slice(window);
            if !self.begun {
                let known = self.gain.is_some() || self.levels.len() >= JUDGED;
                if !known {
                    continue;
                }
                self.fix_gain();
            }
            if speech {
                // One window stays for the ramp, should this be the end.
                let until = self.held.len() - WINDOW;
                self.give(until, &mut out);
            }
        }
        out
    }

    /// The clause is over: the rest of it.
    pub fn end(&mut self) -> Vec<i16> {
        let part = std::mem::take(&mut self.part);
        if !self.levels.is_empty() {
            self.held.extend_from_slice(&part);
        }
        if self.levels.is_empty() {
            return Vec::new();
        }
        if !self.begun {
            self.fix_gain();
        }
        let ms = RATE as usize / 1000;
        // What is held is the last sound and the quiet after it.
        let last = self
            .held
            .chunks(WINDOW)
            .rposition(|w| rms(w) > FLOOR)
            .map_or(0, |n| (n + 1) * WINDOW);
        self.held
            .truncate((last + AFTER_MS * ms).min(self.held.len()));
        let mut out = Vec::new();
        let all = self.held.len();
        self.give(all, &mut out);
        let ramp = (RAMP_MS * ms).min(out.len());
        let from = out.len() - ramp;
        for (i, s) in out[from..].iter_mut().enumerate() {
            let part = 0.5 + 0.5 * (std::f32::consts::PI * (i as f32 + 0.5) / ramp as f32).cos();
            *s = (f32::from(*s) * part) as i16;
        }
        let whole = gain(&self.levels);
        self.gain = Some(self.gain.map_or(whole, |g| g * 0.7 + whole * 0.3));
        out
    }

    fn fix_gain(&mut self) {
        self.now = self.gain.unwrap_or_else(|| gain(&self.levels));
        self.begun = true;
    }

    /// Gives out the first `until` held samples.
    fn give(&mut self, until: usize, out: &mut Vec<i16>) {
        let ramp = RAMP_MS * RATE as usize / 1000;
        for s in self.held.drain(..until) {
            let mut s = soft(s * self.now);
            if self.given < ramp {
                let part = 0.5
                    - 0.5 * (std::f32::consts::PI * (self.given as f32 + 0.5) / ramp as f32).cos();
                s *= part;
            }
            self.given += 1;
            out.push((s * 32_767.0).round().clamp(-32_768.0, 32_767.0) as i16);
        }
    }
}

/// What brings the speech in these windows to [`TARGET_DBFS`]; pauses in between do not count.
fn gain(levels: &[f32]) -> f32 {
    let loudest = levels.iter().copied().fold(0f32, f32::max);
    let speech: Vec<f32> = levels
        .iter()
        .copied()
        .filter(|l| *l > loudest * 0.05)
        .map(|l| l * l)
        .collect();
    let mean = (speech.iter().sum::<f32>() / speech.len().max(1) as f32).sqrt();
    (10f32.powf(TARGET_DBFS / 20.0) / mean.max(1e-4)).min(8.0)
}

/// Straight up to -6 dB, then bent so that [`PEAK`] is never passed: a peak that is cut off clicks.
fn soft(s: f32) -> f32 {
    const KNEE: f32 = 0.5;
    let room = PEAK - KNEE;
    if s.abs() <= KNEE {
        return s;
    }
    (KNEE + room * ((s.abs() - KNEE) / room).tanh()).copysign(s)
}

fn rms(window: &[f32]) -> f32 {
    (window.iter().map(|s| s * s).sum::<f32>() / window.len().max(1) as f32).sqrt()
}

/// Pause after a clause, milliseconds, from how it ends: what a person leaves before going on.
pub fn pause_ms(clause: &str) -> u32 {
    match clause
        .trim_end_matches(['"', '\'', ')', ' ', '\u{201d}'])
        .chars()
        .last()
    {
        Some('.' | '!' | '?' | '…') => 260,
        Some(',' | ';' | ':') => 130,
        _ => 50,
    }
}

/// Clauses joined with their pauses into one piece at 16 kHz.
pub fn join(clauses: &[(String, Vec<i16>)]) -> Vec<i16> {
    let mut out = Vec::new();
    for (n, (text, pcm)) in clauses.iter().enumerate() {
        out.extend_from_slice(pcm);
        if n + 1 < clauses.len() {
            let pause = (u64::from(pause_ms(text)) * u64::from(RATE) / 1000) as usize;
            out.resize(out.len() + pause, 0);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(level: f32, ms: usize, pad: usize) -> Vec<f32> {
        let n = ms * 16;
        let mut out = vec![0.0; pad * 16];
        out.extend((0..n).map(|i| (i as f32 * 0.17).sin() * level));
        out.resize(out.len() + pad * 16, 0.0);
        out
    }

    #[test]
    fn loud_and_quiet_come_out_alike_and_trimmed() {
        for level in [0.03, 0.3, 0.9] {
            let out = finish(tone(level, 500, 300), RATE);
            let ms = out.len() / 16;
            assert!((525..=540).contains(&ms), "{ms} ms");
            let middle: Vec<f32> = out[1600..8000]
                .iter()
                .map(|s| f32::from(*s) / 32_768.0)
                .collect();
            let db = 20.0 * rms(&middle).log10();
            assert!((db - TARGET_DBFS).abs() < 1.0, "{level}: {db}");
        }
    }

    #[test]
    fn no_step_at_either_end_and_no_clipping() {
        // Speech that starts at once, and a spike over it.
        let mut pcm = tone(0.2, 300, 0);
        pcm[2000] = 1.0;
        let out = finish(pcm, RATE);
        assert!(out[0].abs() < 40 && out[out.len() - 1].abs() < 40);
        assert!(out[..64].windows(2).all(|w| (w[1] - w[0]).abs() < 1200));
        assert!(out.iter().all(|s| s.abs() < 29_500));
        assert!(finish(vec![0.0; 5000], RATE).is_empty());
        assert!(finish(Vec::new(), RATE).is_empty());
    }

    #[test]
    fn sound_in_pieces_comes_out_as_one() {
        for (level, size) in [(0.03, 333), (0.3, 320), (0.3, 7000), (0.8, 80)] {
            // Speech begins and ends softly.
            let whole: Vec<i16> = tone(level, 500, 300)
                .iter()
                .enumerate()
                .map(|(i, s)| {
                    let edge = (i as f32 - 4800.0).min(12_800.0 - i as f32) / 160.0;
                    (s * edge.clamp(0.0, 1.0) * 32_767.0) as i16
                })
                .collect();
            let mut finisher = Finisher::default();
            for clause in 0..2 {
                finisher.begin();
                let mut out: Vec<i16> = Vec::new();
                for piece in whole.chunks(size) {
                    out.extend(finisher.push(piece));
                }
                let before_end = out.len();
                out.extend(finisher.end());
                let ms = out.len() / 16;
                assert!((520..=545).contains(&ms), "{ms} ms at {level}");
                assert!(before_end / 16 >= 490, "held too long: {before_end}");
                let middle: Vec<f32> = out[1600..8000]
                    .iter()
                    .map(|s| f32::from(*s) / 32_768.0)
                    .collect();
                let db = 20.0 * rms(&middle).log10();
                assert!((db - TARGET_DBFS).abs() < 1.5, "{level}, {clause}: {db}");
                assert!(out[0].abs() < 60 && out[out.len() - 1].abs() < 60);
                let step = out.windows(2).map(|w| (w[1] - w[0]).abs()).max().unwrap();
                assert!(step < 1500, "a click of {step}");
            }
        }
        // A pause in the middle stays; nothing and silence are nothing.
        let mut finisher = Finisher::default();
        finisher.begin();
        let word: Vec<i16> = tone(0.2, 300, 0)
            .iter()
            .map(|s| (s * 32_767.0) as i16)
            .collect();
        let mut out = finisher.push(&word);
        out.extend(finisher.push(&[0; 1600]));
        out.extend(finisher.push(&word));
        out.extend(finisher.end());
        assert!(
            (690..=710).contains(&(out.len() / 16)),
            "{}",
            out.len() / 16
        );
        finisher.begin();
        assert!(finisher.push(&[0; 5000]).is_empty() && finisher.end().is_empty());
    }

    #[test]
    fn pauses_follow_the_punctuation() {
        assert!(pause_ms("Done.") > pause_ms("Well,"));
        assert!(pause_ms("Well,") > pause_ms("and"));
        let joined = join(&[("One.".into(), vec![1; 10]), ("Two.".into(), vec![2; 10])]);
        assert_eq!(joined.len(), 20 + 260 * 16);
    }
}
