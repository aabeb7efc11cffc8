//! How often a digit was said in a row. Pure.
//!
//! Whisper hears which digits were said far better than how often: "5 5 1" for five, five, five, one. The sound knows: said one by
//! one, digits are islands with gaps between them, about equally paced. Readings that differ in the length of their runs are laid
//! over the islands; the reading that fits clearly better than what was heard is taken.

use super::{Alternative, Transcript};
use crate::audio::RATE;

/// Usual length of a spoken digit, seconds. Only their ratios matter much: speakers are compared with themselves.
const LENGTH: [f32; 10] = [0.50, 0.40, 0.37, 0.40, 0.36, 0.38, 0.42, 0.44, 0.34, 0.46];
/// Paces tried, as multiples of the usual length.
const PACES: [f32; 5] = [0.8, 0.9, 1.0, 1.1, 1.25];
/// How a digit's length varies within one speaker, as a share of it.
const SPREAD: f32 = 0.22;
/// Digits that are run together without a gap, at most.
const TOGETHER: usize = 5;
/// What a reading must gain for each digit more or fewer than were heard, in natural-log likelihood.
const CHANGE: f32 = 1.0;
/// Shorter strings give too little to judge a pace by.
const FEWEST: usize = 4;
/// More than anybody says in one breath; the work grows with its square.
const MOST: usize = 40;

/// The transcript of an answer that is digits, with runs as long as the sound has them. Anything else stays as it is.
#[must_use]
pub fn settle(mut transcript: Transcript, pcm: &[i16]) -> Transcript {
    let Some(heard) = read(&transcript.text) else {
        return transcript;
    };
    if !(FEWEST..=MOST).contains(&heard.len()) {
        return transcript;
    }
    let islands = islands(pcm);
    let mut readings: Vec<(f32, Vec<u8>)> = readings(&heard)
        .into_iter()
        .filter_map(|(changes, digits)| {
            let fit = fit(&islands, &digits)?;
            Some((fit + CHANGE * changes as f32, digits))
        })
        .collect();
    // Where what was heard cannot be laid over the islands at all, they are no measure: noise, or one long island.
    if !readings.iter().any(|(_, d)| *d == heard) {
        return transcript;
    }
    readings.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (best, digits) = readings[0].clone();
    if digits != heard {
        transcript.text = written(&digits);
        let p = transcript.words.iter().map(|w| w.p).fold(1.0, f32::min);
        let loudness = super::heard::loudness(pcm);
        transcript.words = super::heard::spread(&transcript.text, p.max(1e-4).ln(), &loudness);
    }
    transcript.alternatives = readings[1..]
        .iter()
        .take(3)
        .map(|(cost, digits)| Alternative {
            text: written(digits),
            worse: best - cost,
        })
        .collect();
    transcript
}

fn written(digits: &[u8]) -> String {
    digits
        .iter()
        .map(|d| char::from(b'0' + d).to_string())
        .collect::<Vec<_>>()
        .join(" ")
}

/// The digits of a text that is nothing else.
fn read(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    for word in text
        .to_lowercase()
        .split(|c: char| !c.is_alphanumeric())
        .filter(|w| !w.is_empty())
    {
        let word = word.trim_end_matches("th");
        if word.bytes().all(|b| b.is_ascii_digit()) && !word.is_empty() {
            out.extend(word.bytes().map(|b| b - b'0'));
            continue;
        }
        out.push(match word {
            "zero" | "oh" | "o" => 0,
            "one" => 1,
            "two" | "to" | "too" => 2,
            "three" => 3,
            "four" | "for" => 4,
            "five" => 5,
            "six" => 6,
            "seven" => 7,
            "eight" | "ate" => 8,
            "nine" => 9,
            // "six's": an apostrophe's rest.
            "s" => continue,
            _ => return None,
        });
    }
    Some(out)
}

/// Stretches of sound between gaps: begin and end in seconds.
fn islands(pcm: &[i16]) -> Vec<(f32, f32)> {
    const STEP: f32 = 0.01;
    /// Below the loud parts; a closed mouth is further down, a trailing vowel is not.
    const DOWN: f32 = 28.0;
    /// Shorter gaps are within a sound, shorter islands are clicks.
    const GAP: f32 = 0.03;
    const ISLAND: f32 = 0.05;
    let levels: Vec<f32> = pcm
        .chunks_exact(RATE as usize / 100)
        .map(|w| {
            let power = w.iter().map(|s| f32::from(*s).powi(2)).sum::<f32>() / w.len() as f32;
            10.0 * (power + 1.0).log10()
        })
        .collect();
    let mut sorted = levels.clone();
    sorted.sort_by(f32::total_cmp);
    let Some(loud) = sorted.get(sorted.len() * 95 / 100) else {
        return Vec::new();
    };
    let mut out: Vec<(f32, f32)> = Vec::new();
    for (n, _) in levels
        .iter()
        .enumerate()
        .filter(|(_, level)| **level > loud - DOWN)
    {
        let (from, to) = (n as f32 * STEP, (n + 1) as f32 * STEP);
        match out.last_mut() {
            Some(last) if from - last.1 < GAP - STEP / 2.0 => last.1 = to,
            _ => out.push((from, to)),
        }
    }
    out.retain(|(from, to)| to - from >= ISLAND - STEP / 2.0);
    out
}

/// What was heard, and the same with one or two of its runs longer or shorter; with how many digits that changes.
fn readings(heard: &[u8]) -> Vec<(usize, Vec<u8>)> {
    let mut runs: Vec<(u8, usize)> = Vec::new();
    for d in heard {
        match runs.last_mut() {
            Some((digit, n)) if digit == d => *n += 1,
            _ => runs.push((*d, 1)),
        }
    }
    let write = |changes: &[(usize, isize)]| -> Option<Vec<u8>> {
        let mut out = Vec::with_capacity(heard.len() + 2);
        for (at, (digit, n)) in runs.iter().enumerate() {
            let by: isize = changes.iter().filter(|c| c.0 == at).map(|c| c.1).sum();
            let n = usize::try_from(*n as isize + by).ok().filter(|n| *n > 0)?;
            out.extend(std::iter::repeat_n(*digit, n));
        }
        Some(out)
    };
    let long: Vec<usize> = (0..runs.len()).filter(|r| runs[*r].1 > 1).collect();
    let mut out = vec![(0, heard.to_vec())];
    for (n, run) in long.iter().enumerate() {
        for by in [-1, 1, -2] {
            out.extend(write(&[(*run, by)]).map(|d| (by.unsigned_abs(), d)));
        }
        for other in &long[n + 1..] {
            for (a, b) in [(-1, -1), (-1, 1), (1, -1), (1, 1)] {
                out.extend(write(&[(*run, a), (*other, b)]).map(|d| (2, d)));
            }
        }
    }
    out
}

/// How badly digits fit the islands: negative natural-log likelihood, at the pace that fits best. None where they cannot be laid over
/// them.
fn fit(islands: &[(f32, f32)], digits: &[u8]) -> Option<f32> {
    PACES
        .iter()
        .map(|pace| at_pace(islands, digits, *pace))
        .filter(|c| c.is_finite())
        .min_by(f32::total_cmp)
}

fn at_pace(islands: &[(f32, f32)], digits: &[u8], pace: f32) -> f32 {
    let (n, m) = (islands.len(), digits.len());
    let gauss = |length: f32, mean: f32, spread: f32| {
        0.5 * ((length - mean) / spread).powi(2) + (spread * 10.0).ln()
    };
    let length = |at: usize| islands[at].1 - islands[at].0;
    let mut table = vec![f32::INFINITY; (n + 1) * (m + 1)];
    table[0] = 0.0;
    for i in 0..n {
        for j in 0..=m {
            let cost = table[i * (m + 1) + j];
            if !cost.is_finite() {
                continue;
            }
            let mut offer = |i: usize, j: usize, more: f32| {
                let cell = &mut table[i * (m + 1) + j];
                *cell = cell.min(cost + more);
            };
            // One digit, or several run together.
            let mut mean = 0.0;
            for k in 1..=TOGETHER.min(m - j) {
                mean += pace * LENGTH[usize::from(digits[j + k - 1])];
                let mean = if k == 1 { mean } else { mean * 0.92 };
                let spread = SPREAD * mean / (k as f32).sqrt() + 0.02;
                offer(
                    i + 1,
                    j + k,
                    gauss(length(i), mean, spread) + 0.7 * (k as f32 - 1.0),
                );
            }
            // A cough, a breath, the release of a "t"; the longer it is, the less it is nothing.
            offer(i + 1, j, 2.5 + 12.0 * (length(i) - 0.15).max(0.0));
            // One digit in two pieces: the closed mouth in "six" and "eight".
            if i + 1 < n && j < m && islands[i + 1].0 - islands[i].1 < 0.14 {
                let mean = pace * LENGTH[usize::from(digits[j])];
                let whole = islands[i + 1].1 - islands[i].0;
                let rare = if matches!(digits[j], 6 | 8) { 1.0 } else { 2.5 };
                offer(
                    i + 2,
                    j + 1,
                    gauss(whole, mean, SPREAD * mean + 0.02) + rare,
                );
            }
        }
    }
    table[n * (m + 1) + m]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Digits as bursts of a tone, each of its usual length at `pace`, with gaps.
    fn said(digits: &str, pace: f32, gap_ms: usize) -> Vec<i16> {
        let mut out = vec![3i16; 3200];
        for (n, d) in digits.bytes().enumerate() {
            // Lengths vary by a tenth, one way and the other.
            let vary = if n % 2 == 0 { 1.08 } else { 0.92 };
            let length = LENGTH[usize::from(d - b'0')] * pace * vary;
            let samples = (length * RATE as f32) as usize;
            out.extend((0..samples).map(|i| ((i as f32 * 0.15).sin() * 6000.0) as i16));
            out.extend(std::iter::repeat_n(2i16, gap_ms * 16));
        }
        out
    }

    fn heard(text: &str) -> Transcript {
        Transcript {
            text: text.into(),
            ..Transcript::default()
        }
    }

    #[test]
    fn runs_get_the_length_the_sound_has() {
        for (truth, text) in [
            ("459845551", "4, 5, 9, 8, 4, 5, 5, 1."),
            ("91417776", "9, 1, 4, 1, 7, 7, 6"),
            ("83444852", "8 3 4 4 4 4 8 5 2"),
            ("1122334455", "1 1 2 2 3 3 4 4 5 5"),
            ("000007", "0 0 0 0 7"),
        ] {
            for (pace, gap) in [(1.0, 120), (0.75, 60), (1.2, 400)] {
                let settled = settle(heard(text), &said(truth, pace, gap));
                let plain: String = settled.text.chars().filter(char::is_ascii_digit).collect();
                assert_eq!(plain, truth, "{text} at {pace}, {gap} ms");
            }
        }
    }

    #[test]
    fn what_fits_as_it_was_heard_stays_and_has_alternatives() {
        let t = settle(heard("6 0 6 1 1 4"), &said("606114", 1.0, 150));
        assert_eq!(t.text, "6 0 6 1 1 4");
        assert!(!t.alternatives.is_empty());
        assert!(
            t.alternatives
                .iter()
                .all(|a| a.worse <= 0.0 && a.text != t.text)
        );
    }

    #[test]
    fn what_is_not_digits_or_not_islands_stays() {
        for text in [
            "my number is 4 4 1 2",
            "double five 5 5",
            "",
            "4 4",
            "12 forty",
        ] {
            assert_eq!(settle(heard(text), &said("4412", 1.0, 100)), heard(text));
        }
        // One long island says nothing of how often.
        let noise: Vec<i16> = (0..64_000).map(|i| ((i * 7919) % 9001) as i16).collect();
        assert_eq!(
            settle(heard("5 5 1 1 1 1 1"), &noise),
            heard("5 5 1 1 1 1 1")
        );
        assert_eq!(settle(heard("5 5 1 1"), &[]).text, "5 5 1 1");
    }
}
