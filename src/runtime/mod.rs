//! runtime

pub mod models;
