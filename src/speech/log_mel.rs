//! Log-mel pictures of sound as Whisper's feature extractor makes them: what smart-turn looks at. Pure.
//!
//! The recipe (window, filters, floor, scaling) is Whisper's (Radford et al. 2022, and the `WhisperFeatureExtractor` of the
//! transformers library, with `do_normalize`), 160 samples a column, 80 bands.

use realfft::{RealFftPlanner, RealToComplex};
use std::sync::Arc;

use super::convert::mel::{BINS, filterbank};

/// Mel bands.
pub const BANDS: usize = 80;
/// Samples of one window, and from one column to the next, at 16 kHz.
const WINDOW: usize = 400;
const HOP: usize = 160;

/// Makes pictures of one length; keeps its tables.
pub struct LogMel {
    fft: Arc<dyn RealToComplex<f32>>,
    hann: Vec<f32>,
    /// Each band's filter: the first bin it takes anything of, and its weights from there.
    filters: Vec<(usize, Vec<f32>)>,
    columns: usize,
}

impl LogMel {
    /// `columns`: length of the picture, 10 ms each.
    pub fn new(columns: usize) -> Self {
        let table = filterbank(BANDS);
        let filters = table
            .chunks(BINS)
            .map(|row| {
                let first = row.iter().position(|w| *w > 0.0).unwrap_or(0);
                let last = row.iter().rposition(|w| *w > 0.0).unwrap_or(0);
                (first, row[first..=last].to_vec())
            })
            .collect();
        let hann = (0..WINDOW)
            .map(|i| 0.5 - 0.5 * (std::f32::consts::TAU * i as f32 / WINDOW as f32).cos())
            .collect();
        Self {
            fft: RealFftPlanner::new().plan_fft_forward(WINDOW),
            hann,
            filters,
            columns,
        }
    }

    /// The end of `pcm` (16 kHz), preceded by silence where it is shorter than the picture; brought to mean 0 and variance 1
    /// first. `BANDS` rows of `columns`, each about -1 to 1.
    pub fn of_the_end(&self, pcm: &[i16]) -> Vec<f32> {
        let all = self.columns * HOP;
        let pcm = &pcm[pcm.len().saturating_sub(all)..];
        let silence = all - pcm.len();
        let mut sound = vec![0.0f32; all];
        for (to, from) in sound[silence..].iter_mut().zip(pcm) {
            *to = f32::from(*from) / 32_768.0;
        }
        normalise(&mut sound);
        self.picture(&sound, silence)
    }

    /// `silence`: samples at the start that are all alike; their columns are computed once.
    fn picture(&self, sound: &[f32], silence: usize) -> Vec<f32> {
        // The sound is mirrored at both ends, so that the first column stands in the middle of its window.
        let half = WINDOW / 2;
        let n = sound.len();
        let at = |i: usize| -> f32 {
            let j = i as isize - half as isize;
            let j = if j < 0 {
                -j
            } else if j as usize >= n {
                2 * (n as isize - 1) - j
            } else {
                j
            };
            sound.get(j as usize).copied().unwrap_or(0.0)
        };
        let mut window = self.fft.make_input_vec();
        let mut spectrum = self.fft.make_output_vec();
        let mut scratch = self.fft.make_scratch_vec();
        let mut out = vec![0.0f32; BANDS * self.columns];
        let mut highest = f32::NEG_INFINITY;
        let mut quiet: Option<Vec<f32>> = None;
        for column in 0..self.columns {
            let from = column * HOP;
            let is_quiet = from + WINDOW <= silence + half;
            let bands = match &quiet {
                Some(bands) if is_quiet => bands.clone(),
                _ => {
                    for (i, (x, w)) in window.iter_mut().zip(&self.hann).enumerate() {
                        *x = at(from + i) * w;
                    }
                    // Lengths are the plan's own, so it cannot fail; what it left would be silence.
                    let _ = self
                        .fft
                        .process_with_scratch(&mut window, &mut spectrum, &mut scratch);
                    let power: Vec<f32> = spectrum
                        .iter()
                        .map(realfft::num_complex::Complex::norm_sqr)
                        .collect();
                    let bands: Vec<f32> = self
                        .filters
                        .iter()
                        .map(|(first, weights)| {
                            let sum: f32 = weights
                                .iter()
                                .zip(&power[*first..])
                                .map(|(w, p)| w * p)
                                .sum();
                            sum.max(1e-10).log10()
                        })
                        .collect();
                    if is_quiet {
                        quiet = Some(bands.clone());
                    }
                    bands
                }
            };
            for (band, value) in bands.iter().enumerate() {
                out[band * self.columns + column] = *value;
                highest = highest.max(*value);
            }
        }
        // Eight powers of ten below the loudest is as quiet as it gets.
        for value in &mut out {
            *value = (value.max(highest - 8.0) + 4.0) / 4.0;
        }
        out
    }
}

/// Mean 0, variance 1.
fn normalise(sound: &mut [f32]) {
    let n = sound.len().max(1) as f64;
    let mean = sound.iter().map(|s| f64::from(*s)).sum::<f64>() / n;
    let variance = sound
        .iter()
        .map(|s| (f64::from(*s) - mean).powi(2))
        .sum::<f64>()
        / n;
    let scale = 1.0 / (variance + 1e-7).sqrt();
    for s in sound {
        *s = ((f64::from(*s) - mean) * scale) as f32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A rising tone of `n` samples, with an offset, so that the mean matters.
    fn chirp(n: usize) -> Vec<i16> {
        (0..n)
            .map(|i| {
                let t = i as f64 / 16_000.0;
                (6000.0 * (std::f64::consts::TAU * (200.0 + 400.0 * t) * t).sin() + 100.0) as i16
            })
            .collect()
    }

    #[test]
    fn a_picture_is_what_the_reference_makes() {
        // Figures of the transformers feature extractor's recipe in double precision, over the same sound.
        let picture = LogMel::new(800).of_the_end(&chirp(40_000));
        assert_eq!(picture.len(), 80 * 800);
        let at = |band: usize, column: usize| picture[band * 800 + column];
        for (band, column, expected) in REFERENCE {
            let got = at(*band, *column);
            assert!(
                (got - expected).abs() < 2e-3,
                "{band} {column}: {got}, not {expected}"
            );
        }
        let mean = picture.iter().sum::<f32>() / picture.len() as f32;
        assert!((mean - REFERENCE_MEAN).abs() < 2e-3, "{mean}");
    }

    #[test]
    fn silence_and_nothing_are_pictures_too() {
        for pcm in [vec![], vec![0i16; 200_000], vec![i16::MIN; 5]] {
            let picture = LogMel::new(800).of_the_end(&pcm);
            assert!(picture.iter().all(|v| v.is_finite()));
        }
    }

    // Computed once with numpy; see above.
    const REFERENCE: &[(usize, usize, f32)] = &[
        (0, 0, 0.66251),
        (0, 400, 0.66251),
        (5, 549, 0.69727),
        (5, 551, 1.75030),
        (10, 600, 0.18918),
        (20, 700, -0.19566),
        (60, 799, 0.28426),
        (79, 799, 0.03988),
        (79, 300, -0.19566),
        (13, 660, -0.19566),
    ];
    const REFERENCE_MEAN: f32 = -0.119_337;
}
