//! One binary of integration tests; each module says what belongs in it.
#![allow(
    clippy::disallowed_methods,
    clippy::type_complexity,
    reason = "tests wait, start tasks and keep tables"
)]

/// Writes against real processes: killed at any moment, lost answers, MCP servers.
#[cfg(feature = "line")]
mod actions;
/// The program as it is typed: the README's commands, help, misuse.
#[cfg(all(feature = "line", feature = "onnx", feature = "whisper"))]
mod cli;
/// The console in a real browser, on a line without telephones.
#[cfg(feature = "line")]
mod console;
/// What the line says and does, turn by turn, on a desk that goes by words alone.
mod conversation;
/// Every reader of what strangers send or give, fed spoilt bytes.
mod hostile;
/// A caller and a colleague on a real line: keys between them, and what is kept of them.
#[cfg(all(feature = "line", feature = "onnx", feature = "whisper"))]
mod joined;
/// A language model's words, good and bad, from a scripted server and from a real one.
#[cfg(feature = "line")]
mod model;
/// Many machines: two of the program behind Kamailio, sharing PostgreSQL.
#[cfg(all(feature = "line", feature = "onnx", feature = "whisper"))]
mod nodes;
/// Ports for programs that are told where to listen.
#[cfg(feature = "line")]
#[path = "support/ports.rs"]
mod ports;
/// Desks that nothing was shaped for: how many questions are answered, and how many wrongly.
#[cfg(all(feature = "line", feature = "onnx"))]
mod quality;
/// The sample desk as it is shipped.
mod sample;
/// The SIP edge on loopback: against itself, hand-written messages and real peers.
#[cfg(feature = "line")]
mod sip;
/// The speech engines on real weights.
#[cfg(all(feature = "line", feature = "onnx", feature = "whisper"))]
mod speech;
/// What goes wrong around a line while a call is up: the disk is full, the clock is put right.
#[cfg(all(feature = "line", feature = "onnx", feature = "whisper"))]
mod trouble;
/// The Twilio edge on loopback: webhooks, streams, the API's stand-in, and callers that do as Twilio does.
#[cfg(feature = "line")]
mod twilio;
/// Who needs a human, whatever the desk and the words; attempts to get round the rules.
#[cfg(all(feature = "line", feature = "onnx", feature = "whisper"))]
mod understanding;
