//! Tasks, threads, clocks, files. The one translator between layers.

pub mod actions;
pub mod api;
pub mod clock;
pub mod webhook;
