//! What people made of it: callers by the survey and by ringing again, colleagues by having to ask again, reviewers by their verdicts,
//! graders by the weekly sample.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::stats::{round, share, stratified_rate, wilson};
use crate::desk::{CallOutcome, CallRecord};
use crate::store::{Grade, Review};

/// Replies an intent must have had reviewed before it may be proposed for more trust, and the most of them that may have been overridden.
pub const ENOUGH: usize = 50;
pub const MOST_OVERRIDDEN: f64 = 0.05;

/// The kinds of calls a weekly sample has some of each of.
pub fn stratum(r: &CallRecord) -> &'static str {
    match r.outcome {
        Some(CallOutcome::Resolved) if !r.actions.is_empty() => "resolved by an action",
        Some(CallOutcome::Resolved) => "resolved by an answer",
        Some(CallOutcome::Transferred) => "handed over",
        Some(CallOutcome::Callback) => "callback promised",
        Some(CallOutcome::Abandoned) => "abandoned",
        Some(CallOutcome::Failed) | None => "failed",
    }
}

/// Of each intent's reviewed replies, how many a person would not let pass as they were; and whether that is good enough.
///
/// Supervised replies count as overridden when they were edited or rejected, shadow drafts when they were graded wrong. Nobody having
/// looked says nothing about the reply and is not counted.
pub fn override_rates(reviews: &[Review]) -> Map<String, Value> {
    let mut by_intent: BTreeMap<&str, [usize; 5]> = BTreeMap::new();
    for review in reviews {
        let n = by_intent.entry(&review.intent).or_default();
        match review.verdict.as_str() {
            "approved" => n[0] += 1,
            "edited" => n[1] += 1,
            "rejected" => n[2] += 1,
            "timeout" => n[3] += 1,
            "" => n[4] += 1,
            _ => {}
        }
    }
    by_intent
        .into_iter()
        .map(|(intent, [approved, edited, rejected, timeout, open])| {
            let looked_at = approved + edited + rejected;
            let mut rate = share(edited + rejected, looked_at);
            let overridden = (edited + rejected) as f64 / looked_at.max(1) as f64;
            rate["approved"] = json!(approved);
            rate["edited"] = json!(edited);
            rate["rejected"] = json!(rejected);
            rate["timeout"] = json!(timeout);
            rate["waiting"] = json!(open);
            rate["needed"] = json!(ENOUGH);
            rate["proposed"] = json!(looked_at >= ENOUGH && overridden < MOST_OVERRIDDEN);
            (intent.to_owned(), rate)
        })
        .collect()
}

/// Quality by grades of whole calls, and automation by quality.
pub(super) fn quality(ended: &[&CallRecord], grades: &[Grade], again: &BTreeSet<String>) -> Value {
    let graded: BTreeMap<&str, &str> = grades
        .iter()
        .filter(|g| g.turn < 0)
        .map(|g| (g.call_id.as_str(), g.grade.as_str()))
        .collect();
    let (rate, (low, high), n) = grade_rate(ended, &graded);
    let resolved: Vec<&&CallRecord> = ended
        .iter()
        .filter(|r| r.outcome == Some(CallOutcome::Resolved))
        .collect();
    let of = |grade: &str| {
        resolved
            .iter()
            .filter(|r| graded.get(r.id.as_str()) == Some(&grade))
            .count()
    };
    let (good, wrong, unhelpful) = (of("good"), of("wrong"), of("unhelpful"));
    let seen = good + wrong + unhelpful;
    let (l, h) = wilson(good as f64 / seen.max(1) as f64, seen as f64);
    let automated = resolved.len() as f64 / ended.len().max(1) as f64;
    let wrong_replies = grades
        .iter()
        .filter(|g| g.turn >= 0 && g.grade == "wrong")
        .count();
    json!({
        "graded": n,
        "rate": (n > 0).then(|| round(rate)), "low": round(low), "high": round(high),
        "wrong_calls": graded.values().filter(|g| **g == "wrong").count(),
        "wrong_answers": wrong_replies,
        "resolved": {
            "graded": seen, "good": good, "wrong": wrong, "unhelpful": unhelpful,
            "rang_again": again.len(),
        },
        // The share of calls that were resolved, and well.
        "automation_with_quality": (seen > 0).then(|| json!({
            "rate": round(automated * good as f64 / seen as f64),
            "low": round(automated * l), "high": round(automated * h),
        })),
    })
}

fn grade_rate(ended: &[&CallRecord], graded: &BTreeMap<&str, &str>) -> (f64, (f64, f64), usize) {
    let mut strata: BTreeMap<&str, (usize, usize, usize)> = BTreeMap::new();
    for r in ended {
        let s = strata.entry(stratum(r)).or_default();
        s.0 += 1;
        if let Some(grade) = graded.get(r.id.as_str()) {
            s.1 += 1;
            s.2 += usize::from(*grade == "good");
        }
    }
    stratified_rate(&strata.into_values().collect::<Vec<_>>())
}

/// The state of a week's sample: how many of it are graded, and the quality of the week's calls.
pub fn grade_sample(week: &[CallRecord], sample: &[(String, String)], grades: &[Grade]) -> Value {
    let drawn: BTreeSet<&str> = sample.iter().map(|(id, _)| id.as_str()).collect();
    let graded: BTreeMap<&str, &str> = grades
        .iter()
        .filter(|g| g.turn < 0 && drawn.contains(g.call_id.as_str()))
        .map(|g| (g.call_id.as_str(), g.grade.as_str()))
        .collect();
    let ended: Vec<&CallRecord> = week.iter().filter(|r| r.outcome.is_some()).collect();
    let (rate, (low, high), n) = grade_rate(&ended, &graded);
    json!({ "graded": n, "rate": (n > 0).then(|| round(rate)), "low": round(low), "high": round(high) })
}

/// Satisfaction, one to five, by who ended with the matter, what it was, and how the caller felt.
pub(super) fn survey(ended: &[&CallRecord]) -> Value {
    let mut by: [BTreeMap<String, Vec<u8>>; 3] = Default::default();
    for r in ended {
        let Some(score) = r.survey else { continue };
        let accepted = r.handoff.as_ref().is_some_and(|h| h.result == "accepted");
        let handed_over_first =
            accepted && r.turns.iter().filter(|t| t.caller.is_some()).count() <= 1;
        // A call that went to a person with its first words was a person's all along.
        let who = match (accepted, handed_over_first) {
            (false, _) => "assistant",
            (true, true) => "human",
            (true, false) => "handed over",
        };
        let intent = r
            .turns
            .iter()
            .rev()
            .find_map(|t| t.decision.as_ref()?.intent.clone())
            .unwrap_or_else(|| "none".into());
        let mood = super::word(r.mood);
        for (table, key) in by.iter_mut().zip([who.to_owned(), intent, mood]) {
            table.entry(key).or_default().push(score);
        }
    }
    let table = |scores: &BTreeMap<String, Vec<u8>>| -> Map<String, Value> {
        scores
            .iter()
            .map(|(key, scores)| {
                let low = scores.iter().filter(|s| **s <= 2).count();
                (
                    key.clone(),
                    json!({ "mean": super::mean(scores), "answers": scores.len(), "unhappy": low }),
                )
            })
            .collect()
    };
    let answers: usize = by[0].values().map(Vec::len).sum();
    json!({
        "answers": answers, "of_calls": ended.len(),
        "by_who": table(&by[0]), "by_intent": table(&by[1]), "by_mood": table(&by[2]),
    })
}

/// Whether callers had to say it again to the human. Known where notes were taken.
pub(super) fn handover(ended: &[&CallRecord]) -> Value {
    let handed: Vec<&&CallRecord> = ended
        .iter()
        .filter(|r| r.handoff.as_ref().is_some_and(|h| h.result == "accepted"))
        .collect();
    let noted: Vec<&&&CallRecord> = handed
        .iter()
        .filter(|r| r.handoff.as_ref().is_some_and(|h| !h.notes.is_empty()))
        .collect();
    let repeated = noted.iter().filter(|r| said_again(r)).count();
    let mut waits: Vec<u64> = handed
        .iter()
        .filter_map(|r| {
            let targets = &r.handoff.as_ref()?.targets;
            Some(targets.iter().map(|t| t.ms).sum())
        })
        .collect();
    waits.sort_unstable();
    json!({
        "accepted": handed.len(),
        "repeated": share(repeated, noted.len()),
        "wait_ms": { "p50": super::percentile(&waits, 50), "p95": super::percentile(&waits, 95) },
        "asked_back": handed.iter().filter(|r| r.handoff.as_ref().is_some_and(|h| !h.questions.is_empty())).count(),
    })
}

/// The caller's first words to the human are mostly what they had told us.
pub(super) fn said_again(r: &CallRecord) -> bool {
    let Some(handoff) = &r.handoff else {
        return false;
    };
    let before: BTreeSet<String> = r
        .turns
        .iter()
        .filter_map(|t| t.caller.as_ref())
        .flat_map(|c| content(&c.text))
        .collect();
    let after: BTreeSet<String> = handoff
        .notes
        .iter()
        .filter(|n| n.by == "caller")
        .take(2)
        .flat_map(|n| content(&n.text))
        .collect();
    let same = after.intersection(&before).count();
    after.len() >= 3 && same * 2 >= after.len()
}

/// Words that carry a matter: not short, not of every sentence, without their endings.
fn content(text: &str) -> Vec<String> {
    const COMMON: [&str; 24] = [
        "this", "that", "with", "have", "from", "they", "them", "there", "what", "when", "would",
        "could", "about", "please", "yeah", "just", "like", "want", "know", "well", "okay",
        "hello", "thank", "thanks",
    ];
    text.to_lowercase()
        .split(|c: char| !c.is_alphanumeric())
        .filter(|w| w.chars().count() >= 4 && !COMMON.contains(w))
        .map(|w| {
            let w = w
                .strip_suffix("ing")
                .or_else(|| w.strip_suffix("ed"))
                .unwrap_or(w);
            w.strip_suffix('s')
                .unwrap_or(w)
                .trim_end_matches('e')
                .to_owned()
        })
        .collect()
}
