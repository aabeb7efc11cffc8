//! Signatures, tokens, admission: what is let in, and what is told to Twilio.

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signed_webhook_opens_a_stream_and_nothing_else_does() {
    let (edge, _calls, places) = line().await;
    let to = edge.addr();
    let (status, body) = post(to, "/twilio/voice", &form("CA1")).await;
    assert_eq!(status, 200);
    assert!(
        body.contains(&format!("<Connect><Stream url=\"ws://{to}/twilio/media\">")),
        "{body}"
    );
    assert!(body.contains(&format!(
        "</Connect><Redirect method=\"POST\">http://{to}/twilio/voice?again=1</Redirect>"
    )));
    assert!(token_in(&body).len() >= 32);

    let plain = format!("POST /twilio/voice HTTP/1.1\r\nHost: {to}");
    let signed = |token: &str, form: &[(String, String)]| {
        let signature = sign(token, &format!("http://{to}/twilio/voice"), form);
        format!("{plain}\r\nX-Twilio-Signature: {signature}")
    };
    let good = form("CA2");
    let mut changed = good.clone();
    changed[8].1 = "+15550666".into();
    for (head, form) in [
        (plain.clone(), &good),
        (signed("another token", &good), &good),
        (signed(TOKEN, &good), &changed),
        (format!("{plain}\r\nX-Twilio-Signature: AAAA"), &good),
        (signed(TOKEN, &good).replace("voice", "voice?x=1"), &good),
        (
            signed(TOKEN, &good).replace("/twilio/voice", "/twilio/status"),
            &good,
        ),
    ] {
        let (status, body) = send(to, &head, &encoded(form)).await;
        assert_eq!(status, 403, "{head}\n{body}");
        assert!(!body.contains("token"), "{body}");
    }
    assert_eq!(places.taken(), 1, "a refused request takes no place");
    for (request, wanted) in [
        ("GET /twilio/voice", 405),
        ("GET /", 404),
        ("GET /twilio", 404),
        ("POST /twilio/media", 405),
        ("GET /twilio/media", 400),
        ("GET /metrics", 404),
        ("GET /api/calls", 404),
    ] {
        let (status, _) = send(to, &format!("{request} HTTP/1.1\r\nHost: {to}"), "").await;
        assert_eq!(status, wanted, "{request}");
    }
    let long = "x".repeat(100_000);
    assert_eq!(send(to, &plain, &long).await.0, 413);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_a_proxy_the_address_is_what_twilio_was_told() {
    let (edge, _calls, _) = line().await;
    let to = edge.addr();
    let sent = async |url: &str, more: &str, sid: &str| {
        let signature = sign(TOKEN, url, &form(sid));
        let head = format!(
            "POST /twilio/voice HTTP/1.1\r\nHost: {to}\r\n{more}X-Twilio-Signature: {signature}"
        );
        send(to, &head, &encoded(&form(sid))).await
    };
    let proxy = "X-Forwarded-Host: line.example.com\r\nX-Forwarded-Proto: https\r\n";
    for (n, url) in [
        "https://line.example.com/twilio/voice",
        "https://line.example.com:443/twilio/voice",
    ]
    .into_iter()
    .enumerate()
    {
        let (status, body) = sent(url, proxy, &format!("CA{n}")).await;
        assert_eq!(status, 200, "{url}");
        assert!(
            body.contains("url=\"wss://line.example.com/twilio/media\""),
            "{body}"
        );
    }
    assert_eq!(
        sent("https://other.example.com/twilio/voice", proxy, "CA8")
            .await
            .0,
        403
    );

    let mut config = config(&Places::new(8));
    config.public_url = Some("https://line.example.com/phone/".into());
    let (edge, _calls) = TwilioEdge::start(config).await.unwrap();
    let to = edge.addr();
    let url = "https://line.example.com/phone/twilio/voice";
    for (url, wanted) in [(url, 200), (&format!("http://{to}/twilio/voice"), 403)] {
        let signature = sign(TOKEN, url, &form("CA1"));
        let head =
            format!("POST /twilio/voice HTTP/1.1\r\nHost: {to}\r\nX-Twilio-Signature: {signature}");
        let (status, body) = send(to, &head, &encoded(&form("CA1"))).await;
        assert_eq!(status, wanted, "{url}");
        if wanted == 200 {
            assert!(
                body.contains("wss://line.example.com/phone/twilio/media"),
                "{body}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_is_good_once_for_its_call_and_the_newest_only() {
    let (edge, mut calls, places) = line().await;
    let first = token(&edge, "CA1").await;
    let second = token(&edge, "CA1").await;
    assert_ne!(first, second);
    assert_eq!(
        places.taken(),
        1,
        "a webhook sent again takes no second place"
    );
    for (sid, token) in [
        ("CA1", first.as_str()),
        ("CA2", &second),
        ("CA1", ""),
        ("CA1", "guess"),
        ("", &second),
    ] {
        let mut wire = Wire::open(edge.addr()).await;
        wire.start(sid, token).await;
        let (code, reason) = wire.closed().await;
        assert_eq!(code, 1008, "{sid} {token}: {reason}");
        assert!(reason.contains("token"), "{reason}");
    }
    let mut wire = Wire::open(edge.addr()).await;
    wire.start("CA1", &second).await;
    let call = incoming(&mut calls).await;
    assert_eq!(call.from.as_deref(), Some("+15550100"));
    assert_eq!(call.to.as_deref(), Some("+15550199"));
    let info = call.leg.info();
    assert_eq!(
        (info.channel, info.vouched, info.codec.as_str()),
        ("twilio", true, "PCMU")
    );
    let mut again = Wire::open(edge.addr()).await;
    again.start("CA1", &second).await;
    assert_eq!(again.closed().await.0, 1008);
    // A webhook that is played back while the stream is up gets no token.
    assert_eq!(
        post(edge.addr(), "/twilio/voice", &form("CA1")).await.0,
        409
    );
    drop(call);
    until("the place is given back", || places.taken() == 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_line_says_so_or_sends_the_caller_on() {
    let places = Places::new(1);
    let (edge, _calls) = TwilioEdge::start(config(&places)).await.unwrap();
    token(&edge, "CA1").await;
    let (status, body) = post(edge.addr(), "/twilio/voice", &form("CA2")).await;
    assert_eq!(status, 200);
    assert!(
        body.contains("<Say>All our lines are busy") && body.contains("<Hangup/>"),
        "{body}"
    );
    assert!(!body.contains("Stream"));
    // The call that never got its stream is over: the place is free.
    let mut over = form("CA1");
    over[3].1 = "completed".into();
    assert_eq!(post(edge.addr(), "/twilio/status", &over).await.0, 204);
    assert_eq!(places.taken(), 0);
    token(&edge, "CA2").await;

    let mut config = config(&Places::new(0));
    config.overflow = Dial::of("+15550177");
    let (edge, _calls) = TwilioEdge::start(config).await.unwrap();
    let (_, body) = post(edge.addr(), "/twilio/voice", &form("CA1")).await;
    assert!(
        body.contains("<Dial><Number>+15550177</Number></Dial>"),
        "{body}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_is_kept_when_the_stream_breaks_and_let_go_when_it_was_ended() {
    let mut config = config(&Places::new(8));
    config.fallback = Dial::of("twilio:+15550177");
    let (edge, mut calls) = TwilioEdge::start(config).await.unwrap();
    let (_, body) = post(edge.addr(), "/twilio/voice", &form("CA1")).await;
    assert!(
        body.contains("</Connect><Dial><Number>+15550177</Number></Dial></Response>"),
        "{body}"
    );

    let (edge2, mut calls2, _) = line().await;
    // It broke: Twilio asks again, and the caller gets a new stream; a call that breaks again and again is told so.
    let (leg, wire) = up(&edge2, &mut calls2, "CA1").await;
    drop(wire);
    until("the stream is gone", || edge2.census().1 == 0).await;
    drop(leg);
    let (status, body) = post(edge2.addr(), "/twilio/voice?again=1", &form("CA1")).await;
    assert_eq!(status, 200);
    assert!(
        body.contains("again=2") && body.contains("<Stream"),
        "{body}"
    );
    let (_, body) = post(edge2.addr(), "/twilio/voice?again=4", &form("CA1")).await;
    assert!(
        body.contains("<Say>I&apos;m sorry") && !body.contains("<Stream"),
        "{body}"
    );
    // We ended it: so does Twilio.
    let (mut leg, _wire) = up(&edge2, &mut calls2, "CA2").await;
    leg.hangup(200, "done");
    assert_eq!(
        ended(&mut *leg, SECONDS).await.unwrap().cause,
        EndCause::Ours
    );
    let (_, body) = post(edge2.addr(), "/twilio/voice?again=1", &form("CA2")).await;
    assert!(body.ends_with("<Response><Hangup/></Response>"), "{body}");
    // Our own failure is not the caller's end: with a number to ring, the stream is closed and Twilio rings it.
    let (mut leg, mut wire) = up(&edge, &mut calls, "CA3").await;
    leg.hangup(500, "internal error");
    assert_eq!(wire.closed().await.0, 1000);
    assert!(ended(&mut *leg, SECONDS).await.is_some());
    assert_eq!(
        post(edge.addr(), "/twilio/voice", &form("CA3")).await.0,
        200
    );
}

/// A connection can be dead for longer than Twilio waits: the caller is not kept out of the line by what is left of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_is_dead_makes_room_for_the_next() {
    let (edge, mut calls, places) = line().await;
    // Twilio asks what follows the stream, and the socket says nothing of that.
    let (mut first, mut dead) = up(&edge, &mut calls, "CA1").await;
    let (status, body) = post(edge.addr(), "/twilio/voice?again=1", &form("CA1")).await;
    assert_eq!(status, 200, "{body}");
    let mut second_wire = Wire::open(edge.addr()).await;
    second_wire.start("CA1", &token_in(&body)).await;
    let mut second = incoming(&mut calls).await.leg;
    let end = ended(&mut *first, SECONDS).await.unwrap();
    assert_eq!(end.cause, EndCause::Failed, "{end:?}");
    // The call's own goodbye is not the second one's end.
    first.hangup(200, "done");
    drop(first);
    assert_eq!(dead.closed().await.0, 1000);
    until("the first place is free", || places.taken() == 1).await;
    assert_eq!(edge.census(), (0, 1));
    second.answer();
    second_wire.media(0x10).await;
    second_wire.media(0x10).await;
    second_wire.media(0x10).await;
    let saw = drive(&mut *second, Duration::from_millis(300), |turn, _, _, _| {
        tone(turn)
    })
    .await;
    assert!(saw.loud >= 2 && saw.end().is_none(), "{saw:?}");
    // A webhook sent again is not let in on a stream that lives, nor what asks after the stream before it.
    for path in ["/twilio/voice", "/twilio/voice?again=1"] {
        assert_eq!(post(edge.addr(), path, &form("CA1")).await.0, 409, "{path}");
    }
    // Nothing has come for longer than Twilio ever leaves between two messages.
    tokio::time::sleep(Duration::from_millis(3_200)).await;
    let (status, body) = post(edge.addr(), "/twilio/voice", &form("CA1")).await;
    assert_eq!((status, body.contains("<Stream")), (200, true), "{body}");
    let end = ended(&mut *second, SECONDS).await.unwrap();
    assert_eq!(end.cause, EndCause::Failed, "{end:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_calls_is_believed_as_far_as_the_carrier_does() {
    let (edge, mut calls, _) = line().await;
    for (n, (from, attested, wanted, vouched)) in [
        (
            "+15550100",
            "TN-Validation-Passed-A",
            Some("+15550100"),
            true,
        ),
        (
            "+15550100",
            "TN-Validation-Failed-A",
            Some("+15550100"),
            false,
        ),
        ("+266696687", "", None, false),
        ("anonymous", "", None, false),
        ("client:anna", "", Some("client:anna"), false),
    ]
    .into_iter()
    .enumerate()
    {
        let sid = format!("CA{n}");
        let mut form = form(&sid);
        form[8].1 = from.into();
        form.push(("StirVerstat".into(), attested.into()));
        let (_, body) = post(edge.addr(), "/twilio/voice", &form).await;
        let mut wire = Wire::open(edge.addr()).await;
        wire.start(&sid, &token_in(&body)).await;
        let info = incoming(&mut calls).await.leg.info();
        assert_eq!(
            (info.from.as_deref(), info.vouched),
            (wanted, vouched),
            "{from} {attested}"
        );
    }
}
