//! Records of calls, whole and in short.

use jiff::Timestamp;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::{Store, StoreError, from_json, millis, rfc3339, to_json};
use crate::desk::{CallOutcome, CallRecord, EarlierCall, Route};

/// One line of the list of calls.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct CallSummary {
    pub id: String,
    pub channel: String,
    pub from: Option<String>,
    pub to: Option<String>,
    /// RFC 3339, UTC.
    pub started_at: String,
    pub ended_at: Option<String>,
    pub outcome: Option<String>,
    pub intent: Option<String>,
    pub summary: String,
    pub turns: i64,
}

impl Store {
    /// Writes a call's record, over an earlier one of the same id.
    pub async fn save_call(&self, record: &CallRecord) -> Result<(), StoreError> {
        let outcome = record.outcome.map(outcome_word);
        sqlx::query(
            "insert into calls (id, channel, from_number, to_number, started_ms, ended_ms, outcome, intent, summary, turns, record)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
             on conflict (id) do update set channel = excluded.channel, from_number = excluded.from_number,
                to_number = excluded.to_number, started_ms = excluded.started_ms, ended_ms = excluded.ended_ms,
                outcome = excluded.outcome, intent = excluded.intent, summary = excluded.summary, turns = excluded.turns,
                record = excluded.record",
        )
        .bind(&record.id)
        .bind(&record.channel)
        .bind(&record.from)
        .bind(&record.to)
        .bind(millis(&record.started_at).unwrap_or_else(|| self.now_ms()))
        .bind(record.ended_at.as_deref().and_then(millis))
        .bind(outcome)
        .bind(main_intent(record))
        .bind(in_short(record))
        .bind(i64::try_from(record.turns.len()).unwrap_or(i64::MAX))
        .bind(to_json(record))
        .execute(&self.main)
        .await?;
        Ok(())
    }

    pub async fn call(&self, id: &str) -> Result<Option<CallRecord>, StoreError> {
        let row = sqlx::query("select record from calls where id = $1")
            .bind(id)
            .fetch_optional(&self.main)
            .await?;
        row.map(|row| from_json("a call's record", &row.try_get::<String, _>(0)?))
            .transpose()
    }

    /// Newest first; `since` counts the call's start.
    pub async fn calls(
        &self,
        limit: u32,
        since: Option<Timestamp>,
    ) -> Result<Vec<CallSummary>, StoreError> {
        let rows = sqlx::query(
            "select id, channel, from_number, to_number, started_ms, ended_ms, outcome, intent, summary, turns
             from calls where started_ms >= $1 order by started_ms desc, id desc limit $2",
        )
        .bind(since.map_or(i64::MIN, Timestamp::as_millisecond))
        .bind(i64::from(limit))
        .fetch_all(&self.main)
        .await?;
        rows.iter().map(summary).collect()
    }

    /// Whole records, oldest first: for reports.
    pub async fn records(&self, since: Option<Timestamp>) -> Result<Vec<CallRecord>, StoreError> {
        let rows =
            sqlx::query("select record from calls where started_ms >= $1 order by started_ms, id")
                .bind(since.map_or(i64::MIN, Timestamp::as_millisecond))
                .fetch_all(&self.main)
                .await?;
        rows.iter()
            .map(|row| from_json("a call's record", &row.try_get::<String, _>(0)?))
            .collect()
    }

    /// Calls of `number` that have ended, newest first.
    pub async fn history(&self, number: &str, limit: u32) -> Result<Vec<EarlierCall>, StoreError> {
        let rows = sqlx::query(
            "select id, started_ms, intent, outcome, summary from calls
             where from_number = $1 and ended_ms is not null order by started_ms desc, id desc limit $2",
        )
        .bind(number)
        .bind(i64::from(limit))
        .fetch_all(&self.main)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(EarlierCall {
                    id: row.try_get(0)?,
                    started_at: rfc3339(row.try_get(1)?),
                    intent: row.try_get(2)?,
                    outcome: row.try_get::<Option<String>, _>(3)?.unwrap_or_default(),
                    summary: row.try_get(4)?,
                })
            })
            .collect()
    }
}

pub(super) fn summary(row: &SqliteRow) -> Result<CallSummary, StoreError> {
    Ok(CallSummary {
        id: row.try_get(0)?,
        channel: row.try_get(1)?,
        from: row.try_get(2)?,
        to: row.try_get(3)?,
        started_at: rfc3339(row.try_get(4)?),
        ended_at: row.try_get::<Option<i64>, _>(5)?.map(rfc3339),
        outcome: row.try_get(6)?,
        intent: row.try_get(7)?,
        summary: row.try_get(8)?,
        turns: row.try_get(9)?,
    })
}

fn outcome_word(outcome: CallOutcome) -> &'static str {
    match outcome {
        CallOutcome::Resolved => "resolved",
        CallOutcome::Transferred => "transferred",
        CallOutcome::Callback => "callback",
        CallOutcome::Abandoned => "abandoned",
        CallOutcome::Failed => "failed",
    }
}

/// What the call was about: the packet's intent, else that of the last turn that was answered, acted on or handed over.
fn main_intent(record: &CallRecord) -> Option<String> {
    let handed = record.handoff.as_ref().and_then(|h| h.intent.clone());
    handed.or_else(|| {
        let decisions = record
            .turns
            .iter()
            .rev()
            .filter_map(|t| t.decision.as_ref());
        decisions
            .clone()
            .find(|d| d.route != Route::Clarify)
            .or_else(|| decisions.clone().next())
            .and_then(|d| d.intent.clone())
    })
}

/// The packet's summary, else the caller's first words.
fn in_short(record: &CallRecord) -> String {
    if let Some(handoff) = &record.handoff
        && !handoff.summary.is_empty()
    {
        return handoff.summary.clone();
    }
    let said = record
        .turns
        .iter()
        .filter_map(|t| t.caller.as_ref())
        .map(|c| c.text.trim());
    let first = said
        .filter(|text| !text.is_empty())
        .max_by_key(|text| text.len().min(40))
        .unwrap_or("");
    first.chars().take(200).collect()
}
