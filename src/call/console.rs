//! A colleague at the console has a hand in the call: puts it through, takes it, or has looked at a reply.

use super::transfer::{self, Transfer};
use super::{Call, Command, LegId, Mind, Note, Stage, Verdict};

/// What somebody at the console wants.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// To a human, now.
    Summon { by: String },
    /// They take the call: `target` is what [`Command::Dial`] is given for their leg.
    Take { target: String, name: String },
    /// A reviewer's word on a draft.
    Reviewed {
        number: u64,
        verdict: Verdict,
        by: String,
    },
}

impl<M: Mind> Call<M> {
    pub(super) fn ordered(&mut self, order: Order, out: &mut Vec<Command<M>>) {
        match order {
            Order::Reviewed {
                number,
                verdict,
                by,
            } => self.reviewed(number, verdict, &by, out),
            Order::Summon { by } => {
                if self.stage != Stage::Talking {
                    return self.cannot(&by, "put through", out);
                }
                self.withdraw_review(out);
                self.drop_utterance(out);
                self.cut_line(out);
                let handoff = self.mind.handoff("colleague");
                let words = self.config.words.get("review_human");
                self.say_aside(&words, out);
                self.begin_transfer(handoff, out);
            }
            Order::Take { target, name } => {
                if !matches!(self.stage, Stage::Talking | Stage::Transferring)
                    || self.outbound.is_some()
                {
                    out.push(Command::Refuse { target });
                    return self.cannot(&name, "taken", out);
                }
                self.take(target, name, out);
            }
        }
    }

    fn take(&mut self, target: String, name: String, out: &mut Vec<Command<M>>) {
        self.withdraw_review(out);
        if self.stage == Stage::Talking {
            self.drop_utterance(out);
            self.cut_line(out);
            let handoff = self.mind.handoff("colleague");
            self.record.handoff = Some(handoff.clone());
            self.handed_back = false;
            self.transfer = Some(Transfer::planned_already());
            out.push(Command::Packet(Box::new(handoff)));
        }
        let leg = LegId(self.next_leg);
        self.next_leg += 1;
        out.push(Command::Dial {
            leg,
            target: target.clone(),
        });
        let human = transfer::Human::new(leg, target, Some(name), self.now);
        if let Some(transfer) = &mut self.transfer {
            transfer.humans.push(human);
        }
        self.accepted(leg, true, out);
    }

    fn cannot(&self, who: &str, what: &str, out: &mut Vec<Command<M>>) {
        out.push(Command::Note(Note::Problem {
            text: format!("{who} wanted this call {what}, and it is not with the assistant"),
        }));
    }
}
