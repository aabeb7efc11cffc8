//! Bytes to types and back. Pure and total: any input gives a value or an error, never a panic.

pub mod hostile;
pub mod providers;
pub mod rtcp;
pub mod rtp;
pub mod sdp;
pub mod sip;
pub mod twilio;

/// Why bytes are not what they should be. One sentence, for the log; the input is dropped or refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WireError(pub String);

impl WireError {
    pub(crate) fn new(sentence: impl Into<String>) -> Self {
        Self(sentence.into())
    }
}

impl std::fmt::Display for WireError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}
impl std::error::Error for WireError {}
