//! The figures of a report: how calls came out and how well, what people made of them, what is owed, and what it saves.
//!
//! Made from what the store holds, by `firstline report` and by the console alike.

mod html;
mod people;
mod savings;
pub mod stats;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::desk::{ActionStatus, CallOutcome, CallRecord, SavingsConfig};
use crate::store::{Callback, CallbackStatus, Grade, OpenClaim, Review, Store, StoreError};

pub use html::html;
pub use people::{grade_sample, override_rates, stratum};
use stats::{percentile, round, share};

/// A caller who rings again about the same matter within this many days was not helped.
const AGAIN_DAYS: i64 = 7;

/// What a report is made from.
#[derive(Debug, Default)]
pub struct Facts {
    pub records: Vec<CallRecord>,
    pub callbacks: Vec<Callback>,
    pub claims: Vec<OpenClaim>,
    pub reviews: Vec<Review>,
    pub grades: Vec<Grade>,
    pub savings: Option<SavingsConfig>,
    pub now: Timestamp,
}

/// Reads them.
///
/// # Errors
/// What the store says.
pub async fn facts(
    store: &Store,
    since: Option<Timestamp>,
    savings: Option<SavingsConfig>,
    now: Timestamp,
) -> Result<Facts, StoreError> {
    let since_ms = since.map_or(0, Timestamp::as_millisecond);
    Ok(Facts {
        records: store.records(since).await?,
        callbacks: store.callbacks(Some(CallbackStatus::Open)).await?,
        claims: store.open_claims().await?,
        reviews: store.reviews(false, since_ms, 100_000).await?,
        grades: store.grades(None).await?,
        savings,
        now,
    })
}

type Counts = BTreeMap<String, u64>;

/// The report as JSON.
pub fn report(facts: &Facts) -> Value {
    // Calls that go on (or that were cut by a crash) have no outcome and are counted apart.
    let ended: Vec<&CallRecord> = facts
        .records
        .iter()
        .filter(|r| r.outcome.is_some())
        .collect();
    let mut outcomes: Counts = ["resolved", "transferred", "callback", "abandoned", "failed"]
        .iter()
        .map(|w| ((*w).to_owned(), 0))
        .collect();
    let mut transfers: BTreeMap<String, Counts> = BTreeMap::new();
    let mut intents: BTreeMap<String, Counts> = BTreeMap::new();
    let mut actions: BTreeMap<String, Counts> = BTreeMap::new();
    let mut days: BTreeMap<String, Counts> = BTreeMap::new();
    let mut gaps = Vec::new();
    let (mut turns, mut interrupted, mut resolved_seconds, mut seconds) = (0u64, 0u64, 0i64, 0i64);
    let mut stages: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
    for r in &ended {
        let outcome = r.outcome.map(word).unwrap_or_default();
        *outcomes.entry(outcome.clone()).or_default() += 1;
        let day = r.started_at.get(..10).unwrap_or("?").to_owned();
        *days
            .entry(day)
            .or_default()
            .entry(outcome.clone())
            .or_default() += 1;
        let long = length(r).unwrap_or(0);
        seconds += long;
        if r.outcome == Some(CallOutcome::Resolved) {
            resolved_seconds += long;
        }
        if let Some(h) = &r.handoff {
            let result = if h.result.is_empty() {
                "unknown"
            } else {
                &h.result
            };
            *transfers
                .entry(h.reason.clone())
                .or_default()
                .entry(result.to_owned())
                .or_default() += 1;
        }
        let about: BTreeSet<String> = r
            .turns
            .iter()
            .filter_map(|t| t.decision.as_ref()?.intent.clone())
            .collect();
        for intent in about {
            *intents
                .entry(intent)
                .or_default()
                .entry(outcome.clone())
                .or_default() += 1;
        }
        for a in &r.actions {
            *actions
                .entry(a.name.clone())
                .or_default()
                .entry(word(a.status))
                .or_default() += 1;
        }
        turns += r.turns.iter().filter(|t| t.caller.is_some()).count() as u64;
        interrupted += r.turns.iter().filter(|t| t.interrupted).count() as u64;
        for t in r.turns.iter().filter(|t| t.gap_ms.is_some()) {
            let s = t.stages_ms;
            gaps.extend(t.gap_ms);
            for (name, ms) in [
                ("endpoint", s.endpoint),
                ("stt", s.stt),
                ("decide", s.decide),
                ("tts", s.tts),
            ] {
                stages.entry(name).or_default().push(ms);
            }
        }
    }
    gaps.sort_unstable();
    let n = ended.len();
    let count = |word: &str| outcomes.get(word).copied().unwrap_or(0) as usize;
    let resolved = count("resolved");
    let again = rang_again(&ended);
    let surveys: Vec<u8> = ended.iter().filter_map(|r| r.survey).collect();
    let counted = savings::Counted {
        resolved,
        again: again.len(),
        call_minutes: seconds as f64 / 60.0,
        days: span_days(&ended),
        reviews: facts
            .reviews
            .iter()
            .filter(|r| matches!(r.verdict.as_str(), "approved" | "edited" | "rejected"))
            .count(),
        grades: facts.grades.iter().filter(|g| g.turn < 0).count(),
    };
    let mut saved = savings::savings(&counted, facts.savings.as_ref());
    saved["resolved_minutes"] = json!(minutes(resolved_seconds));
    let quality = people::quality(&ended, &facts.grades, &again);
    let unknown: Vec<Value> = facts
        .records
        .iter()
        .flat_map(|r| r.actions.iter().filter(|a| a.status == ActionStatus::Unknown).map(move |a| (r, a)))
        .map(|(r, a)| json!({ "call_id": r.id, "action": a.name, "idempotency_key": a.idempotency_key }))
        .collect();
    json!({
        "calls": n,
        "in_progress_or_cut": facts.records.len() - n,
        "outcomes": outcomes,
        "automation_rate": ratio(resolved, n),
        "automation": share(resolved, n),
        "quality": quality,
        "turns": turns,
        "interruptions": interrupted,
        "gap_ms": { "p50": percentile(&gaps, 50), "p95": percentile(&gaps, 95), "max": gaps.last() },
        "stages_ms": stages.into_iter().map(|(name, mut ms)| {
            ms.sort_unstable();
            (name.to_owned(), json!({ "p50": percentile(&ms, 50), "p95": percentile(&ms, 95) }))
        }).collect::<serde_json::Map<_, _>>(),
        "survey_mean": mean(&surveys),
        "survey": people::survey(&ended),
        "transfers": transfers,
        "handover": people::handover(&ended),
        "intents": intents,
        "overrides": people::override_rates(&facts.reviews),
        "actions": actions,
        "days": days,
        "savings": saved,
        "callbacks_open": facts.callbacks.iter().map(|c| json!({
            "id": c.id, "call_id": c.call_id, "number": c.number, "when": c.when, "reason": c.reason,
            "created_at": c.created_at, "summary": c.handoff.summary,
        })).collect::<Vec<_>>(),
        "actions_unknown": unknown,
        "writes_never_settled": facts.claims.iter().map(|o| json!({
            "idempotency_key": o.key, "call_id": o.call_id, "action": o.action, "claimed_at": o.claimed_at,
        })).collect::<Vec<_>>(),
    })
}

/// Resolved calls whose caller rang again about the same within a week.
fn rang_again(ended: &[&CallRecord]) -> BTreeSet<String> {
    let mut by_caller: BTreeMap<&str, Vec<&CallRecord>> = BTreeMap::new();
    for r in ended {
        if let Some(from) = &r.from {
            by_caller.entry(from).or_default().push(r);
        }
    }
    let start = |r: &CallRecord| r.started_at.parse::<Timestamp>().ok();
    let matters = |r: &CallRecord| -> BTreeSet<String> {
        r.turns
            .iter()
            .filter_map(|t| t.decision.as_ref()?.intent.clone())
            .collect()
    };
    let mut again = BTreeSet::new();
    for calls in by_caller.values().filter(|calls| calls.len() > 1) {
        for call in calls
            .iter()
            .filter(|c| c.outcome == Some(CallOutcome::Resolved))
        {
            let (Some(at), about) = (start(call), matters(call)) else {
                continue;
            };
            let came_back = calls.iter().any(|later| {
                start(later).is_some_and(|then| {
                    then > at && then.duration_since(at).as_hours() < AGAIN_DAYS * 24
                }) && !matters(later).is_disjoint(&about)
            });
            if came_back {
                again.insert(call.id.clone());
            }
        }
    }
    again
}

/// From the first call to the last, a day at least.
fn span_days(ended: &[&CallRecord]) -> f64 {
    let starts: Vec<Timestamp> = ended
        .iter()
        .filter_map(|r| r.started_at.parse().ok())
        .collect();
    match (starts.iter().min(), starts.iter().max()) {
        (Some(first), Some(last)) => {
            (last.duration_since(*first).as_secs_f64() / 86_400.0).max(1.0)
        }
        _ => 0.0,
    }
}

pub(super) fn word<T: serde::Serialize>(value: T) -> String {
    serde_json::to_value(value)
        .ok()
        .and_then(|v| v.as_str().map(str::to_owned))
        .unwrap_or_default()
}

fn mean(scores: &[u8]) -> Option<f64> {
    let sum: f64 = scores.iter().map(|s| f64::from(*s)).sum();
    (!scores.is_empty()).then(|| round(sum / scores.len() as f64))
}

/// Seconds.
fn length(r: &CallRecord) -> Option<i64> {
    let start: Timestamp = r.started_at.parse().ok()?;
    let end: Timestamp = r.ended_at.as_ref()?.parse().ok()?;
    Some(end.duration_since(start).as_secs().max(0))
}

fn minutes(seconds: i64) -> f64 {
    (seconds as f64 / 6.).round() / 10.
}

fn ratio(part: usize, whole: usize) -> Option<f64> {
    (whole > 0).then(|| round(part as f64 / whole as f64))
}

#[cfg(test)]
mod tests;
