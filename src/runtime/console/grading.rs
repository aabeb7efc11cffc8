//! The weekly sample, grades, and questions for the desk's set.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;

use jiff::civil::{ISOWeekDate, Weekday};
use jiff::{SignedDuration, Timestamp, ToSpan};
use serde_json::{Value, json};

use super::super::api::LineState;
use super::super::report::{grade_sample, stats, stratum};
use super::{Answer, Console, act, aside, unavailable};
use crate::desk::CallRecord;
use crate::edge::http::{ApiError, Grade, Question, Who};
use crate::store;

/// Calls to grade a week, and the least of each kind.
const SAMPLE: usize = 100;
const LEAST: usize = 5;

/// The Monday a week begins with, as an ISO week (`2026-W48`).
fn week(text: &str) -> Option<ISOWeekDate> {
    let (year, week) = text.split_once("-W")?;
    ISOWeekDate::new(year.parse().ok()?, week.parse().ok()?, Weekday::Monday).ok()
}

fn name(week: ISOWeekDate) -> String {
    format!("{}-W{:02}", week.year(), week.week())
}

pub(super) async fn sample(line: &LineState, console: &Console, asked: Option<String>) -> Answer {
    let desk = console.pilot.desk();
    let tz = desk.config.tz();
    let now = super::super::clock::now();
    let today = now.to_zoned_datetime(tz.clone()).date();
    let this_week = today.iso_week_date();
    let chosen = match asked.filter(|w| !w.is_empty()) {
        Some(text) => {
            week(&text).ok_or_else(|| ApiError::Bad("week is an ISO week like 2026-W48".into()))?
        }
        None => {
            // Last week's, unless nobody rang then.
            let last = today
                .checked_sub(7.days())
                .map_or(this_week, |day| day.iso_week_date());
            if records(line, last, &tz).await?.is_empty() {
                this_week
            } else {
                last
            }
        }
    };
    let records = records(line, chosen, &tz).await?;
    let key = name(chosen);
    let mut drawn = line.store.sample(&key).await.map_err(unavailable)?;
    if drawn.is_empty() {
        let calls: Vec<(String, String)> = records
            .iter()
            .filter(|r| r.outcome.is_some())
            .map(|r| (r.id.clone(), stratum(r).to_owned()))
            .collect();
        drawn = stats::stratified(&calls, SAMPLE, LEAST, &key);
        // A week that goes on is drawn anew each time.
        if name(this_week) != key {
            line.store
                .keep_sample(&key, &drawn)
                .await
                .map_err(unavailable)?;
        }
    }
    let grades = line.store.grades(None).await.map_err(unavailable)?;
    let by_call: BTreeMap<&str, &store::Grade> = grades
        .iter()
        .filter(|g| g.turn < 0)
        .map(|g| (g.call_id.as_str(), g))
        .collect();
    let known: BTreeMap<&str, &CallRecord> = records.iter().map(|r| (r.id.as_str(), r)).collect();
    let calls: Vec<Value> = drawn
        .iter()
        .filter_map(|(id, stratum)| {
            let r = known.get(id.as_str())?;
            let first = r.turns.iter().find_map(|t| t.caller.as_ref());
            Some(json!({
                "id": id, "stratum": stratum, "started_at": r.started_at, "from": r.from, "outcome": r.outcome,
                "words": first.map(|c| &c.text), "turns": r.turns.len(), "grade": by_call.get(id.as_str()),
            }))
        })
        .collect();
    let mut out = grade_sample(&records, &drawn, &grades);
    out["week"] = json!(key);
    out["of_calls"] = json!(records.len());
    out["calls"] = json!(calls);
    Ok(out)
}

/// The week's records.
async fn records(
    line: &LineState,
    week: ISOWeekDate,
    tz: &jiff::tz::TimeZone,
) -> Result<Vec<CallRecord>, ApiError> {
    let bad = |e: jiff::Error| ApiError::Bad(e.to_string());
    let from = tz.to_timestamp(week.date().at(0, 0, 0, 0)).map_err(bad)?;
    let until = from
        .checked_add(SignedDuration::from_hours(7 * 24))
        .map_err(bad)?;
    let mut records = line.store.records(Some(from)).await.map_err(unavailable)?;
    records.retain(|r| r.started_at.parse::<Timestamp>().is_ok_and(|at| at < until));
    Ok(records)
}

pub(super) async fn grades(line: &LineState, id: String) -> Answer {
    Ok(json!(
        line.store.grades(Some(&id)).await.map_err(unavailable)?
    ))
}

pub(super) async fn grade(line: &LineState, who: &Who, grade: Grade) -> Answer {
    if !["good", "wrong", "unhelpful"].contains(&grade.grade.as_str()) {
        return Err(ApiError::Bad(format!(
            "`{}` is no grade: good, wrong or unhelpful",
            grade.grade
        )));
    }
    if line
        .store
        .call(&grade.call_id)
        .await
        .map_err(unavailable)?
        .is_none()
    {
        return Err(ApiError::NotFound(format!(
            "there is no call {}",
            grade.call_id
        )));
    }
    let kept = store::Grade {
        call_id: grade.call_id.clone(),
        turn: grade.turn.map_or(-1, i64::from),
        grade: grade.grade,
        note: grade.note.trim().to_owned(),
        by: who.name.clone(),
        at: String::new(),
    };
    line.store.put_grade(&kept).await.map_err(unavailable)?;
    grades(line, grade.call_id).await
}

/// Adds a line to the desk's `questions.jsonl`, by which `firstline eval` scores it.
pub(super) async fn question(
    line: &LineState,
    console: &Console,
    who: &Who,
    question: Question,
) -> Answer {
    let text = question
        .text
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ");
    if text.is_empty() || text.len() > 1000 {
        return Err(ApiError::Bad("a question has words".into()));
    }
    if !["answer", "act", "clarify", "transfer"].contains(&question.route.as_str()) {
        return Err(ApiError::Bad(
            "route is answer, act, clarify or transfer".into(),
        ));
    }
    let desk = console.pilot.desk();
    if let Some(intent) = &question.intent
        && !desk.intents().any(|known| known == intent)
    {
        return Err(ApiError::Bad(format!("the desk has no intent {intent}")));
    }
    if let Some(source) = &question.source
        && !desk.articles.iter().any(|a| a.id == *source)
    {
        return Err(ApiError::Bad(format!("the desk has no article {source}")));
    }
    let path = console.pilot.dir().join("questions.jsonl");
    let asked = text.to_lowercase();
    let (id, question) = (text.clone(), question);
    let added = aside(move || -> Result<bool, String> {
        let failed = |e: std::io::Error| format!("{} cannot be written: {e}", path.display());
        let before = std::fs::read_to_string(&path).unwrap_or_default();
        let known: BTreeSet<String> = before
            .lines()
            .filter_map(|l| serde_json::from_str::<Value>(l).ok())
            .filter_map(|v| Some(v["text"].as_str()?.to_lowercase()))
            .collect();
        if known.contains(&asked) {
            return Ok(false);
        }
        let mut entry = json!({ "id": format!("call-{}", known.len() + 1), "text": text, "intent": question.intent, "route": question.route });
        if let Some(source) = question.source {
            entry["source"] = json!(source);
        }
        let mut file = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            .map_err(failed)?;
        let gap = if before.is_empty() || before.ends_with('\n') { "" } else { "\n" };
        writeln!(file, "{gap}{entry}").map_err(failed)?;
        Ok(true)
    })
    .await?
    .map_err(ApiError::Unavailable)?;
    if !added {
        return Err(ApiError::Conflict(
            "the set has this question already".into(),
        ));
    }
    act(line, who, "question added", &id, "").await?;
    Ok(json!({ "added": true }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weeks_are_read_as_they_are_written() {
        let w = week("2026-W48").unwrap();
        assert_eq!(w.date(), jiff::civil::date(2026, 11, 23));
        assert_eq!(name(w), "2026-W48");
        for bad in ["", "2026", "2026-W60", "W48", "../../x"] {
            assert!(week(bad).is_none(), "{bad}");
        }
    }
}
