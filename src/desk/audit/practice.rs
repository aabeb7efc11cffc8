//! What articles come to in use: tried with the desk's own examples, and seen in the calls that were taken.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::Finding;
use crate::desk::confidence::{confidence, least};
use crate::desk::config::Mode;
use crate::desk::desk::Desk;
use crate::desk::parse::DeskSource;
use crate::desk::record::CallRecord;
use crate::desk::types::Route;

/// Examples of an intent that are tried.
const TRIED: usize = 12;
/// Share of an intent's examples that have to be answered.
const ANSWERED: f32 = 0.34;
/// Questions in calls from which an article that was never used is worth a word.
const ENOUGH: usize = 100;
/// Times that a thing is asked, and badly answered, before it is a gap.
const OFTEN: usize = 3;

/// Tries the examples of every intent that the line answers by itself. `readings` holds them as the desk's encoder reads them.
pub fn rehearse(
    desk: &Desk,
    source: &DeskSource,
    readings: &HashMap<String, Vec<f32>>,
) -> Vec<Finding> {
    let mut out = Vec::new();
    let mut found: BTreeSet<String> = BTreeSet::new();
    let mut tried: BTreeMap<&str, (usize, usize, usize, &str, String)> = BTreeMap::new();
    for (line, example) in source.examples.iter().enumerate() {
        let Some(intent) = example.intent.as_deref() else {
            continue;
        };
        let reading = readings.get(&example.text).map_or(&[][..], Vec::as_slice);
        let seen = tried
            .entry(intent)
            .or_insert((0, 0, line + 1, "", String::new()));
        if seen.0 >= TRIED {
            continue;
        }
        seen.0 += 1;
        let mut understood = desk.understand(&example.text, reading);
        found.extend(understood.sources.iter().take(3).map(|s| s.id.clone()));
        let Some(answer) = desk.best_answer(&example.text, reading, &mut understood) else {
            continue;
        };
        let sure = confidence(desk, &understood, Some(&answer), None);
        if sure >= least(desk, &answer, desk.policy(intent).floor) {
            seen.1 += 1;
        } else if seen.3.is_empty() {
            seen.3 = &example.text;
            seen.4 = answer.source.clone();
        }
    }
    for (intent, (all, answered, line, text, nearest)) in &tried {
        let acts = source.actions.iter().any(|a| a.intent == *intent);
        let served = source
            .articles
            .iter()
            .any(|a| a.intents.iter().any(|i| i == intent));
        if acts || !served || desk.policy(intent).mode != Mode::Autonomous || *all == 0 {
            continue;
        }
        if (*answered as f32) < ANSWERED * *all as f32 {
            let file = source
                .articles
                .iter()
                .find(|a| a.id == *nearest)
                .map_or("intents.jsonl", |a| a.file.as_str());
            out.push(Finding {
                file: "intents.jsonl".into(),
                line: *line,
                kind: "unanswerable",
                message: format!("of {all} examples of `{intent}` the articles answer {answered}: \"{text}\" finds nothing surer than {file}"),
                fix: format!("answer \"{text}\" in one sentence of {file}, or set `mode = \"human\"` in [intent.{intent}]"),
            });
        }
    }
    // With few examples an article may be found by callers' words and by none of ours.
    if source.examples.len() >= source.articles.len() {
        for article in source
            .articles
            .iter()
            .filter(|a| !found.contains(&a.id) && !a.is_ticket())
        {
            out.push(Finding {
                file: article.file.clone(),
                line: article.line,
                kind: "unread",
                message: format!("none of the desk's {} examples finds `{}` among the first three", source.examples.len(), article.id),
                fix: "title it with what callers say, add the question to intents.jsonl, or take it out".into(),
            });
        }
    }
    out
}

/// What the calls that were taken say of the articles: what is asked often and answered badly, and what is never used.
pub fn calls(source: &DeskSource, records: &[CallRecord]) -> Vec<Finding> {
    let mut out = Vec::new();
    let mut used: BTreeSet<&str> = BTreeSet::new();
    // Intent to (asked, answered badly, the latest words).
    let mut asked: BTreeMap<&str, (usize, usize, &str)> = BTreeMap::new();
    let mut questions = 0;
    for record in records {
        for (at, turn) in record.turns.iter().enumerate() {
            let (Some(caller), Some(decision)) = (&turn.caller, &turn.decision) else {
                continue;
            };
            let Some(intent) = decision.intent.as_deref() else {
                continue;
            };
            if decision.in_scope < 0.5
                || caller.by.is_some()
                || caller.text.split_whitespace().count() < 3
            {
                continue;
            }
            questions += 1;
            if decision.route == Route::Answer {
                used.extend(decision.sources.first().map(|s| s.id.as_str()));
            }
            let next = record.turns.get(at + 1).and_then(|t| t.decision.as_ref());
            // Asked again at once, or given up to a person for want of an answer.
            let again = next.is_some_and(|next| {
                decision.route == Route::Answer
                    && next.intent.as_deref() == Some(intent)
                    && next.route != Route::Act
            });
            let unanswered = matches!(decision.route, Route::Transfer | Route::Clarify)
                && ["no article", "under the floor", "nothing answers"]
                    .iter()
                    .any(|why| decision.reason.contains(why));
            let seen = asked.entry(intent).or_insert((0, 0, ""));
            seen.0 += 1;
            if again || unanswered {
                seen.1 += 1;
                seen.2 = &caller.text;
            }
        }
    }
    for (intent, (all, badly, words)) in asked {
        if badly < OFTEN || badly * 3 < all {
            continue;
        }
        let article = source
            .articles
            .iter()
            .find(|a| a.intents.iter().any(|i| i == intent));
        let line = source
            .examples
            .iter()
            .position(|e| e.intent.as_deref() == Some(intent))
            .map_or(1, |n| n + 1);
        out.push(Finding {
            file: article.map_or("intents.jsonl", |a| a.file.as_str()).to_owned(),
            line: article.map_or(line, |a| a.line),
            kind: "gap",
            message: format!("`{intent}` was asked {all} times in {} calls and answered badly {badly} times, last: \"{words}\"", records.len()),
            fix: match article {
                Some(a) => format!("say in {} what answers \"{words}\"", a.file),
                None => format!("write an article for `{intent}` that answers \"{words}\", or set `mode = \"human\"`"),
            },
        });
    }
    if questions >= ENOUGH {
        for article in source
            .articles
            .iter()
            .filter(|a| !used.contains(a.id.as_str()) && !a.is_ticket())
        {
            out.push(Finding {
                file: article.file.clone(),
                line: article.line,
                kind: "unread",
                message: format!(
                    "`{}` answered none of {questions} questions in {} calls",
                    article.id,
                    records.len()
                ),
                fix: "title it with what callers say, or take it out".into(),
            });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desk::record::{CallerTurn, TurnRecord};
    use crate::desk::types::{Decision, Source};
    use crate::desk::{DeskFiles, parse};

    fn source() -> DeskSource {
        let files = DeskFiles(
            [
                ("knowledge/fees.md", "---\nid: fees\ntitle: Late fees\nintents: [late_fee]\n---\nThe late fee is six pounds.\n"),
                ("knowledge/moving.md", "---\nid: moving\ntitle: Zebra crossings\nintents: [moving]\n---\nAsk reception about stripes.\n"),
                (
                    "intents.jsonl",
                    "{\"text\":\"how much is the late fee\",\"intent\":\"late_fee\"}\n{\"text\":\"late fee please\",\"intent\":\"late_fee\"}\n{\"text\":\"we are relocating to another town\",\"intent\":\"moving\"}\n",
                ),
            ]
            .map(|(a, b)| (a.to_string(), b.to_string()))
            .into(),
        );
        parse(&files).expect("a desk")
    }

    fn turn(text: &str, intent: &str, route: Route, article: &str, reason: &str) -> TurnRecord {
        TurnRecord {
            caller: Some(CallerTurn {
                text: text.into(),
                ..CallerTurn::default()
            }),
            decision: Some(Decision {
                id: String::new(),
                route,
                intent: Some(intent.into()),
                in_scope: 0.9,
                confidence: 0.5,
                sources: vec![Source {
                    id: article.into(),
                    score: 0.5,
                }],
                action: None,
                reply: String::new(),
                reason: reason.into(),
                model: None,
                pending: None,
            }),
            ..TurnRecord::default()
        }
    }

    #[test]
    fn calls_show_gaps_and_articles_nobody_uses() {
        let good = turn(
            "how much is the late fee",
            "late_fee",
            Route::Answer,
            "fees",
            "answered from fees at 0.90",
        );
        let bad = turn(
            "can I move my service to Leeds",
            "moving",
            Route::Transfer,
            "moving",
            "no article answers it: 0.20 under the floor 0.70",
        );
        let record = CallRecord {
            turns: vec![good.clone(), bad.clone()],
            ..CallRecord::default()
        };
        let found = calls(&source(), &vec![record.clone(); 3]);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(
            (found[0].kind, found[0].file.as_str()),
            ("gap", "knowledge/moving.md")
        );
        assert!(
            found[0].message.contains("3 times") && found[0].fix.contains("Leeds"),
            "{:?}",
            found[0]
        );
        let found = calls(&source(), &vec![record; 60]);
        assert!(
            found
                .iter()
                .any(|f| f.kind == "unread" && f.message.contains("`moving`")),
            "{found:?}"
        );
    }

    #[test]
    fn examples_show_what_articles_do_not_answer() {
        let source = source();
        let desk = Desk::build(source.clone(), &HashMap::new());
        let found = rehearse(&desk, &source, &HashMap::new());
        assert!(
            found
                .iter()
                .any(|f| f.kind == "unanswerable" && f.message.contains("`moving`")),
            "{found:?}"
        );
    }
}
