//! The tables, step by step. A step is never changed once released; a new one is added at the end.

use super::StoreError;
use super::db::{Pool, query};

/// Which of PostgreSQL's advisory locks keeps two nodes from making the tables at once: "firstlin" as a number.
const LOCK: i64 = 0x6669_7273_746c_696e;

/// Each step is a list of statements that run in one transaction.
const STEPS: &[&[&str]] = &[
    &[
        "create table calls (
        id text primary key,
        channel text not null,
        from_number text,
        to_number text,
        started_ms bigint not null,
        ended_ms bigint,
        outcome text,
        intent text,
        summary text not null,
        turns bigint not null,
        record text not null
    )",
        "create index calls_by_start on calls (started_ms)",
        "create index calls_by_caller on calls (from_number, started_ms)",
        "create table ledger (
        idempotency_key text primary key,
        call_id text not null,
        action text not null,
        request text not null,
        status text not null,
        result text,
        claimed_ms bigint not null,
        settled_ms bigint
    )",
        "create index ledger_by_status on ledger (status)",
        "create table callbacks (
        id text primary key,
        call_id text not null,
        phone_number text not null,
        said_when text,
        reason text not null,
        handoff text not null,
        status text not null,
        created_ms bigint not null,
        done_ms bigint
    )",
        "create index callbacks_by_status on callbacks (status, created_ms)",
        "create table packets (
        id text primary key,
        call_id text not null,
        url text not null,
        body text not null,
        status text not null,
        attempts bigint not null,
        next_ms bigint not null,
        last_error text,
        created_ms bigint not null
    )",
        "create index packets_by_due on packets (status, next_ms)",
    ],
    &[
        "alter table callbacks add column due_ms bigint not null default 0",
        "alter table callbacks add column attempts bigint not null default 0",
        "alter table callbacks add column tries bigint not null default 0",
        "alter table callbacks add column last_error text",
        "create table packet_refs (
        call_id text not null,
        url text not null,
        remote text not null,
        primary key (call_id, url)
    )",
        "create index packets_by_call on packets (call_id, url)",
    ],
    &[
        "alter table ledger add column node text not null default ''",
        "alter table ledger add column lease_ms bigint not null default 0",
        "alter table ledger add column effect text",
        "alter table ledger add column customer text",
        "alter table ledger add column caller text",
        "alter table ledger add column ask text",
        // Entries of before cannot be asked about, and nobody waits to hear of them.
        "alter table ledger add column told bigint not null default 0",
        "alter table ledger add column asked bigint not null default 0",
        "create index ledger_by_effect on ledger (effect, claimed_ms)",
        "create index ledger_by_customer on ledger (customer, action, claimed_ms)",
    ],
    super::people::TABLES,
    super::playbook::TABLES,
    &[
        "alter table callbacks add column node text",
        "alter table packets add column node text",
        "alter table packets add column lease_ms bigint not null default 0",
        "create table under_way (
        call_id text primary key,
        node text,
        record text not null
    )",
        "create table nodes (
        id text primary key,
        name text not null,
        host text not null,
        pid bigint not null,
        sip text not null,
        http text not null,
        capacity bigint not null,
        active bigint not null,
        draining bigint not null,
        started_ms bigint not null,
        seen_ms bigint not null
    )",
    ],
    super::streams::TABLES,
    super::acts::CHAIN,
];

/// Runs the steps this database has not seen. Safe to run from two processes at once: each step is one transaction that begins
/// by taking a lock.
pub(super) async fn bring_up_to_date(pool: &Pool) -> Result<(), StoreError> {
    let mut tx = pool.begin_alone(LOCK).await?;
    query("create table if not exists meta (name text primary key, value text not null)")
        .execute_in(&mut tx)
        .await?;
    tx.commit().await?;
    for (index, step) in STEPS.iter().enumerate() {
        let mut tx = pool.begin_alone(LOCK).await?;
        let seen: usize = query("select value from meta where name = 'schema'")
            .fetch_optional_in(&mut tx)
            .await?
            .and_then(|row| row.get::<String>(0).ok()?.parse().ok())
            .unwrap_or(0);
        if seen > STEPS.len() {
            return Err(StoreError::NotSupported(format!(
                "the database was written by a newer firstline (schema {seen}, this one knows {}); run that version, or name another one in storage.url",
                STEPS.len()
            )));
        }
        if seen > index {
            tx.rollback().await?;
            continue;
        }
        for statement in *step {
            query(*statement).execute_in(&mut tx).await?;
        }
        query("insert into meta (name, value) values ('schema', $1) on conflict (name) do update set value = excluded.value")
            .bind((index + 1).to_string())
            .execute_in(&mut tx)
            .await?;
        tx.commit().await?;
    }
    Ok(())
}
