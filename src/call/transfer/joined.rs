//! A human has taken the call: the three of us for a sentence, then the two of them; notes, if they are taken; and the way back.

use super::super::timer::Timer;
use super::super::{CALLER, Call, Command, Heard, LegId, Mind, Mix, Stage, Then};
use super::HOLD_WORD_MS;
use super::human::{Ear, Human, Phase};
use crate::audio::MediaTime;
use crate::desk::handoff::closing;
use crate::desk::{Closing, NoteLine, Paused, TargetOutcome};

/// Lines of notes kept.
const NOTES: usize = 400;
const PRE_ROLL_MS: u64 = 200;

impl<M: Mind> Call<M> {
    /// `announce`: the caller is told who is joining before they talk.
    pub(in crate::call) fn accepted(
        &mut self,
        leg: LegId,
        announce: bool,
        out: &mut Vec<Command<M>>,
    ) {
        let Some(mut human) = self.take_human(leg) else {
            return;
        };
        let target = human.target.clone();
        let name = human.name.clone();
        self.dismiss_others("taken", "taken by a colleague", out);
        self.forget_human(&human, out);
        self.timers.clear(Timer::HoldWord);
        self.timers.clear(Timer::HumanWords);
        human.speech = None;
        human.phase = Phase::Joined;
        human.due = None;
        human.said_from = None;
        let ms = self.now.since(human.dialled);
        let calling_back = self.outbound.is_some();
        let notes = self.config.notes;
        if let Some(transfer) = &mut self.transfer {
            transfer.joined = Some(leg);
            transfer.words = None;
            transfer.three = announce || notes;
            transfer.humans.push(human);
        }
        self.arm_humans();
        let outcome = TargetOutcome {
            uri: target.clone(),
            outcome: "accepted".into(),
            ms,
        };
        out.push(Command::Stop { leg });
        self.outcome(outcome, out);
        if let Some(handoff) = &mut self.record.handoff {
            handoff.accepted_by = Some(target.clone());
        }
        if calling_back {
            return self.call_back_caller(leg, out);
        }
        self.join(leg, &target, out);
        let words = if announce {
            let colleague = name.unwrap_or_else(|| self.config.words.get("a_colleague"));
            let joining = self.config.words.get("joining");
            joining.replace("{colleague}", &colleague)
        } else if notes {
            self.config.words.get("joined_notes")
        } else {
            self.config.words.get("joined")
        };
        self.say_aside(&words, out);
    }

    /// The two hear each other from now on.
    pub(in crate::call) fn join(&mut self, leg: LegId, target: &str, out: &mut Vec<Command<M>>) {
        if let Some(handoff) = &mut self.record.handoff {
            handoff.result = "accepted".into();
            out.push(Command::Packet(Box::new(handoff.clone())));
        }
        self.cut_line(out);
        self.stage = Stage::Bridged;
        self.then = Then::Hold;
        self.mind.transferred(target);
        let three = self.transfer.as_ref().is_some_and(|t| t.three);
        out.push(Command::Mix(if three {
            Mix::Three(leg)
        } else {
            Mix::Bridge(leg)
        }));
        out.push(Command::Chime { leg });
        if self.config.notes {
            out.push(Command::Attend { leg, on: true });
        }
    }

    /// The assistant has said what it had to say to the two of them.
    pub(in crate::call) fn assistant_leaves(&mut self, out: &mut Vec<Command<M>>) {
        let Some(transfer) = self.transfer.as_mut().filter(|t| t.three) else {
            return;
        };
        transfer.three = false;
        if let Some(leg) = transfer.joined {
            out.push(Command::Mix(Mix::Bridge(leg)));
            let stage = if self.config.notes {
                "assistant is silent"
            } else {
                "assistant has left"
            };
            self.note_transfer(stage, "", "", out);
        }
    }

    pub(in crate::call) fn joined_key(&mut self, leg: LegId, key: char, out: &mut Vec<Command<M>>) {
        // While the caller is on the way to somebody else it must first be known how that goes.
        if self.on_the_way() {
            return;
        }
        let Some(human) = self.human(leg) else { return };
        let starred = std::mem::take(&mut human.star);
        human.star = key == '*' && !starred;
        if human.star || self.stage != Stage::Bridged {
            return;
        }
        let status = match key {
            '7' if starred => return self.hand_back(leg, out),
            '9' if starred => return self.pause_recording(leg, out),
            '1' if starred => "resolved",
            '2' if starred => "follow_up",
            // No order to us: it is for the caller's end. A star before it was, too.
            key => {
                if starred {
                    out.push(Command::Press {
                        leg: CALLER,
                        key: '*',
                    });
                }
                out.push(Command::Press { leg: CALLER, key });
                return;
            }
        };
        if let Some(handoff) = &mut self.record.handoff {
            handoff.closing = Some(Closing {
                status: status.into(),
                said: "key".into(),
            });
        }
        out.push(Command::Chime { leg });
    }

    /// The human who has the caller.
    pub(in crate::call) fn joined(&self) -> Option<LegId> {
        self.transfer.as_ref().and_then(|t| t.joined)
    }

    /// The human stops the recording, or has it go on: nothing of a card that is read out may be kept.
    fn pause_recording(&mut self, leg: LegId, out: &mut Vec<Command<M>>) {
        if self.recording_paused() {
            self.resume_recording(out);
        } else {
            let from_ms = self.now.since(self.answered_at);
            self.record.paused.push(Paused {
                from_ms,
                to_ms: None,
            });
            // What is being said is no note either.
            if let Some(transfer) = &mut self.transfer {
                transfer.noting.clear();
            }
            self.caller.noted_from = None;
            if let Some(human) = self.human(leg) {
                human.said_from = None;
            }
            self.note_transfer("recording paused", "", "", out);
        }
        out.push(Command::Chime { leg });
    }

    /// Where it was paused.
    pub(in crate::call) fn resume_recording(&mut self, out: &mut Vec<Command<M>>) {
        let now = self.now.since(self.answered_at);
        if let Some(paused) = self.record.paused.last_mut().filter(|p| p.to_ms.is_none()) {
            paused.to_ms = Some(now);
            self.note_transfer("recording resumed", "", "", out);
        }
    }

    /// The human gives the caller back: the caller holds while the human says what is to be done.
    fn hand_back(&mut self, leg: LegId, out: &mut Vec<Command<M>>) {
        self.resume_recording(out);
        self.stage = Stage::Transferring;
        self.cut_line(out);
        out.push(Command::Mix(Mix::Hold));
        if let Some(transfer) = &mut self.transfer {
            transfer.three = false;
            transfer.hold_word_at = self.now;
        }
        self.timers
            .set(Timer::HoldWord, self.now.plus(HOLD_WORD_MS));
        let wait = self.config.words.get("hand_back_wait");
        self.say_aside(&wait, out);
        self.invite(leg, Ear::HandBack, out);
    }

    /// The human goes on with the caller after all.
    pub(in crate::call) fn rejoin(&mut self, leg: LegId, out: &mut Vec<Command<M>>) {
        let Some(human) = self.human(leg) else { return };
        human.phase = Phase::Joined;
        human.due = None;
        human.said_from = None;
        let target = human.target.clone();
        if let Some(speech) = human.speech.take() {
            out.push(Command::Forget { tag: speech.tag });
        }
        out.push(Command::Stop { leg });
        out.push(Command::Attend { leg, on: false });
        self.timers.clear(Timer::HoldWord);
        self.arm_humans();
        self.note_transfer("accepted", &target, "again", out);
        self.join(leg, &target, out);
    }

    /// The caller is ours again, with what the human asked for.
    pub(in crate::call) fn take_back_caller(
        &mut self,
        heard: Option<Heard>,
        out: &mut Vec<Command<M>>,
    ) {
        self.transfer = None;
        self.timers.clear(Timer::HoldWord);
        self.arm_humans();
        self.handed_back = true;
        if let Some(handoff) = &mut self.record.handoff {
            handoff.handed_back = Some(heard.as_ref().map_or_else(String::new, |h| h.text.clone()));
            out.push(Command::Packet(Box::new(handoff.clone())));
        }
        self.stage = Stage::Talking;
        self.drop_utterance(out);
        out.push(Command::Mix(Mix::Agent));
        self.cut_line(out);
        match (
            self.mind
                .handed_back(heard.as_ref().map(|h| h.text.as_str())),
            heard,
        ) {
            (Some(reply), _) => {
                self.open_turn(None, Some(&reply.decision), out);
                self.perform_reply(reply, None, out);
            }
            (None, Some(heard)) => {
                self.then = Then::Wait;
                self.take_up(heard, None, out);
            }
            (None, None) => self.unheard(out),
        }
    }

    /// The human has hung up on the caller.
    pub(in crate::call) fn joined_left(
        &mut self,
        human: Human,
        detail: &str,
        out: &mut Vec<Command<M>>,
    ) {
        self.forget_human(&human, out);
        self.resume_recording(out);
        self.note_transfer("human left", &human.target, detail, out);
        if self.stage == Stage::Calling {
            return self.colleague_left(out);
        }
        if let Some(transfer) = &mut self.transfer {
            transfer.joined = None;
        }
        out.push(Command::Mix(Mix::Agent));
        self.stage = Stage::Talking;
        self.farewell(
            self.config.words.get("human_gone"),
            "ours",
            crate::call::survey::HUMAN_ENDED,
            out,
        );
    }

    /// Something the human said to the caller.
    pub(in crate::call) fn note_human(
        &mut self,
        leg: LegId,
        speaking: bool,
        at: MediaTime,
        out: &mut Vec<Command<M>>,
    ) {
        let Some(human) = self.human(leg) else { return };
        if speaking {
            human.said_from = Some(at);
        } else if let Some(from) = human.said_from.take() {
            self.take_note(leg, "colleague", from, at, out);
        }
    }

    /// Something the caller said to the human.
    pub(in crate::call) fn note_caller(&mut self, at: MediaTime, out: &mut Vec<Command<M>>) {
        if let Some(from) = self.caller.noted_from.take() {
            self.take_note(CALLER, "caller", from, at, out);
        }
    }

    fn take_note(
        &mut self,
        leg: LegId,
        by: &'static str,
        from: MediaTime,
        to: MediaTime,
        out: &mut Vec<Command<M>>,
    ) {
        if !self.config.notes || self.stage != Stage::Bridged || self.recording_paused() {
            return;
        }
        let attempt = self.next_attempt;
        let at_ms = self.now.since(self.answered_at);
        let Some(transfer) = self.transfer.as_mut().filter(|t| t.noting.len() < 8) else {
            return;
        };
        self.next_attempt += 1;
        transfer.noting.push((attempt, by, at_ms));
        out.push(Command::Understand {
            attempt,
            leg,
            from: MediaTime::from_ms(from.as_ms().saturating_sub(PRE_ROLL_MS)),
            to,
            keep: None,
        });
    }

    pub(in crate::call) fn noted(&mut self, by: &str, at_ms: u64, heard: Option<Heard>) {
        if let (Some(handoff), Some(heard)) = (&mut self.record.handoff, heard)
            && handoff.notes.len() < NOTES
        {
            handoff.notes.push(NoteLine {
                by: by.into(),
                text: heard.text,
                at_ms,
            });
            handoff.notes.sort_by_key(|n| n.at_ms);
        }
    }

    /// How the human left it, from the notes, unless they said so by key.
    pub(in crate::call) fn close_notes(&mut self) {
        if let Some(handoff) = &mut self.record.handoff
            && handoff.closing.is_none()
            && handoff.result == "accepted"
        {
            handoff.closing = closing(&handoff.notes);
        }
    }
}
