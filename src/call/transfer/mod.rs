//! Warm transfer: dial, brief, accepted, joined; or the next targets, and at last back to the caller with the truth.
//!
//! A human is whoever presses the accept key. An answering machine answers, listens to the brief and presses nothing. Every transfer
//! ends in exactly one of `accepted`, `callback`, `returned` and `caller_gone`, with an outcome a target; every leg that was dialled is
//! hung up by one side or the other.
//!
//! `sending_on` lets go of a caller who is with a human. `human` is one human from the ringing to the accept key; `ask` hears what they say to us; `joined` is what follows when they took
//! the call.

mod ask;
mod human;
mod joined;
mod sending_on;

use std::collections::VecDeque;

pub(super) use human::Human;
use human::{Ear, Phase};
use sending_on::{Onward, Sending};

use super::timer::Timer;
use super::{Call, CallTarget, Command, LegId, Mind, Mix, Note, Plan, Stage, Then, Time};
use crate::desk::{Handoff, Reply, TargetOutcome};

/// The phase of a human who has taken a call.
pub(super) fn joined_phase() -> Phase {
    Phase::Joined
}

/// Whom to ring must be known by then.
const PLAN_MS: u64 = 3_000;
const HOLD_WORD_MS: u64 = 11_000;
/// A caller who speaks on hold is answered, no oftener than this.
const HOLD_ANSWER_MS: u64 = 4_000;

/// One attempt to bring in a human.
#[derive(Debug, Clone, Default)]
pub(super) struct Transfer {
    /// Groups still to be rung.
    rings: VecDeque<Vec<CallTarget>>,
    planned: bool,
    /// Being rung, briefed, or on the line.
    pub humans: Vec<Human>,
    pub joined: Option<LegId>,
    /// The assistant is still heard by both.
    three: bool,
    /// What a human said last to us (a note, or what to do), being recognised.
    words: Option<(u64, Ear)>,
    /// Notes being recognised: attempt, whose, milliseconds since answer.
    noting: Vec<(u64, &'static str, u64)>,
    hold_words: usize,
    hold_word_at: Time,
    /// The caller is being sent elsewhere.
    sending: Option<Sending>,
    /// The caller could not be sent on; not tried again.
    kept: bool,
    pub(in crate::call) onward: Option<Onward>,
}

impl Transfer {
    /// One in which nobody is to be rung: whoever takes the call is there.
    pub(in crate::call) fn planned_already() -> Self {
        Self {
            planned: true,
            ..Self::default()
        }
    }
}

impl<M: Mind> Call<M> {
    pub(in crate::call) fn begin_transfer(
        &mut self,
        mut handoff: Handoff,
        out: &mut Vec<Command<M>>,
    ) {
        self.stage = Stage::Transferring;
        self.then = Then::Hold;
        self.handed_back = false;
        self.timers.clear(Timer::Silence);
        self.withdraw_review(out);
        self.drop_utterance(out);
        if let Some(earlier) = self.record.handoff.take() {
            // What colleagues asked, noted and wanted in an earlier attempt on this call is not forgotten.
            handoff.questions = earlier.questions;
            handoff.note = earlier.note;
            handoff.handed_back = earlier.handed_back;
            handoff.notes = earlier.notes;
        }
        self.record.handoff = Some(handoff.clone());
        self.transfer = Some(Transfer {
            hold_word_at: self.now,
            ..Transfer::default()
        });
        out.push(Command::Mix(Mix::Hold));
        out.push(Command::Packet(Box::new(handoff.clone())));
        self.timers
            .set(Timer::HoldWord, self.now.plus(HOLD_WORD_MS));
        self.timers.set(Timer::Human, self.now.plus(PLAN_MS));
        out.push(Command::Plan(Box::new(handoff)));
    }

    /// Who is to be rung is known.
    pub(in crate::call) fn planned(&mut self, plan: Plan, out: &mut Vec<Command<M>>) {
        let Some(transfer) = self.transfer.as_mut().filter(|t| !t.planned) else {
            return;
        };
        transfer.planned = true;
        transfer.rings = plan.rings.into();
        for target in plan.left_out {
            self.outcome(target, out);
        }
        self.ring_next(out);
    }

    fn ring_next(&mut self, out: &mut Vec<Command<M>>) {
        let Some(group) = self.transfer.as_mut().map(|t| t.rings.pop_front()) else {
            return;
        };
        match group {
            Some(group) => {
                for target in group {
                    self.dial(target, out);
                }
                self.arm_humans();
            }
            None => {
                let reply = |call: &mut Self| {
                    let outcomes = call
                        .record
                        .handoff
                        .as_ref()
                        .map(|h| h.targets.clone())
                        .unwrap_or_default();
                    call.mind.transfer_failed(&outcomes)
                };
                self.returned("nobody", reply, out);
            }
        }
    }

    /// Back to the caller, with the truth.
    fn returned(
        &mut self,
        stage: &str,
        reply: impl FnOnce(&mut Self) -> Reply,
        out: &mut Vec<Command<M>>,
    ) {
        self.transfer = None;
        for timer in [Timer::HoldWord, Timer::HumanWords] {
            self.timers.clear(timer);
        }
        self.arm_humans();
        if let Some(handoff) = &mut self.record.handoff {
            handoff.result = "returned".into();
        }
        self.note_transfer(stage, "", "", out);
        if self.outbound.is_some() {
            return self.nobody_for_callback(out);
        }
        self.stage = Stage::Talking;
        self.drop_utterance(out);
        out.push(Command::Mix(Mix::Agent));
        self.cut_line(out);
        let reply = reply(self);
        self.open_turn(None, Some(&reply.decision), out);
        self.perform_reply(reply, None, out);
    }

    /// One target's outcome is known.
    fn outcome(&mut self, target: TargetOutcome, out: &mut Vec<Command<M>>) {
        self.note_transfer(&target.outcome, &target.uri, "", out);
        if let Some(handoff) = &mut self.record.handoff {
            handoff.targets.push(target);
        }
    }

    fn note_transfer(&self, stage: &str, target: &str, detail: &str, out: &mut Vec<Command<M>>) {
        out.push(Command::Note(Note::Transfer {
            stage: stage.into(),
            target: target.into(),
            detail: detail.into(),
        }));
    }

    /// One candidate is no longer one. The next group, where nobody is left of this one.
    fn candidate_over(&mut self, human: Human, outcome: &str, out: &mut Vec<Command<M>>) {
        let ms = self.now.since(human.dialled);
        self.forget_human(&human, out);
        self.outcome(
            TargetOutcome {
                uri: human.target,
                outcome: outcome.into(),
                ms,
            },
            out,
        );
        self.arm_humans();
        let waits = self
            .transfer
            .as_ref()
            .is_some_and(|t| t.humans.is_empty() && t.words.is_none() && t.planned);
        if waits && self.stage == Stage::Transferring {
            self.ring_next(out);
        }
    }

    /// Nobody else is to be asked: those who ring are cancelled, those who listen are told.
    fn dismiss_others(&mut self, outcome: &str, reason: &str, out: &mut Vec<Command<M>>) {
        let Some(transfer) = &mut self.transfer else {
            return;
        };
        transfer.rings.clear();
        if !matches!(transfer.sending, Some(Sending::Release { .. })) {
            transfer.sending = None;
        }
        for human in std::mem::take(&mut transfer.humans) {
            let target = TargetOutcome {
                uri: human.target.clone(),
                outcome: outcome.into(),
                ms: self.now.since(human.dialled),
            };
            self.outcome(target, out);
            if matches!(human.phase, Phase::Ringing | Phase::Apart) {
                self.forget_human(&human, out);
                self.hang_up_on(&human, 487, reason, out);
            } else {
                self.leave(human, "human_taken", out);
            }
        }
    }

    pub(in crate::call) fn hold_word(&mut self, out: &mut Vec<Command<M>>) {
        // A call of our own has no caller yet who could hold.
        if self.stage != Stage::Transferring || self.outbound.is_some() {
            return;
        }
        self.timers
            .set(Timer::HoldWord, self.now.plus(HOLD_WORD_MS));
        let now = self.now;
        let Some(transfer) = &mut self.transfer else {
            return;
        };
        let word = self.config.words.nth("hold_words", transfer.hold_words);
        transfer.hold_words += 1;
        transfer.hold_word_at = now;
        if self.line.is_quiet() {
            self.say_aside(&word, out);
        }
    }

    /// The caller says something while on hold: they hear that somebody is still there.
    pub(in crate::call) fn spoke_on_hold(&mut self, out: &mut Vec<Command<M>>) {
        let due = self
            .transfer
            .as_ref()
            .is_some_and(|t| self.now.since(t.hold_word_at) >= HOLD_ANSWER_MS);
        if due && self.line.is_quiet() {
            self.hold_word(out);
        }
    }

    /// Lets go of every human leg.
    pub(in crate::call) fn drop_transfer(&mut self, result: &str, out: &mut Vec<Command<M>>) {
        for timer in [Timer::Human, Timer::HumanWords, Timer::HoldWord] {
            self.timers.clear(timer);
        }
        const WHY: &str = "the caller has left";
        for human in std::mem::take(&mut self.leaving) {
            self.forget_human(&human, out);
            self.hang_up_on(&human, 487, WHY, out);
        }
        let Some(transfer) = self.transfer.take() else {
            return;
        };
        let accepted = self
            .record
            .handoff
            .as_ref()
            .is_some_and(|h| h.result == "accepted");
        for human in transfer.humans {
            self.forget_human(&human, out);
            self.hang_up_on(&human, 487, WHY, out);
            if transfer.joined != Some(human.leg) {
                let target = TargetOutcome {
                    uri: human.target,
                    outcome: "caller_gone".into(),
                    ms: self.now.since(human.dialled),
                };
                self.outcome(target, out);
            }
        }
        if let Some(handoff) = self
            .record
            .handoff
            .as_mut()
            .filter(|h| !accepted && h.result.is_empty())
        {
            handoff.result = result.into();
        }
    }
}
