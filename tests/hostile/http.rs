//! Requests to both listeners over real sockets: heads and bodies of the API spoilt, and webhooks that are signed and wrong.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use firstline::edge::http::{ApiError, Ask, HttpEdge, Hub, Line, Who};
use firstline::edge::twilio::{TwilioConfig, TwilioEdge, Words, sign};
use firstline::wire::hostile::Spoiler;
use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A line that answers whatever is asked: what is tried is how questions are read.
#[derive(Default)]
struct Obliging {
    hub: Hub,
    asked: AtomicU64,
}

impl Line for Obliging {
    fn ready(&self) -> Result<(), String> {
        Ok(())
    }
    fn status(&self) -> Value {
        json!({})
    }
    fn metrics(&self) -> String {
        String::new()
    }
    fn live(&self) -> Vec<Value> {
        Vec::new()
    }
    fn calls(
        &self,
        limit: u32,
        _: Option<jiff::Timestamp>,
    ) -> BoxFuture<'_, Result<Value, ApiError>> {
        assert!(limit <= 1_000);
        Box::pin(async { Ok(json!([])) })
    }
    fn call<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Value, ApiError>> {
        assert!(!id.contains(['/', '.', '\\', '\0']), "{id:?}");
        Box::pin(async { Ok(json!({})) })
    }
    fn audio(&self, id: &str) -> Option<std::path::PathBuf> {
        assert!(!id.contains(['/', '.', '\\', '\0']), "{id:?}");
        Some(
            concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/examples/larchpay/callers/short-repeat.wav"
            )
            .into(),
        )
    }
    fn callbacks(&self, _: bool) -> BoxFuture<'_, Result<Value, ApiError>> {
        Box::pin(async { Ok(json!([])) })
    }
    fn callback_done<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<(), ApiError>> {
        Box::pin(async { Ok(()) })
    }
    fn drain(&self) {}
    fn events(&self) -> &Hub {
        &self.hub
    }
    fn ask<'a>(&'a self, _: &'a Who, ask: Ask) -> BoxFuture<'a, Result<Value, ApiError>> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        Box::pin(async move { Ok(json!({ "asked": format!("{ask:?}").len() })) })
    }
}

/// Runs for `time`; how many requests were made.
pub fn run(name: &str, time: Duration) -> u64 {
    // A handler that panics takes only its connection down: it is counted here.
    static PANICS: AtomicU64 = AtomicU64::new(0);
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        PANICS.fetch_add(1, Ordering::SeqCst);
        before(info);
    }));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let done = runtime.block_on(async {
        match name {
            "http" => http(time).await,
            _ => webhook(time).await,
        }
    });
    assert_eq!(PANICS.load(Ordering::SeqCst), 0);
    done
}

fn bodies() -> Vec<Vec<u8>> {
    [
        r#"{"name":"ann","role":"admin","password":"correct horse"}"#,
        r#"{"call_id":"c1","turn":2,"grade":"wrong","note":"the fee is $7"}"#,
        r#"{"id":null,"title":"Late fee","text":"The fee is $7.","intents":["late_fee"],"spoken":"Seven dollars."}"#,
        r#"{"text":"what is the late fee","route":"answer","intent":"late_fee","source":"fee"}"#,
        r#"{"verdict":"edit","text":"Seven dollars."}"#,
        r#"{"mode":"supervised","why":"a week of good calls"}"#,
        r#"{"on":true}"#,
    ]
    .map(|t| t.as_bytes().to_vec())
    .to_vec()
}

const ROUTES: &[&str] = &[
    "POST /api/users",
    "POST /api/grades",
    "POST /api/articles",
    "POST /api/questions",
    "POST /api/reviews/r1",
    "POST /api/pilot/late_fee",
    "POST /api/duty",
    "POST /api/login",
    "GET /api/search?q=late+fee&outcome=resolved&limit=20",
    "GET /api/calls?limit=5&since=2026-11-23T10:00:00Z",
    "GET /api/calls/c1/audio",
    "GET /api/calls/c1",
    "GET /api/report?since=2026-11-01",
    "GET /api/sample?week=2026-W48",
    "DELETE /api/users/ann",
];

async fn http(time: Duration) -> u64 {
    let line = Arc::new(Obliging::default());
    let edge = HttpEdge::start("127.0.0.1:0".parse().unwrap(), None, line.clone())
        .await
        .unwrap();
    let to = edge.addr();
    let (bodies, routes) = (bodies(), ROUTES);
    let paths: Vec<Vec<u8>> = routes.iter().map(|r| r.as_bytes().to_vec()).collect();
    let ranges = [
        b"bytes=0-99".to_vec(),
        b"bytes=-5".to_vec(),
        b"bytes=3-".to_vec(),
    ];
    let mut spoiler = Spoiler::new(17 + time.as_secs());
    let (mut done, begun) = (0, Instant::now());
    while begun.elapsed() < time {
        let route = routes[done as usize % routes.len()].as_bytes();
        // Every third has a head that is spoilt, too: those may be refused without a word.
        let spoilt_head = done % 3 == 2;
        let head = if spoilt_head {
            spoiler.next(&paths)
        } else {
            route.to_vec()
        };
        let body = spoiler.next(&bodies);
        let mut request = head;
        request.extend(format!(" HTTP/1.1\r\nHost: {to}\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: {}\r\n", body.len()).bytes());
        if route.ends_with(b"audio") {
            let range = spoiler.next(&ranges);
            let plain = range.iter().all(|b| (32..127).contains(b));
            if plain {
                request.extend([b"Range: ", &range[..], b"\r\n"].concat());
            }
        }
        request.extend(b"\r\n");
        request.extend(&body);
        let status = exchange(to, &request).await;
        match status {
            Some(status) => assert!(
                (100..500).contains(&status),
                "{status} to {}",
                String::from_utf8_lossy(&request)
            ),
            None => assert!(
                spoilt_head,
                "no answer to {}",
                String::from_utf8_lossy(&request)
            ),
        }
        done += 1;
    }
    assert!(line.asked.load(Ordering::Relaxed) > 0, "some get through");
    done
}

async fn webhook(time: Duration) -> u64 {
    const TOKEN: &str = "hostile";
    let config = TwilioConfig {
        names: &firstline::wire::providers::TWILIO,
        conference: false,
        listen: "127.0.0.1:0".parse().unwrap(),
        account_sid: "AC0123".into(),
        auth_token: TOKEN.into(),
        caller_id: None,
        public_url: None,
        node_url: None,
        together: None,
        api_url: "http://127.0.0.1:9".parse().unwrap(),
        // Full: what is kept for a minute would be the test's, not the reader's.
        admit: Arc::new(|| Err(20)),
        overflow: None,
        fallback: None,
        words: Words::default(),
        connections: 16,
    };
    let (edge, _calls) = TwilioEdge::start(config).await.unwrap();
    let to = edge.addr();
    let forms = [
        b"AccountSid=AC0123&CallSid=CA1&CallStatus=ringing&From=%2B15550100&To=%2B15550199&CallerCity=S%C3%A3o+Paulo&StirVerstat=TN-Validation-Passed-A".to_vec(),
        b"CallSid=CA1&CallStatus=completed&CallDuration=12".to_vec(),
    ];
    let paths = [
        "/twilio/voice",
        "/twilio/voice?again=1",
        "/twilio/status?leg=a",
        "/twilio/status",
    ];
    let mut spoiler = Spoiler::new(23 + time.as_secs());
    let (mut done, mut let_in, begun) = (0_u64, 0_u64, Instant::now());
    while begun.elapsed() < time {
        let path = paths[done as usize % paths.len()];
        let body = spoiler.next(&forms);
        let params: Vec<(String, String)> =
            url::form_urlencoded::parse(&body).into_owned().collect();
        let signature = sign(TOKEN, &format!("http://{to}{path}"), &params);
        let mut request = format!("POST {path} HTTP/1.1\r\nHost: {to}\r\nX-Twilio-Signature: {signature}\r\nContent-Type: application/x-www-form-urlencoded\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len()).into_bytes();
        request.extend(&body);
        let status = exchange(to, &request).await;
        let known = matches!(status, Some(200 | 204 | 400 | 403 | 409));
        assert!(known, "{status:?} to {}", String::from_utf8_lossy(&request));
        let_in += u64::from(matches!(status, Some(200 | 204)));
        done += 1;
    }
    assert!(let_in > 0, "some get through");
    done
}

/// The status of the answer; none where there was none.
async fn exchange(to: SocketAddr, request: &[u8]) -> Option<u16> {
    let talk = async {
        let mut socket = TcpStream::connect(to).await.ok()?;
        // A listener that has refused the head may close before the body is out.
        let _ = socket.write_all(request).await;
        let mut answer = [0; 32];
        let mut got = 0;
        while got < 12 {
            match socket.read(&mut answer[got..]).await {
                Ok(0) | Err(_) => return None,
                Ok(n) => got += n,
            }
        }
        std::str::from_utf8(&answer[9..12]).ok()?.parse().ok()
    };
    tokio::time::timeout(Duration::from_secs(20), talk)
        .await
        .unwrap_or_else(|_| panic!("no end to {}", String::from_utf8_lossy(request)))
}
