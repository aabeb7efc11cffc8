//! Clauses that were said before, by voice and words: in memory up to a bound, and on disk for the next start.

use std::collections::{HashMap, VecDeque};
use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use sha2::{Digest, Sha256};

use crate::audio::{RATE, wav};

/// Sound kept in memory: 64 MiB is about half an hour.
const BYTES: usize = 64 << 20;
/// Clauses longer than this are not likely to be said again.
const LONGEST: usize = RATE as usize * 20;

#[derive(Default)]
struct Kept {
    clauses: HashMap<String, Arc<[i16]>>,
    /// Oldest first.
    order: VecDeque<String>,
    bytes: usize,
}

/// The cache. A file that cannot be read or written costs a synthesis, never a call.
pub struct ClauseCache {
    kept: Mutex<Kept>,
    folder: Option<PathBuf>,
}

impl ClauseCache {
    /// On disk below `FIRSTLINE_CACHE`, else the user's cache directory; in memory only where there is neither.
    pub fn open() -> Self {
        let set = |name| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
        let root = set("FIRSTLINE_CACHE")
            .or_else(|| set("XDG_CACHE_HOME").map(|c| c.join("firstline")))
            .or_else(|| set("HOME").map(|h| h.join(".cache/firstline")));
        Self::at(root.map(|r| r.join("clauses")))
    }

    /// On disk in `folder`; in memory only for none.
    pub fn at(folder: Option<PathBuf>) -> Self {
        let folder = folder.filter(|f| fs::create_dir_all(f).is_ok());
        Self { kept: Mutex::default(), folder }
    }

    /// The sound of `words` in `voice`, mono at 16 kHz, if it was made before. The second look in memory costs no disk.
    pub fn get(&self, voice: &str, words: &str) -> Option<Arc<[i16]>> {
        let key = key(voice, words);
        if let Some(pcm) = self.lock().clauses.get(&key) {
            return Some(pcm.clone());
        }
        let bytes = fs::read(self.folder.as_ref()?.join(format!("{key}.wav"))).ok()?;
        let sound = wav::read(&bytes).ok().filter(|s| s.rate == RATE && s.channels == 1 && !s.samples.is_empty())?;
        let pcm: Arc<[i16]> = sound.samples.into();
        self.keep(key, pcm.clone());
        Some(pcm)
    }

    pub fn put(&self, voice: &str, words: &str, pcm: &Arc<[i16]>) {
        if pcm.is_empty() || pcm.len() > LONGEST {
            return;
        }
        let key = key(voice, words);
        if let Some(folder) = &self.folder {
            // Whole or not at all: two workers may make the same clause, and either's file will do.
            let beside = folder.join(format!("{key}.{}.part", uuid::Uuid::new_v4().simple()));
            let done = fs::write(&beside, wav::write(pcm, RATE, 1)).and_then(|()| fs::rename(&beside, folder.join(format!("{key}.wav"))));
            if let Err(error) = done {
                tracing::debug!(%error, "a clause could not be kept on disk");
                let _ = fs::remove_file(beside);
            }
        }
        self.keep(key, pcm.clone());
    }

    fn keep(&self, key: String, pcm: Arc<[i16]>) {
        let mut kept = self.lock();
        let bytes = pcm.len() * 2;
        if kept.clauses.insert(key.clone(), pcm).is_none() {
            kept.bytes += bytes;
            kept.order.push_back(key);
        }
        while kept.bytes > BYTES {
            let Some(oldest) = kept.order.pop_front() else { break };
            if let Some(gone) = kept.clauses.remove(&oldest) {
                kept.bytes -= gone.len() * 2;
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// SHA-256 over voice and words: a name that says nothing of what a caller was told.
fn key(voice: &str, words: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(voice.as_bytes());
    hash.update([0]);
    hash.update(words.as_bytes());
    hash.finalize().iter().fold(String::with_capacity(64), |mut hex, byte| {
        hex.push_str(&format!("{byte:02x}"));
        hex
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kept_in_memory_and_across_starts() {
        let folder = std::env::temp_dir().join(format!("clauses-{}", uuid::Uuid::new_v4()));
        let pcm: Arc<[i16]> = vec![100; 1600].into();
        ClauseCache::at(Some(folder.clone())).put("joe", "hello", &pcm);
        let again = ClauseCache::at(Some(folder.clone()));
        assert_eq!(again.get("joe", "hello"), Some(pcm));
        assert_eq!(again.get("amy", "hello"), None);
        let broken = folder.join(format!("{}.wav", key("joe", "broken")));
        assert!(fs::write(&broken, b"RIFF").is_ok());
        assert_eq!(again.get("joe", "broken"), None, "a damaged file is as if it were not there");
        let _ = fs::remove_dir_all(folder);
    }
}
