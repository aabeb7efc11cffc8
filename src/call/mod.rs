//! The conversation: a sans-IO engine. Events in, commands out, time as an argument.
//!
//! [`Call::handle`] takes what happened and says what to do; [`Call::deadline`] says when it wants [`Event::Tick`] at the
//! latest. Nothing here reads a clock or waits, so a whole call runs in a test in microseconds.
//!
//! Invariants, each with a test:
//! - A result that carries an old attempt or tag changes nothing.
//! - History holds what was heard, never what was only sent.
//! - While a call is up, one of these is true: we are speaking, listening with a timer set, working with a timer set, calling a
//!   human with a timer set, or joined to one. There is no silent state without a deadline.
//! - After [`Command::Over`] nothing more is commanded.

pub mod barge_in;
mod book;
mod callback;
mod caller;
mod console;
mod early;
pub mod endpointing;
pub mod hearing;
pub mod keys;
mod line;
mod line_state;

mod mind;
mod over_ours;
pub mod rescue;
mod review;
pub mod speaking;
mod survey;
#[cfg(test)]
mod tests;
pub mod timer;
mod transfer;
mod types;

use crate::desk::{
    AgentTurn, CallRecord, CallbackRequest, Listen, Next, Outcome, Reply, Termination,
};
pub use barge_in::BargeIn;
use callback::Outbound;
pub use callback::{CallbackResult, Promised};
use caller::CallerSide;
pub use console::Order;
use early::Found;
use line::Line;
pub use review::{Draft, Pilot, REVIEW_MS, Verdict};
use survey::Survey;
use timer::{Timer, Timers};
use transfer::{Human, Transfer};
pub use types::*;

/// Longest call without a human, milliseconds: a loop must end somewhere.
const LONGEST_MS: u64 = 30 * 60_000;
const GREETING_WAIT_MS: u64 = 300;
const NO_MEDIA_NOTICE_MS: u64 = 4_000;
const NO_MEDIA_END_MS: u64 = 15_000;
const STUCK_MS: u64 = 8_000;
const END_GUARD_MS: u64 = 25_000;

/// Where a call stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Ringing,
    /// Answered; the greeting waits for the caller's first packet.
    Answered,
    Talking,
    Transferring,
    Bridged,
    /// A colleague has taken a callback; the caller is being called.
    Calling,
    Ending,
    Over,
}

/// What follows when all that we have to say is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    Listen(Listen),
    /// A request is out.
    Wait,
    /// A human is being called.
    Hold,
    End,
}

/// One conversation.
#[derive(Debug, Clone)]
pub struct Call<M> {
    config: CallConfig,
    mind: M,
    now: Time,
    stage: Stage,
    then: Then,
    timers: Timers,
    caller: CallerSide<M>,
    line: Line,
    transfer: Option<Transfer>,
    /// Humans who are hearing a last sentence.
    leaving: Vec<Human>,
    /// The human handed the caller back.
    handed_back: bool,
    /// This call was made by us, to keep a promise.
    outbound: Option<Outbound>,
    /// Request out, with its name.
    request: Option<(u64, String)>,
    /// It is a look-up that was sent early: its number, and the ticket its outcome comes with.
    looking_up: Option<(u64, u64)>,
    /// A look-up of the reply that is being performed, sent before it was.
    looked_up: Option<Found>,
    silences: u32,
    far_end: line_state::FarEnd,
    fillers: u32,
    /// A reply that waits for a reviewer, and how many have.
    review: Option<review::Waiting>,
    reviews: u64,
    survey: Survey,
    next_tag: u64,
    next_attempt: u64,
    next_leg: u32,
    answered_at: Time,
    disclosure: String,
    ear: book::Ear,
    /// The end of the caller's words whose answer has not begun.
    gap_from: Option<Time>,
    /// What was said while the reply was being found: part of the turn that is opened next.
    bridged: Option<AgentTurn>,
    record: CallRecord,
    ended: Option<Termination>,
}

impl<M: Mind> Call<M> {
    /// An inbound call that has been admitted. Rings and answers at once.
    pub fn new(config: CallConfig, mind: M, now: Time, out: &mut Vec<Command<M>>) -> Self {
        out.push(Command::Ring);
        out.push(Command::Answer);
        Self::blank(config, mind, now)
    }

    fn blank(config: CallConfig, mind: M, now: Time) -> Self {
        let record = CallRecord {
            id: config.id.clone(),
            channel: config.channel.clone(),
            from: config.from.clone(),
            to: config.to.clone(),
            started_at: config.started_at.clone(),
            ..CallRecord::default()
        };
        let mut timers = Timers::default();
        timers.set(Timer::HardCap, now.plus(LONGEST_MS));
        Self {
            config,
            mind,
            now,
            stage: Stage::Ringing,
            then: Then::Wait,
            timers,
            caller: CallerSide::default(),
            line: Line::default(),
            transfer: None,
            leaving: Vec::new(),
            handed_back: false,
            outbound: None,
            request: None,
            looking_up: None,
            looked_up: None,
            silences: 0,
            far_end: line_state::FarEnd::default(),
            fillers: 0,
            review: None,
            reviews: 0,
            survey: Survey::default(),
            next_tag: 1,
            next_attempt: 1,
            next_leg: 1,
            answered_at: now,
            disclosure: String::new(),
            ear: book::Ear::default(),
            gap_from: None,
            bridged: None,
            record,
            ended: None,
        }
    }

    /// When [`Event::Tick`] is wanted at the latest.
    pub fn deadline(&self) -> Option<Time> {
        self.timers.next()
    }

    pub fn is_over(&self) -> bool {
        self.stage == Stage::Over
    }

    /// How far this call is trusted.
    pub fn pilot(&self) -> &Pilot {
        &self.config.pilot
    }

    /// The assistant stays with a human's call and takes notes.
    pub fn takes_notes(&self) -> bool {
        self.config.notes
    }

    /// Caller and human are left to themselves once they talk.
    pub fn releases(&self) -> bool {
        self.config.release
    }

    pub fn mind(&self) -> &M {
        &self.mind
    }

    /// Takes what happened and says what to do. `now` never goes back.
    pub fn handle(&mut self, now: Time, event: Event<M>, out: &mut Vec<Command<M>>) {
        self.now = self.now.max(now);
        if self.stage == Stage::Over {
            return;
        }
        match event {
            Event::Signal { leg, signal } if leg == CALLER => self.caller_signal(signal, out),
            Event::Signal { leg, signal } => self.human_signal(leg, signal, out),
            Event::Fax => self.fax(out),
            Event::VoiceSuspected { on } => self.suspected(on, out),
            Event::VoiceStart { at, ago_ms } => self.voice_start(at, ago_ms, out),
            Event::VoiceEnd { at, ago_ms } => self.voice_end(at, ago_ms, out),
            Event::Judged { attempt, finished } => self.judged(attempt, finished),
            Event::Transcribed { attempt, result } => self.transcribed(attempt, result, out),
            Event::Decided {
                attempt,
                mind,
                reply,
                ms,
            } => self.decided(attempt, mind, reply, ms, out),
            Event::Clause {
                tag,
                part,
                result,
                ms,
            } => self.clause_ready(tag, part, result, ms, out),
            Event::Played { tag, part, samples } => self.played(tag, part, samples, out),
            Event::Done { request, outcome } => self.request_done(request, outcome, out),
            Event::LookedUp { ticket, outcome } => self.found(ticket, outcome, out),
            Event::Planned(plan) => self.planned(plan, out),
            Event::HumanVoice { leg, speaking, at } => self.human_voice(leg, speaking, at, out),
            Event::HumanHeard { attempt, result } => self.human_heard(attempt, result, out),
            Event::Consulted { attempt, answer } => self.consulted(attempt, answer, out),
            Event::Shutdown => self.farewell(
                self.config.words.get("shutdown"),
                "ours",
                "the line is closing down",
                out,
            ),
            Event::Ordered(order) => self.ordered(order, out),
            Event::Broken(what) => self.broken(&what, out),
            Event::Tick => {}
        }
        while let Some(timer) = self.timers.pop(self.now) {
            if self.stage == Stage::Over {
                break;
            }
            self.timer(timer, out);
        }
        self.listen_if_quiet(out);
    }

    fn timer(&mut self, timer: Timer, out: &mut Vec<Command<M>>) {
        match timer {
            Timer::Greeting => self.greet(out),
            Timer::NoMediaNotice => {
                let words = self.config.words.get("no_media");
                self.say_aside(&words, out);
            }
            Timer::NoMediaEnd => self.end(
                "upstream",
                "no sound ever came from the caller's phone",
                out,
            ),
            Timer::Final => self.turn_final(out),
            Timer::Silence => self.fell_silent(out),
            Timer::NoWords => self.wordless(out),
            Timer::Held => self.held_too_long(out),
            Timer::KeyGap => self.key_gap(out),
            Timer::Filler => self.filler(out),
            Timer::Early => self.look(out),
            Timer::BargeVerdict => self.words_over_ours_late(out),
            Timer::LongSpeech => self.spoke_long(out),
            Timer::Thinking | Timer::Stuck => self.stuck(out),
            Timer::HoldWord => self.hold_word(out),
            Timer::Human => self.humans_due(out),
            Timer::HumanWords => self.words_late(out),
            Timer::CalledBack => self.called_back_late(out),
            Timer::Review => self.review_late(out),
            Timer::Survey => self.survey_late(out),
            // Two people are talking. Handed back, the caller has the time that a call has.
            Timer::HardCap if self.stage == Stage::Bridged => {
                self.timers.set(Timer::HardCap, self.now.plus(LONGEST_MS));
            }
            Timer::HardCap => self.farewell(
                self.config.words.get("longest"),
                "ours",
                "longest call",
                out,
            ),
            Timer::EndGuard => self.hang_up_now(out),
        }
    }

    fn caller_signal(&mut self, signal: LegSignal, out: &mut Vec<Command<M>>) {
        if self.stage == Stage::Calling {
            return self.called_back_signal(signal, out);
        }
        if self.stage == Stage::Ending
            && self.outbound.is_some()
            && matches!(signal, LegSignal::Ended { .. })
        {
            return self.called_back_gone(out);
        }
        match signal {
            LegSignal::Ringing => {}
            LegSignal::Answered if self.stage == Stage::Ringing => {
                self.stage = Stage::Answered;
                self.answered_at = self.now;
                out.push(Command::Note(Note::Answered {
                    channel: self.config.channel.clone(),
                    from: self.config.from.clone(),
                    to: self.config.to.clone(),
                }));
                self.timers
                    .set(Timer::Greeting, self.now.plus(GREETING_WAIT_MS));
                if !self.caller.media {
                    self.timers
                        .set(Timer::NoMediaNotice, self.now.plus(NO_MEDIA_NOTICE_MS));
                    self.timers
                        .set(Timer::NoMediaEnd, self.now.plus(NO_MEDIA_END_MS));
                }
            }
            LegSignal::Answered => {}
            LegSignal::Media => {
                self.caller.media = true;
                self.timers.clear(Timer::NoMediaNotice);
                self.timers.clear(Timer::NoMediaEnd);
                if self.stage == Stage::Answered {
                    self.greet(out);
                }
            }
            LegSignal::Digit(key) => self.caller_key(key, out),
            LegSignal::Held => {
                self.caller.held = true;
                self.timers.clear(Timer::Silence);
                self.put_on_hold();
            }
            LegSignal::Resumed => {
                self.caller.held = false;
                self.timers.clear(Timer::Held);
                self.listen_if_quiet(out);
            }
            LegSignal::Referred(code) => self.sent_on(code, out),
            LegSignal::Refer(_) => self.caller_refers(out),
            LegSignal::Ended { .. } if self.is_being_released() => self.sent_on(200, out),
            LegSignal::Ended {
                detail, by_remote, ..
            } => {
                let cause = if by_remote { "caller" } else { "upstream" };
                let reason = if by_remote {
                    "the caller hung up".to_string()
                } else {
                    detail
                };
                self.caller_gone(cause, &reason, out);
            }
        }
    }

    fn greet(&mut self, out: &mut Vec<Command<M>>) {
        if self.stage != Stage::Answered {
            return;
        }
        self.timers.clear(Timer::Greeting);
        self.stage = Stage::Talking;
        let reply = self.mind.opening();
        self.disclosure = reply
            .say
            .iter()
            .filter(|s| s.must_hear)
            .map(|s| s.text.clone())
            .collect::<Vec<_>>()
            .join(" ");
        self.open_turn(None, Some(&reply.decision), out);
        self.perform_reply(reply, None, out);
    }

    /// Speaks a reply and does what it asks for. `prepared`: its speech, where it was synthesised ahead.
    fn perform_reply(
        &mut self,
        reply: Reply,
        prepared: Option<speaking::Speech>,
        out: &mut Vec<Command<M>>,
    ) {
        match prepared {
            Some(speech) => self.line_release(speech, out),
            None => self.say(&reply.say, out),
        }
        match reply.next {
            Next::Listen(listen) => self.then = Then::Listen(listen),
            Next::Request(request) => {
                self.then = Then::Wait;
                self.wait_with_a_word(self.gap_from.unwrap_or(self.now));
                self.request = Some((request.id, request.name.clone()));
                out.push(Command::Note(Note::Request {
                    name: request.name.clone(),
                    method: request.method.clone(),
                    path: request.path.clone(),
                    write: request.is_write(),
                }));
                match self.looked_up.take() {
                    Some(found) => self.take_found(request.id, found, out),
                    None => out.push(Command::Perform(request)),
                }
            }
            Next::Transfer(handoff) => {
                self.then = Then::Hold;
                self.begin_transfer(*handoff, out);
            }
            Next::Callback { callback, end } => {
                self.promise(callback, out);
                self.then = if end {
                    Then::End
                } else {
                    Then::Listen(Listen::Open)
                };
                if end {
                    self.timers
                        .set(Timer::EndGuard, self.now.plus(END_GUARD_MS));
                }
            }
            Next::End => {
                self.then = Then::End;
                self.timers
                    .set(Timer::EndGuard, self.now.plus(END_GUARD_MS));
            }
        }
        self.listen_if_quiet(out);
    }

    fn request_done(&mut self, id: u64, outcome: Outcome, out: &mut Vec<Command<M>>) {
        let Some((waiting, name)) = self.request.clone() else {
            return;
        };
        if waiting != id {
            return;
        }
        self.request = None;
        self.timers.clear(Timer::Filler);
        let result = match &outcome {
            Outcome::Done(_) => "done".to_string(),
            Outcome::NotFound => "not found".to_string(),
            Outcome::Refused(why) => format!("refused: {why}"),
            Outcome::Failed(why) => format!("failed: {why}"),
            Outcome::Unknown(why) => format!("unknown: {why}"),
            Outcome::Before(_) => "done in an earlier call".to_string(),
            Outcome::Limited => "not sent: the limit for one day is reached".to_string(),
            Outcome::DryRun => "not sent: a dry run".to_string(),
        };
        out.push(Command::Note(Note::RequestDone { name, result }));
        let reply = self.mind.resume(id, outcome);
        // A human is being called, or the call is ending: the outcome is in the record, and nothing is to be said or begun.
        if self.stage != Stage::Talking {
            return;
        }
        self.amend_turn(&reply.decision, out);
        if self.is_reviewed(&reply) {
            self.ask_reviewer(reply, None, out);
        } else {
            self.perform_reply(reply, None, out);
        }
        self.resume_held_words(out);
    }

    /// Recognition, decision or voice did not come back in time: say so and ask again, rather than be silent.
    fn stuck(&mut self, out: &mut Vec<Command<M>>) {
        if matches!(self.stage, Stage::Bridged | Stage::Calling) {
            // A voice that does not come must not keep two people from talking.
            self.cut_line(out);
            return self.listen_if_quiet(out);
        }
        if self.stage != Stage::Talking {
            return;
        }
        out.push(Command::Note(Note::Problem {
            text: "no result in time".into(),
        }));
        self.unheard(out);
    }

    fn broken(&mut self, what: &str, out: &mut Vec<Command<M>>) {
        out.push(Command::Note(Note::Problem {
            text: what.to_string(),
        }));
        if matches!(
            self.stage,
            Stage::Transferring | Stage::Bridged | Stage::Calling | Stage::Ending
        ) {
            return;
        }
        self.withdraw_review(out);
        let handoff = self.mind.handoff("technical");
        self.drop_utterance(out);
        self.stop_line(out);
        self.stage = Stage::Talking;
        self.then = Then::Hold;
        self.begin_transfer(handoff, out);
    }

    fn promise(&mut self, callback: CallbackRequest, out: &mut Vec<Command<M>>) {
        let mut handoff = self
            .record
            .handoff
            .take()
            .unwrap_or_else(|| callback.handoff.clone());
        handoff.result = "callback".into();
        self.record.handoff = Some(handoff.clone());
        out.push(Command::Note(Note::Callback {
            number: callback.number.clone(),
            when: callback.when.clone(),
        }));
        out.push(Command::Callback(Box::new(CallbackRequest {
            handoff,
            ..callback
        })));
    }

    /// Once nothing is left to say: what follows.
    fn listen_if_quiet(&mut self, out: &mut Vec<Command<M>>) {
        if !self.line.is_quiet() {
            return;
        }
        match (self.stage, self.then) {
            (Stage::Talking, Then::Listen(_))
                if self.caller.is_quiet() && !self.waits_for_words() =>
            {
                self.timers
                    .set(Timer::Silence, self.now.plus(self.patience_ms()));
                self.words_due();
            }
            // A colleague is still being told why; the caller's line waits for that.
            (Stage::Ending, Then::End) if self.outbound.is_some() && !self.leaving.is_empty() => {}
            (Stage::Talking | Stage::Ending, Then::End) if self.asks_survey(out) => {}
            (Stage::Talking | Stage::Ending, Then::End) => self.hang_up_now(out),
            (Stage::Bridged, _) => {
                self.assistant_leaves(out);
                self.release(out);
            }
            (Stage::Transferring, _) => self.send_blind(out),
            (Stage::Calling, _) => self.called_back_quiet(),
            _ => {}
        }
    }

    fn waits_for_words(&self) -> bool {
        self.timers.is_set(Timer::Silence) || self.timers.is_set(Timer::KeyGap)
    }

    /// Says a last sentence and hangs up.
    fn farewell(&mut self, words: String, cause: &str, reason: &str, out: &mut Vec<Command<M>>) {
        if matches!(self.stage, Stage::Ringing | Stage::Bridged)
            || (self.outbound.is_some() && self.stage != Stage::Talking)
        {
            return self.end(cause, reason, out);
        }
        self.withdraw_review(out);
        self.drop_utterance(out);
        self.drop_transfer("returned", out);
        self.stop_line(out);
        self.ended = Some(Termination {
            cause: cause.into(),
            reason: reason.into(),
        });
        self.stage = Stage::Ending;
        self.then = Then::End;
        self.timers
            .set(Timer::EndGuard, self.now.plus(END_GUARD_MS));
        self.say_aside(&words, out);
        self.listen_if_quiet(out);
    }

    fn hang_up_now(&mut self, out: &mut Vec<Command<M>>) {
        let ended = self.ended.take();
        let (cause, reason) = match &ended {
            Some(t) => (t.cause.clone(), t.reason.clone()),
            None => (
                "ours".to_string(),
                "the conversation was finished".to_string(),
            ),
        };
        self.end(&cause, &reason, out);
    }
}
