//! Five desks that nothing was shaped for, and what their callers are told: how many questions are answered, and how many wrongly.
//!
//! Each desk is a folder here with its own articles (near-duplicates by plan, room, country; exceptions; deadlines) and labelled
//! questions: `relevant` articles, what a right reply `must` hold, and the `route` where it is no answer. A reply is right where it is
//! drawn from a relevant article and holds all it must; anything else that is spoken as an answer is wrong.
//!
//! `vet` is the held-out one: its questions were written before anything was run on it, and no weight was fitted on it. When it was
//! first run, 49 % of what can be answered was and 5 of 98 were answered wrongly; some rules it gave rise to came after. Bars are set
//! a little under what was measured when they were last raised; raise them when you can, never lower them. The goal is two thirds
//! resolved and one question in a hundred answered wrongly; these desks are written to trip the line up.

use std::path::Path;
use std::sync::Arc;

use firstline::desk::{Conversation, Desk, Route, Said};
use firstline::reason::Embedder;
use firstline::runtime::{desks, models};
use serde_json::Value;

/// Least share of answerable questions answered rightly, most questions answered wrongly, least recall at 1 and 3.
struct Bar {
    desk: &'static str,
    resolved: f64,
    wrong: usize,
    first: f64,
    third: f64,
}

const BARS: [Bar; 5] = [
    Bar {
        desk: "broadband",
        resolved: 0.60,
        wrong: 1,
        first: 0.94,
        third: 0.97,
    },
    Bar {
        desk: "hotel",
        resolved: 0.68,
        wrong: 1,
        first: 0.93,
        third: 0.97,
    },
    Bar {
        desk: "insurer",
        resolved: 0.61,
        wrong: 1,
        first: 0.87,
        third: 0.92,
    },
    Bar {
        desk: "parcels",
        resolved: 0.44,
        wrong: 2,
        first: 0.84,
        third: 0.94,
    },
    Bar {
        desk: "vet",
        resolved: 0.45,
        wrong: 4,
        first: 0.80,
        third: 0.95,
    },
];

struct Score {
    questions: usize,
    answerable: usize,
    right: usize,
    wrong: Vec<String>,
    asked: usize,
    first: usize,
    third: usize,
}

fn strings(v: &Value) -> Vec<String> {
    let all = v.as_array().into_iter().flatten();
    all.filter_map(Value::as_str).map(str::to_owned).collect()
}

fn score(dir: &Path, desk: &Arc<Desk>, encoder: &mut dyn Embedder) -> Score {
    let text = std::fs::read_to_string(dir.join("questions.jsonl")).expect("questions");
    let now = "2026-11-23T10:00:00Z".parse().expect("a time");
    let mut out = Score {
        questions: 0,
        answerable: 0,
        right: 0,
        wrong: Vec::new(),
        asked: 0,
        first: 0,
        third: 0,
    };
    for line in text.lines() {
        let question: Value = serde_json::from_str(line).expect("a question");
        let text = question["text"].as_str().expect("its text");
        let (relevant, must) = (strings(&question["relevant"]), strings(&question["must"]));
        let said = Said {
            text: text.to_owned(),
            vector: encoder.read(&[text]).expect("a reading").remove(0),
            now,
            ..Said::default()
        };
        let decision = Conversation::rehearsal(desk.clone(), "quality", now)
            .hear(&said)
            .decision;
        let answerable = question["route"] == "answer";
        out.questions += 1;
        out.answerable += usize::from(answerable);
        let at = decision
            .sources
            .iter()
            .position(|s| relevant.contains(&s.id));
        if !relevant.is_empty() {
            out.asked += 1;
            out.first += usize::from(at == Some(0));
            out.third += usize::from(at.is_some_and(|at| at < 3));
        }
        if decision.route == Route::Answer {
            let reply = decision.reply.to_lowercase();
            let holds = must.iter().all(|word| reply.contains(&word.to_lowercase()));
            if answerable && at == Some(0) && holds {
                out.right += 1;
            } else {
                out.wrong.push(format!(
                    "{text:?} at {:.2}: {}",
                    decision.confidence, decision.reply
                ));
            }
        }
    }
    out
}

#[test]
fn unseen_desks_are_answered_rightly_or_not_at_all() {
    let Ok(models) = models::model_dir("minilm") else {
        assert!(
            std::env::var_os("FIRSTLINE_NEED_MODELS").is_none(),
            "the sentence encoder is missing"
        );
        eprintln!("no sentence encoder here: not tried");
        return;
    };
    let mut encoder = desks::encoder(models.parent().expect("a folder")).expect("an encoder");
    let mut failed = Vec::new();
    for bar in BARS {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/quality")
            .join(bar.desk);
        let desk = desks::load(&dir, Some(encoder.as_mut())).expect("a desk");
        let s = score(&dir, &desk, encoder.as_mut());
        let share = |n: usize, of: usize| n as f64 / of as f64;
        let (resolved, first, third) = (
            share(s.right, s.answerable),
            share(s.first, s.asked),
            share(s.third, s.asked),
        );
        let told = format!(
            "{}: {} questions, resolved {resolved:.3}, wrong {}, recall@1 {first:.3}, recall@3 {third:.3}\n    {}",
            bar.desk,
            s.questions,
            s.wrong.len(),
            s.wrong.join("\n    ")
        );
        println!("{told}");
        if resolved < bar.resolved
            || s.wrong.len() > bar.wrong
            || first < bar.first
            || third < bar.third
        {
            failed.push(told);
        }
    }
    assert!(failed.is_empty(), "under the bar:\n{}", failed.join("\n"));
}
