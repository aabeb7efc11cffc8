//! The back office against a real server on loopback that misbehaves on purpose.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use crate::desk::{Outcome, Request, Terms};
use crate::runtime::actions::perform_recorded;
use crate::store::{Intent, Store};

/// A server that answers by the path's last word, counts requests and keeps the last one.
struct Server {
    url: String,
    hits: Arc<AtomicUsize>,
    last: Arc<std::sync::Mutex<String>>,
}

async fn server() -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/api", listener.local_addr().unwrap());
    let (hits, last) = (
        Arc::new(AtomicUsize::new(0)),
        Arc::new(std::sync::Mutex::new(String::new())),
    );
    let (counted, kept) = (hits.clone(), last.clone());
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let (hits, last) = (counted.clone(), kept.clone());
            tokio::spawn(async move {
                let mut seen = Vec::new();
                let mut buffer = [0; 4096];
                // Headers, and a body where there is a length: enough for what these tests send.
                loop {
                    let n = socket.read(&mut buffer).await.unwrap_or(0);
                    seen.extend_from_slice(&buffer[..n]);
                    let text = String::from_utf8_lossy(&seen).into_owned();
                    if let Some((head, body)) = text.split_once("\r\n\r\n") {
                        let lower = head.to_lowercase();
                        let length = lower
                            .split("content-length: ")
                            .nth(1)
                            .and_then(|t| t.lines().next()?.trim().parse().ok());
                        if body.len() >= length.unwrap_or(0) {
                            break;
                        }
                    }
                    if n == 0 {
                        return;
                    }
                }
                hits.fetch_add(1, Ordering::SeqCst);
                let text = String::from_utf8_lossy(&seen).into_owned();
                let path = text.split(' ').nth(1).unwrap_or("").to_owned();
                *last.lock().unwrap() = text;
                let reply = |status: &str, body: &str| {
                    format!(
                        "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                        body.len()
                    )
                };
                let answer = match path.split('?').next().unwrap_or("").rsplit('/').next().unwrap_or("") {
                    "ok" => reply("200 OK", r#"{"amount":"12.50"}"#),
                    "empty" => reply("204 No Content", ""),
                    "missing" => reply("404 Not Found", "{}"),
                    "refused" => reply("409 Conflict", r#"{"error":"already moved"}"#),
                    "broken" => reply("200 OK", "{\"amount\": "),
                    "html" => reply("200 OK", "<html>login</html>"),
                    "error" => reply("500 Internal Server Error", r#"{"amount":"12.50"}"#),
                    "busy" => reply("503 Service Unavailable", ""),
                    "moved" => "HTTP/1.1 307 Temporary Redirect\r\nlocation: ok\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".into(),
                    "away" => "HTTP/1.1 302 Found\r\nlocation: http://localhost:9/steal\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".into(),
                    "cut" => return,
                    "half" => "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"amount\":".into(),
                    "huge" => reply("200 OK", &format!("\"{}\"", "x".repeat(2 * 1024 * 1024))),
                    "slow" => {
                        tokio::time::sleep(Duration::from_secs(5)).await;
                        return;
                    }
                    _ => reply("400 Bad Request", "what?"),
                };
                let _ = socket.write_all(answer.as_bytes()).await;
            });
        }
    });
    Server { url, hits, last }
}

fn read(path: &str) -> Request {
    Request {
        id: 1,
        method: "GET".into(),
        path: path.into(),
        body: None,
        name: "lookup".into(),
        ..Request::default()
    }
}

fn write(path: &str, key: &str) -> Request {
    Request {
        method: "POST".into(),
        body: Some(json!({ "date": "2026-12-01" })),
        idempotency_key: Some(key.into()),
        name: "reschedule".into(),
        ..read(path)
    }
}

fn office(server: &Server) -> HttpBackoffice {
    HttpBackoffice::new(
        &server.url,
        Some("Bearer sesame".into()),
        Duration::from_millis(400),
    )
    .unwrap()
}

fn kind(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Done(_) => "done",
        Outcome::NotFound => "not found",
        Outcome::Refused(_) => "refused",
        Outcome::Failed(_) => "failed",
        Outcome::Unknown(_) => "unknown",
        Outcome::Before(_) => "done before",
        Outcome::Limited => "limited",
        Outcome::DryRun => "dry run",
    }
}

#[tokio::test]
async fn each_answer_means_what_it_says() {
    let server = server().await;
    let office = office(&server);
    for (path, as_read, as_write) in [
        ("/ok", "done", "done"),
        ("/empty", "done", "done"),
        ("/missing", "not found", "not found"),
        ("/refused", "refused", "refused"),
        ("/broken", "unknown", "unknown"),
        ("/html", "unknown", "unknown"),
        ("/error", "unknown", "unknown"),
        ("/busy", "unknown", "unknown"),
        ("/cut", "unknown", "unknown"),
        ("/half", "unknown", "unknown"),
        ("/huge", "unknown", "unknown"),
        ("/slow", "unknown", "unknown"),
        ("/away", "unknown", "unknown"),
        ("/moved", "done", "unknown"),
        ("/../ok", "failed", "failed"),
        ("/x/%2e%2e/ok", "failed", "failed"),
        ("/x\\..\\ok", "failed", "failed"),
    ] {
        let got = office.perform(&read(path)).await;
        assert_eq!(kind(&got), as_read, "GET {path}: {got:?}");
        let before = server.hits.load(Ordering::SeqCst);
        let got = office.perform(&write(path, "k")).await;
        assert_eq!(kind(&got), as_write, "POST {path}: {got:?}");
        assert!(
            server.hits.load(Ordering::SeqCst) - before <= 1,
            "POST {path} was sent more than once"
        );
    }
    assert_eq!(
        office.perform(&read("/ok")).await,
        Outcome::Done(json!({ "amount": "12.50" }))
    );
    assert_eq!(
        office.perform(&read("/empty")).await,
        Outcome::Done(json!(null))
    );
}

#[tokio::test]
async fn what_is_sent_is_what_was_asked() {
    let server = server().await;
    office(&server)
        .perform(&write("//payments/7/ok?x=%2B1", "key-1"))
        .await;
    let sent = server.last.lock().unwrap().to_lowercase();
    assert!(
        sent.starts_with("post /api/payments/7/ok?x=%2b1 http/1.1\r\n"),
        "{sent}"
    );
    assert!(sent.contains("idempotency-key: key-1\r\n"));
    assert!(sent.contains("authorization: bearer sesame\r\n"));
    assert!(sent.contains("content-type: application/json\r\n"));
    assert!(sent.ends_with(r#"{"date":"2026-12-01"}"#));
}

#[tokio::test]
async fn nobody_there_means_nothing_was_sent() {
    // A port that no system hands out.
    let office = HttpBackoffice::new("http://127.0.0.1:1", None, Duration::from_secs(1)).unwrap();
    assert_eq!(kind(&office.perform(&write("/ok", "k")).await), "failed");
    assert!(office.reachable().await.is_err());
}

#[test]
fn a_bad_address_is_refused() {
    for bad in ["", "example.com", "ftp://x", "http://", "http://h/?q=1"] {
        assert!(
            HttpBackoffice::new(bad, None, Duration::from_secs(1)).is_err(),
            "{bad}"
        );
    }
    assert!(HttpBackoffice::new("http://h", Some("a\nb".into()), Duration::from_secs(1)).is_err());
}

async fn store() -> (Store, std::path::PathBuf) {
    let dir = std::env::temp_dir().join(format!("firstline-backoffice-{}", uuid::Uuid::new_v4()));
    let store = Store::open(&format!("sqlite:{}/l.db", dir.display()))
        .await
        .unwrap();
    (store, dir)
}

#[tokio::test]
async fn a_write_is_sent_once_whatever_is_asked() {
    let server = server().await;
    let office = Backoffice::from(office(&server));
    let (store, dir) = store().await;

    let first = perform_recorded(&store, &office, "call", &write("/ok", "a")).await;
    let again = perform_recorded(&store, &office, "call", &write("/ok", "a")).await;
    assert_eq!(first, again);
    assert_eq!(
        server.hits.load(Ordering::SeqCst),
        1,
        "the second is answered from the ledger"
    );

    let other = perform_recorded(&store, &office, "call", &write("/refused", "a")).await;
    assert_eq!(kind(&other), "refused");
    assert_eq!(
        server.hits.load(Ordering::SeqCst),
        1,
        "a key is good for one request"
    );

    let cut = perform_recorded(&store, &office, "call", &write("/cut", "b")).await;
    let cut_again = perform_recorded(&store, &office, "call", &write("/cut", "b")).await;
    assert_eq!((kind(&cut), kind(&cut_again)), ("unknown", "unknown"));
    assert_eq!(
        server.hits.load(Ordering::SeqCst),
        2,
        "an unknown write is never sent again"
    );

    // As after a crash between claim and answer.
    let lost = write("/ok", "c");
    let sent = json!({ "method": lost.method, "path": lost.path, "body": lost.body });
    let intent = Intent {
        key: "c",
        call_id: "call",
        action: "reschedule",
        request: &sent,
        node: "gone",
        lease: Duration::ZERO,
        terms: &Terms::default(),
        effect: None,
    };
    store.claim(&intent).await.unwrap();
    assert_eq!(
        kind(&perform_recorded(&store, &office, "call", &lost).await),
        "unknown"
    );
    assert_eq!(server.hits.load(Ordering::SeqCst), 2);

    // Without a ledger, nothing goes out.
    store.close().await;
    assert_eq!(
        kind(&perform_recorded(&store, &office, "call", &write("/ok", "d")).await),
        "failed"
    );
    assert_eq!(server.hits.load(Ordering::SeqCst), 2);
    let _ = std::fs::remove_dir_all(dir);
}

#[tokio::test]
async fn a_hang_up_does_not_lose_the_outcome() {
    let server = server().await;
    let office = HttpBackoffice::new(&server.url, None, Duration::from_millis(300)).unwrap();
    let office = Backoffice::from(office);
    let (store, dir) = store().await;
    let request = write("/slow", "k");
    let dropped = tokio::time::timeout(
        Duration::from_millis(100),
        perform_recorded(&store, &office, "call", &request),
    )
    .await;
    assert!(dropped.is_err());
    for _ in 0..50 {
        if store.open_claims().await.unwrap().is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(
        store.open_claims().await.unwrap().is_empty(),
        "the sending ran on and was settled"
    );
    let _ = std::fs::remove_dir_all(dir);
}
