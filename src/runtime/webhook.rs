//! Delivers packets about calls to the desk's webhook, from an outbox that outlives a restart.
//!
//! Each POST carries `Firstline-Timestamp` (seconds since 1970), `Firstline-Id` (the packet's id, the same at every try: the receiver drops
//! repeats by it) and, where there is a secret, `Firstline-Signature: v1=HEX`, the HMAC-SHA256 (RFC 2104) of `timestamp.body`. A receiver
//! checks it over the bytes it got and refuses old timestamps.

use std::sync::Arc;
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::backoffice::{Post, PostError, poster};
use crate::config::{Secret, Shape};

use super::shapes::Receiver;
use crate::store::{Packet, Store, StoreError};
use crate::telemetry::{Metric, Metrics};

/// For one try.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How often the outbox is looked at when nobody says that there is something.
const LOOK: Duration = Duration::from_secs(5);
/// Waits between tries, in seconds: a human who was dialled needs the packet now, so the first come quickly; given up after the last
/// (about a day). In the first hours no gap is so long that a receiver which is back would not soon be asked.
const WAITS: &[i64] = &[
    1,
    3,
    10,
    30,
    60,
    300,
    600,
    900,
    900,
    900,
    1800,
    3600,
    3600 * 4,
    3600 * 16,
];
/// A receiver that is wrongly set up is put right within the hour, mostly: two more tries, far apart.
const REFUSED: &[i64] = &[900, 3600];

/// Queues packets and delivers them.
#[derive(Debug, Clone)]
pub struct Webhook {
    store: Store,
    receiver: Receiver,
    /// The `Authorization` header, whole.
    auth: Option<Secret>,
    secret: Option<Secret>,
    post: Post,
    metrics: Arc<Metrics>,
    news: Arc<Notify>,
}

impl Webhook {
    /// # Errors
    /// A sentence about why HTTPS cannot be set up.
    pub fn new(
        store: Store,
        receiver: Receiver,
        secret: Option<Secret>,
        auth: Option<Secret>,
        metrics: Arc<Metrics>,
    ) -> Result<Self, String> {
        Ok(Self {
            store,
            receiver,
            auth,
            secret,
            post: poster()?,
            metrics,
            news: Arc::new(Notify::new()),
        })
    }

    /// Puts a packet in the outbox and has it sent at once.
    ///
    /// # Errors
    /// The outbox cannot be written; nothing will be sent.
    pub async fn send(&self, call_id: &str, packet: &Value) -> Result<(), StoreError> {
        self.store
            .queue_packet(call_id, &self.receiver.url, packet)
            .await?;
        self.news.notify_one();
        Ok(())
    }

    /// Delivers until `stop`. What is left waits in the outbox for the next start.
    pub async fn run(self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            if let Err(error) = self.deliver().await {
                tracing::warn!(%error, "the outbox cannot be read");
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.news.notified() => {}
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }

    /// Sends what is due; some at once, so that one receiver that hangs does not hold up the others' packets.
    async fn deliver(&self) -> Result<(), StoreError> {
        loop {
            let due = self.store.due_packets(8).await?;
            if due.is_empty() {
                return Ok(());
            }
            let tries = due.iter().map(|packet| self.try_one(packet));
            for done in futures_util::future::join_all(tries).await {
                done?;
            }
        }
    }

    async fn try_one(&self, packet: &Packet) -> Result<(), StoreError> {
        let known = self.store.packet_ref(&packet.call_id, &packet.url).await?;
        // What cannot be read was not written by us; it is sent as it stands.
        let value: Value = serde_json::from_str(&packet.body).unwrap_or_default();
        let receiver = Receiver {
            url: packet.url.clone(),
            ..self.receiver.clone()
        };
        let mut request = receiver.request(&value, &packet.id, known.as_deref());
        if receiver.shape == Shape::Firstline {
            request.body.clone_from(&packet.body);
        }
        let timestamp = self.store.now().as_second().to_string();
        let mut headers = request.headers;
        headers.push(("firstline-timestamp", timestamp.clone()));
        headers.push(("firstline-id", packet.id.clone()));
        if let Some(secret) = &self.secret {
            headers.push((
                "firstline-signature",
                format!("v1={}", sign(secret.reveal(), &timestamp, &request.body)),
            ));
        }
        if let Some(auth) = &self.auth {
            headers.push(("authorization", auth.reveal().to_owned()));
        }
        let sent = self
            .post
            .request(
                request.method,
                &request.url,
                &headers,
                request.content_type,
                request.body,
                TIMEOUT,
            )
            .await;
        match sent {
            Ok(answer) => {
                if let (None, Some(remote)) = (known, receiver.remote(&answer)) {
                    self.store
                        .set_packet_ref(&packet.call_id, &packet.url, &remote)
                        .await?;
                }
                self.metrics.count(Metric::Webhooks, &["sent"]);
                self.store.packet_sent(&packet.id).await?;
                // It is back: what waits for it need not wait for its time.
                self.store.packets_due_now(&packet.url).await
            }
            Err(failed) => {
                let (why, waits) = match failed {
                    PostError::Later(why) => (why, WAITS),
                    PostError::Refused(why) => (why, REFUSED),
                };
                let wait = waits.get(packet.attempts as usize);
                let next = wait.and_then(|s| {
                    let now = self.store.now();
                    now.checked_add(jiff::SignedDuration::from_secs(*s)).ok()
                });
                let result = if next.is_some() {
                    "retried"
                } else {
                    "given_up"
                };
                self.metrics.count(Metric::Webhooks, &[result]);
                tracing::warn!(call = %packet.call_id, %why, attempts = packet.attempts + 1, "the packet was not delivered ({result})");
                self.store.packet_failed(&packet.id, &why, next).await
            }
        }
    }
}

/// HMAC-SHA256 of `timestamp.body` in hexadecimal.
pub fn sign(secret: &str, timestamp: &str, body: &str) -> String {
    // HMAC takes a key of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else {
        return String::new();
    };
    mac.update(timestamp.as_bytes());
    mac.update(b".");
    mac.update(body.as_bytes());
    mac.finalize()
        .into_bytes()
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use serde_json::json;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    /// A receiver that answers with these statuses in turn (the last one again and again) and keeps what it got.
    async fn receiver(statuses: &'static [&'static str]) -> (String, Arc<Mutex<Vec<String>>>) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let got = Arc::new(Mutex::new(Vec::new()));
        let kept = got.clone();
        tokio::spawn(async move {
            let mut n = 0;
            while let Ok((mut socket, _)) = listener.accept().await {
                let mut seen = Vec::new();
                let mut buffer = [0; 4096];
                let whole = |seen: &[u8]| {
                    let text = String::from_utf8_lossy(seen).into_owned();
                    text.split_once("\r\n\r\n").is_some_and(|(head, body)| {
                        let length = head.to_lowercase().lines().find_map(|l| {
                            l.strip_prefix("content-length: ")?.parse::<usize>().ok()
                        });
                        body.len() >= length.unwrap_or(0)
                    })
                };
                while !whole(&seen) {
                    let read = socket.read(&mut buffer).await.unwrap_or(0);
                    if read == 0 {
                        break;
                    }
                    seen.extend_from_slice(&buffer[..read]);
                }
                kept.lock()
                    .unwrap()
                    .push(String::from_utf8_lossy(&seen).into_owned());
                let status = statuses
                    .get(n)
                    .or(statuses.last())
                    .copied()
                    .unwrap_or("200 OK");
                n += 1;
                // What each vendor calls the ticket it made.
                let body = r#"{"id": 77, "ticket": {"id": 77}}"#;
                let answer = format!(
                    "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                    body.len()
                );
                let _ = socket.write_all(answer.as_bytes()).await;
            }
        });
        (url, got)
    }

    fn to(url: &str, shape: Shape) -> Receiver {
        Receiver {
            shape,
            url: url.into(),
            ticket_type: Some("9".into()),
        }
    }

    async fn store() -> (Store, std::path::PathBuf) {
        let dir = std::env::temp_dir().join(format!("firstline-webhook-{}", uuid::Uuid::new_v4()));
        (
            Store::open(&format!("sqlite:{}/l.db", dir.display()))
                .await
                .unwrap(),
            dir,
        )
    }

    fn header(request: &str, name: &str) -> String {
        let found = request.lines().find_map(|l| {
            l.to_lowercase()
                .strip_prefix(&format!("{name}: "))
                .map(str::to_owned)
        });
        found.unwrap_or_default()
    }

    #[test]
    fn the_signature_is_the_one_others_compute() {
        // printf '1700000000.{"a":1}' | openssl dgst -sha256 -hmac secret
        let signed = "49f24e537407743fa4a0242bb63b94b9a47ee99cbbe071ccd8a22550ae411686";
        assert_eq!(sign("secret", "1700000000", r#"{"a":1}"#), signed);
        assert_ne!(sign("secret", "1700000001", r#"{"a":1}"#), signed);
        assert_ne!(sign("other", "1700000000", r#"{"a":1}"#), signed);
    }

    #[tokio::test]
    async fn a_packet_is_signed_and_tried_again_until_it_is_taken() {
        let (url, got) = receiver(&["500 Oops", "200 OK"]).await;
        let (store, dir) = store().await;
        let hook = Webhook::new(
            store.clone(),
            to(&url, Shape::Firstline),
            Some(Secret::new("secret")),
            None,
            Arc::new(Metrics::new()),
        )
        .unwrap();
        let stop = CancellationToken::new();
        let running = tokio::spawn(hook.clone().run(stop.clone()));
        hook.send("call", &json!({ "reason": "asked" }))
            .await
            .unwrap();
        for _ in 0..100 {
            if got.lock().unwrap().len() == 2 && store.packet_counts().await.unwrap() == (0, 0) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        stop.cancel();
        running.await.unwrap();
        let got = got.lock().unwrap().clone();
        assert_eq!(got.len(), 2, "tried again once, and not after it was taken");
        assert_eq!(
            header(&got[0], "firstline-id"),
            header(&got[1], "firstline-id")
        );
        for request in &got {
            let body = request.split("\r\n\r\n").nth(1).unwrap();
            let expected = format!(
                "v1={}",
                sign("secret", &header(request, "firstline-timestamp"), body)
            );
            assert_eq!(header(request, "firstline-signature"), expected);
        }
        let _ = std::fs::remove_dir_all(dir);
    }

    /// An hour without the receiver, in the store's time: nothing is given up, and soon after it is back everything is there, in order.
    #[tokio::test]
    async fn a_receiver_that_is_down_for_an_hour_gets_everything_soon_after() {
        use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
        static NOW: AtomicI64 = AtomicI64::new(1_800_000_000);
        let now = || jiff::Timestamp::from_second(NOW.load(Ordering::SeqCst)).unwrap();
        let (store, dir) = store().await;
        let store = store.with_clock(now);
        let up = Arc::new(AtomicBool::new(false));
        let taken = Arc::new(Mutex::new(Vec::new()));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let (is_up, kept) = (up.clone(), taken.clone());
        let tries = Arc::new(AtomicI64::new(0));
        let count = tries.clone();
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                // Down: the connection is taken and dropped, as by a proxy whose server is gone.
                if !is_up.load(Ordering::SeqCst) {
                    continue;
                }
                let mut seen = String::new();
                let mut buffer = [0; 4096];
                while !seen.contains("\"n\":") {
                    let read = socket.read(&mut buffer).await.unwrap_or(0);
                    assert!(read > 0, "{seen}");
                    seen += &String::from_utf8_lossy(&buffer[..read]);
                }
                let n = seen.split("\"n\":").nth(1).unwrap().trim_end_matches('}');
                kept.lock().unwrap().push(n.parse::<u32>().unwrap());
                let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
                let _ = socket.write_all(answer).await;
            }
        });
        let metrics = Arc::new(Metrics::new());
        let hook = Webhook::new(
            store.clone(),
            to(&url, Shape::Firstline),
            None,
            None,
            metrics.clone(),
        )
        .unwrap();
        let begun = NOW.load(Ordering::SeqCst);
        let mut back = None;
        while taken.lock().unwrap().len() < 4 {
            let gone = NOW.load(Ordering::SeqCst) - begun;
            match gone {
                0 => {
                    for n in [0, 1] {
                        hook.send("a", &json!({ "n": n })).await.unwrap();
                    }
                }
                // One whose waits have grown long, and one that has only just come.
                1_500 => hook.send("b", &json!({ "n": 2 })).await.unwrap(),
                3_590 => hook.send("c", &json!({ "n": 3 })).await.unwrap(),
                3_600 => {
                    assert_eq!(store.packet_counts().await.unwrap(), (4, 0), "kept, all");
                    up.store(true, Ordering::SeqCst);
                    back = Some(gone);
                }
                _ => {}
            }
            hook.deliver().await.unwrap();
            assert!(gone < 3_600 + 900, "not within a quarter of an hour");
            NOW.fetch_add(5, Ordering::SeqCst);
        }
        let after = NOW.load(Ordering::SeqCst) - begun - back.unwrap();
        // The newest is tried within seconds, and what waits for the same receiver comes with it.
        assert!(after <= 60, "{after} s after it was back");
        let taken = taken.lock().unwrap().clone();
        let place = |n| taken.iter().position(|t| *t == n).unwrap();
        assert_eq!(taken.len(), 4, "each once: {taken:?}");
        assert!(place(0) < place(1), "of one call in order: {taken:?}");
        assert_eq!(store.packet_counts().await.unwrap(), (0, 0));
        let tries = tries.load(Ordering::SeqCst);
        assert!(tries < 60, "{tries} tries in an hour are pestering");
        let text = metrics.render();
        assert!(
            text.contains("firstline_webhooks_total{result=\"retried\"}"),
            "{text}"
        );
        assert!(!text.contains("given_up\"}"), "{text}");
        let _ = std::fs::remove_dir_all(dir);
    }

    #[tokio::test]
    async fn a_receiver_that_refuses_is_not_pestered() {
        let (url, got) = receiver(&["401 Unauthorized"]).await;
        let (store, dir) = store().await;
        let hook = Webhook::new(
            store.clone(),
            to(&url, Shape::Firstline),
            None,
            None,
            Arc::new(Metrics::new()),
        )
        .unwrap();
        hook.send("call", &json!({})).await.unwrap();
        hook.deliver().await.unwrap();
        hook.deliver().await.unwrap();
        assert_eq!(got.lock().unwrap().len(), 1);
        assert_eq!(
            store.packet_counts().await.unwrap(),
            (1, 0),
            "kept for the next try"
        );
        assert!(
            !got.lock().unwrap()[0]
                .to_lowercase()
                .contains("firstline-signature")
        );
        let _ = std::fs::remove_dir_all(dir);
    }

    #[tokio::test]
    async fn a_vendors_ticket_is_made_once_and_then_added_to_even_after_a_restart() {
        for (shape, first, second) in [
            (
                Shape::Zendesk,
                "POST /hook/api/v2/tickets.json",
                "PUT /hook/api/v2/tickets/77.json",
            ),
            (
                Shape::Intercom,
                "POST /hook/tickets",
                "PUT /hook/tickets/77",
            ),
            (
                Shape::Freshdesk,
                "POST /hook/api/v2/tickets",
                "POST /hook/api/v2/tickets/77/notes",
            ),
            (Shape::Email, "POST /hook", "POST /hook"),
        ] {
            let (url, got) = receiver(&["201 Created"]).await;
            let (store, dir) = store().await;
            let hook = |store: &Store| {
                let auth = Some(Secret::new("Basic abc"));
                let metrics = Arc::new(Metrics::new());
                Webhook::new(store.clone(), to(&url, shape), None, auth, metrics).unwrap()
            };
            let packet =
                json!({ "call_id": "c", "from": "+15550101", "handoff": { "reason": "asked" } });
            let before = hook(&store);
            before.send("c", &packet).await.unwrap();
            before.send("c", &packet).await.unwrap();
            // Both wait in the outbox when the program ends; the next one delivers them, in order.
            drop(before);
            hook(&store).deliver().await.unwrap();
            let got = got.lock().unwrap().clone();
            assert_eq!(got.len(), 2, "{shape:?}");
            assert!(got[0].starts_with(&format!("{first} ")), "{}", got[0]);
            assert!(got[1].starts_with(&format!("{second} ")), "{}", got[1]);
            assert_eq!(header(&got[0], "authorization"), "basic abc");
            assert_eq!(store.packet_counts().await.unwrap(), (0, 0));
            let _ = std::fs::remove_dir_all(dir);
        }
    }
}
