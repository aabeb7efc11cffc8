//! What the line tells over HTTP: the calls in progress, the store behind them, and whether it drains. One `LineState` a line; call tasks
//! report to it, the HTTP edge reads from it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::call_files::Keeping;
use super::console::{self, Console};
use super::kept;
use super::live::Live;
use super::pool::Control;
use super::s3::Bucket;
use futures_util::future::BoxFuture;
use serde_json::{Value, json};

use crate::desk::{CallOutcome, CallRecord};
use crate::edge::Leg;
use crate::edge::http::{ApiError, Ask, Both, Hub, Line, NewSession, Who};
use crate::store::{CallbackStatus, Store, StoreError};
use crate::telemetry::{Metric, Metrics};

/// Where recordings are, beside their folder.
#[derive(Debug, Clone)]
pub struct Kept {
    pub keeping: Arc<Keeping>,
    pub bucket: Option<Bucket>,
}

/// The state of one line.
#[derive(Debug)]
pub struct LineState {
    pub store: Store,
    pub metrics: Arc<Metrics>,
    pub hub: Hub,
    /// Places, draining, and the way to reach a call.
    pub live: Arc<Live>,
    /// Set once the desk is read.
    pub console: OnceLock<Console>,
    recordings: PathBuf,
    kept: OnceLock<Kept>,
    calls: Mutex<BTreeMap<String, CallRecord>>,
}

impl LineState {
    /// `recordings`: the directory with one folder a call.
    pub fn new(
        store: Store,
        metrics: Arc<Metrics>,
        recordings: PathBuf,
        live: Arc<Live>,
    ) -> Arc<Self> {
        Arc::new(Self {
            store,
            metrics,
            hub: Hub::new(),
            live,
            console: OnceLock::new(),
            recordings,
            kept: OnceLock::new(),
            calls: Mutex::default(),
        })
    }

    /// Recordings that do not lie in the open can be given out, too.
    pub fn give_out(&self, kept: Kept) {
        let _ = self.kept.set(kept);
    }

    /// A call has begun.
    pub fn began(&self, record: &CallRecord) {
        {
            let mut calls = self.lock();
            calls.insert(record.id.clone(), record.clone());
            self.metrics.set(Metric::CallsActive, calls.len() as f64);
        }
        self.metrics.count(Metric::CallsStarted, &[&record.channel]);
        self.publish("call", record);
    }

    /// A call's record as it stands now.
    pub fn changed(&self, record: &CallRecord) {
        {
            let mut calls = self.lock();
            let Some(known) = calls.get_mut(&record.id) else {
                return;
            };
            *known = record.clone();
        }
        self.publish("call", record);
    }

    /// Something happened in a call: one line of its event log.
    pub fn note(&self, id: &str, at_ms: u64, note: &Value) {
        let mut line = json!({ "call": id, "at_ms": at_ms });
        if let (Some(line), Some(note)) = (line.as_object_mut(), note.as_object()) {
            line.extend(note.clone());
        }
        self.hub.publish("note", &line);
    }

    /// A call is over. Its record has been (or is about to be) saved by the caller of this.
    pub fn ended(&self, record: &CallRecord) {
        {
            let mut calls = self.lock();
            calls.remove(&record.id);
            self.metrics.set(Metric::CallsActive, calls.len() as f64);
        }
        let outcome = record.outcome.unwrap_or(CallOutcome::Failed);
        let word = serde_json::to_value(outcome).ok();
        self.metrics.count(
            Metric::Calls,
            &[word.as_ref().and_then(Value::as_str).unwrap_or("failed")],
        );
        self.publish("ended", record);
    }

    /// A file of a call, wherever it lies, decrypted; none where there is none.
    ///
    /// # Errors
    /// One sentence.
    pub async fn file(&self, id: &str, name: &str) -> Result<Option<Vec<u8>>, String> {
        let kept = self.kept.get();
        let keys = kept.and_then(|k| k.keeping.keys.as_ref());
        let bucket = kept.and_then(|k| k.bucket.as_ref());
        kept::file(&self.folder(id), name, keys, bucket).await
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
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn in_progress(&self, id: &str) -> Option<CallRecord> {
        self.lock().get(id).cloned()
    }
}

impl Line for LineState {
    fn ready(&self) -> Result<(), String> {
        if self.live.is_draining() {
            return Err("draining".into());
        }
        if !self.live.has_room() {
            return Err("full".into());
        }
        Ok(())
    }

    fn status(&self) -> Value {
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "active": self.live.active(),
            "capacity": self.live.most(),
            "draining": self.live.is_draining(),
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

    fn recording<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Option<Vec<u8>>> {
        Box::pin(async move {
            match self.file(id, "audio.wav").await {
                Ok(bytes) => bytes,
                Err(why) => {
                    tracing::warn!(call = %id, "a recording cannot be given out: {why}");
                    None
                }
            }
        })
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
        tracing::info!("draining: no new calls are taken");
        self.live.drain();
        self.hub
            .publish("draining", &json!({ "active": self.live.active() }));
    }

    fn events(&self) -> &Hub {
        &self.hub
    }

    fn has_users(&self) -> BoxFuture<'_, bool> {
        Box::pin(async move {
            match self.console.get() {
                Some(console) => console.has_users(&self.store).await,
                None => true,
            }
        })
    }

    fn who<'a>(&'a self, digest: &'a str) -> BoxFuture<'a, Result<Option<Who>, ApiError>> {
        Box::pin(console::who(self, digest))
    }

    fn log_in<'a>(
        &'a self,
        name: &'a str,
        password: &'a str,
        session: &'a NewSession,
    ) -> BoxFuture<'a, Result<Option<Who>, ApiError>> {
        Box::pin(console::log_in(self, name, password, session))
    }

    fn log_out<'a>(&'a self, digest: &'a str) -> BoxFuture<'a, Result<(), ApiError>> {
        Box::pin(console::log_out(self, digest))
    }

    fn ask<'a>(&'a self, who: &'a Who, ask: Ask) -> BoxFuture<'a, Result<Value, ApiError>> {
        console::answer(self, who, ask)
    }

    fn listen_in(&self, who: &Who, id: &str, to: tokio::sync::mpsc::Sender<Both>) -> bool {
        let there = self.live.control(id, Control::Listen(to));
        if there {
            self.acted(who, "listened in", id);
        }
        there
    }

    fn take_over(&self, who: &Who, id: &str, leg: Box<dyn Leg>) -> bool {
        let target = format!("console:{}", who.name);
        let name = who.name.clone();
        let there = self.live.control(id, Control::Take { target, name, leg });
        if there {
            self.acted(who, "call taken", id);
        }
        there
    }
}

impl LineState {
    /// Into the audit trail, beside what is being done.
    fn acted(&self, who: &Who, what: &'static str, id: &str) {
        let (store, name, id) = (self.store.clone(), who.name.clone(), id.to_owned());
        tracing::info!(by = %name, act = what, subject = %id, "at the console");
        tokio::spawn(async move {
            if let Err(error) = store.note_act(&name, what, &id, "").await {
                tracing::error!(%error, "the audit trail lacks an act");
            }
        });
    }
}

fn unavailable(error: StoreError) -> ApiError {
    ApiError::Unavailable(error.to_string())
}
