//! The store on a real file in a fresh directory.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::*;
use crate::desk::{
    CallOutcome, CallRecord, CallbackRequest, CallerTurn, Decision, Handoff, Outcome, Route, Terms,
    TurnRecord,
};

/// A directory that goes when the test ends.
struct Dir(PathBuf);

impl Dir {
    fn new() -> Self {
        let dir = std::env::temp_dir().join(format!("firstline-store-{}", uuid::Uuid::new_v4()));
        Dir(dir)
    }
    fn url(&self) -> String {
        format!("sqlite:{}/deep/er/line.db", self.0.display())
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
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

#[tokio::test]
async fn a_record_comes_back_whole_and_in_short() {
    let dir = Dir::new();
    let store = Store::open(&dir.url()).await.unwrap();
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

    let mut going = a;
    going.ended_at = None;
    store.save_call(&going).await.unwrap();
    assert_eq!(
        store.history("+15550100", 5).await.unwrap().len(),
        1,
        "a call that goes on is no history"
    );
    assert_eq!(
        store.calls(10, None).await.unwrap().len(),
        3,
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

#[tokio::test]
async fn a_claim_holds_until_settled_and_over_a_restart() {
    let dir = Dir::new();
    let request = json!({ "method": "POST", "path": "/x", "body": { "n": 1 } });
    {
        let store = Store::open(&dir.url()).await.unwrap();
        assert_eq!(
            store
                .claim(&intent("k", "call", "pay", &request))
                .await
                .unwrap(),
            Claim::New
        );
        store.close().await;
    }
    let store = Store::open(&dir.url()).await.unwrap();
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

#[tokio::test]
async fn one_key_claimed_by_many_at_once_is_new_for_one() {
    let dir = Dir::new();
    let store = Store::open(&dir.url()).await.unwrap();
    let second = Store::open(&dir.url()).await.unwrap();
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

#[tokio::test]
async fn callbacks_wait_until_done() {
    let dir = Dir::new();
    let store = Store::open(&dir.url()).await.unwrap();
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

#[tokio::test]
async fn packets_come_due_again_and_outlive_a_restart() {
    fn at_ten() -> jiff::Timestamp {
        "2026-11-23T10:00:00Z".parse().unwrap()
    }
    fn at_eleven() -> jiff::Timestamp {
        "2026-11-23T11:00:00Z".parse().unwrap()
    }
    let dir = Dir::new();
    let store = Store::open(&dir.url()).await.unwrap().with_clock(at_ten);
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

    let store = Store::open(&dir.url()).await.unwrap().with_clock(at_eleven);
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
    let dir = Dir::new();
    std::fs::create_dir_all(&dir.0).unwrap();
    let file = dir.0.join("plain");
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
        Store::open("postgres://h/db").await.unwrap_err(),
        StoreError::NotSupported(_)
    ));
}

#[tokio::test]
async fn the_file_is_its_owners_and_writable() {
    use std::os::unix::fs::PermissionsExt;
    let dir = Dir::new();
    let store = Store::open(&dir.url()).await.unwrap();
    store.writable().await.unwrap();
    let mode = std::fs::metadata(dir.0.join("deep/er/line.db"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[tokio::test]
async fn a_callback_is_claimed_once_tried_again_and_given_up_and_survives_a_restart() {
    let dir = Dir::new();
    let store = Store::open(&dir.url()).await.unwrap();
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
    let store = Store::open(&dir.url()).await.unwrap();
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

#[tokio::test]
async fn packets_of_one_call_go_out_in_order() {
    let dir = Dir::new();
    let store = Store::open(&dir.url()).await.unwrap();
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

/// A clock that the test moves.
static CLOCK: std::sync::atomic::AtomicI64 = std::sync::atomic::AtomicI64::new(1_800_000_000_000);

fn moved_clock() -> jiff::Timestamp {
    jiff::Timestamp::from_millisecond(CLOCK.load(std::sync::atomic::Ordering::SeqCst)).unwrap()
}

fn pass(seconds: i64) {
    CLOCK.fetch_add(seconds * 1000, std::sync::atomic::Ordering::SeqCst);
}

#[tokio::test]
async fn a_claim_is_its_nodes_until_the_lease_is_over_and_then_one_others() {
    let dir = Dir::new();
    let store = Store::open(&dir.url())
        .await
        .unwrap()
        .with_clock(moved_clock);
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
