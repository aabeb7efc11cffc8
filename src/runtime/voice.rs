//! Clauses to sound, through the cache: what has been said once is not synthesised again.

use std::borrow::Cow;
use std::sync::Arc;

use crate::audio::RATE;
use crate::audio::level::rms_dbfs;
use crate::speech::Synthesizer;
use crate::speech::cache::{ClauseCache, key};
use crate::speech::spoken::spoken;

use super::clause_cache::{self, DiskCache};
use super::engines::Foreign;

/// Sound kept in memory: 64 MiB is about half an hour.
const MEMORY_BYTES: usize = 64 << 20;
/// Below this nothing is heard of a voice over a telephone.
const QUIET_DBFS: f32 = -50.0;
/// Sound kept on disk.
const DISK_BYTES: u64 = 512 << 20;

/// The line's voice.
pub struct Voice {
    memory: ClauseCache,
    disk: Option<DiskCache>,
    name: String,
    language: String,
    foreign: Foreign,
}

impl Voice {
    /// `name`: engine and voice; `language`: how figures and dates are said. Without a place on disk it remembers in memory only.
    /// `foreign`: what is said in another voice.
    pub fn new(name: &str, language: &str, foreign: Foreign) -> Self {
        let disk = clause_cache::dir().and_then(|dir| match DiskCache::open(&dir, DISK_BYTES) {
            Ok(disk) => Some(disk),
            Err(error) => {
                tracing::warn!(
                    "clauses are kept in memory only: {}: {error}",
                    dir.display()
                );
                None
            }
        });
        Self {
            memory: ClauseCache::new(MEMORY_BYTES),
            disk,
            name: name.into(),
            language: language.into(),
            foreign,
        }
    }

    /// Whose sound this is kept as.
    fn name_of(&self, words: &str) -> Cow<'_, str> {
        self.foreign
            .name_of(words)
            .map_or(Cow::Borrowed(self.name.as_str()), Cow::Owned)
    }

    /// A clause that is in memory: its sound at once. Touches no disk: a call's task asks.
    pub fn ready(&self, text: &str) -> Option<Arc<[i16]>> {
        let words = spoken(text, &self.language);
        self.memory.get(key(&self.name_of(&words), &words))
    }

    /// A clause that has been said before, from memory or from disk. May wait for the disk.
    pub fn kept(&self, text: &str) -> Option<Arc<[i16]>> {
        self.known(&spoken(text, &self.language))
    }

    /// The sound of a clause, mono at 16 kHz.
    pub fn clause(
        &self,
        text: &str,
        synthesizer: &mut dyn Synthesizer,
    ) -> Result<Arc<[i16]>, String> {
        self.clause_in_pieces(text, synthesizer, &mut |_| {})
    }

    /// The same; sound that a service sends bit by bit goes to `hand_on` as it comes, too.
    pub fn clause_in_pieces(
        &self,
        text: &str,
        synthesizer: &mut dyn Synthesizer,
        hand_on: &mut dyn FnMut(&[i16]),
    ) -> Result<Arc<[i16]>, String> {
        let words = spoken(text, &self.language);
        if words.trim().is_empty() {
            return Ok(Arc::from(Vec::new()));
        }
        if let Some(pcm) = self.known(&words) {
            return Ok(pcm);
        }
        let mut sound = Vec::new();
        let streams = synthesizer.streams();
        synthesizer
            .stream(&words, &mut |piece| {
                if streams {
                    hand_on(piece);
                }
                sound.extend_from_slice(piece);
                true
            })
            .map_err(|e| e.to_string())?;
        // What was handed on in pieces must stay what it was.
        let from = if streams { 0 } else { lead(&sound) };
        let pcm: Arc<[i16]> = sound[from..].into();
        // What another voice said, because the configured one could not, is not kept as this one's.
        let name = self.name_of(&words);
        if synthesizer.voice() == name {
            self.memory.put(key(&name, &words), &pcm);
            if let Some(disk) = &self.disk {
                disk.put(&name, &words, &pcm);
            }
        }
        Ok(pcm)
    }

    fn known(&self, words: &str) -> Option<Arc<[i16]>> {
        let name = self.name_of(words);
        let key = key(&name, words);
        if let Some(pcm) = self.memory.get(key) {
            return Some(pcm);
        }
        let sound = self.disk.as_ref()?.get(&name, words)?;
        let pcm: Arc<[i16]> = sound[lead(&sound)..].into();
        self.memory.put(key, &pcm);
        Some(pcm)
    }
}

/// Samples of quiet before the first sound, less a hundredth of a second: a caller waits through them, and hears nothing.
fn lead(pcm: &[i16]) -> usize {
    const WINDOW: usize = RATE as usize / 200;
    let first = pcm
        .chunks_exact(WINDOW)
        .position(|w| rms_dbfs(w) > QUIET_DBFS)
        .unwrap_or(0);
    (first * WINDOW).saturating_sub(2 * WINDOW)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quiet_before_a_clause_is_left_out_and_its_first_sound_is_not() {
        let mut pcm = vec![3; 640];
        pcm.extend([4_000, -4_000].repeat(400));
        assert_eq!(lead(&pcm), 480);
        assert_eq!(lead(&[4_000; 320]), 0);
        assert_eq!(lead(&[0; 320]), 0);
        assert_eq!(lead(&[]), 0);
    }
}
