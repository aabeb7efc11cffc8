//! People who are called through Twilio: the API is a stand-in that records what it is asked and answers as it is told to.

use std::sync::Mutex;

use super::*;

/// One request the stand-in got.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) path: String,
    auth: String,
    form: Vec<(String, String)>,
    at: std::time::Instant,
}

impl Asked {
    pub(super) fn field(&self, name: &str) -> String {
        let found = self.form.iter().find(|(n, _)| n == name);
        found.map(|(_, v)| v.clone()).unwrap_or_default()
    }
}

/// Reads one request to the API.
pub(super) async fn request(socket: &mut TcpStream) -> Asked {
    let mut seen = String::new();
    let mut buffer = [0; 8_192];
    loop {
        let got = socket.read(&mut buffer).await.unwrap_or(0);
        seen.push_str(&String::from_utf8_lossy(&buffer[..got]));
        let whole = seen.split_once("\r\n\r\n").is_some_and(|(head, body)| {
            let length = head.lines().find_map(|l| {
                l.to_lowercase()
                    .strip_prefix("content-length: ")?
                    .parse()
                    .ok()
            });
            body.len() >= length.unwrap_or(0)
        });
        if whole || got == 0 {
            break;
        }
    }
    let (head, body) = seen.split_once("\r\n\r\n").unwrap_or_default();
    let header = |name: &str| {
        head.lines()
            .find(|l| l.to_lowercase().starts_with(name))
            .and_then(|l| l.split_once(": "))
            .map(|(_, v)| v.to_owned())
            .unwrap_or_default()
    };
    Asked {
        path: head.split(' ').nth(1).unwrap_or_default().to_owned(),
        auth: header("authorization"),
        form: url::form_urlencoded::parse(body.as_bytes())
            .into_owned()
            .collect(),
        at: std::time::Instant::now(),
    }
}

struct Api {
    addr: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Api {
    /// Answers with these in turn, and with the last one again and again: status line, more headers, body.
    async fn start(answers: Vec<(&'static str, &'static str, &'static str)>) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let kept = asked.clone();
        tokio::spawn(async move {
            let mut n = 0;
            while let Ok((mut socket, _)) = listener.accept().await {
                let asked = request(&mut socket).await;
                kept.lock().unwrap().push(asked);
                let (status, more, body) = answers[n.min(answers.len() - 1)];
                n += 1;
                let answer = format!(
                    "HTTP/1.1 {status}\r\n{more}Content-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                    body.len()
                );
                let _ = socket.write_all(answer.as_bytes()).await;
            }
        });
        Self { addr, asked }
    }

    fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    async fn line(&self) -> (TwilioEdge, Receiver<IncomingStream>) {
        let mut config = config(&Places::new(8));
        config.api_url = format!("http://{}", self.addr).parse().unwrap();
        config.fallback = Dial::of("+15550177");
        let (edge, calls) = TwilioEdge::start(config).await.unwrap();
        // The first webhook tells by which address Twilio knows the line.
        token(&edge, "CAfirst").await;
        (edge, calls)
    }
}

const MADE: (&str, &str, &str) = (
    "201 Created",
    "",
    r#"{"sid": "CAhuman", "status": "queued"}"#,
);

/// What Twilio says of the human's call.
async fn status(edge: &TwilioEdge, made: &Asked, status: &str) {
    let callback = made.field("StatusCallback");
    let path = callback
        .split_once("/twilio/")
        .map(|(_, p)| format!("/twilio/{p}"))
        .unwrap();
    let form: Vec<(String, String)> = [("CallSid", "CAhuman"), ("CallStatus", status)]
        .map(|(k, v)| (k.to_owned(), v.to_owned()))
        .to_vec();
    assert_eq!(post(edge.addr(), &path, &form).await.0, 204);
}

async fn made(api: &Api) -> Asked {
    until("the call was asked for", || !api.asked().is_empty()).await;
    api.asked()[0].clone()
}

async fn signal(leg: &mut dyn Leg) -> Signal {
    for _ in 0..250 {
        if let Some(signal) = leg.pull().signals.into_iter().next() {
            return signal;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("no signal came");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_human_is_called_rings_answers_and_is_heard_on_their_own_stream() {
    let api = Api::start(vec![MADE]).await;
    let (edge, mut calls) = api.line().await;
    let mut leg = edge.dial("+15550122", Duration::from_secs(20)).unwrap();
    let made = made(&api).await;
    assert_eq!(made.path, "/2010-04-01/Accounts/AC0123/Calls.json");
    assert_eq!(
        made.auth,
        format!(
            "Basic {}",
            base64::Engine::encode(
                &base64::engine::general_purpose::STANDARD,
                format!("AC0123:{TOKEN}")
            )
        )
    );
    for (name, value) in [
        ("To", "+15550122"),
        ("From", "+15550111"),
        ("Timeout", "20"),
        ("StatusCallbackMethod", "POST"),
    ] {
        assert_eq!(made.field(name), value);
    }
    let twiml = made.field("Twiml");
    assert!(
        twiml.contains(&format!(
            "<Stream url=\"ws://{}/twilio/media\">",
            edge.addr()
        )),
        "{twiml}"
    );
    assert!(
        twiml.ends_with("</Connect><Hangup/></Response>"),
        "a human is not sent on: {twiml}"
    );
    status(&edge, &made, "ringing").await;
    assert_eq!(signal(&mut *leg).await, Signal::Ringing);
    status(&edge, &made, "in-progress").await;
    let mut wire = Wire::open(edge.addr()).await;
    wire.start("CAhuman", &token_in(&twiml)).await;
    assert_eq!(signal(&mut *leg).await, Signal::Answered);
    assert!(calls.try_recv().is_err(), "a human's stream is no new call");
    for _ in 0..5 {
        wire.media(0x10).await;
    }
    wire.say(json!({"event": "dtmf", "streamSid": "MZ1", "dtmf": {"digit": "1"}}))
        .await;
    let saw = drive(&mut *leg, Duration::from_millis(400), |turn, _, _, _| {
        tone(turn)
    })
    .await;
    assert_eq!(saw.keys, "1");
    assert!(saw.loud >= 3 && saw.packets_out >= 15, "{saw:?}");
    assert_eq!(wire.next().await.unwrap()["event"], "media");
    // We let them go: their call is ended, not only their stream.
    leg.hangup(200, "done");
    drop(leg);
    until("the call was ended", || api.asked().len() == 2).await;
    let over = &api.asked()[1];
    assert_eq!(over.path, "/2010-04-01/Accounts/AC0123/Calls/CAhuman.json");
    assert_eq!(over.field("Status"), "completed");
    until("nothing is left", || edge.census().1 == 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn how_it_went_is_told_in_the_words_of_a_transfer() {
    for (says, cause) in [
        ("busy", EndCause::Busy),
        ("no-answer", EndCause::NoAnswer),
        ("failed", EndCause::Unreachable),
        ("canceled", EndCause::Cancelled),
        ("completed", EndCause::Remote),
    ] {
        let api = Api::start(vec![MADE]).await;
        let (edge, _calls) = api.line().await;
        let mut leg = edge.dial("+15550122", Duration::from_secs(20)).unwrap();
        let made = made(&api).await;
        status(&edge, &made, says).await;
        let end = ended(&mut *leg, SECONDS).await.unwrap();
        assert_eq!(end.cause, cause, "{says}: {end:?}");
        // The token goes with it.
        until("the token is void", || edge.census().0 == 1).await;
        let mut wire = Wire::open(edge.addr()).await;
        wire.start("CAhuman", &token_in(&made.field("Twiml"))).await;
        assert_eq!(wire.closed().await.0, 1008);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_is_not_wanted_any_more_stops_ringing() {
    let api = Api::start(vec![MADE]).await;
    let (edge, _calls) = api.line().await;
    let mut leg = edge.dial("+15550122", Duration::from_secs(20)).unwrap();
    let made = made(&api).await;
    status(&edge, &made, "ringing").await;
    // As the call's task does: asked to end and dropped in one breath.
    leg.hangup(487, "the caller has left");
    drop(leg);
    until("it was ended", || api.asked().len() == 2).await;
    assert_eq!(api.asked()[1].field("Status"), "completed");
    let mut wire = Wire::open(edge.addr()).await;
    wire.start("CAhuman", &token_in(&made.field("Twiml"))).await;
    assert_eq!(wire.closed().await.0, 1008);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_busy_api_is_asked_again_when_it_says_and_not_for_ever() {
    let later = (
        "429 Too Many Requests",
        "Retry-After: 1\r\n",
        r#"{"code": 20429, "message": "Too Many Requests"}"#,
    );
    let broken = ("503 Service Unavailable", "", "");
    let api = Api::start(vec![later, broken, MADE]).await;
    let (edge, _calls) = api.line().await;
    let mut leg = edge.dial("+15550122", Duration::from_secs(20)).unwrap();
    until("it was asked three times", || api.asked().len() == 3).await;
    let asked = api.asked();
    let waited = asked[1].at.duration_since(asked[0].at);
    assert!(
        (Duration::from_millis(950)..Duration::from_secs(3)).contains(&waited),
        "{waited:?}"
    );
    status(&edge, &asked[2], "ringing").await;
    assert_eq!(signal(&mut *leg).await, Signal::Ringing);

    for (answer, cause, says, tries) in [
        (
            (
                "400 Bad Request",
                "",
                r#"{"code": 21211, "message": "The 'To' number is not valid"}"#,
            ),
            EndCause::Unreachable,
            "21211",
            1,
        ),
        (
            (
                "401 Unauthorized",
                "",
                r#"{"code": 20003, "message": "Authenticate"}"#,
            ),
            EndCause::Unreachable,
            "20003",
            1,
        ),
        (
            ("429 Too Many Requests", "Retry-After: 600\r\n", ""),
            EndCause::Failed,
            "429",
            1,
        ),
        (
            ("500 Internal Server Error", "", ""),
            EndCause::Failed,
            "500",
            4,
        ),
        (
            ("201 Created", "", "{}"),
            EndCause::Failed,
            "names no call",
            1,
        ),
    ] {
        let api = Api::start(vec![answer]).await;
        let (edge, _calls) = api.line().await;
        let mut leg = edge.dial("+15550122", Duration::from_secs(20)).unwrap();
        let end = ended(&mut *leg, Duration::from_secs(10)).await.unwrap();
        assert_eq!(end.cause, cause, "{answer:?}: {end:?}");
        assert!(end.detail.contains(says), "{end:?}");
        assert_eq!(api.asked().len(), tries, "{answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_callers_call_is_ended_before_the_number_behind_the_stream_can_ring() {
    let api = Api::start(vec![("200 OK", "", r#"{"sid": "CA1"}"#)]).await;
    let (edge, mut calls) = api.line().await;
    let (mut leg, mut wire) = up(&edge, &mut calls, "CA1").await;
    leg.hangup(200, "goodbye");
    until("the call was ended", || api.asked().len() == 1).await;
    assert_eq!(
        api.asked()[0].path,
        "/2010-04-01/Accounts/AC0123/Calls/CA1.json"
    );
    // Twilio stops the stream; only then is it closed here.
    wire.say(json!({"event": "stop", "streamSid": "MZ1", "stop": {"callSid": "CA1"}}))
        .await;
    assert_eq!(wire.closed().await.0, 1000);
    assert_eq!(
        ended(&mut *leg, SECONDS).await.unwrap().cause,
        EndCause::Ours
    );
}

/// Calls that last longer than a phone rings end like any other: nothing is left that keeps a thread busy, and the listener answers on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn long_calls_end_and_leave_every_thread_free() {
    const CALLS: usize = 24;
    // What is stuck here is this test's own runtime: only another thread can say so.
    let (done, watch) = std::sync::mpsc::channel::<()>();
    std::thread::spawn(move || {
        if watch.recv_timeout(Duration::from_secs(60))
            == Err(std::sync::mpsc::RecvTimeoutError::Timeout)
        {
            eprintln!("the runtime is stuck");
            std::process::exit(101);
        }
    });
    let api = Api::start(vec![MADE]).await;
    let (edge, _calls) = api.line().await;
    let ring = Duration::from_secs(1);
    let mut legs = Vec::new();
    let mut wires = Vec::new();
    for n in 0..CALLS {
        legs.push(edge.dial(&format!("+155501{n:02}"), ring).unwrap());
        until("the call was asked for", || api.asked().len() == n + 1).await;
        let token = token_in(&api.asked()[n].field("Twiml"));
        let mut wire = Wire::open(edge.addr()).await;
        wire.start(&format!("CAh{n}"), &token).await;
        wires.push(wire);
    }
    // Beyond the ringing and what is allowed for a stream to come.
    tokio::time::sleep(Duration::from_millis(11_500)).await;
    for wire in &mut wires {
        wire.say(json!({"event": "stop", "streamSid": "MZ1", "stop": {"callSid": "x"}}))
            .await;
    }
    until("no stream is left", || edge.census().1 == 0).await;
    let (status, _) = send(edge.addr(), "GET / HTTP/1.1\r\nHost: x", "").await;
    assert_eq!(status, 404);
    drop(done);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_configured_is_said() {
    let mut without = config(&Places::new(1));
    without.caller_id = None;
    let (edge, _calls) = TwilioEdge::start(without).await.unwrap();
    assert!(
        edge.dial("+15550122", SECONDS)
            .err()
            .unwrap()
            .contains("caller_id")
    );
    let (edge, _calls) = TwilioEdge::start(config(&Places::new(1))).await.unwrap();
    assert!(
        edge.dial("+15550122", SECONDS)
            .err()
            .unwrap()
            .contains("public_url")
    );
    let mut taken = config(&Places::new(1));
    taken.listen = edge.addr();
    let why = TwilioEdge::start(taken).await.err().unwrap();
    assert!(
        why.contains("twilio.listen") && why.contains("choose another"),
        "{why}"
    );
}

/// Where conferences are configured: once they talk, caller and human are put together by Twilio, and their calls are not ended with our streams.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn caller_and_human_are_put_in_a_conference() {
    for (answers, told) in [
        (vec![MADE, ("200 OK", "", r#"{"sid": "x"}"#)], 200),
        (
            vec![
                MADE,
                (
                    "400 Bad Request",
                    "",
                    r#"{"code": 21220, "message": "Call is not in-progress"}"#,
                ),
            ],
            503,
        ),
    ] {
        let api = Api::start(answers).await;
        let mut settings = config(&Places::new(8));
        settings.api_url = format!("http://{}", api.addr).parse().unwrap();
        settings.conference = true;
        let (edge, mut calls) = TwilioEdge::start(settings).await.unwrap();
        let (mut caller, mut caller_wire) = up(&edge, &mut calls, "CAcaller").await;
        let mut human = edge.dial("+15550122", Duration::from_secs(20)).unwrap();
        let made = made(&api).await;
        let mut human_wire = Wire::open(edge.addr()).await;
        human_wire
            .start("CAhuman", &token_in(&made.field("Twiml")))
            .await;
        assert_eq!(signal(&mut *human).await, Signal::Answered);
        let place = human.in_our_place().expect("a conference takes them");
        assert!(caller.refer(&place));
        assert!(!human.refer("sip:somebody@h"), "nothing else can be done");
        assert_eq!(signal(&mut *caller).await, Signal::Referred(told));
        let asked = api.asked();
        let calls_moved: Vec<_> = asked[1..].iter().map(|a| a.path.as_str()).collect();
        let of = |sid: &str| format!("/2010-04-01/Accounts/AC0123/Calls/{sid}.json");
        if told == 200 {
            // The human first, so that the caller never waits in an empty room.
            assert_eq!(calls_moved, [of("CAhuman"), of("CAcaller")]);
            assert_eq!(
                asked[1].field("Twiml"),
                asked[2].field("Twiml"),
                "the same room"
            );
            assert!(asked[1].field("Twiml").contains("<Dial><Conference "));
            // Twilio stops both streams; ours are hung up, and nobody's call is ended by that.
            for wire in [&mut caller_wire, &mut human_wire] {
                wire.say(json!({"event": "stop", "streamSid": "MZ1", "stop": {"callSid": "x"}}))
                    .await;
            }
            caller.hangup(200, "released");
            human.hangup(200, "released");
            drop((caller, human));
            until("both streams are gone", || edge.census().1 == 0).await;
            tokio::time::sleep(Duration::from_millis(300)).await;
            assert_eq!(api.asked().len(), 3, "{:?}", api.asked());
        } else {
            assert_eq!(
                calls_moved,
                [of("CAhuman")],
                "the caller stays where they are"
            );
        }
    }
}
