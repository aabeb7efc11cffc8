//! What is kept of a call, in the shape users, scripts and the API rely on.

use serde::{Deserialize, Serialize};

use super::types::{Decision, EarlierCall, Mood, Source, Tier};

/// The record of one call: `recordings/<id>/record.json`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct CallRecord {
    pub id: String,
    /// `sip`, `twilio`, `mic` or `text`.
    pub channel: String,
    pub from: Option<String>,
    pub to: Option<String>,
    /// RFC 3339, UTC.
    pub started_at: String,
    pub ended_at: Option<String>,
    pub outcome: Option<CallOutcome>,
    pub termination: Termination,
    /// The caller heard that this is an automated assistant.
    pub disclosed: bool,
    pub verified: Tier,
    /// Earlier calls of this caller, newest first.
    pub history: Vec<EarlierCall>,
    pub survey: Option<u8>,
    /// How the caller seemed to feel, at last.
    #[serde(default)]
    pub mood: Mood,
    pub turns: Vec<TurnRecord>,
    pub actions: Vec<ActionRecord>,
    pub handoff: Option<Handoff>,
    /// When a human who had the call kept it out of the recording.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub paused: Vec<Paused>,
    /// The caller's line, where there was one.
    #[serde(default)]
    pub line: Option<LineQuality>,
}

/// A time that is not in the recording, milliseconds since answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paused {
    pub from_ms: u64,
    /// None: until the call's end.
    pub to_ms: Option<u64>,
}

/// Keys as they may be kept: a choice or a yes stands as it was pressed; three or more may be a birth date, a code or a card, and are
/// kept as their number only. What was understood by them is in the slots of the action they were for.
pub fn masked(keys: &str) -> String {
    match keys.chars().count() {
        0..=2 => keys.to_owned(),
        n => "*".repeat(n),
    }
}

/// How the caller's media fared, as we saw it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct LineQuality {
    pub codec: String,
    pub packets_in: u64,
    pub packets_lost: u64,
    pub packets_out: u64,
    /// Interarrival jitter (RFC 3550, 6.4.1), milliseconds.
    pub jitter_ms: f32,
    /// Longest time between two packets of sound that came, milliseconds.
    pub longest_gap_ms: u64,
    /// Longest time between two packets of sound that we sent, milliseconds.
    pub longest_sent_gap_ms: u64,
    /// Estimated mean opinion score of what we heard (ITU-T G.107), 1.0 to 4.5.
    #[serde(default)]
    pub mos: Option<f32>,
    /// There and back, milliseconds, by RTCP.
    #[serde(default)]
    pub rtt_ms: Option<f32>,
    /// Share of what we sent that the far end reports lost, 0 to 1.
    #[serde(default)]
    pub far_loss: Option<f32>,
    /// What the call's first message said of where it came from: P-Asserted-Identity, Diversion, History-Info, Identity, X-*.
    #[serde(default)]
    pub headers: Vec<(String, String)>,
}

/// How a call came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallOutcome {
    /// The last matter was answered or done and the caller did not ask again for it or for a human.
    Resolved,
    /// A human accepted.
    Transferred,
    /// A callback was promised and is in the queue.
    Callback,
    /// The caller left before any of these.
    Abandoned,
    /// We broke.
    Failed,
}

/// How a call ended.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Termination {
    /// `caller`, `ours`, `upstream` or `unknown`.
    pub cause: String,
    pub reason: String,
}

/// One turn: what the caller said, what was decided, what the caller heard of the reply.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TurnRecord {
    pub index: u32,
    pub caller: Option<CallerTurn>,
    pub decision: Option<Decision>,
    pub agent: Option<AgentTurn>,
    /// From the end of the caller's speech to the first sound of the reply leaving, milliseconds.
    pub gap_ms: Option<u64>,
    pub stages_ms: StagesMs,
    pub interrupted: bool,
}

/// What the caller said. Times are milliseconds since answer.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct CallerTurn {
    pub text: String,
    pub start_ms: u64,
    pub end_ms: u64,
    pub avg_logprob: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub keyed: Option<String>,
    /// `colleague`: said by the human who handed the caller back, not by the caller.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub by: Option<String>,
}

/// What the line said, and how much of it was heard.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct AgentTurn {
    pub text: String,
    pub heard: String,
    pub start_ms: u64,
    pub end_ms: u64,
}

/// Where the time of a turn went, milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StagesMs {
    pub endpoint: u64,
    pub stt: u64,
    pub decide: u64,
    pub tts: u64,
}

/// One action, as far as it got.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ActionRecord {
    pub name: String,
    pub slots: serde_json::Map<String, serde_json::Value>,
    pub confirmed: bool,
    pub idempotency_key: Option<String>,
    pub status: ActionStatus,
    pub result: serde_json::Value,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActionStatus {
    Done,
    Failed,
    Unknown,
    /// Decided and confirmed, and not sent: a dry run.
    DryRun,
}

/// What the human who takes over is given.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Handoff {
    /// Why: `asked`, `out_of_scope`, `low_confidence`, `dispute`, `fraud`, `hardship`, `closure`, ... one word or snake_case.
    pub reason: String,
    pub intent: Option<String>,
    pub summary: String,
    /// Said to the human before the caller is joined; under 20 seconds aloud.
    pub spoken_brief: String,
    pub tried: Vec<String>,
    pub sources: Vec<Source>,
    pub confidence: f32,
    pub verified: Tier,
    pub sentiment: Mood,
    pub open_question: String,
    pub targets: Vec<TargetOutcome>,
    /// `accepted`, `callback`, `returned` or `caller_gone`; empty while it is under way.
    pub result: String,
    pub accepted_by: Option<String>,
    /// Queue the desk names for this reason or intent, if any.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub queue: Option<String>,
    /// The caller's name, where the customer's record has one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub caller_name: Option<String>,
    /// What the human asked during the brief, and what they were told.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub questions: Vec<Asked>,
    /// What the human said when they sent the call back.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub note: Option<String>,
    /// What the human asked for when they handed the caller back.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub handed_back: Option<String>,
    /// What was said after the human took the call, where notes are taken.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub notes: Vec<NoteLine>,
    /// What a reviewer did not let the line say.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub draft: Option<String>,
    /// How the human left it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub closing: Option<Closing>,
}

/// A question of the human about the call, and the answer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    pub question: String,
    pub answer: String,
}

/// A line of the notes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoteLine {
    /// `caller` or `colleague`.
    pub by: String,
    pub text: String,
    /// Milliseconds since answer.
    pub at_ms: u64,
}

/// How a matter stood when the human left it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closing {
    /// `resolved`, `follow_up` or `unknown`.
    pub status: String,
    /// By which it is known: `key`, or the words it rests on.
    pub said: String,
}

/// Every word that [`TargetOutcome::outcome`] may be.
pub const TARGET_OUTCOMES: [&str; 14] = [
    "accepted",
    "declined",
    "busy",
    "no_answer",
    "unreachable",
    "hung_up",
    "no_key",
    "no_sound",
    "sent_back",
    "taken",
    "closed",
    "not_suited",
    "caller_gone",
    "sent_on",
];

/// How one target answered.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TargetOutcome {
    pub uri: String,
    /// `accepted`, `declined`, `busy`, `no_answer`, `unreachable`, `hung_up` (after answering), `no_key` (answered by something that pressed
    /// no key: an answering machine), `no_sound` (the same, and not a packet of sound came), `sent_back`, `taken` (by another target),
    /// `closed`, `not_suited` (by skill or language; not dialled), `caller_gone`.
    pub outcome: String,
    pub ms: u64,
}

/// A callback the line promises.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct CallbackRequest {
    pub number: String,
    /// As the caller said it ("tomorrow morning"), if they did.
    pub when: Option<String>,
    pub reason: String,
    pub handoff: Handoff,
}
