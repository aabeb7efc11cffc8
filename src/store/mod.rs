//! What outlives a call: records, the ledger of actions, callbacks promised, packets still to be delivered, and who is alive.
//!
//! SQLite in WAL mode for one machine, PostgreSQL for many; the same statements on both (`db.rs`). Times are milliseconds since 1970,
//! ids are text.
//!
//! On SQLite the ledger has a connection of its own with `synchronous = FULL`: when [`Store::claim`] returns, the claim is on the disk,
//! so a write that was sent is known even after the power fails. The rest may lose its last moments then, and nothing more. PostgreSQL
//! commits to its disk in any case.
//!
//! What the database does not take because it is gone, busy or full waits in files beside it ([`Store::catch_up`]).

use std::path::{Path, PathBuf};
use std::sync::Arc;

mod acts;
mod callbacks;
mod calls;
mod db;
mod error;
mod ledger;
mod nodes;
mod outbox;
mod people;
mod playbook;
mod privacy;
mod schema;
mod sealing;
mod search;
mod spool;
mod streams;

pub use acts::{Act, ActsVerdict};
pub use callbacks::{Callback, CallbackStatus};
pub use calls::CallSummary;
pub use error::StoreError;
pub use ledger::{Claim, Intent, OpenClaim};
pub use nodes::{LEASE_MS, Node, NodeState};
pub use outbox::Packet;
pub use people::{Pass, User};
pub use playbook::{Grade, ModeSet, Review};
pub use privacy::CallerData;
pub use sealing::Seal;
pub use search::Found;

use db::{Pool, query};
use spool::Spool;

/// An open store. Cheap to clone; every clone is the same store.
#[derive(Debug, Clone)]
pub struct Store {
    main: Pool,
    ledger: Pool,
    clock: fn() -> jiff::Timestamp,
    /// Whose the claims are that it makes.
    node: Option<Arc<str>>,
    spool: Option<Arc<Spool>>,
    /// None: texts are stored as they are.
    seal: Option<Arc<dyn Seal>>,
}

impl Store {
    /// Opens `sqlite:PATH`, making the file (readable by its owner alone) and its directory where they are missing, or
    /// `postgres://user@host/database`; brings its tables up to date.
    pub async fn open(url: &str) -> Result<Store, StoreError> {
        let (main, ledger) = if is_postgres(url) {
            let pool = db::open_postgres(url).await?;
            (pool.clone(), pool)
        } else {
            let path = file_of(url)?;
            prepare(&path)?;
            db::open_sqlite(&path).await?
        };
        schema::bring_up_to_date(&ledger).await?;
        Ok(Store {
            main,
            ledger,
            clock: system_now,
            node: None,
            spool: None,
            seal: None,
        })
    }

    /// What the database does not take waits in `dir`, and what an earlier run left there comes in ([`Store::catch_up`]).
    #[must_use]
    pub fn with_spool(mut self, dir: &Path) -> Store {
        self.spool = Some(Arc::new(Spool::open(dir)));
        self
    }

    /// The same store reading the time from `clock`.
    #[must_use]
    pub fn with_clock(mut self, clock: fn() -> jiff::Timestamp) -> Store {
        self.clock = clock;
        self
    }

    /// Writes and takes back a row: whether the database can be written to now.
    pub async fn writable(&self) -> Result<(), StoreError> {
        let mut tx = self.main.begin().await?;
        query("insert into meta (name, value) values ('probe', '1') on conflict (name) do update set value = '1'")
            .execute_in(&mut tx)
            .await?;
        tx.rollback().await
    }

    /// Lets running statements end and closes the files.
    pub async fn close(&self) {
        self.main.close().await;
        self.ledger.close().await;
    }

    /// The time, by the clock that this store reads.
    pub fn now(&self) -> jiff::Timestamp {
        (self.clock)()
    }

    fn now_ms(&self) -> i64 {
        self.now().as_millisecond()
    }
}

#[allow(
    clippy::disallowed_methods,
    reason = "records carry the wall clock; a fixed one comes in by `with_clock`"
)]
fn system_now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}

/// Whether `storage.url` names a PostgreSQL server.
pub fn is_postgres(url: &str) -> bool {
    url.starts_with("postgres:") || url.starts_with("postgresql:")
}

fn file_of(url: &str) -> Result<PathBuf, StoreError> {
    match url.strip_prefix("sqlite:") {
        Some(path) if !path.is_empty() => {
            Ok(PathBuf::from(path.strip_prefix("//").unwrap_or(path)))
        }
        _ => Err(StoreError::NotSupported(format!(
            "storage.url `{url}` is no database; write sqlite:recordings/firstline.db or postgres://user@host/database"
        ))),
    }
}

/// Records hold what callers said: the file is for its owner's eyes.
#[allow(
    clippy::disallowed_methods,
    reason = "the database's file and directory are made here"
)]
fn prepare(path: &Path) -> Result<(), StoreError> {
    use std::os::unix::fs::OpenOptionsExt;
    let failed = |e: std::io::Error| {
        StoreError::Open(format!(
            "cannot open the database {}: {e}; make its directory writable or name another in storage.url",
            path.display()
        ))
    };
    if let Some(dir) = path.parent().filter(|d| !d.as_os_str().is_empty()) {
        std::fs::create_dir_all(dir).map_err(failed)?;
    }
    std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(path)
        .map(drop)
        .map_err(failed)
}

/// `text` (RFC 3339) in milliseconds; none where it is no time.
fn millis(text: &str) -> Option<i64> {
    text.parse::<jiff::Timestamp>()
        .ok()
        .map(|t| t.as_millisecond())
}

/// Milliseconds as RFC 3339, UTC.
fn rfc3339(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms).map_or_else(|_| String::new(), |t| t.to_string())
}

fn from_json<T: serde::de::DeserializeOwned>(what: &str, text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text)
        .map_err(|e| StoreError::Damaged(format!("{what} in the database cannot be read: {e}")))
}

fn to_json<T: serde::Serialize>(value: &T) -> String {
    // These types have text keys and plain values only; they always serialise.
    serde_json::to_string(value).unwrap_or_else(|_| "null".into())
}

#[cfg(test)]
mod tests;
