//! How loud, how clipped, and where it is silent.

/// What digital silence is reported as, so that no figure is minus infinity.
pub const FLOOR_DBFS: f32 = -120.0;

/// Root mean square in dB below a full-scale square wave (a full-scale sine is -3.01). [`FLOOR_DBFS`] for silence or nothing.
pub fn rms_dbfs(pcm: &[i16]) -> f32 {
    if pcm.is_empty() {
        return FLOOR_DBFS;
    }
    let sum: f64 = pcm.iter().map(|&s| f64::from(s) * f64::from(s)).sum();
    to_dbfs((sum / pcm.len() as f64).sqrt())
}

/// Largest magnitude in dB below full scale.
pub fn peak_dbfs(pcm: &[i16]) -> f32 {
    to_dbfs(f64::from(
        pcm.iter().map(|s| s.unsigned_abs()).max().unwrap_or(0),
    ))
}

fn to_dbfs(amplitude: f64) -> f32 {
    if amplitude < 1e-6 {
        return FLOOR_DBFS;
    }
    ((20.0 * (amplitude / 32_768.0).log10()) as f32).max(FLOOR_DBFS)
}

/// Samples that stand in a run of two or more at full scale: one alone is a peak, a run is a clipped wave.
pub fn clipped(pcm: &[i16]) -> usize {
    let full = |s: &i16| *s == i16::MAX || *s <= -i16::MAX;
    pcm.chunk_by(|a, b| full(a) && full(b) && a.signum() == b.signum())
        .filter(|run| run.len() >= 2)
        .map(<[i16]>::len)
        .sum()
}

/// A stretch of silence, milliseconds from the start of the sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Silence {
    pub start_ms: u64,
    pub end_ms: u64,
}

/// Length of the blocks in which silence is looked for.
const BLOCK_MS: u64 = 10;

/// Every stretch of at least `min_ms` in which no 10 ms block is louder (RMS) than `threshold_dbfs`. To the nearest 10 ms.
pub fn silences(pcm: &[i16], rate: u32, threshold_dbfs: f32, min_ms: u64) -> Vec<Silence> {
    let block = (u64::from(rate) * BLOCK_MS / 1000).max(1) as usize;
    let mut found = Vec::new();
    let mut since = None;
    let mut ms = 0;
    for chunk in pcm.chunks(block) {
        let quiet = rms_dbfs(chunk) <= threshold_dbfs;
        if quiet {
            since.get_or_insert(ms);
        } else if let Some(start_ms) = since.take() {
            found.push(Silence {
                start_ms,
                end_ms: ms,
            });
        }
        ms += chunk.len() as u64 * 1000 / u64::from(rate.max(1));
    }
    if let Some(start_ms) = since {
        found.push(Silence {
            start_ms,
            end_ms: ms,
        });
    }
    found.retain(|s| s.end_ms - s.start_ms >= min_ms);
    found
}

/// The longest stretch below `threshold_dbfs`, milliseconds; 0 where there is none.
pub fn longest_silence_ms(pcm: &[i16], rate: u32, threshold_dbfs: f32) -> u64 {
    silences(pcm, rate, threshold_dbfs, 1)
        .iter()
        .map(|s| s.end_ms - s.start_ms)
        .max()
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::TAU;

    fn sine(amplitude: f64, samples: usize) -> Vec<i16> {
        (0..samples)
            .map(|i| (amplitude * (TAU * 440.0 * i as f64 / 16_000.0).sin()) as i16)
            .collect()
    }

    #[test]
    fn levels_of_a_sine() {
        let pcm = sine(16_384.0, 16_000);
        assert!((rms_dbfs(&pcm) + 9.03).abs() < 0.05, "{}", rms_dbfs(&pcm));
        assert!((peak_dbfs(&pcm) + 6.02).abs() < 0.05);
        assert_eq!(rms_dbfs(&[]), FLOOR_DBFS);
        assert_eq!(peak_dbfs(&[0; 9]), FLOOR_DBFS);
        assert_eq!(peak_dbfs(&[i16::MIN]), 0.0);
    }

    #[test]
    fn clipping_is_a_run_at_full_scale() {
        assert_eq!(clipped(&[0, i16::MAX, 0]), 0);
        assert_eq!(
            clipped(&[0, i16::MAX, i16::MAX, 5, i16::MIN, i16::MIN, i16::MIN]),
            5
        );
        assert_eq!(clipped(&[i16::MAX, i16::MIN]), 0, "two single peaks");
    }

    #[test]
    fn finds_the_gap() {
        let mut pcm = sine(8000.0, 8000);
        pcm.extend([0; 4800]);
        pcm.extend(sine(8000.0, 8000));
        pcm.extend([1; 800]);
        assert_eq!(longest_silence_ms(&pcm, 16_000, -50.0), 300);
        assert_eq!(
            silences(&pcm, 16_000, -50.0, 100),
            vec![Silence {
                start_ms: 500,
                end_ms: 800
            }]
        );
        assert_eq!(silences(&pcm, 16_000, -50.0, 20).len(), 2);
        assert_eq!(longest_silence_ms(&sine(8000.0, 8000), 16_000, -50.0), 0);
    }
}
