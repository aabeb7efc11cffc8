//! The shared core: retrieval, confidence and action. Knows nothing of voice; imports no other layer.
//!
//! Text comes in with its evidence, one [`Reply`] comes out. Where the core needs something from outside (a caller's record, an
//! action's result) the reply carries a [`Request`], and the answer is handed to `Conversation::resume`.

pub mod action;
mod after;
pub mod answer;
mod answering;
mod asked;
pub mod audit;
mod bank;
mod choosing;
pub mod confidence;
pub mod config;
mod consult;
pub mod conversation;
mod deeds;
#[expect(
    clippy::module_inception,
    reason = "the layer is named after its main type"
)]
pub mod desk;
pub mod entity;
pub mod escalation;
mod features;
pub mod framing;
pub mod grounding;
pub mod handoff;
mod how;
pub mod identity;
mod index;
pub mod inquiry;
pub mod knowledge;
mod linear;
pub mod meaning;
pub mod mine;
pub mod model;
mod naming;
mod near;
mod object;
pub mod parse;
mod patterns;
mod peers;
pub mod phrase;
mod places;
mod pointed;
mod ranking;
pub mod record;
pub mod redact;
mod rows;
pub mod scope;
mod sentences;
pub(crate) mod text;
pub mod tone;
mod tree;
pub mod types;
mod variants;

pub use answer::{Answer, AnswerEvidence};
pub use confidence::confidence;
pub use config::*;
pub use consult::{Embed, consult};
pub use conversation::Conversation;
pub use desk::{Desk, Hit, Understanding};
pub use escalation::Escalation;
pub use grounding::grounded;
pub use model::ModelTrace;
pub use parse::{DeskFiles, DeskSource, Problem, parse};
pub use record::*;
pub use scope::Learned;
pub use types::*;
