//! What happens, as it happens: server-sent events (WHATWG HTML, section 9.2) from a bounded queue for each listener.
//!
//! A listener that reads too slowly loses its oldest events and is told how many; a call never waits for a browser.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde_json::{Value, json};
use tokio::sync::Notify;

use super::{ApiError, Shared};

/// Events kept for one listener.
const QUEUE: usize = 256;
/// Listeners at once.
const LISTENERS: usize = 32;

/// Where events are put in. [`Hub::publish`] never waits.
#[derive(Debug, Default)]
pub struct Hub {
    listeners: Mutex<Vec<Weak<Queue>>>,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: Mutex<Waiting>,
    news: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    events: VecDeque<Arc<(String, String)>>,
    lost: u64,
}

impl Hub {
    pub fn new() -> Self {
        Self::default()
    }

    /// Tells all listeners. `kind` names the event (one word); `data` is its JSON.
    pub fn publish(&self, kind: &str, data: &Value) {
        let mut listeners = self
            .listeners
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if listeners.is_empty() {
            return;
        }
        let event = Arc::new((kind.to_owned(), data.to_string()));
        listeners.retain(|listener| {
            let Some(queue) = listener.upgrade() else {
                return false;
            };
            queue.push(event.clone());
            true
        });
    }

    /// For a listener in this program; none where there are too many.
    pub fn watch(&self) -> Option<Watch> {
        self.subscribe().map(Watch)
    }

    /// A new listener's queue; none where there are too many.
    fn subscribe(&self) -> Option<Arc<Queue>> {
        let mut listeners = self
            .listeners
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        listeners.retain(|l| l.strong_count() > 0);
        if listeners.len() >= LISTENERS {
            return None;
        }
        let queue = Arc::new(Queue::default());
        listeners.push(Arc::downgrade(&queue));
        Some(queue)
    }
}

/// Events for a listener in this program.
pub struct Watch(Arc<Queue>);

impl Watch {
    /// The next event: its kind and its JSON.
    pub async fn next(&self) -> (String, Value) {
        let event = self.0.next().await;
        let data = serde_json::from_str(&event.1).unwrap_or(Value::Null);
        (event.0.clone(), data)
    }
}

impl Queue {
    fn push(&self, event: Arc<(String, String)>) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.events.len() >= QUEUE {
            waiting.events.pop_front();
            waiting.lost += 1;
        }
        waiting.events.push_back(event);
        drop(waiting);
        self.news.notify_one();
    }

    async fn next(&self) -> Arc<(String, String)> {
        loop {
            {
                let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
                let lost = std::mem::take(&mut waiting.lost);
                if lost > 0 {
                    return Arc::new(("lost".into(), json!({ "events": lost }).to_string()));
                }
                if let Some(event) = waiting.events.pop_front() {
                    return event;
                }
            }
            self.news.notified().await;
        }
    }
}

/// `/api/events`: first `calls` with what is in progress, then each event.
pub(super) async fn stream(State(s): State<Shared>) -> Response {
    // Subscribed before the snapshot is taken, so that nothing falls between.
    let Some(queue) = s.line.events().subscribe() else {
        return ApiError::Unavailable("too many listen already; close another console".into())
            .into_response();
    };
    let first = Event::default()
        .event("calls")
        .data(Value::from(s.line.live()).to_string());
    let state = (Some(first), queue, s.stop);
    let events = stream::unfold(state, |(first, queue, stop)| async move {
        if let Some(first) = first {
            return Some((Ok::<_, Infallible>(first), (None, queue, stop)));
        }
        tokio::select! {
            () = stop.cancelled() => None,
            event = queue.next() => {
                let said = Event::default().event(&event.0).data(&event.1);
                Some((Ok(said), (None, queue, stop)))
            }
        }
    });
    Sse::new(events)
        .keep_alive(KeepAlive::new().interval(Duration::from_secs(15)))
        .into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_slow_listener_loses_the_oldest_and_is_told() {
        let hub = Hub::new();
        let queue = hub.subscribe().unwrap();
        for n in 0..QUEUE + 10 {
            hub.publish("turn", &json!(n));
        }
        assert_eq!(queue.next().await.1, r#"{"events":10}"#);
        assert_eq!(queue.next().await.1, "10", "the oldest that was kept");
    }

    #[test]
    fn listeners_that_left_make_room() {
        let hub = Hub::new();
        let all: Vec<_> = (0..LISTENERS).map(|_| hub.subscribe().unwrap()).collect();
        assert!(hub.subscribe().is_none());
        drop(all);
        assert!(hub.subscribe().is_some());
    }
}
