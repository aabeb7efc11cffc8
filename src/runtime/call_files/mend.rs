//! Reading a call's files, and bringing in order what a program that died has left.

use std::cell::Cell;
use std::fs::{self, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::Arc;

use super::{AUDIO, CallFiles, EVENTS, Keeping, NEXT, RECORD, SAMPLE, Trail, UP, WAV_HEAD};
use crate::desk::CallRecord;
use crate::runtime::seal::{self, Keys, SUFFIX};
use crate::runtime::trail::{self, Chain};

/// Names of the folders below `recordings` whose calls were not closed: the record is not final, or its seal was being written.
pub fn unfinished(recordings: &Path) -> Vec<String> {
    let Ok(folders) = fs::read_dir(recordings) else {
        return Vec::new();
    };
    let open = |folder: &Path| {
        folder.join(UP).exists()
            || fs::read(folder.join(RECORD))
                .ok()
                .and_then(|bytes| serde_json::from_slice::<CallRecord>(&bytes).ok())
                .is_some_and(|record| record.outcome.is_none())
    };
    let mut found: Vec<String> = folders
        .flatten()
        .filter(|folder| open(&folder.path()))
        .filter_map(|folder| folder.file_name().into_string().ok())
        .collect();
    found.sort();
    found
}

/// What humans said aside, kept beside the recording.
fn sounds_aside(folder: &Path) -> Vec<String> {
    let files = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = files
        .filter_map(|file| file.file_name().into_string().ok())
        .map(|name| {
            name.strip_suffix(SUFFIX)
                .map_or(name.clone(), str::to_owned)
        })
        .filter(|name| name.ends_with(".wav") && name != AUDIO && !name.starts_with('.'))
        .collect();
    names.sort();
    names
}

/// A file of a call's folder, decrypted where it is encrypted; none where there is none.
///
/// # Errors
/// One sentence: it is encrypted, and there is no key or another one.
pub fn read(folder: &Path, name: &str, keys: Option<&Keys>) -> Result<Option<Vec<u8>>, String> {
    if let Ok(bytes) = fs::read(folder.join(name)) {
        return Ok(Some(bytes));
    }
    let path = folder.join(format!("{name}{SUFFIX}"));
    let Ok(bytes) = fs::read(&path) else {
        return Ok(None);
    };
    opened(name, bytes, keys)
        .map(Some)
        .map_err(|why| format!("{}: {why}", path.display()))
}

/// A file's bytes as they were before they were encrypted, where they are.
///
/// # Errors
/// One sentence: there is no key, or another one.
pub fn opened(name: &str, bytes: Vec<u8>, keys: Option<&Keys>) -> Result<Vec<u8>, String> {
    if !seal::is_sealed(&bytes) {
        return Ok(bytes);
    }
    let keys = keys.ok_or("it is encrypted: set privacy.key_env, and the variable it names")?;
    let mut whole = keys.open(&bytes)?.concat();
    if name == AUDIO {
        fit_header(&mut whole);
    }
    Ok(whole)
}

/// Brings the sizes in a WAV header up to the samples behind it.
fn fit_header(wav: &mut [u8]) {
    let Some(data) = (wav.len() as u64).checked_sub(WAV_HEAD) else {
        return;
    };
    let size = |n: u64| u32::try_from(n).unwrap_or(u32::MAX).to_le_bytes();
    wav[4..8].copy_from_slice(&size(data + WAV_HEAD - 8));
    wav[40..44].copy_from_slice(&size(data));
}

/// The call in this folder was up when the program died: its files are brought in order. Gives its record, closed by `close` where it was
/// not final; none where the folder holds no call that is open.
///
/// # Errors
/// One sentence: what cannot be read.
pub fn recover(
    folder: &Path,
    id: &str,
    keeping: &Arc<Keeping>,
    close: impl FnOnce(CallRecord) -> CallRecord,
) -> Result<Option<CallRecord>, String> {
    put_right(folder, id, keeping, close, 0)
}

fn put_right(
    folder: &Path,
    id: &str,
    keeping: &Arc<Keeping>,
    close: impl FnOnce(CallRecord) -> CallRecord,
    lost: u64,
) -> Result<Option<CallRecord>, String> {
    let keys = keeping.keys.as_ref();
    let of =
        |bytes: Option<Vec<u8>>| -> Option<CallRecord> { serde_json::from_slice(&bytes?).ok() };
    let next = format!("{RECORD}{NEXT}");
    let last = read(folder, &next, keys)?;
    let (record, finished) = match (of(last), of(read(folder, RECORD, keys)?)) {
        (Some(record), _) => (record, true),
        (None, Some(record)) if record.outcome.is_none() => (close(record), false),
        // Killed before anything was known of it, or between its last two steps.
        _ => {
            let _ = fs::remove_file(folder.join(UP));
            return Ok(None);
        }
    };
    let mut files = CallFiles::found(folder, id, keeping);
    if let Err(e) = files.mend_audio() {
        files.complain("its recording", &e);
    }
    match files.mend_trail() {
        Ok(Mended::Sealed) => {
            let _ = fs::rename(files.path(&next), files.path(RECORD));
            let _ = fs::remove_file(folder.join(UP));
            return Ok(Some(record));
        }
        Ok(Mended::Open(trail)) => files.trail = Some(Trail { lost, ..trail }),
        Err(e) => files.complain("its events", &e),
    }
    let why = match finished {
        true => "ended",
        false => "the program ended during the call",
    };
    // What the disk does not take now is found again at the next start.
    let _ = files.end(&record, why);
    Ok(Some(record))
}

/// Closes a call whose end the disk did not take, and `lost` of its events. False: it still does not.
pub fn close_late(
    folder: &Path,
    id: &str,
    keeping: &Arc<Keeping>,
    record: &CallRecord,
    lost: u64,
) -> bool {
    // As it would be found after a restart, and with its record; where nothing at all could be written, a folder with that alone.
    let files = CallFiles::found(folder, id, keeping);
    let next = files.path(&format!("{RECORD}{NEXT}"));
    let Ok(bytes) = serde_json::to_vec_pretty(record) else {
        return true;
    };
    if fs::create_dir_all(folder).is_err() || !files.replace(&next, &files.dressed(&bytes)) {
        return false;
    }
    let closed = put_right(folder, id, keeping, |record| record, lost);
    matches!(closed, Ok(Some(_))) && files.path(RECORD).exists() && !next.exists()
}

enum Mended {
    /// The trail had its seal.
    Sealed,
    Open(Trail),
}

impl CallFiles {
    /// A folder as it lies there, with nothing open.
    fn found(folder: &Path, id: &str, keeping: &Arc<Keeping>) -> Self {
        Self {
            id: id.to_owned(),
            folder: folder.to_path_buf(),
            keeping: keeping.clone(),
            audio: None,
            waiting: Default::default(),
            open: false,
            trail: None,
            covered: Vec::new(),
            kept: sounds_aside(folder),
            ahead: Vec::new(),
            written: 0,
            told: Cell::new(false),
        }
    }

    /// The header's sizes, and no half sample at the end.
    fn mend_audio(&self) -> std::io::Result<()> {
        let path = self.path(AUDIO);
        let Ok(mut file) = OpenOptions::new().read(true).write(true).open(&path) else {
            return Ok(());
        };
        let Some(keys) = &self.keeping.keys else {
            let length = file.metadata()?.len();
            if length < WAV_HEAD {
                return Ok(());
            }
            let data = (length - WAV_HEAD) / SAMPLE * SAMPLE;
            file.set_len(WAV_HEAD + data)?;
            let mut header = vec![0; WAV_HEAD as usize];
            file.read_exact(&mut header)?;
            let size = |n: u64| u32::try_from(n).unwrap_or(u32::MAX).to_le_bytes();
            header[4..8].copy_from_slice(&size(data + WAV_HEAD - 8));
            header[40..44].copy_from_slice(&size(data));
            file.seek(SeekFrom::Start(0))?;
            return file.write_all(&header);
        };
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        if let Ok(pieces) = keys.open(&bytes) {
            let lengths: Vec<usize> = pieces.iter().map(Vec::len).collect();
            file.set_len(seal::length_of(&lengths))?;
        }
        Ok(())
    }

    fn mend_trail(&self) -> std::io::Result<Mended> {
        let path = self.path(EVENTS);
        let Ok(mut file) = OpenOptions::new().read(true).write(true).open(&path) else {
            return self.begin_trail().map(Mended::Open);
        };
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let (text, sealed, good) = match &self.keeping.keys {
            None => {
                let text = String::from_utf8_lossy(&bytes).into_owned();
                let whole = text.rfind('\n').map_or(0, |at| at + 1);
                (text[..whole].to_owned(), None, whole as u64)
            }
            Some(keys) => {
                let Ok(pieces) = keys.open(&bytes) else {
                    return Err(std::io::Error::other("it cannot be decrypted"));
                };
                let lengths: Vec<usize> = pieces.iter().map(Vec::len).collect();
                let text = String::from_utf8_lossy(&pieces.concat()).into_owned();
                let head = bytes[..seal::HEAD].to_vec();
                let count = pieces.len() as u64;
                (text, Some((head, count)), seal::length_of(&lengths))
            }
        };
        if text.lines().last().is_some_and(trail::is_seal) {
            return Ok(Mended::Sealed);
        }
        file.set_len(good)?;
        let (chain, _) = Chain::resume(&self.id, &text);
        Ok(Mended::Open(Trail {
            file,
            chain,
            good,
            sealed,
            lost: 0,
        }))
    }
}
