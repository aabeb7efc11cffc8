//! The ledger of writes: a claim is on the disk before anything is sent, and settled when the outcome is known.

use serde_json::Value;

use super::db::{Row, query};
use super::spool::Owed;
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
        let made = query(
            "insert into ledger (idempotency_key, call_id, action, request, status, claimed_ms, node) values ($1, $2, $3, $4, 'open', $5, $6)
             on conflict (idempotency_key) do update set status = 'open', result = null, settled_ms = null,
                claimed_ms = excluded.claimed_ms, call_id = excluded.call_id, node = excluded.node
             where ledger.status = 'failed' and ledger.request = excluded.request",
        )
        .bind(key)
        .bind(call_id)
        .bind(action)
        .bind(to_json(request))
        .bind(self.now_ms())
        .bind(self.node())
        .execute(&self.ledger)
        .await;
        let made = match made {
            Err(gone @ StoreError::Gone(_)) => {
                // It may have been written all the same; nothing is sent for it, and that is what is to stand there. Until this is
                // brought in no claim succeeds, so that it can meet no later one.
                let nothing = Outcome::Failed("nothing was sent: the database was gone".into());
                self.settle(key, &nothing).await?;
                return Err(gone);
            }
            made => made?,
        };
        if made == 1 {
            return Ok(Claim::New);
        }
        let row = query("select request, result from ledger where idempotency_key = $1")
            .bind(key)
            .fetch_one(&self.ledger)
            .await?;
        let outcome: Option<String> = row.get(1)?;
        Ok(Claim::Exists {
            request: from_json("a ledger entry", &row.get::<String>(0)?)?,
            outcome: outcome
                .map(|text| from_json("a ledger entry", &text))
                .transpose()?,
        })
    }

    /// Writes down how it went. The first outcome stands; only an unknown one can be replaced (somebody looked).
    pub async fn settle(&self, key: &str, outcome: &Outcome) -> Result<(), StoreError> {
        self.owe(Owed::Settled {
            key: key.into(),
            outcome: outcome.clone(),
        })
        .await
    }

    pub(super) async fn write_outcome(
        &self,
        key: &str,
        outcome: &Outcome,
    ) -> Result<(), StoreError> {
        query(
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

    /// Claims without an outcome, oldest first: writes that are under way on some node, or whose fate nobody knows.
    pub async fn open_claims(&self) -> Result<Vec<OpenClaim>, StoreError> {
        let rows = query(
            "select idempotency_key, call_id, action, request, claimed_ms from ledger where status = 'open' order by claimed_ms",
        )
        .fetch_all(&self.ledger)
        .await?;
        rows.iter().map(open_claim).collect()
    }

    /// Open claims of nodes that have gone, oldest first, this node's from now on: whose fate this node is to find out. Each is given
    /// to one node only.
    pub async fn adopt_claims(&self, limit: u32) -> Result<Vec<OpenClaim>, StoreError> {
        let orphaned = self.orphaned("node");
        let rows = query(format!(
            "update ledger set node = $1 where idempotency_key in (
               select idempotency_key from ledger where status = 'open' and {orphaned} order by claimed_ms limit $2)
               and status = 'open' and {orphaned}
             returning idempotency_key, call_id, action, request, claimed_ms"
        ))
        .bind(self.node())
        .bind(limit)
        .fetch_all(&self.ledger)
        .await?;
        let mut claims = rows.iter().map(open_claim).collect::<Result<Vec<_>, _>>()?;
        claims.sort_by(|a, b| a.claimed_at.cmp(&b.claimed_at));
        Ok(claims)
    }
}

fn open_claim(row: &Row) -> Result<OpenClaim, StoreError> {
    Ok(OpenClaim {
        key: row.get(0)?,
        call_id: row.get(1)?,
        action: row.get(2)?,
        request: from_json("a ledger entry", &row.get::<String>(3)?)?,
        claimed_at: rfc3339(row.get(4)?),
    })
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
