//! The calls that are up: who watches them, who may end them, how many there may be.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::pool::{Control, Msg};

/// What a watcher is shown of one call.
#[derive(Debug, Clone)]
struct Shown {
    from: Option<String>,
    to: Option<String>,
    channel: String,
    started_at: String,
    turns: u32,
    last: Value,
    control: mpsc::Sender<Msg>,
}

/// Events a slow watcher may lag behind before the oldest are dropped for it.
const LAG: usize = 512;

/// Shared by the edges, the call tasks and the API.
#[derive(Debug)]
pub struct Live {
    calls: Mutex<BTreeMap<String, Shown>>,
    /// Places taken: admitted and not yet over.
    admitted: Mutex<usize>,
    most: usize,
    draining: AtomicBool,
    #[expect(clippy::type_complexity, reason = "one list, behind one lock")]
    watchers: Mutex<Vec<(mpsc::Sender<Arc<str>>, u64)>>,
    idle: tokio::sync::Notify,
}

/// A place on the line; given back when dropped.
#[derive(Debug)]
pub struct Place(Arc<Live>);

impl Drop for Place {
    fn drop(&mut self) {
        let mut admitted = self
            .0
            .admitted
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *admitted = admitted.saturating_sub(1);
        if *admitted == 0 {
            self.0.idle.notify_waiters();
        }
    }
}

impl Live {
    pub fn new(most: usize) -> Arc<Self> {
        Arc::new(Self {
            calls: Mutex::default(),
            admitted: Mutex::new(0),
            most,
            draining: AtomicBool::new(false),
            watchers: Mutex::default(),
            idle: tokio::sync::Notify::new(),
        })
    }

    /// Takes a place, or none when full or draining. The check and the taking are one step: no race past the limit.
    pub fn admit(self: &Arc<Self>) -> Option<Place> {
        let mut admitted = self.admitted.lock().unwrap_or_else(PoisonError::into_inner);
        if self.is_draining() || *admitted >= self.most {
            return None;
        }
        *admitted += 1;
        Some(Place(self.clone()))
    }

    pub fn has_room(&self) -> bool {
        !self.is_draining()
            && *self.admitted.lock().unwrap_or_else(PoisonError::into_inner) < self.most
    }

    pub fn active(&self) -> usize {
        *self.admitted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn most(&self) -> usize {
        self.most
    }

    pub fn drain(&self) {
        self.draining.store(true, Ordering::SeqCst);
        self.idle.notify_waiters();
    }

    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::SeqCst)
    }

    /// Returns once draining was asked for and the last call has ended.
    pub async fn drained(&self) {
        loop {
            let woken = self.idle.notified();
            if self.is_draining() && self.active() == 0 {
                return;
            }
            woken.await;
        }
    }

    pub fn begin(
        &self,
        id: &str,
        channel: &str,
        from: Option<String>,
        to: Option<String>,
        started_at: &str,
        control: mpsc::Sender<Msg>,
    ) {
        let shown = Shown {
            from,
            to,
            channel: channel.into(),
            started_at: started_at.into(),
            turns: 0,
            last: Value::Null,
            control,
        };
        self.lock().insert(id.into(), shown);
    }

    /// Shows an event to every watcher. Never waits: a watcher that lags loses events, not the call its time.
    pub fn show(&self, id: &str, at_ms: u64, note: &Value) {
        if let Some(shown) = self.lock().get_mut(id) {
            if note["event"] == "caller" {
                shown.turns += 1;
            }
            shown.last = note.clone();
        }
        let mut watchers = self.watchers.lock().unwrap_or_else(PoisonError::into_inner);
        if watchers.is_empty() {
            return;
        }
        let mut line = json!({"call": id, "at_ms": at_ms});
        if let (Some(line), Some(note)) = (line.as_object_mut(), note.as_object()) {
            line.extend(note.clone());
        }
        let text: Arc<str> = line.to_string().into();
        watchers.retain_mut(|(to, lost)| match to.try_send(text.clone()) {
            Ok(()) => true,
            Err(mpsc::error::TrySendError::Full(_)) => {
                *lost += 1;
                true
            }
            Err(mpsc::error::TrySendError::Closed(_)) => false,
        });
    }

    pub fn end(&self, id: &str) {
        self.lock().remove(id);
    }

    /// Asks a live call to end.
    pub fn control(&self, id: &str, what: Control) -> bool {
        self.lock()
            .get(id)
            .is_some_and(|c| c.control.try_send(Msg::Control(what)).is_ok())
    }

    /// Events from now on, a JSON object each.
    pub fn watch(&self) -> mpsc::Receiver<Arc<str>> {
        let (to, from) = mpsc::channel(LAG);
        self.watchers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push((to, 0));
        from
    }

    /// The calls that are up, oldest first.
    pub fn list(&self) -> Vec<Value> {
        self.lock()
            .iter()
            .map(|(id, c)| {
                json!({"id": id, "live": true, "channel": c.channel, "from": c.from, "to": c.to, "started_at": c.started_at,
                    "turns": c.turns, "last": c.last})
            })
            .collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Shown>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_places_than_there_are() {
        let live = Live::new(2);
        let first = live.admit();
        let second = live.admit();
        assert!(first.is_some() && second.is_some() && live.admit().is_none());
        drop(first);
        assert!(live.admit().is_some());
        drop(second);
        live.drain();
        assert!(live.admit().is_none());
    }
}
