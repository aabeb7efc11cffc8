//! Streaming sample-rate conversion, on rubato.
//!
//! Telephone and model rates (all multiples of 50 Hz) go through an FFT in blocks of 10 ms (20 ms where the rates share no
//! smaller block), so that 20 ms in is always exactly 20 ms out. Odd rates go through an interpolated sinc.

use rubato::audioadapter_buffers::direct::SequentialSlice;
use rubato::{Async, Fft, FixedAsync, FixedSync, SincInterpolationParameters, WindowFunction};

/// Steep enough at a 10 ms block to keep the telephone band (to 3.4 kHz at 8 kHz) flat and what would alias below -60 dB.
const WINDOW: WindowFunction = WindowFunction::Hann2;

/// Converts one mono stream from one rate to another. Keeps its state between calls, so frame edges leave no click.
pub struct Resampler {
    engine: Option<Box<dyn rubato::Resampler<f32>>>,
    from_hz: u32,
    to_hz: u32,
    /// Input that does not fill a block yet, then zeros up to a block at [`Resampler::flush`].
    pending: Vec<f32>,
    scratch: Vec<f32>,
    taken: u64,
    given: u64,
}

impl std::fmt::Debug for Resampler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Resampler({} -> {} Hz)", self.from_hz, self.to_hz)
    }
}

impl Resampler {
    /// Equal rates pass straight through. Rates are held between 1 kHz and 384 kHz.
    pub fn new(from_hz: u32, to_hz: u32) -> Self {
        let (from_hz, to_hz) = (from_hz.clamp(1000, 384_000), to_hz.clamp(1000, 384_000));
        let engine = (from_hz != to_hz).then(|| engine(from_hz, to_hz));
        let scratch = engine.as_ref().map_or(0, |e| e.output_frames_max());
        Self {
            engine,
            from_hz,
            to_hz,
            pending: Vec::new(),
            scratch: vec![0.0; scratch],
            taken: 0,
            given: 0,
        }
    }

    /// Takes any number of samples and appends what is ready to `out`: whole blocks only, so input that is no multiple of the
    /// block (10 ms for common rates) waits for the next call.
    pub fn process(&mut self, pcm: &[i16], out: &mut Vec<i16>) {
        self.taken += pcm.len() as u64;
        if self.engine.is_none() {
            self.given += pcm.len() as u64;
            out.extend_from_slice(pcm);
            return;
        }
        self.pending.extend(pcm.iter().map(|&s| f32::from(s)));
        self.run(out);
    }

    /// Pushes out what is still inside, so that the whole stream's length is its input's plus [`Resampler::delay`], then starts
    /// afresh.
    pub fn flush(&mut self, out: &mut Vec<i16>) {
        let Some(engine) = &self.engine else { return };
        let length = self.taken * u64::from(self.to_hz) / u64::from(self.from_hz);
        let want = length + engine.output_delay() as u64;
        let start = out.len() as u64;
        let before = self.given;
        while self.given < want {
            let block = self.engine.as_ref().map_or(1, |e| e.input_frames_next());
            self.pending.resize(block.max(self.pending.len()), 0.0);
            self.run(out);
        }
        out.truncate((start + want.saturating_sub(before)) as usize);
        self.reset();
    }

    /// Forget the stream so far.
    pub fn reset(&mut self) {
        if let Some(engine) = &mut self.engine {
            engine.reset();
        }
        self.pending.clear();
        (self.taken, self.given) = (0, 0);
    }

    /// How many output samples a sound comes later than it went in, not counting input that waits for a whole block: 5 ms for
    /// common rates, 10 ms for 22.05 kHz.
    pub fn delay(&self) -> usize {
        self.engine.as_ref().map_or(0, |e| e.output_delay())
    }

    fn run(&mut self, out: &mut Vec<i16>) {
        let Some(engine) = &mut self.engine else {
            return;
        };
        let mut used = 0;
        loop {
            let need = engine.input_frames_next();
            if self.pending.len() - used < need {
                break;
            }
            let input = SequentialSlice::new(&self.pending[used..used + need], 1, need)
                .expect("one channel of exactly this many samples");
            let room = self.scratch.len();
            let mut output = SequentialSlice::new_mut(&mut self.scratch[..], 1, room)
                .expect("one channel of exactly this many samples");
            let (read, written) = engine
                .process_into_buffer(&input, &mut output, None)
                .expect("buffers of the size the resampler asks for");
            used += read;
            self.given += written as u64;
            out.extend(
                self.scratch[..written]
                    .iter()
                    .map(|&s| s.round().clamp(-32_768.0, 32_767.0) as i16),
            );
        }
        self.pending.drain(..used);
    }
}

fn engine(from_hz: u32, to_hz: u32) -> Box<dyn rubato::Resampler<f32>> {
    let common = gcd(from_hz, to_hz);
    if common >= 50 {
        let hint = (from_hz / 100) as usize;
        let fft = Fft::new_custom(
            from_hz as usize,
            to_hz as usize,
            hint,
            1,
            1,
            WINDOW,
            FixedSync::Both,
        );
        return Box::new(fft.expect("rates and block size are above zero"));
    }
    // Twice the taps when going down, so that the filter spans the same time at the lower rate.
    let taps = (64 * from_hz.div_ceil(to_hz) as usize).clamp(64, 1024);
    let sinc = Async::new_sinc(
        f64::from(to_hz) / f64::from(from_hz),
        1.0,
        &SincInterpolationParameters::new(taps, WINDOW),
        (from_hz / 100) as usize,
        1,
        FixedAsync::Input,
    );
    Box::new(sinc.expect("the ratio and block size are above zero"))
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// A whole sound at another rate, aligned with the original: its length is the original's times the ratio (rounded down), and
/// nothing is delayed.
pub fn resample_all(pcm: &[i16], from_hz: u32, to_hz: u32) -> Vec<i16> {
    let mut resampler = Resampler::new(from_hz, to_hz);
    let delay = resampler.delay();
    let mut out = Vec::with_capacity(
        (pcm.len() as u64 * u64::from(to_hz) / u64::from(from_hz.max(1))) as usize + 2 * delay,
    );
    resampler.process(pcm, &mut out);
    resampler.flush(&mut out);
    out.drain(..delay.min(out.len()));
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::TAU;

    const RATES: [u32; 7] = [8000, 11_025, 16_000, 22_050, 24_000, 44_100, 48_000];

    fn sine(hz: f64, rate: u32, samples: usize) -> Vec<i16> {
        (0..samples)
            .map(|i| (10_000.0 * (TAU * hz * i as f64 / f64::from(rate)).sin()).round() as i16)
            .collect()
    }

    /// In 20 ms frames (as near as the rate allows), without the delay.
    fn stream(pcm: &[i16], from: u32, to: u32, frame: usize) -> Vec<i16> {
        let mut r = Resampler::new(from, to);
        let delay = r.delay();
        let mut out = Vec::new();
        for chunk in pcm.chunks(frame) {
            r.process(chunk, &mut out);
        }
        r.flush(&mut out);
        out.split_off(delay)
    }

    /// Signal-to-noise ratio against the best-fitting sine of the same frequency, dB, and that sine's amplitude.
    fn fit(pcm: &[i16], hz: f64, rate: u32) -> (f64, f64) {
        let (mut s, mut c) = (0.0, 0.0);
        let w = TAU * hz / f64::from(rate);
        for (i, &x) in pcm.iter().enumerate() {
            s += f64::from(x) * (w * i as f64).sin();
            c += f64::from(x) * (w * i as f64).cos();
        }
        let n = pcm.len() as f64;
        let (s, c) = (2.0 * s / n, 2.0 * c / n);
        let noise: f64 = pcm
            .iter()
            .enumerate()
            .map(|(i, &x)| {
                let d = f64::from(x) - s * (w * i as f64).sin() - c * (w * i as f64).cos();
                d * d
            })
            .sum::<f64>()
            / n;
        let power = (s * s + c * c) / 2.0;
        (
            10.0 * (power / noise.max(1e-9)).log10(),
            power.sqrt() * 2f64.sqrt(),
        )
    }

    #[test]
    fn a_sine_keeps_its_shape_and_level_across_frames() {
        for from in RATES {
            for to in RATES {
                // Whole periods, away from both ends of the stream.
                let pcm = sine(1000.0, from, from as usize);
                let out = stream(&pcm, from, to, from as usize / 50);
                let middle = &out[to as usize / 5..to as usize * 4 / 5];
                let (snr, amplitude) = fit(middle, 1000.0, to);
                assert!(snr > 40.0, "{from} -> {to}: SNR {snr:.1} dB");
                let db = 20.0 * (amplitude / 10_000.0).log10();
                assert!(db.abs() < 0.2, "{from} -> {to}: level {db:.2} dB");
                let steepest = TAU * 1000.0 / f64::from(to) * 10_000.0;
                for pair in middle.windows(2) {
                    let step = (f64::from(pair[1]) - f64::from(pair[0])).abs();
                    assert!(
                        step <= steepest * 1.02 + 2.0,
                        "{from} -> {to}: a step of {step}"
                    );
                }
            }
        }
    }

    #[test]
    fn steady_level_is_kept() {
        for (from, to) in [
            (8000, 16_000),
            (16_000, 8000),
            (22_050, 16_000),
            (44_100, 16_000),
        ] {
            let out = resample_all(&vec![5000; from as usize / 2], from, to);
            for &s in &out[out.len() / 4..out.len() * 3 / 4] {
                assert!((s - 5000).abs() < 20, "{from} -> {to}: {s}");
            }
        }
    }

    #[test]
    fn the_telephone_band_is_flat_and_nothing_folds_into_it() {
        for hz in [300.0, 2000.0, 3000.0, 3400.0] {
            let out = resample_all(&sine(hz, 16_000, 16_000), 16_000, 8000);
            let (_, amplitude) = fit(&out[800..7200], hz, 8000);
            let db = 20.0 * (amplitude / 10_000.0).log10();
            assert!(db.abs() < 0.5, "{hz} Hz: {db:.2} dB");
        }
        for hz in [4100.0, 4300.0, 5000.0, 6000.0, 7000.0, 7900.0] {
            let out = resample_all(&sine(hz, 16_000, 16_000), 16_000, 8000);
            let level = crate::audio::level::rms_dbfs(&out[800..7200]);
            let below = crate::audio::level::rms_dbfs(&sine(hz, 16_000, 16_000)) - level;
            assert!(
                below > 40.0,
                "{hz} Hz comes through only {below:.1} dB down"
            );
        }
        // And upwards: no image of the telephone band above 4 kHz.
        let up = resample_all(&sine(3000.0, 8000, 8000), 8000, 16_000);
        let (snr, _) = fit(&up[1600..14_400], 3000.0, 16_000);
        assert!(snr > 40.0, "{snr:.1}");
    }

    #[test]
    fn twenty_milliseconds_in_are_twenty_out() {
        for from in [8000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000] {
            let mut r = Resampler::new(from, 16_000);
            for n in 0..50 {
                let mut out = Vec::new();
                r.process(&vec![0; from as usize / 50], &mut out);
                assert_eq!(out.len(), 320, "frame {n} from {from}");
            }
            assert!(r.delay() <= 160, "{from}: {} samples late", r.delay());
        }
    }

    #[test]
    fn any_chunk_size_gives_the_same_sound() {
        for (from, to) in [(22_050, 16_000), (16_000, 8000), (11_025, 16_000)] {
            let pcm = sine(700.0, from, 5000);
            let whole = stream(&pcm, from, to, 5000);
            assert_eq!(whole.len(), 5000 * to as usize / from as usize);
            for frame in [1, 7, 160, 1000] {
                assert_eq!(
                    stream(&pcm, from, to, frame),
                    whole,
                    "{from} -> {to} by {frame}"
                );
            }
            assert_eq!(resample_all(&pcm, from, to), whole);
        }
    }

    #[test]
    fn aligned_with_the_original() {
        let pcm = sine(200.0, 8000, 8000);
        let out = resample_all(&pcm, 8000, 16_000);
        for i in 1000..7000 {
            assert!(
                (out[2 * i] - pcm[i]).abs() < 60,
                "at {i}: {} for {}",
                out[2 * i],
                pcm[i]
            );
        }
        assert!(resample_all(&[], 8000, 16_000).is_empty());
    }
}
