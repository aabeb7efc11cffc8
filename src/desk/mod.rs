//! The shared core: retrieval, confidence and action. Knows nothing of voice; imports no other layer.
//!
//! Text comes in with its evidence, one [`Reply`] comes out. Where the core needs something from outside (a caller's record, an
//! action's result) the reply carries a [`Request`], and the answer is handed to `Conversation::resume`.

pub mod entity;
pub mod record;
pub mod tone;
pub mod types;

pub use record::*;
pub use types::*;
