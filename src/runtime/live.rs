//! The calls that are up: how many there may be, and how to reach one.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc;

use super::pool::{Control, Msg};

/// Shared by the edges, the call tasks and the API.
#[derive(Debug)]
pub struct Live {
    calls: Mutex<BTreeMap<String, mpsc::Sender<Msg>>>,
    /// Places taken: admitted and not yet over.
    admitted: Mutex<usize>,
    most: AtomicUsize,
    draining: AtomicBool,
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
            most: AtomicUsize::new(most),
            draining: AtomicBool::new(false),
            idle: tokio::sync::Notify::new(),
        })
    }

    /// Takes a place, or none when full or draining. The check and the taking are one step: no race past the limit.
    pub fn admit(self: &Arc<Self>) -> Option<Place> {
        let mut admitted = self.admitted.lock().unwrap_or_else(PoisonError::into_inner);
        if self.is_draining() || *admitted >= self.most() {
            return None;
        }
        *admitted += 1;
        Some(Place(self.clone()))
    }

    pub fn has_room(&self) -> bool {
        !self.is_draining()
            && *self.admitted.lock().unwrap_or_else(PoisonError::into_inner) < self.most()
    }

    pub fn active(&self) -> usize {
        *self.admitted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn most(&self) -> usize {
        self.most.load(Ordering::Relaxed)
    }

    /// This machine holds so many. Calls that are up stay.
    pub fn set_most(&self, most: usize) {
        self.most.store(most, Ordering::Relaxed);
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

    /// A call can be reached from now on.
    pub fn begin(&self, id: &str, control: mpsc::Sender<Msg>) {
        self.lock().insert(id.into(), control);
    }

    pub fn end(&self, id: &str) {
        self.lock().remove(id);
    }

    /// Asks a live call to end.
    pub fn control(&self, id: &str, what: Control) -> bool {
        self.lock()
            .get(id)
            .is_some_and(|c| c.try_send(Msg::Control(what)).is_ok())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, mpsc::Sender<Msg>>> {
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
