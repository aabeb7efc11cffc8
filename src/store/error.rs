//! Why the store did not do what was asked. Each variant means another thing to do.

use std::path::Path;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreError {
    /// The file cannot be opened or made: put right the path or its permissions, then start again.
    Open(String),
    /// Another process holds the database, or all connections are in use: try again in a moment.
    Busy(String),
    /// The database server does not answer: calls go on; what is owed waits beside it until it is back.
    Gone(String),
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

impl StoreError {
    /// It may go better later: nothing is wrong with what was asked.
    pub fn passes(&self) -> bool {
        matches!(
            self,
            StoreError::Busy(_) | StoreError::Gone(_) | StoreError::Disk(_)
        )
    }
}

impl std::fmt::Display for StoreError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (StoreError::Open(s)
        | StoreError::Busy(s)
        | StoreError::Gone(s)
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
        let says = error.to_string();
        if let Some(known) = error.as_database_error() {
            let code = known.code().unwrap_or_default().into_owned();
            return match known.try_downcast_ref::<sqlx::postgres::PgDatabaseError>() {
                Some(_) => of_postgres(&code, &says),
                None => of_sqlite(&code, &says),
            };
        }
        match error {
            sqlx::Error::PoolTimedOut => StoreError::Busy(
                "all connections to the database are in use; try again in a moment".into(),
            ),
            sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::WorkerCrashed => {
                StoreError::Gone(format!("the database does not answer ({says})"))
            }
            _ => StoreError::Other(format!("the database refused: {says}")),
        }
    }
}

/// SQLite's primary result codes, <https://www.sqlite.org/rescode.html>: the low byte of the extended code.
fn of_sqlite(code: &str, says: &str) -> StoreError {
    match code.parse::<u32>().map(|c| c & 0xff) {
        Ok(5 | 6) => StoreError::Busy(format!(
            "the database is held by another process; try again in a moment ({says})"
        )),
        Ok(8) => StoreError::Open(format!(
            "the database is read-only; make its file and directory writable ({says})"
        )),
        Ok(10 | 13) => StoreError::Disk(format!(
            "the disk does not take the record; free some space ({says})"
        )),
        Ok(11 | 26) => StoreError::Damaged(format!(
            "the database is damaged or no database; restore a copy ({says})"
        )),
        Ok(14) => StoreError::Open(format!(
            "the database cannot be opened; look at its path and permissions ({says})"
        )),
        _ => StoreError::Other(format!("the database refused: {says}")),
    }
}

/// PostgreSQL's error codes, <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
fn of_postgres(code: &str, says: &str) -> StoreError {
    match code {
        // No memory and no connections are passing; a full disk is somebody's work.
        "53100" => StoreError::Disk(format!(
            "the database server's disk is full; free some space there ({says})"
        )),
        _ if code.starts_with("08") || code.starts_with("57P") => {
            StoreError::Gone(format!("the database server is going or gone ({says})"))
        }
        _ if code.starts_with("53") || code.starts_with("40") || code.starts_with("55") => {
            StoreError::Busy(format!(
                "the database is busy; try again in a moment ({says})"
            ))
        }
        _ if code.starts_with("28") || code.starts_with("3D") || code.starts_with("42501") => {
            StoreError::Open(format!(
                "the database does not let this program in; look at user, password and database in storage.url ({says})"
            ))
        }
        _ if code.starts_with("XX") => {
            StoreError::Damaged(format!("the database is damaged; restore a copy ({says})"))
        }
        _ => StoreError::Other(format!("the database refused: {says}")),
    }
}
