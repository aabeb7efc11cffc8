//! The engine's words: what comes in, what goes out, and what one call needs to know.

use serde::Serialize;

use super::BargeIn;
use crate::audio::MediaTime;
use crate::desk::{
    ActionRecord, CallOutcome, CallbackRequest, Decision, Handoff, HeardEvidence, Listen, Outcome,
    Reply, Request, TargetOutcome, Tier,
};

/// Milliseconds since the call was made known to the engine; injected, so that calls replay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize)]
pub struct Time(pub u64);

impl Time {
    pub const fn plus(self, ms: u64) -> Self {
        Self(self.0 + ms)
    }
    pub const fn since(self, earlier: Time) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// One party.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub struct LegId(pub u32);

/// The caller's leg; humans get the numbers after it.
pub const CALLER: LegId = LegId(0);

/// The part of the desk a call talks to; `desk::conversation::Conversation` is the real one. A clone is decided on
/// speculatively and becomes the conversation when the turn is final.
pub trait Mind: Clone {
    fn opening(&mut self) -> Reply;
    fn resume(&mut self, request: u64, outcome: Outcome) -> Reply;
    /// Nothing was said for a while, for the `n`th time running.
    fn silence(&mut self, n: u32) -> Reply;
    /// There was speech, and it could not be made out.
    fn unheard(&mut self) -> Reply;
    /// What of the last reply reached the ear; `complete`: all that had to.
    fn heard(&mut self, heard: &str, complete: bool);
    fn transfer_failed(&mut self, outcomes: &[TargetOutcome]) -> Reply;
    fn transferred(&mut self, by: &str);
    fn handoff(&self, reason: &str) -> Handoff;
    fn verified(&self) -> Tier;
    fn actions(&self) -> Vec<ActionRecord>;
    /// As things stand if the caller hung up now.
    fn outcome(&self) -> CallOutcome;
}

/// What happened on a leg.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LegSignal {
    Ringing,
    Answered,
    Media,
    Digit(char),
    Held,
    Resumed,
    /// `outcome`: a human leg's outcome in the record's words (`busy`, `declined`, `no_answer`, `unreachable`, `hung_up`).
    Ended {
        outcome: &'static str,
        detail: String,
        by_remote: bool,
    },
}

/// A recogniser's result.
#[derive(Debug, Clone, PartialEq)]
pub struct Heard {
    pub text: String,
    pub evidence: HeardEvidence,
    /// Time the recogniser took, milliseconds.
    pub ms: u64,
}

/// What happened.
#[derive(Debug, Clone)]
pub enum Event<M> {
    Signal {
        leg: LegId,
        signal: LegSignal,
    },
    /// The caller began to speak at `at`, noticed `ago_ms` later.
    VoiceStart {
        at: MediaTime,
        ago_ms: u64,
    },
    /// The caller's speech ended at `at`, noticed `ago_ms` later.
    VoiceEnd {
        at: MediaTime,
        ago_ms: u64,
    },
    Transcribed {
        attempt: u64,
        result: Result<Heard, String>,
    },
    Decided {
        attempt: u64,
        mind: Box<M>,
        reply: Box<Reply>,
        ms: u64,
    },
    /// A clause has a voice: its length in samples at 16 kHz.
    Clause {
        tag: u64,
        part: u32,
        result: Result<u64, String>,
        ms: u64,
    },
    /// So many samples of a clause have left, in all.
    Played {
        tag: u64,
        part: u32,
        samples: u64,
    },
    Done {
        request: u64,
        outcome: Outcome,
    },
    /// The line itself is going down: end kindly, now.
    Shutdown,
    /// A part of the program failed under this call: a human, at once.
    Broken(String),
    /// Only time has passed.
    Tick,
}

/// Who hears whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mix {
    /// The caller and the assistant; a human leg, if there is one, hears only the assistant's brief.
    Agent,
    /// The same with music to the caller between the words.
    Hold,
    /// Caller and human hear each other.
    Bridge,
}

/// What to do.
#[derive(Debug, Clone)]
pub enum Command<M> {
    Ring,
    Answer,
    Hangup {
        leg: LegId,
        code: u16,
        reason: String,
    },
    /// Recognise the caller's sound in `[from, to)`. A newer attempt makes an older one worthless.
    Transcribe {
        attempt: u64,
        from: MediaTime,
        to: MediaTime,
        listen: Listen,
    },
    /// Attempts up to and with this one are worthless: stop what is still at work on them.
    Abandon {
        attempt: u64,
    },
    /// Decide on this clone of the conversation.
    Decide {
        attempt: u64,
        mind: Box<M>,
        text: String,
        keyed: Option<String>,
        evidence: Option<HeardEvidence>,
    },
    Synthesize {
        tag: u64,
        part: u32,
        text: String,
        urgent: bool,
    },
    /// Append a synthesised clause to what this leg hears.
    Queue {
        leg: LegId,
        tag: u64,
        part: u32,
    },
    Pause {
        leg: LegId,
    },
    Resume {
        leg: LegId,
    },
    /// Silence this leg's playout and forget what was queued.
    Stop {
        leg: LegId,
    },
    /// The clauses of this tag will not be wanted.
    Forget {
        tag: u64,
    },
    Perform(Request),
    Dial {
        leg: LegId,
        target: String,
    },
    Mix(Mix),
    /// A short tone that says two people are joined.
    Chime {
        leg: LegId,
    },
    /// The hand-over packet as it stands: store it and send it.
    Packet(Box<Handoff>),
    Callback(Box<CallbackRequest>),
    Note(Note),
    /// The record is final; every leg has been told to end.
    Over,
}

/// What a watcher sees: the console, the demo, the event log.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Note {
    Answered {
        channel: String,
        from: Option<String>,
        to: Option<String>,
    },
    Caller {
        turn: u32,
        text: String,
        keyed: Option<String>,
        start_ms: u64,
        end_ms: u64,
        avg_logprob: Option<f32>,
    },
    Decision {
        turn: u32,
        decision: Box<Decision>,
    },
    Agent {
        turn: u32,
        text: String,
        gap_ms: Option<u64>,
    },
    Heard {
        turn: u32,
        heard: String,
        interrupted: bool,
    },
    BargeIn {
        verdict: BargeIn,
        words: String,
    },
    Request {
        name: String,
        method: String,
        path: String,
        write: bool,
    },
    RequestDone {
        name: String,
        result: String,
    },
    Transfer {
        stage: String,
        target: String,
        detail: String,
    },
    Brief {
        text: String,
    },
    Callback {
        number: String,
        when: Option<String>,
    },
    Ended {
        outcome: CallOutcome,
        cause: String,
        reason: String,
    },
    Problem {
        text: String,
    },
}

/// A human to try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallTarget {
    pub uri: String,
    /// How long it may ring.
    pub ring_ms: u64,
}

/// What one call needs to know.
#[derive(Debug, Clone)]
pub struct CallConfig {
    pub id: String,
    pub channel: String,
    pub from: Option<String>,
    pub to: Option<String>,
    /// RFC 3339.
    pub started_at: String,
    /// Humans to try, in order.
    pub targets: Vec<CallTarget>,
    /// The desk's queues: tried instead of `targets` where the hand-over names one.
    pub queues: std::collections::BTreeMap<String, Vec<CallTarget>>,
    /// Text into clauses short enough to start speaking early.
    pub split: fn(&str) -> Vec<String>,
    pub words: Words,
}

/// The sentences the engine itself says; the desk may word them otherwise.
#[derive(Debug, Clone)]
pub struct Words {
    pub no_media: String,
    /// Said when a look-up takes long, in turn.
    pub fillers: Vec<String>,
    /// Said while a human is being called, in turn.
    pub hold: Vec<String>,
    pub joined: String,
    pub human_keys: String,
    pub human_keys_again: String,
    pub human_gone: String,
    pub shutdown: String,
    pub longest: String,
}

impl Default for Words {
    fn default() -> Self {
        let list = |words: &[&str]| words.iter().map(|w| w.to_string()).collect();
        Self {
            no_media: "Hello. I can't hear anything from your phone. If you can hear me, please check that you are not muted, or call again.".into(),
            fillers: list(&["One moment.", "Still looking, thanks for waiting.", "Nearly there."]),
            hold: list(&[
                "I'm calling a colleague for you now.",
                "Still ringing. Thank you for holding.",
                "I haven't forgotten you. I'm still trying to reach someone.",
            ]),
            joined: "You're through. Go ahead.".into(),
            human_keys: "Press 1 to take the call, 2 to decline, 3 to hear this again.".into(),
            human_keys_again: "Press 1 to take the call, or 2 to decline.".into(),
            human_gone: "They've left the call. Thank you for calling, goodbye.".into(),
            shutdown: "I'm sorry, I have to end this call because the line is closing down. Please call again. Goodbye.".into(),
            longest: "I'm sorry, this call has reached its longest time, so I have to end it here. Please call again. Goodbye.".into(),
        }
    }
}
