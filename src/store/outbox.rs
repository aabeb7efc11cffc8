//! Packets for the desk's webhook that are still to be delivered. They outlive a restart.

use jiff::Timestamp;
use serde_json::Value;
use sqlx::Row;

use super::{Store, StoreError, to_json};

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
        let now = self.now_ms();
        sqlx::query(
            "insert into packets (id, call_id, url, body, status, attempts, next_ms, created_ms)
             values ($1, $2, $3, $4, 'due', 0, $5, $5)",
        )
        .bind(&id)
        .bind(call_id)
        .bind(url)
        .bind(to_json(body))
        .bind(now)
        .execute(&self.main)
        .await?;
        Ok(id)
    }

    /// Packets whose time has come, longest due first; of one call the earliest, so that a receiver has them in order.
    pub async fn due_packets(&self, limit: u32) -> Result<Vec<Packet>, StoreError> {
        let rows = sqlx::query(
            "select id, call_id, url, body, attempts from packets p where status = 'due' and next_ms <= $1
               and not exists (select 1 from packets o where o.call_id = p.call_id and o.url = p.url and o.status = 'due' and o.id < p.id)
             order by next_ms, id limit $2",
        )
        .bind(self.now_ms())
        .bind(i64::from(limit))
        .fetch_all(&self.main)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(Packet {
                    id: row.try_get(0)?,
                    call_id: row.try_get(1)?,
                    url: row.try_get(2)?,
                    body: row.try_get(3)?,
                    attempts: u32::try_from(row.try_get::<i64, _>(4)?).unwrap_or(u32::MAX),
                })
            })
            .collect()
    }

    pub async fn packet_sent(&self, id: &str) -> Result<(), StoreError> {
        sqlx::query("update packets set status = 'sent', attempts = attempts + 1, last_error = null where id = $1")
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
        sqlx::query("update packets set status = $2, attempts = attempts + 1, last_error = $3, next_ms = $4 where id = $1")
            .bind(id)
            .bind(if next.is_some() { "due" } else { "dead" })
            .bind(error)
            .bind(next.map_or(0, Timestamp::as_millisecond))
            .execute(&self.main)
            .await?;
        Ok(())
    }

    /// What the receiver calls what it made of a call's first packet (a ticket's id).
    pub async fn packet_ref(&self, call_id: &str, url: &str) -> Result<Option<String>, StoreError> {
        let row = sqlx::query("select remote from packet_refs where call_id = $1 and url = $2")
            .bind(call_id)
            .bind(url)
            .fetch_optional(&self.main)
            .await?;
        Ok(row.map(|r| r.try_get(0)).transpose()?)
    }

    pub async fn set_packet_ref(
        &self,
        call_id: &str,
        url: &str,
        remote: &str,
    ) -> Result<(), StoreError> {
        sqlx::query("insert into packet_refs (call_id, url, remote) values ($1, $2, $3) on conflict (call_id, url) do update set remote = excluded.remote")
            .bind(call_id)
            .bind(url)
            .bind(remote)
            .execute(&self.main)
            .await?;
        Ok(())
    }

    /// How many packets wait and how many were given up.
    pub async fn packet_counts(&self) -> Result<(u64, u64), StoreError> {
        let row = sqlx::query(
            "select coalesce(sum(case when status = 'due' then 1 else 0 end), 0), coalesce(sum(case when status = 'dead' then 1 else 0 end), 0)
             from packets",
        )
        .fetch_one(&self.main)
        .await?;
        let count = |n: i64| u64::try_from(n).unwrap_or(0);
        Ok((count(row.try_get(0)?), count(row.try_get(1)?)))
    }
}
