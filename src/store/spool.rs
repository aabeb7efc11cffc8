//! What is owed to the database while it takes nothing: one small file each beside the recordings, brought in, in order, when it is
//! back. A promise to a caller, a packet for a colleague and the outcome of a write outlive a database that is gone and a restart in
//! the middle of it. Where the disk takes nothing either, it is held in memory until one of the two does; that does not outlive a
//! restart, and is said in the log and the metrics.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use super::{Store, StoreError};
use crate::desk::{CallRecord, CallbackRequest, Outcome};

/// A write that must not be lost. Each can be done twice with the effect of once.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "owed", rename_all = "snake_case")]
pub(super) enum Owed {
    Call {
        record: Box<CallRecord>,
    },
    Callback {
        id: String,
        call_id: String,
        callback: Box<CallbackRequest>,
        created_ms: i64,
        due_ms: i64,
    },
    Packet {
        id: String,
        call_id: String,
        url: String,
        body: String,
        created_ms: i64,
    },
    PacketSent {
        id: String,
    },
    CallbackDone {
        id: String,
        done_ms: i64,
    },
    CallbackFailed {
        id: String,
        error: String,
        called: bool,
        next_ms: Option<i64>,
    },
    Settled {
        key: String,
        outcome: Outcome,
    },
}

/// Bytes held for a disk that is full: some thousands of records.
const HELD_MAX: usize = 64 * 1024 * 1024;

/// The folder of what is owed.
#[derive(Debug)]
pub(super) struct Spool {
    dir: PathBuf,
    waiting: AtomicU64,
    /// The last name given: names sort as they were given.
    last: Mutex<u64>,
    /// What the folder did not take, oldest first; all of it is newer than what is in the folder.
    held: Mutex<VecDeque<String>>,
}

impl Spool {
    /// Opens the folder (made when first needed) and counts what an earlier run left.
    pub(super) fn open(dir: &Path) -> Self {
        let left = files(dir);
        let last = left
            .iter()
            .filter_map(|p| p.file_stem()?.to_str()?.split('-').next()?.parse().ok())
            .max()
            .unwrap_or(0);
        Self {
            dir: dir.to_path_buf(),
            waiting: AtomicU64::new(left.len() as u64),
            last: Mutex::new(last),
            held: Mutex::default(),
        }
    }

    fn held(&self) -> MutexGuard<'_, VecDeque<String>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Into the folder, behind what is held for it; else held. False: there is no room for it anywhere.
    fn keep(&self, text: String) -> std::io::Result<()> {
        let mut held = self.held();
        if self.put_held(&mut held).is_ok() && self.put(text.as_bytes()).is_ok() {
            return Ok(());
        }
        let room = HELD_MAX.saturating_sub(held.iter().map(String::len).sum());
        if text.len() > room {
            return Err(std::io::Error::other(
                "the disk is full, and so is the memory for what waits",
            ));
        }
        if held.is_empty() {
            tracing::error!(
                "neither the database nor the disk takes what is owed: it is held in memory, and lost if the program ends; free some space in {}",
                self.dir.display()
            );
        }
        held.push_back(text);
        Ok(())
    }

    /// Brings what is held into the folder, as far as that takes it.
    fn put_held(&self, held: &mut VecDeque<String>) -> std::io::Result<()> {
        while let Some(text) = held.front() {
            self.put(text.as_bytes())?;
            held.pop_front();
        }
        Ok(())
    }

    #[cfg(test)]
    pub(super) fn leave(&self, owed: &Owed) {
        self.put(super::to_json(owed).as_bytes())
            .expect("the spool takes it");
    }

    fn waiting(&self) -> u64 {
        self.waiting.load(Ordering::Relaxed) + self.held().len() as u64
    }

    /// On the disk when it returns.
    #[allow(
        clippy::disallowed_methods,
        reason = "what the database does not take is kept in files"
    )]
    fn put(&self, bytes: &[u8]) -> std::io::Result<()> {
        use std::io::Write;
        use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.dir)?;
        let number = *last + 1;
        // Two nodes may share the folder: the name is one process's own.
        let name = format!("{number:012}-{}", uuid::Uuid::now_v7().simple());
        let beside = self.dir.join(format!("{name}.part"));
        let mut file = std::fs::OpenOptions::new()
            .create_new(true)
            .write(true)
            .mode(0o600)
            .open(&beside)?;
        let written = file.write_all(bytes).and_then(|()| file.sync_all());
        if let Err(full) = written {
            let _ = std::fs::remove_file(&beside);
            return Err(full);
        }
        std::fs::rename(&beside, self.dir.join(format!("{name}.json")))?;
        std::fs::File::open(&self.dir)?.sync_all()?;
        *last = number;
        self.waiting.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

#[allow(
    clippy::disallowed_methods,
    reason = "what the database does not take is kept in files"
)]
fn files(dir: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(dir) else {
        return Vec::new();
    };
    let mut found: Vec<PathBuf> = entries
        .flatten()
        .map(|e| e.path())
        .filter(|p| p.extension().is_some_and(|e| e == "json"))
        .collect();
    found.sort();
    found
}

impl Store {
    /// How many writes wait beside the database.
    pub fn owed(&self) -> u64 {
        self.spool.as_ref().map_or(0, |s| s.waiting())
    }

    /// How many of them are in memory only, because the disk takes nothing.
    pub fn held(&self) -> u64 {
        self.spool.as_ref().map_or(0, |s| s.held().len() as u64)
    }

    /// Does it now, or writes it down to be done when the database is back. While something waits everything waits behind it:
    /// nothing older is ever written over something newer.
    pub(super) async fn owe(&self, owed: Owed) -> Result<(), StoreError> {
        let Some(spool) = &self.spool else {
            return self.pay(&owed).await;
        };
        if spool.waiting() == 0 {
            match self.pay(&owed).await {
                Err(error) if error.passes() => {}
                done => return done,
            }
        }
        let spool = spool.clone();
        let text = self.sealed(super::to_json(&owed));
        let put = tokio::task::spawn_blocking(move || spool.keep(text)).await;
        match put {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(StoreError::Disk(format!(
                "the database takes nothing, and what is owed to it could not be written beside it: {error}; free some space"
            ))),
            Err(_) => Err(StoreError::Other("a write was interrupted".into())),
        }
    }

    async fn pay(&self, owed: &Owed) -> Result<(), StoreError> {
        match owed {
            Owed::Call { record } => self.insert_call(record).await,
            Owed::Callback {
                id,
                call_id,
                callback,
                created_ms,
                due_ms,
            } => {
                self.insert_callback(id, call_id, callback, *created_ms, *due_ms)
                    .await
            }
            Owed::Packet {
                id,
                call_id,
                url,
                body,
                created_ms,
            } => {
                self.insert_packet(id, call_id, url, body, *created_ms)
                    .await
            }
            Owed::PacketSent { id } => self.mark_packet_sent(id).await,
            Owed::CallbackDone { id, done_ms } => self.mark_callback_done(id, *done_ms).await,
            Owed::CallbackFailed {
                id,
                error,
                called,
                next_ms,
            } => {
                self.mark_callback_failed(id, error, *called, *next_ms)
                    .await
            }
            Owed::Settled { key, outcome } => self.write_outcome(key, outcome).await.map(drop),
        }
    }

    /// Looks for a database that was gone and brings in what waits; how many came in. Statements are let through again only when
    /// nothing waits any more. To be called every second or so.
    ///
    /// # Errors
    /// The database still takes nothing.
    #[allow(
        clippy::disallowed_methods,
        reason = "what the database does not take is kept in files"
    )]
    pub async fn catch_up(&self) -> Result<u64, StoreError> {
        let gone = !self.main.is_up() || !self.ledger.is_up();
        if self.owed() == 0 && !gone {
            return Ok(0);
        }
        if let Some(spool) = &self.spool {
            // What does not fit is brought in from where it is, behind the files.
            let mut held = spool.held();
            let _ = spool.put_held(&mut held);
        }
        self.main.look().await?;
        let mut came = 0;
        if let Some(spool) = &self.spool {
            let trying = Store {
                main: self.main.trying(),
                ledger: self.ledger.trying(),
                spool: None,
                ..self.clone()
            };
            for path in files(&spool.dir) {
                let read = std::fs::read_to_string(&path).map_err(|e| e.to_string());
                match self.bring_in(&trying, read).await {
                    Ok(()) => {
                        let _ = std::fs::remove_file(&path);
                        came += 1;
                    }
                    Err(error) if error.passes() => return Err(error),
                    Err(error) => {
                        // Never lost, and never in the way of what comes behind it.
                        tracing::error!(%error, "{} cannot be brought into the database; it is kept as .refused", path.display());
                        let _ = std::fs::rename(&path, path.with_extension("refused"));
                    }
                }
                let _ = spool
                    .waiting
                    .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1));
            }
            // Another process's files are counted where they are: the folder says how many there are.
            spool
                .waiting
                .store(files(&spool.dir).len() as u64, Ordering::Relaxed);
            loop {
                let Some(text) = spool.held().front().cloned() else {
                    break;
                };
                match self.bring_in(&trying, Ok(text.clone())).await {
                    Err(error) if error.passes() => return Err(error),
                    Ok(()) => came += 1,
                    Err(error) => {
                        tracing::error!(%error, "what was held in memory cannot be brought into the database");
                    }
                }
                // Another write may have brought it into the folder meanwhile: then it is done once more, to the same effect.
                let mut held = spool.held();
                if held.front() == Some(&text) {
                    held.pop_front();
                }
            }
            if spool.waiting() > 0 {
                return Ok(came);
            }
        }
        self.main.is_back();
        self.ledger.is_back();
        Ok(came)
    }

    /// Does what was written down, by a store that asks the database in any case.
    async fn bring_in(
        &self,
        trying: &Store,
        read: Result<String, String>,
    ) -> Result<(), StoreError> {
        let owed: Result<Owed, String> = read
            .and_then(|text| self.opened(text).map_err(|e| e.to_string()))
            .and_then(|text| serde_json::from_str(&text).map_err(|e| e.to_string()));
        match owed {
            Ok(owed) => trying.pay(&owed).await,
            Err(why) => Err(StoreError::Damaged(why)),
        }
    }

    /// The database answers, as far as is known.
    pub fn is_up(&self) -> bool {
        self.main.is_up() && self.ledger.is_up()
    }
}
