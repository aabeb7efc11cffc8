//! What is written of one call, and how: sound as it comes, covered where it is private, encrypted where there is a key; the trail; the
//! record. Whatever moment the program dies at, what was written is readable, and [`recover`] closes it.

use std::cell::Cell;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::page::transcript;
use super::seal::{self, Keys, SUFFIX};
use super::trail::{self, Chain, Signer};
use crate::audio::wav::{FileOp, WavStream};
use crate::audio::{FRAME, RATE};
use crate::desk::CallRecord;
use crate::desk::redact::{Side, Span};
use crate::telemetry::{Metric, Metrics};

mod mend;

pub use mend::{close_late, opened, read, recover, unfinished};

const AUDIO: &str = "audio.wav";
const EVENTS: &str = "events.jsonl";
const RECORD: &str = "record.json";
const PAGE: &str = "transcript.md";
/// A record that is final, while its seal is being written.
const NEXT: &str = ".next";
/// There while a call is up.
const UP: &str = ".up";
/// Bytes of a WAV file before its samples, and of a sample of both sides.
const WAV_HEAD: u64 = 44;
const SAMPLE: u64 = 4;

/// How calls are kept.
#[derive(Debug)]
pub struct Keeping {
    /// None: files are readable by whoever may read the folder.
    pub keys: Option<Keys>,
    pub signer: Signer,
    pub metrics: Arc<Metrics>,
    /// Files of ended calls are to go to a bucket.
    pub to_s3: bool,
}

/// One call's files, open.
pub(super) struct CallFiles {
    id: String,
    folder: PathBuf,
    keeping: Arc<Keeping>,
    audio: Option<Audio>,
    /// Both sides, not yet written.
    waiting: [Vec<i16>; 2],
    /// Sound is kept; else silence is, in its place.
    open: bool,
    trail: Option<Trail>,
    covered: Vec<Span>,
    /// Files beside the usual ones.
    kept: Vec<String>,
    /// What is to be covered and has not come yet, in samples; and how many were written.
    ahead: Vec<Span>,
    written: u64,
    /// The disk was complained about.
    told: Cell<bool>,
}

/// A recording as it grows.
enum Audio {
    Plain {
        file: File,
        wav: WavStream,
    },
    Sealed {
        file: File,
        head: Vec<u8>,
        /// Lengths of the pieces: the WAV header, then about a second each.
        pieces: Vec<usize>,
    },
}

struct Trail {
    file: File,
    chain: Chain,
    /// Bytes that are whole.
    good: u64,
    sealed: Option<(Vec<u8>, u64)>,
    lost: u64,
}

impl CallFiles {
    pub(super) fn begin(folder: &Path, id: &str, keeping: Arc<Keeping>, sound: bool) -> Self {
        let mut files = Self {
            id: id.to_owned(),
            folder: folder.to_path_buf(),
            keeping,
            audio: None,
            waiting: Default::default(),
            open: sound,
            trail: None,
            covered: Vec::new(),
            kept: Vec::new(),
            ahead: Vec::new(),
            written: 0,
            told: Cell::new(false),
        };
        let made = fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder);
        if let Err(e) = made {
            files.complain("its folder", &e);
        }
        if let Err(e) = fs::write(folder.join(UP), "") {
            files.complain("its folder", &e);
        }
        match files.begin_audio() {
            Ok(audio) => files.audio = Some(audio),
            Err(e) => files.complain("its recording", &e),
        }
        match files.begin_trail() {
            Ok(trail) => files.trail = Some(trail),
            Err(e) => files.complain("its events", &e),
        }
        files
    }

    /// Where a file of this name is kept.
    fn path(&self, name: &str) -> PathBuf {
        match self.keeping.keys {
            Some(_) => self.folder.join(format!("{name}{SUFFIX}")),
            None => self.folder.join(name),
        }
    }

    fn create(&self, name: &str) -> std::io::Result<File> {
        OpenOptions::new()
            .create(true)
            .truncate(true)
            .read(true)
            .write(true)
            .mode(0o600)
            .open(self.path(name))
    }

    fn begin_audio(&self) -> std::io::Result<Audio> {
        let mut file = self.create(AUDIO)?;
        let (wav, FileOp::Append(header)) = WavStream::new(RATE, 2, 1000) else {
            return Err(std::io::Error::other("no WAV header"));
        };
        match &self.keeping.keys {
            None => {
                file.write_all(&header)?;
                Ok(Audio::Plain { file, wav })
            }
            Some(keys) => {
                let (mut sealing, head) = keys.begin();
                file.write_all(&head)?;
                file.write_all(&sealing.piece(&header))?;
                Ok(Audio::Sealed {
                    file,
                    head,
                    pieces: vec![header.len()],
                })
            }
        }
    }

    fn begin_trail(&self) -> std::io::Result<Trail> {
        let mut file = self.create(EVENTS)?;
        let mut good = 0;
        let mut sealed = None;
        if let Some(keys) = &self.keeping.keys {
            let (_, head) = keys.begin();
            file.write_all(&head)?;
            good = head.len() as u64;
            sealed = Some((head, 0));
        }
        Ok(Trail {
            file,
            chain: Chain::new(&self.id),
            good,
            sealed,
            lost: 0,
        })
    }

    /// 20 ms of both sides.
    pub(super) fn sound(&mut self, caller: &[i16; FRAME], heard: &[i16; FRAME]) {
        let silence = [0; FRAME];
        let (caller, heard) = match self.open {
            true => (caller, heard),
            false => (&silence, &silence),
        };
        self.waiting[0].extend_from_slice(caller);
        self.waiting[1].extend_from_slice(heard);
        // A second at a time: few writes, and at most a second lost to kill -9.
        if self.waiting[0].len() >= RATE as usize {
            self.flush();
        }
    }

    pub(super) fn gate(&mut self, open: bool) {
        self.open = open;
    }

    pub(super) fn flush(&mut self) {
        if self.waiting[0].is_empty() {
            return;
        }
        let first = self.written;
        self.written += self.waiting[0].len() as u64;
        for span in &self.ahead {
            let waiting = &mut self.waiting[place(span.side)];
            let begin = span.from.saturating_sub(first) as usize;
            let end = (span.to.saturating_sub(first) as usize).min(waiting.len());
            for (n, sample) in waiting.iter_mut().enumerate().take(end).skip(begin) {
                *sample = tone(first + n as u64);
            }
        }
        self.ahead.retain(|span| span.to > self.written);
        let done = match &mut self.audio {
            None => Ok(()),
            Some(Audio::Plain { file, wav }) => {
                let ops = wav.push(&[&self.waiting[0], &self.waiting[1]]);
                ops.into_iter().try_for_each(|op| apply(file, op))
            }
            Some(Audio::Sealed { file, head, pieces }) => {
                let bytes: Vec<u8> = self.waiting[0]
                    .iter()
                    .zip(&self.waiting[1])
                    .flat_map(|(l, r)| [l.to_le_bytes(), r.to_le_bytes()].concat())
                    .collect();
                let sealing = self
                    .keeping
                    .keys
                    .as_ref()
                    .and_then(|keys| keys.resume(head, pieces.len() as u64));
                match sealing {
                    Some(mut sealing) => {
                        let end = seal::length_of(pieces);
                        let piece = sealing.piece(&bytes);
                        let written = file
                            .seek(SeekFrom::Start(end))
                            .and_then(|_| file.write_all(&piece));
                        if written.is_ok() {
                            pieces.push(bytes.len());
                        }
                        written
                    }
                    None => Ok(()),
                }
            }
        };
        self.waiting.iter_mut().for_each(Vec::clear);
        if let Err(e) = done {
            self.complain("its recording", &e);
        }
    }

    /// Puts a tone over what was said then, on the side of who said it.
    pub(super) fn cover(&mut self, spans: &[Span]) {
        self.flush();
        for &span in spans {
            let within = |known: &Span| {
                known.side == span.side && known.from <= span.from && span.to <= known.to
            };
            if self.covered.iter().any(within) {
                continue;
            }
            self.covered.push(span);
            let per_ms = u64::from(RATE) / 1000;
            let samples = Span {
                from: span.from * per_ms,
                to: span.to * per_ms,
                ..span
            };
            if samples.to > self.written {
                self.ahead.push(samples);
            }
            if let Err(e) = self.cover_samples(samples) {
                self.complain("a tone over private words", &e);
            }
        }
    }

    fn cover_samples(&mut self, Span { side, from, to }: Span) -> std::io::Result<()> {
        match &mut self.audio {
            None => Ok(()),
            Some(Audio::Plain { file, .. }) => {
                let there = file.metadata()?.len().saturating_sub(WAV_HEAD) / SAMPLE;
                let to = to.min(there);
                if from >= to {
                    return Ok(());
                }
                let mut bytes = vec![0; ((to - from) * SAMPLE) as usize];
                file.seek(SeekFrom::Start(WAV_HEAD + from * SAMPLE))?;
                file.read_exact(&mut bytes)?;
                beep(&mut bytes, side, from);
                file.seek(SeekFrom::Start(WAV_HEAD + from * SAMPLE))?;
                file.write_all(&bytes)
            }
            Some(Audio::Sealed { file, head, pieces }) => {
                let Some(keys) = &self.keeping.keys else {
                    return Ok(());
                };
                let mut first = 0;
                for place in 1..pieces.len() {
                    let last = first + pieces[place] as u64 / SAMPLE;
                    let (begin, end) = (from.max(first), to.min(last));
                    if begin < end {
                        let at = seal::length_of(&pieces[..place]);
                        let length = seal::length_of(&pieces[..=place]) - at;
                        let mut sealed = vec![0; length as usize];
                        file.seek(SeekFrom::Start(at))?;
                        file.read_exact(&mut sealed)?;
                        let mut bytes = keys
                            .open_piece(head, place as u64, &sealed)
                            .ok_or_else(|| std::io::Error::other("it cannot be decrypted"))?;
                        let range =
                            ((begin - first) * SAMPLE) as usize..((end - first) * SAMPLE) as usize;
                        beep(&mut bytes[range], side, begin);
                        if let Some(sealing) = keys.resume(head, 0) {
                            file.seek(SeekFrom::Start(at))?;
                            file.write_all(&sealing.at(place as u64, &bytes))?;
                        }
                    }
                    first = last;
                }
                Ok(())
            }
        }
    }

    /// A line of the trail: a JSON object.
    pub(super) fn event(&mut self, line: &str) {
        let linked = |chain: &mut Chain| chain.link(line);
        self.append(linked);
    }

    /// False: the disk did not take it.
    fn append(&mut self, link: impl FnOnce(&mut Chain) -> String) -> bool {
        let Some(trail) = &mut self.trail else {
            return true;
        };
        let written = trail.append(self.keeping.keys.as_ref(), link);
        if let Err(e) = &written {
            self.complain("its events", e);
        }
        written.is_ok()
    }

    /// A file more: what a human said aside.
    pub(super) fn keep(&mut self, name: String, bytes: &[u8]) {
        if self.replace(&self.path(&name), &self.dressed(bytes)) && !self.kept.contains(&name) {
            self.kept.push(name);
        }
    }

    /// The record as it stands: what is left if the power goes.
    pub(super) fn record(&self, record: &CallRecord) {
        if let Ok(bytes) = serde_json::to_vec_pretty(record) {
            self.replace(&self.path(RECORD), &self.dressed(&bytes));
        }
    }

    /// Closes everything. `why`: `ended`, or how it came to an end without us.
    ///
    /// # Errors
    /// The disk did not take it, and [`close_late`] is to try again: how many events were lost.
    pub(super) fn end(mut self, record: &CallRecord, why: &str) -> Result<(), u64> {
        let lost = self.trail.as_ref().map_or(0, |t| t.lost);
        self.flush();
        if let Some(Audio::Plain { file, wav }) = &mut self.audio {
            let done = wav.finish().into_iter().try_for_each(|op| apply(file, op));
            if let Err(e) = done {
                self.complain("its recording", &e);
            }
        }
        let Ok(bytes) = serde_json::to_vec_pretty(record) else {
            return Ok(());
        };
        let next = format!("{RECORD}{NEXT}");
        // The seal holds the record's hash, and the record says that the call is over: neither may be there without the other for
        // longer than it takes to rename a file.
        if !self.replace(&self.path(&next), &self.dressed(&bytes)) {
            return Err(lost);
        }
        self.replace(
            &self.path(PAGE),
            &self.dressed(transcript(record).as_bytes()),
        );
        let mut files = Vec::new();
        let usual = [
            (AUDIO, self.path(AUDIO)),
            (PAGE, self.path(PAGE)),
            (RECORD, self.path(&next)),
        ];
        let kept = self.kept.iter().map(|n| (n.as_str(), self.path(n)));
        for (name, path) in usual.into_iter().chain(kept) {
            match hash(&path) {
                Ok((length, hash)) => {
                    let name = match self.keeping.keys {
                        Some(_) => format!("{name}{SUFFIX}"),
                        None => name.to_owned(),
                    };
                    files.push((name, length, hash));
                }
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
                Err(e) => self.complain(name, &e),
            }
        }
        let at = super::clock::now().to_string();
        let keeping = self.keeping.clone();
        let why = match lost {
            0 => why.to_owned(),
            n => format!("{why}; {n} events were lost because the disk did not take them"),
        };
        let line = trail::sealed(&why, &at, &files, &keeping.signer);
        if !self.append(|chain| chain.seal(&line, &keeping.signer)) {
            return Err(lost);
        }
        if let Some(trail) = &self.trail {
            let _ = trail.file.sync_data();
        }
        if let Err(e) = fs::rename(self.path(&next), self.path(RECORD)) {
            self.complain("its record", &e);
            return Err(lost);
        }
        if self.keeping.to_s3 {
            let _ = fs::write(self.folder.join(crate::runtime::s3::WAITING), "");
        }
        let _ = fs::remove_file(self.folder.join(UP));
        Ok(())
    }

    /// As it goes to the disk.
    fn dressed(&self, bytes: &[u8]) -> Vec<u8> {
        match &self.keeping.keys {
            Some(keys) => keys.whole(bytes),
            None => bytes.to_vec(),
        }
    }

    /// Whole or not at all: a reader never sees half a file. False: not at all.
    fn replace(&self, path: &Path, bytes: &[u8]) -> bool {
        let mut beside = path.as_os_str().to_owned();
        beside.push(".part");
        let beside = PathBuf::from(beside);
        let written = OpenOptions::new()
            .create(true)
            .truncate(true)
            .write(true)
            .mode(0o600)
            .open(&beside)
            .and_then(|mut file| file.write_all(bytes))
            .and_then(|()| fs::rename(&beside, path));
        if let Err(e) = written {
            let _ = fs::remove_file(&beside);
            self.complain(&path.display().to_string(), &e);
            return false;
        }
        true
    }

    /// Says once for a call what the disk does not take; counts every time.
    fn complain(&self, what: &str, error: &std::io::Error) {
        self.keeping.metrics.count(Metric::RecordingErrors, &[]);
        if !self.told.replace(true) {
            tracing::error!(call = %self.id, "{what} could not be written: {error}; the call goes on");
        }
    }
}

impl Trail {
    fn append(
        &mut self,
        keys: Option<&Keys>,
        link: impl FnOnce(&mut Chain) -> String,
    ) -> std::io::Result<()> {
        let mut chain = self.chain.clone();
        let text = link(&mut chain) + "\n";
        let bytes = match (&mut self.sealed, keys) {
            (Some((head, pieces)), Some(keys)) => match keys.resume(head, *pieces) {
                Some(mut sealing) => sealing.piece(text.as_bytes()),
                None => return Ok(()),
            },
            _ => text.into_bytes(),
        };
        let written = self
            .file
            .seek(SeekFrom::Start(self.good))
            .and_then(|_| self.file.write_all(&bytes));
        match written {
            Ok(()) => {
                self.good += bytes.len() as u64;
                self.chain = chain;
                if let Some((_, pieces)) = &mut self.sealed {
                    *pieces += 1;
                }
                Ok(())
            }
            Err(e) => {
                // Half a line would make what follows unreadable.
                let _ = self.file.set_len(self.good);
                self.lost += 1;
                Err(e)
            }
        }
    }
}

fn apply(file: &mut File, op: FileOp) -> std::io::Result<()> {
    match op {
        FileOp::Append(bytes) => {
            file.seek(SeekFrom::End(0))?;
            file.write_all(&bytes)
        }
        FileOp::Patch { offset, bytes } => {
            file.seek(SeekFrom::Start(offset))?;
            file.write_all(&bytes)
        }
    }
}

/// A tone of 1 kHz, about -23 dBFS, over one side of interleaved samples. `first`: the place of the first of them.
fn beep(bytes: &mut [u8], side: Side, first: u64) {
    let at = place(side) * 2;
    for (n, sample) in bytes.chunks_exact_mut(SAMPLE as usize).enumerate() {
        sample[at..at + 2].copy_from_slice(&tone(first + n as u64).to_le_bytes());
    }
}

/// Which of a recording's two channels.
fn place(side: Side) -> usize {
    match side {
        Side::Caller => 0,
        Side::Heard => 1,
    }
}

fn tone(sample: u64) -> i16 {
    let at = sample as f64 / f64::from(RATE);
    ((at * 1000. * std::f64::consts::TAU).sin() * 3_300.) as i16
}

/// A file's length and SHA-256.
fn hash(path: &Path) -> std::io::Result<(u64, [u8; 32])> {
    let mut file = File::open(path)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    let mut length = 0;
    loop {
        let n = file.read(&mut buffer)?;
        if n == 0 {
            return Ok((length, hasher.finalize().into()));
        }
        length += n as u64;
        hasher.update(&buffer[..n]);
    }
}

#[cfg(test)]
mod tests;
