//! Media streams that are awaited, up, or done with, for machines that answer each other's webhooks. Times are the database's: machines'
//! own clocks differ.

use std::time::Duration;

use super::db::query;
use super::{Store, StoreError};

/// How long a stream that is up is known; longer than any call.
const UP_MS: i64 = 12 * 3_600_000;
/// How long a call that we ended is known: Twilio asks what comes next at once, and perhaps again.
const ENDED_MS: i64 = 600_000;

pub(super) const TABLES: &[&str] = &[
    "create table streams (
        call_sid text primary key,
        digest text not null,
        caller text not null,
        state text not null,
        node text,
        until_ms bigint not null
    )",
    "create index streams_by_digest on streams (digest)",
];

impl Store {
    /// The call's stream is let in by the token with this digest, once, within `valid`, and by no earlier one. `caller`: who it is, as the
    /// machine that lets it in is to read it.
    pub async fn stream_awaited(
        &self,
        call_sid: &str,
        digest: &str,
        caller: &str,
        valid: Duration,
    ) -> Result<(), StoreError> {
        let now = self.main.now();
        query(format!("delete from streams where until_ms < {now}"))
            .execute(&self.main)
            .await?;
        query(format!(
            "insert into streams (call_sid, digest, caller, state, node, until_ms) values ($1, $2, $3, 'awaited', $4, {now} + $5)
             on conflict (call_sid) do update set digest = excluded.digest, caller = excluded.caller, state = excluded.state,
                node = excluded.node, until_ms = excluded.until_ms"
        ))
        .bind(call_sid)
        .bind(digest)
        .bind(self.sealed(caller.to_owned()))
        .bind(self.node())
        .bind(i64::try_from(valid.as_millis()).unwrap_or(i64::MAX / 2))
        .execute(&self.main)
        .await?;
        Ok(())
    }

    /// Uses the token with this digest up: the call it was for, and who is calling. None: it is not known, was used, has expired, or is
    /// another call's than the one named.
    pub async fn stream_taken(
        &self,
        digest: &str,
        call_sid: Option<&str>,
    ) -> Result<Option<(String, String)>, StoreError> {
        let now = self.main.now();
        // One statement: of two machines that are shown the same token one finds it awaited.
        let row = query(format!(
            "update streams set state = 'up', node = $3, until_ms = {now} + {UP_MS}
             where digest = $1 and state = 'awaited' and until_ms >= {now} and (call_sid = $2 or $2 = '') returning call_sid, caller"
        ))
        .bind(digest)
        .bind(call_sid.unwrap_or_default())
        .bind(self.node())
        .fetch_optional(&self.main)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let found: (String, String) = (row.get(0)?, self.opened(row.get(1)?)?);
        // Who called is no longer needed here.
        query("update streams set caller = '' where call_sid = $1")
            .bind(&found.0)
            .execute(&self.main)
            .await?;
        Ok(Some(found))
    }

    /// A call's stream is over. `finished`: so is the call, by our doing.
    pub async fn stream_ended(&self, call_sid: &str, finished: bool) -> Result<(), StoreError> {
        if !finished {
            query("delete from streams where call_sid = $1")
                .bind(call_sid)
                .execute(&self.main)
                .await?;
            return Ok(());
        }
        let now = self.main.now();
        query(format!(
            "insert into streams (call_sid, digest, caller, state, node, until_ms) values ($1, '', '', 'ended', $2, {now} + {ENDED_MS})
             on conflict (call_sid) do update set digest = '', caller = '', state = excluded.state, node = excluded.node,
                until_ms = excluded.until_ms"
        ))
        .bind(call_sid)
        .bind(self.node())
        .execute(&self.main)
        .await?;
        Ok(())
    }

    /// `awaited`, `up` or `ended`; none where nothing is known of the call.
    pub async fn stream_state(&self, call_sid: &str) -> Result<Option<String>, StoreError> {
        let now = self.main.now();
        let row = query(format!(
            "select state from streams where call_sid = $1 and until_ms >= {now}"
        ))
        .bind(call_sid)
        .fetch_optional(&self.main)
        .await?;
        row.map(|row| row.get(0)).transpose()
    }

    /// Digests of this node's tokens that nobody has used yet.
    pub async fn streams_awaited(&self) -> Result<Vec<String>, StoreError> {
        let now = self.main.now();
        let rows = query(format!(
            "select digest from streams where state = 'awaited' and node = $1 and until_ms >= {now}"
        ))
        .bind(self.node())
        .fetch_all(&self.main)
        .await?;
        rows.iter().map(|row| row.get(0)).collect()
    }
}
