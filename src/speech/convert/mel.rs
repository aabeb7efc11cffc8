//! The mel filters that whisper.cpp reads from its model file.

/// FFT bins of a 400-sample window at 16 kHz.
pub const BINS: usize = 201;

/// Hertz of a point on Slaney's mel scale: linear below 1 kHz (15 mel), logarithmic above.
fn hertz(mel: f64) -> f64 {
    if mel < 15.0 {
        mel * 200.0 / 3.0
    } else {
        1000.0 * ((mel - 15.0) * 6.4f64.ln() / 27.0).exp()
    }
}

/// `bands` rows of `BINS` weights, 0 to 8 kHz, as `librosa.filters.mel(sr=16000, n_fft=400, n_mels=bands)` gives them:
/// triangles on the Slaney scale, each row scaled to equal area.
pub fn filterbank(bands: usize) -> Vec<f32> {
    let top = 15.0 + (8.0f64).ln() / (6.4f64.ln() / 27.0);
    let edges: Vec<f64> = (0..bands + 2)
        .map(|i| hertz(top * i as f64 / (bands + 1) as f64))
        .collect();
    let mut out = Vec::with_capacity(bands * BINS);
    for edge in edges.windows(3) {
        let area = 2.0 / (edge[2] - edge[0]);
        for bin in 0..BINS {
            let f = bin as f64 * 40.0;
            let up = (f - edge[0]) / (edge[1] - edge[0]);
            let down = (edge[2] - f) / (edge[2] - edge[1]);
            out.push((up.min(down).max(0.0) * area) as f32);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_triangles_of_equal_area() {
        let filters = filterbank(80);
        assert_eq!(filters.len(), 80 * BINS);
        for row in filters.chunks(BINS).skip(40) {
            // Bins are 40 Hz apart; wide triangles are well sampled.
            let area: f32 = row.iter().sum::<f32>() * 40.0;
            assert!((area - 1.0).abs() < 0.1, "{area}");
        }
        assert!(filters.iter().all(|w| (0.0..0.03).contains(w)));
    }

    #[test]
    fn matches_published_values() {
        // The first weights of the table that OpenAI ships (mel_80): band 0 is 0, 0.02486259, 0; band 1 is 0, 0.00199083.
        let filters = filterbank(80);
        assert_eq!(filters[0], 0.0);
        assert!((filters[1] - 0.024_862_6).abs() < 1e-6, "{}", filters[1]);
        assert_eq!(filters[2], 0.0);
        let second = filters[BINS + 1];
        assert!((second - 0.001_990_8).abs() < 1e-6, "{second}");
    }
}
