//! The store on a real file in a fresh directory, and the same on a real PostgreSQL.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::desk::{
    CallOutcome, CallRecord, CallbackRequest, CallerTurn, Decision, Handoff, Outcome, Route, Terms,
    TurnRecord,
};

#[path = "../../tests/support/ports.rs"]
#[allow(clippy::disallowed_methods, reason = "asks whether a port is free")]
mod ports;
use ports::free_port;
#[path = "../../tests/support/postgres.rs"]
#[allow(
    dead_code,
    clippy::disallowed_methods,
    reason = "a server for tests is started and waited for"
)]
pub mod postgres;

/// A fresh database; a file's folder goes when the test ends.
struct Db {
    url: String,
    dir: PathBuf,
}

impl Db {
    fn sqlite() -> Self {
        let dir = std::env::temp_dir().join(format!("firstline-store-{}", uuid::Uuid::new_v4()));
        Db {
            url: format!("sqlite:{}/deep/er/line.db", dir.display()),
            dir,
        }
    }

    /// On the server that all tests share. None: PostgreSQL is not installed.
    fn postgres() -> Option<Self> {
        // Never dropped: the server ends with this process by itself.
        static SERVER: std::sync::LazyLock<Option<postgres::Postgres>> =
            std::sync::LazyLock::new(postgres::Postgres::start);
        let server = SERVER.as_ref()?;
        let name = format!("t{}", uuid::Uuid::new_v4().simple());
        Some(Db {
            url: server.database(&name),
            dir: std::env::temp_dir().join(format!("firstline-store-{name}")),
        })
    }

    async fn open(&self) -> Store {
        Store::open(&self.url).await.unwrap()
    }
}

impl Drop for Db {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

/// Each of these on both databases.
macro_rules! on_both {
    ($($name:ident),* $(,)?) => {
        mod on_sqlite { $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() { super::$name(&super::Db::sqlite()).await }
        )* }
        mod on_postgres { $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                if let Some(db) = super::Db::postgres() {
                    super::$name(&db).await;
                }
            }
        )* }
    };
}

on_both! {
    a_record_comes_back_whole_and_in_short,
    a_claim_holds_until_settled_and_over_a_restart,
    one_key_claimed_by_many_at_once_is_new_for_one,
    callbacks_wait_until_done,
    packets_come_due_again_and_outlive_a_restart,
    a_callback_is_claimed_once_tried_again_and_given_up_and_survives_a_restart,
    packets_of_one_call_go_out_in_order,
    what_a_node_had_in_hand_is_anothers_when_it_is_gone,
    one_callback_claimed_by_many_at_once_is_called_by_one,
    what_the_database_does_not_take_waits_in_order,
    what_the_disk_does_not_take_either_is_held,
    a_node_does_not_take_itself_for_dead,
    a_call_that_has_ended_stays_ended,
    text_of_any_kind_comes_back,
    everything_of_a_caller_can_be_given_and_deleted,
    acts_of_many_at_once_are_one_chain,
    calls_are_found_by_what_is_in_them_encrypted_or_not,
}

fn record(id: &str, from: &str, started: &str) -> CallRecord {
    CallRecord {
        id: id.into(),
        channel: "sip".into(),
        from: Some(from.into()),
        started_at: started.into(),
        ended_at: Some(started.into()),
        outcome: Some(CallOutcome::Resolved),
        turns: vec![TurnRecord {
            caller: Some(CallerTurn {
                text: "when is my payment due".into(),
                ..CallerTurn::default()
            }),
            decision: Some(Decision {
                id: "1".into(),
                route: Route::Answer,
                intent: Some("payment_due".into()),
                in_scope: 0.9,
                confidence: 0.8,
                sources: vec![],
                action: None,
                reply: "On Friday.".into(),
                reason: String::new(),
                pending: None,
                model: None,
            }),
            ..TurnRecord::default()
        }],
        ..CallRecord::default()
    }
}

async fn a_record_comes_back_whole_and_in_short(db: &Db) {
    let store = db.open().await;
    let a = record("a", "+15550100", "2026-11-23T10:00:00Z");
    let b = record("b", "+15550100", "2026-11-23T10:00:00.5Z");
    let other = record("c", "+15550199", "2026-11-22T10:00:00Z");
    for r in [&a, &b, &other] {
        store.save_call(r).await.unwrap();
    }
    assert_eq!(store.call("a").await.unwrap(), Some(a.clone()));
    assert_eq!(store.call("nobody").await.unwrap(), None);
    let ids: Vec<_> = store
        .calls(2, None)
        .await
        .unwrap()
        .into_iter()
        .map(|c| c.id)
        .collect();
    assert_eq!(
        ids,
        ["b", "a"],
        "newest first, by time and not by the text of the time"
    );
    let since = "2026-11-23T00:00:00Z".parse().unwrap();
    assert_eq!(store.calls(10, Some(since)).await.unwrap().len(), 2);
    assert_eq!(store.records(Some(since)).await.unwrap(), [a.clone(), b]);

    let history = store.history("+15550100", 5).await.unwrap();
    assert_eq!(history.len(), 2);
    assert_eq!(history[0].id, "b");
    assert_eq!(history[1].intent.as_deref(), Some("payment_due"));
    assert_eq!(history[1].outcome, "resolved");
    assert!(history[1].summary.contains("payment due"));

    let mut going = record("d", "+15550100", "2026-11-23T11:00:00Z");
    going.ended_at = None;
    for _ in 0..2 {
        store.save_call(&going).await.unwrap();
    }
    assert_eq!(
        store.history("+15550100", 5).await.unwrap().len(),
        2,
        "a call that goes on is no history"
    );
    assert_eq!(
        store.calls(10, None).await.unwrap().len(),
        4,
        "saved over, not beside"
    );
}

fn intent<'a>(key: &'a str, call_id: &'a str, action: &'a str, request: &'a Value) -> Intent<'a> {
    static TERMS: std::sync::LazyLock<Terms> = std::sync::LazyLock::new(Terms::default);
    Intent {
        key,
        call_id,
        action,
        request,
        node: "here",
        lease: Duration::from_secs(10),
        terms: &TERMS,
        effect: None,
    }
}

async fn a_claim_holds_until_settled_and_over_a_restart(db: &Db) {
    let request = json!({ "method": "POST", "path": "/x", "body": { "n": 1 } });
    {
        let store = db.open().await;
        assert_eq!(
            store
                .claim(&intent("k", "call", "pay", &request))
                .await
                .unwrap(),
            Claim::New
        );
        store.close().await;
    }
    let store = db.open().await;
    let open = store.open_claims().await.unwrap();
    assert_eq!(
        (open.len(), open[0].key.as_str(), open[0].action.as_str()),
        (1, "k", "pay")
    );
    let again = store
        .claim(&intent("k", "call", "pay", &request))
        .await
        .unwrap();
    assert_eq!(
        again,
        Claim::Exists {
            request: request.clone(),
            outcome: None
        }
    );

    let done = Outcome::Done(json!({ "id": 7 }));
    store.settle("k", &done).await.unwrap();
    store
        .settle("k", &Outcome::Failed("late".into()))
        .await
        .unwrap();
    let again = store
        .claim(&intent("k", "call", "pay", &request))
        .await
        .unwrap();
    assert_eq!(
        again,
        Claim::Exists {
            request: request.clone(),
            outcome: Some(done)
        },
        "the first outcome stands"
    );
    assert!(store.open_claims().await.unwrap().is_empty());

    // Nothing was done: the same write may be tried again; another request under its key may not.
    assert_eq!(
        store
            .claim(&intent("f", "call", "pay", &request))
            .await
            .unwrap(),
        Claim::New
    );
    store
        .settle("f", &Outcome::Failed("refused".into()))
        .await
        .unwrap();
    assert!(matches!(
        store
            .claim(&intent("f", "call", "pay", &json!({})))
            .await
            .unwrap(),
        Claim::Exists { .. }
    ));
    assert_eq!(
        store
            .claim(&intent("f", "call", "pay", &request))
            .await
            .unwrap(),
        Claim::New
    );
}

async fn one_key_claimed_by_many_at_once_is_new_for_one(db: &Db) {
    let store = db.open().await;
    let second = db.open().await;
    let mut tasks = Vec::new();
    for n in 0..20 {
        let store = if n % 2 == 0 {
            store.clone()
        } else {
            second.clone()
        };
        tasks.push(tokio::spawn(async move {
            store
                .claim(&intent("k", "c", "a", &json!({})))
                .await
                .unwrap()
                == Claim::New
        }));
    }
    let mut new = 0;
    for task in tasks {
        new += u32::from(task.await.unwrap());
    }
    assert_eq!(new, 1);
}

async fn callbacks_wait_until_done(db: &Db) {
    let store = db.open().await;
    let wanted = CallbackRequest {
        number: "+15550100".into(),
        when: Some("tomorrow morning".into()),
        reason: "dispute".into(),
        handoff: Handoff {
            summary: "A charge they do not know.".into(),
            ..Handoff::default()
        },
    };
    let id = store.add_callback("call", &wanted).await.unwrap();
    let open = store.callbacks(Some(CallbackStatus::Open)).await.unwrap();
    assert_eq!(open.len(), 1);
    assert_eq!(
        (open[0].number.as_str(), open[0].handoff.clone()),
        ("+15550100", wanted.handoff)
    );
    assert!(store.callback_done(&id).await.unwrap());
    assert!(
        store.callback_done(&id).await.unwrap(),
        "twice is as good as once"
    );
    assert!(!store.callback_done("nobody").await.unwrap());
    assert!(
        store
            .callbacks(Some(CallbackStatus::Open))
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(
        store.callbacks(None).await.unwrap()[0].status,
        CallbackStatus::Done
    );
}

async fn packets_come_due_again_and_outlive_a_restart(db: &Db) {
    fn at_ten() -> jiff::Timestamp {
        "2026-11-23T10:00:00Z".parse().unwrap()
    }
    fn at_eleven() -> jiff::Timestamp {
        "2026-11-23T11:00:00Z".parse().unwrap()
    }
    let store = db.open().await.with_clock(at_ten);
    let id = store
        .queue_packet("call", "http://h/x", &json!({ "reason": "asked" }))
        .await
        .unwrap();
    let due = store.due_packets(10).await.unwrap();
    assert_eq!(
        (due.len(), due[0].attempts, due[0].body.as_str()),
        (1, 0, r#"{"reason":"asked"}"#)
    );
    store
        .packet_failed(
            &id,
            "refused",
            Some("2026-11-23T10:30:00Z".parse().unwrap()),
        )
        .await
        .unwrap();
    assert!(store.due_packets(10).await.unwrap().is_empty());
    store.close().await;

    let store = db.open().await.with_clock(at_eleven);
    assert_eq!(store.due_packets(10).await.unwrap()[0].attempts, 1);
    store.packet_sent(&id).await.unwrap();
    assert!(store.due_packets(10).await.unwrap().is_empty());
    let dead = store
        .queue_packet("call", "http://h/x", &json!({}))
        .await
        .unwrap();
    store.packet_failed(&dead, "refused", None).await.unwrap();
    assert_eq!(store.packet_counts().await.unwrap(), (0, 1));
}

#[tokio::test]
async fn what_cannot_be_opened_is_said() {
    let dir = Db::sqlite();
    std::fs::create_dir_all(&dir.dir).unwrap();
    let file = dir.dir.join("plain");
    std::fs::write(
        &file,
        "this is no database, and long enough to be looked at as one: ".repeat(40),
    )
    .unwrap();
    let damaged = Store::open(&format!("sqlite:{}", file.display()))
        .await
        .unwrap_err();
    assert!(matches!(damaged, StoreError::Damaged(_)), "{damaged:?}");
    let under_a_file = Store::open(&format!("sqlite:{}/x.db", file.display()))
        .await
        .unwrap_err();
    assert!(
        matches!(under_a_file, StoreError::Open(_)),
        "{under_a_file:?}"
    );
    assert!(matches!(
        Store::open("mysql://h/db").await.unwrap_err(),
        StoreError::NotSupported(_)
    ));
}

#[tokio::test]
async fn the_file_is_its_owners_and_writable() {
    use std::os::unix::fs::PermissionsExt;
    let dir = Db::sqlite();
    let store = Store::open(&dir.url).await.unwrap();
    store.writable().await.unwrap();
    let mode = std::fs::metadata(dir.dir.join("deep/er/line.db"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
}

async fn a_callback_is_claimed_once_tried_again_and_given_up_and_survives_a_restart(db: &Db) {
    let store = db.open().await;
    let wanted = CallbackRequest {
        number: "+15550100".into(),
        ..CallbackRequest::default()
    };
    let later = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(1);
    store
        .add_callback_at("later", &wanted, later)
        .await
        .unwrap();
    let id = store.add_callback("now", &wanted).await.unwrap();
    let claimed = store.claim_callback().await.unwrap().unwrap();
    assert_eq!((claimed.id.as_str(), claimed.tries), (id.as_str(), 1));
    assert_eq!(claimed.status, CallbackStatus::Calling);
    assert!(
        store.claim_callback().await.unwrap().is_none(),
        "one is being called, one is not due"
    );
    store.close().await;
    let store = db.open().await;
    assert_eq!(store.reopen_callbacks().await.unwrap(), 1);
    let again = store.claim_callback().await.unwrap().unwrap();
    assert_eq!((again.tries, again.attempts), (2, 0));
    let past = jiff::Timestamp::now() - jiff::SignedDuration::from_secs(1);
    store
        .callback_failed(&id, "busy", true, Some(past))
        .await
        .unwrap();
    let third = store.claim_callback().await.unwrap().unwrap();
    assert_eq!(
        (third.attempts, third.last_error.as_deref()),
        (1, Some("busy"))
    );
    store
        .callback_failed(&id, "no answer", true, None)
        .await
        .unwrap();
    assert!(store.claim_callback().await.unwrap().is_none());
    let all = store.callbacks(None).await.unwrap();
    let given_up = all.iter().find(|c| c.id == id).unwrap();
    assert_eq!(given_up.status, CallbackStatus::GivenUp);
    assert_eq!(
        (given_up.attempts, given_up.last_error.as_deref()),
        (2, Some("no answer"))
    );
}

async fn packets_of_one_call_go_out_in_order(db: &Db) {
    let store = db.open().await;
    let body = serde_json::json!({});
    let first = store.queue_packet("a", "http://h/", &body).await.unwrap();
    let second = store.queue_packet("a", "http://h/", &body).await.unwrap();
    store.queue_packet("b", "http://h/", &body).await.unwrap();
    let calls = |packets: &[Packet]| {
        packets
            .iter()
            .map(|p| p.call_id.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(calls(&store.due_packets(9).await.unwrap()), ["a", "b"]);
    store.set_packet_ref("a", "http://h/", "77").await.unwrap();
    store.packet_sent(&first).await.unwrap();
    let due = store.due_packets(9).await.unwrap();
    assert!(due.iter().any(|p| p.id == second));
    assert_eq!(
        store.packet_ref("a", "http://h/").await.unwrap().as_deref(),
        Some("77")
    );
    assert_eq!(store.packet_ref("b", "http://h/").await.unwrap(), None);
}

fn node(id: &str) -> Node {
    Node {
        id: id.into(),
        name: id.into(),
        host: "h".into(),
        pid: 1,
        sip: String::new(),
        http: String::new(),
        capacity: 8,
    }
}

/// The clock jumps on by an hour between two beats, or the node is slow: its calls stay its own.
async fn a_node_does_not_take_itself_for_dead(db: &Db) {
    let store = db.open().await.for_node("o'one");
    let mut up = record("up", "+15550100", "2026-11-23T10:00:00Z");
    up.ended_at = None;
    store.beat(&node("o'one"), 1, false).await.unwrap();
    store.call_is_up(&up).await.unwrap();
    query("update nodes set seen_ms = seen_ms - 3600000")
        .execute(&store.main)
        .await
        .unwrap();
    assert!(store.adopt_calls().await.unwrap().is_empty());
    let other = db.open().await.for_node("two");
    assert_eq!(other.adopt_calls().await.unwrap().len(), 1, "but others do");
}

async fn what_a_node_had_in_hand_is_anothers_when_it_is_gone(db: &Db) {
    let a = db.open().await.for_node("a");
    let b = db.open().await.for_node("b");
    a.beat(&node("a"), 1, false).await.unwrap();
    b.beat(&node("b"), 0, true).await.unwrap();
    let known = b.nodes().await.unwrap();
    assert_eq!(known.len(), 2);
    assert!(known.iter().all(|n| n.alive));
    assert!(known.iter().any(|n| n.node.id == "b" && n.draining));

    let wanted = CallbackRequest {
        number: "+15550100".into(),
        ..CallbackRequest::default()
    };
    a.add_callback("call", &wanted).await.unwrap();
    assert!(a.claim_callback().await.unwrap().is_some());
    a.queue_packet("call", "http://h/", &json!({}))
        .await
        .unwrap();
    assert_eq!(a.due_packets(9).await.unwrap().len(), 1);
    let mut up = record("call", "+15550100", "2026-11-23T10:00:00Z");
    up.ended_at = None;
    up.outcome = None;
    a.call_is_up(&up).await.unwrap();

    assert_eq!(b.reopen_callbacks().await.unwrap(), 0);
    assert!(b.due_packets(9).await.unwrap().is_empty());
    assert!(b.adopt_calls().await.unwrap().is_empty());
    assert!(b.is_up_elsewhere("call").await.unwrap());
    assert!(!a.is_up_elsewhere("call").await.unwrap());

    a.leave("a").await.unwrap();
    assert_eq!(b.reopen_callbacks().await.unwrap(), 1);
    assert!(b.claim_callback().await.unwrap().is_some());
    assert_eq!(b.due_packets(9).await.unwrap().len(), 1);
    assert!(!b.is_up_elsewhere("call").await.unwrap());
    assert_eq!(b.adopt_calls().await.unwrap(), [up.clone()]);
    assert!(b.adopt_calls().await.unwrap().is_empty(), "given out once");
    up.ended_at = Some(up.started_at.clone());
    b.save_call(&up).await.unwrap();
    b.leave("b").await.unwrap();
    assert!(b.adopt_calls().await.unwrap().is_empty(), "it is over");
}

async fn one_callback_claimed_by_many_at_once_is_called_by_one(db: &Db) {
    let stores = [db.open().await.for_node("a"), db.open().await.for_node("b")];
    let wanted = CallbackRequest {
        number: "+15550100".into(),
        ..CallbackRequest::default()
    };
    for _ in 0..5 {
        stores[0].add_callback("call", &wanted).await.unwrap();
    }
    let mut tasks = Vec::new();
    for n in 0..20 {
        let store = stores[n % 2].clone();
        tasks.push(tokio::spawn(async move {
            store.claim_callback().await.unwrap()
        }));
    }
    let mut ids = Vec::new();
    for task in tasks {
        ids.extend(task.await.unwrap().map(|c| c.id));
    }
    let claimed = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), claimed, "one was given out twice");
    assert!(claimed >= 1);
}

async fn what_the_database_does_not_take_waits_in_order(db: &Db) {
    let store = db.open().await.with_spool(&db.dir.join("owed"));
    assert_eq!(store.catch_up().await.unwrap(), 0);
    // What an earlier run left: a record, then the same record ended.
    let mut going = record("a", "+15550100", "2026-11-23T10:00:00Z");
    going.ended_at = None;
    let ended = record("a", "+15550100", "2026-11-23T10:00:00Z");
    let spool = store.spool.as_ref().unwrap();
    spool.leave(&spool::Owed::Call {
        record: Box::new(going),
    });
    assert_eq!(store.owed(), 1);
    store.save_call(&ended).await.unwrap();
    assert_eq!(store.owed(), 2, "what is newer waits behind what is older");
    assert_eq!(store.call("a").await.unwrap(), None);
    let again = db.open().await.with_spool(&db.dir.join("owed"));
    assert_eq!(again.owed(), 2);
    assert_eq!(again.catch_up().await.unwrap(), 2);
    assert_eq!(again.owed(), 0);
    assert_eq!(again.call("a").await.unwrap(), Some(ended));
}

/// Neither the database nor the disk takes anything: what is owed is held until one of them does.
async fn what_the_disk_does_not_take_either_is_held(db: &Db) {
    std::fs::create_dir_all(&db.dir).unwrap();
    let owed = db.dir.join("owed");
    let store = db.open().await.with_spool(&owed);
    let spool = store.spool.as_ref().unwrap();
    let mut going = record("a", "+15550100", "2026-11-23T10:00:00Z");
    going.ended_at = None;
    spool.leave(&spool::Owed::Call {
        record: Box::new(going.clone()),
    });
    // A file where the folder should be stands for a disk that is full.
    std::fs::rename(&owed, db.dir.join("aside")).unwrap();
    std::fs::write(&owed, "in the way").unwrap();
    let ended = record("a", "+15550100", "2026-11-23T10:00:00Z");
    store.save_call(&ended).await.unwrap();
    let wanted = CallbackRequest {
        number: "+15550100".into(),
        ..CallbackRequest::default()
    };
    store.add_callback("a", &wanted).await.unwrap();
    assert_eq!((store.owed(), store.held()), (3, 2));
    // The disk has room again: into files, behind what was there.
    std::fs::remove_file(&owed).unwrap();
    std::fs::rename(db.dir.join("aside"), &owed).unwrap();
    store
        .queue_packet("a", "http://h/", &json!({ "n": 1 }))
        .await
        .unwrap();
    assert_eq!((store.owed(), store.held()), (4, 0));
    assert_eq!(db.open().await.with_spool(&owed).owed(), 4);
    // Full again, and then the database is back before the disk is.
    std::fs::rename(&owed, db.dir.join("aside")).unwrap();
    std::fs::write(&owed, "in the way").unwrap();
    store
        .queue_packet("a", "http://h/", &json!({ "n": 2 }))
        .await
        .unwrap();
    assert_eq!(store.held(), 1);
    assert_eq!(store.catch_up().await.unwrap(), 1);
    assert_eq!(store.due_packets(9).await.unwrap().len(), 1);
    std::fs::remove_file(&owed).unwrap();
    std::fs::rename(db.dir.join("aside"), &owed).unwrap();
    let again = db.open().await.with_spool(&owed);
    assert_eq!(again.catch_up().await.unwrap(), 4);
    assert_eq!(again.call("a").await.unwrap(), Some(ended));
    let open = again.callbacks(Some(CallbackStatus::Open)).await.unwrap();
    assert_eq!(open.len(), 1);
    assert_eq!(again.packet_counts().await.unwrap(), (2, 0));
}

/// A hand-over is stored beside the call's end, and may come second.
async fn a_call_that_has_ended_stays_ended(db: &Db) {
    let store = db.open().await;
    let ended = record("a", "+15550100", "2026-11-23T10:00:00Z");
    let mut going = ended.clone();
    going.ended_at = None;
    store.save_call(&going).await.unwrap();
    store.save_call(&ended).await.unwrap();
    store.save_call(&going).await.unwrap();
    assert_eq!(store.call("a").await.unwrap(), Some(ended.clone()));
    let mut more = ended;
    more.outcome = Some(CallOutcome::Callback);
    store.save_call(&more).await.unwrap();
    assert_eq!(store.call("a").await.unwrap(), Some(more));
}

async fn text_of_any_kind_comes_back(db: &Db) {
    let store = db.open().await;
    let mut odd = record("o", "'; drop table calls; --", "2026-11-23T10:00:00Z");
    odd.turns[0].caller.as_mut().unwrap().text = "na\u{ef}ve \"$1\" \u{1f600} \u{0}".into();
    store.save_call(&odd).await.unwrap();
    assert_eq!(store.call("o").await.unwrap(), Some(odd));
}

/// The issue's minute, shorter: the server is killed in the middle of a call and comes back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_owed_is_lost_while_the_server_is_gone() {
    let Some(server) = postgres::Postgres::start() else {
        return;
    };
    let url = server.database("line");
    let dir = Db::sqlite().dir.clone();
    let store = Store::open(&url)
        .await
        .unwrap()
        .for_node("a")
        .with_spool(&dir.join("owed"));
    let request = json!({ "method": "POST", "path": "/x", "body": null });
    assert_eq!(
        store
            .claim(&intent("sent", "c", "pay", &request))
            .await
            .unwrap(),
        Claim::New
    );
    server.down();

    let began = std::time::Instant::now();
    let refused = store.claim(&intent("not sent", "c", "pay", &request)).await;
    assert!(matches!(refused, Err(StoreError::Gone(_))), "{refused:?}");
    assert!(!store.is_up());
    store
        .settle("sent", &Outcome::Done(json!({ "id": 7 })))
        .await
        .unwrap();
    let wanted = CallbackRequest {
        number: "+15550100".into(),
        ..CallbackRequest::default()
    };
    store.add_callback("c", &wanted).await.unwrap();
    store
        .queue_packet("c", "http://h/", &json!({ "n": 1 }))
        .await
        .unwrap();
    let done = record("c", "+15550100", "2026-11-23T10:00:00Z");
    store.save_call(&done).await.unwrap();
    assert!(store.history("+15550100", 5).await.is_err());
    assert!(
        began.elapsed() < std::time::Duration::from_secs(8),
        "only the first one waits for the server: {:?}",
        began.elapsed()
    );
    assert_eq!(store.owed(), 5);
    assert!(store.catch_up().await.is_err());

    server.up();
    assert_eq!(store.catch_up().await.unwrap(), 5);
    assert!(store.is_up());
    assert_eq!(store.owed(), 0);
    let again = store
        .claim(&intent("sent", "c", "pay", &request))
        .await
        .unwrap();
    assert_eq!(
        again,
        Claim::Exists {
            request: request.clone(),
            outcome: Some(Outcome::Done(json!({ "id": 7 })))
        }
    );
    assert_eq!(
        store
            .claim(&intent("not sent", "c", "pay", &request))
            .await
            .unwrap(),
        Claim::New,
        "what was never sent may be sent now"
    );
    assert_eq!(store.call("c").await.unwrap(), Some(done));
    let open = store.callbacks(Some(CallbackStatus::Open)).await.unwrap();
    assert_eq!(open.len(), 1);
    assert_eq!(store.due_packets(9).await.unwrap().len(), 1);
    let _ = std::fs::remove_dir_all(&dir);
}

async fn acts_of_many_at_once_are_one_chain(db: &Db) {
    let (one, other) = (db.open().await, db.open().await);
    let note = async |n: usize| {
        let store = if n.is_multiple_of(2) { &one } else { &other };
        store
            .note_act("ada", "listened in", &n.to_string(), "")
            .await
    };
    let all = futures_util::future::join_all((0..16).map(note)).await;
    assert!(all.iter().all(Result::is_ok), "{all:?}");
    let verdict = one.verify_acts(None).await.unwrap();
    assert_eq!((verdict.acts, verdict.wrong), (16, vec![]));
    let head = verdict.head.unwrap();
    let verdict = other.verify_acts(Some(&head)).await.unwrap();
    assert_eq!(verdict.wrong, Vec::<String>::new());
    assert_eq!(one.acts(5).await.unwrap().len(), 5);
}

async fn calls_are_found_by_what_is_in_them_encrypted_or_not(db: &Db) {
    for sealed in [false, true] {
        let mut store = db.open().await;
        if sealed {
            store = store.with_seal(std::sync::Arc::new(sealing::Backwards));
        }
        let id = format!("call-{sealed}");
        let call = record(&id, "+15550100", "2026-11-23T10:00:00Z");
        store.save_call(&call).await.unwrap();
        let found = store.search("PAYMENT due", "resolved", 10).await.unwrap();
        assert!(found.calls.iter().any(|c| c.id == id), "{found:?}");
        let none = store.search("payment", "failed", 10).await.unwrap();
        assert_eq!((none.calls.len(), none.looked_at), (0, None));
        let review = Review {
            id: id.clone(),
            call_id: id,
            words: "when is it due".into(),
            draft: "On Friday.".into(),
            ..Review::default()
        };
        store.put_review(&review).await.unwrap();
        let kept = &store.reviews(false, 0, 1).await.unwrap()[0];
        assert_eq!((&kept.words, &kept.draft), (&review.words, &review.draft));
    }
}

async fn everything_of_a_caller_can_be_given_and_deleted(db: &Db) {
    let store = db.open().await;
    let mine = record("mine", "+15550100", "2026-11-23T10:00:00Z");
    let other = record("other", "+15550199", "2026-11-23T11:00:00Z");
    store.save_call(&mine).await.unwrap();
    store.save_call(&other).await.unwrap();
    let wanted = CallbackRequest {
        number: "+15550100".into(),
        ..CallbackRequest::default()
    };
    store.add_callback("mine", &wanted).await.unwrap();
    let request = json!({ "method": "POST", "path": "/x", "body": { "n": 1 } });
    for (key, call) in [("k", "mine"), ("open", "mine"), ("o", "other")] {
        store
            .claim(&intent(key, call, "pay", &request))
            .await
            .unwrap();
    }
    let done = Outcome::Done(json!({ "id": 7 }));
    store.settle("k", &done).await.unwrap();
    store
        .queue_packet("mine", "http://h/", &json!({ "secret": 1 }))
        .await
        .unwrap();

    let data = store.caller_data("+15550100").await.unwrap();
    assert_eq!(data.calls, [mine]);
    assert_eq!((data.callbacks.len(), data.actions.len()), (1, 2));
    assert_eq!(data.actions[0]["request"]["body"]["n"], 1);
    assert_eq!(store.calls_of("+15550100").await.unwrap(), ["mine"]);
    let all = store.calls_ended_before(i64::MAX, 9).await.unwrap();
    assert_eq!(all, ["mine", "other"]);

    store.delete_call("mine").await.unwrap();
    store.settle_deletions().await.unwrap();
    let left = store.caller_data("+15550100").await.unwrap();
    assert_eq!(left, CallerData::default());
    assert!(store.due_packets(9).await.unwrap().is_empty());
    assert_eq!(store.call("other").await.unwrap(), Some(other));
    let open: Vec<String> = store
        .open_claims()
        .await
        .unwrap()
        .into_iter()
        .map(|c| c.key)
        .collect();
    assert_eq!(open, ["open", "o"], "what is still to be found out stays");
}

/// A clock that the test moves.
static CLOCK: std::sync::atomic::AtomicI64 = std::sync::atomic::AtomicI64::new(1_800_000_000_000);

fn moved_clock() -> jiff::Timestamp {
    jiff::Timestamp::from_millisecond(CLOCK.load(std::sync::atomic::Ordering::SeqCst)).unwrap()
}

fn pass(seconds: i64) {
    CLOCK.fetch_add(seconds * 1000, std::sync::atomic::Ordering::SeqCst);
}

/// One after the other: they share the clock.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_is_its_nodes_until_the_lease_is_over_and_then_one_others() {
    for db in [Some(Db::sqlite()), Db::postgres()].into_iter().flatten() {
        one_nodes_claim(&db).await;
    }
}

async fn one_nodes_claim(db: &Db) {
    let store = db.open().await.with_clock(moved_clock);
    let request = json!({});
    let terms = Terms {
        ask: Some(crate::desk::Ask {
            path: "/operations/k".into(),
            ..crate::desk::Ask::default()
        }),
        caller: Some("+15550100".into()),
        customer: Some("c1".into()),
        per_day: Some(2),
        day_from: Some(moved_clock()),
    };
    let intent = |key| Intent {
        terms: &terms,
        effect: Some("one"),
        ..intent(key, "call", "pay", &request)
    };
    assert_eq!(store.claim(&intent("k")).await.unwrap(), Claim::New);
    let lease = Duration::from_secs(30);
    assert!(store.take_over("there", lease).await.unwrap().is_empty());
    // The same effect under another key has to wait for this one.
    let Claim::Earlier(earlier) = store.claim(&intent("l")).await.unwrap() else {
        panic!("a second write of one effect was let through");
    };
    assert!(earlier.leased && earlier.outcome.is_none() && earlier.key == "k");

    pass(11);
    let taken = store.take_over("there", lease).await.unwrap();
    assert_eq!(taken.len(), 1);
    assert_eq!(taken[0].ask, terms.ask);
    assert_eq!(taken[0].caller.as_deref(), Some("+15550100"));
    assert!(store.take_over("third", lease).await.unwrap().is_empty());

    // Unknown, with somebody to ask: looked at again once its time has come.
    let unknown = Outcome::Unknown("?".into());
    assert!(store.settle("k", &unknown).await.unwrap());
    pass(31);
    let taken = store.take_over("third", lease).await.unwrap();
    assert_eq!((taken.len(), taken[0].asked), (1, 1));
    assert_eq!(taken[0].outcome, Some(unknown));
    let done = Outcome::Done(json!({"id": 7}));
    assert!(store.settle("k", &done).await.unwrap());
    assert!(!store.settle("k", &Outcome::NotFound).await.unwrap());
    pass(31);
    assert!(store.take_over("third", lease).await.unwrap().is_empty());

    // Done, and the caller was not told: not done again. Told: what is asked for again is meant again, as often as a day allows.
    assert!(matches!(
        store.claim(&intent("l")).await.unwrap(),
        Claim::Earlier(_)
    ));
    store.told("k").await.unwrap();
    assert_eq!(store.claim(&intent("l")).await.unwrap(), Claim::New);
    assert!(store.settle("l", &done).await.unwrap());
    store.told("l").await.unwrap();
    assert_eq!(store.claim(&intent("m")).await.unwrap(), Claim::Limited);
    assert_eq!(store.outcome("l").await.unwrap(), Some(Some(done)));
    assert_eq!(store.outcome("m").await.unwrap(), None);
}
