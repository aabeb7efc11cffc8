//! A call's files, written by one thread so that the 20 ms tick never waits for a disk: `audio.wav` (left the caller, right what
//! the caller hears), `events.jsonl`, `record.json`, `transcript.md`. What is done to them is in `call_files`.

use std::collections::{HashMap, VecDeque};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant};

use super::call_files::{CallFiles, Keeping, close_late};
use crate::audio::FRAME;
use crate::desk::CallRecord;
use crate::desk::redact::Span;

/// Messages that may wait for the disk: about 20 seconds of ten calls.
const BACKLOG: usize = 4096;

/// How often a full disk is tried again for the ends of calls, and how many of them are kept for it.
const LOOK: Duration = Duration::from_secs(5);
const LATE_MOST: usize = 2_000;

enum Note {
    Begin {
        id: String,
        sound: bool,
    },
    /// What was said then is to be covered.
    Cover {
        id: String,
        spans: Vec<Span>,
    },
    /// Whether sound is kept from now on.
    Gate {
        id: String,
        open: bool,
    },
    Sound {
        id: String,
        pcm: Box<[[i16; FRAME]; 2]>,
    },
    Event {
        id: String,
        line: String,
    },
    Keep {
        id: String,
        name: String,
        bytes: Vec<u8>,
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
    sealed: bool,
}

impl Recorder {
    /// Starts the writer below `root` (made if it is not there).
    pub fn start(root: &Path, keeping: Arc<Keeping>) -> Result<Self, String> {
        fs::create_dir_all(root)
            .map_err(|e| format!("cannot make the recordings folder {}: {e}", root.display()))?;
        let (to, from) = sync_channel(BACKLOG);
        let sealed = keeping.keys.is_some();
        let folder = root.to_path_buf();
        std::thread::Builder::new()
            .name("recorder".into())
            .spawn(move || write_all(&folder, &keeping, &from))
            .map_err(|e| format!("cannot start the recording thread: {e}"))?;
        Ok(Self {
            to,
            root: root.to_path_buf(),
            sealed,
        })
    }

    /// What is written can be read with a key only.
    pub fn is_sealed(&self) -> bool {
        self.sealed
    }

    pub fn folder(&self, id: &str) -> PathBuf {
        self.root.join(id)
    }

    /// `sound`: may be kept from the start; without, silence is written until [`Recorder::gate`] opens.
    pub fn begin(&self, id: &str, sound: bool) {
        self.send(Note::Begin {
            id: id.into(),
            sound,
        });
    }

    /// Covers what was said.
    pub fn cover(&self, id: &str, spans: Vec<Span>) {
        if !spans.is_empty() {
            self.send(Note::Cover {
                id: id.into(),
                spans,
            });
        }
    }

    /// Keeps sound from now on, or silence in its place.
    pub fn gate(&self, id: &str, open: bool) {
        self.send(Note::Gate {
            id: id.into(),
            open,
        });
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

    /// A file more, of this name.
    pub fn keep(&self, id: &str, name: String, bytes: Vec<u8>) {
        self.send(Note::Keep {
            id: id.into(),
            name,
            bytes,
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

fn write_all(root: &Path, keeping: &Arc<Keeping>, from: &Receiver<Note>) {
    let mut calls: HashMap<String, CallFiles> = HashMap::new();
    // Calls whose end the disk did not take.
    let mut late: VecDeque<(Box<CallRecord>, u64)> = VecDeque::new();
    let mut looked = Instant::now();
    loop {
        if !late.is_empty() && looked.elapsed() >= LOOK {
            while let Some((record, lost)) = late.front() {
                let id = &record.id;
                if !close_late(&root.join(id), id, keeping, record, *lost) {
                    break;
                }
                tracing::info!(call = %id, "the disk takes this call's end now");
                late.pop_front();
            }
            looked = Instant::now();
        }
        match from.recv_timeout(Duration::from_secs(1)) {
            Ok(Note::Begin { id, sound }) => {
                let files = CallFiles::begin(&root.join(&id), &id, keeping.clone(), sound);
                calls.insert(id, files);
            }
            Ok(Note::Sound { id, pcm }) => {
                if let Some(call) = calls.get_mut(&id) {
                    call.sound(&pcm[0], &pcm[1]);
                }
            }
            Ok(Note::Cover { id, spans }) => {
                if let Some(call) = calls.get_mut(&id) {
                    call.cover(&spans);
                }
            }
            Ok(Note::Gate { id, open }) => {
                if let Some(call) = calls.get_mut(&id) {
                    call.gate(open);
                }
            }
            Ok(Note::Event { id, line }) => {
                if let Some(call) = calls.get_mut(&id) {
                    call.event(&line);
                }
            }
            Ok(Note::Keep { id, name, bytes }) => {
                if let Some(call) = calls.get_mut(&id) {
                    call.keep(name, &bytes);
                }
            }
            Ok(Note::Record { id, record }) => {
                if let Some(call) = calls.get(&id) {
                    call.record(&record);
                }
            }
            Ok(Note::End { id, record, done }) => {
                if let Some(call) = calls.remove(&id)
                    && let Err(lost) = call.end(&record, "ended")
                    && late.len() < LATE_MOST
                {
                    late.push_back((record, lost));
                    looked = Instant::now();
                }
                if let Some(done) = done {
                    let _ = done.send(());
                }
            }
            Err(RecvTimeoutError::Timeout) => calls.values_mut().for_each(CallFiles::flush),
            Err(RecvTimeoutError::Disconnected) => {
                calls.values_mut().for_each(CallFiles::flush);
                return;
            }
        }
    }
}
