//! The machines that share this database: who is alive, and what belongs to whom.
//!
//! A node says every few seconds that it is there. What a node had in hand (calls, writes, callbacks, packets) is anybody's once it has
//! not said so for [`LEASE_MS`], by the database's clock: nodes' own clocks may differ and jump.

use serde::Serialize;

use super::db::query;
use super::{Store, StoreError};

/// How long a node is held to be alive after it was last heard of.
pub const LEASE_MS: i64 = 10_000;

/// A node, as it makes itself known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Node {
    /// This run of this program: its own at every start.
    pub id: String,
    /// What people call the machine.
    pub name: String,
    /// The machine, for telling whether a process is still there.
    pub host: String,
    pub pid: i64,
    /// Where it takes calls and requests.
    pub sip: String,
    pub http: String,
    pub capacity: i64,
}

/// A node as the others see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NodeState {
    #[serde(flatten)]
    pub node: Node,
    pub active: i64,
    pub draining: bool,
    /// Milliseconds since it was last heard of.
    pub silent_ms: i64,
    pub alive: bool,
}

impl Store {
    /// This store acts for this node: what it claims is that node's.
    #[must_use]
    pub fn for_node(mut self, id: &str) -> Store {
        self.node = Some(id.into());
        self
    }

    pub(super) fn node(&self) -> Option<String> {
        self.node.as_deref().map(str::to_owned)
    }

    /// True of rows whose node (in `column`) is not alive. What no node's name stands at was left by a program without one. Who asks is
    /// alive: where the clock jumps on between two of its beats, its own calls are still its own.
    pub(super) fn orphaned(&self, column: &str) -> String {
        let own = self.node.as_deref().unwrap_or_default().replace('\'', "''");
        format!(
            "({column} is null or ({column} <> '{own}' and {column} not in (select id from nodes where seen_ms > {} - {LEASE_MS})))",
            self.main.now()
        )
    }

    /// Makes this node known, or says that it is still there.
    pub async fn beat(&self, node: &Node, active: i64, draining: bool) -> Result<(), StoreError> {
        let now = self.main.now();
        query(format!(
            "insert into nodes (id, name, host, pid, sip, http, capacity, active, draining, started_ms, seen_ms)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, {now}, {now})
             on conflict (id) do update set seen_ms = excluded.seen_ms, active = excluded.active, draining = excluded.draining,
                capacity = excluded.capacity, sip = excluded.sip, http = excluded.http"
        ))
        .bind(&node.id)
        .bind(&node.name)
        .bind(&node.host)
        .bind(node.pid)
        .bind(&node.sip)
        .bind(&node.http)
        .bind(node.capacity)
        .bind(active)
        .bind(i64::from(draining))
        .execute(&self.main)
        .await?;
        Ok(())
    }

    /// This node has ended: what it had in hand is free at once.
    pub async fn leave(&self, id: &str) -> Result<(), StoreError> {
        query("delete from nodes where id = $1")
            .bind(id)
            .execute(&self.main)
            .await?;
        Ok(())
    }

    /// Every node that was heard of, the newest first.
    pub async fn nodes(&self) -> Result<Vec<NodeState>, StoreError> {
        let rows = query(format!(
            "select id, name, host, pid, sip, http, capacity, active, draining, {} - seen_ms from nodes order by started_ms desc, id",
            self.main.now()
        ))
        .fetch_all(&self.main)
        .await?;
        rows.iter()
            .map(|row| {
                let silent_ms = row.get(9)?;
                Ok(NodeState {
                    node: Node {
                        id: row.get(0)?,
                        name: row.get(1)?,
                        host: row.get(2)?,
                        pid: row.get(3)?,
                        sip: row.get(4)?,
                        http: row.get(5)?,
                        capacity: row.get(6)?,
                    },
                    active: row.get(7)?,
                    draining: row.get::<i64>(8)? != 0,
                    silent_ms,
                    alive: silent_ms < LEASE_MS,
                })
            })
            .collect()
    }
}
