//! Supervised replies: each waits for a reviewer's word while the caller hears that somebody is looking; after [`REVIEW_MS`] without one,
//! the caller goes to a human.
//!
//! A caller who says something meanwhile is heard: what they say is decided on, and the reply that waited is withdrawn. What was approved is
//! said as it was drafted, what was edited as it was edited, and what was rejected is not said: it is in the packet of the human who takes over.

use std::collections::BTreeSet;

use super::speaking::Speech;
use super::timer::Timer;
use super::{Call, Command, Mind, Note, Stage, Then};
use crate::desk::{Decision, Next, Reply, Route, Say};

/// How long a reviewer has, milliseconds.
pub const REVIEW_MS: u64 = 8_000;

/// How far this call is trusted, and whether it is asked at its end.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Pilot {
    /// Intents whose replies wait for a reviewer.
    pub reviewed: BTreeSet<String>,
    /// The caller is asked at the end how it was.
    pub survey: bool,
}

/// A reply for a reviewer to look at.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    /// Unique in the call.
    pub number: u64,
    pub turn: u32,
    /// What the caller said.
    pub words: String,
    pub decision: Decision,
}

/// What became of a draft.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    Approved,
    /// This is said instead.
    Edited(String),
    /// Why, if they said.
    Rejected(String),
    /// Nobody looked in time.
    Timeout,
    /// The caller went on, or left, or somebody took the call.
    Withdrawn,
}

impl Verdict {
    pub fn word(&self) -> &'static str {
        match self {
            Verdict::Approved => "approved",
            Verdict::Edited(_) => "edited",
            Verdict::Rejected(_) => "rejected",
            Verdict::Timeout => "timeout",
            Verdict::Withdrawn => "withdrawn",
        }
    }

    /// The reviewer's own words.
    pub fn said(&self) -> &str {
        match self {
            Verdict::Edited(text) | Verdict::Rejected(text) => text,
            _ => "",
        }
    }
}

/// A reply that waits.
#[derive(Debug, Clone)]
pub(super) struct Waiting {
    number: u64,
    turn: u32,
    reply: Reply,
    prepared: Option<Speech>,
}

impl<M: Mind> Call<M> {
    /// What is given a voice ahead of being said: by the caller's words, or waiting for a reviewer.
    pub(super) fn prepared_speech(&mut self, tag: u64) -> Option<&mut Speech> {
        let waits = self.review.as_mut().and_then(|w| w.prepared.as_mut());
        match waits {
            Some(speech) if speech.tag == tag => Some(speech),
            _ => self.caller.prepared_mut().filter(|s| s.tag == tag),
        }
    }

    pub(super) fn is_reviewed(&self, reply: &Reply) -> bool {
        let reviewed = &self.config.pilot.reviewed;
        matches!(reply.decision.route, Route::Answer | Route::Act)
            && !matches!(reply.next, Next::Transfer(_))
            && reply.say.iter().any(|s| !s.text.trim().is_empty())
            && reply
                .decision
                .intent
                .as_ref()
                .is_some_and(|intent| reviewed.contains(intent))
    }

    /// Shows a reply to a reviewer, and has the caller wait.
    pub(super) fn ask_reviewer(
        &mut self,
        reply: Reply,
        prepared: Option<Speech>,
        out: &mut Vec<Command<M>>,
    ) {
        self.withdraw_review(out);
        self.reviews += 1;
        let number = self.reviews;
        let turn = self.record.turns.last();
        let draft = Draft {
            number,
            turn: turn.map_or(0, |t| t.index),
            words: turn
                .and_then(|t| t.caller.as_ref())
                .map(|c| c.text.clone())
                .unwrap_or_default(),
            decision: reply.decision.clone(),
        };
        self.then = Then::Wait;
        self.timers.set(Timer::Review, self.now.plus(REVIEW_MS));
        self.note_review(draft.turn, "wanted", "", "", out);
        self.review = Some(Waiting {
            number,
            turn: draft.turn,
            reply,
            prepared,
        });
        out.push(Command::Review(Box::new(draft)));
        let hold = self.config.words.nth("review_hold", number as usize - 1);
        self.say_aside(&hold, out);
    }

    /// A reviewer's word. One on a reply that waits no longer changes nothing.
    pub(super) fn reviewed(
        &mut self,
        number: u64,
        verdict: Verdict,
        by: &str,
        out: &mut Vec<Command<M>>,
    ) {
        let Some(waiting) = self.review.take_if(|w| w.number == number) else {
            return;
        };
        self.timers.clear(Timer::Review);
        self.note_review(waiting.turn, verdict.word(), verdict.said(), by, out);
        out.push(Command::ReviewOver {
            number,
            verdict: verdict.clone(),
        });
        let Waiting {
            mut reply,
            prepared,
            ..
        } = waiting;
        match verdict {
            Verdict::Approved => self.perform_reply(reply, prepared, out),
            Verdict::Edited(text) => {
                forget(prepared, out);
                let must_hear = reply.say.iter().any(|s| s.must_hear);
                self.mind.reworded(&text);
                if let Some(decision) = self
                    .record
                    .turns
                    .last_mut()
                    .and_then(|t| t.decision.as_mut())
                {
                    decision.reply.clone_from(&text);
                }
                reply.decision.reply.clone_from(&text);
                reply.say = vec![Say { text, must_hear }];
                self.perform_reply(reply, None, out);
            }
            Verdict::Rejected(why) => self.not_said(&reply, prepared, &why, out),
            Verdict::Timeout => self.not_said(&reply, prepared, "", out),
            Verdict::Withdrawn => forget(prepared, out),
        }
        self.listen_if_quiet(out);
    }

    pub(super) fn review_late(&mut self, out: &mut Vec<Command<M>>) {
        if let Some(number) = self.review.as_ref().map(|w| w.number) {
            self.reviewed(number, Verdict::Timeout, "", out);
        }
    }

    /// Nothing is waited for any more: the caller went on, or the call did.
    pub(super) fn withdraw_review(&mut self, out: &mut Vec<Command<M>>) {
        let Some(waiting) = self.review.take() else {
            return;
        };
        self.timers.clear(Timer::Review);
        forget(waiting.prepared, out);
        self.mind.heard("", false);
        self.note_review(waiting.turn, "withdrawn", "", "", out);
        out.push(Command::ReviewOver {
            number: waiting.number,
            verdict: Verdict::Withdrawn,
        });
    }

    /// A human says it instead, and knows what would have been said.
    fn not_said(
        &mut self,
        reply: &Reply,
        prepared: Option<Speech>,
        why: &str,
        out: &mut Vec<Command<M>>,
    ) {
        forget(prepared, out);
        self.mind.heard("", false);
        if self.stage != Stage::Talking {
            return;
        }
        let mut handoff = self.mind.handoff("supervised");
        handoff
            .tried
            .push(format!("Would have said: {}", reply.decision.reply));
        if !why.is_empty() {
            handoff.tried.push(format!("A reviewer stopped it: {why}"));
        }
        handoff.draft = Some(reply.decision.reply.clone());
        let words = self.config.words.get("review_human");
        self.say_aside(&words, out);
        self.begin_transfer(handoff, out);
    }

    fn note_review(&self, turn: u32, stage: &str, said: &str, by: &str, out: &mut Vec<Command<M>>) {
        out.push(Command::Note(Note::Review {
            turn,
            stage: stage.into(),
            said: said.into(),
            by: by.into(),
        }));
    }
}

fn forget<M>(prepared: Option<Speech>, out: &mut Vec<Command<M>>) {
    if let Some(speech) = prepared {
        out.push(Command::Forget { tag: speech.tag });
    }
}
