//! Twelve desks that are not the sample, and what their callers are told: how many questions are answered, at once or after one
//! clarifying question, and how many wrongly.
//!
//! Each desk is a folder here with its own articles (near-duplicates by plan, room, country; exceptions; deadlines; `energy`,
//! `bank` and `gym` as help centres write them, with headings, lists and tables) and labelled questions: `relevant` articles, what a right reply
//! `must` hold, and the `route` where it is no answer. `questions.jsonl` of the first five is written to trip the line up,
//! `plain.jsonl` is how callers put things. A reply is right where it is drawn from a relevant article and holds all it must; anything
//! else that is spoken as an answer is wrong.
//!
//! The weights of the confidence were fitted on these questions, near weights fitted elsewhere. Bars are set a little under what was
//! measured when they were last set. The goal is two thirds resolved, with one question back at most, and no more than one question in a
//! hundred answered wrongly at once.

mod talks;

use std::path::Path;
use std::sync::Arc;

use firstline::desk::{Conversation, Decision, Desk, Route, Said};
use firstline::reason::Embedder;
use firstline::runtime::{desks, models};
use serde_json::Value;

/// Least share of answerable questions answered rightly at once, and with at most one clarifying question; most questions answered
/// wrongly at once, and after a clarifying question; least recall at 1 and 3.
struct Bar {
    desk: &'static str,
    resolved: f64,
    settled: f64,
    wrong: usize,
    misled: usize,
    first: f64,
    third: f64,
}

const fn bar(
    desk: &'static str,
    (resolved, settled): (f64, f64),
    (wrong, misled): (usize, usize),
    (first, third): (f64, f64),
) -> Bar {
    Bar {
        desk,
        resolved,
        settled,
        wrong,
        misled,
        first,
        third,
    }
}

const BARS: [Bar; 12] = [
    bar("broadband", (0.59, 0.75), (1, 6), (0.92, 0.97)),
    bar("hotel", (0.58, 0.75), (3, 3), (0.88, 0.97)),
    bar("insurer", (0.54, 0.76), (3, 6), (0.90, 0.96)),
    bar("parcels", (0.33, 0.67), (1, 6), (0.89, 0.96)),
    bar("vet", (0.41, 0.73), (1, 5), (0.87, 0.96)),
    bar("energy", (0.32, 0.68), (5, 3), (0.87, 0.95)),
    bar("bank", (0.43, 0.61), (4, 6), (0.95, 0.98)),
    // These four were written by somebody who had not seen the core, and run for the first time with it as it was then; nothing was
    // fitted on `cinema` and `hire`.
    bar("air", (0.43, 0.66), (1, 8), (0.86, 0.98)),
    bar("cinema", (0.29, 0.45), (2, 4), (0.71, 0.91)),
    bar("hire", (0.37, 0.54), (2, 9), (0.81, 0.91)),
    bar("mobile", (0.27, 0.52), (2, 3), (0.83, 0.94)),
    bar("gym", (0.78, 0.87), (1, 5), (0.95, 0.98)),
];

struct Score {
    /// What is for a human whatever the articles say and was not sent there at once.
    kept_back: Vec<String>,
    questions: usize,
    answerable: usize,
    right: usize,
    settled: usize,
    wrong: Vec<String>,
    misled: Vec<String>,
    asked: usize,
    first: usize,
    third: usize,
}

fn strings(v: &Value) -> Vec<String> {
    let all = v.as_array().into_iter().flatten();
    all.filter_map(Value::as_str).map(str::to_owned).collect()
}

fn score(dir: &Path, desk: &Arc<Desk>, encoder: &mut dyn Embedder) -> Score {
    let mut text = std::fs::read_to_string(dir.join("questions.jsonl")).expect("questions");
    // As callers put them, where the desk has such a file.
    text += &std::fs::read_to_string(dir.join("plain.jsonl")).unwrap_or_default();
    let now = "2026-11-23T10:00:00Z".parse().expect("a time");
    let mut out = Score {
        kept_back: Vec::new(),
        questions: 0,
        answerable: 0,
        right: 0,
        settled: 0,
        wrong: Vec::new(),
        misled: Vec::new(),
        asked: 0,
        first: 0,
        third: 0,
    };
    for line in text.lines() {
        let question: Value = serde_json::from_str(line).expect("a question");
        let text = question["text"].as_str().expect("its text");
        let (relevant, must) = (strings(&question["relevant"]), strings(&question["must"]));
        let mut talk = Conversation::rehearsal(desk.clone(), "quality", now);
        let decision = hear(&mut talk, encoder, text, now);
        let answerable = question["route"] == "answer";
        let right = |decision: &Decision| {
            let reply = decision.reply.to_lowercase();
            let source = decision.sources.first();
            answerable
                && source.is_some_and(|source| relevant.contains(&source.id))
                && must.iter().all(|word| reply.contains(&word.to_lowercase()))
        };
        let told = |decision: &Decision| {
            format!("{text:?} at {:.2}: {}", decision.confidence, decision.reply)
        };
        if question["human"] == true && decision.route != Route::Transfer {
            out.kept_back.push(told(&decision));
        }
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
        match decision.route {
            Route::Answer if right(&decision) => {
                out.right += 1;
                out.settled += 1;
            }
            Route::Answer => out.wrong.push(told(&decision)),
            Route::Clarify => {
                let second = hear(
                    &mut talk,
                    encoder,
                    &meant(desk, &decision.reply, &relevant),
                    now,
                );
                if right(&second) {
                    out.settled += 1;
                } else if second.route == Route::Answer && question["route"] != "clarify" {
                    out.misled.push(told(&second));
                }
            }
            _ => {}
        }
    }
    out
}

/// One turn of a caller.
fn hear(
    talk: &mut Conversation,
    encoder: &mut dyn Embedder,
    text: &str,
    now: jiff::Timestamp,
) -> Decision {
    let beside = talk.beside(text);
    let read: Vec<&str> = beside.iter().map(String::as_str).collect();
    let readings = encoder.read_said(&read).expect("readings");
    talk.hear(&Said {
        text: text.to_owned(),
        vector: encoder.read_said(&[text]).expect("a reading").remove(0),
        beside: beside.into_iter().zip(readings).collect(),
        now,
        ..Said::default()
    })
    .decision
}

/// What a caller says to a clarifying question: the thing that their article is about, if it is offered. Whose question no article
/// answers agrees to whatever is offered first.
fn meant(desk: &Desk, reply: &str, relevant: &[String]) -> String {
    let reply = reply.to_lowercase();
    let offer = ["is it about ", "is this about ", "do you mean ", "about "];
    let Some(offered) = offer
        .iter()
        .find_map(|offer| Some(reply.split_once(offer)?.1))
    else {
        return "no".into();
    };
    let offered = offered.split('?').next().unwrap_or(offered);
    let offered: Vec<&str> = offered
        .split(", or about ")
        .flat_map(|part| part.split(", or "))
        .flat_map(|part| part.split(", "))
        .collect();
    if relevant.is_empty() {
        return offered.first().map_or("no", |first| first).to_string();
    }
    let theirs = desk.articles.iter().filter(|a| relevant.contains(&a.id));
    let fits = |thing: &&&str| {
        theirs.clone().any(|a| {
            let title = a.title.to_lowercase();
            title.starts_with(**thing) || a.intents.iter().any(|i| i.replace('_', " ") == **thing)
        })
    };
    offered.iter().find(fits).unwrap_or(&"no").to_string()
}

/// The sentence encoder, and its folder's; none where it is not here and need not be.
fn encoder() -> Option<Box<dyn Embedder>> {
    let Ok(models) = models::model_dir("minilm") else {
        assert!(
            std::env::var_os("FIRSTLINE_NEED_MODELS").is_none(),
            "the sentence encoder is missing"
        );
        eprintln!("no sentence encoder here: not tried");
        return None;
    };
    Some(desks::encoder(models.parent().expect("a folder")).expect("an encoder"))
}

/// The encoder was taught which sentence answers: a question stands nearer to it than to what is only about the same, and further ahead
/// than by the weights as they were published.
#[test]
fn a_question_is_nearer_to_what_answers_it() {
    let Some(mut encoder) = encoder() else { return };
    // What is asked, what answers it, and what is only about the same.
    let cases = [
        [
            "what's it going to set me back to get out of this early",
            "Contracts: Leaving. You pay 12 pounds for each month that is left.",
            "Contracts: Leaving. Tell us 30 days before you want to go.",
        ],
        [
            "I'm away that week, can somebody else let them in",
            "Visits: At home. Another adult can be there in your place.",
            "Visits: Times. We come in the week you choose.",
        ],
        [
            "how long have I got to change my mind",
            "Returns. You can send it back within 14 days of getting it.",
            "Returns. The money is with you 5 days after we have it.",
        ],
        [
            "is there somewhere to leave the car",
            "Getting here. The car park behind the building is free for guests.",
            "Getting here. By car, take the second exit and turn left.",
        ],
        [
            "what if my card gets knocked back",
            "Payments. When a payment fails we try again two days later.",
            "Payments. You can pay by card or from a bank account.",
        ],
        [
            "who do I ring if it's the middle of the night",
            "Emergencies. The line for leaks is open at all hours.",
            "Emergencies. Night visits cost 60 pounds more.",
        ],
    ];
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
    let mut ahead = |taught: bool| -> Vec<f32> {
        let of = |texts: &[&str; 3]| {
            let all = if taught {
                encoder.answering(texts)
            } else {
                encoder.embed(texts)
            };
            let all = all.expect("vectors");
            dot(&all[0], &all[1]) - dot(&all[0], &all[2])
        };
        cases.iter().map(of).collect()
    };
    let (plain, taught) = (ahead(false), ahead(true));
    let right = |all: &[f32]| all.iter().filter(|ahead| **ahead > 0.0).count();
    let mean = |all: &[f32]| all.iter().sum::<f32>() / all.len() as f32;
    println!("plain {plain:?}, taught {taught:?}");
    assert!(right(&taught) >= right(&plain) && mean(&taught) > mean(&plain) + 0.03);
}

/// The sample desk's articles have a text for reading out each, which leaves most of the article unsaid: two questions in three of
/// `written.txt` are after what only the article says. What is spoken as an answer must hold one of the phrases beside the question.
#[test]
fn what_was_written_for_reading_out_is_not_said_past_the_question() {
    let Some(mut encoder) = encoder() else { return };
    let dir = Path::new(env!("CARGO_MANIFEST_DIR"));
    let desk = desks::load(&dir.join("examples/larchpay"), Some(encoder.as_mut())).expect("a desk");
    let text = std::fs::read_to_string(dir.join("tests/quality/written.txt")).expect("questions");
    let now = "2026-11-23T10:00:00Z".parse().expect("a time");
    let (mut right, mut wrong) = (0, Vec::new());
    for line in text.lines() {
        let mut parts = line.split('|');
        let question = parts.next().expect("a question");
        let mut talk = Conversation::rehearsal(desk.clone(), "quality", now);
        let decision = talk
            .hear(&Said {
                text: question.to_owned(),
                vector: encoder.read_said(&[question]).expect("a reading").remove(0),
                now,
                ..Said::default()
            })
            .decision;
        let reply = decision.reply.to_lowercase();
        match decision.route {
            Route::Answer if parts.any(|phrase| reply.contains(&phrase.to_lowercase())) => {
                right += 1
            }
            Route::Answer => wrong.push(format!("{question}: {}", decision.reply)),
            _ => {}
        }
    }
    println!(
        "{right} right, {} wrong of {}",
        wrong.len(),
        text.lines().count()
    );
    assert!(
        right >= 80 && wrong.len() <= 7,
        "{right} right\n{}",
        wrong.join("\n")
    );
}

#[test]
fn unseen_desks_are_answered_rightly_or_not_at_all() {
    let Some(mut encoder) = encoder() else { return };
    let mut failed = Vec::new();
    for bar in BARS {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/quality")
            .join(bar.desk);
        let desk = desks::load(&dir, Some(encoder.as_mut())).expect("a desk");
        let s = score(&dir, &desk, encoder.as_mut());
        let share = |n: usize, of: usize| n as f64 / of as f64;
        let (resolved, settled, first, third) = (
            share(s.right, s.answerable),
            share(s.settled, s.answerable),
            share(s.first, s.asked),
            share(s.third, s.asked),
        );
        let told = format!(
            "{}: {} questions, resolved {resolved:.3}, with a clarifying question {settled:.3}, wrong {}, wrong after one {}, \
             recall@1 {first:.3}, recall@3 {third:.3}\n    {}\n  after a clarifying question:\n    {}",
            bar.desk,
            s.questions,
            s.wrong.len(),
            s.misled.len(),
            s.wrong.join("\n    "),
            s.misled.join("\n    ")
        );
        println!("{told}");
        assert!(s.kept_back.is_empty(), "{}: {:?}", bar.desk, s.kept_back);
        if resolved < bar.resolved
            || settled < bar.settled
            || s.wrong.len() > bar.wrong
            || s.misled.len() > bar.misled
            || first < bar.first
            || third < bar.third
        {
            failed.push(told);
        }
    }
    assert!(failed.is_empty(), "under the bar:\n{}", failed.join("\n"));
}
