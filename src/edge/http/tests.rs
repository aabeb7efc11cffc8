//! The API over a real socket, with a line that is made up.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

const TOKEN: &str = "a-token-for-the-tests";

struct Made {
    hub: Hub,
    draining: AtomicBool,
    asked: Mutex<Vec<String>>,
    wav: PathBuf,
}

impl Line for Made {
    fn ready(&self) -> Result<(), String> {
        if self.draining.load(Ordering::SeqCst) {
            Err("draining".into())
        } else {
            Ok(())
        }
    }
    fn status(&self) -> Value {
        json!({ "draining": self.draining.load(Ordering::SeqCst) })
    }
    fn metrics(&self) -> String {
        "firstline_calls_active 0\n".into()
    }
    fn live(&self) -> Vec<Value> {
        vec![json!({ "id": "live-1", "from": "<script>alert(1)</script>\n\ndata: x" })]
    }
    fn calls(
        &self,
        limit: u32,
        since: Option<jiff::Timestamp>,
    ) -> BoxFuture<'_, Result<Value, ApiError>> {
        Box::pin(async move {
            Ok(json!([{ "id": "c1", "limit": limit, "since": since.map(|s| s.to_string()) }]))
        })
    }
    fn call<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Value, ApiError>> {
        self.asked.lock().unwrap().push(id.to_owned());
        Box::pin(async move {
            if id == "c1" {
                Ok(json!({ "id": id }))
            } else {
                Err(ApiError::NotFound("none".into()))
            }
        })
    }
    fn audio(&self, id: &str) -> Option<PathBuf> {
        self.asked.lock().unwrap().push(id.to_owned());
        (id == "c1").then(|| self.wav.clone())
    }
    fn callbacks(&self, all: bool) -> BoxFuture<'_, Result<Value, ApiError>> {
        Box::pin(async move { Ok(json!([{ "all": all }])) })
    }
    fn callback_done<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<(), ApiError>> {
        Box::pin(async move {
            if id == "b1" {
                Ok(())
            } else {
                Err(ApiError::NotFound("none".into()))
            }
        })
    }
    fn drain(&self) {
        self.draining.store(true, Ordering::SeqCst);
    }
    fn events(&self) -> &Hub {
        &self.hub
    }
}

struct Running {
    edge: HttpEdge,
    line: Arc<Made>,
    wav: PathBuf,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.wav);
    }
}

async fn running(token: Option<&str>) -> Running {
    let wav = std::env::temp_dir().join(format!("firstline-http-{}.wav", uuid::Uuid::new_v4()));
    std::fs::write(
        &wav,
        (0..200_000u32).map(|n| (n % 251) as u8).collect::<Vec<_>>(),
    )
    .unwrap();
    let line = Arc::new(Made {
        hub: Hub::new(),
        draining: AtomicBool::new(false),
        asked: Mutex::default(),
        wav: wav.clone(),
    });
    let edge = HttpEdge::start("127.0.0.1:0".parse().unwrap(), token, line.clone())
        .await
        .unwrap();
    Running { edge, line, wav }
}

/// One request, written by hand so that odd paths and headers go out as they are. Head and body of the answer.
async fn ask(at: &Running, request: &str, headers: &[&str]) -> (u16, String, Vec<u8>) {
    let mut socket = tokio::net::TcpStream::connect(at.edge.addr())
        .await
        .unwrap();
    let host = if headers
        .iter()
        .any(|h| h.to_lowercase().starts_with("host:"))
    {
        String::new()
    } else {
        format!("Host: {}\r\n", at.edge.addr())
    };
    let lines: String = headers.iter().map(|h| format!("{h}\r\n")).collect();
    let text = format!(
        "{request} HTTP/1.1\r\n{host}{lines}Content-Length: 0\r\nConnection: close\r\n\r\n"
    );
    socket.write_all(text.as_bytes()).await.unwrap();
    let mut all = Vec::new();
    let _ = socket.read_to_end(&mut all).await;
    let split = all
        .windows(4)
        .position(|w| w == b"\r\n\r\n")
        .map_or(all.len(), |p| p + 4);
    let head = String::from_utf8_lossy(&all[..split]).to_lowercase();
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|s| s.parse().ok())
        .unwrap_or(0);
    (status, head, all[split..].to_vec())
}

#[tokio::test]
async fn every_door_asks_for_the_token_and_health_does_not() {
    let at = running(Some(TOKEN)).await;
    let right = format!("Authorization: Bearer {TOKEN}");
    for path in [
        "GET /metrics",
        "GET /api/status",
        "GET /api/calls",
        "GET /api/calls/c1",
        "GET /api/calls/c1/audio",
        "GET /api/callbacks",
        "POST /api/callbacks/b1/done",
    ] {
        assert_eq!(ask(&at, path, &[]).await.0, 401, "{path}");
        for wrong in [
            "Authorization: Bearer",
            "Authorization: Bearer a-token-for-the-test",
            "Authorization: Basic a-token-for-the-tests",
        ] {
            assert_eq!(ask(&at, path, &[wrong]).await.0, 401, "{path} {wrong}");
        }
        assert_eq!(ask(&at, path, &[&right]).await.0, 200, "{path}");
    }
    assert_eq!(ask(&at, "GET /api/events", &[]).await.0, 401);
    assert_eq!(ask(&at, "POST /api/drain", &[]).await.0, 401);
    assert!(!at.line.draining.load(Ordering::SeqCst));
    for open in [
        "GET /healthz",
        "GET /readyz",
        "GET /console",
        "GET /console/console.js",
    ] {
        let (status, head, _) = ask(&at, open, &[]).await;
        assert_eq!(status, 200, "{open}");
        assert!(
            head.contains("content-security-policy: default-src 'none'; script-src 'self'"),
            "{open}"
        );
        assert!(head.contains("x-content-type-options: nosniff"));
    }
}

#[tokio::test]
async fn without_a_token_only_this_computer_by_name_is_let_in() {
    let at = running(None).await;
    for (host, status) in [
        ("localhost:8080", 200),
        ("127.0.0.1", 200),
        ("[::1]:8080", 200),
        ("evil.example", 403),
        ("127.0.0.1.evil.example:80", 403),
        ("", 403),
    ] {
        assert_eq!(
            ask(&at, "GET /api/calls", &[&format!("Host: {host}")])
                .await
                .0,
            status,
            "{host}"
        );
    }
    let host = format!("Host: {}", at.edge.addr());
    assert_eq!(
        ask(
            &at,
            "POST /api/drain",
            &[&host, "Origin: https://evil.example"]
        )
        .await
        .0,
        403
    );
    assert_eq!(
        ask(&at, "POST /api/drain", &[&host, "Origin: null"])
            .await
            .0,
        403
    );
    assert!(!at.line.draining.load(Ordering::SeqCst));
    let own = format!("Origin: http://{}", at.edge.addr());
    assert_eq!(ask(&at, "POST /api/drain", &[&host, &own]).await.0, 200);
    let (status, _, body) = ask(&at, "GET /readyz", &[]).await;
    assert_eq!((status, body.as_slice()), (503, b"draining\n".as_slice()));
}

#[tokio::test]
async fn ids_that_are_paths_never_reach_the_line() {
    let at = running(None).await;
    for id in [
        "..%2f..%2fetc%2fpasswd",
        "%2e%2e",
        "..",
        "a%2fb",
        "a%00b",
        "a%5cb",
        ".hidden",
        "a..b",
        "%ff",
    ] {
        for path in [
            format!("GET /api/calls/{id}"),
            format!("GET /api/calls/{id}/audio"),
        ] {
            let status = ask(&at, &path, &[]).await.0;
            assert!(status == 404 || status == 400, "{path}: {status}");
        }
    }
    assert!(at.line.asked.lock().unwrap().is_empty());
    assert!(!valid_id(&"a".repeat(129)) && valid_id("019a-b_c.1"));
}

#[tokio::test]
async fn lists_and_records_and_what_is_wrong_with_a_request() {
    let at = running(None).await;
    let (_, _, body) = ask(
        &at,
        "GET /api/calls?limit=5&since=2026-11-23T10:00:00Z",
        &[],
    )
    .await;
    assert_eq!(
        serde_json::from_slice::<Value>(&body).unwrap(),
        json!([{ "id": "c1", "limit": 5, "since": "2026-11-23T10:00:00Z" }])
    );
    let (_, _, body) = ask(&at, "GET /api/calls?limit=4000000000", &[]).await;
    assert_eq!(
        serde_json::from_slice::<Value>(&body).unwrap()[0]["limit"],
        LIST_MAX
    );
    for bad in [
        "GET /api/calls?limit=-1",
        "GET /api/calls?since=yesterday",
        "GET /api/callbacks?status=maybe",
    ] {
        let (status, _, body) = ask(&at, bad, &[]).await;
        assert_eq!(status, 400, "{bad}");
        assert!(serde_json::from_slice::<Value>(&body).unwrap()["error"].is_string());
    }
    assert_eq!(ask(&at, "GET /api/calls/nobody", &[]).await.0, 404);
    assert_eq!(
        ask(&at, "POST /api/callbacks/nobody/done", &[]).await.0,
        404
    );
    assert_eq!(ask(&at, "GET /api/callbacks/b1/done", &[]).await.0, 405);
    assert_eq!(ask(&at, "GET /nowhere", &[]).await.0, 404);
}

#[tokio::test]
async fn a_recording_comes_whole_and_in_part() {
    let at = running(None).await;
    let whole = std::fs::read(&at.wav).unwrap();
    let (status, head, body) = ask(&at, "GET /api/calls/c1/audio", &[]).await;
    assert_eq!((status, body == whole), (200, true));
    assert!(head.contains("content-type: audio/wav") && head.contains("accept-ranges: bytes"));
    let (status, head, body) = ask(
        &at,
        "GET /api/calls/c1/audio",
        &["Range: bytes=100000-199999"],
    )
    .await;
    assert_eq!((status, body == whole[100_000..]), (206, true));
    assert!(
        head.contains("content-range: bytes 100000-199999/200000"),
        "{head}"
    );
    assert_eq!(
        ask(&at, "GET /api/calls/c1/audio", &["Range: bytes=200000-"])
            .await
            .0,
        416
    );
    assert_eq!(ask(&at, "GET /api/calls/other/audio", &[]).await.0, 404);
}

#[tokio::test]
async fn events_begin_with_what_is_in_progress_and_end_with_the_line() {
    let at = running(None).await;
    let mut socket = tokio::net::TcpStream::connect(at.edge.addr())
        .await
        .unwrap();
    socket
        .write_all(b"GET /api/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await
        .unwrap();
    let mut seen = String::new();
    let mut buffer = [0; 4096];
    while !seen.contains("event: calls") {
        let n = socket.read(&mut buffer).await.unwrap();
        seen.push_str(&String::from_utf8_lossy(&buffer[..n]));
    }
    assert!(seen.contains("text/event-stream"));
    assert!(
        seen.contains(r"<script>alert(1)</script>\n\ndata: x"),
        "a line break in the data stays inside its line: {seen}"
    );
    at.line.hub.publish("call", &json!({ "id": "live-1" }));
    while !seen.contains("event: call\n") {
        let n = socket.read(&mut buffer).await.unwrap();
        assert!(n > 0);
        seen.push_str(&String::from_utf8_lossy(&buffer[..n]));
    }
    at.edge.stop.cancel();
    let ended = tokio::time::timeout(
        std::time::Duration::from_secs(5),
        socket.read_to_string(&mut seen),
    )
    .await;
    assert!(ended.is_ok(), "the stream ends when the listener stops");
}
