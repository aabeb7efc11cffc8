//! The API over a real socket, with a line that is made up.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

const TOKEN: &str = "a-token-for-the-tests";

#[derive(Default)]
struct Made {
    hub: Hub,
    /// Sessions and tokens, by digest. None: nobody has a password.
    people: Option<Mutex<std::collections::HashMap<String, Who>>>,
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
    fn has_users(&self) -> BoxFuture<'_, bool> {
        Box::pin(async move { self.people.is_some() })
    }
    fn who<'a>(&'a self, digest: &'a str) -> BoxFuture<'a, Result<Option<Who>, ApiError>> {
        Box::pin(async move {
            let people = self.people.as_ref();
            Ok(people.and_then(|p| p.lock().unwrap().get(digest).cloned()))
        })
    }
    fn log_in<'a>(
        &'a self,
        name: &'a str,
        password: &'a str,
        session: &'a NewSession,
    ) -> BoxFuture<'a, Result<Option<Who>, ApiError>> {
        Box::pin(async move {
            let (Some(people), Some(role)) = (&self.people, Role::read(name)) else {
                return Ok(None);
            };
            let who = Who {
                name: name.into(),
                role,
                csrf: Some(session.csrf.clone()),
            };
            if password != "right" {
                return Ok(None);
            }
            people
                .lock()
                .unwrap()
                .insert(session.digest.clone(), who.clone());
            Ok(Some(who))
        })
    }
    fn log_out<'a>(&'a self, digest: &'a str) -> BoxFuture<'a, Result<(), ApiError>> {
        Box::pin(async move {
            if let Some(people) = &self.people {
                people.lock().unwrap().remove(digest);
            }
            Ok(())
        })
    }
    fn ask<'a>(&'a self, who: &'a Who, ask: Ask) -> BoxFuture<'a, Result<Value, ApiError>> {
        self.asked.lock().unwrap().push(format!("{ask:?}"));
        Box::pin(async move { Ok(json!({ "by": who.name })) })
    }
    fn listen_in(&self, _: &Who, id: &str, _: tokio::sync::mpsc::Sender<Both>) -> bool {
        id == "live-1"
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
    with_people(token, false).await
}

async fn with_people(token: Option<&str>, people: bool) -> Running {
    let wav = std::env::temp_dir().join(format!("firstline-http-{}.wav", uuid::Uuid::new_v4()));
    std::fs::write(
        &wav,
        (0..200_000u32).map(|n| (n % 251) as u8).collect::<Vec<_>>(),
    )
    .unwrap();
    let line = Arc::new(Made {
        people: people.then(Mutex::default),
        wav: wav.clone(),
        ..Made::default()
    });
    let edge = HttpEdge::start("127.0.0.1:0".parse().unwrap(), token, line.clone())
        .await
        .unwrap();
    Running { edge, line, wav }
}

/// One request, written by hand so that odd paths and headers go out as they are. Head and body of the answer.
async fn ask(at: &Running, request: &str, headers: &[&str]) -> (u16, String, Vec<u8>) {
    send(at, request, headers, "").await
}

async fn send(at: &Running, request: &str, headers: &[&str], body: &str) -> (u16, String, Vec<u8>) {
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
        "{request} HTTP/1.1\r\n{host}{lines}Content-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
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

/// Logs in; the cookie, and the CSRF secret.
async fn logged_in(at: &Running, name: &str) -> (String, String) {
    let given = format!("{{\"name\":\"{name}\",\"password\":\"right\"}}");
    let mut socket = tokio::net::TcpStream::connect(at.edge.addr())
        .await
        .unwrap();
    let text = format!(
        "POST /api/login HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{given}",
        at.edge.addr(),
        given.len()
    );
    socket.write_all(text.as_bytes()).await.unwrap();
    let mut all = String::new();
    socket.read_to_string(&mut all).await.unwrap();
    let (head, body) = all.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{all}");
    let cookie = head
        .lines()
        .find_map(|l| l.strip_prefix("set-cookie: "))
        .unwrap();
    for rule in ["HttpOnly", "SameSite=Strict", "Path=/"] {
        assert!(cookie.contains(rule), "{cookie}");
    }
    let cookie = cookie.split(';').next().unwrap().to_owned();
    let about: Value = serde_json::from_str(body).unwrap();
    (cookie, about["csrf"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn a_missing_stolen_or_made_up_cookie_lets_nothing_in() {
    let at = with_people(None, true).await;
    let (cookie, csrf) = logged_in(&at, "admin").await;
    let (with, right) = (format!("Cookie: {cookie}"), format!("X-CSRF-Token: {csrf}"));
    let me = ask(&at, "GET /api/me", &[&with]).await;
    assert_eq!(me.0, 200);
    let other = logged_in(&at, "agent").await;
    for (what, headers) in [
        ("nothing", vec![]),
        (
            "made up",
            vec!["Cookie: firstline_session=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"],
        ),
        (
            "its digest",
            vec![
                "Cookie: firstline_session=9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            ],
        ),
        ("empty", vec!["Cookie: firstline_session="]),
        ("as a token", vec!["Authorization: Bearer x"]),
    ] {
        for path in [
            "GET /api/calls",
            "GET /api/me",
            "GET /metrics",
            "GET /api/events",
            "POST /api/drain",
            "GET /api/calls/live-1/listen",
        ] {
            assert_eq!(ask(&at, path, &headers).await.0, 401, "{path} with {what}");
        }
    }
    // A session's cookie is no bearer token.
    let bearer = format!(
        "Authorization: Bearer {}",
        cookie.split_once('=').unwrap().1
    );
    assert_eq!(ask(&at, "GET /api/calls", &[&bearer]).await.0, 401);
    // Without the secret that only our page knows, with another's, or from elsewhere, nothing is changed.
    let drain = "POST /api/drain";
    let wrong = format!("X-CSRF-Token: {}", other.1);
    for headers in [
        vec![with.as_str()],
        vec![with.as_str(), "X-CSRF-Token: "],
        vec![with.as_str(), wrong.as_str()],
        vec![
            with.as_str(),
            right.as_str(),
            "Origin: https://evil.example",
        ],
    ] {
        assert_eq!(ask(&at, drain, &headers).await.0, 403, "{headers:?}");
    }
    let upgrade = [
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ];
    let mut hijack = upgrade.to_vec();
    hijack.extend([with.as_str(), "Origin: https://evil.example"]);
    assert_eq!(
        ask(&at, "GET /api/calls/live-1/listen", &hijack).await.0,
        403,
        "a socket from another site"
    );
    assert!(!at.line.draining.load(Ordering::SeqCst));
    assert_eq!(ask(&at, drain, &[&with, &right]).await.0, 200);
    // Out, and the cookie is worth nothing.
    assert_eq!(ask(&at, "POST /api/logout", &[&with, &right]).await.0, 204);
    assert_eq!(ask(&at, "GET /api/me", &[&with]).await.0, 401);
}

#[tokio::test]
async fn each_role_may_do_its_own() {
    let at = with_people(None, true).await;
    let paths = [
        ("GET /api/today", "", Role::Agent),
        ("GET /api/search?q=x", "", Role::Agent),
        ("POST /api/calls/live-1/end", "", Role::Agent),
        ("GET /api/reviews", "", Role::Reviewer),
        (
            "POST /api/reviews/r1",
            "{\"verdict\":\"approved\"}",
            Role::Reviewer,
        ),
        (
            "POST /api/grades",
            "{\"call_id\":\"c1\",\"turn\":null,\"grade\":\"good\"}",
            Role::Reviewer,
        ),
        (
            "POST /api/articles",
            "{\"title\":\"x\",\"text\":\"y\"}",
            Role::Reviewer,
        ),
        (
            "POST /api/pilot/late_fee",
            "{\"mode\":\"human\",\"why\":\"x\"}",
            Role::Admin,
        ),
        ("GET /api/users", "", Role::Admin),
        ("DELETE /api/users/abe", "", Role::Admin),
    ];
    for role in [Role::Agent, Role::Reviewer, Role::Admin] {
        let (cookie, csrf) = logged_in(&at, role.word()).await;
        let headers = [format!("Cookie: {cookie}"), format!("X-CSRF-Token: {csrf}")];
        let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
        for (path, body, least) in paths {
            at.line.asked.lock().unwrap().clear();
            let (status, _, said) = send(&at, path, &headers, body).await;
            let want = if role >= least { 200 } else { 403 };
            assert_eq!(
                status,
                want,
                "{path} as {role:?}: {}",
                String::from_utf8_lossy(&said)
            );
            assert_eq!(
                at.line.asked.lock().unwrap().len(),
                usize::from(role >= least),
                "{path}"
            );
        }
    }
}

#[tokio::test]
async fn passwords_cannot_be_guessed_quickly() {
    let at = with_people(None, true).await;
    let wrong = "{\"name\":\"admin\",\"password\":\"guess\"}";
    let mut seen = Vec::new();
    for _ in 0..8 {
        seen.push(send(&at, "POST /api/login", &[], wrong).await.0);
    }
    assert_eq!(seen, [401, 401, 401, 401, 401, 429, 429, 429]);
    let right = wrong.replace("guess", "right");
    assert_eq!(
        send(&at, "POST /api/login", &[], &right).await.0,
        429,
        "not even the right one, yet"
    );
    let elsewhere = wrong.replace("admin", "agent");
    let headers = ["Origin: https://evil.example"];
    assert_eq!(
        send(&at, "POST /api/login", &headers, &elsewhere).await.0,
        403
    );
    for bad in ["", "[]", "{}", "{\"name\":\"\",\"password\":\"x\"}"] {
        assert_eq!(send(&at, "POST /api/login", &[], bad).await.0, 400, "{bad}");
    }
}

#[tokio::test]
async fn ids_in_orders_are_no_paths_either() {
    let at = running(None).await;
    for id in [
        "..%2f..%2fetc%2fpasswd",
        "%2e%2e",
        "a%2fb",
        "a%00b",
        ".hidden",
        "a..b",
    ] {
        for path in [
            format!("GET /api/calls/{id}/events"),
            format!("GET /api/calls/{id}/peaks"),
            format!("POST /api/calls/{id}/end"),
            format!("GET /api/calls/{id}/listen"),
            format!("DELETE /api/users/{id}"),
        ] {
            let status = ask(&at, &path, &[]).await.0;
            assert!(status == 404 || status == 400, "{path}: {status}");
        }
    }
    assert!(at.line.asked.lock().unwrap().is_empty());
}
