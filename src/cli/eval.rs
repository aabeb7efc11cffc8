//! `firstline eval`: scores with labelled data.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Subcommand;
use serde_json::{Value as Json, json};

use crate::desk::framing::bare;
use crate::desk::{Desk, DeskFiles, parse};
use crate::reason::Embedder;
use crate::runtime::desks;

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Accuracy, and how well words out of scope are told apart
    #[command(
        after_help = "Example: firstline eval intents --train intents.jsonl --test held-out.jsonl\n\
        Lines are {\"text\",\"intent\"}; an intent of null is out of scope."
    )]
    Intents(Intents),
    /// How often the right article comes first
    #[command(
        after_help = "Example: firstline eval retrieval --desk examples/larchpay --test questions.jsonl\n\
        Test lines are {\"text\",\"relevant\":[article ids]}; --articles takes lines {\"id\",\"title\",\"text\"} in place of a desk."
    )]
    Retrieval(Retrieval),
    /// Whether 80 % sure is right 80 times in 100; --write fits the desk's calibration.toml
    #[command(
        after_help = "Example: firstline eval confidence --desk examples/larchpay --test questions.jsonl --write\n\
        Test lines are {\"text\",\"intent\"} and, where known, \"relevant\":[article ids] and \"route\" (a line whose route is not answer has no right\n\
        answer), \"must\":[words a right reply holds]. Two floors: conformal risk control's, at which at most --most of questions like these are expected\n\
        to be answered wrongly, and Learn then Test's, at which they are with certainty --certainty; --write takes the latter where there are lines enough."
    )]
    Confidence(Confidence),
    /// What callers would be told: how many are answered, and how many wrongly
    #[command(
        after_help = "Example: firstline eval answers --desk examples/larchpay --test examples/larchpay/questions.jsonl --wrong\n\
        Test lines are {\"text\"} and \"relevant\":[article ids] where an article answers them; \"must\":[words the reply has to hold],\n\
        \"route\" (answer, act, clarify or transfer; a line with articles is taken to want an answer) and \"kind\" (any word, to group by) where known."
    )]
    Answers(answers::Args),
    /// Word errors of the recogniser
    Speech(super::eval_speech::Args),
    /// How often a pause is taken for the end of a turn, and how long the end of one is waited for
    Turns(super::eval_turns::Args),
    /// How many spoken numbers are right the first time
    Numbers(super::eval_numbers::Args),
}

#[derive(Debug, clap::Args)]
struct Common {
    /// Where the models are, if not where `firstline models` keeps them
    #[arg(long)]
    models: Option<PathBuf>,
    /// Go by words alone
    #[arg(long)]
    words: bool,
    /// One JSON object on stdout
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct Intents {
    /// The desk to test
    #[arg(long, conflicts_with = "train", required_unless_present = "train")]
    desk: Option<PathBuf>,
    /// Examples to learn from, in place of a desk
    #[arg(long)]
    train: Option<PathBuf>,
    /// Labelled lines it has not seen
    #[arg(long)]
    test: PathBuf,
    /// Print the scope evidence of every test line, to fit its weights
    #[arg(long, hide = true)]
    evidence: bool,
    /// List the lines it gets wrong
    #[arg(long)]
    wrong: bool,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, clap::Args)]
struct Retrieval {
    /// The desk to test
    #[arg(
        long,
        conflicts_with = "articles",
        required_unless_present = "articles"
    )]
    desk: Option<PathBuf>,
    /// Articles as lines, in place of a desk
    #[arg(long)]
    articles: Option<PathBuf>,
    #[arg(long)]
    test: PathBuf,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, clap::Args)]
struct Confidence {
    /// The desk to test
    #[arg(long)]
    desk: PathBuf,
    #[arg(long)]
    test: PathBuf,
    /// Write what was fitted to the desk's calibration.toml
    #[arg(long)]
    write: bool,
    /// Share of questions that may be answered wrongly
    #[arg(long, default_value_t = 0.01)]
    most: f32,
    /// Certainty with which the floor keeps that share (Learn then Test)
    #[arg(long, default_value_t = 0.9)]
    certainty: f32,
    /// Draw the reliability diagram into this SVG file
    #[arg(long)]
    picture: Option<PathBuf>,
    /// Write every line's evidence into this file, a JSON object a line, to fit weights of many desks together
    #[arg(long)]
    rows: Option<PathBuf>,
    #[command(flatten)]
    common: Common,
}

pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    match args.what {
        What::Intents(a) => intents(&a),
        What::Retrieval(a) => retrieval(&a),
        What::Confidence(a) => confidence::run(&a),
        What::Answers(a) => answers::run(&a),
        What::Speech(a) => super::eval_speech::run(a),
        What::Turns(a) => super::eval_turns::run(a),
        What::Numbers(a) => super::eval_numbers::run(a),
    }
}

/// A desk and what embeds its callers' words.
struct Bench {
    desk: Desk,
    vectors: HashMap<String, Vec<f32>>,
}

impl Bench {
    /// With `by_word` the questions are read as callers' words are, which is what answers rest on; intents need the whole alone.
    fn new(
        files: DeskFiles,
        questions: &[String],
        by_word: bool,
        common: &Common,
    ) -> anyhow::Result<Self> {
        let source = parse(&files).map_err(|problems| {
            let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
            anyhow::anyhow!("{}", lines.join("\n"))
        })?;
        let mut encoder = super::chat::encoder(common.models.as_deref(), common.words);
        let vectors = match &mut encoder {
            Some(e) if by_word => {
                let texts: Vec<&str> = questions.iter().map(String::as_str).collect();
                let read = e.read_said(&texts).map_err(anyhow::Error::msg)?;
                questions.iter().cloned().zip(read).collect()
            }
            Some(e) => {
                let asked: Vec<String> = questions.iter().map(|q| bare(q).to_owned()).collect();
                let vectors = desks::embed(&asked, e.as_mut(), &desks::cache_dir())
                    .map_err(anyhow::Error::msg)?;
                let of = |asked: &String| vectors.get(asked).cloned().unwrap_or_default();
                let read = asked.iter().map(of);
                questions.iter().cloned().zip(read).collect()
            }
            None => HashMap::new(),
        };
        let embedder = encoder.as_mut().map(|e| e.as_mut() as &mut dyn Embedder);
        Ok(Self {
            desk: desks::build(source, embedder).map_err(anyhow::Error::msg)?,
            vectors,
        })
    }

    fn vector(&self, text: &str) -> &[f32] {
        self.vectors.get(text).map_or(&[], Vec::as_slice)
    }
}

struct Line {
    text: String,
    intent: Option<String>,
    relevant: Vec<String>,
    /// What the line should do, where the file says so (`ask`'s routes).
    route: Option<String>,
    /// Words that a right reply holds.
    must: Vec<String>,
    /// What sort of question it is, to group by.
    kind: String,
}

impl Line {
    /// Whether the desk's articles answer it.
    fn answerable(&self) -> bool {
        match self.route.as_deref() {
            Some(route) => route == "answer",
            None => !self.relevant.is_empty(),
        }
    }

    /// Whether a reply holds all it must.
    fn holds(&self, reply: &str) -> bool {
        let reply = reply.to_lowercase();
        self.must
            .iter()
            .all(|word| reply.contains(&word.to_lowercase()))
    }
}

fn strings(v: &Json) -> Vec<String> {
    let all = v.as_array().into_iter().flatten();
    all.filter_map(Json::as_str).map(str::to_string).collect()
}

fn lines(path: &Path) -> anyhow::Result<Vec<Line>> {
    let text = read(path)?;
    let mut out = Vec::new();
    for (n, line) in text
        .lines()
        .enumerate()
        .filter(|(_, l)| !l.trim().is_empty())
    {
        let v: Json = serde_json::from_str(line)
            .with_context(|| format!("{}:{} is not JSON", path.display(), n + 1))?;
        let Some(text) = v["text"].as_str() else {
            bail!("{}:{} has no `text`", path.display(), n + 1);
        };
        out.push(Line {
            text: text.trim().to_string(),
            intent: v["intent"].as_str().map(str::to_string),
            route: v["route"].as_str().map(str::to_string),
            must: strings(&v["must"]),
            kind: v["kind"].as_str().unwrap_or_default().to_string(),
            relevant: v["relevant"]
                .as_array()
                .map(|a| {
                    a.iter()
                        .filter_map(Json::as_str)
                        .map(str::to_string)
                        .collect()
                })
                .or_else(|| Some(vec![v["source"].as_str()?.to_string()]))
                .unwrap_or_default(),
        });
    }
    if out.is_empty() {
        bail!("{} holds no lines", path.display());
    }
    Ok(out)
}

#[allow(
    clippy::disallowed_methods,
    reason = "the command line reads the files it is given"
)]
fn read(path: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))
}

fn desk_files(desk: Option<&Path>, name: &str, file: Option<&Path>) -> anyhow::Result<DeskFiles> {
    match (desk, file) {
        (Some(dir), _) => desks::read(dir).map_err(anyhow::Error::msg),
        (None, Some(path)) => Ok(DeskFiles(BTreeMap::from([(name.to_string(), read(path)?)]))),
        (None, None) => bail!("name a desk with --desk"),
    }
}

fn intents(a: &Intents) -> anyhow::Result<ExitCode> {
    let test = lines(&a.test)?;
    let texts: Vec<String> = test.iter().map(|l| l.text.clone()).collect();
    let bench = Bench::new(
        desk_files(a.desk.as_deref(), "intents.jsonl", a.train.as_deref())?,
        &texts,
        false,
        &a.common,
    )?;
    let (mut right, mut within) = (0usize, 0usize);
    // (score, belongs, right)
    let mut scored: Vec<(f32, bool, bool)> = Vec::new();
    for line in &test {
        let u = bench.desk.understand(&line.text, bench.vector(&line.text));
        let guess = u.intents.first().map(|i| i.0.as_str());
        let good = line.intent.is_some() && guess == line.intent.as_deref();
        if line.intent.is_some() {
            within += 1;
            right += usize::from(good);
        }
        if a.wrong && !good && (line.intent.is_some() || u.in_scope > 0.5) {
            eprintln!(
                "{:.2} {:?} is {}, guessed {}",
                u.in_scope,
                line.text,
                line.intent.as_deref().unwrap_or("out of scope"),
                guess.unwrap_or("nothing")
            );
        }
        scored.push((u.in_scope, line.intent.is_some(), good));
    }
    let positives: Vec<f32> = scored.iter().filter(|s| s.1).map(|s| s.0).collect();
    let negatives: Vec<f32> = scored.iter().filter(|s| !s.1).map(|s| s.0).collect();
    let mut out = json!({
        "lines": test.len(),
        "in_scope_lines": within,
        "accuracy": ratio(right, within),
    });
    if !negatives.is_empty() && !positives.is_empty() {
        let at = |t: f32, v: &[f32]| v.iter().filter(|s| **s >= t).count() as f64 / v.len() as f64;
        let pairs: Vec<(f32, bool)> = scored.iter().map(|s| (s.0, s.1)).collect();
        out["auroc"] = json!(round(auroc(&positives, &negatives)));
        out["fpr95"] = json!(round(fpr95(&positives, &negatives)));
        out["in_scope_ece"] = json!(round(ece(&pairs)));
        out["kept_at_half"] = json!(round(at(0.5, &positives)));
        out["let_in_at_half"] = json!(round(at(0.5, &negatives)));
    }
    let by: Vec<(f32, bool)> = scored.iter().map(|s| (s.0, s.2)).collect();
    out["risk_at_coverage"] = risk_coverage(&by);
    if a.evidence {
        let rows: Vec<Vec<f32>> = test
            .iter()
            .map(|l| bench.desk.scope_evidence(&l.text, bench.vector(&l.text)))
            .collect();
        for (line, row) in test.iter().zip(&rows) {
            let cells: Vec<String> = row.iter().map(|x| format!("{x:.5}")).collect();
            eprintln!(
                "EVIDENCE\t{}\t{}",
                u8::from(line.intent.is_some()),
                cells.join("\t")
            );
        }
    }
    print(&out, a.common.json);
    Ok(ExitCode::SUCCESS)
}

fn retrieval(a: &Retrieval) -> anyhow::Result<ExitCode> {
    let test = lines(&a.test)?;
    let texts: Vec<String> = test.iter().map(|l| l.text.clone()).collect();
    let bench = Bench::new(
        desk_files(
            a.desk.as_deref(),
            "knowledge/articles.jsonl",
            a.articles.as_deref(),
        )?,
        &texts,
        true,
        &a.common,
    )?;
    let (mut at1, mut at3, mut at5, mut mrr, mut n) = (0usize, 0usize, 0usize, 0f64, 0usize);
    for line in test.iter().filter(|l| !l.relevant.is_empty()) {
        let sources = bench
            .desk
            .understand(&line.text, bench.vector(&line.text))
            .sources;
        let rank = sources.iter().position(|s| line.relevant.contains(&s.id));
        n += 1;
        if let Some(r) = rank {
            at1 += usize::from(r < 1);
            at3 += usize::from(r < 3);
            at5 += usize::from(r < 5);
            mrr += 1.0 / (r + 1) as f64;
        }
    }
    if n == 0 {
        bail!("{} has no line with `relevant`", a.test.display());
    }
    let out = json!({
        "questions": n, "recall@1": ratio(at1, n), "recall@3": ratio(at3, n), "recall@5": ratio(at5, n),
        "mrr@10": round(mrr / n as f64),
    });
    print(&out, a.common.json);
    Ok(ExitCode::SUCCESS)
}

#[path = "eval_answers.rs"]
mod answers;
#[path = "eval_confidence.rs"]
mod confidence;

fn ratio(a: usize, b: usize) -> f64 {
    if b == 0 {
        0.0
    } else {
        round(a as f64 / b as f64)
    }
}

fn round(x: f64) -> f64 {
    (x * 10_000.0).round() / 10_000.0
}

/// Probability that a positive scores above a negative; ties count half.
fn auroc(positives: &[f32], negatives: &[f32]) -> f64 {
    let mut all: Vec<(f32, bool)> = positives.iter().map(|s| (*s, true)).collect();
    all.extend(negatives.iter().map(|s| (*s, false)));
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut below, mut wins, mut i) = (0f64, 0f64, 0);
    while i < all.len() {
        let mut j = i;
        let (mut p, mut n) = (0f64, 0f64);
        while j < all.len() && all[j].0 == all[i].0 {
            if all[j].1 {
                p += 1.0
            } else {
                n += 1.0
            }
            j += 1;
        }
        wins += p * (below + n / 2.0);
        below += n;
        i = j;
    }
    wins / (positives.len() as f64 * negatives.len() as f64)
}

/// Share of negatives let in where 95 % of positives are.
fn fpr95(positives: &[f32], negatives: &[f32]) -> f64 {
    let mut p = positives.to_vec();
    p.sort_by(f32::total_cmp);
    let threshold = p[p.len() / 20];
    negatives.iter().filter(|s| **s >= threshold).count() as f64 / negatives.len() as f64
}

/// Expected calibration error over ten bins of equal width.
fn ece(pairs: &[(f32, bool)]) -> f64 {
    bins(pairs)
        .iter()
        .map(|(n, said, was)| *n as f64 / pairs.len() as f64 * (said - was).abs())
        .sum()
}

/// Count, mean of what was said, share of what was, for the bins that hold anything.
fn bins(pairs: &[(f32, bool)]) -> Vec<(usize, f64, f64)> {
    let mut bins = [(0usize, 0f64, 0f64); 10];
    for (p, y) in pairs {
        let b = &mut bins[((p * 10.0) as usize).min(9)];
        b.0 += 1;
        b.1 += f64::from(*p);
        b.2 += f64::from(u8::from(*y));
    }
    bins.iter()
        .filter(|b| b.0 > 0)
        .map(|b| (b.0, b.1 / b.0 as f64, b.2 / b.0 as f64))
        .collect()
}

/// Share of errors among the surest 50, 70, 80, 90 and 100 %.
fn risk_coverage(pairs: &[(f32, bool)]) -> Json {
    let mut sorted = pairs.to_vec();
    sorted.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut out = serde_json::Map::new();
    for share in [50, 70, 80, 90, 100] {
        let n = (sorted.len() * share / 100).max(1);
        let wrong = sorted[..n].iter().filter(|s| !s.1).count();
        out.insert(format!("{share}%"), json!(ratio(wrong, n)));
    }
    out.into()
}

fn print(out: &Json, json: bool) {
    if json {
        println!("{out}");
        return;
    }
    if let Json::Object(o) = out {
        for (k, v) in o {
            match v {
                Json::Object(inner) => {
                    let parts: Vec<String> =
                        inner.iter().map(|(k, v)| format!("{k} {v}")).collect();
                    println!("{k:<18} {}", parts.join("  "));
                }
                Json::Array(rows) => {
                    println!("{k}");
                    rows.iter().for_each(|r| println!("  {r}"));
                }
                v => println!("{k:<18} {v}"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn measures_are_what_they_say() {
        assert_eq!(auroc(&[0.9, 0.8], &[0.1, 0.2]), 1.0);
        assert_eq!(auroc(&[0.5], &[0.5]), 0.5);
        assert_eq!(auroc(&[0.9, 0.1], &[0.5]), 0.5);
        // Says 80 %, is right half the time.
        let e = ece(&[(0.8, true), (0.8, false)]);
        assert!((e - 0.3).abs() < 1e-6, "{e}");
        let p: Vec<f32> = (0..100).map(|i| i as f32).collect();
        assert_eq!(fpr95(&p, &[4.0, 5.0, 90.0, -1.0]), 0.5);
    }
}
