//! What callers said, encrypted in the database, where there is a key: records, summaries, packets, and what waits beside it. Numbers,
//! times, outcomes and the ledger stay readable: they are searched by.

use std::fmt::Debug;

use super::{Store, StoreError};

/// Encrypts texts. Implemented where the keys are.
pub trait Seal: Debug + Send + Sync {
    fn seal(&self, text: &str) -> String;
    /// # Errors
    /// One sentence: another key, or altered.
    fn open(&self, text: &str) -> Result<String, String>;
}

/// What an encrypted text begins with.
const MARK: &str = "sealed:";

impl Store {
    /// Texts are encrypted with `seal` from now on, and read with it.
    #[must_use]
    pub fn with_seal(mut self, seal: std::sync::Arc<dyn Seal>) -> Store {
        self.seal = Some(seal);
        self
    }

    /// As it goes into the database.
    pub(super) fn sealed(&self, text: String) -> String {
        match &self.seal {
            Some(seal) => format!("{MARK}{}", seal.seal(&text)),
            None => text,
        }
    }

    /// As it was before.
    pub(super) fn opened(&self, text: String) -> Result<String, StoreError> {
        let Some(sealed) = text.strip_prefix(MARK) else {
            return Ok(text);
        };
        let seal = self.seal.as_ref().ok_or_else(|| {
            StoreError::Open(
                "the database's records are encrypted: set privacy.key_env, and the variable it names".into(),
            )
        })?;
        seal.open(sealed)
            .map_err(|why| StoreError::Open(format!("a record cannot be decrypted: {why}")))
    }
}

/// For tests: texts backwards, which is enough to be found by no query.
#[cfg(test)]
#[derive(Debug)]
pub(super) struct Backwards;

#[cfg(test)]
impl Seal for Backwards {
    fn seal(&self, text: &str) -> String {
        text.chars().rev().collect()
    }
    fn open(&self, text: &str) -> Result<String, String> {
        Ok(text.chars().rev().collect())
    }
}
