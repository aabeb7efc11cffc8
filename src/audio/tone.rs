//! Sounds the line makes itself: hold music, ringing, a chime. Synthesised here, so there is nothing to license.

use std::f64::consts::{PI, TAU};
use std::sync::{Arc, OnceLock};

use super::{FRAME, RATE};

/// Level the hold music is brought to, dBFS RMS: audible, and well under the words spoken over it.
const MUSIC_DBFS: f32 = -24.0;
/// Seconds of one chord, and of the whole loop.
const CHORD_S: f64 = 4.0;
/// Four soft chords in F, low to high, as MIDI note numbers.
const CHORDS: [[u8; 5]; 4] = [
    [41, 53, 57, 60, 64],
    [38, 53, 57, 62, 65],
    [46, 53, 58, 62, 65],
    [48, 52, 58, 60, 67],
];
/// The order in which a chord's upper notes are plucked, one every half second.
const PLUCKS: [usize; 8] = [1, 2, 3, 4, 3, 2, 4, 3];

/// Hold music: a gentle loop of 16 s that meets itself without a seam. Every call's music starts at its beginning.
#[derive(Debug, Clone)]
pub struct HoldMusic {
    sound: Arc<[i16]>,
    at: usize,
}

impl Default for HoldMusic {
    fn default() -> Self {
        Self::new()
    }
}

impl HoldMusic {
    /// The first one made in a program renders the loop (some tens of milliseconds); later ones share it.
    pub fn new() -> Self {
        static LOOP: OnceLock<Arc<[i16]>> = OnceLock::new();
        Self {
            sound: LOOP.get_or_init(render_music).clone(),
            at: 0,
        }
    }

    /// The next 20 ms.
    pub fn pull(&mut self) -> [i16; FRAME] {
        let mut out = [0; FRAME];
        for s in &mut out {
            *s = self.sound[self.at];
            self.at = (self.at + 1) % self.sound.len();
        }
        out
    }

    /// Start again from the beginning.
    pub fn restart(&mut self) {
        self.at = 0;
    }
}

fn render_music() -> Arc<[i16]> {
    let rate = f64::from(RATE);
    let length = (CHORD_S * CHORDS.len() as f64 * rate) as usize;
    let mut sum = vec![0f64; length];
    for (n, chord) in CHORDS.iter().enumerate() {
        let start = CHORD_S * n as f64;
        // The root holds through the chord; the others are plucked over it.
        note(&mut sum, start, hz(chord[0]), 0.5, 0.08, 2.2);
        for (i, &pick) in PLUCKS.iter().enumerate() {
            note(
                &mut sum,
                start + 0.5 * i as f64,
                hz(chord[pick]),
                0.32,
                0.012,
                0.9,
            );
        }
    }
    let power = sum.iter().map(|s| s * s).sum::<f64>() / length as f64;
    let gain = 32_768.0 * 10f64.powf(f64::from(MUSIC_DBFS) / 20.0) / power.sqrt();
    sum.iter().map(|s| (s * gain).round() as i16).collect()
}

/// Adds one decaying note, wrapping round the end of the loop, so that what rings on is heard at its beginning.
fn note(sum: &mut [f64], start_s: f64, hz: f64, level: f64, attack_s: f64, decay_s: f64) {
    let rate = f64::from(RATE);
    let start = (start_s * rate) as usize;
    let samples = (decay_s * 5.0 * rate) as usize;
    for i in 0..samples.min(sum.len()) {
        let t = i as f64 / rate;
        let rise = if t < attack_s {
            0.5 - 0.5 * (PI * t / attack_s).cos()
        } else {
            1.0
        };
        // Straight to nothing over the last tenth.
        let end = ((samples - i) as f64 / (samples as f64 / 10.0)).min(1.0);
        let wave = (TAU * hz * t).sin()
            + 0.35 * (TAU * 2.0 * hz * t).sin() * (-t / (decay_s * 0.4)).exp()
            + 0.12 * (TAU * 3.0 * hz * t).sin() * (-t / (decay_s * 0.2)).exp();
        let n = (start + i) % sum.len();
        sum[n] += level * rise * end * (-t / decay_s).exp() * wave;
    }
}

fn hz(midi: u8) -> f64 {
    440.0 * 2f64.powf((f64::from(midi) - 69.0) / 12.0)
}

/// Whose ringing to imitate (ITU-T E.180 supplement 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Ring {
    /// 440 + 480 Hz, 2 s on, 4 s off.
    #[default]
    NorthAmerica,
    /// 400 + 450 Hz, 0.4 s on, 0.2 off, 0.4 on, 2 off.
    Britain,
    /// 425 Hz, 1 s on, 4 s off.
    Europe,
}

impl Ring {
    fn tones(self) -> (f64, f64) {
        match self {
            Ring::NorthAmerica => (440.0, 480.0),
            Ring::Britain => (400.0, 450.0),
            Ring::Europe => (425.0, 425.0),
        }
    }

    /// Milliseconds on and off, by turns.
    fn cadence(self) -> &'static [u64] {
        match self {
            Ring::NorthAmerica => &[2000, 4000],
            Ring::Britain => &[400, 200, 400, 2000],
            Ring::Europe => &[1000, 4000],
        }
    }
}

/// Ring-back: what a caller hears while somebody is being rung. About -25 dBFS.
#[derive(Debug, Clone, Default)]
pub struct RingBack {
    ring: Ring,
    at: u64,
}

impl RingBack {
    pub fn new(ring: Ring) -> Self {
        Self { ring, at: 0 }
    }

    /// The next 20 ms.
    pub fn pull(&mut self) -> [i16; FRAME] {
        let (a, b) = self.ring.tones();
        let total: u64 = self.ring.cadence().iter().sum::<u64>() * u64::from(RATE) / 1000;
        let mut out = [0; FRAME];
        for s in &mut out {
            let (gain, since) = self.gain(self.at % total);
            let t = since as f64 / f64::from(RATE);
            *s = (1300.0 * gain * ((TAU * a * t).sin() + (TAU * b * t).sin())).round() as i16;
            self.at += 1;
        }
        out
    }

    /// Gain (with 10 ms ramps) and samples since the burst began, at a place in the cadence.
    fn gain(&self, at: u64) -> (f64, u64) {
        let ramp = f64::from(RATE) / 100.0;
        let mut start = 0;
        for (i, ms) in self.ring.cadence().iter().enumerate() {
            let end = start + ms * u64::from(RATE) / 1000;
            if at < end {
                let edge = (at - start).min(end - at) as f64;
                let on = if i % 2 == 0 {
                    (edge / ramp).min(1.0)
                } else {
                    0.0
                };
                return (on, at - start);
            }
            start = end;
        }
        (0.0, 0)
    }
}

/// Two rising notes, 400 ms, about -24 dBFS: somebody has been joined.
pub fn chime() -> Vec<i16> {
    let samples = RATE as usize * 400 / 1000;
    let mut sum = vec![0f64; samples];
    for (start_s, hz) in [(0.0, 659.26), (0.14, 880.0)] {
        let start = (start_s * f64::from(RATE)) as usize;
        for (i, s) in sum[start..].iter_mut().enumerate() {
            let t = i as f64 / f64::from(RATE);
            *s += (t / 0.006).min(1.0) * (-t / 0.09).exp() * (TAU * hz * t).sin();
        }
    }
    let fade = RATE as usize / 50;
    sum.iter()
        .enumerate()
        .map(|(i, s)| {
            let end = ((samples - 1 - i) as f64 / fade as f64).min(1.0);
            (6000.0 * end * s).round() as i16
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::level::{clipped, peak_dbfs, rms_dbfs, silences};

    #[test]
    fn the_music_is_level_and_meets_itself() {
        let mut m = HoldMusic::new();
        let frames = 16 * 50;
        let once: Vec<i16> = (0..frames).flat_map(|_| m.pull()).collect();
        let again: Vec<i16> = (0..frames).flat_map(|_| m.pull()).collect();
        assert_eq!(once, again, "the loop is 16 s");
        assert!((rms_dbfs(&once) - MUSIC_DBFS).abs() < 0.1);
        assert!(peak_dbfs(&once) < -8.0 && clipped(&once) == 0);
        assert_eq!(silences(&once, RATE, -50.0, 100), [], "never seems dead");
        let steepest = |pcm: &[i16]| {
            pcm.windows(2)
                .map(|w| (i32::from(w[1]) - i32::from(w[0])).abs())
                .max()
                .unwrap()
        };
        let seam = [&once[once.len() - 50..], &once[..50]].concat();
        assert!(steepest(&seam) <= steepest(&once), "a click at the seam");
        m.pull();
        m.restart();
        assert_eq!(m.pull()[..], once[..FRAME]);
    }

    #[test]
    fn ringing_keeps_its_cadence() {
        for (ring, on, off) in [
            (Ring::NorthAmerica, 2000, 4000),
            (Ring::Britain, 400, 2000),
            (Ring::Europe, 1000, 4000),
        ] {
            let mut r = RingBack::new(ring);
            let pcm: Vec<i16> = (0..600).flat_map(|_| r.pull()).collect();
            let gap = silences(&pcm, RATE, -60.0, 1500)[0];
            assert!(
                (gap.end_ms - gap.start_ms).abs_diff(off) <= 20,
                "{ring:?} {gap:?}"
            );
            let level = rms_dbfs(&pcm[320..on as usize * 16 - 320]);
            assert!((-30.0..-20.0).contains(&level), "{ring:?}: {level}");
        }
    }

    #[test]
    fn the_chime_starts_and_ends_in_silence() {
        let c = chime();
        assert_eq!(c.len(), 6400);
        assert!(c[0].abs() < 10 && c[6399] == 0);
        assert!((-28.0..-16.0).contains(&rms_dbfs(&c)), "{}", rms_dbfs(&c));
    }
}
