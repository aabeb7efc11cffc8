//! What people did at the console and with `firstline user`: a chain, as a call's trail is one. Every act carries its number and a hash over
//! itself and the act before it, so that nothing can be changed, cut out of the middle, put in or reordered without it being seen. What is
//! cut off at the end is seen by whoever knows a later hash: each is in the log, too.

use sha2::{Digest, Sha256};

use super::db::{Row, query};
use super::{Store, StoreError, rfc3339};

/// Acts of before are not chained one by one; the chain begins with a hash over all of them.
pub(super) const CHAIN: &[&str] = &[
    "alter table acts add column n bigint",
    "alter table acts add column hash text",
    "create unique index acts_by_number on acts (n)",
];

/// One act after the other, whichever node writes it: "firstact" as a number.
const LOCK: i64 = 0x6669_7273_7461_6374;

const PURPOSE: &str = "firstline acts 1";

/// Something a person did at the console.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Act {
    pub at: String,
    pub by: String,
    pub act: String,
    pub subject: String,
    pub detail: String,
}

/// What a look at all acts found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ActsVerdict {
    pub acts: u64,
    /// The last hash; none where there is no act.
    pub head: Option<String>,
    /// What is wrong, a sentence each; none: whole and unaltered.
    pub wrong: Vec<String>,
}

/// An act as it lies in the database.
struct Line {
    id: String,
    at_ms: i64,
    by: String,
    act: String,
    subject: String,
    detail: String,
}

const LINE: &str = "id, at_ms, by_user, act, subject, detail";

impl Line {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.get(0)?,
            at_ms: row.get(1)?,
            by: row.get(2)?,
            act: row.get(3)?,
            subject: row.get(4)?,
            detail: row.get(5)?,
        })
    }

    /// SHA-256 over the hash before it, its number and its fields, as a JSON list: no two acts are written alike.
    fn hash(&self, before: &str, n: i64) -> String {
        let fields = serde_json::json!([
            before,
            n,
            self.id,
            self.at_ms,
            self.by,
            self.act,
            self.subject,
            self.detail
        ]);
        hex(&Sha256::digest(fields.to_string()))
    }
}

impl Store {
    /// A line of the audit trail of what people did. Never changed, never deleted by this program.
    pub async fn note_act(
        &self,
        by: &str,
        act: &str,
        subject: &str,
        detail: &str,
    ) -> Result<(), StoreError> {
        let chained = query("select n from acts where n is not null limit 1")
            .fetch_optional(&self.ledger)
            .await?;
        let beginning = match chained {
            Some(_) => String::new(),
            None => self.acts_beginning().await?,
        };
        let line = Line {
            id: uuid::Uuid::now_v7().to_string(),
            at_ms: self.now_ms(),
            by: by.into(),
            act: act.into(),
            subject: subject.into(),
            detail: detail.into(),
        };
        let mut tx = self.ledger.begin_alone(LOCK).await?;
        let last = query("select n, hash from acts where n is not null order by n desc limit 1")
            .fetch_optional_in(&mut tx)
            .await?;
        let (n, before) = match last {
            Some(row) => (row.get::<i64>(0)? + 1, row.get::<String>(1)?),
            None => (0, beginning),
        };
        let hash = line.hash(&before, n);
        query("insert into acts (id, at_ms, by_user, act, subject, detail, n, hash) values ($1, $2, $3, $4, $5, $6, $7, $8)")
            .bind(&line.id)
            .bind(line.at_ms)
            .bind(by)
            .bind(act)
            .bind(subject)
            .bind(detail)
            .bind(n)
            .bind(&hash)
            .execute_in(&mut tx)
            .await?;
        tx.commit().await?;
        tracing::info!(n, hash, "an act is in the audit trail");
        Ok(())
    }

    /// Newest first.
    pub async fn acts(&self, limit: u32) -> Result<Vec<Act>, StoreError> {
        let rows = query(format!(
            "select {LINE} from acts order by at_ms desc, id desc limit $1"
        ))
        .bind(i64::from(limit))
        .fetch_all(&self.main)
        .await?;
        rows.iter()
            .map(|row| {
                let line = Line::read(row)?;
                Ok(Act {
                    at: rfc3339(line.at_ms),
                    by: line.by,
                    act: line.act,
                    subject: line.subject,
                    detail: line.detail,
                })
            })
            .collect()
    }

    /// Looks at all acts. `head`: a hash that was kept elsewhere, and must be among them.
    pub async fn verify_acts(&self, head: Option<&str>) -> Result<ActsVerdict, StoreError> {
        let rows = query(format!(
            "select {LINE}, n, hash from acts where n is not null order by n"
        ))
        .fetch_all(&self.main)
        .await?;
        let mut verdict = ActsVerdict::default();
        let mut before = self.acts_beginning().await?;
        let mut known = head.is_none();
        let mut next = 0;
        for row in &rows {
            let line = Line::read(row)?;
            let (n, hash): (i64, String) = (row.get(6)?, row.get(7)?);
            let what = format!(
                "act {n} ({} by {}, {})",
                line.act,
                line.by,
                rfc3339(line.at_ms)
            );
            if n != next {
                verdict.wrong.push(format!(
                    "{what} stands where act {next} belongs: acts are missing"
                ));
            }
            next = n + 1;
            if line.hash(&before, n) != hash {
                verdict.wrong.push(match n {
                    0 => format!("{what} was changed, or what was done before acts were chained"),
                    _ => format!("{what} was changed, or the act before it was"),
                });
            }
            known |= head == Some(hash.as_str());
            // What follows is judged by what this one claims to be.
            before = hash;
        }
        verdict.acts = rows.len() as u64;
        verdict.head = (!rows.is_empty()).then_some(before);
        if !known {
            verdict.wrong.push(
                "the hash that was kept elsewhere is not among them: the end was cut off, or all of it was written anew".into(),
            );
        }
        Ok(verdict)
    }

    /// What the chain begins with: a hash over the acts of before it.
    async fn acts_beginning(&self) -> Result<String, StoreError> {
        let rows = query(format!(
            "select {LINE} from acts where n is null order by at_ms, id"
        ))
        .fetch_all(&self.ledger)
        .await?;
        let mut hash = hex(&Sha256::digest(PURPOSE));
        for row in &rows {
            hash = Line::read(row)?.hash(&hash, -1);
        }
        Ok(hash)
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn store() -> (std::path::PathBuf, Store) {
        let dir = std::env::temp_dir().join(format!("firstline-acts-{}", uuid::Uuid::new_v4()));
        let store = Store::open(&format!("sqlite:{}/l.db", dir.display()))
            .await
            .unwrap();
        (dir, store)
    }

    async fn change(store: &Store, sql: &'static str) {
        query(sql).execute(&store.main).await.unwrap();
    }

    #[tokio::test]
    async fn what_people_did_cannot_be_changed_without_it_being_seen() {
        let (dir, store) = store().await;
        assert_eq!(
            store.verify_acts(None).await.unwrap(),
            ActsVerdict::default()
        );
        // An act of before acts were chained.
        change(
            &store,
            "insert into acts (id, at_ms, by_user, act, subject, detail) values ('0', 1, 'old', 'user set', 'ada', '')",
        )
        .await;
        for n in 0..6 {
            let detail = format!("{{\"n\":{n}}}");
            store
                .note_act("ada", "mode set", "late_fee", &detail)
                .await
                .unwrap();
        }
        let whole = store.verify_acts(None).await.unwrap();
        assert_eq!((whole.acts, whole.wrong.len()), (6, 0), "{whole:?}");
        let head = whole.head.unwrap();
        assert!(
            store
                .verify_acts(Some(&head))
                .await
                .unwrap()
                .wrong
                .is_empty()
        );
        let log: Vec<_> = store.acts(10).await.unwrap();
        assert_eq!(
            (log.len(), log[0].by.as_str(), log[6].by.as_str()),
            (7, "ada", "old")
        );

        let wrong = async |sql: &'static str, back: &'static str| {
            change(&store, sql).await;
            let wrong = store.verify_acts(Some(&head)).await.unwrap().wrong;
            change(&store, back).await;
            assert!(
                store
                    .verify_acts(Some(&head))
                    .await
                    .unwrap()
                    .wrong
                    .is_empty(),
                "{back}"
            );
            wrong.join("; ")
        };
        let said = wrong(
            "update acts set by_user = 'bob' where n = 2",
            "update acts set by_user = 'ada' where n = 2",
        )
        .await;
        assert!(
            said.contains("act 2") && said.contains("was changed"),
            "{said}"
        );
        let said = wrong(
            "update acts set subject = 'x' where id = '0'",
            "update acts set subject = 'ada' where id = '0'",
        )
        .await;
        assert!(said.contains("before acts were chained"), "{said}");
        let said = wrong(
            "update acts set n = -3 where n = 3",
            "update acts set n = 3 where n = -3",
        )
        .await;
        assert!(!said.is_empty());
        change(&store, "delete from acts where n = 1").await;
        let said = store.verify_acts(None).await.unwrap().wrong.join("; ");
        assert!(said.contains("acts are missing"), "{said}");
        change(&store, "delete from acts where n > 0").await;
        assert!(
            store.verify_acts(None).await.unwrap().wrong.is_empty(),
            "nobody can know"
        );
        let said = store.verify_acts(Some(&head)).await.unwrap().wrong;
        assert!(said[0].contains("cut off"), "{said:?}");
        std::fs::remove_dir_all(dir).unwrap();
    }

    #[tokio::test]
    async fn acts_at_once_are_one_chain() {
        let (dir, store) = store().await;
        let one = async |n: usize| {
            store
                .note_act("ada", "listened in", &n.to_string(), "")
                .await
        };
        let all = futures_util::future::join_all((0..20).map(one)).await;
        assert!(all.into_iter().all(|done| done.is_ok()));
        let verdict = store.verify_acts(None).await.unwrap();
        assert_eq!((verdict.acts, verdict.wrong), (20, vec![]));
        std::fs::remove_dir_all(dir).unwrap();
    }
}
