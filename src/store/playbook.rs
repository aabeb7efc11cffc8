//! What people make of the line's work: reviews of replies, grades of calls, how far each intent is trusted, and who changed what.

use super::db::{Row, query};
use super::{Store, StoreError, rfc3339};

pub(super) const TABLES: &[&str] = &[
    "create table reviews (
        id text primary key,
        call_id text not null,
        turn bigint not null,
        mode text not null,
        intent text not null,
        words text not null,
        draft text not null,
        human text not null,
        verdict text not null,
        said text not null,
        by_user text not null,
        created_ms bigint not null,
        decided_ms bigint
    )",
    "create index reviews_by_verdict on reviews (mode, verdict, created_ms)",
    "create table grades (
        call_id text not null,
        turn bigint not null,
        grade text not null,
        note text not null,
        by_user text not null,
        at_ms bigint not null,
        primary key (call_id, turn)
    )",
    "create index grades_by_time on grades (at_ms)",
    "create table samples (
        week text not null,
        call_id text not null,
        stratum text not null,
        primary key (week, call_id)
    )",
    "create table modes (
        intent text primary key,
        mode text not null,
        by_user text not null,
        at_ms bigint not null
    )",
    "create table acts (
        id text primary key,
        at_ms bigint not null,
        by_user text not null,
        act text not null,
        subject text not null,
        detail text not null
    )",
    "create index acts_by_time on acts (at_ms)",
];

/// A reply that a person looked at, or is to: before it was said (`supervised`), or beside what a colleague said (`shadow`).
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Review {
    pub id: String,
    pub call_id: String,
    pub turn: i64,
    /// `supervised` or `shadow`.
    pub mode: String,
    pub intent: String,
    /// The caller's.
    pub words: String,
    pub draft: String,
    /// What the colleague said instead, in shadow mode.
    pub human: String,
    /// `approved`, `edited`, `rejected`, `timeout`, `withdrawn`; empty while it waits.
    pub verdict: String,
    /// The reviewer's own wording, or why not.
    pub said: String,
    pub by: String,
    /// RFC 3339, UTC.
    pub created_at: String,
    pub decided_at: Option<String>,
}

/// What a person thinks of a call (`turn` -1) or of one reply.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Grade {
    pub call_id: String,
    pub turn: i64,
    /// `good`, `wrong` (something false was said or done) or `unhelpful`.
    pub grade: String,
    pub note: String,
    pub by: String,
    pub at: String,
}

/// How far an intent is trusted, where a person has set it otherwise than the desk's file.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct ModeSet {
    pub intent: String,
    pub mode: String,
    pub by: String,
    pub at: String,
}

const REVIEW: &str = "id, call_id, turn, mode, intent, words, draft, human, verdict, said, by_user, created_ms, decided_ms";

impl Store {
    /// Writes a review, over an earlier one of the same id.
    pub async fn put_review(&self, review: &Review) -> Result<(), StoreError> {
        let now = self.now_ms();
        query(
            "insert into reviews (id, call_id, turn, mode, intent, words, draft, human, verdict, said, by_user, created_ms, decided_ms)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
             on conflict (id) do update set verdict = excluded.verdict, said = excluded.said, by_user = excluded.by_user,
                decided_ms = excluded.decided_ms",
        )
        .bind(&review.id)
        .bind(&review.call_id)
        .bind(review.turn)
        .bind(&review.mode)
        .bind(&review.intent)
        .bind(self.sealed(review.words.clone()))
        .bind(self.sealed(review.draft.clone()))
        .bind(self.sealed(review.human.clone()))
        .bind(&review.verdict)
        .bind(self.sealed(review.said.clone()))
        .bind(&review.by)
        .bind(now)
        .bind((!review.verdict.is_empty()).then_some(now))
        .execute(&self.main)
        .await?;
        Ok(())
    }

    /// A person's word on a review that waits for one. False: it waits no longer, or is none.
    pub async fn decide_review(
        &self,
        id: &str,
        verdict: &str,
        said: &str,
        by: &str,
    ) -> Result<bool, StoreError> {
        let changed = query(
            "update reviews set verdict = $2, said = $3, by_user = $4, decided_ms = $5 where id = $1 and verdict = ''",
        )
        .bind(id)
        .bind(verdict)
        .bind(self.sealed(said.to_owned()))
        .bind(by)
        .bind(self.now_ms())
        .execute(&self.main)
        .await?;
        Ok(changed == 1)
    }

    /// Newest first. `open`: those that wait only.
    pub async fn reviews(
        &self,
        open: bool,
        since_ms: i64,
        limit: u32,
    ) -> Result<Vec<Review>, StoreError> {
        let rows = query(format!(
            "select {REVIEW} from reviews where created_ms >= $1 and (cast($2 as bigint) = 0 or verdict = '') order by created_ms desc, id desc limit $3"
        ))
        .bind(since_ms)
        .bind(i64::from(open))
        .bind(i64::from(limit))
        .fetch_all(&self.main)
        .await?;
        rows.iter().map(|row| self.review(row)).collect()
    }

    pub async fn put_grade(&self, grade: &Grade) -> Result<(), StoreError> {
        query(
            "insert into grades (call_id, turn, grade, note, by_user, at_ms) values ($1, $2, $3, $4, $5, $6)
             on conflict (call_id, turn) do update set grade = excluded.grade, note = excluded.note,
                by_user = excluded.by_user, at_ms = excluded.at_ms",
        )
        .bind(&grade.call_id)
        .bind(grade.turn)
        .bind(&grade.grade)
        .bind(&grade.note)
        .bind(&grade.by)
        .bind(self.now_ms())
        .execute(&self.main)
        .await?;
        Ok(())
    }

    /// Of all calls, or of one.
    pub async fn grades(&self, call_id: Option<&str>) -> Result<Vec<Grade>, StoreError> {
        let rows = query(
            "select call_id, turn, grade, note, by_user, at_ms from grades where cast($1 as text) = '' or call_id = cast($1 as text) order by at_ms desc, call_id, turn",
        )
        .bind(call_id.unwrap_or_default())
        .fetch_all(&self.main)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(Grade {
                    call_id: row.get(0)?,
                    turn: row.get(1)?,
                    grade: row.get(2)?,
                    note: row.get(3)?,
                    by: row.get(4)?,
                    at: rfc3339(row.get(5)?),
                })
            })
            .collect()
    }

    /// The week's sample as it was drawn: call and stratum. Empty: none was drawn.
    pub async fn sample(&self, week: &str) -> Result<Vec<(String, String)>, StoreError> {
        let rows =
            query("select call_id, stratum from samples where week = $1 order by stratum, call_id")
                .bind(week)
                .fetch_all(&self.main)
                .await?;
        rows.iter()
            .map(|row| Ok((row.get(0)?, row.get(1)?)))
            .collect()
    }

    /// Keeps a drawn sample; a call that is in it already stays as it is.
    pub async fn keep_sample(
        &self,
        week: &str,
        calls: &[(String, String)],
    ) -> Result<(), StoreError> {
        for (call, stratum) in calls {
            query(
                "insert into samples (week, call_id, stratum) values ($1, $2, $3) on conflict (week, call_id) do nothing",
            )
            .bind(week)
            .bind(call)
            .bind(stratum)
            .execute(&self.main)
            .await?;
        }
        Ok(())
    }

    pub async fn modes(&self) -> Result<Vec<ModeSet>, StoreError> {
        let rows = query("select intent, mode, by_user, at_ms from modes order by intent")
            .fetch_all(&self.main)
            .await?;
        rows.iter()
            .map(|row| {
                Ok(ModeSet {
                    intent: row.get(0)?,
                    mode: row.get(1)?,
                    by: row.get(2)?,
                    at: rfc3339(row.get(3)?),
                })
            })
            .collect()
    }

    /// None: as the desk's file says again.
    pub async fn set_mode(
        &self,
        intent: &str,
        mode: Option<&str>,
        by: &str,
    ) -> Result<(), StoreError> {
        match mode {
            None => {
                query("delete from modes where intent = $1")
                    .bind(intent)
                    .execute(&self.main)
                    .await?;
            }
            Some(mode) => {
                query(
                    "insert into modes (intent, mode, by_user, at_ms) values ($1, $2, $3, $4)
                     on conflict (intent) do update set mode = excluded.mode, by_user = excluded.by_user, at_ms = excluded.at_ms",
                )
                .bind(intent)
                .bind(mode)
                .bind(by)
                .bind(self.now_ms())
                .execute(&self.main)
                .await?;
            }
        }
        Ok(())
    }
}

impl Store {
    fn review(&self, row: &Row) -> Result<Review, StoreError> {
        let opened = |place| self.opened(row.get(place)?);
        Ok(Review {
            id: row.get(0)?,
            call_id: row.get(1)?,
            turn: row.get(2)?,
            mode: row.get(3)?,
            intent: row.get(4)?,
            words: opened(5)?,
            draft: opened(6)?,
            human: opened(7)?,
            verdict: row.get(8)?,
            said: opened(9)?,
            by: row.get(10)?,
            created_at: rfc3339(row.get(11)?),
            decided_at: row.get::<Option<i64>>(12)?.map(rfc3339),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Pass;

    async fn store() -> (std::path::PathBuf, Store) {
        let dir = std::env::temp_dir().join(format!("firstline-book-{}", uuid::Uuid::new_v4()));
        let store = Store::open(&format!("sqlite:{}/line.db", dir.display()))
            .await
            .expect("a store");
        (dir, store)
    }

    #[tokio::test]
    async fn reviews_are_decided_once_and_grades_may_be_mended() {
        let (dir, store) = store().await;
        let review = Review {
            id: "r1".into(),
            call_id: "c1".into(),
            mode: "shadow".into(),
            intent: "late_fee".into(),
            ..Review::default()
        };
        store.put_review(&review).await.unwrap();
        assert_eq!(store.reviews(true, 0, 10).await.unwrap().len(), 1);
        assert!(
            store
                .decide_review("r1", "approved", "", "ada")
                .await
                .unwrap()
        );
        assert!(
            !store
                .decide_review("r1", "rejected", "", "bob")
                .await
                .unwrap()
        );
        assert!(store.reviews(true, 0, 10).await.unwrap().is_empty());
        let kept = &store.reviews(false, 0, 10).await.unwrap()[0];
        assert_eq!(
            (kept.verdict.as_str(), kept.by.as_str()),
            ("approved", "ada")
        );
        let grade = |grade: &str| Grade {
            call_id: "c1".into(),
            turn: -1,
            grade: grade.into(),
            ..Grade::default()
        };
        store.put_grade(&grade("wrong")).await.unwrap();
        store.put_grade(&grade("good")).await.unwrap();
        assert_eq!(store.grades(Some("c1")).await.unwrap()[0].grade, "good");
        assert_eq!(store.grades(None).await.unwrap().len(), 1);
        let drawn = [("c1".to_owned(), "resolved".to_owned())];
        store.keep_sample("2026-W48", &drawn).await.unwrap();
        store.keep_sample("2026-W48", &drawn).await.unwrap();
        assert_eq!(store.sample("2026-W48").await.unwrap(), drawn);
        store
            .set_mode("late_fee", Some("human"), "ada")
            .await
            .unwrap();
        store
            .set_mode("late_fee", Some("shadow"), "ada")
            .await
            .unwrap();
        assert_eq!(store.modes().await.unwrap()[0].mode, "shadow");
        store.set_mode("late_fee", None, "ada").await.unwrap();
        assert!(store.modes().await.unwrap().is_empty());
        std::fs::remove_dir_all(dir).unwrap();
    }

    #[tokio::test]
    async fn a_session_is_its_users_and_ends_with_them() {
        let (dir, store) = store().await;
        assert!(!store.has_users().await.unwrap());
        store.put_user("ada", "agent", "hash").await.unwrap();
        let pass = |digest: &str, kind: &str| Pass {
            digest: digest.into(),
            kind: kind.into(),
            name: "ada".into(),
            role: "agent".into(),
            csrf: "secret".into(),
            created_at: String::new(),
        };
        store
            .add_pass(&pass("d1", "session"), 60_000)
            .await
            .unwrap();
        store.add_pass(&pass("d2", "session"), -1).await.unwrap();
        assert_eq!(store.pass("d1").await.unwrap().unwrap().role, "agent");
        assert_eq!(store.pass("d2").await.unwrap(), None, "over");
        assert_eq!(store.pass("d3").await.unwrap(), None, "never was");
        // Another role or password ends what was begun with the old one.
        store.put_user("ada", "admin", "hash").await.unwrap();
        assert_eq!(store.pass("d1").await.unwrap(), None);
        store
            .add_pass(&pass("d1", "session"), 60_000)
            .await
            .unwrap();
        assert_eq!(
            store.pass("d1").await.unwrap().unwrap().role,
            "admin",
            "as the user is now"
        );
        store.add_pass(&pass("t1", "token"), 60_000).await.unwrap();
        assert!(
            store.remove_user("ada").await.unwrap() && !store.remove_user("ada").await.unwrap()
        );
        assert_eq!(store.pass("d1").await.unwrap(), None);
        assert!(
            store.pass("t1").await.unwrap().is_some(),
            "a token is nobody's session"
        );
        assert_eq!(store.remove_token("ada").await.unwrap(), 1);
        assert_eq!(store.pass("t1").await.unwrap(), None);
        std::fs::remove_dir_all(dir).unwrap();
    }
}
