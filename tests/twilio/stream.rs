//! The stream itself: both ways, marks and clears, hostile ends and slow ones.

use super::*;

const LOUD: u8 = 0x10;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sound_and_keys_come_in_and_the_end_is_told() {
    let (edge, mut calls, places) = line().await;
    let (mut leg, mut wire) = up(&edge, &mut calls, "CA1").await;
    let caller = tokio::spawn(async move {
        for n in 0..100 {
            wire.media(LOUD).await;
            if n == 50 {
                for key in ["5", "#", "z"] {
                    wire.say(json!({"event": "dtmf", "streamSid": "MZ1", "sequenceNumber": "5", "dtmf": {"track": "inbound_track", "digit": key}})).await;
                }
                wire.say(json!({"event": "something-new", "streamSid": "MZ1"}))
                    .await;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        wire.say(json!({"event": "stop", "sequenceNumber": "200", "streamSid": "MZ1", "stop": {"accountSid": "AC0123", "callSid": "CA1"}})).await;
        wire.closed().await.0
    });
    let saw = drive(&mut *leg, SECONDS, |turn, _, _, _| tone(turn)).await;
    assert_eq!(saw.end(), Some(EndCause::Remote), "{saw:?}");
    assert_eq!(
        saw.signals.iter().filter(|s| **s == Signal::Media).count(),
        1
    );
    assert_eq!(saw.keys, "5#");
    assert_eq!(saw.packets_in, 100);
    assert!(saw.loud >= 90, "{saw:?}");
    assert!(saw.packets_out >= 90, "{saw:?}");
    assert_eq!(caller.await.unwrap(), 1000);
    drop(leg);
    until("the place is given back", || {
        places.taken() == 0 && edge.census() == (0, 0)
    })
    .await;
}

/// Reads what the line sends, at once, without a word back.
async fn read(wire: &mut Wire, media: usize) -> Vec<String> {
    let mut marks = Vec::new();
    let mut seen = 0;
    while seen < media {
        let message = wire.next().await.expect("the line closed");
        assert_eq!(message["streamSid"], "MZ1");
        match message["event"].as_str() {
            Some("media") => {
                let payload = message["media"]["payload"].as_str().unwrap();
                let sound =
                    base64::Engine::decode(&base64::engine::general_purpose::STANDARD, payload)
                        .unwrap();
                assert_eq!(sound.len(), 160);
                seen += 1;
            }
            Some("mark") => marks.push(message["mark"]["name"].as_str().unwrap().to_owned()),
            other => panic!("{other:?}"),
        }
    }
    marks
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn marks_tell_what_was_played_and_a_clear_makes_them_void() {
    let (edge, mut calls, _) = line().await;
    let (mut leg, mut wire) = up(&edge, &mut calls, "CA1").await;
    let push = |leg: &mut Box<dyn Leg>, frames: u64| {
        for n in 0..frames {
            leg.push(&tone(n));
        }
    };
    push(&mut leg, 41);
    let marks = read(&mut wire, 41).await;
    assert_eq!(marks.len(), 8);
    assert_eq!(leg.unheard_ms(), 820);
    wire.mark(&marks[3]).await;
    until("four marks are back", || leg.unheard_ms() == 420).await;
    // 400 ms were played; the rest is dropped, to within a mark.
    assert_eq!(leg.clear(), 420);
    assert_eq!(leg.unheard_ms(), 0);
    assert_eq!(
        wire.next().await.unwrap(),
        json!({"event": "clear", "streamSid": "MZ1"})
    );
    // As Twilio does on a clear: all the rest come back at once. They say nothing about the sound that follows.
    push(&mut leg, 10);
    for mark in &marks[4..] {
        wire.mark(mark).await;
    }
    wire.mark("no mark of ours").await;
    let next = read(&mut wire, 10).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(leg.unheard_ms(), 200);
    wire.mark(&next[0]).await;
    until("the mark is back", || leg.unheard_ms() == 120).await;
    // What waits here and was not even sent is dropped with the rest.
    push(&mut leg, 3);
    assert_eq!(leg.clear(), 180);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_messages_close_their_socket_and_nothing_else() {
    let (edge, mut calls, places) = line().await;
    let (mut good, mut good_wire) = up(&edge, &mut calls, "CAgood").await;
    let long = format!("{{\"event\":\"{}\"}}", "x".repeat(40_000));
    let media = json!({"event": "media", "media": {"payload": ""}}).to_string();
    // Before the start.
    for (message, code) in [
        (Message::text("not json"), 1007),
        (Message::text("{}"), 1007),
        (Message::text("[]"), 1007),
        (Message::text(media.clone()), 1008),
        (Message::text(json!({"event": "stop"}).to_string()), 1008),
        (
            Message::text(json!({"event": "dtmf", "dtmf": {"digit": "1"}}).to_string()),
            1008,
        ),
        (Message::binary(vec![1, 2, 3]), 1003),
        (Message::text(long.clone()), 1009),
        (
            Message::text(started("CA1", "x").to_string().replace("x-mulaw", "x-l16")),
            1003,
        ),
        (
            Message::text(started("CA1", "x").to_string().replace("8000", "16000")),
            1003,
        ),
        (
            Message::text(json!({"event": "start", "start": {}}).to_string()),
            1007,
        ),
        (
            Message::text(json!({"event": "start", "streamSid": "MZ1"}).to_string()),
            1008,
        ),
    ] {
        let mut wire = Wire::open(edge.addr()).await;
        wire.connected().await;
        let _ = wire.socket.send(message.clone()).await;
        assert_eq!(wire.closed().await.0, code, "{message:?}");
    }
    // On a call that is up.
    let huge = base64::Engine::encode(
        &base64::engine::general_purpose::STANDARD,
        vec![0u8; 17_000],
    );
    for (n, (message, code)) in [
        (Message::text("not json"), 1007),
        (Message::binary(vec![1]), 1003),
        (Message::text(long), 1009),
        (Message::text(started("CA1", "x").to_string()), 1008),
        (
            Message::text(json!({"event": "media", "media": {"payload": "***"}}).to_string()),
            1007,
        ),
        (
            Message::text(
                json!({"event": "media", "media": {"track": "inbound", "payload": huge}})
                    .to_string(),
            ),
            1008,
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let (mut leg, mut wire) = up(&edge, &mut calls, &format!("CA{n}")).await;
        let _ = wire.socket.send(message.clone()).await;
        assert_eq!(wire.closed().await.0, code, "{message:?}");
        let end = ended(&mut *leg, SECONDS).await.unwrap();
        assert_eq!(end.cause, EndCause::Failed, "{message:?}: {end:?}");
    }
    // A flood.
    let (mut leg, mut wire) = up(&edge, &mut calls, "CAflood").await;
    for _ in 0..4_000 {
        wire.media(LOUD).await;
    }
    let end = ended(&mut *leg, SECONDS).await.unwrap();
    assert!(end.detail.contains("too many messages"), "{end:?}");
    drop(leg);
    // Bytes that are no WebSocket at all, and silence.
    let mut tcp = TcpStream::connect(edge.addr()).await.unwrap();
    tcp.write_all(b"\x16\x03\x01\x02\x00\x01 nonsense\r\n\r\n")
        .await
        .unwrap();
    let _quiet = TcpStream::connect(edge.addr()).await.unwrap();
    // Through all of it the good call heard and was heard.
    good_wire.media(LOUD).await;
    good_wire.media(LOUD).await;
    good_wire.media(LOUD).await;
    let saw = drive(&mut *good, Duration::from_millis(300), |turn, _, _, _| {
        tone(turn)
    })
    .await;
    assert_eq!(saw.end(), None);
    assert!(saw.loud >= 2, "{saw:?}");
    assert_eq!(read(&mut good_wire, 10).await.len(), 1);
    drop(good);
    until("every place is given back", || places.taken() == 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_socket_that_stalls_is_bounded_and_holds_no_call_up() {
    let (edge, mut calls, _) = line().await;
    let token = token(&edge, "CA1").await;
    // A far end with little room that stops reading.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    let tcp = socket.connect(edge.addr()).await.unwrap();
    let mut wire = Wire::over(tcp, edge.addr()).await;
    wire.start("CA1", &token).await;
    let mut leg = incoming(&mut calls).await.leg;
    leg.answer();
    let mut slowest = Duration::ZERO;
    let mut end = None;
    // Pushed faster than a call would, so that the test is short; what the kernel holds is seconds.
    for n in 0..60_000u64 {
        let begun = std::time::Instant::now();
        leg.push(&tone(n));
        let pulled = leg.pull();
        slowest = slowest.max(begun.elapsed());
        end = end.or(pulled.signals.into_iter().find_map(|s| match s {
            Signal::Ended(e) => Some(e),
            _ => None,
        }));
        if end.is_some() {
            break;
        }
        tokio::time::sleep(Duration::from_micros(200)).await;
    }
    let end = end.expect("it was given up");
    assert_eq!(end.cause, EndCause::Failed, "{end:?}");
    assert!(end.detail.contains("keep up"), "{end:?}");
    // Another program may take the core for a moment; a socket that was waited for would cost seconds.
    assert!(slowest < Duration::from_millis(200), "{slowest:?}");
    let info = leg.info();
    assert!(info.packets_lost >= 250, "{info:?}");
    // The kernel's share on both sides, and ours.
    assert!(info.packets_out < 3_000, "{info:?}");
    drop(leg);
    until("the stream is let go", || edge.census().1 == 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_is_lost_is_not_the_caller_hanging_up() {
    let (edge, mut calls, _) = line().await;
    let (mut leg, wire) = up(&edge, &mut calls, "CA1").await;
    drop(wire);
    let end = ended(&mut *leg, SECONDS).await.unwrap();
    assert_eq!(end.cause, EndCause::Failed, "{end:?}");
}
