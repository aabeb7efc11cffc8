//! The ledger of writes: a claim is on the disk before anything is sent, and settled when the outcome is known.
//!
//! A claim carries the node that made it and a lease: until the lease is over the node is at work on it; afterwards any node may take
//! it over to find out what became of it. Taking over is one update that only one node can win.

use std::time::Duration;

use serde_json::Value;

use super::db::{Row, query};
use super::spool::Owed;
use super::{Store, StoreError, from_json, rfc3339, to_json};
use crate::desk::{Ask, Outcome, Terms};

/// Which of PostgreSQL's advisory locks keeps two nodes from claiming at once: "ledger" as a number.
const LOCK: i64 = 0x6c65_6467_6572;

/// How long an effect that the caller was not told of is remembered: the same thing asked for again is not done twice.
const REMEMBERED_MS: i64 = 24 * 3_600_000;

/// What is about to be sent.
#[derive(Debug, Clone, Copy)]
pub struct Intent<'a> {
    pub key: &'a str,
    pub call_id: &'a str,
    pub action: &'a str,
    pub request: &'a Value,
    /// Who sends it.
    pub node: &'a str,
    /// How long that may take.
    pub lease: Duration,
    pub terms: &'a Terms,
    /// [`crate::desk::action::once::effect`].
    pub effect: Option<&'a str>,
}

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
    /// The same effect was claimed under another key, and nobody knows how that went, or the caller was not told: find out first.
    Earlier(Box<OpenClaim>),
    /// It was done as often as it may be.
    Limited,
}

/// A write whose caller has not been told how it went.
#[derive(Debug, Clone, PartialEq)]
pub struct OpenClaim {
    pub key: String,
    pub call_id: String,
    pub action: String,
    pub request: Value,
    /// RFC 3339, UTC.
    pub claimed_at: String,
    /// Milliseconds since it was claimed.
    pub age_ms: u64,
    /// Somebody is still at work on it.
    pub leased: bool,
    pub outcome: Option<Outcome>,
    /// How to find out.
    pub ask: Option<Ask>,
    /// Whom to ring about it.
    pub caller: Option<String>,
    /// How often it was asked what became of it.
    pub asked: u32,
}

const OPEN: &str =
    "idempotency_key, call_id, action, request, claimed_ms, lease_ms, result, ask, caller, asked";

impl Store {
    /// Claims a key durably. A claim that was settled as failed (nothing was sent, or plainly nothing was done) may be made anew.
    pub async fn claim(&self, intent: &Intent<'_>) -> Result<Claim, StoreError> {
        match self.make_claim(intent).await {
            Err(gone @ StoreError::Gone(_)) => {
                // It may have been written all the same; nothing is sent for it, and that is what is to stand there. Until this is
                // brought in no claim succeeds, so that it can meet no later one.
                let nothing = Outcome::Failed("nothing was sent: the database was gone".into());
                self.settle(intent.key, &nothing).await?;
                Err(gone)
            }
            made => made,
        }
    }

    async fn make_claim(&self, intent: &Intent<'_>) -> Result<Claim, StoreError> {
        let now = self.now_ms();
        let lease = now.saturating_add(i64::try_from(intent.lease.as_millis()).unwrap_or(i64::MAX));
        // One transaction that takes the write lock first: two calls, or two nodes, cannot both find nothing.
        let mut tx = self.ledger.begin_alone(LOCK).await?;
        let row = query("select status, request, result from ledger where idempotency_key = $1")
            .bind(intent.key)
            .fetch_optional_in(&mut tx)
            .await?;
        if let Some(row) = row {
            let request: Value = from_json("a ledger entry", &row.get::<String>(1)?)?;
            let failed = row.get::<String>(0)? == "failed";
            if !failed || request != *intent.request {
                let outcome: Option<String> = row.get(2)?;
                return Ok(Claim::Exists {
                    request,
                    outcome: outcome
                        .map(|text| from_json("a ledger entry", &text))
                        .transpose()?,
                });
            }
        }
        if let Some(effect) = intent.effect {
            let earlier = query(format!(
                "select {OPEN} from ledger where effect = $1 and idempotency_key <> $2 and claimed_ms > $3
                 and (status in ('open', 'unknown') or (status = 'done' and told = 0)) order by claimed_ms desc limit 1"
            ))
            .bind(effect)
            .bind(intent.key)
            .bind(now - REMEMBERED_MS)
            .fetch_optional_in(&mut tx)
            .await?;
            if let Some(row) = earlier {
                return Ok(Claim::Earlier(Box::new(open_claim(&row, now)?)));
            }
        }
        if let (Some(most), Some(customer)) = (intent.terms.per_day, &intent.terms.customer) {
            let from = intent
                .terms
                .day_from
                .map_or(now - REMEMBERED_MS, |from| from.as_millisecond());
            let done: i64 = query(
                "select count(*) from ledger where customer = $1 and action = $2 and claimed_ms >= $3
                 and status in ('open', 'unknown', 'done')",
            )
            .bind(customer)
            .bind(intent.action)
            .bind(from)
            .fetch_optional_in(&mut tx)
            .await?
            .map_or(Ok(0), |row| row.get(0))?;
            if done >= i64::from(most) {
                return Ok(Claim::Limited);
            }
        }
        query(
            "insert into ledger (idempotency_key, call_id, action, request, status, claimed_ms, node, lease_ms, effect, customer, caller, ask)
             values ($1, $2, $3, $4, 'open', $5, $6, $7, $8, $9, $10, $11)
             on conflict (idempotency_key) do update set status = 'open', result = null, settled_ms = null,
                claimed_ms = excluded.claimed_ms, call_id = excluded.call_id, node = excluded.node, lease_ms = excluded.lease_ms",
        )
        .bind(intent.key)
        .bind(intent.call_id)
        .bind(intent.action)
        .bind(to_json(intent.request))
        .bind(now)
        .bind(intent.node)
        .bind(lease)
        .bind(intent.effect)
        .bind(&intent.terms.customer)
        .bind(&intent.terms.caller)
        .bind(intent.terms.ask.as_ref().map(to_json))
        .execute_in(&mut tx)
        .await?;
        tx.commit().await?;
        Ok(Claim::New)
    }

    /// Writes down how it went. The first outcome stands; only an unknown one can be replaced (somebody looked). True where this was
    /// written.
    pub async fn settle(&self, key: &str, outcome: &Outcome) -> Result<bool, StoreError> {
        if self.owed() == 0 {
            match self.write_outcome(key, outcome).await {
                Err(error) if error.passes() && self.spool.is_some() => {}
                done => return done,
            }
        }
        self.owe(Owed::Settled {
            key: key.into(),
            outcome: outcome.clone(),
        })
        .await?;
        Ok(true)
    }

    pub(super) async fn write_outcome(
        &self,
        key: &str,
        outcome: &Outcome,
    ) -> Result<bool, StoreError> {
        let made = query(
            "update ledger set status = $2, result = $3, settled_ms = $4 where idempotency_key = $1 and status in ('open', 'unknown')",
        )
        .bind(key)
        .bind(status_word(outcome))
        .bind(to_json(outcome))
        .bind(self.now_ms())
        .execute(&self.ledger)
        .await?;
        Ok(made == 1)
    }

    /// The caller is told how it went: from here on the same thing asked for again is meant again.
    pub async fn told(&self, key: &str) -> Result<(), StoreError> {
        query("update ledger set told = 1 where idempotency_key = $1")
            .bind(key)
            .execute(&self.ledger)
            .await?;
        Ok(())
    }

    /// How a claim stands: none where nobody made it; then its outcome, where it has one.
    pub async fn outcome(&self, key: &str) -> Result<Option<Option<Outcome>>, StoreError> {
        let row = query("select result from ledger where idempotency_key = $1")
            .bind(key)
            .fetch_optional(&self.ledger)
            .await?;
        row.map(|row| {
            row.get::<Option<String>>(0)?
                .map(|text| from_json("a ledger entry", &text))
                .transpose()
        })
        .transpose()
    }

    /// Claims without an outcome, oldest first.
    pub async fn open_claims(&self) -> Result<Vec<OpenClaim>, StoreError> {
        let rows = query(format!(
            "select {OPEN} from ledger where status = 'open' order by claimed_ms"
        ))
        .fetch_all(&self.ledger)
        .await?;
        let now = self.now_ms();
        rows.iter().map(|row| open_claim(row, now)).collect()
    }

    /// Claims that nobody is at work on any more and whose fate is not known: left open by a node that is gone, or unknown with
    /// somebody to ask. They are `node`'s for `lease` from now on, and no other node's.
    pub async fn take_over(
        &self,
        node: &str,
        lease: Duration,
    ) -> Result<Vec<OpenClaim>, StoreError> {
        let now = self.now_ms();
        let until = now.saturating_add(i64::try_from(lease.as_millis()).unwrap_or(i64::MAX));
        let rows = query(format!(
            "select {OPEN} from ledger where lease_ms < $1
             and (status = 'open' or (status = 'unknown' and ask is not null and claimed_ms > $2)) order by claimed_ms limit 100"
        ))
        .bind(now)
        .bind(now - REMEMBERED_MS)
        .fetch_all(&self.ledger)
        .await?;
        let mut taken = Vec::new();
        for row in &rows {
            let claim = open_claim(row, now)?;
            let made = query(
                "update ledger set node = $2, lease_ms = $3, asked = asked + 1 where idempotency_key = $1 and lease_ms = $4
                 and status in ('open', 'unknown')",
            )
            .bind(&claim.key)
            .bind(node)
            .bind(until)
            .bind(row.get::<i64>(5)?)
            .execute(&self.ledger)
            .await?;
            if made == 1 {
                taken.push(claim);
            }
        }
        Ok(taken)
    }

    /// Leaves a claim alone for `wait`, then it may be taken over.
    pub async fn lease(&self, key: &str, wait: Duration) -> Result<(), StoreError> {
        let until = self
            .now_ms()
            .saturating_add(i64::try_from(wait.as_millis()).unwrap_or(i64::MAX));
        query("update ledger set lease_ms = $2 where idempotency_key = $1")
            .bind(key)
            .bind(until)
            .execute(&self.ledger)
            .await?;
        Ok(())
    }
}

fn open_claim(row: &Row, now: i64) -> Result<OpenClaim, StoreError> {
    let claimed: i64 = row.get(4)?;
    let json = |at: usize| -> Result<Option<String>, StoreError> { row.get(at) };
    Ok(OpenClaim {
        key: row.get(0)?,
        call_id: row.get(1)?,
        action: row.get(2)?,
        request: from_json("a ledger entry", &row.get::<String>(3)?)?,
        claimed_at: rfc3339(claimed),
        age_ms: u64::try_from(now - claimed).unwrap_or(0),
        leased: row.get::<i64>(5)? >= now,
        outcome: json(6)?
            .map(|text| from_json("a ledger entry", &text))
            .transpose()?,
        ask: json(7)?
            .map(|text| from_json("a ledger entry", &text))
            .transpose()?,
        caller: row.get(8)?,
        asked: u32::try_from(row.get::<i64>(9)?).unwrap_or(u32::MAX),
    })
}

fn status_word(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Done(_) | Outcome::Before(_) => "done",
        Outcome::NotFound => "not_found",
        Outcome::Refused(_) => "refused",
        Outcome::Failed(_) | Outcome::Limited | Outcome::DryRun => "failed",
        Outcome::Unknown(_) => "unknown",
    }
}
