//! `firstline eval speech`: word errors of the recogniser over labelled files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::speech::Hints;

use super::recordings::{listed, sound};

/// Word error rate and time over a manifest of sound files.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  firstline eval speech --manifest speech/manifest.jsonl --set prompts\n\n\
    The manifest has one JSON object a line: path (from the manifest's folder), text, and set if there are several. Before \
    comparing, both sides are lower-cased, punctuation goes, and numbers are written as words."
)]
pub struct Args {
    /// Lines of {"path","text"}
    #[arg(long)]
    manifest: PathBuf,
    /// Only lines of this set; may be given several times
    #[arg(long)]
    set: Vec<String>,
    /// Which Whisper: tiny.en, base
    #[arg(long, default_value = "tiny.en")]
    model: String,
    /// Hear as the line does in a call, instead of as carefully as `transcribe`
    #[arg(long)]
    live: bool,
    /// Threads for the recogniser
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// At most so many files of a set
    #[arg(long)]
    limit: Option<usize>,
    /// One JSON object for everything
    #[arg(long)]
    json: bool,
    /// Print every file whose words differ, on stderr
    #[arg(long)]
    show: bool,
}

#[derive(Debug, Default)]
struct Score {
    files: usize,
    words: usize,
    errors: usize,
    audio_ms: u64,
    ms: Vec<u32>,
}

pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let folder = args.manifest.parent().unwrap_or(Path::new("."));
    let mut ear = super::transcribe::ear(&args.model, args.threads, args.live)?;
    let mut sets: BTreeMap<String, Score> = BTreeMap::new();
    for line in listed(&args.manifest)? {
        let Some(truth) = line
            .text
            .filter(|_| args.set.is_empty() || args.set.contains(&line.set))
        else {
            continue;
        };
        let score = sets.entry(line.set).or_default();
        if args.limit.is_some_and(|limit| score.files >= limit) {
            continue;
        }
        let pcm = sound(&folder.join(&line.path))?;
        let heard = ear.transcribe(&pcm, &Hints::default())?;
        let (truth, said) = (normal(&truth), normal(&heard.text));
        let errors = distance(&truth, &said);
        if args.show && errors > 0 {
            eprintln!(
                "{} {errors}/{}: {} | {}",
                line.path.display(),
                truth.len(),
                truth.join(" "),
                said.join(" ")
            );
        }
        score.files += 1;
        score.words += truth.len();
        score.errors += errors;
        score.audio_ms += u64::from(heard.audio_ms);
        score.ms.push(heard.ms);
    }
    if sets.values().all(|s| s.files == 0) {
        anyhow::bail!(
            "{} has no line with a text to compare with",
            args.manifest.display()
        );
    }
    let quality = if args.live { "live" } else { "full" };
    let rows: Vec<serde_json::Value> = sets
        .iter_mut()
        .map(|(set, s)| {
            s.ms.sort_unstable();
            let at = |p: usize| s.ms.get((s.ms.len() * p / 100).min(s.ms.len().saturating_sub(1))).copied();
            serde_json::json!({
                "set": set, "model": args.model, "quality": quality, "files": s.files, "words": s.words,
                "errors": s.errors, "wer": s.errors as f64 / s.words.max(1) as f64, "audio_s": s.audio_ms as f64 / 1000.0,
                "ms_median": at(50), "ms_p95": at(95),
            })
        })
        .collect();
    if args.json {
        println!("{}", serde_json::json!({ "sets": rows }));
    } else {
        for r in &rows {
            println!(
                "{:<12} {} files, {} words: word error rate {:.3}; {} ms median, {} ms at the 95th of a hundred",
                r["set"].as_str().unwrap_or_default(),
                r["files"],
                r["words"],
                r["wer"].as_f64().unwrap_or_default(),
                r["ms_median"],
                r["ms_p95"]
            );
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Lower case, no punctuation, numbers as words, a few spellings made one.
fn normal(text: &str) -> Vec<String> {
    let plain: String = text
        .to_lowercase()
        .replace('%', " percent ")
        .replace('&', " and ")
        .chars()
        .filter(|c| *c != '\'' && *c != '’')
        .map(|c| if c.is_alphanumeric() { c } else { ' ' })
        .collect();
    let mut out = Vec::new();
    for word in plain.split_whitespace() {
        match word {
            "ok" => out.push("okay".into()),
            "mr" => out.push("mister".into()),
            "dr" => out.push("doctor".into()),
            _ => match word.parse::<u32>() {
                Ok(n) if n < 10_000 && (word == "0" || !word.starts_with('0')) => {
                    number(n, &mut out)
                }
                _ if word.chars().all(|c| c.is_ascii_digit()) => {
                    word.bytes()
                        .for_each(|b| number(u32::from(b - b'0'), &mut out));
                }
                _ => out.push(word.to_owned()),
            },
        }
    }
    out
}

fn number(n: u32, out: &mut Vec<String>) {
    const SMALL: [&str; 20] = [
        "zero",
        "one",
        "two",
        "three",
        "four",
        "five",
        "six",
        "seven",
        "eight",
        "nine",
        "ten",
        "eleven",
        "twelve",
        "thirteen",
        "fourteen",
        "fifteen",
        "sixteen",
        "seventeen",
        "eighteen",
        "nineteen",
    ];
    const TENS: [&str; 10] = [
        "", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety",
    ];
    match n {
        0..20 => out.push(SMALL[n as usize].into()),
        20..100 => {
            out.push(TENS[n as usize / 10].into());
            if !n.is_multiple_of(10) {
                number(n % 10, out);
            }
        }
        _ => {
            let (part, name) = if n < 1000 {
                (100, "hundred")
            } else {
                (1000, "thousand")
            };
            number(n / part, out);
            out.push(name.into());
            if !n.is_multiple_of(part) {
                number(n % part, out);
            }
        }
    }
}

/// Words to change, add and remove to get from one to the other (Levenshtein).
fn distance(a: &[String], b: &[String]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut corner = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let change = corner + usize::from(x != y);
            corner = row[j + 1];
            row[j + 1] = change.min(row[j] + 1).min(corner + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normal_words_and_distance() {
        let n = |s: &str| normal(s).join(" ");
        assert_eq!(n("It's 25% off, O.K.?"), "its twenty five percent off o k");
        assert_eq!(
            n("1250 / 007 / 40"),
            "one thousand two hundred fifty zero zero seven forty"
        );
        assert_eq!(distance(&normal("a b c d"), &normal("a x c")), 2);
        assert_eq!(distance(&normal(""), &normal("a b")), 2);
        assert_eq!(distance(&normal("a b"), &normal("a b")), 0);
    }
}
