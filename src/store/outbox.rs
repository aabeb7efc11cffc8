//! Packets for the desk's webhook that are still to be delivered. They outlive a restart.

use jiff::Timestamp;
use serde_json::Value;

use super::db::query;
use super::spool::Owed;
use super::{Store, StoreError, to_json};

/// How long a node may take to deliver what it took; then others may.
const LEASE_MS: i64 = 60_000;

/// One packet to deliver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet {
    pub id: String,
    pub call_id: String,
    pub url: String,
    /// JSON, exactly as it is to be sent and signed.
    pub body: String,
    /// How often it was tried.
    pub attempts: u32,
}

impl Store {
    /// Queues a packet, due at once; gives its id.
    pub async fn queue_packet(
        &self,
        call_id: &str,
        url: &str,
        body: &Value,
    ) -> Result<String, StoreError> {
        let id = uuid::Uuid::now_v7().to_string();
        self.owe(Owed::Packet {
            id: id.clone(),
            call_id: call_id.into(),
            url: url.into(),
            body: to_json(body),
            created_ms: self.now_ms(),
        })
        .await?;
        Ok(id)
    }

    pub(super) async fn insert_packet(
        &self,
        id: &str,
        call_id: &str,
        url: &str,
        body: &str,
        created_ms: i64,
    ) -> Result<(), StoreError> {
        query(
            "insert into packets (id, call_id, url, body, status, attempts, next_ms, created_ms)
             values ($1, $2, $3, $4, 'due', 0, $5, $5) on conflict (id) do nothing",
        )
        .bind(id)
        .bind(call_id)
        .bind(url)
        .bind(self.sealed(body.to_owned()))
        .bind(created_ms)
        .execute(&self.main)
        .await?;
        Ok(())
    }

    /// Packets whose time has come, longest due first; of one call the earliest, so that a receiver has them in order. They are this
    /// node's to deliver for a minute, or until this node is gone.
    pub async fn due_packets(&self, limit: u32) -> Result<Vec<Packet>, StoreError> {
        let (now, orphaned) = (self.main.now(), self.orphaned("node"));
        let free =
            format!("status = 'due' and next_ms <= $1 and (lease_ms <= {now} or {orphaned})");
        let mut rows = query(format!(
            "update packets set node = $3, lease_ms = {now} + {LEASE_MS} where id in (
               select id from packets p where {free}
               and not exists (select 1 from packets o where o.call_id = p.call_id and o.url = p.url and o.status = 'due' and o.id < p.id)
             order by next_ms, id limit $2) and {free} returning id, call_id, url, body, attempts, next_ms"
        ))
        .bind(self.now_ms())
        .bind(i64::from(limit))
        .bind(self.node())
        .fetch_all(&self.main)
        .await?;
        let mut order = Vec::with_capacity(rows.len());
        for row in rows.drain(..) {
            order.push((row.get::<i64>(5)?, row.get::<String>(0)?, row));
        }
        order.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
        order
            .iter()
            .map(|(_, _, row)| row)
            .map(|row| {
                Ok(Packet {
                    id: row.get(0)?,
                    call_id: row.get(1)?,
                    url: row.get(2)?,
                    body: self.opened(row.get(3)?)?,
                    attempts: u32::try_from(row.get::<i64>(4)?).unwrap_or(u32::MAX),
                })
            })
            .collect()
    }

    pub async fn packet_sent(&self, id: &str) -> Result<(), StoreError> {
        self.owe(Owed::PacketSent { id: id.into() }).await
    }

    pub(super) async fn mark_packet_sent(&self, id: &str) -> Result<(), StoreError> {
        // It names the caller and tells their matter, whole: once it is delivered nobody needs it here.
        query("update packets set status = 'sent', body = '', attempts = attempts + 1, last_error = null where id = $1")
            .bind(id)
            .execute(&self.main)
            .await?;
        Ok(())
    }

    /// One more try went wrong. `next`: when to try again; none gives it up (it stays in the table as `dead`).
    pub async fn packet_failed(
        &self,
        id: &str,
        error: &str,
        next: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        query("update packets set status = $2, attempts = attempts + 1, last_error = $3, next_ms = $4, lease_ms = 0 where id = $1")
            .bind(id)
            .bind(if next.is_some() { "due" } else { "dead" })
            .bind(error)
            .bind(next.map_or(0, Timestamp::as_millisecond))
            .execute(&self.main)
            .await?;
        Ok(())
    }

    /// Whatever waits for this receiver is due now: it has just taken something.
    pub async fn packets_due_now(&self, url: &str) -> Result<(), StoreError> {
        query("update packets set next_ms = $2 where status = 'due' and url = $1 and next_ms > $2")
            .bind(url)
            .bind(self.now_ms())
            .execute(&self.main)
            .await?;
        Ok(())
    }

    /// What the receiver calls what it made of a call's first packet (a ticket's id).
    pub async fn packet_ref(&self, call_id: &str, url: &str) -> Result<Option<String>, StoreError> {
        let row = query("select remote from packet_refs where call_id = $1 and url = $2")
            .bind(call_id)
            .bind(url)
            .fetch_optional(&self.main)
            .await?;
        row.map(|r| r.get(0)).transpose()
    }

    pub async fn set_packet_ref(
        &self,
        call_id: &str,
        url: &str,
        remote: &str,
    ) -> Result<(), StoreError> {
        query("insert into packet_refs (call_id, url, remote) values ($1, $2, $3) on conflict (call_id, url) do update set remote = excluded.remote")
            .bind(call_id)
            .bind(url)
            .bind(remote)
            .execute(&self.main)
            .await?;
        Ok(())
    }

    /// How many packets wait and how many were given up.
    pub async fn packet_counts(&self) -> Result<(u64, u64), StoreError> {
        let row = query(
            "select coalesce(sum(case when status = 'due' then 1 else 0 end), 0), coalesce(sum(case when status = 'dead' then 1 else 0 end), 0)
             from packets",
        )
        .fetch_one(&self.main)
        .await?;
        let count = |n: i64| u64::try_from(n).unwrap_or(0);
        Ok((count(row.get(0)?), count(row.get(1)?)))
    }
}
