//! What actions act on: the desk's HTTP API. Knows nothing of calls; a failure is an [`Outcome`](crate::desk::Outcome), never an
//! error to be handled twice. `runtime::actions` puts the ledger before it.
#![allow(
    clippy::disallowed_methods,
    reason = "requests have deadlines, and the tests run a server beside them"
)]

mod http;

pub use http::{HttpBackoffice, Post, PostError, poster};

#[cfg(test)]
mod tests;
