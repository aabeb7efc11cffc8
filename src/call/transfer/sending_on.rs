//! The caller is sent to the human, and this line lets go (SIP: REFER); and humans who put the caller through to somebody else.
//!
//! Released: a human has taken the call, and the caller's own phone or carrier calls them in our place. Blind: the caller is sent to a
//! target without anybody being called by us first. Onward: a human who has the call transfers it with their phone. In each the caller
//! stays with us until it is known to have worked.

use super::super::{CALLER, Call, Command, LegId, LegSignal, Mind, Mix, SendTo, Stage, Then};
use super::human::{Human, Phase};
use crate::desk::TargetOutcome;

/// A caller on their way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sending {
    /// To the human who has the call. `left`: whose leg to us is over already.
    Release {
        left: bool,
    },
    /// To a target, as soon as we have said so.
    BlindSoon(LegId),
    Blind(LegId),
}

/// A human puts the caller through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Onward {
    /// Who has asked for it; none: they have hung up since.
    pub by: Option<LegId>,
    pub to: LegId,
}

/// How long it may ring where a human puts the caller through.
const ONWARD_RING_MS: u64 = 45_000;

impl<M: Mind> Call<M> {
    /// The two talk and we have nothing more to say: our legs are not needed, where the line is set up so.
    pub(in crate::call) fn release(&mut self, out: &mut Vec<Command<M>>) {
        if !self.config.release || self.config.notes || self.outbound.is_some() {
            return;
        }
        let Some(transfer) = self.transfer.as_mut() else {
            return;
        };
        let (Some(leg), None, None, false) = (
            transfer.joined,
            transfer.sending,
            transfer.onward,
            transfer.kept,
        ) else {
            return;
        };
        transfer.sending = Some(Sending::Release { left: false });
        self.note_transfer("releasing", "", "", out);
        out.push(Command::Refer {
            to: SendTo::Human(leg),
        });
    }

    /// The caller hears that they are being sent on before it happens.
    pub(in crate::call) fn send_blind(&mut self, out: &mut Vec<Command<M>>) {
        let Some(transfer) = self.transfer.as_mut() else {
            return;
        };
        let Some(Sending::BlindSoon(leg)) = transfer.sending else {
            return;
        };
        let Some(human) = transfer.humans.iter().find(|h| h.leg == leg) else {
            return;
        };
        let target = human.target.clone();
        transfer.sending = Some(Sending::Blind(leg));
        out.push(Command::Refer {
            to: SendTo::Target(target),
        });
    }

    /// What became of sending the caller on: a SIP status.
    pub(in crate::call) fn sent_on(&mut self, code: u16, out: &mut Vec<Command<M>>) {
        let done = (200..300).contains(&code);
        let Some(transfer) = self.transfer.as_mut() else {
            return;
        };
        let Some(sending) = transfer.sending.take() else {
            return;
        };
        match sending {
            Sending::Release { .. } if done => self.end(
                "released",
                "the caller and the human talk without this line",
                out,
            ),
            Sending::Release { left } => {
                transfer.kept = true;
                self.note_transfer("still bridged", "", &code.to_string(), out);
                if left {
                    self.colleague_gone(out);
                }
            }
            Sending::BlindSoon(leg) | Sending::Blind(leg) => {
                let Some(human) = self.take_human(leg) else {
                    return;
                };
                if !done {
                    let outcome = match code {
                        486 | 600 => "busy",
                        403 | 603 => "declined",
                        408 | 480 | 487 => "no_answer",
                        _ => "unreachable",
                    };
                    return self.candidate_over(human, outcome, out);
                }
                self.forget_human(&human, out);
                let target = human.target;
                self.outcome(
                    TargetOutcome {
                        uri: target.clone(),
                        outcome: "sent_on".into(),
                        ms: self.now.since(human.dialled),
                    },
                    out,
                );
                if let Some(handoff) = &mut self.record.handoff {
                    handoff.result = "accepted".into();
                    handoff.accepted_by = Some(target.clone());
                }
                self.mind.transferred(&target);
                self.end("released", "the caller was sent to the human", out);
            }
        }
    }

    /// The caller, or the human who talks to them, is being put through to somebody else.
    pub(in crate::call) fn on_the_way(&self) -> bool {
        self.transfer
            .as_ref()
            .is_some_and(|t| t.onward.is_some() || t.sending.is_some())
    }

    /// The caller's leg ended while they were being sent on.
    pub(in crate::call) fn is_being_released(&self) -> bool {
        let sending = self.transfer.as_ref().and_then(|t| t.sending);
        matches!(sending, Some(Sending::Release { .. }))
    }

    /// A human who has the call wants the caller put through to somebody else.
    pub(in crate::call) fn human_refers(
        &mut self,
        by: LegId,
        to: String,
        out: &mut Vec<Command<M>>,
    ) {
        let joined = self
            .transfer
            .as_ref()
            .is_some_and(|t| t.joined == Some(by) && t.onward.is_none() && t.sending.is_none());
        if self.stage != Stage::Bridged || !joined || self.outbound.is_some() {
            out.push(Command::Referred { leg: by, code: 603 });
            return;
        }
        let leg = LegId(self.next_leg);
        self.next_leg += 1;
        self.note_transfer("put through", &to, "", out);
        let mut human = Human::new(leg, to.clone(), None, self.now);
        human.due = Some(self.now.plus(ONWARD_RING_MS));
        if let Some(transfer) = &mut self.transfer {
            transfer.humans.push(human);
            transfer.onward = Some(Onward {
                by: Some(by),
                to: leg,
            });
            transfer.three = false;
        }
        self.arm_humans();
        self.cut_line(out);
        out.push(Command::Mix(Mix::Hold));
        out.push(Command::DialOn { leg, to, by });
    }

    /// Something happened on the leg that a human has the caller put through to. Whether it was that leg.
    pub(in crate::call) fn onward_signal(
        &mut self,
        leg: LegId,
        signal: &LegSignal,
        out: &mut Vec<Command<M>>,
    ) -> bool {
        let onward = self.transfer.as_ref().and_then(|t| t.onward);
        let Some(onward) = onward.filter(|o| o.to == leg) else {
            return false;
        };
        match signal {
            LegSignal::Answered => self.onward_answered(onward, out),
            LegSignal::Ended { outcome, .. } => self.not_put_through(onward, outcome, out),
            _ => return false,
        }
        true
    }

    fn onward_answered(&mut self, onward: Onward, out: &mut Vec<Command<M>>) {
        if let Some(by) = onward.by {
            out.push(Command::Referred { leg: by, code: 200 });
            if let Some(human) = self.take_human(by) {
                self.forget_human(&human, out);
                self.hang_up_on(&human, 487, "put through", out);
            }
        }
        let now = self.now;
        let Some(human) = self.human(onward.to) else {
            return;
        };
        human.phase = Phase::Joined;
        human.due = None;
        let target = human.target.clone();
        let ms = now.since(human.dialled);
        if let Some(transfer) = &mut self.transfer {
            transfer.onward = None;
            transfer.joined = Some(onward.to);
        }
        self.arm_humans();
        self.outcome(
            TargetOutcome {
                uri: target.clone(),
                outcome: "accepted".into(),
                ms,
            },
            out,
        );
        if let Some(handoff) = &mut self.record.handoff {
            handoff.accepted_by = Some(target.clone());
        }
        self.join(onward.to, &target, out);
    }

    /// Nobody there: back to the human who asked, or, where they have hung up, the caller is told the truth.
    fn not_put_through(&mut self, onward: Onward, outcome: &str, out: &mut Vec<Command<M>>) {
        let Some(human) = self.take_human(onward.to) else {
            return;
        };
        if let Some(transfer) = &mut self.transfer {
            transfer.onward = None;
        }
        self.forget_human(&human, out);
        let code = match outcome {
            "busy" => 486,
            "declined" => 603,
            "no_answer" => 480,
            _ => 404,
        };
        self.outcome(
            TargetOutcome {
                uri: human.target,
                outcome: outcome.into(),
                ms: self.now.since(human.dialled),
            },
            out,
        );
        self.arm_humans();
        match onward.by {
            Some(by) => {
                out.push(Command::Referred { leg: by, code });
                out.push(Command::Mix(Mix::Bridge(by)));
            }
            None => self.nobody_there(out),
        }
    }

    /// The leg that somebody is put through to did not answer in time. Whether it was that leg.
    pub(in crate::call) fn onward_due(&mut self, leg: LegId, out: &mut Vec<Command<M>>) -> bool {
        let onward = self.transfer.as_ref().and_then(|t| t.onward);
        let Some(onward) = onward.filter(|o| o.to == leg) else {
            return false;
        };
        out.push(Command::Hangup {
            leg,
            code: 487,
            reason: "no answer".into(),
        });
        self.not_put_through(onward, "no_answer", out);
        true
    }

    /// The human who has the call has hung up, and the caller is on their way to somebody else. Whether that was so.
    pub(in crate::call) fn left_while_sending(
        &mut self,
        leg: LegId,
        out: &mut Vec<Command<M>>,
    ) -> bool {
        let Some(transfer) = &mut self.transfer else {
            return false;
        };
        if transfer.joined != Some(leg) {
            return false;
        }
        match (&mut transfer.onward, &mut transfer.sending) {
            (Some(onward), _) => onward.by = None,
            (None, Some(Sending::Release { left })) => *left = true,
            _ => return false,
        }
        transfer.joined = None;
        if let Some(human) = self.take_human(leg) {
            self.forget_human(&human, out);
            self.note_transfer("human left", &human.target, "put through", out);
        }
        true
    }

    /// The colleague who had the call, and the one they meant, are both gone.
    fn nobody_there(&mut self, out: &mut Vec<Command<M>>) {
        self.stage = Stage::Transferring;
        self.then = Then::Hold;
        if let Some(handoff) = &mut self.record.handoff {
            handoff.accepted_by = None;
        }
        self.ring_next(out);
    }

    /// Nobody is left with the caller.
    fn colleague_gone(&mut self, out: &mut Vec<Command<M>>) {
        out.push(Command::Mix(Mix::Agent));
        self.stage = Stage::Talking;
        self.farewell(
            self.config.words.get("human_gone"),
            "ours",
            "the human ended the call",
            out,
        );
    }

    /// A target that the caller is sent to, rather than called by us.
    pub(in crate::call) fn dial_blind(&mut self, leg: LegId, out: &mut Vec<Command<M>>) {
        let Some(transfer) = &mut self.transfer else {
            return;
        };
        if transfer.sending.is_none() {
            transfer.sending = Some(Sending::BlindSoon(leg));
        } else if let Some(human) = self.take_human(leg) {
            // A caller can be sent to one place at a time.
            self.candidate_over(human, "unreachable", out);
        }
    }

    pub(in crate::call) fn caller_refers(&self, out: &mut Vec<Command<M>>) {
        // A caller does not choose whom this line calls.
        out.push(Command::Referred {
            leg: CALLER,
            code: 603,
        });
    }
}
