//! One way to speak to two databases: SQLite and PostgreSQL. With `error.rs` the only
//! importer of `sqlx`.
//!
//! Statements are written once, in what both say the same way: `$1`, text and 64-bit integers, `on conflict`, `returning`. What a
//! statement is given and gives is text or a whole number; nothing else is stored.

use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sqlx::postgres::{PgArguments, PgConnectOptions, PgPool, PgPoolOptions, PgRow};
use sqlx::sqlite::{
    SqliteArguments, SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
    SqliteRow, SqliteSynchronous,
};
use sqlx::{AssertSqlSafe, Postgres, Row as _, Sqlite};

use super::StoreError;

/// How long a statement waits for a connection: a call must not hang on a database that is gone.
const ACQUIRE: Duration = Duration::from_secs(3);

/// How long a statement may take: a server that answers no more must not be waited for.
const STATEMENT: Duration = Duration::from_secs(5);

/// Connections to one database.
#[derive(Debug, Clone)]
pub(super) enum Pool {
    Sqlite(SqlitePool),
    Postgres(PgPool, Arc<Health>),
}

/// Whether a server answers. Once it does not, statements fail at once instead of one after the other waiting for it.
#[derive(Debug, Default)]
pub(super) struct Health {
    gone: AtomicBool,
}

/// Two pools on a SQLite file: for everything, and one whose writes are on the disk when they return.
pub(super) async fn open_sqlite(path: &Path) -> Result<(Pool, Pool), StoreError> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .foreign_keys(true)
        // What is deleted is overwritten, not only left out.
        .pragma("secure_delete", "on")
        .busy_timeout(Duration::from_secs(5));
    let durable = SqlitePoolOptions::new()
        .max_connections(1)
        .connect_with(options.clone().synchronous(SqliteSynchronous::Full))
        .await
        .map_err(|e| StoreError::opening(path, e))?;
    let main = SqlitePoolOptions::new()
        .max_connections(4)
        .acquire_timeout(Duration::from_secs(10))
        .connect_with(options.synchronous(SqliteSynchronous::Normal))
        .await
        .map_err(|e| StoreError::opening(path, e))?;
    Ok((Pool::Sqlite(main), Pool::Sqlite(durable)))
}

/// Connections to a PostgreSQL server. Every commit there is on its disk when it returns (`synchronous_commit`, its default), so that
/// the ledger needs no connection of its own.
pub(super) async fn open_postgres(url: &str) -> Result<Pool, StoreError> {
    let options: PgConnectOptions = url.parse().map_err(|e| {
        StoreError::Open(format!(
            "storage.url is no PostgreSQL address ({e}); write postgres://user@host/database, with the password in PGPASSWORD"
        ))
    })?;
    let pool = PgPoolOptions::new()
        .max_connections(8)
        .acquire_timeout(ACQUIRE)
        .connect_with(options.application_name("firstline"))
        .await
        .map_err(|e| {
            StoreError::Open(format!(
                "cannot reach the database of storage.url: {}; start it, or correct user, host and database",
                StoreError::from(e)
            ))
        })?;
    Ok(Pool::Postgres(pool, Arc::default()))
}

impl Health {
    /// Runs a statement, unless the server is known to be gone; notices when it is.
    async fn watch<T>(
        &self,
        statement: impl Future<Output = Result<T, sqlx::Error>>,
    ) -> Result<T, StoreError> {
        if self.gone.load(Ordering::Relaxed) {
            return Err(StoreError::Gone(
                "the database is gone; it is looked for every second".into(),
            ));
        }
        self.listen(statement).await
    }

    /// The same, and tried in any case.
    async fn listen<T>(
        &self,
        statement: impl Future<Output = Result<T, sqlx::Error>>,
    ) -> Result<T, StoreError> {
        let done = match tokio::time::timeout(STATEMENT, statement).await {
            // While a server refuses connections, sqlx tries until its time is up.
            Ok(Err(sqlx::Error::PoolTimedOut)) => Err(StoreError::Gone(
                "no connection to the database could be made".into(),
            )),
            Ok(done) => done.map_err(StoreError::from),
            Err(_) => Err(StoreError::Gone(format!(
                "the database did not answer within {} s",
                STATEMENT.as_secs()
            ))),
        };
        if let Err(StoreError::Gone(_)) = &done {
            self.gone.store(true, Ordering::Relaxed);
        }
        done
    }
}

impl Pool {
    /// Not known to be gone.
    pub(super) fn is_up(&self) -> bool {
        match self {
            Pool::Sqlite(_) => true,
            Pool::Postgres(_, health) => !health.gone.load(Ordering::Relaxed),
        }
    }

    /// Looks whether a server that was gone is back.
    pub(super) async fn look(&self) -> Result<(), StoreError> {
        if let Pool::Postgres(pool, health) = self {
            health.listen(sqlx::query("select 1").execute(pool)).await?;
        }
        Ok(())
    }

    /// Statements are let through again.
    pub(super) fn is_back(&self) {
        if let Pool::Postgres(_, health) = self {
            health.gone.store(false, Ordering::Relaxed);
        }
    }

    /// The same connections, whose statements are tried even while the server is held to be gone.
    pub(super) fn trying(&self) -> Pool {
        match self {
            Pool::Sqlite(pool) => Pool::Sqlite(pool.clone()),
            Pool::Postgres(pool, _) => Pool::Postgres(pool.clone(), Arc::default()),
        }
    }

    pub(super) async fn close(&self) {
        match self {
            Pool::Sqlite(pool) => pool.close().await,
            Pool::Postgres(pool, _) => pool.close().await,
        }
    }

    /// A transaction that holds the write lock from its first statement; `lock` names what else must not happen meanwhile.
    pub(super) async fn begin_alone(&self, lock: i64) -> Result<Tx, StoreError> {
        match self {
            Pool::Sqlite(pool) => Ok(Tx::Sqlite(pool.begin_with("begin immediate").await?)),
            Pool::Postgres(pool, health) => {
                let mut tx = health.watch(pool.begin()).await?;
                let locked = sqlx::query("select pg_advisory_xact_lock($1)").bind(lock);
                health.watch(locked.execute(&mut *tx)).await?;
                Ok(Tx::Postgres(tx))
            }
        }
    }

    pub(super) async fn begin(&self) -> Result<Tx, StoreError> {
        Ok(match self {
            Pool::Sqlite(pool) => Tx::Sqlite(pool.begin().await?),
            Pool::Postgres(pool, health) => Tx::Postgres(health.watch(pool.begin()).await?),
        })
    }

    /// The database's own time, milliseconds since 1970, as an expression: nodes' clocks may differ.
    pub(super) fn now(&self) -> &'static str {
        match self {
            Pool::Sqlite(_) => "cast((julianday('now') - 2440587.5) * 86400000 as integer)",
            Pool::Postgres(..) => "cast(extract(epoch from clock_timestamp()) * 1000 as bigint)",
        }
    }
}

/// A transaction; dropped without [`Tx::commit`], it changed nothing.
pub(super) enum Tx {
    Sqlite(sqlx::Transaction<'static, Sqlite>),
    Postgres(sqlx::Transaction<'static, Postgres>),
}

impl Tx {
    pub(super) async fn commit(self) -> Result<(), StoreError> {
        match self {
            Tx::Sqlite(tx) => tx.commit().await?,
            Tx::Postgres(tx) => tx.commit().await?,
        }
        Ok(())
    }

    pub(super) async fn rollback(self) -> Result<(), StoreError> {
        match self {
            Tx::Sqlite(tx) => tx.rollback().await?,
            Tx::Postgres(tx) => tx.rollback().await?,
        }
        Ok(())
    }
}

/// What is put into a statement.
#[derive(Debug, Clone)]
pub(super) enum Arg {
    Text(Option<String>),
    Int(Option<i64>),
}

impl From<&str> for Arg {
    fn from(text: &str) -> Self {
        Arg::Text(Some(text.to_owned()))
    }
}
impl From<&String> for Arg {
    fn from(text: &String) -> Self {
        Arg::Text(Some(text.clone()))
    }
}
impl From<String> for Arg {
    fn from(text: String) -> Self {
        Arg::Text(Some(text))
    }
}
impl From<Option<&str>> for Arg {
    fn from(text: Option<&str>) -> Self {
        Arg::Text(text.map(str::to_owned))
    }
}
impl From<Option<String>> for Arg {
    fn from(text: Option<String>) -> Self {
        Arg::Text(text)
    }
}
impl From<&Option<String>> for Arg {
    fn from(text: &Option<String>) -> Self {
        Arg::Text(text.clone())
    }
}
impl From<i64> for Arg {
    fn from(n: i64) -> Self {
        Arg::Int(Some(n))
    }
}
impl From<u32> for Arg {
    fn from(n: u32) -> Self {
        Arg::Int(Some(n.into()))
    }
}
impl From<Option<i64>> for Arg {
    fn from(n: Option<i64>) -> Self {
        Arg::Int(n)
    }
}

/// A statement with what it is given.
#[must_use]
pub(super) struct Query {
    sql: Cow<'static, str>,
    args: Vec<Arg>,
}

/// A statement. Whatever comes from outside goes in by [`Query::bind`], never into `sql`.
pub(super) fn query(sql: impl Into<Cow<'static, str>>) -> Query {
    Query {
        sql: sql.into(),
        args: Vec::new(),
    }
}

macro_rules! given {
    ($query:expr) => {{
        // `query` says why this is safe: values are bound, never pasted in.
        let mut given = sqlx::query(AssertSqlSafe($query.sql.into_owned()));
        for arg in $query.args {
            given = match arg {
                // PostgreSQL's text holds no NUL.
                Arg::Text(text) => given.bind(text.map(|t| t.replace('\0', ""))),
                Arg::Int(n) => given.bind(n),
            };
        }
        given
    }};
}

impl Query {
    /// The next of `$1`, `$2`, ...
    pub(super) fn bind(mut self, arg: impl Into<Arg>) -> Self {
        self.args.push(arg.into());
        self
    }

    fn sqlite(self) -> sqlx::query::Query<'static, Sqlite, SqliteArguments> {
        given!(self)
    }

    fn postgres(self) -> sqlx::query::Query<'static, Postgres, PgArguments> {
        given!(self)
    }

    /// How many rows it changed.
    pub(super) async fn execute(self, pool: &Pool) -> Result<u64, StoreError> {
        match pool {
            Pool::Sqlite(pool) => Ok(self.sqlite().execute(pool).await?.rows_affected()),
            Pool::Postgres(pool, health) => {
                let done = health.watch(self.postgres().execute(pool)).await?;
                Ok(done.rows_affected())
            }
        }
    }

    pub(super) async fn execute_in(self, tx: &mut Tx) -> Result<u64, StoreError> {
        Ok(match tx {
            Tx::Sqlite(tx) => self.sqlite().execute(&mut **tx).await?.rows_affected(),
            Tx::Postgres(tx) => self.postgres().execute(&mut **tx).await?.rows_affected(),
        })
    }

    pub(super) async fn fetch_all(self, pool: &Pool) -> Result<Vec<Row>, StoreError> {
        match pool {
            Pool::Sqlite(pool) => {
                let rows = self.sqlite().fetch_all(pool).await?;
                Ok(rows.into_iter().map(Row::Sqlite).collect())
            }
            Pool::Postgres(pool, health) => {
                let rows = health.watch(self.postgres().fetch_all(pool)).await?;
                Ok(rows.into_iter().map(Row::Postgres).collect())
            }
        }
    }

    pub(super) async fn fetch_optional(self, pool: &Pool) -> Result<Option<Row>, StoreError> {
        match pool {
            Pool::Sqlite(pool) => {
                let row = self.sqlite().fetch_optional(pool).await?;
                Ok(row.map(Row::Sqlite))
            }
            Pool::Postgres(pool, health) => {
                let row = health.watch(self.postgres().fetch_optional(pool)).await?;
                Ok(row.map(Row::Postgres))
            }
        }
    }

    pub(super) async fn fetch_optional_in(self, tx: &mut Tx) -> Result<Option<Row>, StoreError> {
        Ok(match tx {
            Tx::Sqlite(tx) => {
                let row = self.sqlite().fetch_optional(&mut **tx).await?;
                row.map(Row::Sqlite)
            }
            Tx::Postgres(tx) => {
                let row = self.postgres().fetch_optional(&mut **tx).await?;
                row.map(Row::Postgres)
            }
        })
    }

    pub(super) async fn fetch_one(self, pool: &Pool) -> Result<Row, StoreError> {
        self.fetch_optional(pool)
            .await?
            .ok_or_else(|| StoreError::Other("the database gave no row where one had to be".into()))
    }
}

/// One row of an answer.
pub(super) enum Row {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

impl Row {
    /// The column at `place`: `String`, `i64`, or an `Option` of them.
    pub(super) fn get<T: Cell>(&self, place: usize) -> Result<T, StoreError> {
        Ok(match self {
            Row::Sqlite(row) => row.try_get(place)?,
            Row::Postgres(row) => row.try_get(place)?,
        })
    }
}

/// What a column can be read as.
pub(super) trait Cell:
    for<'r> sqlx::Decode<'r, Sqlite>
    + sqlx::Type<Sqlite>
    + for<'r> sqlx::Decode<'r, Postgres>
    + sqlx::Type<Postgres>
{
}
impl Cell for String {}
impl Cell for i64 {}
impl Cell for Option<String> {}
impl Cell for Option<i64> {}
