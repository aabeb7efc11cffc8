//! Clauses kept on disk, so that a fixed phrase or an article's sentence is synthesised once on a computer and not once a run.
//!
//! One file a clause, named by voice and text, written under another name first. A file is used only if it says the same voice
//! and text and its sum is right; anything else is as if it were not there.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::speech::cache::{ClauseCache, Key, key};
use crate::speech::{SpeechError, Synthesizer};

const MAGIC: &[u8; 8] = b"flcl0001";
/// Sound kept in memory: half an hour.
pub const MEMORY_BYTES: usize = 60_000_000;
/// Sound kept on disk; beyond it the oldest files go, at the next start.
pub const DISK_BYTES: u64 = 500_000_000;

/// Where clauses are kept: `$FIRSTLINE_CACHE/clauses`, else `$XDG_CACHE_HOME/firstline/clauses`, else `~/.cache/firstline/clauses`.
/// None where none of them is set.
pub fn dir() -> Option<PathBuf> {
    let set = |name| {
        std::env::var_os(name)
            .filter(|v| !v.is_empty())
            .map(PathBuf::from)
    };
    set("FIRSTLINE_CACHE")
        .map(|cache| cache.join("clauses"))
        .or_else(|| {
            set("XDG_CACHE_HOME")
                .or_else(|| set("HOME").map(|home| home.join(".cache")))
                .map(|cache| cache.join("firstline/clauses"))
        })
}

/// A directory of clauses.
#[derive(Debug)]
pub struct DiskCache {
    dir: PathBuf,
    written: AtomicU64,
}

impl DiskCache {
    /// Opens, or makes, the directory, and takes the oldest files away while there are more than `most_bytes`.
    ///
    /// # Errors
    /// The directory cannot be made. The line works without it, only slower at first.
    pub fn open(dir: &Path, most_bytes: u64) -> std::io::Result<Self> {
        fs::create_dir_all(dir)?;
        let mut files: Vec<(std::time::SystemTime, u64, PathBuf)> = fs::read_dir(dir)?
            .filter_map(Result::ok)
            .filter(|e| {
                e.path()
                    .extension()
                    .is_some_and(|x| x == "clause" || x == "part")
            })
            .filter_map(|e| {
                let meta = e.metadata().ok()?;
                Some((meta.modified().ok()?, meta.len(), e.path()))
            })
            .collect();
        files.sort();
        let mut bytes: u64 = files.iter().map(|f| f.1).sum();
        for (_, size, path) in files {
            if bytes <= most_bytes {
                break;
            }
            if fs::remove_file(path).is_ok() {
                bytes -= size;
            }
        }
        Ok(Self {
            dir: dir.to_owned(),
            written: AtomicU64::new(0),
        })
    }

    fn path(&self, key: Key) -> PathBuf {
        self.dir.join(format!("{}.clause", key.hex()))
    }

    /// The clause, if it is there, whole, and of this voice and text.
    pub fn get(&self, voice: &str, text: &str) -> Option<Vec<i16>> {
        let bytes = fs::read(self.path(key(voice, text))).ok()?;
        let head = head(voice, text);
        let rest = bytes.strip_prefix(head.as_slice())?;
        let (sum, pcm) = rest.split_at_checked(16)?;
        if sum != sum_of(pcm) || pcm.len() % 2 != 0 {
            return None;
        }
        Some(
            pcm.chunks_exact(2)
                .map(|b| i16::from_le_bytes([b[0], b[1]]))
                .collect(),
        )
    }

    /// Keeps a clause. What cannot be written is synthesised again next time.
    pub fn put(&self, voice: &str, text: &str, pcm: &[i16]) {
        let samples: Vec<u8> = pcm.iter().flat_map(|s| s.to_le_bytes()).collect();
        let mut bytes = head(voice, text);
        bytes.extend_from_slice(&sum_of(&samples));
        bytes.extend_from_slice(&samples);
        let path = self.path(key(voice, text));
        // Two threads, or two programs, may write the same clause: each has a name of its own until the end.
        let n = self.written.fetch_add(1, Ordering::Relaxed);
        let part = path.with_extension(format!("{}-{n}.part", std::process::id()));
        if fs::write(&part, bytes)
            .and_then(|()| fs::rename(&part, &path))
            .is_err()
        {
            let _ = fs::remove_file(&part);
        }
    }
}

fn head(voice: &str, text: &str) -> Vec<u8> {
    let mut out = MAGIC.to_vec();
    for part in [voice, text] {
        out.extend_from_slice(&(part.len() as u64).to_le_bytes());
        out.extend_from_slice(part.as_bytes());
    }
    out
}

fn sum_of(bytes: &[u8]) -> [u8; 16] {
    use sha2::Digest;
    let mut out = [0; 16];
    out.copy_from_slice(&sha2::Sha256::digest(bytes)[..16]);
    out
}

/// A voice that remembers: memory first, then disk, then the engine.
pub struct Remembering<S> {
    voice: S,
    memory: Arc<ClauseCache>,
    disk: Option<Arc<DiskCache>>,
}

impl<S: Synthesizer> Remembering<S> {
    pub fn new(voice: S, memory: Arc<ClauseCache>, disk: Option<Arc<DiskCache>>) -> Self {
        Self {
            voice,
            memory,
            disk,
        }
    }

    /// The clause if it need not be synthesised. Cheap enough to ask before queueing work.
    pub fn known(&self, clause: &str) -> Option<Arc<[i16]>> {
        let key = key(self.voice.voice(), clause);
        if let Some(pcm) = self.memory.get(key) {
            return Some(pcm);
        }
        let pcm: Arc<[i16]> = self.disk.as_ref()?.get(self.voice.voice(), clause)?.into();
        self.memory.put(key, &pcm);
        Some(pcm)
    }
}

impl<S: Synthesizer> Synthesizer for Remembering<S> {
    fn voice(&self) -> &str {
        self.voice.voice()
    }
    fn synthesize(&mut self, clause: &str) -> Result<Vec<i16>, SpeechError> {
        if let Some(pcm) = self.known(clause) {
            return Ok(pcm.to_vec());
        }
        let pcm = self.voice.synthesize(clause)?;
        // Under the voice that said it: a service's stand-in is not kept as the service.
        self.memory
            .put(key(self.voice.voice(), clause), &pcm.as_slice().into());
        if let Some(disk) = &self.disk {
            disk.put(self.voice.voice(), clause, &pcm);
        }
        Ok(pcm)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::speech::scripted::ScriptedVoice;

    fn room(name: &str) -> PathBuf {
        let dir =
            std::env::temp_dir().join(format!("firstline-clauses-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        dir
    }

    #[test]
    fn a_clause_is_synthesised_once_even_across_runs() {
        let dir = room("once");
        let voice = || {
            let disk = Arc::new(DiskCache::open(&dir, DISK_BYTES).unwrap());
            Remembering::new(
                ScriptedVoice::default(),
                Arc::new(ClauseCache::new(MEMORY_BYTES)),
                Some(disk),
            )
        };
        let mut first = voice();
        let sound = first.synthesize("Hello.").unwrap();
        assert_eq!(first.synthesize("Hello.").unwrap(), sound);
        assert_eq!(first.voice.said.len(), 1);
        let mut second = voice();
        assert_eq!(second.synthesize("Hello.").unwrap(), sound);
        assert!(second.voice.said.is_empty());
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn damaged_files_are_not_used_and_old_ones_go() {
        let dir = room("damage");
        let disk = DiskCache::open(&dir, DISK_BYTES).unwrap();
        disk.put("v", "one", &[1, 2, 3]);
        assert_eq!(disk.get("v", "one").unwrap(), [1, 2, 3]);
        let path = disk.path(key("v", "one"));
        let good = fs::read(&path).unwrap();
        for n in 0..good.len() {
            let mut bad = good.clone();
            bad[n] ^= 0x40;
            fs::write(&path, &bad).unwrap();
            assert_eq!(disk.get("v", "one"), None, "byte {n}");
            fs::write(&path, &good[..n]).unwrap();
            assert_eq!(disk.get("v", "one"), None, "cut at {n}");
        }
        fs::write(&path, &good).unwrap();
        assert!(disk.get("v", "one").is_some());
        assert_eq!(disk.get("v", "two"), None);
        DiskCache::open(&dir, 10).unwrap();
        assert_eq!(disk.get("v", "one"), None);
        fs::remove_dir_all(dir).unwrap();
    }
}
