//! This node among others: it says that it is there, brings in what the database did not take, and finishes what a node that died
//! left undone (its writes are `reconcile`'s). On one machine the node that died is the last run of this program.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use crate::desk::{CallOutcome, CallRecord};
use crate::store::{Node, Store, StoreError};
use crate::telemetry::{Metric, Metrics};

use super::call_files::{self, Keeping};
use super::live::Live;

/// How often the database is looked for, and told that this node is there every second time. Five of these are missed before
/// others take over what it had in hand.
const BEAT: Duration = Duration::from_secs(1);

/// Who this node is: a name of its own at each start, so that what the last run left is not held to be this one's.
pub fn this(name: Option<&str>, sip: String, http: String, capacity: usize) -> Node {
    let name = name.map_or_else(host_name, str::to_owned);
    Node {
        id: format!("{name}/{}", uuid::Uuid::now_v7()),
        name,
        host: machine(),
        pid: i64::from(std::process::id()),
        sip,
        http,
        capacity: i64::try_from(capacity).unwrap_or(i64::MAX),
    }
}

fn host_name() -> String {
    let said = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    match said.trim() {
        "" => "firstline".into(),
        name => name.into(),
    }
}

/// This machine since it was last started, and the process numbers it counts in: two containers do not share theirs.
fn machine() -> String {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let space = std::fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    format!("{} {}", boot.trim(), space.display())
}

/// A process of this number runs this program, here.
fn runs(pid: i64) -> bool {
    let name = |pid: &str| std::fs::read_to_string(format!("/proc/{pid}/comm")).ok();
    name(&pid.to_string()).is_some_and(|other| Some(other) == name("self"))
}

/// Takes the names of this machine's ended runs off the list: what they had in hand need not wait until they have been silent for
/// long enough.
pub async fn forget_ended(store: &Store) -> Result<(), StoreError> {
    let here = machine();
    for known in store.nodes().await? {
        let node = known.node;
        if node.host == here && node.pid != i64::from(std::process::id()) && !runs(node.pid) {
            store.leave(&node.id).await?;
        }
    }
    Ok(())
}

/// Runs until `stopping`.
pub async fn run(
    node: Node,
    store: Store,
    live: Arc<Live>,
    metrics: Arc<Metrics>,
    recordings: PathBuf,
    stopping: CancellationToken,
) {
    let mut beats = tokio::time::interval(BEAT);
    beats.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut turn = 0_u64;
    let mut told = false;
    let mut clock = Step::default();
    loop {
        tokio::select! {
            _ = beats.tick() => {}
            () = stopping.cancelled() => break,
        }
        match store.catch_up().await {
            Ok(came) => {
                told = false;
                if came > 0 {
                    tracing::info!(
                        "the database is back: {came} writes that waited were brought in"
                    );
                }
            }
            Err(error) => {
                // Once, however long it takes; the metrics say it all the while.
                if !std::mem::replace(&mut told, true) {
                    tracing::error!(%error, "calls go on; what is owed to the database waits beside it");
                }
            }
        }
        if let Some(by) = clock.step() {
            tracing::warn!(
                "the wall clock jumped by {by} s; calls are timed by another one, but dates said to callers may be wrong"
            );
            metrics.count(Metric::ClockSteps, &[]);
        }
        metrics.set(Metric::Draining, f64::from(u8::from(live.is_draining())));
        if turn.is_multiple_of(30)
            && let Some(free) = disk_free(&recordings).await
        {
            metrics.set(Metric::DiskFree, free as f64);
        }
        let up = store.is_up();
        metrics.set(Metric::StoreUp, f64::from(u8::from(up)));
        metrics.set(Metric::StoreOwed, store.owed() as f64);
        metrics.set(Metric::StoreHeld, store.held() as f64);
        turn += 1;
        if !up {
            continue;
        }
        if turn % 2 == 1 {
            let active = i64::try_from(live.active()).unwrap_or(i64::MAX);
            if let Err(error) = store.beat(&node, active, live.is_draining()).await {
                tracing::debug!(%error, "the database was not told that this node is there");
            }
        }
        if turn % 5 == 2
            && let Err(error) = queues(&store, &metrics).await
        {
            tracing::debug!(%error, "what waits was not counted");
        }
        if turn % 5 == 1
            && let Err(error) = take_over(&store).await
        {
            tracing::debug!(%error, "what nodes that died have left was not looked for");
        }
    }
}

async fn queues(store: &Store, metrics: &Metrics) -> Result<(), StoreError> {
    let (waiting, given_up) = store.packet_counts().await?;
    metrics.set(Metric::WebhooksWaiting, waiting as f64);
    metrics.set(Metric::WebhooksDead, given_up as f64);
    let open = store.callbacks_open().await?;
    metrics.set(Metric::CallbacksOpen, open as f64);
    Ok(())
}

/// Free bytes where `path` is, as `df` says (POSIX).
pub async fn disk_free(path: &Path) -> Option<u64> {
    let mut df = tokio::process::Command::new("df");
    df.arg("-kP").arg(path).kill_on_drop(true);
    let output = tokio::time::timeout(Duration::from_secs(5), df.output())
        .await
        .ok()?
        .ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let kilobytes: u64 = text
        .lines()
        .nth(1)?
        .split_whitespace()
        .nth(3)?
        .parse()
        .ok()?;
    Some(kilobytes * 1024)
}

/// Notices when the wall clock does not go as time does.
#[derive(Debug, Default)]
struct Step {
    last: Option<(Instant, std::time::SystemTime)>,
}

impl Step {
    /// Seconds it has jumped by since the last look, where that is more than two.
    fn step(&mut self) -> Option<i64> {
        let now = (Instant::now(), std::time::SystemTime::now());
        let (then, wall) = self.last.replace(now)?;
        let went = now.0.duration_since(then).as_secs_f64();
        let told = match now.1.duration_since(wall) {
            Ok(forward) => forward.as_secs_f64(),
            Err(back) => -back.duration().as_secs_f64(),
        };
        let by = told - went;
        (by.abs() > 2.).then_some(by.round() as i64)
    }
}

/// What nodes that died had in hand.
async fn take_over(store: &Store) -> Result<(), StoreError> {
    for record in store.adopt_calls().await? {
        let record = ended_by_death(record);
        tracing::warn!(call = %record.id, "the node that had this call has died; its record is closed");
        store.save_call(&record).await?;
    }
    let reopened = store.reopen_callbacks().await?;
    if reopened > 0 {
        tracing::warn!("{reopened} callbacks that a node which died was making are due again");
    }
    Ok(())
}

/// Calls that were up when the program last ended here are closed.
///
/// # Errors
/// What the database says.
pub async fn close_unfinished(
    recordings: &Path,
    store: &Store,
    keeping: &Arc<Keeping>,
) -> Result<(), StoreError> {
    // A record that waits beside the database is newer than what its folder says.
    let _ = store.catch_up().await;
    for id in call_files::unfinished(recordings) {
        // Several nodes may share the folder.
        if store.is_up_elsewhere(&id).await? {
            continue;
        }
        let folder = recordings.join(&id);
        // Where the disk was full when the call ended, only the database knows how.
        let known = store.call(&id).await?.filter(|r| r.outcome.is_some());
        let close = |record| known.unwrap_or_else(|| ended_by_death(record));
        match call_files::recover(&folder, &id, keeping, close) {
            Ok(None) => {}
            Ok(Some(record)) => {
                tracing::warn!(call = %id, "this call was up when the program last ended; its record is closed now");
                store.save_call(&record).await?;
            }
            Err(why) => {
                tracing::error!(call = %id, "this call was up when the program last ended, and cannot be closed: {why}")
            }
        }
    }
    Ok(())
}

/// A record as it is when its program ended during the call.
pub fn ended_by_death(mut record: CallRecord) -> CallRecord {
    record.outcome = Some(CallOutcome::Failed);
    record.ended_at = Some(super::clock::now().to_string());
    record.termination.cause = "ours".into();
    record.termination.reason = "the program ended during the call".into();
    if let Some(handoff) = record.handoff.as_mut().filter(|h| h.result.is_empty()) {
        handoff.result = "returned".into();
    }
    record
}
