//! One caller's conversation: what was asked, what is waited for, what has been said and heard.
//!
//! A step machine. Words or an outcome go in, one [`Reply`] comes out; nothing here reads a clock or waits. A clone is cheap, so
//! the runtime may decide on a clone before the caller has finished and keep it if the turn becomes final.
//!
//! Where things are: `hear` sends a turn where it belongs, `question` answers, `clarify` asks which is meant, `beside` names what else words
//! may mean, `aside` answers between two steps, `told` answers about what was just done, `doing` gathers what an action needs, `change`
//! takes back and alters, `items` finds which of the customer's things is meant, `send` and `result` carry it out, `verify` finds out
//! who is calling, `history` takes up what was before, `human` hands over and promises callbacks, `saying` words the replies.

mod aside;
mod back;
mod beside;
mod change;
mod clarify;
mod consent;
mod doing;
mod hear;
mod history;
mod human;
mod items;
mod model;
mod next;
mod otherwise;
mod part;
mod question;
mod result;
mod saying;
mod send;
mod told;
mod undo;
mod verify;

use std::sync::Arc;

pub use consent::Consent;

use super::action::Running;
use super::desk::Desk;
use super::entity::Locale;
use super::handoff;
use super::identity::{FoundBy, Identity};
use super::inquiry::{self, Choice};
use super::phrase::Wording;
use super::record::{ActionRecord, CallOutcome, Handoff, TargetOutcome};
use super::types::{
    Caller, Decision, Listen, Mood, Next, Outcome, Pending, Reply, Route, Say, Tier,
};

/// One caller's conversation with one desk.
#[derive(Debug, Clone)]
pub struct Conversation {
    desk: Arc<Desk>,
    locale: Locale,
    caller: Caller,
    call_id: String,
    now: jiff::Timestamp,
    wording: Wording,
    identity: Identity,
    waiting: Waiting,
    /// The action under way, if one is.
    running: Option<Running>,
    /// What was put off for something that is only looked up, and what was waited for.
    held: Option<Box<(Running, Waiting)>>,
    /// "Hang on a second": the caller has asked for time.
    asked_to_wait: bool,
    /// The next words are a colleague's, who hands the caller back.
    colleague_speaks: bool,
    /// The caller was called by name.
    named: bool,
    /// Requests not answered yet.
    flights: Vec<Flight>,
    lookup: Lookup,
    /// A number or account the caller stated, and how often they were asked for one.
    stated: Option<String>,
    stated_asked: u32,
    /// The last matter, for words that lean on it.
    topic: Option<Topic>,
    /// Matters still to come back to, in the caller's words.
    parked: Vec<Topic>,
    lines: Vec<Line>,
    /// Said before the next reply.
    lead: Vec<Say>,
    /// What the last reply said.
    last: Vec<Say>,
    /// Must be heard and was not.
    unheard_must: Option<String>,
    disclosed: bool,
    tried: Vec<String>,
    actions: Vec<ActionRecord>,
    /// What was done last, where it can be taken back.
    undoable: Option<Box<super::action::undo::Undoable>>,
    mood: Mood,
    /// What was said of how the caller feels.
    acknowledged: Vec<&'static str>,
    /// Turns in a row that could not be made out.
    misses: u32,
    clarified: u32,
    /// What the last clarifying question offered.
    offered: Vec<String>,
    outside: u32,
    /// Times a colleague was offered since the last answer, because nothing answered.
    unsure: u32,
    /// Attempts to talk the line out of its rules.
    refused: u32,
    answered: u32,
    /// Article of the last answer, to notice that it did not help.
    last_source: Option<String>,
    /// What it said.
    last_answer: Option<String>,
    /// What was done last, and what was told of it.
    told: Option<Box<told::Told>>,
    /// What a language model may word of this turn's reply.
    asking: Option<Box<model::Asking>>,
    /// What was made of this turn's words, so that they are understood once.
    seen: Option<(String, super::desk::Understanding)>,
    /// What the last decision rested on.
    basis: Option<Decision>,
    turn: u32,
    next_request: u64,
    settled: bool,
    callback: Option<Promise>,
    transferred_to: Option<String>,
    handoff_reason: Option<String>,
    transfers_failed: u32,
    targets: Vec<TargetOutcome>,
    /// ISO 639-1 code of the language the caller was just heard in, where it is not the desk's.
    spoken_in: Option<String>,
    /// Actions are decided and never begun in earnest; nothing is looked up.
    rehearsal: bool,
    consent: Consent,
    /// The sentence about recording, as it was worded.
    noticed: Option<String>,
}

/// What the next words are taken to be about.
#[derive(Debug, Clone, PartialEq)]
enum Waiting {
    Open,
    /// "Anything else?" was asked.
    More,
    /// "You rang on Tuesday about ...?"
    History(history::Before),
    Clarify {
        between: Vec<Choice>,
        text: String,
        vector: Vec<f32>,
    },
    /// A human was offered, for this reason.
    Human(String),
    /// "You also asked about ...": shall it be taken now?
    Parked,
    Slot(String),
    Which,
    Confirm,
    /// The read-back was refused: what should be different?
    Change,
    /// A phone number or an account to look the caller up with.
    Number,
    Factor(String),
    /// The back office.
    Request,
    CallbackOffer,
    CallbackNumber,
    CallbackWhen,
    Transferring,
}

/// A callback on its way to being promised.
#[derive(Debug, Clone, Default)]
struct Promise {
    number: Option<String>,
    /// When the caller would like it, as they said it first.
    when: Option<String>,
    asked: u32,
    promised: bool,
}

#[derive(Debug, Clone)]
struct Topic {
    text: String,
    vector: Vec<f32>,
}

#[derive(Debug, Clone)]
struct Flight {
    id: u64,
    purpose: Purpose,
    /// Where its [`ActionRecord`] is.
    record: Option<usize>,
}

#[derive(Debug, Clone)]
enum Purpose {
    Lookup(FoundBy),
    /// A read that lists the items a request needs one of.
    Resolve(String),
    Action(Box<Running>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lookup {
    NotTried,
    UnderWay,
    Found,
    Missed,
    Failed,
}

/// Who said a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Party {
    Caller,
    Line,
    /// A human of the company's, as they hand the caller back.
    Colleague,
}

/// One line of the conversation: the caller's words, a colleague's, or what the caller heard of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    pub by: Party,
    pub text: String,
}

impl Conversation {
    /// A conversation that is about to open. `call_id` seeds the idempotency keys: the same call and effect give the same key.
    pub fn new(desk: Arc<Desk>, caller: Caller, call_id: &str, now: jiff::Timestamp) -> Self {
        let config = &desk.config;
        let locale = Locale::new(
            &config.language,
            config.currency.as_deref(),
            config.timezone.as_deref(),
        )
        .unwrap_or_else(|_| Locale {
            language: "en-US".into(),
            currency: "USD".into(),
            tz: jiff::tz::TimeZone::UTC,
        });
        let mut conversation = Self {
            desk,
            locale,
            caller,
            call_id: call_id.to_owned(),
            now,
            wording: Wording::default(),
            identity: Identity::default(),
            waiting: Waiting::Open,
            running: None,
            held: None,
            flights: Vec::new(),
            lookup: Lookup::NotTried,
            stated: None,
            stated_asked: 0,
            topic: None,
            parked: Vec::new(),
            lines: Vec::new(),
            lead: Vec::new(),
            last: Vec::new(),
            unheard_must: None,
            asked_to_wait: false,
            colleague_speaks: false,
            named: false,
            disclosed: false,
            tried: Vec::new(),
            actions: Vec::new(),
            undoable: None,
            mood: Mood::Calm,
            acknowledged: Vec::new(),
            misses: 0,
            clarified: 0,
            offered: Vec::new(),
            outside: 0,
            unsure: 0,
            refused: 0,
            answered: 0,
            last_source: None,
            last_answer: None,
            told: None,
            asking: None,
            seen: None,
            basis: None,
            turn: 0,
            next_request: 1,
            settled: false,
            callback: None,
            transferred_to: None,
            handoff_reason: None,
            transfers_failed: 0,
            targets: Vec::new(),
            spoken_in: None,
            rehearsal: false,
            consent: Consent::Free,
            noticed: None,
        };
        if conversation.guessed_too_often() {
            conversation.identity.lock();
        }
        conversation
    }

    /// A conversation for one question of an unknown caller: what would be done is decided, whether or not the desk has a back
    /// office, and no request is to be made.
    pub fn rehearsal(desk: Arc<Desk>, call_id: &str, now: jiff::Timestamp) -> Self {
        let mut conversation = Self::new(desk, Caller::default(), call_id, now);
        conversation.disclosed = true;
        conversation.rehearsal = true;
        conversation
    }

    /// The greeting, which says that it is an automated assistant. Where the caller's number can be looked up the reply carries
    /// that request; the greeting is said while it is under way, and the caller may speak before it is answered.
    pub fn opening(&mut self) -> Reply {
        self.say_greeting();
        self.disclosed = true;
        let request = self.lookup_by_number();
        if request.is_none() {
            self.ask_about_history();
        }
        let next = match request {
            Some(request) => Next::Request(request),
            None => self.listen(),
        };
        self.reply(Route::Clarify, "greeting", next)
    }

    /// A request's outcome. A reply without words means that nothing need be said: the caller is not waiting for it.
    pub fn resume(&mut self, request: u64, outcome: Outcome) -> Reply {
        let Some(at) = self.flights.iter().position(|flight| flight.id == request) else {
            return self.silent("an outcome nobody asked for");
        };
        let flight = self.flights.remove(at);
        match flight.purpose {
            Purpose::Lookup(by) => self.looked_up(by, outcome),
            Purpose::Resolve(name) => self.listed(&name, outcome, flight.record),
            Purpose::Action(running) => self.acted(*running, outcome, flight.record),
        }
    }

    /// How much of the last reply reached the caller's ear; the history keeps only that. A disclosure or read-back that was cut is
    /// said again, and a yes to it does not count.
    pub fn heard(&mut self, heard: &str, complete: bool) {
        if complete {
            self.notice_heard(None);
            return;
        }
        self.notice_heard(Some(heard.split_whitespace().count()));
        if let Some(line) = self.lines.last_mut().filter(|line| line.by == Party::Line) {
            heard.trim().clone_into(&mut line.text);
        } else if let Some(line) = self
            .lines
            .iter_mut()
            .rev()
            .find(|line| line.by == Party::Line)
        {
            heard.trim().clone_into(&mut line.text);
        }
        let reached = heard.split_whitespace().count();
        let mut end = 0;
        for say in &self.last {
            end += say.text.split_whitespace().count();
            if say.must_hear && reached < end {
                if self.turn <= 1 || saying::discloses(&say.text) {
                    self.disclosed = false;
                } else {
                    self.unheard_must = Some(say.text.clone());
                }
            }
        }
    }

    /// Who took the call.
    pub fn transferred(&mut self, by: &str) {
        self.transferred_to = Some(by.to_owned());
    }

    /// The packet for a human, as things stand.
    pub fn handoff(&self, reason: &str) -> Handoff {
        let intent = self.intent();
        let topic = intent
            .as_deref()
            .map(|name| inquiry::topic(&self.desk, name));
        let queue = self.queue(reason, intent.as_deref());
        let words = self.matter_words();
        let open = self.open_question();
        let mut packet = handoff::packet(handoff::Facts {
            reason,
            intent: intent.as_deref(),
            topic: topic.as_deref(),
            words: &words,
            customer: self.identity.customer(),
            number: self.caller.number.as_deref(),
            verified: self.verified(),
            mood: self.mood,
            confidence: self.basis.as_ref().map_or(0.0, |d| d.confidence),
            sources: self.basis.as_ref().map_or(&[][..], |d| &d.sources),
            tried: &self.tried,
            actions: &self.actions,
            open_question: &open,
            queue: queue.as_deref(),
        });
        packet.targets = self.targets.clone();
        packet
    }

    /// A reviewer had the last reply said in these words instead: they are what the caller heard.
    pub fn reworded(&mut self, text: &str) {
        if let Some(line) = self.lines.last_mut().filter(|line| line.by == Party::Line) {
            text.clone_into(&mut line.text);
        }
        let must_hear = self.last.iter().any(|say| say.must_hear);
        self.last = vec![Say {
            text: text.to_owned(),
            must_hear,
        }];
        if self.last_answer.is_some() {
            self.last_answer = Some(text.to_owned());
        }
    }

    pub fn mood(&self) -> Mood {
        self.mood
    }

    pub fn verified(&self) -> Tier {
        self.identity.tier()
    }

    pub fn actions(&self) -> &[ActionRecord] {
        &self.actions
    }

    /// The caller has heard that this is an automated assistant.
    pub fn disclosed(&self) -> bool {
        self.disclosed
    }

    /// What was said by whom, in order; of our lines only what was heard.
    pub fn history(&self) -> &[Line] {
        &self.lines
    }

    /// The intent of the matter in hand.
    pub fn intent(&self) -> Option<String> {
        self.running
            .as_ref()
            .map(|running| running.action.intent.clone())
            .or_else(|| self.basis.as_ref().and_then(|d| d.intent.clone()))
    }

    /// The call in a sentence or two, for the record and for the next time this caller rings.
    pub fn summary(&self) -> String {
        let reason = self.handoff_reason.as_deref().unwrap_or("");
        if !reason.is_empty() {
            return self.handoff(reason).summary;
        }
        let mut parts = Vec::new();
        if let Some(intent) = self.intent() {
            parts.push(format!(
                "Rang about {}.",
                inquiry::topic(&self.desk, &intent)
            ));
        }
        parts.extend(
            self.tried
                .iter()
                .map(|step| format!("{}.", step.trim_end_matches('.'))),
        );
        parts.join(" ")
    }

    /// How the call came out if it ended now.
    pub fn outcome(&self) -> CallOutcome {
        if self.transferred_to.is_some() {
            CallOutcome::Transferred
        } else if self
            .callback
            .as_ref()
            .is_some_and(|promise| promise.promised)
        {
            CallOutcome::Callback
        } else if self.settled && self.parked.is_empty() {
            CallOutcome::Resolved
        } else {
            CallOutcome::Abandoned
        }
    }

    fn today(&self) -> jiff::civil::Date {
        self.locale.today(self.now)
    }

    fn request_id(&mut self) -> u64 {
        let id = self.next_request;
        self.next_request += 1;
        id
    }

    /// A decision resting on what was last understood.
    fn decision(&mut self, route: Route, reason: &str) -> Decision {
        self.turn += 1;
        let mut decision = self.basis.clone().unwrap_or_else(|| Decision {
            id: String::new(),
            route,
            intent: None,
            in_scope: 0.0,
            confidence: 0.0,
            sources: Vec::new(),
            action: None,
            reply: String::new(),
            reason: String::new(),
            pending: None,
            model: None,
        });
        decision.id = format!("{}-{}", self.call_id, self.turn);
        decision.route = route;
        decision.reason = reason.to_owned();
        decision.action = None;
        decision.pending = None;
        decision.model = None;
        if let Some(running) = &self.running {
            decision.intent = Some(running.action.intent.clone());
            if route == Route::Act {
                decision.action = Some(running.action.name.clone());
                decision.pending = match self.waiting {
                    Waiting::Factor(_) | Waiting::Number => Some(Pending::Verify),
                    Waiting::Slot(_) | Waiting::Which | Waiting::Change => Some(Pending::Slot),
                    Waiting::Confirm => Some(Pending::Confirm),
                    _ => None,
                };
            }
        }
        decision
    }

    fn silent(&mut self, reason: &str) -> Reply {
        let decision = self.decision(Route::Clarify, reason);
        Reply {
            decision,
            say: Vec::new(),
            next: self.listen(),
        }
    }

    fn listen(&self) -> Next {
        Next::Listen(match &self.waiting {
            Waiting::Slot(name) => self
                .running
                .as_ref()
                .and_then(|running| running.action.slots.iter().find(|slot| slot.name == *name))
                .map_or(Listen::Open, super::action::slots::listen),
            Waiting::Factor(factor) => super::identity::listen(factor),
            Waiting::Number | Waiting::CallbackNumber => Listen::Digits,
            Waiting::Confirm
            | Waiting::CallbackOffer
            | Waiting::Human(_)
            | Waiting::Parked
            | Waiting::History(_) => Listen::YesNo,
            _ => Listen::Open,
        })
    }
}
