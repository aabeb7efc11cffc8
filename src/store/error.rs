//! Why the store did not do what was asked. Each variant means another thing to do.

use std::path::Path;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreError {
    /// The file cannot be opened or made: put right the path or its permissions, then start again.
    Open(String),
    /// Another process holds the database, or all connections are in use: try again in a moment.
    Busy(String),
    /// The disk is full or does not write: free space; calls go on, their records may be lost.
    Disk(String),
    /// What is stored cannot be read: restore a copy; nothing was changed.
    Damaged(String),
    /// This version does not do that.
    NotSupported(String),
    /// Anything else. A bug: report it.
    Other(String),
}

impl StoreError {
    pub(super) fn opening(path: &Path, error: sqlx::Error) -> Self {
        match StoreError::from(error) {
            StoreError::Other(why) | StoreError::Open(why) => StoreError::Open(format!(
                "cannot open the database {}: {why}; make it readable and writable or name another in storage.url",
                path.display()
            )),
            known => known,
        }
    }
}

impl std::fmt::Display for StoreError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (StoreError::Open(s)
        | StoreError::Busy(s)
        | StoreError::Disk(s)
        | StoreError::Damaged(s)
        | StoreError::NotSupported(s)
        | StoreError::Other(s)) = self;
        f.write_str(s)
    }
}

impl std::error::Error for StoreError {}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        if let sqlx::Error::PoolTimedOut = error {
            return StoreError::Busy(
                "all connections to the database are in use; try again in a moment".into(),
            );
        }
        // SQLite's primary result codes, https://www.sqlite.org/rescode.html: the low byte of the extended code.
        let code = error
            .as_database_error()
            .and_then(|e| e.code())
            .and_then(|c| c.parse::<u32>().ok())
            .map(|c| c & 0xff);
        let says = error.to_string();
        match code {
            Some(5 | 6) => StoreError::Busy(format!(
                "the database is held by another process; try again in a moment ({says})"
            )),
            Some(8) => StoreError::Open(format!(
                "the database is read-only; make its file and directory writable ({says})"
            )),
            Some(10 | 13) => StoreError::Disk(format!(
                "the disk does not take the record; free some space ({says})"
            )),
            Some(11 | 26) => StoreError::Damaged(format!(
                "the database is damaged or no database; restore a copy ({says})"
            )),
            Some(14) => StoreError::Open(format!(
                "the database cannot be opened; look at its path and permissions ({says})"
            )),
            _ => StoreError::Other(format!("the database refused: {says}")),
        }
    }
}
