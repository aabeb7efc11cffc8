//! Tasks, threads, clocks, files. The one translator between layers.

pub mod actions;
pub mod clock;
pub mod phone;
