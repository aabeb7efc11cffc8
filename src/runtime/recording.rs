//! A call's files, written by one thread so that the 20 ms tick never waits for a disk: `audio.wav` (left the caller, right what
//! the caller hears), `events.jsonl`, `record.json`, `transcript.md`.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

use crate::audio::wav::{FileOp, WavStream};
use crate::audio::{FRAME, RATE};
use crate::desk::{CallRecord, Tier};

/// Messages that may wait for the disk: about 20 seconds of ten calls.
const BACKLOG: usize = 4096;

enum Note {
    Begin {
        id: String,
    },
    Sound {
        id: String,
        pcm: Box<[[i16; FRAME]; 2]>,
    },
    Event {
        id: String,
        line: String,
    },
    Record {
        id: String,
        record: Box<CallRecord>,
    },
    End {
        id: String,
        record: Box<CallRecord>,
        done: Option<tokio::sync::oneshot::Sender<()>>,
    },
}

/// A handle to the writing thread.
#[derive(Clone)]
pub struct Recorder {
    to: SyncSender<Note>,
    root: PathBuf,
}

impl Recorder {
    /// Starts the writer below `root` (made if it is not there).
    pub fn start(root: &Path) -> Result<Self, String> {
        fs::create_dir_all(root)
            .map_err(|e| format!("cannot make the recordings folder {}: {e}", root.display()))?;
        let (to, from) = sync_channel(BACKLOG);
        let folder = root.to_path_buf();
        std::thread::Builder::new()
            .name("recorder".into())
            .spawn(move || write_all(&folder, &from))
            .map_err(|e| format!("cannot start the recording thread: {e}"))?;
        Ok(Self {
            to,
            root: root.to_path_buf(),
        })
    }

    pub fn folder(&self, id: &str) -> PathBuf {
        self.root.join(id)
    }

    pub fn begin(&self, id: &str) {
        self.send(Note::Begin { id: id.into() });
    }

    /// 20 ms of both sides.
    pub fn sound(&self, id: &str, caller: &[i16; FRAME], heard: &[i16; FRAME]) {
        let pcm = Box::new([*caller, *heard]);
        self.send(Note::Sound { id: id.into(), pcm });
    }

    pub fn event(&self, id: &str, line: String) {
        self.send(Note::Event {
            id: id.into(),
            line,
        });
    }

    /// The record as it stands: what is left if the power goes.
    pub fn record(&self, id: &str, record: CallRecord) {
        self.send(Note::Record {
            id: id.into(),
            record: Box::new(record),
        });
    }

    /// Closes a call's files; resolves when they are on disk.
    pub async fn end(&self, id: &str, record: CallRecord) {
        let (done, written) = tokio::sync::oneshot::channel();
        let note = Note::End {
            id: id.into(),
            record: Box::new(record),
            done: Some(done),
        };
        let to = self.to.clone();
        // This one must not be lost: it may wait, off the call's task.
        let sent = tokio::task::spawn_blocking(move || to.send(note).is_ok()).await;
        if matches!(sent, Ok(true)) {
            let _ = written.await;
        }
    }

    fn send(&self, note: Note) {
        if let Err(TrySendError::Full(_)) = self.to.try_send(note) {
            tracing::warn!("the disk is too slow for the recordings: sound was left out");
        }
    }
}

struct Open {
    folder: PathBuf,
    wav: Option<(File, WavStream)>,
    /// Left and right, not yet written.
    waiting: [Vec<i16>; 2],
    events: Option<File>,
}

fn write_all(root: &Path, from: &Receiver<Note>) {
    let mut open: HashMap<String, Open> = HashMap::new();
    loop {
        match from.recv_timeout(Duration::from_secs(1)) {
            Ok(Note::Begin { id }) => {
                let folder = root.join(&id);
                if let Err(e) = fs::create_dir_all(&folder) {
                    tracing::error!("cannot record call {id}: {e}");
                }
                let events = OpenOptions::new()
                    .create(true)
                    .append(true)
                    .open(folder.join("events.jsonl"))
                    .ok();
                open.insert(
                    id,
                    Open {
                        wav: begin_wav(&folder),
                        folder,
                        waiting: Default::default(),
                        events,
                    },
                );
            }
            Ok(Note::Sound { id, pcm }) => {
                if let Some(call) = open.get_mut(&id) {
                    for (waiting, side) in call.waiting.iter_mut().zip(pcm.iter()) {
                        waiting.extend_from_slice(side);
                    }
                    // A second at a time: few writes, and at most a second lost to kill -9.
                    if call.waiting[0].len() >= RATE as usize {
                        flush_sound(call);
                    }
                }
            }
            Ok(Note::Event { id, line }) => {
                if let Some(events) = open.get_mut(&id).and_then(|c| c.events.as_mut()) {
                    let _ = writeln!(events, "{line}");
                }
            }
            Ok(Note::Record { id, record }) => {
                if let Some(call) = open.get(&id) {
                    write_record(&call.folder, &record);
                }
            }
            Ok(Note::End { id, record, done }) => {
                if let Some(mut call) = open.remove(&id) {
                    flush_sound(&mut call);
                    if let Some((mut file, mut wav)) = call.wav.take() {
                        apply(&mut file, wav.finish());
                    }
                    write_record(&call.folder, &record);
                    replace(
                        &call.folder.join("transcript.md"),
                        transcript(&record).as_bytes(),
                    );
                }
                if let Some(done) = done {
                    let _ = done.send(());
                }
            }
            Err(RecvTimeoutError::Timeout) => open.values_mut().for_each(flush_sound),
            Err(RecvTimeoutError::Disconnected) => {
                open.values_mut().for_each(flush_sound);
                return;
            }
        }
    }
}

fn begin_wav(folder: &Path) -> Option<(File, WavStream)> {
    let mut file = OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .open(folder.join("audio.wav"))
        .ok()?;
    let (wav, head) = WavStream::new(RATE, 2, 1000);
    apply(&mut file, vec![head]);
    Some((file, wav))
}

fn flush_sound(call: &mut Open) {
    if call.waiting[0].is_empty() {
        return;
    }
    if let Some((file, wav)) = &mut call.wav {
        let ops = wav.push(&[&call.waiting[0], &call.waiting[1]]);
        apply(file, ops);
    }
    call.waiting.iter_mut().for_each(Vec::clear);
}

fn apply(file: &mut File, ops: Vec<FileOp>) {
    for op in ops {
        let done = match op {
            FileOp::Append(bytes) => file
                .seek(SeekFrom::End(0))
                .and_then(|_| file.write_all(&bytes)),
            FileOp::Patch { offset, bytes } => file
                .seek(SeekFrom::Start(offset))
                .and_then(|_| file.write_all(&bytes)),
        };
        if let Err(e) = done {
            tracing::error!("a recording could not be written: {e}");
            return;
        }
    }
}

fn write_record(folder: &Path, record: &CallRecord) {
    match serde_json::to_vec_pretty(record) {
        Ok(bytes) => replace(&folder.join("record.json"), &bytes),
        Err(e) => tracing::error!("a record could not be written: {e}"),
    }
}

/// Whole or not at all: a reader never sees half a file.
fn replace(path: &Path, bytes: &[u8]) {
    let beside = path.with_extension("part");
    let done = fs::write(&beside, bytes).and_then(|()| fs::rename(&beside, path));
    if let Err(e) = done {
        tracing::error!("{} could not be written: {e}", path.display());
    }
}

/// The call as a page to read.
pub fn transcript(record: &CallRecord) -> String {
    let mut page = format!("# Call {}\n\n", record.id);
    let known = |v: &Option<String>| v.clone().unwrap_or_else(|| "withheld".into());
    page.push_str(&format!(
        "From {} to {}, {}, started {}.\n",
        known(&record.from),
        known(&record.to),
        record.channel,
        record.started_at
    ));
    if let Some(outcome) = record.outcome {
        let verified = match record.verified {
            Tier::None => "not verified",
            Tier::Basic => "verified (basic)",
            Tier::Full => "verified (full)",
        };
        let outcome = serde_json::to_value(outcome)
            .ok()
            .and_then(|v| v.as_str().map(str::to_string))
            .unwrap_or_default();
        page.push_str(&format!(
            "Outcome: **{outcome}**; caller {verified}; ended by {} ({}).\n",
            record.termination.cause, record.termination.reason
        ));
    }
    page.push('\n');
    let clock = |ms: u64| format!("{}:{:02}.{}", ms / 60_000, ms / 1000 % 60, ms / 100 % 10);
    for turn in &record.turns {
        if let Some(caller) = &turn.caller {
            let words = caller
                .keyed
                .as_ref()
                .map_or(caller.text.clone(), |k| format!("[keys {k}]"));
            page.push_str(&format!(
                "**Caller** ({}): {}\n\n",
                clock(caller.start_ms),
                words
            ));
        }
        if let Some(decision) = &turn.decision
            && turn.caller.is_some()
        {
            let sources: Vec<&str> = decision
                .sources
                .iter()
                .take(2)
                .map(|s| s.id.as_str())
                .collect();
            page.push_str(&format!(
                "> {:?}, intent {}, confidence {:.2}, sources {}. {}\n\n",
                decision.route,
                decision.intent.as_deref().unwrap_or("none"),
                decision.confidence,
                sources.join(", "),
                decision.reason
            ));
        }
        if let Some(agent) = &turn.agent {
            let gap = turn
                .gap_ms
                .map(|g| format!(", after {g} ms"))
                .unwrap_or_default();
            page.push_str(&format!(
                "**Line** ({}{gap}): {}",
                clock(agent.start_ms),
                agent.heard
            ));
            if turn.interrupted {
                page.push_str(" *(interrupted)*");
            }
            page.push_str("\n\n");
        }
    }
    for action in &record.actions {
        page.push_str(&format!(
            "- Action {}: {:?}, confirmed {}\n",
            action.name, action.status, action.confirmed
        ));
    }
    if let Some(handoff) = &record.handoff {
        page.push_str(&format!(
            "\n## Hand-over ({}, {})\n\n{}\n\nBrief: {}\n",
            handoff.reason, handoff.result, handoff.summary, handoff.spoken_brief
        ));
    }
    page
}
