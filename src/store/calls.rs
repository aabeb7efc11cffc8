//! Records of calls, whole and in short.

use jiff::Timestamp;

use super::db::{Row, query};
use super::spool::Owed;
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
    /// Writes a call's record, over an earlier one of the same id; one of a call that is up is not written over one of its end. Where the
    /// database does not take it now, it is written down beside it and brought in later.
    pub async fn save_call(&self, record: &CallRecord) -> Result<(), StoreError> {
        self.owe(Owed::Call {
            record: Box::new(record.clone()),
        })
        .await
    }

    pub(super) async fn insert_call(&self, record: &CallRecord) -> Result<(), StoreError> {
        let outcome = record.outcome.map(outcome_word);
        query(
            "insert into calls (id, channel, from_number, to_number, started_ms, ended_ms, outcome, intent, summary, turns, record)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
             on conflict (id) do update set channel = excluded.channel, from_number = excluded.from_number,
                to_number = excluded.to_number, started_ms = excluded.started_ms, ended_ms = excluded.ended_ms,
                outcome = excluded.outcome, intent = excluded.intent, summary = excluded.summary, turns = excluded.turns,
                record = excluded.record
             where calls.ended_ms is null or excluded.ended_ms is not null",
        )
        .bind(&record.id)
        .bind(&record.channel)
        .bind(&record.from)
        .bind(&record.to)
        .bind(millis(&record.started_at).unwrap_or_else(|| self.now_ms()))
        .bind(record.ended_at.as_deref().and_then(millis))
        .bind(outcome)
        .bind(main_intent(record))
        .bind(self.sealed(in_short(record)))
        .bind(i64::try_from(record.turns.len()).unwrap_or(i64::MAX))
        .bind(self.sealed(to_json(record)))
        .execute(&self.main)
        .await?;
        if record.ended_at.is_some() {
            query("delete from under_way where call_id = $1")
                .bind(&record.id)
                .execute(&self.main)
                .await?;
        }
        Ok(())
    }

    /// A call is up on this node, with its record as it stands: what others close it with if this node dies.
    pub async fn call_is_up(&self, record: &CallRecord) -> Result<(), StoreError> {
        query(
            "insert into under_way (call_id, node, record) values ($1, $2, $3)
             on conflict (call_id) do update set node = excluded.node, record = excluded.record",
        )
        .bind(&record.id)
        .bind(self.node())
        .bind(self.sealed(to_json(record)))
        .execute(&self.main)
        .await?;
        Ok(())
    }

    /// Calls that were up on nodes which have gone, this node's from now on: each is given to one node, to be saved with its end.
    pub async fn adopt_calls(&self) -> Result<Vec<CallRecord>, StoreError> {
        // Told of too late: the call had ended.
        query("delete from under_way where call_id in (select id from calls where ended_ms is not null)")
            .execute(&self.main)
            .await?;
        let rows = query(format!(
            "update under_way set node = $1 where {} returning record",
            self.orphaned("node")
        ))
        .bind(self.node())
        .fetch_all(&self.main)
        .await?;
        rows.iter().map(|row| self.record(row.get(0)?)).collect()
    }

    /// Whether a node that is alive, and not this one, has this call up.
    pub async fn is_up_elsewhere(&self, id: &str) -> Result<bool, StoreError> {
        let row = query(format!(
            "select call_id from under_way where call_id = $1 and node <> $2 and not {}",
            self.orphaned("node")
        ))
        .bind(id)
        .bind(self.node().unwrap_or_default())
        .fetch_optional(&self.main)
        .await?;
        Ok(row.is_some())
    }

    pub async fn call(&self, id: &str) -> Result<Option<CallRecord>, StoreError> {
        let row = query("select record from calls where id = $1")
            .bind(id)
            .fetch_optional(&self.main)
            .await?;
        row.map(|row| self.record(row.get(0)?)).transpose()
    }

    /// Newest first; `since` counts the call's start.
    pub async fn calls(
        &self,
        limit: u32,
        since: Option<Timestamp>,
    ) -> Result<Vec<CallSummary>, StoreError> {
        let rows = query(
            "select id, channel, from_number, to_number, started_ms, ended_ms, outcome, intent, summary, turns
             from calls where started_ms >= $1 order by started_ms desc, id desc limit $2",
        )
        .bind(since.map_or(i64::MIN, Timestamp::as_millisecond))
        .bind(i64::from(limit))
        .fetch_all(&self.main)
        .await?;
        rows.iter().map(|row| self.summary(row)).collect()
    }

    /// Whole records, oldest first: for reports.
    pub async fn records(&self, since: Option<Timestamp>) -> Result<Vec<CallRecord>, StoreError> {
        let rows = query("select record from calls where started_ms >= $1 order by started_ms, id")
            .bind(since.map_or(i64::MIN, Timestamp::as_millisecond))
            .fetch_all(&self.main)
            .await?;
        rows.iter().map(|row| self.record(row.get(0)?)).collect()
    }

    /// Calls of `number` that have ended, newest first.
    pub async fn history(&self, number: &str, limit: u32) -> Result<Vec<EarlierCall>, StoreError> {
        let rows = query(
            "select id, started_ms, intent, outcome, summary, record from calls
             where from_number = $1 and ended_ms is not null order by started_ms desc, id desc limit $2",
        )
        .bind(number)
        .bind(i64::from(limit))
        .fetch_all(&self.main)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(EarlierCall {
                    id: row.get(0)?,
                    started_at: rfc3339(row.get(1)?),
                    intent: row.get(2)?,
                    outcome: row.get::<Option<String>>(3)?.unwrap_or_default(),
                    summary: self.opened(row.get(4)?)?,
                    proof_failed: self.record(row.get(5)?).is_ok_and(|record| {
                        record
                            .handoff
                            .is_some_and(|handoff| handoff.reason == "verify_failed")
                    }),
                })
            })
            .collect()
    }
}

impl Store {
    fn record(&self, text: String) -> Result<CallRecord, StoreError> {
        from_json("a call's record", &self.opened(text)?)
    }

    pub(super) fn summary(&self, row: &Row) -> Result<CallSummary, StoreError> {
        Ok(CallSummary {
            id: row.get(0)?,
            channel: row.get(1)?,
            from: row.get(2)?,
            to: row.get(3)?,
            started_at: rfc3339(row.get(4)?),
            ended_at: row.get::<Option<i64>>(5)?.map(rfc3339),
            outcome: row.get(6)?,
            intent: row.get(7)?,
            summary: self.opened(row.get(8)?)?,
            turns: row.get(9)?,
        })
    }
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
