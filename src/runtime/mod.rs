//! Tasks, threads, clocks, files. The one translator between layers.
#![allow(
    clippy::disallowed_methods,
    reason = "tasks, threads, clocks and files are what this layer is for"
)]

pub mod actions;
pub mod api;
pub mod clause_cache;
pub mod clock;
pub mod desks;
pub mod models;
pub mod phone;
pub mod webhook;
