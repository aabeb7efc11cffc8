//! Scripts of whole conversations.

mod answers;
mod context;
pub mod desk;
mod doing;
mod feeling;
mod history;
mod people;
mod proof;
mod rules;
mod turns;
