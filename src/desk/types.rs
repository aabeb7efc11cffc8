//! The words of the desk: what is decided, why, and what is asked of the world outside.

use serde::{Deserialize, Serialize};

use super::record::{CallbackRequest, Handoff};

/// What to do with what the caller said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Route {
    Answer,
    Act,
    Clarify,
    Transfer,
}

/// What an `act` decision waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pending {
    Verify,
    Slot,
    Confirm,
}

/// How far the caller has proved who they are.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Tier {
    #[default]
    None,
    Basic,
    Full,
}

/// An article that bears on what was asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Source {
    /// The article's id.
    pub id: String,
    /// 0 to 1; comparable within one desk.
    pub score: f32,
}

/// What was decided for one turn, and why. Written to every record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    pub id: String,
    pub route: Route,
    /// Best guess whatever the route; none only where the desk has no intents.
    pub intent: Option<String>,
    /// Probability that the words belong to any intent of this desk.
    pub in_scope: f32,
    /// Calibrated probability that this reply is right.
    pub confidence: f32,
    /// Best first; at least five where the desk has that many.
    pub sources: Vec<Source>,
    pub action: Option<String>,
    pub reply: String,
    pub reason: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub pending: Option<Pending>,
    /// What a language model was sent for this reply, and what came of it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub model: Option<Box<super::model::ModelTrace>>,
}

/// What the caller said, with the evidence for it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Said {
    /// As recognised or typed. Empty when only keys were pressed.
    pub text: String,
    /// `text` as the desk's encoder reads it: the whole, and its words after it ([`super::meaning`]). Empty: the desk falls back on
    /// words alone.
    pub vector: Vec<f32>,
    /// Readings of what else the words may mean ([`super::Conversation::beside`]), each with its text. Empty by words.
    pub beside: Vec<(String, Vec<f32>)>,
    /// Keys pressed in this turn, in order ("0" is the wish for a human).
    pub keyed: Option<String>,
    /// The recogniser's evidence; none for typed text.
    pub heard: Option<HeardEvidence>,
    /// Wall clock.
    pub now: jiff::Timestamp,
}

impl Said {
    /// The reading of a text beside; empty where it was not read.
    pub fn reading_of(&self, text: &str) -> Vec<f32> {
        if text == self.text {
            return self.vector.clone();
        }
        let mut beside = self.beside.iter();
        let found = beside.find(|(known, _)| known == text);
        found
            .map(|(_, reading)| reading.clone())
            .unwrap_or_default()
    }
}

/// A recogniser's evidence for a transcript.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct HeardEvidence {
    pub avg_logprob: f32,
    pub no_speech: f32,
    /// Probability of the least certain word, 0 to 1.
    pub worst_word: f32,
    /// Of a code that was asked for: the characters that were heard unsurely, from the first to one past the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unclear: Option<(u8, u8)>,
}

/// Who is calling, as far as the line knows before a word is said.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Caller {
    /// E.164 where it could be normalised, else as given; none when withheld.
    pub number: Option<String>,
    /// The channel vouches for the number (trusted trunk, Twilio, this computer's own `--from`).
    pub vouched: bool,
    /// Earlier calls of this number, newest first.
    pub history: Vec<EarlierCall>,
}

/// One earlier call of the same caller.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct EarlierCall {
    pub id: String,
    /// RFC 3339.
    pub started_at: String,
    pub intent: Option<String>,
    pub outcome: String,
    pub summary: String,
    /// It ended because the caller could not be verified.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub proof_failed: bool,
}

/// One thing to be said.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Say {
    pub text: String,
    /// Must be heard whole (disclosure, read-back, terms): repeated when it was cut.
    pub must_hear: bool,
}

impl Say {
    pub fn new(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            must_hear: false,
        }
    }
    pub fn must_hear(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            must_hear: true,
        }
    }
}

/// What the desk listens for next; endpointing and the recogniser are tuned by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Listen {
    #[default]
    Open,
    YesNo,
    Digits,
    Date,
    Postcode,
    Name,
    Money,
}

/// What happens after a reply is said.
#[derive(Debug, Clone, PartialEq)]
#[allow(
    clippy::large_enum_variant,
    reason = "one is made a turn, and a callback is promised once a call"
)]
pub enum Next {
    Listen(Listen),
    /// Perform the request, then hand its outcome to `resume`.
    Request(Request),
    /// Bring in a human; the packet is complete.
    Transfer(Box<Handoff>),
    /// A callback was promised and accepted: record it, then listen for anything else (or end when `end`).
    Callback {
        callback: CallbackRequest,
        end: bool,
    },
    /// Say it, then hang up.
    End,
}

/// One turn's outcome.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    pub decision: Decision,
    pub say: Vec<Say>,
    pub next: Next,
}

/// Something asked of the desk's back office.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// Unique in this conversation.
    pub id: u64,
    /// `GET`, `POST`, `PUT`, `PATCH`, `DELETE`; `MCP` for a tool.
    pub method: String,
    /// Path and query, percent-encoded, below the desk's back-office URL; `/server/tool` for a tool.
    pub path: String,
    pub body: Option<serde_json::Value>,
    /// Set on writes: goes out as `Idempotency-Key`, and into the ledger before anything is sent.
    pub idempotency_key: Option<String>,
    /// Name of the action, or `lookup`.
    pub name: String,
    pub slots: serde_json::Map<String, serde_json::Value>,
    /// A tool of an MCP server, called instead of `method` and `path`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool: Option<Box<ToolCall>>,
    /// What holds a write to once; none on reads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terms: Option<Box<Terms>>,
}

/// A tool of an MCP server, with its arguments.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ToolCall {
    /// A name of `[backoffice.mcp.NAME]`.
    pub server: String,
    pub tool: String,
    pub arguments: serde_json::Map<String, serde_json::Value>,
}

/// What holds a write to once, and within its limits.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Terms {
    /// Whose account it is about: the customer's id, else the number rung from. The same customer, action and values are the same
    /// effect, also from another call.
    pub customer: Option<String>,
    /// The number the caller can be rung at, should nobody be there to hear how it went.
    pub caller: Option<String>,
    /// Times it may be done for one customer in one day of the desk.
    pub per_day: Option<u32>,
    /// When that day began.
    pub day_from: Option<jiff::Timestamp>,
    /// How to find out later what became of it.
    pub ask: Option<Ask>,
}

/// The question what became of a write, as an action's `reconcile` names it, filled in.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Ask {
    /// `GET`, or `MCP` for a tool.
    pub method: String,
    pub path: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool: Option<ToolCall>,
    /// Field of the answer that says how it stands; an answer without it is the result itself.
    pub status: String,
    /// Field of the answer that holds the result; an answer without it is the result itself.
    pub result: String,
    /// Values of `status`, lower case.
    pub done: Vec<String>,
    pub failed: Vec<String>,
}

impl Request {
    pub fn is_write(&self) -> bool {
        self.idempotency_key.is_some()
    }
}

/// How a request went.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Outcome {
    /// 2xx with a JSON body (null where empty).
    Done(serde_json::Value),
    /// 404.
    NotFound,
    /// Other 4xx: refused, nothing was changed. The sentence is for the record, never read out.
    Refused(String),
    /// Nothing was sent, or the server said plainly that it did nothing (connection refused, 503 before processing).
    Failed(String),
    /// Sent, and nobody knows: a time-out, a cut connection, 5xx, JSON that cannot be read.
    Unknown(String),
    /// The same was done for this customer in an earlier call, and they were never told: its result. Nothing was sent now.
    Before(serde_json::Value),
    /// Nothing was sent: it was done as often as the desk allows for one customer and day.
    Limited,
    /// Nothing was sent: this is a dry run.
    DryRun,
}

/// How the caller seems to feel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mood {
    #[default]
    Calm,
    Pleased,
    Confused,
    Worried,
    Frustrated,
    Angry,
    Distressed,
}
