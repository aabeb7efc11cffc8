//! firstline: a phone-support agent that a company points its phone number at.
//!
//! # The map
//!
//! A pure middle that never reads a clock, opens a socket or waits; everything that does lives at the edge.
//!
//! | folder | what it holds | may import |
//! |---|---|---|
//! | [`audio`] | samples: frames, codecs, resampling, jitter, playout, mixing, WAV | nothing |
//! | [`wire`] | bytes to types: RTP, RTCP, SDP, Twilio JSON | audio |
//! | [`desk`] | the shared core: understanding, retrieval, confidence, actions, identity, hand-over | nothing |
//! | [`call`] | the conversation as a sans-IO engine: events in, commands out | audio, desk |
//! | [`speech`] | ports and engines, sound to words and back | audio |
//! | [`reason`] | ports and engines for sentence encoders and language models | desk |
//! | `backoffice` | what actions act on, over HTTP and MCP | desk |
//! | `store` | call records, the action ledger, callbacks | desk |
//! | `edge` | sockets and devices: SIP, RTP, Twilio, microphone, HTTP | audio, wire |
//! | `runtime` | tasks, threads, clocks, files; the one translator between layers | everything |
//! | `cli` | one file a subcommand | runtime, config |
//!
//! # One call's path
//!
//! A 20 ms tick pulls a frame from each leg, runs voice activity on the caller's, and feeds [`call`]'s engine with events.
//! Likely end of speech starts the work (transcribe, decide, synthesise), all tagged with the turn; final end of speech lets
//! what is held be spoken; a caller who goes on talking moves the turn on, and whatever carries the old tag is dropped.
//!
//! # The rules
//!
//! - Time is an argument. The engine and the desk are given `now`; only `edge`, `store`, `backoffice` and `runtime` read clocks.
//! - A figure that is spoken comes from an article or from an action's result.
//! - A write is in the ledger before it is sent, and is sent once. Where its answer is lost, what became of it is asked.
//! - A language model words what the desk has decided. Each sentence is checked against the articles before it is spoken.
//! - Every failure ends in an answer, a human, or a promise kept.

#![cfg_attr(
    test,
    allow(
        clippy::disallowed_methods,
        clippy::type_complexity,
        clippy::approx_constant,
        reason = "tests read clocks, keep tables, and mean 3.14 when they say it"
    )
)]

pub mod audio;
pub mod call;
pub mod desk;
pub mod reason;
pub mod speech;
pub mod wire;

#[cfg(feature = "line")]
pub mod backoffice;
#[cfg(feature = "line")]
pub mod cli;
#[cfg(feature = "line")]
pub mod config;
#[cfg(feature = "line")]
pub mod edge;
#[cfg(feature = "line")]
pub mod runtime;
#[cfg(feature = "line")]
pub mod store;
#[cfg(feature = "line")]
pub mod telemetry;
