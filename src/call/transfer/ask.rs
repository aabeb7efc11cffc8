//! What a human says to us alone: a question about the call, a note to send it back with, what to do when they hand the caller back.

use super::super::timer::Timer;
use super::super::{Call, Command, Heard, LegId, Mind, Note, Stage};
use super::human::{Ear, Human, Phase};
use crate::audio::MediaTime;
use crate::desk::{Asked, TargetOutcome};

/// For the first word.
const START_MS: u64 = 9_000;
/// Longest question or note.
const LONGEST_MS: u64 = 28_000;
/// For a question's recognition and answer; for a note's recognition.
const THINK_MS: u64 = 15_000;
/// Sound before the noticed start that belongs to it.
const PRE_ROLL_MS: u64 = 200;
const POST_ROLL_MS: u64 = 120;
/// Questions in one brief; whoever asks more has taken the call in all but name.
const QUESTIONS: usize = 12;

impl Ear {
    /// Quiet after which it has been said.
    fn patience_ms(self) -> u64 {
        match self {
            Ear::Question => 900,
            Ear::Note | Ear::HandBack => 2_500,
        }
    }

    fn prompt(self) -> &'static str {
        match self {
            Ear::Question => "human_ask",
            Ear::Note => "human_note",
            Ear::HandBack => "human_hand_back",
        }
    }
}

impl<M: Mind> Call<M> {
    /// Asks a human to speak.
    pub(in crate::call) fn invite(&mut self, leg: LegId, ear: Ear, out: &mut Vec<Command<M>>) {
        let Some(human) = self.human(leg) else { return };
        human.said_from = None;
        human.said_to = None;
        out.push(Command::Stop { leg });
        out.push(Command::Attend { leg, on: true });
        let prompt = self.config.words.get(ear.prompt());
        self.tell(leg, &[prompt], Phase::Prompt(ear), out);
    }

    pub(in crate::call) fn listen_to(&mut self, leg: LegId, ear: Ear) {
        let due = self.now.plus(START_MS);
        if let Some(human) = self.human(leg) {
            human.phase = Phase::Listening(ear);
            human.due = Some(due);
        }
    }

    pub(in crate::call) fn human_voice(
        &mut self,
        leg: LegId,
        speaking: bool,
        at: MediaTime,
        out: &mut Vec<Command<M>>,
    ) {
        let now = self.now;
        let Some(human) = self.human(leg) else { return };
        let ear = match human.phase {
            Phase::Prompt(ear) | Phase::Listening(ear) => ear,
            Phase::Joined => return self.note_human(leg, speaking, at, out),
            _ => return,
        };
        if speaking {
            if human.phase == Phase::Prompt(ear) {
                // They know what to do: nothing is said over them.
                out.push(Command::Stop { leg });
                if let Some(speech) = human.speech.take() {
                    out.push(Command::Forget { tag: speech.tag });
                }
            }
            human.phase = Phase::Listening(ear);
            let fresh = human.said_from.is_none();
            human.said_from.get_or_insert(at);
            human.said_to = None;
            if fresh || human.due.is_none_or(|due| due < now.plus(LONGEST_MS / 2)) {
                human.due = Some(now.plus(LONGEST_MS));
            }
        } else if human.said_from.is_some() {
            human.said_to = Some(at);
            human.due = Some(now.plus(ear.patience_ms()));
        }
        self.arm_humans();
    }

    /// A human has said it, or has not and the time is up.
    pub(in crate::call) fn said(&mut self, leg: LegId, out: &mut Vec<Command<M>>) {
        let Some(human) = self.human(leg) else { return };
        let (Phase::Listening(ear) | Phase::Prompt(ear)) = human.phase else {
            return;
        };
        if ear != Ear::Question {
            let Some(human) = self.take_human(leg) else {
                return;
            };
            self.last_words(&human, ear, out);
            self.leave(human, "human_thanks", out);
            return;
        }
        let span = span(human);
        let due = self.now.plus(THINK_MS);
        let attempt = self.next_attempt;
        out.push(Command::Attend { leg, on: false });
        let Some((from, to)) = span else {
            return self.not_heard(leg, out);
        };
        self.next_attempt += 1;
        if let Some(human) = self.human(leg) {
            human.phase = Phase::Thinking(attempt);
            human.due = Some(due);
        }
        out.push(Command::Understand {
            attempt,
            leg,
            from,
            to,
            keep: None,
        });
        self.arm_humans();
    }

    /// The human put the phone down after a note, or after saying what to do.
    pub(in crate::call) fn said_and_gone(&mut self, leg: LegId, out: &mut Vec<Command<M>>) {
        let Some(human) = self.take_human(leg) else {
            return;
        };
        if let Phase::Listening(ear) | Phase::Prompt(ear) = human.phase {
            self.last_words(&human, ear, out);
            self.forget_human(&human, out);
            self.arm_humans();
        }
    }

    /// What a human said before they went is recognised; the call goes on with it.
    fn last_words(&mut self, human: &Human, ear: Ear, out: &mut Vec<Command<M>>) {
        if ear == Ear::Note {
            let target = TargetOutcome {
                uri: human.target.clone(),
                outcome: "sent_back".into(),
                ms: self.now.since(human.dialled),
            };
            self.outcome(target, out);
            self.dismiss_others("taken", "a colleague sent the call back", out);
        } else {
            self.note_transfer("handed back", &human.target, "", out);
        }
        let attempt = self.next_attempt;
        self.next_attempt += 1;
        match span(human) {
            Some((from, to)) => {
                let keep = match ear {
                    Ear::Note => "note",
                    _ => "hand-back",
                };
                out.push(Command::Understand {
                    attempt,
                    leg: human.leg,
                    from,
                    to,
                    keep: Some(format!("{keep}-{}.wav", human.leg.0)),
                });
                if let Some(transfer) = &mut self.transfer {
                    transfer.words = Some((attempt, ear));
                }
                self.timers.set(Timer::HumanWords, self.now.plus(THINK_MS));
            }
            None => self.words_known(ear, None, out),
        }
    }

    pub(in crate::call) fn human_heard(
        &mut self,
        attempt: u64,
        result: Result<Heard, String>,
        out: &mut Vec<Command<M>>,
    ) {
        let heard = result.ok().filter(|h| !h.text.trim().is_empty());
        if self.called_back_said(attempt, heard.as_ref(), out) {
            return;
        }
        let Some(transfer) = &mut self.transfer else {
            return;
        };
        if let Some((_, ear)) = transfer.words.take_if(|(a, _)| *a == attempt) {
            return self.words_known(ear, heard, out);
        }
        if let Some(at) = transfer.noting.iter().position(|(a, ..)| *a == attempt) {
            let (_, by, at_ms) = transfer.noting.remove(at);
            return self.noted(by, at_ms, heard);
        }
        let asking = transfer
            .humans
            .iter()
            .find(|h| h.phase == Phase::Thinking(attempt))
            .map(|h| h.leg);
        match (asking, heard) {
            (Some(leg), None) => self.not_heard(leg, out),
            (Some(_), Some(heard)) => {
                let record = Box::new(self.record());
                if let Some(handoff) = &mut self.record.handoff {
                    handoff.questions.push(Asked {
                        question: heard.text.clone(),
                        answer: String::new(),
                    });
                }
                out.push(Command::Consult {
                    attempt,
                    question: heard.text,
                    record,
                });
            }
            (None, _) => {}
        }
    }

    /// A human's question has an answer.
    pub(in crate::call) fn consulted(
        &mut self,
        attempt: u64,
        answer: String,
        out: &mut Vec<Command<M>>,
    ) {
        let asking = self.transfer.as_ref().and_then(|t| {
            let human = t
                .humans
                .iter()
                .find(|h| h.phase == Phase::Thinking(attempt));
            human.map(|h| h.leg)
        });
        let Some(leg) = asking else { return };
        let mut asked = 0;
        if let Some(handoff) = &mut self.record.handoff {
            asked = handoff.questions.len();
            if let Some(last) = handoff.questions.iter_mut().find(|q| q.answer.is_empty()) {
                last.answer.clone_from(&answer);
                out.push(Command::Note(Note::Asked {
                    question: last.question.clone(),
                    answer: answer.clone(),
                }));
            }
        }
        let more = if asked < QUESTIONS {
            "human_more"
        } else {
            "human_keys_again"
        };
        let more = self.config.words.get(more);
        self.tell(leg, &[answer, more], Phase::Briefing, out);
    }

    pub(in crate::call) fn not_heard(&mut self, leg: LegId, out: &mut Vec<Command<M>>) {
        let words = ["human_not_heard", "human_more"].map(|key| self.config.words.get(key));
        self.tell(leg, &words, Phase::Briefing, out);
    }

    /// A note, or what to do, was not recognised in time.
    pub(in crate::call) fn words_late(&mut self, out: &mut Vec<Command<M>>) {
        if let Some((_, ear)) = self.transfer.as_mut().and_then(|t| t.words.take()) {
            self.words_known(ear, None, out);
        }
    }

    fn words_known(&mut self, ear: Ear, heard: Option<Heard>, out: &mut Vec<Command<M>>) {
        self.timers.clear(Timer::HumanWords);
        if self.stage != Stage::Transferring {
            return;
        }
        match ear {
            Ear::HandBack => self.take_back_caller(heard, out),
            _ => {
                let note = heard.map(|h| h.text);
                if let Some(handoff) = &mut self.record.handoff {
                    handoff.note.clone_from(&note);
                }
                self.returned(
                    "sent back",
                    |call| call.mind.sent_back(note.as_deref()),
                    out,
                );
            }
        }
    }
}

/// What of a human's sound is what they said.
fn span(human: &Human) -> Option<(MediaTime, MediaTime)> {
    let from = human.said_from?;
    let from = MediaTime::from_ms(from.as_ms().saturating_sub(PRE_ROLL_MS));
    let to = human.said_to.map_or(MediaTime(u64::MAX), |to| {
        MediaTime::from_ms(to.as_ms() + POST_ROLL_MS)
    });
    Some((from, to))
}
