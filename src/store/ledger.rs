//! The ledger of writes: a claim is on the disk before anything is sent, and settled when the outcome is known.

use serde_json::Value;
use sqlx::Row;

use super::{Store, StoreError, from_json, rfc3339, to_json};
use crate::desk::Outcome;

/// What a claim found.
#[derive(Debug, Clone, PartialEq)]
pub enum Claim {
    /// Nobody has sent this: send it now, then settle.
    New,
    /// It was claimed before. With no outcome it may have been sent: never send it again.
    Exists {
        /// The request of that claim, as it was given.
        request: Value,
        outcome: Option<Outcome>,
    },
}

/// A write that was claimed and never settled: the line stopped in between.
#[derive(Debug, Clone, PartialEq)]
pub struct OpenClaim {
    pub key: String,
    pub call_id: String,
    pub action: String,
    pub request: Value,
    /// RFC 3339, UTC.
    pub claimed_at: String,
}

impl Store {
    /// Claims `key` durably. A claim that was settled as failed (nothing was sent, or plainly nothing was done) may be made anew.
    pub async fn claim(
        &self,
        key: &str,
        call_id: &str,
        action: &str,
        request: &Value,
    ) -> Result<Claim, StoreError> {
        let made = sqlx::query(
            "insert into ledger (idempotency_key, call_id, action, request, status, claimed_ms) values ($1, $2, $3, $4, 'open', $5)
             on conflict (idempotency_key) do update set status = 'open', result = null, settled_ms = null,
                claimed_ms = excluded.claimed_ms, call_id = excluded.call_id
             where ledger.status = 'failed' and ledger.request = excluded.request",
        )
        .bind(key)
        .bind(call_id)
        .bind(action)
        .bind(to_json(request))
        .bind(self.now_ms())
        .execute(&self.ledger)
        .await?;
        if made.rows_affected() == 1 {
            return Ok(Claim::New);
        }
        let row = sqlx::query("select request, result from ledger where idempotency_key = $1")
            .bind(key)
            .fetch_one(&self.ledger)
            .await?;
        let outcome: Option<String> = row.try_get(1)?;
        Ok(Claim::Exists {
            request: from_json("a ledger entry", &row.try_get::<String, _>(0)?)?,
            outcome: outcome
                .map(|text| from_json("a ledger entry", &text))
                .transpose()?,
        })
    }

    /// Writes down how it went. The first outcome stands; only an unknown one can be replaced (somebody looked).
    pub async fn settle(&self, key: &str, outcome: &Outcome) -> Result<(), StoreError> {
        sqlx::query(
            "update ledger set status = $2, result = $3, settled_ms = $4 where idempotency_key = $1 and status in ('open', 'unknown')",
        )
        .bind(key)
        .bind(status_word(outcome))
        .bind(to_json(outcome))
        .bind(self.now_ms())
        .execute(&self.ledger)
        .await?;
        Ok(())
    }

    /// Claims without an outcome, oldest first. At start these are writes whose fate nobody knows.
    pub async fn open_claims(&self) -> Result<Vec<OpenClaim>, StoreError> {
        let rows = sqlx::query(
            "select idempotency_key, call_id, action, request, claimed_ms from ledger where status = 'open' order by claimed_ms",
        )
        .fetch_all(&self.ledger)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(OpenClaim {
                    key: row.try_get(0)?,
                    call_id: row.try_get(1)?,
                    action: row.try_get(2)?,
                    request: from_json("a ledger entry", &row.try_get::<String, _>(3)?)?,
                    claimed_at: rfc3339(row.try_get(4)?),
                })
            })
            .collect()
    }
}

fn status_word(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Done(_) => "done",
        Outcome::NotFound => "not_found",
        Outcome::Refused(_) => "refused",
        Outcome::Failed(_) => "failed",
        Outcome::Unknown(_) => "unknown",
    }
}
