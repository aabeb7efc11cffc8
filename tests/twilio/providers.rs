//! The same wire by other names: each provider's webhook as it signs it, its stream as it sends it, and what it is sent. Written by hand from
//! their documentation.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use firstline::edge::twilio::sign_plivo;
use firstline::wire::providers::named;

use super::*;

async fn line_for(provider: &str, token: &str) -> (TwilioEdge, Receiver<IncomingStream>) {
    let mut settings = config(&Places::new(8));
    settings.names = named(provider).unwrap();
    settings.auth_token = token.into();
    settings.fallback = Dial::of("+15550177");
    TwilioEdge::start(settings).await.unwrap()
}

/// Posts a webhook with these headers more; its answer.
async fn webhook(edge: &TwilioEdge, path: &str, headers: &str, body: &str) -> (u16, String) {
    let to = edge.addr();
    let head = format!("POST {path} HTTP/1.1\r\nHost: {to}{headers}");
    send(to, &head, body).await
}

fn pairs(all: &[(&str, &str)]) -> Vec<(String, String)> {
    all.iter()
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
        .collect()
}

/// A call that is up hears what the caller says and a key, speaks, and takes back what it said. What was sent by events' names.
async fn talk(wire: &mut Wire, leg: &mut dyn Leg, marked: impl Fn(&str) -> Value) -> Vec<Value> {
    leg.answer();
    for _ in 0..8 {
        wire.media(0x10).await;
    }
    wire.say(json!({"event": "dtmf", "dtmf": {"digit": "5"}}))
        .await;
    let saw = drive(leg, Duration::from_millis(500), |turn, leg, _, _| {
        if turn == 20 {
            leg.clear();
        }
        tone(turn)
    })
    .await;
    assert_eq!(saw.keys, "5", "{saw:?}");
    assert!(saw.loud >= 4 && saw.packets_out >= 15, "{saw:?}");
    let mut sent = Vec::new();
    while sent.len() < 28 {
        sent.push(wire.next().await.expect("a message"));
    }
    // The first mark comes back: what stood before it was played.
    let before = leg.unheard_ms();
    wire.say(marked("1")).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(leg.unheard_ms() <= before);
    sent
}

fn of<'a>(sent: &'a [Value], event: &str) -> &'a Value {
    sent.iter()
        .find(|m| m["event"] == event)
        .unwrap_or_else(|| panic!("no {event}: {sent:?}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn signalwire() {
    let (edge, mut calls) = line_for("signalwire", TOKEN).await;
    let to = edge.addr();
    let form = form("7f3a-call");
    let signed = sign(TOKEN, &format!("http://{to}/twilio/voice"), &form);
    let (status, body) = webhook(
        &edge,
        "/twilio/voice",
        &format!("\r\nX-SignalWire-Signature: {signed}"),
        &encoded(&form),
    )
    .await;
    assert_eq!(status, 200, "{body}");
    assert!(body.contains("<Connect><Stream url="), "{body}");
    let mut wire = Wire::open(to).await;
    wire.start("7f3a-call", &token_in(&body)).await;
    let mut call = incoming(&mut calls).await;
    let sent = talk(
        &mut wire,
        &mut *call.leg,
        |name| json!({"event": "mark", "streamSid": "MZ1", "mark": {"name": name}}),
    )
    .await;
    assert_eq!(of(&sent, "media")["streamSid"], "MZ1");
    assert_eq!(of(&sent, "clear")["streamSid"], "MZ1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn telnyx() {
    use ring::signature::{Ed25519KeyPair, KeyPair};
    let pair = Ed25519KeyPair::from_seed_unchecked(&[9; 32]).unwrap();
    let (edge, mut calls) = line_for("telnyx", &BASE64.encode(pair.public_key().as_ref())).await;
    let call = "v3:MdI91X4lWFEs7IgbBEOT9M4AigoY08M0WWZFISt1Yw2axZ_IiE4pqg";
    let body = encoded(&pairs(&[
        ("CallSid", call),
        ("CallStatus", "ringing"),
        ("From", "+15550100"),
        ("To", "+15550199"),
    ]));
    let signed = |at: u64, body: &str| {
        let signature = BASE64.encode(pair.sign(format!("{at}|{body}").as_bytes()));
        format!("\r\nTelnyx-Timestamp: {at}\r\nTelnyx-Signature-Ed25519: {signature}")
    };
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_secs();
    for (headers, wanted) in [
        (String::new(), 403),
        (signed(now - 1_000, &body), 403),
        (signed(now, "CallSid=other"), 403),
        (signed(now, &body), 200),
    ] {
        let (status, answer) = webhook(&edge, "/twilio/voice", &headers, &body).await;
        assert_eq!(status, wanted, "{headers} {answer}");
        if wanted != 200 {
            continue;
        }
        assert!(answer.contains("bidirectionalMode=\"rtp\""), "{answer}");
        // Calls cannot be ended over an API here: the provider asks what comes next, and is told.
        assert!(answer.contains("</Connect><Redirect"), "{answer}");
        let mut wire = Wire::open(edge.addr()).await;
        wire.say(json!({"event": "connected", "version": "1.0.0"}))
            .await;
        wire.say(json!({
            "event": "start", "sequence_number": "1", "stream_id": "32de0dea-53cb",
            "start": {
                "user_id": "3e6f9cd0", "call_control_id": "v3:another-id", "client_state": "",
                "custom_parameters": {"token": token_in(&answer)},
                "media_format": {"encoding": "PCMU", "sample_rate": 8000, "channels": 1},
            },
        }))
        .await;
        let mut up = incoming(&mut calls).await;
        assert_eq!(up.from.as_deref(), Some("+15550100"));
        assert_eq!(up.call_sid, call, "by the webhook's id");
        let sent = talk(
            &mut wire,
            &mut *up.leg,
            |name| json!({"event": "mark", "stream_id": "32de0dea-53cb", "mark": {"name": name}}),
        )
        .await;
        assert!(of(&sent, "media")["media"]["payload"].is_string());
        assert_eq!(of(&sent, "clear"), &json!({"event": "clear"}));
        // Ended by us: the stream is closed, and asked again the call is over.
        up.leg.hangup(200, "goodbye");
        let end = ended(&mut *up.leg, SECONDS).await.unwrap();
        assert_eq!(end.cause, EndCause::Ours);
        let (_, after) = webhook(&edge, "/twilio/voice?again=1", &signed(now, &body), &body).await;
        assert!(after.ends_with("<Response><Hangup/></Response>"), "{after}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plivo() {
    let (edge, mut calls) = line_for("plivo", TOKEN).await;
    let to = edge.addr();
    let form = pairs(&[
        ("CallUUID", "e12d05fe-6979-485c-83dc-9276114dba3b"),
        ("CallStatus", "ringing"),
        ("Direction", "inbound"),
        ("From", "+15550100"),
        ("To", "+15550199"),
    ]);
    let url = format!("http://{to}/twilio/voice");
    let signed = sign_plivo(TOKEN, &url, &form, "nonce-1");
    let headers =
        format!("\r\nX-Plivo-Signature-V3: {signed}\r\nX-Plivo-Signature-V3-Nonce: nonce-1");
    let (status, body) = webhook(&edge, "/twilio/voice", &headers, &encoded(&form)).await;
    assert_eq!(status, 200, "{body}");
    let stream = format!(">ws://{to}/twilio/media</Stream>");
    assert!(
        body.contains(&stream) && body.contains("bidirectional=\"true\""),
        "{body}"
    );
    let token = body
        .split("extraHeaders=\"token=")
        .nth(1)
        .and_then(|r| r.split('"').next())
        .unwrap()
        .to_owned();
    let mut wire = Wire::open(to).await;
    wire.say(json!({
        "sequenceNumber": 0, "event": "start",
        "start": {
            "callId": "e12d05fe-6979-485c-83dc-9276114dba3b", "streamId": "20170ada", "accountId": "MA1", "tracks": ["inbound"],
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000},
        },
        "extra_headers": json!({"token": token}).to_string(),
    }))
    .await;
    let mut call = incoming(&mut calls).await;
    assert_eq!(call.to.as_deref(), Some("+15550199"));
    let sent = talk(
        &mut wire,
        &mut *call.leg,
        |name| json!({"event": "playedStream", "streamId": "20170ada", "name": name}),
    )
    .await;
    let audio = of(&sent, "playAudio");
    assert_eq!(audio["media"]["contentType"], "audio/x-mulaw");
    assert_eq!(audio["media"]["sampleRate"], 8_000);
    assert_eq!(of(&sent, "checkpoint")["streamId"], "20170ada");
    assert!(of(&sent, "checkpoint")["name"].is_string());
    assert_eq!(
        of(&sent, "clearAudio"),
        &json!({"event": "clearAudio", "streamId": "20170ada"})
    );
    // Twilio's signature is not Plivo's.
    let theirs = sign(TOKEN, &url, &form);
    let headers = format!("\r\nX-Twilio-Signature: {theirs}");
    assert_eq!(
        webhook(&edge, "/twilio/voice", &headers, &encoded(&form))
            .await
            .0,
        403
    );
}
