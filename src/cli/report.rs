//! `firstline report`: how many calls the line took, how they came out, and what is still owed to callers.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::desk::{ActionStatus, CallOutcome, CallRecord};
use crate::runtime::clock;
use crate::store::{Callback, CallbackStatus, OpenClaim};

/// Automation rate and quality, callbacks that are owed, and the inputs of the savings formula.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  firstline report --since 7d --json")]
pub struct Args {
    /// A day (2026-11-01), a time, or how far back (24h, 7d, 4w). Without it: everything
    #[arg(long, value_name = "D", value_parser = since)]
    since: Option<Timestamp>,
    /// JSON on stdout
    #[arg(long)]
    json: bool,
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let Some(config) = super::config(args.config.as_deref()) else {
        return Ok(ExitCode::from(2));
    };
    let (records, callbacks, open) = super::block_on(async {
        let store = crate::runtime::serve::open_store(&config).await?;
        let read = (
            store.records(args.since).await?,
            store.callbacks(Some(CallbackStatus::Open)).await?,
            store.open_claims().await?,
        );
        store.close().await;
        Ok::<_, anyhow::Error>(read)
    })??;
    let report = report(&records, &callbacks, &open);
    if args.json {
        println!("{report:#}");
    } else {
        print!("{}", in_words(&report));
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) fn since(text: &str) -> Result<Timestamp, String> {
    if let Ok(at) = text.parse() {
        return Ok(at);
    }
    if let Ok(day) = text.parse::<jiff::civil::Date>() {
        return jiff::tz::TimeZone::system()
            .to_timestamp(day.at(0, 0, 0, 0))
            .map_err(|e| e.to_string());
    }
    let usage = || "write a day (2026-11-01), a time, or how far back (24h, 7d, 4w)".to_owned();
    let unit = text.chars().last().ok_or_else(usage)?;
    let hours = match unit {
        'h' => 1,
        'd' => 24,
        'w' => 24 * 7,
        _ => return Err(usage()),
    };
    let n: i64 = text[..text.len() - unit.len_utf8()]
        .parse()
        .ok()
        .filter(|n| (0..=100_000).contains(n))
        .ok_or_else(usage)?;
    clock::now()
        .checked_sub(SignedDuration::from_hours(n * hours))
        .map_err(|_| usage())
}

fn word<T: serde::Serialize>(value: T) -> String {
    serde_json::to_value(value)
        .ok()
        .and_then(|v| v.as_str().map(str::to_owned))
        .unwrap_or_default()
}

fn report(records: &[CallRecord], callbacks: &[Callback], open: &[OpenClaim]) -> Value {
    // Calls that go on (or that were cut by a crash) have no outcome and are counted apart.
    let ended: Vec<&CallRecord> = records.iter().filter(|r| r.outcome.is_some()).collect();
    let mut outcomes: BTreeMap<String, u64> =
        ["resolved", "transferred", "callback", "abandoned", "failed"]
            .iter()
            .map(|w| ((*w).to_owned(), 0))
            .collect();
    let mut transfers: BTreeMap<String, BTreeMap<String, u64>> = BTreeMap::new();
    let mut intents: BTreeMap<String, BTreeMap<String, u64>> = BTreeMap::new();
    let mut actions: BTreeMap<String, BTreeMap<String, u64>> = BTreeMap::new();
    let mut gaps = Vec::new();
    let (mut turns, mut interrupted, mut resolved_seconds, mut seconds) = (0u64, 0u64, 0i64, 0i64);
    let mut surveys = Vec::new();
    for r in &ended {
        let outcome = r.outcome.map(word).unwrap_or_default();
        *outcomes.entry(outcome.clone()).or_default() += 1;
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
        let about: std::collections::BTreeSet<String> = r
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
        gaps.extend(r.turns.iter().filter_map(|t| t.gap_ms));
        surveys.extend(r.survey);
    }
    gaps.sort_unstable();
    let n = ended.len() as u64;
    let resolved = outcomes.get("resolved").copied().unwrap_or(0);
    let unknown: Vec<Value> = records
        .iter()
        .flat_map(|r| r.actions.iter().filter(|a| a.status == ActionStatus::Unknown).map(move |a| (r, a)))
        .map(|(r, a)| json!({ "call_id": r.id, "action": a.name, "idempotency_key": a.idempotency_key }))
        .collect();
    json!({
        "calls": n,
        "in_progress_or_cut": records.len() as u64 - n,
        "outcomes": outcomes,
        "automation_rate": ratio(resolved, n),
        "turns": turns,
        "interruptions": interrupted,
        "gap_ms": { "p50": percentile(&gaps, 50), "p95": percentile(&gaps, 95), "max": gaps.last() },
        "survey_mean": (!surveys.is_empty()).then(|| surveys.iter().map(|s| f64::from(*s)).sum::<f64>() / surveys.len() as f64),
        "transfers": transfers,
        "intents": intents,
        "actions": actions,
        "savings": {
            "formula": "resolved_calls x (minutes a human takes for such a call x cost of a human's minute) - minutes x cost of the line's minute",
            "resolved_calls": resolved,
            "minutes": minutes(seconds),
            "resolved_minutes": minutes(resolved_seconds),
        },
        "callbacks_open": callbacks.iter().map(|c| json!({
            "id": c.id, "call_id": c.call_id, "number": c.number, "when": c.when, "reason": c.reason,
            "created_at": c.created_at, "summary": c.handoff.summary,
        })).collect::<Vec<_>>(),
        "actions_unknown": unknown,
        "writes_never_settled": open.iter().map(|o| json!({
            "idempotency_key": o.key, "call_id": o.call_id, "action": o.action, "claimed_at": o.claimed_at,
        })).collect::<Vec<_>>(),
    })
}

fn length(r: &CallRecord) -> Option<i64> {
    let start: Timestamp = r.started_at.parse().ok()?;
    let end: Timestamp = r.ended_at.as_ref()?.parse().ok()?;
    Some(end.duration_since(start).as_secs().max(0))
}

fn minutes(seconds: i64) -> f64 {
    (seconds as f64 / 6.).round() / 10.
}

fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| (part as f64 / whole as f64 * 1000.).round() / 1000.)
}

/// The smallest value that at least `p` percent do not exceed.
fn percentile(sorted: &[u64], p: usize) -> Option<u64> {
    let rank = (sorted.len() * p).div_ceil(100);
    sorted.get(rank.checked_sub(1)?).copied()
}

fn in_words(report: &Value) -> String {
    use std::fmt::Write;
    let mut out = String::new();
    let n = |key: &str| report[key].as_u64().unwrap_or(0);
    let _ = writeln!(out, "Calls: {}", n("calls"));
    for (name, count) in report["outcomes"].as_object().into_iter().flatten() {
        let _ = writeln!(out, "  {name:<12} {count}");
    }
    match report["automation_rate"].as_f64() {
        Some(rate) => drop(writeln!(
            out,
            "Resolved without a human: {:.1} %",
            rate * 100.
        )),
        None => drop(writeln!(out, "No call has ended in this time.")),
    }
    if let (Some(p50), Some(p95)) = (
        report["gap_ms"]["p50"].as_u64(),
        report["gap_ms"]["p95"].as_u64(),
    ) {
        let _ = writeln!(
            out,
            "Reply gap: median {p50} ms, 95th percentile {p95} ms, over {} turns",
            n("turns")
        );
    }
    for (title, key) in [
        ("Transfers, by reason", "transfers"),
        ("Matters, by outcome", "intents"),
        ("Actions, by status", "actions"),
    ] {
        let rows = report[key].as_object().filter(|o| !o.is_empty());
        let Some(rows) = rows else { continue };
        let _ = writeln!(out, "{title}:");
        for (name, counts) in rows {
            let counts: Vec<String> = counts
                .as_object()
                .into_iter()
                .flatten()
                .map(|(k, v)| format!("{k} {v}"))
                .collect();
            let _ = writeln!(out, "  {name:<28} {}", counts.join(", "));
        }
    }
    let savings = &report["savings"];
    let _ = writeln!(
        out,
        "Savings: {} (resolved calls {}, minutes {})",
        savings["formula"].as_str().unwrap_or(""),
        savings["resolved_calls"],
        savings["minutes"]
    );
    let callbacks = report["callbacks_open"]
        .as_array()
        .map_or(&[][..], Vec::as_slice);
    let _ = writeln!(out, "Callbacks owed: {}", callbacks.len());
    for c in callbacks {
        let text = |key: &str| c[key].as_str().unwrap_or("").to_owned();
        let when = if text("when").is_empty() {
            "any time".to_owned()
        } else {
            text("when")
        };
        let _ = writeln!(
            out,
            "  {} ({when}), promised {}, because: {}\n    {}\n    call {}",
            text("number"),
            text("created_at"),
            text("reason"),
            text("summary"),
            text("call_id")
        );
    }
    for key in ["actions_unknown", "writes_never_settled"] {
        for a in report[key].as_array().into_iter().flatten() {
            let text = |k: &str| a[k].as_str().unwrap_or("").to_owned();
            let _ = writeln!(
                out,
                "Look up by hand: {} of call {} may or may not have been done (key {})",
                text("action"),
                text("call_id"),
                text("idempotency_key")
            );
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desk::{Handoff, TurnRecord};

    fn call(outcome: Option<CallOutcome>, gaps: &[u64]) -> CallRecord {
        CallRecord {
            id: "c".into(),
            started_at: "2026-11-23T10:00:00Z".into(),
            ended_at: Some("2026-11-23T10:02:00Z".into()),
            outcome,
            turns: gaps
                .iter()
                .map(|g| TurnRecord {
                    gap_ms: Some(*g),
                    ..TurnRecord::default()
                })
                .collect(),
            handoff: (outcome == Some(CallOutcome::Transferred)).then(|| Handoff {
                reason: "dispute".into(),
                result: "accepted".into(),
                ..Handoff::default()
            }),
            ..CallRecord::default()
        }
    }

    #[test]
    fn rates_and_gaps_count_calls_that_ended() {
        let gaps: Vec<u64> = (1..=100).collect();
        let calls = [
            call(Some(CallOutcome::Resolved), &gaps),
            call(Some(CallOutcome::Transferred), &[]),
            call(Some(CallOutcome::Abandoned), &[]),
            call(None, &[9999]),
        ];
        let r = report(&calls, &[], &[]);
        assert_eq!(
            (r["calls"].as_u64(), r["in_progress_or_cut"].as_u64()),
            (Some(3), Some(1))
        );
        assert_eq!(r["automation_rate"], json!(0.333));
        assert_eq!(
            (r["gap_ms"]["p50"].as_u64(), r["gap_ms"]["p95"].as_u64()),
            (Some(50), Some(95))
        );
        assert_eq!(r["transfers"]["dispute"]["accepted"], 1);
        assert_eq!(r["savings"]["minutes"], json!(6.0));
        assert!(in_words(&r).contains("33.3 %"));
    }

    #[test]
    fn no_calls_make_no_rate() {
        let r = report(&[], &[], &[]);
        assert!(r["automation_rate"].is_null() && r["gap_ms"]["p50"].is_null());
        assert!(in_words(&r).contains("No call has ended"));
    }

    #[test]
    fn how_far_back_is_read() {
        for good in ["7d", "24h", "2w", "2026-11-01", "2026-11-01T00:00:00Z"] {
            assert!(since(good).is_ok(), "{good}");
        }
        for bad in ["", "d", "7x", "-1d", "99999999999999h", "é"] {
            assert!(since(bad).is_err(), "{bad}");
        }
    }
}
