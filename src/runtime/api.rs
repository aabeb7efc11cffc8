//! What the line tells over HTTP: the calls in progress, the store behind them, and whether it drains. One `LineState` a line; call tasks
//! report to it, the HTTP edge reads from it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::desk::{CallOutcome, CallRecord};
use crate::edge::http::{ApiError, Hub, Line};
use crate::store::{CallbackStatus, Store, StoreError};
use crate::telemetry::{Metric, Metrics};

/// The state of one line.
#[derive(Debug)]
pub struct LineState {
    pub store: Store,
    pub metrics: Arc<Metrics>,
    pub hub: Hub,
    /// Calls at once.
    capacity: AtomicUsize,
    recordings: PathBuf,
    draining: AtomicBool,
    changed: Notify,
    live: Mutex<BTreeMap<String, CallRecord>>,
}

impl LineState {
    /// `recordings`: the directory with one folder a call. `capacity`: calls at once.
    pub fn new(
        store: Store,
        metrics: Arc<Metrics>,
        recordings: PathBuf,
        capacity: usize,
    ) -> Arc<Self> {
        Arc::new(Self {
            store,
            metrics,
            hub: Hub::new(),
            capacity: AtomicUsize::new(capacity),
            recordings,
            draining: AtomicBool::new(false),
            changed: Notify::new(),
            live: Mutex::default(),
        })
    }

    /// Calls in progress.
    pub fn active(&self) -> usize {
        self.lock().len()
    }

    pub fn draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    /// Takes a place for a new call, in one step: draining and full are told apart.
    ///
    /// # Errors
    /// `draining` or `full`.
    pub fn admit(&self, record: &CallRecord) -> Result<(), &'static str> {
        let why = {
            let mut live = self.lock();
            if self.draining() {
                Some("draining")
            } else if live.len() >= self.capacity.load(Ordering::Relaxed) {
                Some("full")
            } else {
                live.insert(record.id.clone(), record.clone());
                self.metrics.set(Metric::CallsActive, live.len() as f64);
                None
            }
        };
        if let Some(why) = why {
            self.metrics.count(Metric::CallsTurnedAway, &[why]);
            return Err(why);
        }
        self.metrics.count(Metric::CallsStarted, &[&record.channel]);
        self.publish("call", record);
        Ok(())
    }

    /// A call's record as it stands now. What is not admitted is not shown.
    pub fn changed(&self, record: &CallRecord) {
        {
            let mut live = self.lock();
            let Some(known) = live.get_mut(&record.id) else {
                return;
            };
            *known = record.clone();
        }
        self.publish("call", record);
    }

    /// A call is over; its place is free. Its record has been (or is about to be) saved by the caller of this.
    pub fn ended(&self, record: &CallRecord) {
        {
            let mut live = self.lock();
            live.remove(&record.id);
            self.metrics.set(Metric::CallsActive, live.len() as f64);
        }
        let outcome = record.outcome.unwrap_or(CallOutcome::Failed);
        let word = serde_json::to_value(outcome).ok();
        self.metrics.count(
            Metric::Calls,
            &[word.as_ref().and_then(Value::as_str).unwrap_or("failed")],
        );
        self.publish("ended", record);
        self.changed.notify_waiters();
    }

    /// Takes no new calls from now on.
    pub fn start_drain(&self) {
        if !self.draining.swap(true, Ordering::AcqRel) {
            tracing::info!("draining: no new calls are taken");
            self.hub
                .publish("draining", &json!({ "active": self.active() }));
        }
        self.changed.notify_waiters();
    }

    /// Returns when the line drains and its last call has ended.
    pub async fn drained(&self) {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            // Listening before looking, so that no change falls between.
            changed.as_mut().enable();
            if self.draining() && self.active() == 0 {
                return;
            }
            changed.await;
        }
    }

    /// Where a call's files lie.
    pub fn folder(&self, id: &str) -> PathBuf {
        self.recordings.join(id)
    }

    fn publish(&self, kind: &str, record: &CallRecord) {
        if let Ok(value) = serde_json::to_value(record) {
            self.hub.publish(kind, &value);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, CallRecord>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn in_progress(&self, id: &str) -> Option<CallRecord> {
        self.lock().get(id).cloned()
    }
}

impl Line for LineState {
    fn ready(&self) -> Result<(), String> {
        if self.draining() {
            return Err("draining".into());
        }
        if self.active() >= self.capacity.load(Ordering::Relaxed) {
            return Err("full".into());
        }
        Ok(())
    }

    fn status(&self) -> Value {
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "active": self.active(),
            "capacity": self.capacity.load(Ordering::Relaxed),
            "draining": self.draining(),
        })
    }

    fn metrics(&self) -> String {
        self.metrics.render()
    }

    fn live(&self) -> Vec<Value> {
        let mut calls: Vec<CallRecord> = self.lock().values().cloned().collect();
        calls.sort_by(|a, b| b.started_at.cmp(&a.started_at));
        calls
            .iter()
            .filter_map(|c| serde_json::to_value(c).ok())
            .collect()
    }

    fn calls(
        &self,
        limit: u32,
        since: Option<jiff::Timestamp>,
    ) -> BoxFuture<'_, Result<Value, ApiError>> {
        Box::pin(async move {
            let stored = self.store.calls(limit, since).await.map_err(unavailable)?;
            serde_json::to_value(stored).map_err(|e| ApiError::Unavailable(e.to_string()))
        })
    }

    fn call<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Value, ApiError>> {
        Box::pin(async move {
            let record = match self.in_progress(id) {
                Some(record) => record,
                None => {
                    let stored = self.store.call(id).await.map_err(unavailable)?;
                    stored.ok_or_else(|| ApiError::NotFound(format!("there is no call {id}")))?
                }
            };
            serde_json::to_value(record).map_err(|e| ApiError::Unavailable(e.to_string()))
        })
    }

    fn audio(&self, id: &str) -> Option<PathBuf> {
        Some(self.folder(id).join("audio.wav"))
    }

    fn callbacks(&self, all: bool) -> BoxFuture<'_, Result<Value, ApiError>> {
        Box::pin(async move {
            let status = (!all).then_some(CallbackStatus::Open);
            let stored = self.store.callbacks(status).await.map_err(unavailable)?;
            serde_json::to_value(stored).map_err(|e| ApiError::Unavailable(e.to_string()))
        })
    }

    fn callback_done<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<(), ApiError>> {
        Box::pin(async move {
            match self.store.callback_done(id).await.map_err(unavailable)? {
                true => {
                    self.hub.publish("callback_done", &json!({ "id": id }));
                    Ok(())
                }
                false => Err(ApiError::NotFound(format!("there is no callback {id}"))),
            }
        })
    }

    fn drain(&self) {
        self.start_drain();
    }

    fn events(&self) -> &Hub {
        &self.hub
    }
}

fn unavailable(error: StoreError) -> ApiError {
    ApiError::Unavailable(error.to_string())
}
