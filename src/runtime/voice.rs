//! Clauses to sound, through the cache: what has been said once is not synthesised again.

use std::sync::Arc;

use crate::speech::Synthesizer;
use crate::speech::spoken::spoken;

use super::clause_cache::ClauseCache;

/// The line's voice.
pub struct Voice {
    cache: ClauseCache,
    name: String,
    language: String,
}

impl Voice {
    /// `name`: engine and voice; `language`: how figures and dates are said.
    pub fn new(cache: ClauseCache, name: &str, language: &str) -> Self {
        Self {
            cache,
            name: name.into(),
            language: language.into(),
        }
    }

    /// A clause that has been said before: its sound at once.
    pub fn ready(&self, text: &str) -> Option<Arc<[i16]>> {
        self.cache.get(&self.name, &spoken(text, &self.language))
    }

    /// The sound of a clause, mono at 16 kHz.
    pub fn clause(
        &self,
        text: &str,
        synthesizer: &mut dyn Synthesizer,
    ) -> Result<Arc<[i16]>, String> {
        let words = spoken(text, &self.language);
        if words.trim().is_empty() {
            return Ok(Arc::from(Vec::new()));
        }
        if let Some(pcm) = self.cache.get(&self.name, &words) {
            return Ok(pcm);
        }
        let pcm: Arc<[i16]> = synthesizer
            .synthesize(&words)
            .map_err(|e| e.to_string())?
            .into();
        self.cache.put(&self.name, &words, &pcm);
        Ok(pcm)
    }
}
