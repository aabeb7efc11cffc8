//! Two listeners behind one address, sharing PostgreSQL: whichever answers a webhook, the stream may come to the other.

use std::time::Instant;

use firstline::edge::twilio::Together;
use firstline::runtime::twilio::Machines;
use firstline::store::Store;

use super::*;
use crate::nodes::postgres;

/// As a balancer has it: both are known by its address.
const PUBLIC: &str = "https://line.example.com";

struct Node {
    edge: TwilioEdge,
    calls: Receiver<IncomingStream>,
    places: Places,
    store: Store,
}

async fn node(url: &str, name: &str, places: usize) -> Node {
    let store = Store::open(url).await.unwrap().for_node(name);
    let places = Places::new(places);
    let mut config = config(&places);
    config.public_url = Some(PUBLIC.into());
    config.together = Some(Arc::new(Machines(store.clone())));
    let (edge, calls) = TwilioEdge::start(config).await.unwrap();
    Node {
        edge,
        calls,
        places,
        store,
    }
}

/// A webhook as it comes through the balancer to this one.
async fn asked(node: &Node, path: &str, sid: &str) -> (u16, String) {
    let signature = sign(TOKEN, &format!("{PUBLIC}{path}"), &form(sid));
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: line.example.com\r\nX-Twilio-Signature: {signature}"
    );
    send(node.edge.addr(), &head, &encoded(&form(sid))).await
}

async fn token(node: &Node, sid: &str) -> String {
    let (status, body) = asked(node, "/twilio/voice", sid).await;
    assert_eq!(status, 200, "{body}");
    token_in(&body)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_may_come_to_another_machine_than_its_webhook_and_only_once() {
    let Some(server) = postgres::Postgres::start() else {
        return;
    };
    let url = server.database("line");
    let (mut a, mut b) = (node(&url, "a", 8).await, node(&url, "b", 8).await);

    // The webhook at a, the stream at b: with who is calling, and in b's place.
    let first = token(&a, "CA1").await;
    assert_eq!((a.places.taken(), b.places.taken()), (1, 0));
    let mut wire = Wire::open(b.edge.addr()).await;
    wire.start("CA1", &first).await;
    let mut call = incoming(&mut b.calls).await;
    assert_eq!(call.from.as_deref(), Some("+15550100"));
    assert_eq!(call.to.as_deref(), Some("+15550199"));
    assert!(call.leg.info().vouched);
    assert_eq!(b.places.taken(), 1);

    // The token is used up, for both of them; so is another call's, and one that was never told.
    for (node, sid, token) in [
        (&a, "CA1", first.as_str()),
        (&b, "CA1", first.as_str()),
        (&a, "CA1", "made up"),
        (&b, "CA2", first.as_str()),
    ] {
        let mut again = Wire::open(node.edge.addr()).await;
        again.start(sid, token).await;
        assert_eq!(again.closed().await.0, 1008, "{sid}");
    }
    // a gives the place back that it kept for a stream which went elsewhere.
    let begun = Instant::now();
    while a.places.taken() > 0 {
        assert!(
            begun.elapsed() < Duration::from_secs(15),
            "the place is kept"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }

    // The first webhook repeated while the stream is up is refused by both; asked what follows the stream, either answers.
    for node in [&a, &b] {
        assert_eq!(asked(node, "/twilio/voice", "CA1").await.0, 409);
    }
    // b ends the call: a knows that nothing follows.
    call.leg.hangup(200, "done");
    wire.closed().await;
    drop(call);
    let (status, body) = asked(&a, "/twilio/voice?again=1", "CA1").await;
    assert_eq!((status, body.contains("<Hangup")), (200, true), "{body}");
    assert!(!body.contains("<Connect>"), "{body}");
    until("b's place is back", || b.places.taken() == 0).await;

    // A repeated webhook that comes to the other one voids the token before.
    let old = token(&a, "CA3").await;
    let new = token(&b, "CA3").await;
    let mut void = Wire::open(a.edge.addr()).await;
    void.start("CA3", &old).await;
    assert_eq!(void.closed().await.0, 1008);
    let mut good = Wire::open(a.edge.addr()).await;
    good.start("CA3", &new).await;
    let third = incoming(&mut a.calls).await;
    assert_eq!(third.call_sid, "CA3");

    // A machine that dies says nothing of its streams, which are held to be up: the other takes the caller when Twilio asks.
    let (status, body) = asked(&b, "/twilio/voice?again=1", "CA3").await;
    assert_eq!(status, 200, "{body}");
    let mut back = Wire::open(b.edge.addr()).await;
    back.start("CA3", &token_in(&body)).await;
    assert_eq!(incoming(&mut b.calls).await.call_sid, "CA3");

    // What is kept of callers while they wait is not kept when they have come.
    let kept = server.sql("line", "select count(*) from streams where caller <> ''");
    assert_eq!(kept, "0");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_machine_that_is_full_lets_no_stream_in_and_one_token_opens_one_of_two() {
    let Some(server) = postgres::Postgres::start() else {
        return;
    };
    let url = server.database("line");
    let (mut a, b) = (node(&url, "a", 8).await, node(&url, "b", 0).await);
    let full = token(&a, "CA1").await;
    let mut wire = Wire::open(b.edge.addr()).await;
    wire.start("CA1", &full).await;
    let (_, why) = wire.closed().await;
    assert!(why.contains("no room"), "{why}");
    // Twilio asks on: it is let in where there is room.
    let (status, body) = asked(&a, "/twilio/voice?again=1", "CA1").await;
    assert_eq!(status, 200);
    let mut wire = Wire::open(a.edge.addr()).await;
    wire.start("CA1", &token_in(&body)).await;
    incoming(&mut a.calls).await;

    // Shown to two machines in the same moment, a token opens one stream.
    let other = Store::open(&url).await.unwrap().for_node("c");
    let (one, two) = (Machines(a.store.clone()), Machines(other));
    for n in 0..20 {
        let awaited = firstline::edge::twilio::Awaited {
            call_sid: format!("CB{n}"),
            from: None,
            to: None,
            vouched: false,
        };
        let digest = format!("digest-{n}");
        one.issued(&digest, &awaited, SECONDS).await.unwrap();
        assert_eq!(one.waiting().await.unwrap(), std::slice::from_ref(&digest));
        let (left, right) = tokio::join!(one.taken(&digest, None), two.taken(&digest, None));
        let let_in = [left.unwrap(), right.unwrap()]
            .into_iter()
            .flatten()
            .count();
        assert_eq!(let_in, 1);
    }
    // One that has expired opens none.
    let awaited = firstline::edge::twilio::Awaited {
        call_sid: "CC".into(),
        from: None,
        to: None,
        vouched: false,
    };
    one.issued("late", &awaited, Duration::ZERO).await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(two.taken("late", None).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_database_a_machine_lets_its_own_streams_in() {
    let Some(server) = postgres::Postgres::start() else {
        return;
    };
    let url = server.database("line");
    let mut a = node(&url, "a", 8).await;
    server.down();
    let begun = Instant::now();
    let token = token(&a, "CA1").await;
    let mut wire = Wire::open(a.edge.addr()).await;
    wire.start("CA1", &token).await;
    incoming(&mut a.calls).await;
    // Twilio gives a webhook fifteen seconds, and the caller hears nothing meanwhile.
    assert!(
        begun.elapsed() < Duration::from_secs(6),
        "{:?}",
        begun.elapsed()
    );
    let mut again = Wire::open(a.edge.addr()).await;
    again.start("CA1", &token).await;
    assert_eq!(again.closed().await.0, 1008, "once, still");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_machine_with_an_address_of_its_own_has_its_streams_sent_there() {
    let places = Places::new(8);
    let mut config = config(&places);
    config.public_url = Some(PUBLIC.into());
    config.node_url = Some("https://a.line.example.com/".into());
    let (edge, _calls) = TwilioEdge::start(config).await.unwrap();
    let to = edge.addr();
    let signature = sign(TOKEN, &format!("{PUBLIC}/twilio/voice"), &form("CA1"));
    let head = format!(
        "POST /twilio/voice HTTP/1.1\r\nHost: line.example.com\r\nX-Twilio-Signature: {signature}"
    );
    let (status, body) = send(to, &head, &encoded(&form("CA1"))).await;
    assert_eq!(status, 200);
    // The stream to this machine, and what follows it to whichever is there.
    assert!(
        body.contains("<Stream url=\"wss://a.line.example.com/twilio/media\">"),
        "{body}"
    );
    assert!(
        body.contains("https://line.example.com/twilio/voice?again=1"),
        "{body}"
    );
    // What Twilio says of calls to humans comes to that address, and is signed for it.
    let own = sign(
        TOKEN,
        "https://a.line.example.com/twilio/status?leg=x",
        &form("CA9"),
    );
    let head = format!(
        "POST /twilio/status?leg=x HTTP/1.1\r\nHost: a.line.example.com\r\nX-Twilio-Signature: {own}"
    );
    assert_eq!(send(to, &head, &encoded(&form("CA9"))).await.0, 204);
    let wrong = head.replace("leg=x", "leg=y");
    assert_eq!(send(to, &wrong, &encoded(&form("CA9"))).await.0, 403);
}
