//! What the database holds of a caller, and its deletion.

use super::db::{Pool, query};
use super::{Store, StoreError, from_json};
use crate::desk::CallRecord;

/// Everything of one caller, for handing over to them.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize)]
pub struct CallerData {
    pub calls: Vec<CallRecord>,
    pub callbacks: Vec<super::Callback>,
    /// Writes that were made for them: action, request, outcome.
    pub actions: Vec<serde_json::Value>,
}

impl Store {
    /// Ids of this number's calls, oldest first. `number`: as it stands in records (E.164 where it could be read).
    pub async fn calls_of(&self, number: &str) -> Result<Vec<String>, StoreError> {
        let rows = query(
            "select id from calls where from_number = $1 or (to_number = $1 and exists (select 1 from callbacks where phone_number = $1))
             union select call_id from callbacks where phone_number = $1 order by 1",
        )
        .bind(number)
        .fetch_all(&self.main)
        .await?;
        rows.iter().map(|row| row.get(0)).collect()
    }

    /// Ids of calls that ended before `before` (milliseconds), oldest first.
    pub async fn calls_ended_before(
        &self,
        before: i64,
        limit: u32,
    ) -> Result<Vec<String>, StoreError> {
        let rows = query(
            "select id from calls where ended_ms is not null and ended_ms < $1 order by ended_ms limit $2",
        )
        .bind(before)
        .bind(limit)
        .fetch_all(&self.main)
        .await?;
        rows.iter().map(|row| row.get(0)).collect()
    }

    /// Everything of one caller.
    pub async fn caller_data(&self, number: &str) -> Result<CallerData, StoreError> {
        let ids = self.calls_of(number).await?;
        let mut data = CallerData::default();
        for id in &ids {
            data.calls.extend(self.call(id).await?);
            let rows = query(
                "select action, request, status, coalesce(result, 'null'), claimed_ms from ledger where call_id = $1 order by claimed_ms",
            )
            .bind(id)
            .fetch_all(&self.main)
            .await?;
            for row in rows {
                let request: serde_json::Value =
                    from_json("a ledger entry", &row.get::<String>(1)?)?;
                let result: serde_json::Value =
                    from_json("a ledger entry", &row.get::<String>(3)?)?;
                data.actions.push(serde_json::json!({
                    "call_id": id, "action": row.get::<String>(0)?, "request": request,
                    "status": row.get::<String>(2)?, "result": result, "at": super::rfc3339(row.get(4)?),
                }));
            }
        }
        let all = self.callbacks(None).await?;
        data.callbacks = all
            .into_iter()
            .filter(|c| c.number == number || ids.contains(&c.call_id))
            .collect();
        Ok(data)
    }

    /// Deletes every row that belongs to this call, in whatever table, in one step. A write that was begun and never settled stays:
    /// somebody has to find out what became of it.
    pub async fn delete_call(&self, id: &str) -> Result<(), StoreError> {
        let tables = self.tables_of_calls().await?;
        let mut tx = self.ledger.begin().await?;
        query("delete from calls where id = $1")
            .bind(id)
            .execute_in(&mut tx)
            .await?;
        for table in tables {
            let settled = match table.as_str() {
                "ledger" => " and status not in ('open', 'unknown')",
                _ => "",
            };
            query(format!("delete from {table} where call_id = $1{settled}"))
                .bind(id)
                .execute_in(&mut tx)
                .await?;
        }
        tx.commit().await
    }

    /// Makes what was deleted unreadable on the disk, too, as far as the database can: SQLite overwrites deleted rows, and its log is
    /// emptied here.
    pub async fn settle_deletions(&self) -> Result<(), StoreError> {
        if let Pool::Sqlite(_) = self.main {
            query("pragma wal_checkpoint(truncate)")
                .fetch_all(&self.main)
                .await?;
        }
        Ok(())
    }

    /// Tables with a column `call_id`: whoever adds one need not think of deletion.
    async fn tables_of_calls(&self) -> Result<Vec<String>, StoreError> {
        let sql = match self.main {
            Pool::Sqlite(_) => {
                "select m.name from sqlite_master m join pragma_table_info(m.name) c on c.name = 'call_id' where m.type = 'table' order by 1"
            }
            Pool::Postgres(..) => {
                "select cast(table_name as text) from information_schema.columns where column_name = 'call_id' and table_schema = current_schema() order by 1"
            }
        };
        let rows = query(sql).fetch_all(&self.main).await?;
        let names: Vec<String> = rows
            .iter()
            .map(|row| row.get(0))
            .collect::<Result<_, _>>()?;
        // They go into a statement as they are.
        let plain = |n: &String| n.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        Ok(names.into_iter().filter(plain).collect())
    }
}
