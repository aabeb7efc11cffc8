//! Scripts of whole conversations.

mod answers;
mod desk;
mod doing;
mod people;
mod proof;
