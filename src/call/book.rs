//! The record as the call goes: turns, what was heard, gaps, and how it ended.

use super::caller::Utterance;
use super::speaking::Speech;
use super::{CALLER, Call, Command, Mind, Note, Stage, Then, Time};
use crate::desk::{
    AgentTurn, CallOutcome, CallRecord, CallerTurn, Decision, Listen, StagesMs, Termination,
    TurnRecord,
};

/// What has reached the ear since the desk was last told.
#[derive(Debug, Clone, Default)]
pub(super) struct Ear {
    heard: String,
    missed: bool,
    any: bool,
}

impl<M: Mind> Call<M> {
    /// What the caller is being asked for, for the recogniser and the ears of a test.
    pub fn listening_for(&self) -> Listen {
        match self.then {
            Then::Listen(listen) => listen,
            _ => Listen::Open,
        }
    }

    /// The record as it stands.
    pub fn record(&self) -> CallRecord {
        CallRecord {
            verified: self.mind.verified(),
            actions: self.mind.actions(),
            mood: self.mind.mood(),
            ..self.record.clone()
        }
    }

    /// When it was answered; when it began, until it is.
    pub fn answered_at(&self) -> Time {
        self.answered_at
    }

    /// Caller and human talk.
    pub fn is_bridged(&self) -> bool {
        self.stage == Stage::Bridged
    }

    /// The human wants nothing kept of what is said now.
    pub fn recording_paused(&self) -> bool {
        matches!(self.record.paused.last(), Some(p) if p.to_ms.is_none())
    }

    /// Milliseconds since answer.
    fn ms(&self, at: Time) -> u64 {
        at.since(self.answered_at)
    }

    /// A turn begins: the caller's words, if any, and what was decided.
    pub(super) fn open_turn(
        &mut self,
        utterance: Option<&Utterance<M>>,
        decision: Option<&Decision>,
        out: &mut Vec<Command<M>>,
    ) {
        let index = self.record.turns.len() as u32;
        let caller = utterance.map(|u| {
            let heard = u.heard.as_ref();
            CallerTurn {
                text: heard.map(|h| h.text.clone()).unwrap_or_default(),
                start_ms: u.start.as_ms(),
                end_ms: if u.keyed.is_some() {
                    u.start.as_ms()
                } else {
                    u.end.as_ms()
                },
                avg_logprob: heard
                    .filter(|_| u.keyed.is_none())
                    .map(|h| h.evidence.avg_logprob),
                keyed: u.keyed.as_deref().map(crate::desk::record::masked),
                by: u.colleague.then(|| "colleague".into()),
            }
        });
        self.gap_from = utterance.map(|u| u.ended_at);
        if let Some(c) = &caller {
            out.push(Command::Note(Note::Caller {
                turn: index,
                text: c.text.clone(),
                keyed: c.keyed.clone(),
                start_ms: c.start_ms,
                end_ms: c.end_ms,
                avg_logprob: c.avg_logprob,
            }));
        }
        if let Some(decision) = decision {
            out.push(Command::Note(Note::Decision {
                turn: index,
                decision: Box::new(decision.clone()),
            }));
        }
        let stages_ms = utterance.map_or_else(StagesMs::default, |u| StagesMs {
            endpoint: u.endpoint_ms(),
            stt: u.stt_ms,
            decide: u.decide_ms,
            tts: u.tts_ms,
        });
        let bridged = self.bridged.take();
        if let Some(agent) = &bridged {
            out.push(Command::Note(Note::Agent {
                turn: index,
                text: agent.text.clone(),
                gap_ms: None,
            }));
            out.push(Command::Note(Note::Heard {
                turn: index,
                heard: agent.heard.clone(),
                interrupted: false,
            }));
        }
        self.record.turns.push(TurnRecord {
            index,
            caller,
            agent: bridged,
            decision: decision.cloned(),
            stages_ms,
            ..TurnRecord::default()
        });
    }

    /// A word to bridge the wait for a reply belongs to that reply's turn, which is yet to be opened.
    fn is_bridge(&self, aside: bool) -> bool {
        aside && self.caller.utterance.as_ref().is_some_and(|u| u.is_final)
    }

    /// What was decided for the turn under way has been carried further (a look-up came back, an action was done).
    pub(super) fn amend_turn(&mut self, decision: &Decision, out: &mut Vec<Command<M>>) {
        if let Some(turn) = self.record.turns.last_mut() {
            if decision.reply.trim().is_empty() {
                return;
            }
            out.push(Command::Note(Note::Decision {
                turn: turn.index,
                decision: Box::new(decision.clone()),
            }));
            turn.decision = Some(decision.clone());
        }
    }

    /// The last turn was not over after all.
    pub(super) fn withdraw_turn(&mut self) {
        self.record.turns.pop();
        self.gap_from = None;
    }

    pub(super) fn note_tts(&mut self, part: u32, ms: u64) {
        if part != 0 {
            return;
        }
        if let Some(utterance) = &mut self.caller.utterance {
            utterance.tts_ms = ms;
        } else if let Some(turn) = self.record.turns.last_mut()
            && turn.stages_ms.tts == 0
        {
            turn.stages_ms.tts = ms;
        }
    }

    /// The first sound of one of our speeches is leaving.
    pub(super) fn first_sound(&mut self, tag: u64, out: &mut Vec<Command<M>>) {
        let start_ms = self.ms(self.now);
        let Some(speech) = self.line.speeches.iter().find(|s| s.tag == tag) else {
            return;
        };
        let (text, aside) = (speech.text(), speech.aside);
        if self.is_bridge(aside) {
            let agent = self.bridged.get_or_insert_with(|| AgentTurn {
                start_ms,
                ..AgentTurn::default()
            });
            return append(&mut agent.text, &text);
        }
        // A word to bridge a wait is not what was waited for.
        let gap = match aside {
            true => None,
            false => self.gap_from.take().map(|from| self.now.since(from)),
        };
        let Some(turn) = self.record.turns.last_mut() else {
            return;
        };
        if turn.gap_ms.is_none() {
            turn.gap_ms = gap;
        }
        let agent = turn.agent.get_or_insert_with(|| AgentTurn {
            start_ms,
            ..AgentTurn::default()
        });
        append(&mut agent.text, &text);
        out.push(Command::Note(Note::Agent {
            turn: turn.index,
            text,
            gap_ms: gap,
        }));
    }

    /// One of our speeches is over: finished, or cut.
    pub(super) fn speech_heard(&mut self, speech: &Speech, cut: bool, out: &mut Vec<Command<M>>) {
        let heard = speech.heard();
        let end_ms = self.ms(self.now);
        if !speech.aside {
            self.ear.any = true;
            self.ear.missed |= !speech.all_heard();
            append(&mut self.ear.heard, &heard);
        }
        if self.is_bridge(speech.aside) {
            if let Some(agent) = &mut self.bridged {
                append(&mut agent.heard, &heard);
                agent.end_ms = end_ms;
            }
            return;
        }
        let interrupted = cut && !speech.is_done();
        if let Some(turn) = self.record.turns.last_mut() {
            let agent = turn.agent.get_or_insert_with(|| AgentTurn {
                text: speech.text(),
                start_ms: end_ms,
                ..AgentTurn::default()
            });
            append(&mut agent.heard, &heard);
            agent.end_ms = end_ms;
            turn.interrupted |= interrupted;
            out.push(Command::Note(Note::Heard {
                turn: turn.index,
                heard,
                interrupted,
            }));
        }
    }

    /// Nothing more is being said: the desk learns what was heard.
    pub(super) fn said_everything(&mut self, _out: &mut Vec<Command<M>>) {
        let ear = std::mem::take(&mut self.ear);
        if !ear.any {
            return;
        }
        if !self.disclosure.is_empty() && words(&ear.heard).contains(&words(&self.disclosure)) {
            self.record.disclosed = true;
        }
        self.mind.heard(&ear.heard, !ear.missed);
    }

    /// The caller has left.
    pub(super) fn caller_gone(&mut self, cause: &str, reason: &str, out: &mut Vec<Command<M>>) {
        self.cut_line(out);
        self.end(cause, reason, out);
    }

    /// Ends everything. The last words of every leg are in its hang-up.
    pub(super) fn end(&mut self, cause: &str, reason: &str, out: &mut Vec<Command<M>>) {
        if self.stage == Stage::Over {
            return;
        }
        let transferred = self
            .record
            .handoff
            .as_ref()
            .is_some_and(|h| h.result == "accepted")
            && !self.handed_back;
        let promised = self
            .record
            .handoff
            .as_ref()
            .is_some_and(|h| h.result == "callback");
        let waiting = matches!(self.stage, Stage::Transferring | Stage::Calling);
        self.withdraw_review(out);
        self.drop_transfer("caller_gone", out);
        self.close_notes();
        let outcome = if transferred {
            CallOutcome::Transferred
        } else if promised {
            CallOutcome::Callback
        } else if waiting || self.outbound.is_some() {
            CallOutcome::Abandoned
        } else {
            self.mind.outcome()
        };
        self.stage = Stage::Over;
        self.timers.clear_all();
        self.record.outcome = Some(outcome);
        self.record.termination = Termination {
            cause: cause.into(),
            reason: reason.into(),
        };
        out.push(Command::Hangup {
            leg: CALLER,
            code: 480,
            reason: reason.into(),
        });
        if let Some(handoff) = &self.record.handoff {
            out.push(Command::Packet(Box::new(handoff.clone())));
        }
        out.push(Command::Note(Note::Ended {
            outcome,
            cause: cause.into(),
            reason: reason.into(),
        }));
        out.push(Command::Over);
    }
}

fn append(text: &mut String, more: &str) {
    if more.is_empty() {
        return;
    }
    if !text.is_empty() {
        text.push(' ');
    }
    text.push_str(more);
}

/// Words alone, so that a clause split at a comma still matches its sentence.
fn words(text: &str) -> String {
    let words: Vec<String> = text
        .to_lowercase()
        .split(|c: char| !c.is_alphanumeric())
        .filter(|w| !w.is_empty())
        .map(str::to_string)
        .collect();
    format!(" {} ", words.join(" "))
}
