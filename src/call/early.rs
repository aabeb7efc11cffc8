//! Work begun before it is sure to be wanted: words recognised while the caller still speaks, the reply to them made ready, what it
//! looks up looked up. All of it is dropped without a trace when the caller goes on to say something else.

use super::caller::PRE_ROLL_MS;
use super::endpointing::unfinished;
use super::timer::Timer;
use super::{Call, Command, Heard, Mind, Stage};
use crate::audio::MediaTime;
use crate::desk::{Outcome, Reply, Request};

/// First look at the words of a caller who speaks, after so many milliseconds, and how often after it.
const FIRST_MS: u64 = 900;
const EVERY_MS: u64 = 700;
const SLOW_MS: u64 = 120;
/// Fewer words than this say too little to prepare for.
const LEAST_WORDS: usize = 3;
/// A word while the caller truly waits, milliseconds after their last sound.
const FILLER_MS: u64 = 700;
/// At least so long after their turn was found to be over: under load that alone takes half a second, and a reply that is a moment
/// away would have to wait for the word to end.
const FILLER_AFTER_FINAL_MS: u64 = 350;

/// Early work on one utterance.
#[derive(Debug, Clone, Default)]
pub(super) struct Early {
    /// The newest attempt at the words so far; 0 where none is out.
    attempt: u64,
    /// It has not come back.
    out: bool,
    /// The words that were decided on last.
    words: String,
    /// A look-up that is out, or back.
    pub found: Option<Found>,
}

/// A look-up made before it was asked for.
#[derive(Debug, Clone)]
pub(super) struct Found {
    ticket: u64,
    outcome: Option<Outcome>,
}

impl Early {
    pub fn is(&self, attempt: u64) -> bool {
        self.attempt == attempt
    }

    pub fn has_words(&self) -> bool {
        !self.words.is_empty()
    }

    /// The caller went on.
    pub fn forget(&mut self) {
        self.attempt = 0;
        self.out = false;
        self.found = None;
    }
}

impl<M: Mind> Call<M> {
    /// The caller speaks: when their words so far are looked at.
    pub(super) fn look_soon(&mut self) {
        self.timers.set(Timer::Early, self.now.plus(FIRST_MS));
    }

    /// Time to look at the words so far.
    pub(super) fn look(&mut self, out: &mut Vec<Command<M>>) {
        if self.stage != Stage::Talking || !self.caller.speaking {
            return;
        }
        let listen = self.listening_for();
        let attempt = self.next_attempt;
        let Some(utterance) = &mut self.caller.utterance else {
            return;
        };
        // A sound over ours has to be judged: a slow look is waited for. Else the newest wins.
        if utterance.early.out && utterance.over_ours.is_some() {
            self.timers.set(Timer::Early, self.now.plus(SLOW_MS));
            return;
        }
        self.next_attempt += 1;
        utterance.early.attempt = attempt;
        utterance.early.out = true;
        let from = MediaTime::from_ms(utterance.start.as_ms().saturating_sub(PRE_ROLL_MS));
        out.push(Command::Transcribe {
            attempt,
            from,
            to: MediaTime(u64::MAX),
            listen,
            early: utterance.over_ours.is_none(),
        });
        let next = match &mut utterance.over_ours {
            Some(over_ours) => over_ours.next_look_ms(),
            None => EVERY_MS,
        };
        self.timers.set(Timer::Early, self.now.plus(next));
    }

    /// What was said so far.
    pub(super) fn heard_early(&mut self, heard: Heard, out: &mut Vec<Command<M>>) {
        if let Some(utterance) = &mut self.caller.utterance {
            utterance.early.out = false;
        }
        if !self.caller.speaking {
            return;
        }
        self.judge_early(&heard, out);
        let request_out = self.request.is_some();
        let Some(utterance) = &mut self.caller.utterance else {
            return;
        };
        let text = heard.text.trim();
        if request_out
            || utterance.over_ours.is_some()
            || text.split_whitespace().count() < LEAST_WORDS
            || unfinished(text)
            || text == utterance.early.words
        {
            return;
        }
        utterance.early.words = text.to_string();
        out.push(Command::Decide {
            attempt: utterance.early.attempt,
            mind: Box::new(self.mind.clone()),
            text: heard.text,
            keyed: None,
            evidence: Some(heard.evidence),
            early: true,
        });
    }

    /// The reply to what was said so far: its first clause is what the caller would wait for.
    pub(super) fn decided_early(&mut self, reply: &Reply, out: &mut Vec<Command<M>>) {
        let first = reply.say.iter().find(|s| !s.text.trim().is_empty());
        if let Some(clause) = first.and_then(|s| (self.config.split)(&s.text).into_iter().next()) {
            out.push(Command::Warm { text: clause });
        }
    }

    /// What a reply wants looked up is looked up while the turn may still go on. Only what is read: a write is for what was meant.
    pub(super) fn look_up_early(&mut self, request: Request, out: &mut Vec<Command<M>>) {
        if request.is_write() {
            return;
        }
        let ticket = self.next_tag;
        if let Some(utterance) = &mut self.caller.utterance {
            self.next_tag += 1;
            utterance.early.found = Some(Found {
                ticket,
                outcome: None,
            });
            out.push(Command::LookUp { ticket, request });
        }
    }

    /// What was looked up early is there.
    pub(super) fn found(&mut self, ticket: u64, outcome: Outcome, out: &mut Vec<Command<M>>) {
        if let Some(found) = self
            .caller
            .utterance
            .as_mut()
            .and_then(|u| u.early.found.as_mut())
            && found.ticket == ticket
        {
            found.outcome = Some(outcome);
        } else if let Some((id, due)) = self.looking_up
            && due == ticket
        {
            self.looking_up = None;
            self.request_done(id, outcome, out);
        }
    }

    /// The request of a reply that is final was sent early: its outcome is there, or will be.
    pub(super) fn take_found(&mut self, id: u64, found: Found, out: &mut Vec<Command<M>>) {
        match found.outcome {
            Some(outcome) => self.request_done(id, outcome, out),
            None => self.looking_up = Some((id, found.ticket)),
        }
    }

    /// From here on the caller waits for us: a word is due where it takes long.
    pub(super) fn wait_with_a_word(&mut self, since: super::Time) {
        let at = since
            .plus(FILLER_MS)
            .max(self.now.plus(FILLER_AFTER_FINAL_MS));
        self.timers.set(Timer::Filler, at);
    }

    pub(super) fn filler(&mut self, out: &mut Vec<Command<M>>) {
        let unanswered = self.caller.utterance.as_ref().is_some_and(|u| u.is_final);
        if self.stage != Stage::Talking || (self.request.is_none() && !unanswered) {
            return;
        }
        if self.line.is_quiet() && !self.caller.speaking {
            let words = self.config.words.nth("filler", self.fillers as usize);
            self.fillers += 1;
            self.say_aside(&words, out);
        }
        self.timers.set(Timer::Filler, self.now.plus(FILLER_MS * 5));
    }
}
