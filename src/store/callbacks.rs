//! Callbacks that were promised.

use serde::{Deserialize, Serialize};
use sqlx::Row;

use super::{Store, StoreError, from_json, rfc3339, to_json};
use crate::desk::{CallbackRequest, Handoff};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallbackStatus {
    Open,
    Done,
}

impl CallbackStatus {
    fn word(self) -> &'static str {
        match self {
            CallbackStatus::Open => "open",
            CallbackStatus::Done => "done",
        }
    }
}

/// A callback with everything the human needs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Callback {
    pub id: String,
    pub call_id: String,
    pub number: String,
    /// As the caller said it.
    pub when: Option<String>,
    pub reason: String,
    pub status: CallbackStatus,
    /// RFC 3339, UTC.
    pub created_at: String,
    pub done_at: Option<String>,
    pub handoff: Handoff,
}

impl Store {
    /// Puts a callback in the queue; gives its id. The promise counts as made only once this has returned.
    pub async fn add_callback(
        &self,
        call_id: &str,
        callback: &CallbackRequest,
    ) -> Result<String, StoreError> {
        let id = uuid::Uuid::now_v7().to_string();
        // On the ledger's connection: a promise to a person must outlive a power cut too.
        sqlx::query(
            "insert into callbacks (id, call_id, phone_number, said_when, reason, handoff, status, created_ms)
             values ($1, $2, $3, $4, $5, $6, 'open', $7)",
        )
        .bind(&id)
        .bind(call_id)
        .bind(&callback.number)
        .bind(&callback.when)
        .bind(&callback.reason)
        .bind(to_json(&callback.handoff))
        .bind(self.now_ms())
        .execute(&self.ledger)
        .await?;
        Ok(id)
    }

    /// Oldest first: the order to call in. None: all of them.
    pub async fn callbacks(
        &self,
        status: Option<CallbackStatus>,
    ) -> Result<Vec<Callback>, StoreError> {
        let rows = sqlx::query(
            "select id, call_id, phone_number, said_when, reason, handoff, status, created_ms, done_ms from callbacks
             where $1 = '' or status = $1 order by created_ms, id",
        )
        .bind(status.map_or("", CallbackStatus::word))
        .fetch_all(&self.main)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(Callback {
                    id: row.try_get(0)?,
                    call_id: row.try_get(1)?,
                    number: row.try_get(2)?,
                    when: row.try_get(3)?,
                    reason: row.try_get(4)?,
                    handoff: from_json("a callback", &row.try_get::<String, _>(5)?)?,
                    status: match row.try_get::<String, _>(6)?.as_str() {
                        "done" => CallbackStatus::Done,
                        _ => CallbackStatus::Open,
                    },
                    created_at: rfc3339(row.try_get(7)?),
                    done_at: row.try_get::<Option<i64>, _>(8)?.map(rfc3339),
                })
            })
            .collect()
    }

    /// Marks a callback as made. False: there is none of that id. Doing it twice is as good as once.
    pub async fn callback_done(&self, id: &str) -> Result<bool, StoreError> {
        let changed = sqlx::query(
            "update callbacks set status = 'done', done_ms = coalesce(done_ms, $2) where id = $1",
        )
        .bind(id)
        .bind(self.now_ms())
        .execute(&self.main)
        .await?;
        Ok(changed.rows_affected() == 1)
    }
}
