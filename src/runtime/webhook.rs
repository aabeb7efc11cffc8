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

use super::clock;
use crate::backoffice::{Post, PostError, poster};
use crate::config::Secret;
use crate::store::{Packet, Store, StoreError};
use crate::telemetry::{Metric, Metrics};

/// For one try.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How often the outbox is looked at when nobody says that there is something.
const LOOK: Duration = Duration::from_secs(5);
/// Waits between tries, in seconds: a human who was dialled needs the packet now, so the first come quickly; given up after the last
/// (about a day).
const WAITS: &[i64] = &[1, 3, 10, 30, 60, 300, 900, 3600, 3600 * 4, 3600 * 18];

/// Queues packets and delivers them.
#[derive(Debug, Clone)]
pub struct Webhook {
    store: Store,
    url: String,
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
        url: &str,
        secret: Option<Secret>,
        metrics: Arc<Metrics>,
    ) -> Result<Self, String> {
        Ok(Self {
            store,
            url: url.to_owned(),
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
        self.store.queue_packet(call_id, &self.url, packet).await?;
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
        let timestamp = clock::now().as_second().to_string();
        let mut headers = vec![
            ("firstline-timestamp", timestamp.clone()),
            ("firstline-id", packet.id.clone()),
        ];
        if let Some(secret) = &self.secret {
            headers.push((
                "firstline-signature",
                format!("v1={}", sign(secret.reveal(), &timestamp, &packet.body)),
            ));
        }
        match self
            .post
            .send(&packet.url, &headers, packet.body.clone(), TIMEOUT)
            .await
        {
            Ok(()) => {
                self.metrics.count(Metric::Webhooks, &["sent"]);
                self.store.packet_sent(&packet.id).await
            }
            Err(failed) => {
                let (why, wait) = match failed {
                    PostError::Later(why) => (why, WAITS.get(packet.attempts as usize).copied()),
                    // A receiver that is wrongly set up is put right within the hour, mostly: two more tries, far apart.
                    PostError::Refused(why) => (
                        why,
                        WAITS
                            .get(6..8)
                            .and_then(|w| w.get(packet.attempts as usize))
                            .copied(),
                    ),
                };
                let next = wait.and_then(|s| {
                    clock::now()
                        .checked_add(jiff::SignedDuration::from_secs(s))
                        .ok()
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
