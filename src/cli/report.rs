//! `firstline report`: how many calls the line took, how they came out, and what is still owed to callers.

use std::path::PathBuf;
use std::process::ExitCode;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::desk::{DeskConfig, parse};
use crate::runtime::report::{facts, html, report};
use crate::runtime::{clock, desks};

/// Automation rate and quality, callbacks that are owed, and the inputs of the savings formula.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  firstline report --since 7d --html week.html\n\n\
    What it saves is reckoned with the desk's own numbers, in desk.toml:\n  \
    [savings]\n  human_minute  = 0.90   # what a colleague's minute costs\n  \
    human_minutes = 6      # what such a call takes them\n  line_minute   = 0.02   # carrier and machine\n  month         = 200"
)]
pub struct Args {
    /// A day (2026-11-01), a time, or how far back (24h, 7d, 4w). Without it: everything
    #[arg(long, value_name = "D", value_parser = since)]
    since: Option<Timestamp>,
    /// JSON on stdout
    #[arg(long)]
    json: bool,
    /// Write a page with charts into this file
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let Some(config) = super::config(args.config.as_deref()) else {
        return Ok(ExitCode::from(2));
    };
    let desk = desk_config(&config.desk);
    let read = super::block_on(async {
        let store = crate::runtime::serve::open_store(&config).await?;
        let read = facts(&store, args.since, desk.savings, clock::now()).await?;
        store.close().await;
        Ok::<_, anyhow::Error>(read)
    })??;
    let report = report(&read);
    if let Some(path) = &args.html {
        std::fs::write(path, html(&report, &desk.company))
            .map_err(|e| anyhow::anyhow!("cannot write {}: {e}", path.display()))?;
        eprintln!("wrote {}", path.display());
    }
    if args.json {
        println!("{report:#}");
    } else if args.html.is_none() {
        print!("{}", in_words(&report));
    }
    Ok(ExitCode::SUCCESS)
}

/// The desk's numbers; a report is made without them, too.
fn desk_config(dir: &std::path::Path) -> DeskConfig {
    let read = desks::read(dir).and_then(|files| {
        parse(&files).map_err(|problems| {
            problems
                .first()
                .map_or_else(String::new, ToString::to_string)
        })
    });
    match read {
        Ok(source) => source.config,
        Err(why) => {
            eprintln!("firstline: the desk cannot be read, so nothing is said of savings: {why}");
            DeskConfig::default()
        }
    }
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
    for (intent, o) in report["overrides"].as_object().into_iter().flatten() {
        let _ = writeln!(
            out,
            "Reviewed, {intent}: {} of {} changed or stopped ({:.1} to {:.1} %){}",
            o["count"],
            o["of"],
            o["low"].as_f64().unwrap_or(0.) * 100.,
            o["high"].as_f64().unwrap_or(1.) * 100.,
            if o["proposed"] == true {
                "; more trust is proposed"
            } else {
                ""
            }
        );
    }
    if let Some(rate) = report["quality"]["rate"].as_f64() {
        let q = &report["quality"];
        let _ = writeln!(
            out,
            "Quality of {} graded calls: {:.1} % ({:.1} to {:.1} %), {} wrong",
            q["graded"],
            rate * 100.,
            q["low"].as_f64().unwrap_or(0.) * 100.,
            q["high"].as_f64().unwrap_or(1.) * 100.,
            q["wrong_calls"]
        );
    }
    if let Some(mean) = report["survey_mean"].as_f64() {
        let _ = writeln!(
            out,
            "Satisfaction: {mean} of 5, {} answers",
            report["survey"]["answers"]
        );
    }
    let savings = &report["savings"];
    match savings["saved"].as_f64() {
        Some(saved) => drop(writeln!(
            out,
            "Saved: {saved} ({} gained, {} spent; a resolved call costs {})",
            savings["gained"], savings["cost"], savings["cost_per_resolved_call"]
        )),
        None => drop(writeln!(
            out,
            "Savings: {} (resolved calls {}, minutes {}); {}",
            savings["formula"].as_str().unwrap_or(""),
            savings["resolved_calls"],
            savings["minutes"],
            savings["missing"].as_str().unwrap_or("")
        )),
    }
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
