//! `firstline eval numbers`: how many numbers, said figure by figure, are right the first time they are heard.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::audio::RATE;
use crate::desk::entity;
use crate::speech::{Expect, Hints, Transcript};

use super::recordings::{listed, sound};

/// Numbers of 6 to 16 figures, joined of recordings of one figure each by the same speaker
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  firstline eval numbers --manifest speech/manifest.jsonl --show\n\n\
    Half of them are said in groups, with a pause of 300 to 500 ms between. A number is right where every figure is; its groups are right where \
    it would be read back with the pauses it was said with."
)]
pub struct Args {
    /// Lines of {"path","text","speaker"}, the text one figure
    #[arg(long)]
    manifest: PathBuf,
    /// Which Whisper: tiny.en, base
    #[arg(long, default_value = "tiny.en")]
    model: String,
    /// Threads for the recogniser
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Numbers of each speaker
    #[arg(long, default_value_t = 20)]
    each: usize,
    /// One JSON object on stdout
    #[arg(long)]
    json: bool,
    /// List what was heard wrongly, on stderr, with the probability of each word
    #[arg(long)]
    show: bool,
}

/// Quiet between two figures, and between two groups, milliseconds.
const GAPS: [usize; 3] = [50, 90, 140];
const PAUSES: [usize; 3] = [300, 400, 500];

/// One number as it is said.
struct Number {
    groups: Vec<String>,
    pcm: Vec<i16>,
}

impl Number {
    fn figures(&self) -> String {
        self.groups.concat()
    }
}

#[derive(Debug, Default, serde::Serialize)]
struct Score {
    numbers: usize,
    right: usize,
    /// With the right figures, and the pauses of the speaker where there were any.
    groups_right: usize,
    /// Wrong, and heard unsurely somewhere: only that part is asked for again.
    unsure_wrong: usize,
    /// Right, and asked for in part all the same.
    unsure_right: usize,
}

pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let folder = args.manifest.parent().unwrap_or(Path::new("."));
    let mut said: BTreeMap<String, Vec<(char, Vec<i16>)>> = BTreeMap::new();
    for line in listed(&args.manifest)? {
        let (Some(text), Some(speaker)) = (line.text, line.speaker) else {
            continue;
        };
        if let [figure @ '0'..='9'] = text.chars().collect::<Vec<_>>()[..] {
            let pcm = sound(&folder.join(&line.path))?;
            said.entry(speaker).or_default().push((figure, pcm));
        }
    }
    if said.is_empty() {
        anyhow::bail!("no recording of one figure is listed; lines need a text and a speaker");
    }
    let mut ear = super::transcribe::ear(&args.model, args.threads, true)?;
    let hints = Hints {
        expect: Some(Expect::Digits),
        ..Hints::default()
    };
    let mut scores: BTreeMap<&str, Score> = BTreeMap::new();
    for (speaker, figures) in &said {
        for n in 0..args.each {
            let number = number(figures, n);
            let heard = ear.transcribe(&number.pcm, &hints)?;
            let found = entity::digits(&heard.text).unwrap_or_default();
            let right = found == number.figures();
            let groups = entity::grouped(&heard.text, &found).unwrap_or_else(|| vec![found]);
            let unsure = entity::unclear(&heard.words_with_p()).is_some();
            let kind = if number.groups.len() > 1 {
                "in groups"
            } else {
                "evenly"
            };
            for kind in [kind, "all"] {
                let score = scores.entry(kind).or_default();
                score.numbers += 1;
                score.right += usize::from(right);
                score.groups_right += usize::from(right && groups == number.groups);
                score.unsure_wrong += usize::from(!right && unsure);
                score.unsure_right += usize::from(right && unsure);
            }
            if args.show && (!right || groups != number.groups) {
                eprintln!(
                    "{speaker}: {} heard as {} ({})",
                    number.groups.join(" "),
                    heard.text,
                    sureness(&heard)
                );
            }
        }
    }
    if args.json {
        println!("{}", serde_json::json!({ "sets": scores }));
    } else {
        for (kind, s) in &scores {
            let share = |n: usize| 100.0 * n as f64 / s.numbers.max(1) as f64;
            println!(
                "{kind}: {} numbers, {:.1} % right the first time, {:.1} % in their groups; {} of {} wrong ones are asked for in part, and {} right ones",
                s.numbers,
                share(s.right),
                share(s.groups_right),
                s.unsure_wrong,
                s.numbers - s.right,
                s.unsure_right
            );
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn sureness(heard: &Transcript) -> String {
    let words = heard.words.iter().map(|w| format!("{} {:.2}", w.text, w.p));
    words.collect::<Vec<_>>().join(" ")
}

/// The `n`th number of a speaker: each recording is used about equally often.
fn number(figures: &[(char, Vec<i16>)], n: usize) -> Number {
    let length = 6 + n * 7 % 11;
    let sizes: Vec<usize> = if n.is_multiple_of(2) {
        vec![length]
    } else {
        let size = [3, 4, 2][n / 2 % 3];
        let mut sizes = vec![size; length / size];
        if length % size == 1 {
            sizes[0] += 1;
        } else if length % size > 1 {
            sizes.push(length % size);
        }
        sizes
    };
    let mut pcm = vec![0; 16 * 200];
    let mut groups = Vec::new();
    let mut at = n * 13;
    for (k, size) in sizes.iter().enumerate() {
        if k > 0 {
            pcm.extend(hush(PAUSES[(n + k) % 3]));
        }
        let mut group = String::new();
        for _ in 0..*size {
            let (figure, sound) = &figures[at * 37 % figures.len()];
            group.push(*figure);
            pcm.extend(trimmed(sound));
            pcm.extend(hush(GAPS[n % 3]));
            at += 1;
        }
        groups.push(group);
    }
    pcm.extend(hush(120));
    Number { groups, pcm }
}

/// A quiet line.
fn hush(ms: usize) -> impl Iterator<Item = i16> {
    (0..ms * RATE as usize / 1000).map(|i| ((i * 7919) % 7) as i16 - 3)
}

/// A recording without the quiet at its ends; the hiss of an "s" is 40 dB below the vowels.
fn trimmed(pcm: &[i16]) -> &[i16] {
    let loudest = pcm.iter().map(|s| s.unsigned_abs()).max().unwrap_or(0);
    let heard = |s: &i16| s.unsigned_abs() > loudest / 200;
    let from = pcm.iter().position(heard).unwrap_or(0);
    let to = pcm.iter().rposition(heard).map_or(0, |at| at + 1);
    &pcm[from..to.max(from)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_of_every_length_and_every_other_one_is_in_groups() {
        let figures: Vec<(char, Vec<i16>)> = ('0'..='9').map(|c| (c, vec![900; 4_000])).collect();
        let numbers: Vec<Number> = (0..22).map(|n| number(&figures, n)).collect();
        let lengths: std::collections::BTreeSet<usize> =
            numbers.iter().map(|n| n.figures().len()).collect();
        assert_eq!(lengths, (6..=16).collect());
        for (n, number) in numbers.iter().enumerate() {
            assert_eq!(number.groups.len() > 1, n % 2 == 1);
            assert!(number.groups.iter().all(|g| g.len() > 1));
            assert!(number.pcm.len() > number.figures().len() * 4_000);
        }
    }
}
