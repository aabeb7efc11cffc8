//! Callbacks that were promised.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::db::{Row, query};
use super::spool::Owed;
use super::{Store, StoreError, from_json, rfc3339, to_json};
use crate::desk::{CallbackRequest, Handoff};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallbackStatus {
    Open,
    /// A colleague or the caller is being called for it now.
    Calling,
    Done,
    /// Tried as often as it may be, or not to be made: `last_error` says why.
    GivenUp,
}

impl CallbackStatus {
    fn word(self) -> &'static str {
        match self {
            CallbackStatus::Open => "open",
            CallbackStatus::Calling => "calling",
            CallbackStatus::Done => "done",
            CallbackStatus::GivenUp => "given_up",
        }
    }

    fn read(word: &str) -> Self {
        match word {
            "done" => CallbackStatus::Done,
            "calling" => CallbackStatus::Calling,
            "given_up" => CallbackStatus::GivenUp,
            _ => CallbackStatus::Open,
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
    /// Not before; RFC 3339, UTC.
    pub due_at: String,
    /// How often the caller was called.
    pub attempts: u32,
    /// How often it was begun, colleagues who were not free counted.
    pub tries: u32,
    /// Why the last try came to nothing.
    pub last_error: Option<String>,
    pub handoff: Handoff,
}

const COLUMNS: &str = "id, call_id, phone_number, said_when, reason, handoff, status, created_ms, done_ms, due_ms, attempts, tries, last_error";

impl Store {
    /// Puts a callback in the queue; gives its id. The promise counts as made only once this has returned.
    pub async fn add_callback(
        &self,
        call_id: &str,
        callback: &CallbackRequest,
    ) -> Result<String, StoreError> {
        self.add_callback_at(call_id, callback, (self.clock)())
            .await
    }

    /// The same, to be called at `due` at the earliest.
    pub async fn add_callback_at(
        &self,
        call_id: &str,
        callback: &CallbackRequest,
        due: Timestamp,
    ) -> Result<String, StoreError> {
        let id = uuid::Uuid::now_v7().to_string();
        self.owe(Owed::Callback {
            id: id.clone(),
            call_id: call_id.into(),
            callback: Box::new(callback.clone()),
            created_ms: self.now_ms(),
            due_ms: due.as_millisecond(),
        })
        .await?;
        Ok(id)
    }

    pub(super) async fn insert_callback(
        &self,
        id: &str,
        call_id: &str,
        callback: &CallbackRequest,
        created_ms: i64,
        due_ms: i64,
    ) -> Result<(), StoreError> {
        // On the ledger's connection: a promise to a person must outlive a power cut too.
        query(
            "insert into callbacks (id, call_id, phone_number, said_when, reason, handoff, status, created_ms, due_ms)
             values ($1, $2, $3, $4, $5, $6, 'open', $7, $8) on conflict (id) do nothing",
        )
        .bind(id)
        .bind(call_id)
        .bind(&callback.number)
        .bind(&callback.when)
        .bind(&callback.reason)
        .bind(self.sealed(to_json(&callback.handoff)))
        .bind(created_ms)
        .bind(due_ms)
        .execute(&self.ledger)
        .await?;
        Ok(())
    }

    /// Oldest first: the order to call in. None: all of them.
    pub async fn callbacks(
        &self,
        status: Option<CallbackStatus>,
    ) -> Result<Vec<Callback>, StoreError> {
        let rows = query(format!(
            "select {COLUMNS} from callbacks where $1 = '' or status = $1 or ($1 = 'open' and status = 'calling') order by created_ms, id"
        ))
        .bind(status.map_or("", CallbackStatus::word))
        .fetch_all(&self.main)
        .await?;
        rows.iter().map(|row| self.callback(row)).collect()
    }

    /// How many are promised and not made.
    pub async fn callbacks_open(&self) -> Result<u64, StoreError> {
        let row = query("select count(*) from callbacks where status in ('open', 'calling')")
            .fetch_one(&self.main)
            .await?;
        Ok(u64::try_from(row.get::<i64>(0)?).unwrap_or(0))
    }

    /// The open callback that has been due for longest, if any is; it is being called from now on, by this node alone.
    pub async fn claim_callback(&self) -> Result<Option<Callback>, StoreError> {
        let row = query(format!(
            "update callbacks set status = 'calling', tries = tries + 1, node = $2 where id = (
                 select id from callbacks where status = 'open' and due_ms <= $1 order by due_ms, id limit 1)
               and status = 'open'
             returning {COLUMNS}"
        ))
        .bind(self.now_ms())
        .bind(self.node())
        .fetch_optional(&self.ledger)
        .await?;
        row.as_ref().map(|row| self.callback(row)).transpose()
    }

    /// A try came to nothing. `called`: the caller was called. `next`: when to try again; none gives it up.
    pub async fn callback_failed(
        &self,
        id: &str,
        error: &str,
        called: bool,
        next: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        self.owe(Owed::CallbackFailed {
            id: id.into(),
            error: error.into(),
            called,
            next_ms: next.map(Timestamp::as_millisecond),
        })
        .await
    }

    pub(super) async fn mark_callback_failed(
        &self,
        id: &str,
        error: &str,
        called: bool,
        next_ms: Option<i64>,
    ) -> Result<(), StoreError> {
        // One that was marked as made meanwhile stays so.
        query(
            "update callbacks set status = $2, last_error = $3, attempts = attempts + $4, due_ms = $5 where id = $1 and status = 'calling'",
        )
        .bind(id)
        .bind(if next_ms.is_some() { "open" } else { "given_up" })
        .bind(error)
        .bind(i64::from(called))
        .bind(next_ms.unwrap_or(0))
        .execute(&self.ledger)
        .await
        .map(drop)
    }

    /// Callbacks that a node was calling which has gone are open again; how many.
    pub async fn reopen_callbacks(&self) -> Result<u64, StoreError> {
        query(format!(
            "update callbacks set status = 'open', node = null, last_error = 'the program ended during the call'
             where status = 'calling' and {}",
            self.orphaned("node")
        ))
        .execute(&self.ledger)
        .await
    }

    /// Marks a callback as made. False: there is none of that id. Doing it twice is as good as once.
    pub async fn callback_done(&self, id: &str) -> Result<bool, StoreError> {
        let known = query("select id from callbacks where id = $1")
            .bind(id)
            .fetch_optional(&self.main)
            .await;
        match known {
            Ok(None) => return Ok(false),
            Err(error) if !error.passes() => return Err(error),
            _ => {}
        }
        self.owe(Owed::CallbackDone {
            id: id.into(),
            done_ms: self.now_ms(),
        })
        .await?;
        Ok(true)
    }

    pub(super) async fn mark_callback_done(
        &self,
        id: &str,
        done_ms: i64,
    ) -> Result<(), StoreError> {
        query(
            "update callbacks set status = 'done', last_error = null, done_ms = coalesce(done_ms, $2) where id = $1",
        )
        .bind(id)
        .bind(done_ms)
        .execute(&self.main)
        .await?;
        Ok(())
    }
}

impl Store {
    fn callback(&self, row: &Row) -> Result<Callback, StoreError> {
        let count = |n: i64| u32::try_from(n).unwrap_or(0);
        Ok(Callback {
            id: row.get(0)?,
            call_id: row.get(1)?,
            number: row.get(2)?,
            when: row.get(3)?,
            reason: row.get(4)?,
            handoff: from_json("a callback", &self.opened(row.get(5)?)?)?,
            status: CallbackStatus::read(&row.get::<String>(6)?),
            created_at: rfc3339(row.get(7)?),
            done_at: row.get::<Option<i64>>(8)?.map(rfc3339),
            due_at: rfc3339(row.get(9)?),
            attempts: count(row.get(10)?),
            tries: count(row.get(11)?),
            last_error: row.get(12)?,
        })
    }
}
