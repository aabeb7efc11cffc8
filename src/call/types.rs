//! The engine's words: what comes in, what goes out, and what one call needs to know.

use std::collections::BTreeMap;

use serde::Serialize;

use super::BargeIn;
use crate::audio::MediaTime;
use crate::desk::{
    ActionRecord, CallOutcome, CallRecord, CallbackRequest, Decision, Handoff, HeardEvidence,
    Listen, Mood, Outcome, Reply, Request, TargetOutcome, Tier, phrase,
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
    /// A human sent the call back with a note: what the caller is told.
    fn sent_back(&mut self, note: Option<&str>) -> Reply;
    /// A human handed the caller back. With words, these are decided on next, as if the caller had said them; without, the reply is said.
    fn handed_back(&mut self, words: Option<&str>) -> Option<Reply>;
    fn handoff(&self, reason: &str) -> Handoff;
    fn verified(&self) -> Tier;
    /// The caller said that they need a moment.
    fn asked_to_wait(&self) -> bool {
        false
    }
    /// How the caller seems to feel.
    fn mood(&self) -> Mood {
        Mood::Calm
    }
    /// A reviewer had the last reply said in these words instead.
    fn reworded(&mut self, _text: &str) {}
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
    /// What became of sending this party elsewhere: a SIP status.
    Referred(u16),
    /// This party wants the other one put through to this address.
    Refer(String),
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
    /// The tones of a fax machine.
    Fax,
    /// Something is heard that may become a voice; off: it did not.
    VoiceSuspected {
        on: bool,
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
    /// Probability by the sound alone that the turn is over.
    Judged {
        attempt: u64,
        finished: f32,
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
    /// What became of [`Command::LookUp`].
    LookedUp {
        ticket: u64,
        outcome: Outcome,
    },
    /// Whom to ring.
    Planned(Plan),
    /// A human who is attended to began (or ended) to speak at `at`.
    HumanVoice {
        leg: LegId,
        speaking: bool,
        at: MediaTime,
    },
    HumanHeard {
        attempt: u64,
        result: Result<Heard, String>,
    },
    Consulted {
        attempt: u64,
        answer: String,
    },
    /// Somebody at the console wants something.
    Ordered(super::Order),
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
    /// Caller and this human hear each other; nobody hears the assistant, but for words to the caller alone.
    Bridge(LegId),
    /// Caller and this human hear each other, and both hear the assistant.
    Three(LegId),
}

/// Whom the caller is sent to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SendTo {
    /// The human on this leg, whose call with us the caller's takes the place of.
    Human(LegId),
    Target(String),
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
    /// Recognise the caller's sound in `[from, to)`, `to` being cut to what there is. A newer attempt makes an older one worthless.
    /// `early`: they still speak; on a busy machine this is left undone, and nothing waits for it.
    Transcribe {
        attempt: u64,
        from: MediaTime,
        to: MediaTime,
        listen: Listen,
        early: bool,
    },
    /// Judge by the sound alone whether the turn is over; [`Event::Judged`]. May be left undone.
    Judge {
        attempt: u64,
        from: MediaTime,
        to: MediaTime,
    },
    /// Attempts up to and with this one are worthless: stop what is still at work on them.
    Abandon {
        attempt: u64,
    },
    /// Decide on this clone of the conversation. `early` as in [`Command::Transcribe`].
    Decide {
        attempt: u64,
        mind: Box<M>,
        text: String,
        keyed: Option<String>,
        evidence: Option<HeardEvidence>,
        early: bool,
    },
    /// This clause will probably be said soon: have its sound ready, if there is nothing better to do.
    Warm {
        text: String,
    },
    /// A look-up of a reply that is not yet sure to be given; [`Event::LookedUp`]. Nothing is written.
    LookUp {
        ticket: u64,
        request: Request,
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
    /// Lower this leg's playout, or no longer.
    Duck {
        leg: LegId,
        on: bool,
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
    /// Say whom to ring; [`Event::Planned`] is the answer.
    Plan(Box<Handoff>),
    Dial {
        leg: LegId,
        target: String,
    },
    Mix(Mix),
    /// Have the caller's phone or carrier call somebody in our place; [`LegSignal::Referred`] is the answer.
    Refer {
        to: SendTo,
    },
    /// Tell this party what became of what it asked with [`LegSignal::Refer`].
    Referred {
        leg: LegId,
        code: u16,
    },
    /// Call whom a human, on leg `by`, wants the caller put through to: an address as they gave it.
    DialOn {
        leg: LegId,
        to: String,
        by: LegId,
    },
    /// Press this key on this leg: the one at its other end keyed it.
    Press {
        leg: LegId,
        key: char,
    },
    /// Listen to this human, or no longer: [`Event::HumanVoice`] tells when they speak.
    Attend {
        leg: LegId,
        on: bool,
    },
    /// Recognise this leg's sound in `[from, to)`, `to` being cut to what there is; [`Event::HumanHeard`]. `keep`: a name to keep the
    /// sound by, beside the recording.
    Understand {
        attempt: u64,
        leg: LegId,
        from: MediaTime,
        to: MediaTime,
        keep: Option<String>,
    },
    /// Answer a human's question from this record; [`Event::Consulted`].
    Consult {
        attempt: u64,
        question: String,
        record: Box<CallRecord>,
    },
    /// A short tone that says two people are joined.
    Chime {
        leg: LegId,
    },
    /// Show this reply to a reviewer; [`super::Order::Reviewed`] is the answer.
    Review(Box<super::Draft>),
    /// A draft waits no longer.
    ReviewOver {
        number: u64,
        verdict: super::Verdict,
    },
    /// A colleague who wanted to take the call cannot.
    Refuse {
        target: String,
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
    /// A human's question about the call, and what they were told.
    Asked {
        question: String,
        answer: String,
    },
    Callback {
        number: String,
        when: Option<String>,
    },
    /// A reply that waits for a reviewer: `wanted`, then one of the verdicts.
    Review {
        turn: u32,
        stage: String,
        said: String,
        by: String,
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
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CallTarget {
    pub uri: String,
    /// How long it may ring, milliseconds.
    pub ring_ms: u64,
    /// What the caller is told who is joining.
    pub name: Option<String>,
    /// The caller is sent there, without a brief, and this line is out of it.
    pub blind: bool,
}

/// Whom to ring for one hand-over.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Plan {
    /// Group after group; those of one group at once, and the first to accept wins.
    pub rings: Vec<Vec<CallTarget>>,
    /// Targets that are not rung, with the reason (`closed`, `not_suited`).
    pub left_out: Vec<TargetOutcome>,
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
    /// The key by which a human takes a call.
    pub accept_key: char,
    /// Stay after the human has taken the call, silently, and take notes.
    pub notes: bool,
    /// Once a human has taken the call, let caller and human talk without this line in between.
    pub release: bool,
    /// Text into clauses short enough to start speaking early.
    pub split: fn(&str) -> Vec<String>,
    pub words: Words,
    /// How far this call is trusted, and whether it is asked at its end.
    pub pilot: super::Pilot,
}

/// The sentences the engine itself says, by their keys in [`crate::desk::phrase`]; the desk may word them otherwise.
#[derive(Debug, Clone)]
pub struct Words(BTreeMap<&'static str, Vec<String>>);

/// Keys of the engine's own sentences.
pub const WORDS: &[&str] = &[
    "no_media",
    "filler",
    "hold_words",
    "joined",
    "joined_notes",
    "joining",
    "hand_back_wait",
    "human_gone",
    "shutdown",
    "longest",
    "goodbye_machine",
    "review_hold",
    "review_human",
    "survey",
    "survey_thanks",
    "callback_hello",
    "callback_hello_again",
    "callback_later",
    "callback_never",
    "callback_lost",
    "human_keys",
    "human_keys_again",
    "human_ask",
    "human_not_heard",
    "human_more",
    "human_note",
    "human_hand_back",
    "human_thanks",
    "human_taken",
    "human_calling",
    "human_no_answer",
    "human_not_now",
    "human_never",
    "human_machine",
    "a_colleague",
];

impl Words {
    /// The built-in wordings, or what `own` brings for a key, with `{name}` filled from `fill`.
    pub fn new(own: impl Fn(&str) -> Vec<String>, fill: &[(&str, &str)]) -> Self {
        let wordings = |key: &str| {
            let own = own(key);
            let mut wordings = if own.is_empty() {
                phrase::wordings(key)
                    .iter()
                    .map(ToString::to_string)
                    .collect()
            } else {
                own
            };
            for text in &mut wordings {
                for (name, value) in fill {
                    *text = text.replace(&format!("{{{name}}}"), value);
                }
            }
            wordings
        };
        Self(WORDS.iter().map(|key| (*key, wordings(key))).collect())
    }

    /// The `n`th wording of a key, round and round; empty where there is none.
    pub fn nth(&self, key: &str, n: usize) -> String {
        self.0
            .get(key)
            .and_then(|all| all.get(n % all.len().max(1)))
            .cloned()
            .unwrap_or_default()
    }

    pub fn get(&self, key: &str) -> String {
        self.nth(key, 0)
    }

    /// Everything that may be said.
    pub fn all(&self) -> impl Iterator<Item = &String> {
        self.0.values().flatten()
    }
}

impl Default for Words {
    fn default() -> Self {
        Self::new(|_| Vec::new(), &[("accept", "1")])
    }
}
