//! One human, from the ringing to the key that takes the call.

use super::super::line::feed;
use super::super::speaking::{ClauseState, Speech};
use super::super::timer::Timer;
use super::super::{Call, CallTarget, Command, LegId, LegSignal, Mind, Note, Stage, Time};
use crate::audio::MediaTime;
use crate::desk::Say;

/// Beyond the target's own ringing time, for the edge to say so first.
const RING_GRACE_MS: u64 = 3_000;
/// A caller who was sent on is told of before this, whatever their phone makes of it.
const SENT_ON_MS: u64 = 60_000;
/// Between the human's hello and the brief.
const HELLO_MS: u64 = 700;
const KEY_MS: u64 = 6_000;
/// Even a voice that never comes must not leave a human on a dead line.
const SPEECH_MS: u64 = 60_000;
/// For a last sentence.
const LEAVE_MS: u64 = 12_000;

/// What a human is asked to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ear {
    Question,
    Note,
    HandBack,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    Ringing,
    Hello,
    Briefing,
    Key,
    /// Being asked to say something.
    Prompt(Ear),
    /// Saying it.
    Listening(Ear),
    /// What they asked is being recognised and answered.
    Thinking(u64),
    /// Hears a last sentence.
    Leaving,
    /// Has taken the call.
    Joined,
    /// The caller is sent to them: there is no leg of ours.
    Apart,
}

/// One human's leg.
#[derive(Debug, Clone)]
pub struct Human {
    pub leg: LegId,
    pub target: String,
    pub name: Option<String>,
    pub dialled: Time,
    pub phase: Phase,
    pub speech: Option<Speech>,
    /// Asked once more to press a key.
    pub asked_again: bool,
    /// When this human's patience, or ours, ends.
    pub due: Option<Time>,
    /// A packet of sound has come.
    pub media: bool,
    /// What they are saying to us.
    pub said_from: Option<MediaTime>,
    pub said_to: Option<MediaTime>,
    /// A star was pressed: the next key means something.
    pub star: bool,
}

impl Human {
    pub fn new(leg: LegId, target: String, name: Option<String>, now: Time) -> Self {
        Self {
            leg,
            target,
            name,
            dialled: now,
            phase: Phase::Ringing,
            speech: None,
            asked_again: false,
            due: None,
            media: false,
            said_from: None,
            said_to: None,
            star: false,
        }
    }
}

impl<M: Mind> Call<M> {
    pub(in crate::call) fn dial(&mut self, target: CallTarget, out: &mut Vec<Command<M>>) {
        let leg = LegId(self.next_leg);
        self.next_leg += 1;
        let mut human = Human::new(leg, target.uri.clone(), target.name, self.now);
        human.due = Some(self.now.plus(target.ring_ms + RING_GRACE_MS));
        self.note_transfer("dialling", &target.uri, "", out);
        // A caller who is yet to be called back cannot be sent anywhere.
        if target.blind && self.outbound.is_none() {
            human.phase = Phase::Apart;
            human.due = Some(self.now.plus(SENT_ON_MS));
            if let Some(transfer) = &mut self.transfer {
                transfer.humans.push(human);
            }
            return self.dial_blind(leg, out);
        }
        out.push(Command::Dial {
            leg,
            target: target.uri,
        });
        if let Some(transfer) = &mut self.transfer {
            transfer.humans.push(human);
        }
        let brief = self.brief(leg, out);
        if let Some(human) = self.human(leg) {
            human.speech = Some(brief);
        }
    }

    /// The brief, being given a voice while the phone rings.
    fn brief(&mut self, leg: LegId, out: &mut Vec<Command<M>>) -> Speech {
        let brief = self
            .record
            .handoff
            .as_ref()
            .map(|h| h.spoken_brief.clone())
            .unwrap_or_default();
        let keys = self.config.words.get("human_keys");
        let mut speech = self.new_speech(&[Say::new(brief), Say::new(keys)]);
        speech.to = leg;
        self.prepare(&mut speech, false, out);
        speech
    }

    /// Anybody but the caller.
    fn humans(&mut self) -> impl Iterator<Item = &mut Human> {
        self.transfer
            .iter_mut()
            .flat_map(|t| t.humans.iter_mut())
            .chain(&mut self.leaving)
    }

    pub(in crate::call) fn human(&mut self, leg: LegId) -> Option<&mut Human> {
        self.humans().find(|h| h.leg == leg)
    }

    /// The earliest of what is waited for with any human.
    pub(in crate::call) fn arm_humans(&mut self) {
        match self.humans().filter_map(|h| h.due).min() {
            Some(due) => self.timers.set(Timer::Human, due),
            None => self.timers.clear(Timer::Human),
        }
    }

    /// Their speech is wanted no more, nor what they say.
    pub(in crate::call) fn forget_human(&self, human: &Human, out: &mut Vec<Command<M>>) {
        if let Some(speech) = &human.speech {
            out.push(Command::Forget { tag: speech.tag });
        }
        out.push(Command::Attend {
            leg: human.leg,
            on: false,
        });
    }

    /// Takes a human out of the transfer.
    pub(in crate::call) fn take_human(&mut self, leg: LegId) -> Option<Human> {
        let transfer = self.transfer.as_mut()?;
        let at = transfer.humans.iter().position(|h| h.leg == leg)?;
        let human = transfer.humans.remove(at);
        if human.phase == Phase::Apart {
            transfer.sending = None;
        }
        Some(human)
    }

    /// Ends a human's leg, where there is one.
    pub(in crate::call) fn hang_up_on(
        &self,
        human: &Human,
        code: u16,
        reason: &str,
        out: &mut Vec<Command<M>>,
    ) {
        if human.phase != Phase::Apart {
            out.push(Command::Hangup {
                leg: human.leg,
                code,
                reason: reason.into(),
            });
        }
    }

    /// Says sentences of ours to a human, after which `phase` ends.
    pub(in crate::call) fn tell(
        &mut self,
        leg: LegId,
        text: &[String],
        phase: Phase,
        out: &mut Vec<Command<M>>,
    ) {
        let say: Vec<Say> = text.iter().map(Say::new).collect();
        let mut speech = self.new_speech(&say);
        speech.to = leg;
        self.speak_to(leg, speech, phase, out);
    }

    fn speak_to(
        &mut self,
        leg: LegId,
        mut speech: Speech,
        phase: Phase,
        out: &mut Vec<Command<M>>,
    ) {
        let due = self.now.plus(if phase == Phase::Leaving {
            LEAVE_MS
        } else {
            SPEECH_MS
        });
        let Some(human) = self.human(leg) else { return };
        speech.released = true;
        human.phase = phase;
        human.due = Some(due);
        if let Some(old) = human.speech.take()
            && old.tag != speech.tag
        {
            out.push(Command::Forget { tag: old.tag });
            out.push(Command::Stop { leg });
        }
        feed(&mut speech, out);
        human.speech = Some(speech);
        self.arm_humans();
    }

    /// A last sentence, and then the end of this leg.
    pub(in crate::call) fn leave(
        &mut self,
        mut human: Human,
        words: &'static str,
        out: &mut Vec<Command<M>>,
    ) {
        let leg = human.leg;
        out.push(Command::Attend { leg, on: false });
        out.push(Command::Stop { leg });
        human.phase = Phase::Leaving;
        self.leaving.push(human);
        let words = self.config.words.get(words);
        self.tell(leg, &[words], Phase::Leaving, out);
    }

    pub(in crate::call) fn human_signal(
        &mut self,
        leg: LegId,
        signal: LegSignal,
        out: &mut Vec<Command<M>>,
    ) {
        let now = self.now;
        if self.onward_signal(leg, &signal, out) {
            return;
        }
        let Some(human) = self.human(leg) else { return };
        let target = human.target.clone();
        match signal {
            LegSignal::Refer(to) => self.human_refers(leg, to, out),
            LegSignal::Ringing => self.note_transfer("ringing", &target, "", out),
            LegSignal::Answered if human.phase == Phase::Ringing => {
                human.phase = Phase::Hello;
                human.due = Some(now.plus(HELLO_MS));
                self.arm_humans();
                self.note_transfer("answered", &target, "", out);
            }
            LegSignal::Media => human.media = true,
            LegSignal::Digit(key) => self.human_key(leg, key, out),
            LegSignal::Ended {
                outcome, detail, ..
            } => self.human_ended(leg, outcome, &detail, out),
            _ => {}
        }
    }

    fn human_key(&mut self, leg: LegId, key: char, out: &mut Vec<Command<M>>) {
        let accept = self.config.accept_key;
        let Some(human) = self.human(leg) else { return };
        match human.phase {
            Phase::Ringing | Phase::Leaving | Phase::Apart => {}
            Phase::Joined => self.joined_key(leg, key, out),
            Phase::Prompt(Ear::HandBack) | Phase::Listening(Ear::HandBack) if key == accept => {
                self.rejoin(leg, out);
            }
            Phase::Prompt(ear) | Phase::Listening(ear) if key == '#' || ear == Ear::HandBack => {
                if key == '#' {
                    self.said(leg, out);
                }
            }
            _ => match key {
                _ if key == accept => self.accepted(leg, false, out),
                '2' => {
                    if let Some(human) = self.take_human(leg) {
                        self.hang_up_on(&human, 603, "declined", out);
                        self.candidate_over(human, "declined", out);
                    }
                }
                '3' => {
                    let again = self.brief(leg, out);
                    self.speak_to(leg, again, Phase::Briefing, out);
                }
                '4' => self.invite(leg, Ear::Question, out),
                '5' => self.accepted(leg, true, out),
                '6' => self.invite(leg, Ear::Note, out),
                _ => {}
            },
        }
    }

    fn human_ended(&mut self, leg: LegId, outcome: &str, detail: &str, out: &mut Vec<Command<M>>) {
        if let Some(at) = self.leaving.iter().position(|h| h.leg == leg) {
            let human = self.leaving.remove(at);
            self.forget_human(&human, out);
            self.arm_humans();
            return self.last_has_left(out);
        }
        if self.left_while_sending(leg, out) {
            return;
        }
        if self.human(leg).is_some_and(|h| {
            matches!(
                h.phase,
                Phase::Listening(Ear::Note | Ear::HandBack) | Phase::Prompt(Ear::HandBack)
            )
        }) {
            // Whoever has said what there is to say puts the phone down: that is how notes end.
            return self.said_and_gone(leg, out);
        }
        let joined = self.transfer.as_ref().and_then(|t| t.joined) == Some(leg);
        let Some(human) = self.take_human(leg) else {
            return;
        };
        if joined {
            return self.joined_left(human, detail, out);
        }
        let outcome = if human.phase == Phase::Ringing {
            outcome
        } else {
            "hung_up"
        };
        self.candidate_over(human, outcome, out);
    }

    /// Whether the clause was one for a human.
    pub(in crate::call) fn human_clause_ready(
        &mut self,
        tag: u64,
        part: u32,
        state: ClauseState,
        out: &mut Vec<Command<M>>,
    ) -> bool {
        let Some(speech) = self.human_speech(tag) else {
            return false;
        };
        if let Some(clause) = speech.clauses.get_mut(part as usize) {
            clause.state = state;
        }
        feed(speech, out);
        let leg = speech.to;
        if speech.released && speech.is_done() {
            self.told(leg, out);
        }
        true
    }

    fn human_speech(&mut self, tag: u64) -> Option<&mut Speech> {
        self.humans()
            .filter_map(|h| h.speech.as_mut())
            .find(|s| s.tag == tag)
    }

    pub(in crate::call) fn human_played(
        &mut self,
        tag: u64,
        part: u32,
        samples: u64,
        out: &mut Vec<Command<M>>,
    ) -> bool {
        let Some(speech) = self.human_speech(tag) else {
            return false;
        };
        if let Some(clause) = speech.clauses.get_mut(part as usize) {
            clause.played = clause.played.max(samples);
        }
        let leg = speech.to;
        if speech.is_done() {
            self.told(leg, out);
        }
        true
    }

    /// All that was to be said to a human has been.
    fn told(&mut self, leg: LegId, out: &mut Vec<Command<M>>) {
        let now = self.now;
        let Some(human) = self.human(leg) else { return };
        match human.phase {
            Phase::Briefing => {
                human.phase = Phase::Key;
                human.due = Some(now.plus(KEY_MS));
            }
            Phase::Prompt(ear) => self.listen_to(leg, ear),
            Phase::Leaving => self.gone(leg, out),
            _ => {}
        }
        self.arm_humans();
    }

    /// Hangs up on one who is leaving.
    fn gone(&mut self, leg: LegId, out: &mut Vec<Command<M>>) {
        let Some(at) = self.leaving.iter().position(|h| h.leg == leg) else {
            return;
        };
        let human = self.leaving.remove(at);
        self.forget_human(&human, out);
        self.hang_up_on(&human, 487, "thank you", out);
        self.last_has_left(out);
    }

    fn last_has_left(&mut self, out: &mut Vec<Command<M>>) {
        if self.leaving.is_empty() && self.stage == Stage::Ending && self.outbound.is_some() {
            self.callback_over(out);
        }
    }

    /// Something is due with one human or several.
    pub(in crate::call) fn humans_due(&mut self, out: &mut Vec<Command<M>>) {
        if self.transfer.as_ref().is_some_and(|t| !t.planned) {
            // Nobody said whom to ring.
            return self.planned(super::Plan::default(), out);
        }
        let now = self.now;
        let due: Vec<LegId> = self
            .humans()
            .filter(|h| h.due.is_some_and(|at| at <= now))
            .map(|h| h.leg)
            .collect();
        for leg in due {
            self.human_due(leg, out);
        }
        if self.stage != Stage::Over {
            self.arm_humans();
        }
    }

    fn human_due(&mut self, leg: LegId, out: &mut Vec<Command<M>>) {
        if self.onward_due(leg, out) {
            return;
        }
        let Some(human) = self.human(leg) else { return };
        human.due = None;
        match human.phase {
            Phase::Ringing | Phase::Apart => {
                self.give_up_on(leg, 487, "no answer", "no_answer", out)
            }
            Phase::Hello => {
                let speech = human.speech.take();
                let speech = match speech {
                    Some(speech) => speech,
                    None => self.brief(leg, out),
                };
                out.push(Command::Note(Note::Brief {
                    text: speech.text(),
                }));
                self.speak_to(leg, speech, Phase::Briefing, out);
            }
            Phase::Briefing | Phase::Key if !human.asked_again => {
                human.asked_again = true;
                let again = self.config.words.get("human_keys_again");
                self.tell(leg, &[again], Phase::Briefing, out);
            }
            Phase::Briefing | Phase::Key => {
                let outcome = if human.media { "no_key" } else { "no_sound" };
                self.give_up_on(leg, 480, "no key was pressed", outcome, out);
            }
            Phase::Prompt(ear) => self.listen_to(leg, ear),
            Phase::Listening(_) => self.said(leg, out),
            Phase::Thinking(_) => self.not_heard(leg, out),
            Phase::Leaving => self.gone(leg, out),
            Phase::Joined => {}
        }
    }

    fn give_up_on(
        &mut self,
        leg: LegId,
        code: u16,
        reason: &str,
        outcome: &str,
        out: &mut Vec<Command<M>>,
    ) {
        if let Some(human) = self.take_human(leg) {
            self.hang_up_on(&human, code, reason, out);
            self.candidate_over(human, outcome, out);
        }
    }
}
