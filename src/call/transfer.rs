//! Warm transfer: dial, brief, accepted, joined; or the next target, and at last back to the caller with the truth.
//!
//! A human is whoever presses 1. An answering machine answers, listens to the brief and presses nothing.

use super::line::feed;
use super::speaking::{ClauseState, Speech};
use super::timer::Timer;
use super::{Call, CallTarget, Command, LegId, LegSignal, Mind, Mix, Note, Stage, Then, Time};
use crate::desk::{Handoff, Say, TargetOutcome};

/// Beyond the target's own ringing time, for the edge to say so first.
const RING_GRACE_MS: u64 = 3_000;
/// Between the human's hello and the brief.
const HELLO_MS: u64 = 700;
const KEY_MS: u64 = 6_000;
const HOLD_WORD_MS: u64 = 11_000;
/// A caller who speaks on hold is answered, no oftener than this.
const HOLD_ANSWER_MS: u64 = 4_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Ringing,
    Hello,
    Briefing,
    Key,
}

/// One attempt to bring in a human.
#[derive(Debug, Clone)]
pub(super) struct Transfer {
    targets: Vec<CallTarget>,
    next: usize,
    leg: Option<LegId>,
    target: String,
    dialled: Time,
    phase: Phase,
    speech: Option<Speech>,
    asked_again: bool,
    hold_words: usize,
    hold_word_at: Time,
}

impl<M: Mind> Call<M> {
    pub(super) fn begin_transfer(&mut self, handoff: Handoff, out: &mut Vec<Command<M>>) {
        self.stage = Stage::Transferring;
        self.then = Then::Hold;
        self.timers.clear(Timer::Silence);
        self.drop_utterance(out);
        // The queue first; after it whoever takes everything else, so that a queue nobody sits at is no dead end.
        let mut targets = handoff
            .queue
            .as_ref()
            .and_then(|q| self.config.queues.get(q))
            .cloned()
            .unwrap_or_default();
        for target in &self.config.targets {
            if !targets.iter().any(|t| t.uri == target.uri) {
                targets.push(target.clone());
            }
        }
        self.record.handoff = Some(handoff.clone());
        self.transfer = Some(Transfer {
            targets,
            next: 0,
            leg: None,
            target: String::new(),
            dialled: self.now,
            phase: Phase::Ringing,
            speech: None,
            asked_again: false,
            hold_words: 0,
            hold_word_at: self.now,
        });
        out.push(Command::Mix(Mix::Hold));
        out.push(Command::Packet(Box::new(handoff)));
        self.timers
            .set(Timer::HoldWord, self.now.plus(HOLD_WORD_MS));
        self.dial_next(out);
    }

    fn dial_next(&mut self, out: &mut Vec<Command<M>>) {
        for timer in [Timer::HumanRing, Timer::HumanBrief, Timer::HumanKey] {
            self.timers.clear(timer);
        }
        let leg = LegId(self.next_leg);
        let now = self.now;
        let Some(transfer) = &mut self.transfer else {
            return;
        };
        if let Some(speech) = transfer.speech.take() {
            out.push(Command::Forget { tag: speech.tag });
        }
        let Some(CallTarget {
            uri: target,
            ring_ms,
        }) = transfer.targets.get(transfer.next).cloned()
        else {
            return self.nobody(out);
        };
        self.next_leg += 1;
        transfer.next += 1;
        transfer.leg = Some(leg);
        transfer.target = target.clone();
        transfer.dialled = now;
        transfer.phase = Phase::Ringing;
        transfer.asked_again = false;
        self.timers
            .set(Timer::HumanRing, now.plus(ring_ms + RING_GRACE_MS));
        out.push(Command::Note(Note::Transfer {
            stage: "dialling".into(),
            target: target.clone(),
            detail: String::new(),
        }));
        out.push(Command::Dial { leg, target });
        let mut brief = self.brief_speech();
        self.prepare(&mut brief, false, out);
        if let Some(transfer) = &mut self.transfer {
            transfer.speech = Some(brief);
        }
    }

    fn brief_speech(&mut self) -> Speech {
        let brief = self
            .record
            .handoff
            .as_ref()
            .map(|h| h.spoken_brief.clone())
            .unwrap_or_default();
        self.human_speech(&[
            Say::new(brief),
            Say::new(self.config.words.human_keys.clone()),
        ])
    }

    fn human_speech(&mut self, say: &[Say]) -> Speech {
        let mut speech = self.new_speech(say);
        if let Some(leg) = self.transfer.as_ref().and_then(|t| t.leg) {
            speech.to = leg;
        }
        speech
    }

    /// Nobody took it: back to the caller, with the truth.
    fn nobody(&mut self, out: &mut Vec<Command<M>>) {
        self.transfer = None;
        self.timers.clear(Timer::HoldWord);
        self.stage = Stage::Talking;
        self.drop_utterance(out);
        let outcomes = match &mut self.record.handoff {
            Some(handoff) => {
                handoff.result = "returned".into();
                handoff.targets.clone()
            }
            None => Vec::new(),
        };
        out.push(Command::Mix(Mix::Agent));
        out.push(Command::Note(Note::Transfer {
            stage: "nobody".into(),
            target: String::new(),
            detail: String::new(),
        }));
        self.cut_line(out);
        let reply = self.mind.transfer_failed(&outcomes);
        self.open_turn(None, Some(&reply.decision), out);
        self.perform_reply(reply, None, out);
    }

    pub(super) fn human_signal(
        &mut self,
        leg: LegId,
        signal: LegSignal,
        out: &mut Vec<Command<M>>,
    ) {
        let Some(transfer) = self.transfer.as_mut().filter(|t| t.leg == Some(leg)) else {
            return;
        };
        match signal {
            LegSignal::Ringing => {
                let target = transfer.target.clone();
                out.push(Command::Note(Note::Transfer {
                    stage: "ringing".into(),
                    target,
                    detail: String::new(),
                }));
            }
            LegSignal::Answered if transfer.phase == Phase::Ringing => {
                transfer.phase = Phase::Hello;
                let target = transfer.target.clone();
                self.timers.clear(Timer::HumanRing);
                self.timers.set(Timer::HumanBrief, self.now.plus(HELLO_MS));
                out.push(Command::Note(Note::Transfer {
                    stage: "answered".into(),
                    target,
                    detail: String::new(),
                }));
            }
            LegSignal::Digit(key)
                if self.stage == Stage::Transferring && transfer.phase != Phase::Ringing =>
            {
                match key {
                    '1' => self.accepted(leg, out),
                    '2' => {
                        self.give_up_on(603, "declined", out);
                        self.target_over("declined", out);
                    }
                    '3' => {
                        out.push(Command::Stop { leg });
                        let again = self.brief_speech();
                        self.speak_to_human(again, out);
                    }
                    _ => {}
                }
            }
            LegSignal::Ended {
                outcome, detail, ..
            } => {
                if self.stage == Stage::Bridged {
                    transfer.leg = None;
                    out.push(Command::Mix(Mix::Agent));
                    out.push(Command::Note(Note::Transfer {
                        stage: "human left".into(),
                        target: transfer.target.clone(),
                        detail,
                    }));
                    self.stage = Stage::Talking;
                    self.farewell(
                        self.config.words.human_gone.clone(),
                        "ours",
                        "the human ended the call",
                        out,
                    );
                } else {
                    let outcome = if transfer.phase == Phase::Ringing {
                        outcome
                    } else {
                        "hung_up"
                    };
                    self.target_over(outcome, out);
                }
            }
            _ => {}
        }
    }

    fn accepted(&mut self, leg: LegId, out: &mut Vec<Command<M>>) {
        for timer in [
            Timer::HumanRing,
            Timer::HumanBrief,
            Timer::HumanKey,
            Timer::HoldWord,
        ] {
            self.timers.clear(timer);
        }
        let now = self.now;
        let Some(transfer) = &mut self.transfer else {
            return;
        };
        let target = transfer.target.clone();
        let ms = now.since(transfer.dialled);
        if let Some(speech) = transfer.speech.take() {
            out.push(Command::Forget { tag: speech.tag });
        }
        if let Some(handoff) = &mut self.record.handoff {
            handoff.targets.push(TargetOutcome {
                uri: target.clone(),
                outcome: "accepted".into(),
                ms,
            });
            handoff.result = "accepted".into();
            handoff.accepted_by = Some(target.clone());
            out.push(Command::Packet(Box::new(handoff.clone())));
        }
        out.push(Command::Stop { leg });
        self.cut_line(out);
        self.stage = Stage::Bridged;
        self.then = Then::Hold;
        self.mind.transferred(&target);
        out.push(Command::Mix(Mix::Bridge));
        out.push(Command::Chime { leg });
        out.push(Command::Note(Note::Transfer {
            stage: "accepted".into(),
            target,
            detail: String::new(),
        }));
        let joined = self.config.words.joined.clone();
        self.say_aside(&joined, out);
    }

    /// Hangs up on the human who is being called, if there is a leg to hang up.
    fn give_up_on(&self, code: u16, reason: &str, out: &mut Vec<Command<M>>) {
        if let Some(leg) = self.transfer.as_ref().and_then(|t| t.leg) {
            out.push(Command::Hangup {
                leg,
                code,
                reason: reason.into(),
            });
        }
    }

    fn target_over(&mut self, outcome: &str, out: &mut Vec<Command<M>>) {
        let now = self.now;
        let Some(transfer) = &mut self.transfer else {
            return;
        };
        transfer.leg = None;
        let target = TargetOutcome {
            uri: transfer.target.clone(),
            outcome: outcome.into(),
            ms: now.since(transfer.dialled),
        };
        out.push(Command::Note(Note::Transfer {
            stage: outcome.into(),
            target: target.uri.clone(),
            detail: String::new(),
        }));
        if let Some(handoff) = &mut self.record.handoff {
            handoff.targets.push(target);
        }
        self.dial_next(out);
    }

    fn speak_to_human(&mut self, mut speech: Speech, out: &mut Vec<Command<M>>) {
        let Some(transfer) = &mut self.transfer else {
            return;
        };
        let Some(leg) = transfer.leg else { return };
        speech.to = leg;
        speech.released = true;
        transfer.phase = Phase::Briefing;
        if let Some(old) = transfer.speech.take()
            && old.tag != speech.tag
        {
            out.push(Command::Forget { tag: old.tag });
        }
        transfer.speech = Some(speech);
        self.timers.clear(Timer::HumanKey);
        // Even a voice that never comes must not leave the human on a dead line.
        self.timers.set(Timer::HumanKey, self.now.plus(40_000));
        self.queue_human(out);
    }

    fn queue_human(&mut self, out: &mut Vec<Command<M>>) {
        if let Some(speech) = self.transfer.as_mut().and_then(|t| t.speech.as_mut()) {
            feed(speech, out);
        }
    }

    /// Whether the clause was one for the human.
    pub(super) fn human_clause_ready(
        &mut self,
        tag: u64,
        part: u32,
        state: ClauseState,
        out: &mut Vec<Command<M>>,
    ) -> bool {
        let Some(speech) = self
            .transfer
            .as_mut()
            .and_then(|t| t.speech.as_mut())
            .filter(|s| s.tag == tag)
        else {
            return false;
        };
        if let Some(clause) = speech.clauses.get_mut(part as usize) {
            clause.state = state;
        }
        self.queue_human(out);
        true
    }

    pub(super) fn human_played(&mut self, tag: u64, part: u32, samples: u64) -> bool {
        let now = self.now;
        let Some(transfer) = &mut self.transfer else {
            return false;
        };
        let Some(speech) = transfer.speech.as_mut().filter(|s| s.tag == tag) else {
            return false;
        };
        if let Some(clause) = speech.clauses.get_mut(part as usize) {
            clause.played = clause.played.max(samples);
        }
        if speech.is_done() && transfer.phase == Phase::Briefing {
            transfer.phase = Phase::Key;
            self.timers.set(Timer::HumanKey, now.plus(KEY_MS));
        }
        true
    }

    pub(super) fn transfer_timer(&mut self, timer: Timer, out: &mut Vec<Command<M>>) {
        let Some(transfer) = &mut self.transfer else {
            return;
        };
        match timer {
            Timer::HoldWord => self.hold_word(out),
            Timer::HumanRing => {
                self.give_up_on(487, "no answer", out);
                self.target_over("no_answer", out);
            }
            Timer::HumanBrief => {
                if let Some(speech) = transfer.speech.take() {
                    out.push(Command::Note(Note::Brief {
                        text: speech.text(),
                    }));
                    self.speak_to_human(speech, out);
                }
            }
            Timer::HumanKey if !transfer.asked_again => {
                transfer.asked_again = true;
                let say = [Say::new(self.config.words.human_keys_again.clone())];
                let speech = self.human_speech(&say);
                self.speak_to_human(speech, out);
            }
            Timer::HumanKey => {
                self.give_up_on(480, "no key was pressed", out);
                self.target_over("no_key", out);
            }
            _ => {}
        }
    }

    fn hold_word(&mut self, out: &mut Vec<Command<M>>) {
        if self.stage != Stage::Transferring {
            return;
        }
        self.timers
            .set(Timer::HoldWord, self.now.plus(HOLD_WORD_MS));
        let now = self.now;
        let words = &self.config.words.hold;
        let Some(transfer) = &mut self.transfer else {
            return;
        };
        let word = words
            .get(transfer.hold_words % words.len().max(1))
            .cloned()
            .unwrap_or_default();
        transfer.hold_words += 1;
        transfer.hold_word_at = now;
        if self.line.is_quiet() {
            self.say_aside(&word, out);
        }
    }

    /// The caller says something while on hold: they hear that somebody is still there.
    pub(super) fn spoke_on_hold(&mut self, out: &mut Vec<Command<M>>) {
        let due = self
            .transfer
            .as_ref()
            .is_some_and(|t| self.now.since(t.hold_word_at) >= HOLD_ANSWER_MS);
        if due && self.line.is_quiet() {
            self.hold_word(out);
        }
    }

    /// Lets go of any human leg.
    pub(super) fn drop_transfer(&mut self, result: &str, out: &mut Vec<Command<M>>) {
        let Some(transfer) = self.transfer.take() else {
            return;
        };
        for timer in [
            Timer::HumanRing,
            Timer::HumanBrief,
            Timer::HumanKey,
            Timer::HoldWord,
        ] {
            self.timers.clear(timer);
        }
        let bridged = self.stage == Stage::Bridged
            || self
                .record
                .handoff
                .as_ref()
                .is_some_and(|h| h.result == "accepted");
        if let Some(leg) = transfer.leg {
            out.push(Command::Hangup {
                leg,
                code: 487,
                reason: "the caller has left".into(),
            });
            if let Some(handoff) = self.record.handoff.as_mut().filter(|_| !bridged) {
                let ms = self.now.since(transfer.dialled);
                handoff.targets.push(TargetOutcome {
                    uri: transfer.target,
                    outcome: "caller_gone".into(),
                    ms,
                });
            }
        }
        if let Some(handoff) = self
            .record
            .handoff
            .as_mut()
            .filter(|h| !bridged && h.result.is_empty())
        {
            handoff.result = result.into();
        }
    }
}
