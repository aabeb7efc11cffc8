//! How often a digit was said in a row. Pure.
//!
//! Whisper hears which digits were said far better than how often: "5 5 1" for five, five, five, one. The sound knows: said one by
//! one, digits are islands with gaps between them, about equally paced. Readings that differ in the length of their runs are laid
//! over the islands; the reading that fits clearly better than what was heard is taken. Where the speaker paused between digits, the
//! text has a comma: a number is read back in the groups it was said in.

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
/// A gap that parts groups: at least so long, seconds, and so many times the usual gap of this speaker between two digits.
const PAUSE: f32 = 0.28;
const LONGER: f32 = 2.0;

/// The transcript of an answer that is digits, with runs as long as the sound has them. Anything else stays as it is.
#[must_use]
pub fn settle(mut transcript: Transcript, pcm: &[i16]) -> Transcript {
    let Some(heard) = read(&transcript.text).or_else(|| read_among_digits(&transcript.text)) else {
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
    // Whisper's own marks follow how numbers are printed, not how this one was said.
    transcript.text = in_groups(&digits, &groups(pcm, &islands, &digits));
    if digits != heard {
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

/// The same, with a comma where a new group begins; `groups`: how many digits stand before each.
fn in_groups(digits: &[u8], groups: &[usize]) -> String {
    let mut from = 0;
    let mut out = Vec::with_capacity(groups.len() + 1);
    for to in groups.iter().copied().chain([digits.len()]) {
        out.push(written(&digits[from..to]));
        from = to;
    }
    out.join(", ")
}

/// Where the speaker paused: how many digits stand before each pause. Empty where they did not, or after every digit.
fn groups(pcm: &[i16], islands: &[(f32, f32)], digits: &[u8]) -> Vec<usize> {
    let Some(laid) = laid(islands, digits) else {
        return Vec::new();
    };
    let silences = Silences::new(pcm);
    // Digits that run into each other have no gap; `laid` has the others.
    let mut gaps: Vec<f32> = vec![0.0; digits.len() - 1];
    for (island, before) in laid {
        if (1..digits.len()).contains(&before) && island < islands.len() {
            let silence = silences.within(islands[island - 1].1, islands[island].0);
            gaps[before - 1] = gaps[before - 1].max(silence);
        }
    }
    let mut sorted = gaps.clone();
    sorted.sort_by(f32::total_cmp);
    // In a number said in pairs every other gap is a pause.
    let usual = sorted[sorted.len() * 3 / 10];
    let found: Vec<usize> = (1..digits.len())
        .filter(|n| gaps[n - 1] >= PAUSE.max(usual * LONGER))
        .collect();
    // Groups of one are no groups.
    if found.len() * 2 > digits.len() {
        return Vec::new();
    }
    found
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

/// The digits of a text that is nearly all digits: what else it has is what Whisper makes of one that it did not expect there. None
/// where a word is in it that sounds like no digit.
fn read_among_digits(text: &str) -> Option<Vec<u8>> {
    let plain = text.to_lowercase();
    let words: Vec<&str> = plain
        .split(|c: char| !c.is_alphanumeric())
        .filter(|w| !w.is_empty())
        .collect();
    let digits = words.iter().filter(|w| read(w).is_some()).count();
    if digits < FEWEST || digits * 4 < words.len() * 3 {
        return None;
    }
    let read_as: Option<Vec<&str>> = words
        .into_iter()
        .map(|word| match word {
            _ if read(word).is_some() => Some(word),
            "that" | "back" | "sick" | "sex" | "sits" | "sixth" | "fix" => Some("6"),
            "or" | "fore" | "fourth" | "far" => Some("4"),
            "tree" | "free" | "third" => Some("3"),
            "do" | "through" => Some("2"),
            "hey" | "hate" | "eights" | "eighth" => Some("8"),
            "hero" | "owe" => Some("0"),
            "on" | "won" => Some("1"),
            "mine" | "line" | "ninth" => Some("9"),
            "heaven" | "seventh" => Some("7"),
            "fife" | "hive" | "fifth" => Some("5"),
            _ => None,
        })
        .collect();
    read(&read_as?.join(" "))
}

/// Where nothing at all is heard: the hiss that "six" begins and ends with lies between islands, and is no pause.
struct Silences {
    levels: Vec<f32>,
    below: f32,
}

impl Silences {
    fn new(pcm: &[i16]) -> Self {
        /// Below the loud parts, and above the quietest.
        const DOWN: f32 = 40.0;
        const ABOVE_NOISE: f32 = 8.0;
        let levels = levels(pcm);
        let (quiet, loud) = range(&levels);
        Self {
            below: (loud - DOWN).max(quiet + ABOVE_NOISE),
            levels,
        }
    }

    /// The longest between two times, all in seconds.
    fn within(&self, from: f32, to: f32) -> f32 {
        let at = |time: f32| ((time / STEP).round() as usize).min(self.levels.len());
        let between = &self.levels[at(from)..at(to).max(at(from))];
        let longest = between
            .split(|level| *level > self.below)
            .map(<[f32]>::len)
            .max();
        longest.unwrap_or(0) as f32 * STEP
    }
}

/// Seconds of one level.
const STEP: f32 = 0.01;

/// Levels of steps, in dB.
fn levels(pcm: &[i16]) -> Vec<f32> {
    pcm.chunks_exact(RATE as usize / 100)
        .map(|w| {
            let power = w.iter().map(|s| f32::from(*s).powi(2)).sum::<f32>() / w.len() as f32;
            10.0 * (power + 1.0).log10()
        })
        .collect()
}

/// The quietest tenth's level, and that of the loudest twentieth.
fn range(levels: &[f32]) -> (f32, f32) {
    let mut sorted = levels.to_vec();
    sorted.sort_by(f32::total_cmp);
    let at = |percent: usize| {
        sorted
            .get(sorted.len() * percent / 100)
            .copied()
            .unwrap_or_default()
    };
    (at(10), at(95))
}

/// Stretches of sound between gaps: begin and end in seconds.
fn islands(pcm: &[i16]) -> Vec<(f32, f32)> {
    /// Below the loud parts; a closed mouth is further down, a trailing vowel is not.
    const DOWN: f32 = 28.0;
    /// Shorter gaps are within a sound, shorter islands are clicks.
    const GAP: f32 = 0.03;
    const ISLAND: f32 = 0.05;
    let levels = levels(pcm);
    let (_, loud) = range(&levels);
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

/// What was heard, the same without an end that was said already, and with one or two of its runs longer or shorter; with how much that
/// changes.
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
    // A recogniser that has come to the end of the sound may say its end once more: "8 2 8 2" for eight, two.
    for n in 2..=heard.len() / 2 {
        let (mut rest, tail) = heard.split_at(heard.len() - n);
        while rest.ends_with(tail) {
            out.push((2, rest.to_vec()));
            rest = &rest[..rest.len() - n];
        }
    }
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
        .map(|pace| at_pace(islands, digits, *pace).cost())
        .filter(|c| c.is_finite())
        .min_by(f32::total_cmp)
}

/// The same way of laying them: after which islands how many digits have been said.
fn laid(islands: &[(f32, f32)], digits: &[u8]) -> Option<Vec<(usize, usize)>> {
    let best = PACES
        .iter()
        .map(|pace| at_pace(islands, digits, *pace))
        .min_by(|a, b| a.cost().total_cmp(&b.cost()))?;
    best.cost().is_finite().then(|| best.path())
}

/// Costs of having laid so many digits over so many islands, and the step that each came by.
struct Table {
    islands: usize,
    digits: usize,
    cells: Vec<(f32, (usize, usize))>,
}

impl Table {
    fn new(islands: usize, digits: usize) -> Self {
        let mut cells = vec![(f32::INFINITY, (0, 0)); (islands + 1) * (digits + 1)];
        cells[0].0 = 0.0;
        Self {
            islands,
            digits,
            cells,
        }
    }

    fn at(&self, i: usize, j: usize) -> (f32, (usize, usize)) {
        self.cells[i * (self.digits + 1) + j]
    }

    fn offer(&mut self, from: (usize, usize), to: (usize, usize), cost: f32) {
        let cell = &mut self.cells[to.0 * (self.digits + 1) + to.1];
        if cost < cell.0 {
            *cell = (cost, from);
        }
    }

    fn cost(&self) -> f32 {
        self.at(self.islands, self.digits).0
    }

    fn path(&self) -> Vec<(usize, usize)> {
        let mut here = (self.islands, self.digits);
        let mut path = Vec::new();
        while here != (0, 0) {
            path.push(here);
            here = self.at(here.0, here.1).1;
        }
        path.reverse();
        path
    }
}

fn at_pace(islands: &[(f32, f32)], digits: &[u8], pace: f32) -> Table {
    let (n, m) = (islands.len(), digits.len());
    let gauss = |length: f32, mean: f32, spread: f32| {
        0.5 * ((length - mean) / spread).powi(2) + (spread * 10.0).ln()
    };
    let length = |at: usize| islands[at].1 - islands[at].0;
    let mut table = Table::new(n, m);
    for i in 0..n {
        for j in 0..=m {
            let cost = table.at(i, j).0;
            if !cost.is_finite() {
                continue;
            }
            let mut offer =
                |to: usize, said: usize, more: f32| table.offer((i, j), (to, said), cost + more);
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
    table
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
    fn an_end_that_was_said_once_is_heard_once() {
        for (text, truth) in [
            ("6 9 3 7 1 4 8 2 5 8 2 5", "693714825"),
            ("2 6 0 4 7 1 7 1", "260471"),
            ("6 9 3 7 1 4 8 2 5 8 2 5 8 2 5", "693714825"),
            // And one that was said twice stays.
            ("2 6 0 4 7 1 7 1", "26047171"),
            ("8 2 5 8 2 5", "825825"),
        ] {
            let settled = settle(heard(text), &said(truth, 1.0, 110)).text;
            assert_eq!(settled.replace([' ', ','], ""), truth);
        }
    }

    #[test]
    fn a_word_among_digits_is_the_digit_it_sounds_like() {
        let settle = |text: &str| settle(heard(text), &said("26047158", 1.0, 120)).text;
        assert_eq!(settle("2 back 0, 4, 7, 1, 5, 8"), "2 6 0 4 7 1 5 8");
        for other in [
            "2 back 0",
            "2 6 0 4 hello 7 1 5 8",
            "I want it back, 2 6 0 4",
        ] {
            assert_eq!(settle(other), other);
        }
    }

    #[test]
    fn pauses_part_groups_and_an_even_pace_has_none() {
        for (groups, gap) in [
            (&["417", "22", "905"][..], 60),
            (&["07700", "900", "123"], 90),
            (&["4412", "7790"], 30),
            (&["71", "58", "26", "93"], 80),
        ] {
            let mut sound = Vec::new();
            for group in groups {
                sound.extend(said(group, 1.0, gap));
                sound.extend(std::iter::repeat_n(2i16, 350 * 16));
            }
            let all: Vec<String> = groups.concat().chars().map(String::from).collect();
            let settled = settle(heard(&all.join(" ")), &sound).text;
            let found: Vec<String> = settled.split(", ").map(|g| g.replace(' ', "")).collect();
            assert_eq!(found, groups, "{settled}");
        }
        for gap in [80, 450] {
            let settled = settle(heard("4 1 7 2 2 9 0 5"), &said("41722905", 1.0, gap));
            assert_eq!(settled.text, "4 1 7 2 2 9 0 5");
        }
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
