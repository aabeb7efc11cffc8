//! Tasks, threads, clocks, files. The one translator between layers.
#![allow(
    clippy::disallowed_methods,
    reason = "tasks, threads, clocks and files are what this layer is for"
)]

pub mod actions;
pub mod advertise;
pub mod api;
pub mod call_files;
pub mod call_task;
pub mod callbacks;
pub mod capacity;
pub mod clause_cache;
pub mod clock;
pub mod console;
pub mod desks;
pub mod ear;
pub mod engines;
pub mod inputs;
pub mod kept;
pub mod leg;
pub mod line;
pub mod live;
pub mod model;
pub mod models;
pub mod node;
pub mod numbers;
pub mod page;
pub mod people;
mod perform;
pub mod pilot;
pub mod pool;
pub mod priority;
pub mod queues;
pub mod reconcile;
pub mod recording;
pub mod report;
pub mod rerun;
pub mod retention;
pub mod s3;
pub mod seal;
pub mod serve;
pub mod shadow;
pub mod shapes;
pub mod sound;
pub mod trace;
pub mod trail;
pub mod twilio;
pub mod under_way;
pub mod veil;
pub mod vocabulary;
pub mod voice;
mod warm;
pub mod webhook;
mod work;
mod zones;

/// A new call's id: sorts by time, says nothing else, fit for a folder's name.
pub fn call_id() -> String {
    uuid::Uuid::now_v7().to_string()
}
pub mod phone;
pub mod phones;

pub(crate) use perform::beside;
