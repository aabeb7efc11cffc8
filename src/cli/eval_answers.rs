//! `firstline eval answers`: what a desk's callers would be told, and how much of it is right.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::json;

use super::{Line, bins, ece, lines, print, ratio, round};
use crate::cli::{ask, chat};
use crate::desk::{Decision, Route};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The desk to test
    #[arg(long)]
    desk: PathBuf,
    /// Labelled questions
    #[arg(long)]
    test: PathBuf,
    /// Where the models are, if not where `firstline models` keeps them
    #[arg(long)]
    models: Option<PathBuf>,
    /// Go by words alone
    #[arg(long)]
    words: bool,
    /// One JSON object on stdout
    #[arg(long)]
    json: bool,
    /// List what was said wrongly and what was not answered
    #[arg(long)]
    wrong: bool,
}

/// What became of one question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fate {
    /// Answered, and rightly.
    Right,
    /// Answered with something that does not answer it, or that nobody could have known.
    Wrong,
    /// Not answered, and rightly so.
    Held,
    /// Could have been answered.
    Missed,
}

/// A reply is right where its article is one of the line's and it holds all that the line says it must.
pub(super) fn fate(line: &Line, decision: &Decision) -> Fate {
    let answerable = line.answerable();
    if decision.route != Route::Answer {
        return if answerable { Fate::Missed } else { Fate::Held };
    }
    let from = decision.sources.first().map(|s| s.id.as_str());
    let article =
        line.relevant.is_empty() || from.is_some_and(|id| line.relevant.iter().any(|r| r == id));
    if answerable && article && line.holds(&decision.reply) {
        Fate::Right
    } else {
        Fate::Wrong
    }
}

pub(super) fn run(a: &Args) -> anyhow::Result<ExitCode> {
    let test = lines(&a.test)?;
    let mut encoder = chat::encoder(a.models.as_deref(), a.words);
    let desk = chat::load(&a.desk, &mut encoder)?;
    let mut kinds: BTreeMap<String, [usize; 4]> = BTreeMap::new();
    let mut all = [0usize; 4];
    let mut spoken = Vec::new();
    let (mut asked, mut at1, mut at3) = (0, 0, 0);
    for (n, line) in test.iter().enumerate() {
        let decision = ask::decide(
            &desk,
            &mut encoder,
            (n + 1).to_string(),
            &line.text,
            &|_, _| {},
        )?;
        let fate = fate(line, &decision);
        all[fate as usize] += 1;
        kinds.entry(line.kind.clone()).or_default()[fate as usize] += 1;
        if decision.route == Route::Answer {
            spoken.push((decision.confidence, fate == Fate::Right));
        }
        if !line.relevant.is_empty() {
            let at = decision
                .sources
                .iter()
                .position(|s| line.relevant.contains(&s.id));
            asked += 1;
            at1 += usize::from(at.is_some_and(|at| at < 1));
            at3 += usize::from(at.is_some_and(|at| at < 3));
        }
        if a.wrong && matches!(fate, Fate::Wrong | Fate::Missed) {
            eprintln!(
                "{fate:?} {:.2} [{}] {:?}\n    {}: {} ({})",
                decision.confidence,
                line.kind,
                line.text,
                decision.sources.first().map_or("-", |s| s.id.as_str()),
                decision.reply,
                decision.reason
            );
        }
    }
    let [right, wrong, held, missed] = all;
    let table = |pairs: &[(f32, bool)]| -> Vec<serde_json::Value> {
        let rows = bins(pairs).into_iter();
        rows.map(|(n, said, was)| json!({"said": round(said), "was": round(was), "lines": n}))
            .collect()
    };
    let answerable = test.iter().filter(|l| l.answerable()).count();
    let mut out = json!({
        "questions": test.len(), "answerable": answerable, "resolved": ratio(right, answerable),
        "answered_right": right, "answered_wrong": wrong, "held_back_rightly": held, "missed": missed,
        "wrong_of_all": ratio(wrong, test.len()),
        "recall@1": ratio(at1, asked), "recall@3": ratio(at3, asked),
        "ece_spoken": if spoken.is_empty() { 0.0 } else { round(ece(&spoken)) },
        "reliability": table(&spoken),
    });
    let by: Vec<_> = kinds
        .iter()
        .filter(|(kind, _)| !kind.is_empty())
        .map(|(kind, [right, wrong, held, missed])| json!({"kind": kind, "right": right, "wrong": wrong, "held": held, "missed": missed}))
        .collect();
    if !by.is_empty() {
        out["by_kind"] = json!(by);
    }
    print(&out, a.json);
    Ok(ExitCode::SUCCESS)
}
