//! Who may use the console: users, their sessions, and tokens for programs.
//!
//! Of a session or a token only its SHA-256 is kept, so that a copy of the database lets nobody in; passwords come here as Argon2
//! strings. A session's role is its user's role now: who is removed or given another role is so at the next request.

use super::db::{Row, query};
use super::{Store, StoreError, rfc3339};

pub(super) const TABLES: &[&str] = &[
    "create table users (
        name text primary key,
        role text not null,
        password text not null,
        created_ms bigint not null
    )",
    "create table passes (
        digest text primary key,
        kind text not null,
        name text not null,
        role text not null,
        csrf text not null,
        created_ms bigint not null,
        expires_ms bigint not null
    )",
    "create index passes_by_name on passes (kind, name)",
];

/// Somebody who may log in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    pub name: String,
    /// `agent`, `reviewer` or `admin`.
    pub role: String,
    /// An Argon2 string (PHC format).
    pub password: String,
    /// RFC 3339, UTC.
    pub created_at: String,
}

/// What lets somebody, or a program, in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pass {
    /// SHA-256 of the secret, hexadecimal.
    pub digest: String,
    /// `session` or `token`.
    pub kind: String,
    /// The user, or the token's name.
    pub name: String,
    pub role: String,
    /// What requests that change something must carry beside a session's cookie; empty for tokens.
    pub csrf: String,
    pub created_at: String,
}

impl Store {
    /// Adds a user, or gives one another password and role; every session of theirs ends.
    pub async fn put_user(&self, name: &str, role: &str, password: &str) -> Result<(), StoreError> {
        query(
            "insert into users (name, role, password, created_ms) values ($1, $2, $3, $4)
             on conflict (name) do update set role = excluded.role, password = excluded.password",
        )
        .bind(name)
        .bind(role)
        .bind(password)
        .bind(self.now_ms())
        .execute(&self.main)
        .await?;
        self.end_sessions_of(name).await
    }

    /// False: there is no such user.
    pub async fn remove_user(&self, name: &str) -> Result<bool, StoreError> {
        let gone = query("delete from users where name = $1")
            .bind(name)
            .execute(&self.main)
            .await?;
        self.end_sessions_of(name).await?;
        Ok(gone == 1)
    }

    pub async fn user(&self, name: &str) -> Result<Option<User>, StoreError> {
        let row = query("select name, role, password, created_ms from users where name = $1")
            .bind(name)
            .fetch_optional(&self.main)
            .await?;
        row.map(|row| {
            Ok(User {
                name: row.get(0)?,
                role: row.get(1)?,
                password: row.get(2)?,
                created_at: rfc3339(row.get(3)?),
            })
        })
        .transpose()
    }

    /// Somebody may log in.
    pub async fn has_users(&self) -> Result<bool, StoreError> {
        let row = query("select name from users limit 1")
            .fetch_optional(&self.main)
            .await?;
        Ok(row.is_some())
    }

    /// By name.
    pub async fn users(&self) -> Result<Vec<User>, StoreError> {
        let rows = query("select name, role, password, created_ms from users order by name")
            .fetch_all(&self.main)
            .await?;
        rows.iter()
            .map(|row| {
                Ok(User {
                    name: row.get(0)?,
                    role: row.get(1)?,
                    password: row.get(2)?,
                    created_at: rfc3339(row.get(3)?),
                })
            })
            .collect()
    }

    /// A session of a user, or a token; `lasts_ms` from now.
    pub async fn add_pass(&self, pass: &Pass, lasts_ms: i64) -> Result<(), StoreError> {
        let now = self.now_ms();
        query("delete from passes where expires_ms < $1")
            .bind(now)
            .execute(&self.main)
            .await?;
        query(
            "insert into passes (digest, kind, name, role, csrf, created_ms, expires_ms)
             values ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(&pass.digest)
        .bind(&pass.kind)
        .bind(&pass.name)
        .bind(&pass.role)
        .bind(&pass.csrf)
        .bind(now)
        .bind(now.saturating_add(lasts_ms))
        .execute(&self.main)
        .await?;
        Ok(())
    }

    /// Whom this digest lets in now, with the role they have now.
    pub async fn pass(&self, digest: &str) -> Result<Option<Pass>, StoreError> {
        let row = query(
            "select p.digest, p.kind, p.name, coalesce(u.role, p.role), p.csrf, p.created_ms
             from passes p left join users u on u.name = p.name and p.kind = 'session'
             where p.digest = $1 and p.expires_ms > $2 and (p.kind = 'token' or u.name is not null)",
        )
        .bind(digest)
        .bind(self.now_ms())
        .fetch_optional(&self.main)
        .await?;
        row.as_ref().map(pass).transpose()
    }

    /// Tokens, by name.
    pub async fn tokens(&self) -> Result<Vec<Pass>, StoreError> {
        let rows = query(
            "select digest, kind, name, role, csrf, created_ms from passes where kind = 'token' and expires_ms > $1 order by name, digest",
        )
        .bind(self.now_ms())
        .fetch_all(&self.main)
        .await?;
        rows.iter().map(pass).collect()
    }

    /// Log-out.
    pub async fn end_pass(&self, digest: &str) -> Result<(), StoreError> {
        query("delete from passes where digest = $1")
            .bind(digest)
            .execute(&self.main)
            .await?;
        Ok(())
    }

    /// How many tokens of this name there were.
    pub async fn remove_token(&self, name: &str) -> Result<u64, StoreError> {
        query("delete from passes where kind = 'token' and name = $1")
            .bind(name)
            .execute(&self.main)
            .await
    }

    async fn end_sessions_of(&self, name: &str) -> Result<(), StoreError> {
        query("delete from passes where kind = 'session' and name = $1")
            .bind(name)
            .execute(&self.main)
            .await?;
        Ok(())
    }
}

fn pass(row: &Row) -> Result<Pass, StoreError> {
    Ok(Pass {
        digest: row.get(0)?,
        kind: row.get(1)?,
        name: row.get(2)?,
        role: row.get(3)?,
        csrf: row.get(4)?,
        created_at: rfc3339(row.get(5)?),
    })
}
