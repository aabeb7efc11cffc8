//! A language model's part: it words what the desk has decided, and nothing else.
//!
//! The desk stays a step machine. [`crate::desk::Conversation::prompt`] says what a model is to be asked for the turn just decided; the
//! runtime asks, and feeds what streams in to a [`Composer`]; every sentence is checked before it may be said; what the composer ends
//! with is handed back with [`crate::desk::Conversation::worded`]. No model, no time, or nothing that passes: the reply stands as it
//! was. A model decides nothing: not what is in scope, not what is done, not how sure is sure enough.

pub mod check;
mod compose;
mod prompt;
pub mod redact;
mod stream;

pub use compose::{Composer, Ended, KeptBack};
pub use prompt::{Prompt, Task, placeholders};

use serde::{Deserialize, Serialize};

/// What was sent to a model for one turn, and what came of it. Redacted as it was sent.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ModelTrace {
    /// `answer` or `clarify`.
    pub task: String,
    /// Which server, and which model of it.
    pub server: String,
    pub model: String,
    /// The prompt's first half is the desk's file: its first 16 hex digits of SHA-256 stand for it.
    pub prompt: String,
    /// The data as it was sent.
    pub sent: String,
    /// What came back, cut where it is long.
    pub got: String,
    /// `worded`, `partly` (finished in the articles' own words), `rejected`, `late`, `failed` or `resting` (not asked: it failed too
    /// often of late).
    pub result: String,
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub error: String,
    /// Sentences that may not be said, and why.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub kept_back: Vec<KeptBack>,
    /// From asking to the first sentence that may be said.
    pub first_ms: Option<u64>,
    pub ms: u64,
}
