//! What callers ask next: conversations of several turns with the desks beside this file, and how often a turn after the first is
//! answered from the wrong article, or with the wrong part of the right one.
//!
//! `talks.jsonl` of a desk has one conversation a line: `turns` of what is said, each with its `route` ("answer", "transfer",
//! "clarify", or "other" for words that ask nothing), the `relevant` articles and what a right reply `must` hold ("|" between two
//! wordings that will do). A conversation ends where a person takes over.

use std::path::Path;
use std::sync::Arc;

use firstline::desk::{Caller, Conversation, Decision, Desk, Route};
use firstline::reason::Embedder;
use firstline::runtime::desks;
use serde_json::Value;

use super::{encoder, hear, meant, strings};

/// What is said to words that ask nothing.
const SOCIAL: [&str; 9] = [
    "Okay. Is",
    "All right. What else",
    "No problem at all",
    "Glad to help",
    "Glad I could help",
    "You're welcome",
    "Sure, take your time",
    "Thanks for calling",
    "That's from our help article",
];

/// What a clarifying question that names things begins with.
const OFFERS: [&str; 3] = ["is it about ", "Is this about ", "Do you mean "];

#[derive(Default)]
struct Score {
    turns: usize,
    answerable: usize,
    right: usize,
    settled: usize,
    wrong: Vec<String>,
    misled: Vec<String>,
    /// A person takes over, or is offered, where an article has the answer.
    given_up: Vec<String>,
}

fn holds(reply: &str, must: &[String]) -> bool {
    let reply = reply.to_lowercase();
    must.iter()
        .all(|wording| wording.to_lowercase().split('|').any(|w| reply.contains(w)))
}

fn run(talk: &Value, desk: &Arc<Desk>, encoder: &mut dyn Embedder, out: &mut Score) {
    let now = "2026-11-23T10:00:00Z".parse().expect("a time");
    let mut line = Conversation::new(desk.clone(), Caller::default(), "talks", now);
    line.opening();
    let mut said_before = String::new();
    let mut told: Vec<String> = Vec::new();
    for (at, turn) in talk["turns"].as_array().expect("turns").iter().enumerate() {
        let say = turn["say"].as_str().expect("what is said");
        let (relevant, must) = (strings(&turn["relevant"]), strings(&turn["must"]));
        let route = turn["route"].as_str().expect("a route");
        let right = |decision: &Decision| {
            let source = decision.sources.first();
            route == "answer"
                && (source.is_some_and(|source| relevant.contains(&source.id)) || at > 0)
                && holds(&decision.reply, &must)
        };
        let decision = hear(&mut line, encoder, say, now);
        let counted = at > 0;
        let shown = |decision: &Decision| {
            format!(
                "{} {at}: [{said_before}] {say:?} ({route} {must:?}) at {:.2}: {}",
                talk["id"].as_str().unwrap_or(""),
                decision.confidence,
                decision.reply
            )
        };
        if counted {
            out.turns += 1;
            out.answerable += usize::from(route == "answer");
        }
        match decision.route {
            Route::Answer if route == "answer" && right(&decision) => {
                out.right += usize::from(counted);
                out.settled += usize::from(counted);
            }
            // What was told is told again, which misleads nobody.
            Route::Answer
                if route == "other"
                    && (told.contains(&decision.reply)
                        || SOCIAL
                            .iter()
                            .any(|phrase| decision.reply.starts_with(phrase))) => {}
            Route::Answer if counted => out.wrong.push(shown(&decision)),
            Route::Clarify if OFFERS.iter().any(|offer| decision.reply.contains(offer)) => {
                let second = hear(
                    &mut line,
                    encoder,
                    &meant(desk, &decision.reply, &relevant),
                    now,
                );
                if counted && right(&second) && second.route == Route::Answer {
                    out.settled += 1;
                } else if counted && second.route == Route::Answer && route != "clarify" {
                    out.misled.push(shown(&second));
                } else if counted && route == "answer" {
                    out.given_up.push(shown(&decision));
                }
            }
            _ if counted && route == "answer" => out.given_up.push(shown(&decision)),
            _ => {}
        }
        told.push(decision.reply.clone());
        if decision.route == Route::Transfer {
            return;
        }
        said_before = say.to_owned();
    }
}

/// Least share of the answerable turns after the first that are answered rightly, at once and with at most one clarifying question; most
/// that are answered wrongly, and after a clarifying question.
struct Bar {
    desk: &'static str,
    right: f64,
    settled: f64,
    wrong: usize,
    misled: usize,
}

const fn bar(desk: &'static str, right: f64, settled: f64, wrong: usize, misled: usize) -> Bar {
    Bar {
        desk,
        right,
        settled,
        wrong,
        misled,
    }
}

const BARS: [Bar; 7] = [
    bar("air", 0.61, 0.66, 4, 1),
    bar("gym", 0.65, 0.69, 8, 3),
    bar("hotel", 0.76, 0.76, 5, 1),
    bar("bank", 0.50, 0.53, 4, 1),
    bar("broadband", 0.74, 0.77, 5, 1),
    bar("energy", 0.40, 0.42, 5, 2),
    // Written by somebody who had not seen the core; on the first run 41 %, 48 %, 8 and 3.
    bar("mobile", 0.37, 0.41, 4, 2),
];

#[test]
fn what_is_asked_next_is_answered_rightly_or_not_at_all() {
    let Some(mut encoder) = encoder() else { return };
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/quality");
    let mut failed = Vec::new();
    for bar in BARS {
        let dir = here.join(bar.desk);
        let text = std::fs::read_to_string(dir.join("talks.jsonl")).expect("talks");
        let desk = desks::load(&dir, Some(encoder.as_mut())).expect("a desk");
        let mut s = Score::default();
        for line in text.lines() {
            let talk: Value = serde_json::from_str(line).expect("a conversation");
            run(&talk, &desk, encoder.as_mut(), &mut s);
        }
        let share = |n: usize| n as f64 / s.answerable as f64;
        let told = format!(
            "{}: {} turns after the first, {} answerable: right {:.3}, with a clarifying question {:.3}, wrong {}, wrong after one {}\n    {}\n  \
             after a clarifying question:\n    {}\n  not answered:\n    {}",
            bar.desk,
            s.turns,
            s.answerable,
            share(s.right),
            share(s.settled),
            s.wrong.len(),
            s.misled.len(),
            s.wrong.join("\n    "),
            s.misled.join("\n    "),
            s.given_up.join("\n    ")
        );
        println!("{told}");
        if share(s.right) < bar.right
            || share(s.settled) < bar.settled
            || s.wrong.len() > bar.wrong
            || s.misled.len() > bar.misled
        {
            failed.push(told);
        }
    }
    assert!(failed.is_empty(), "under the bar:\n{}", failed.join("\n"));
}
