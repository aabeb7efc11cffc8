//! Clauses said before, kept by voice and text: what is fixed is synthesised once. Pure: the runtime adds the disk.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Names one clause in one voice. Stable across runs and machines, so it can name a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key(u128);

impl Key {
    /// 32 hexadecimal digits.
    pub fn hex(self) -> String {
        format!("{:032x}", self.0)
    }
    /// A number to seed with: the same clause, the same sound.
    pub fn seed(self) -> u64 {
        (self.0 >> 64) as u64 ^ self.0 as u64
    }
}

/// The key of `text` in `voice`: FNV-1a of 128 bits (Fowler, Noll, Vo; RFC 9923). It guards against accidents, not enemies; a
/// file found under it is compared with the text before it is used.
pub fn key(voice: &str, text: &str) -> Key {
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    let bytes = voice.bytes().chain([0]).chain(text.bytes());
    Key(
        bytes.fold(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d, |hash, b| {
            (hash ^ u128::from(b)).wrapping_mul(PRIME)
        }),
    )
}

/// Clauses in memory, up to a number of bytes; the one not used for longest goes first. Shared between threads.
#[derive(Debug)]
pub struct ClauseCache {
    inner: Mutex<Inner>,
    most_bytes: usize,
}

#[derive(Debug, Default)]
struct Inner {
    clauses: HashMap<Key, (Arc<[i16]>, u64)>,
    bytes: usize,
    uses: u64,
}

impl ClauseCache {
    /// `most_bytes`: of sound; a second is 32,000.
    pub fn new(most_bytes: usize) -> Self {
        Self {
            inner: Mutex::default(),
            most_bytes,
        }
    }

    pub fn get(&self, key: Key) -> Option<Arc<[i16]>> {
        let mut inner = self.lock();
        inner.uses += 1;
        let now = inner.uses;
        let (pcm, used) = inner.clauses.get_mut(&key)?;
        *used = now;
        Some(pcm.clone())
    }

    /// Keeps a clause; one larger than the whole cache is not kept.
    pub fn put(&self, key: Key, pcm: &Arc<[i16]>) {
        let size = pcm.len() * 2;
        if size > self.most_bytes {
            return;
        }
        let mut inner = self.lock();
        inner.uses += 1;
        let now = inner.uses;
        inner.bytes += size;
        if let Some((old, _)) = inner.clauses.insert(key, (pcm.clone(), now)) {
            inner.bytes -= old.len() * 2;
        }
        while inner.bytes > self.most_bytes {
            let Some(oldest) = inner
                .clauses
                .iter()
                .min_by_key(|(_, (_, used))| *used)
                .map(|(k, _)| *k)
            else {
                break;
            };
            if let Some((old, _)) = inner.clauses.remove(&oldest) {
                inner.bytes -= old.len() * 2;
            }
        }
    }

    /// Bytes of sound held.
    pub fn bytes(&self) -> usize {
        self.lock().bytes
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_stable_and_apart() {
        assert_eq!(key("a", "b"), key("a", "b"));
        assert_ne!(key("a", "b"), key("ab", ""));
        assert_ne!(key("", "ab"), key("a", "b"));
        assert_eq!(key("", "").hex().len(), 32);
        assert_eq!(
            key("", "").hex(),
            "d228cb69101a8caf78912b704e4a147f".to_owned()
        );
    }

    #[test]
    fn the_least_recently_used_goes_first() {
        let cache = ClauseCache::new(100);
        let clause = |n: i16| -> Arc<[i16]> { vec![n; 20].into() };
        for n in 0..2 {
            cache.put(key("v", &n.to_string()), &clause(n));
        }
        assert!(cache.get(key("v", "0")).is_some());
        cache.put(key("v", "2"), &clause(2));
        assert!(cache.get(key("v", "1")).is_none());
        assert_eq!(cache.get(key("v", "0")).unwrap()[0], 0);
        assert_eq!(cache.bytes(), 80);
        cache.put(key("v", "0"), &clause(9));
        assert_eq!(
            (cache.bytes(), cache.get(key("v", "0")).unwrap()[0]),
            (80, 9)
        );
        cache.put(key("v", "huge"), &vec![0; 51].into());
        assert!(cache.get(key("v", "huge")).is_none());
    }
}
