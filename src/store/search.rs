//! Calls by what is in their records.

use std::time::{Duration, Instant};

use super::db::query;
use super::{CallSummary, Store, StoreError};

/// Encrypted records are decrypted and looked at one by one, in pages, for no longer than this.
const PATIENCE: Duration = Duration::from_secs(4);
const PAGE: i64 = 500;

/// What a search found.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize)]
pub struct Found {
    /// Newest first.
    pub calls: Vec<CallSummary>,
    /// Older calls are encrypted and were not looked at: there was no time for them. How many were.
    pub looked_at: Option<u64>,
}

impl Store {
    /// Calls whose words, numbers or matter hold every word of `text`.
    pub async fn search(&self, text: &str, outcome: &str, limit: u32) -> Result<Found, StoreError> {
        if self.seal.is_some() {
            return self.search_sealed(text, outcome, limit, PATIENCE).await;
        }
        let mut words: Vec<String> = text
            .split_whitespace()
            .take(4)
            .map(|word| format!("%{}%", escaped(&word.to_lowercase())))
            .collect();
        words.resize(4, "%".into());
        let rows = query(
            "select id, channel, from_number, to_number, started_ms, ended_ms, outcome, intent, summary, turns
             from calls where (cast($1 as text) = '' or outcome = cast($1 as text))
                and lower(record) like $2 escape '!' and lower(record) like $3 escape '!'
                and lower(record) like $4 escape '!' and lower(record) like $5 escape '!'
             order by started_ms desc, id desc limit $6",
        )
        .bind(outcome)
        .bind(&words[0])
        .bind(&words[1])
        .bind(&words[2])
        .bind(&words[3])
        .bind(i64::from(limit))
        .fetch_all(&self.main)
        .await?;
        let calls: Result<Vec<_>, _> = rows.iter().map(|row| self.summary(row)).collect();
        Ok(Found {
            calls: calls?,
            looked_at: None,
        })
    }

    /// The same where records are encrypted: page by page, newest first, as far as `patience` goes.
    #[expect(
        clippy::disallowed_methods,
        reason = "how long decrypting may take is a matter of time"
    )]
    async fn search_sealed(
        &self,
        text: &str,
        outcome: &str,
        limit: u32,
        patience: Duration,
    ) -> Result<Found, StoreError> {
        let words: Vec<String> = text
            .to_lowercase()
            .split_whitespace()
            .map(str::to_owned)
            .collect();
        let (begun, mut looked_at) = (Instant::now(), 0);
        let mut found = Found::default();
        let (mut before_ms, mut before_id) = (i64::MAX, String::new());
        loop {
            let rows = query(
                "select id, channel, from_number, to_number, started_ms, ended_ms, outcome, intent, summary, turns, record
                 from calls where (cast($1 as text) = '' or outcome = cast($1 as text))
                    and (started_ms < $2 or (started_ms = $2 and id < $3))
                 order by started_ms desc, id desc limit $4",
            )
            .bind(outcome)
            .bind(before_ms)
            .bind(&before_id)
            .bind(PAGE)
            .fetch_all(&self.main)
            .await?;
            for row in &rows {
                let record = self.opened(row.get(10)?)?.to_lowercase();
                if words.iter().all(|word| record.contains(word.as_str())) {
                    found.calls.push(self.summary(row)?);
                    if found.calls.len() >= limit as usize {
                        return Ok(found);
                    }
                }
            }
            looked_at += rows.len() as u64;
            let Some(last) = rows.last().filter(|_| rows.len() as i64 == PAGE) else {
                return Ok(found);
            };
            (before_id, before_ms) = (last.get(0)?, last.get(4)?);
            if begun.elapsed() >= patience {
                found.looked_at = Some(looked_at);
                return Ok(found);
            }
        }
    }
}

/// A word for `like ... escape '!'`. Records are JSON: what is escaped there is escaped here.
fn escaped(word: &str) -> String {
    let json = serde_json::Value::from(word).to_string();
    let inner = json.trim_matches('"');
    let mut out = String::new();
    for c in inner.chars() {
        if matches!(c, '%' | '_' | '!') {
            out.push('!');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::sync::Arc;

    use super::super::sealing::Backwards;
    use super::*;

    async fn store() -> (PathBuf, Store) {
        let dir = std::env::temp_dir().join(format!("firstline-search-{}", uuid::Uuid::new_v4()));
        let store = Store::open(&format!("sqlite:{}/l.db", dir.display()))
            .await
            .unwrap();
        (dir, store)
    }

    #[tokio::test]
    async fn encrypted_calls_are_found_however_old_or_it_is_said() {
        let (dir, store) = store().await;
        let store = store.with_seal(Arc::new(Backwards));
        for n in 0..1_200u32 {
            let record = crate::desk::CallRecord {
                id: format!("c{n:04}"),
                from: Some(if n == 3 { "+15550199" } else { "+15550100" }.into()),
                // Several begin in one second: pages must not lose any of them.
                started_at: format!("2026-11-23T10:{:02}:00Z", n / 100),
                ..crate::desk::CallRecord::default()
            };
            store.save_call(&record).await.unwrap();
        }
        let found = store.search("+15550199", "", 10).await.unwrap();
        assert_eq!(found.calls.len(), 1);
        assert_eq!(
            (found.calls[0].id.as_str(), found.looked_at),
            ("c0003", None)
        );
        let all = store.search("+1555", "", 5_000).await.unwrap();
        assert_eq!(all.calls.len(), 1_200);
        let hurried = store.search_sealed("+15550199", "", 10, Duration::ZERO);
        let hurried = hurried.await.unwrap();
        assert_eq!((hurried.calls.len(), hurried.looked_at), (0, Some(500)));
        std::fs::remove_dir_all(dir).unwrap();
    }

    #[tokio::test]
    async fn search_takes_words_as_words() {
        let (dir, store) = store().await;
        for (id, from, outcome) in [
            ("a", "+15550100", Some(crate::desk::CallOutcome::Resolved)),
            ("b_%", "+15550199", None),
        ] {
            let record = crate::desk::CallRecord {
                id: id.into(),
                from: Some(from.into()),
                started_at: "2026-11-23T10:00:00Z".into(),
                outcome,
                ..crate::desk::CallRecord::default()
            };
            store.save_call(&record).await.unwrap();
        }
        let found = async |text: &str, outcome: &str| -> Vec<String> {
            let found = store.search(text, outcome, 10).await.unwrap();
            found.calls.into_iter().map(|c| c.id).collect()
        };
        assert_eq!(found("", "").await.len(), 2);
        assert_eq!(found("0100", "").await, ["a"]);
        assert_eq!(
            found("b_%", "").await,
            ["b_%"],
            "no wildcards of the caller's"
        );
        assert_eq!(found("_%_%_%_%_%", "").await, Vec::<String>::new());
        assert_eq!(found("' or 1=1 --", "").await, Vec::<String>::new());
        assert_eq!(found("+1555", "resolved").await, ["a"]);
        std::fs::remove_dir_all(dir).unwrap();
    }
}
