//! The caller's side: utterances, attempts at understanding them, keys, and speech over ours.

use super::barge_in::{self, BargeIn};
use super::endpointing::patience_ms;
use super::keys::{Keyed, Keys};
use super::speaking::Speech;
use super::timer::Timer;
use super::{Call, Command, Heard, Mind, Note, STUCK_MS, Stage, Then, Time};
use crate::audio::MediaTime;
use crate::desk::{HeardEvidence, Listen, Reply};

/// Speech over ours for longer than this is an interruption, whatever its words turn out to be.
const BARGE_LASTS_MS: u64 = 700;
/// A caller who goes on within this much of our speech was not done: their words are joined and ours taken back.
const TAKE_BACK_SAMPLES: u64 = 16 * 500;
/// Sound before the noticed start that belongs to it: an onset is soft.
const PRE_ROLL_MS: u64 = 200;
const POST_ROLL_MS: u64 = 120;
/// Speech at least this long that gave no words was speech that could not be made out, not a cough.
const UNHEARD_MS: u64 = 1_200;
/// One piece of sound for the recogniser is no longer than this; a louder street would never let a turn end.
const LONGEST_SPEECH_MS: u64 = 26_000;

#[derive(Debug, Clone)]
pub(super) struct CallerSide<M> {
    pub media: bool,
    pub held: bool,
    pub speaking: bool,
    pub utterance: Option<Utterance<M>>,
    /// The turn before this one, while it can still be taken back.
    before: Option<Before<M>>,
    pub keys: Keys,
    /// What they will hear when they answer a call of ours.
    pub prepared: Option<Speech>,
    /// Beginning of what they are saying to somebody else than us.
    pub noted_from: Option<MediaTime>,
}

impl<M> Default for CallerSide<M> {
    fn default() -> Self {
        Self {
            media: false,
            held: false,
            speaking: false,
            utterance: None,
            before: None,
            keys: Keys::default(),
            prepared: None,
            noted_from: None,
        }
    }
}

impl<M> CallerSide<M> {
    /// Not speaking, not on hold, and owed no answer.
    pub fn is_quiet(&self) -> bool {
        !self.speaking && !self.held && self.utterance.is_none()
    }

    pub fn prepared_mut(&mut self) -> Option<&mut Speech> {
        match &mut self.utterance {
            Some(utterance) => utterance.prepared.as_mut(),
            None => self.prepared.as_mut(),
        }
    }
}

/// What a turn that was taken back returns to.
#[derive(Debug, Clone)]
struct Before<M> {
    mind: M,
    then: Then,
    start: MediaTime,
    tag: u64,
}

/// What the caller is saying, or has said and is not yet answered.
#[derive(Debug, Clone)]
pub(super) struct Utterance<M> {
    pub start: MediaTime,
    pub end: MediaTime,
    pub ended_at: Time,
    /// The newest attempt at it; results of older ones are dropped.
    pub attempt: u64,
    pub heard: Option<Heard>,
    decided: Option<(Box<M>, Box<Reply>)>,
    pub prepared: Option<Speech>,
    is_final: bool,
    final_at: Time,
    /// It began over our own speech and has not been judged.
    over_ours: bool,
    asked: bool,
    pub stt_ms: u64,
    pub decide_ms: u64,
    pub tts_ms: u64,
    pub keyed: Option<String>,
    /// The words are a colleague's, who handed the caller back.
    pub colleague: bool,
}

impl<M> Utterance<M> {
    fn new(start: MediaTime, over_ours: bool) -> Self {
        Self {
            start,
            end: start,
            ended_at: Time(0),
            attempt: 0,
            heard: None,
            decided: None,
            prepared: None,
            is_final: false,
            final_at: Time(0),
            over_ours,
            asked: false,
            stt_ms: 0,
            decide_ms: 0,
            tts_ms: 0,
            keyed: None,
            colleague: false,
        }
    }

    pub fn endpoint_ms(&self) -> u64 {
        self.final_at.since(self.ended_at)
    }
}

impl<M: Mind> Call<M> {
    pub(super) fn voice_start(&mut self, at: MediaTime, _ago_ms: u64, out: &mut Vec<Command<M>>) {
        // Whoever holds us has music played to us: nobody says anything to us then.
        if self.caller.held && self.stage == Stage::Talking {
            return;
        }
        self.caller.speaking = true;
        self.timers.clear(Timer::Silence);
        if matches!(self.stage, Stage::Bridged | Stage::Calling) {
            self.caller.noted_from = Some(at);
        }
        if self.stage != Stage::Talking {
            return;
        }
        self.timers
            .set(Timer::LongSpeech, self.now.plus(LONGEST_SPEECH_MS));
        self.timers.clear(Timer::Final);
        if self.caller.utterance.is_some() {
            self.forget_attempt(out);
            return;
        }
        if self.take_back(out) {
            return;
        }
        let over_ours = !self.line.is_quiet() || self.review.is_some();
        self.caller.utterance = Some(Utterance::new(at, over_ours));
        if over_ours {
            self.pause_line(out);
            self.timers
                .set(Timer::BargeVerdict, self.now.plus(BARGE_LASTS_MS));
        }
    }

    /// The caller goes on before anything to speak of was said in answer: the turn was not over. Ours is undone.
    fn take_back(&mut self, out: &mut Vec<Command<M>>) -> bool {
        let Some(before) = &self.caller.before else {
            return false;
        };
        let ours = self
            .line
            .speeches
            .front()
            .is_some_and(|s| s.tag == before.tag);
        if !ours
            || self.line.speeches.len() != 1
            || self.line.played_samples() > TAKE_BACK_SAMPLES
            || self.request.is_some()
        {
            return false;
        }
        let Some(before) = self.caller.before.take() else {
            return false;
        };
        self.stop_line(out);
        self.mind = before.mind;
        self.then = before.then;
        self.withdraw_turn();
        self.caller.utterance = Some(Utterance::new(before.start, false));
        true
    }

    /// The sound has gone on for as long as it may: what there is of it is taken up.
    pub(super) fn spoke_long(&mut self, out: &mut Vec<Command<M>>) {
        if self.caller.speaking && self.stage == Stage::Talking {
            let at = MediaTime::from_ms(self.now.since(self.answered_at));
            self.voice_end(at, 0, out);
        }
    }

    pub(super) fn voice_end(&mut self, at: MediaTime, ago_ms: u64, out: &mut Vec<Command<M>>) {
        self.caller.speaking = false;
        self.timers.clear(Timer::LongSpeech);
        match self.stage {
            Stage::Talking => {}
            Stage::Transferring => return self.spoke_on_hold(out),
            Stage::Bridged => return self.note_caller(at, out),
            Stage::Calling => return self.called_back_spoke(at, out),
            _ => return,
        }
        let listen = self.listening_for();
        let attempt = self.next_attempt;
        let ended_at = Time(self.now.0.saturating_sub(ago_ms));
        let Some(utterance) = &mut self.caller.utterance else {
            return;
        };
        self.next_attempt += 1;
        utterance.end = at;
        utterance.ended_at = ended_at;
        utterance.attempt = attempt;
        let from = MediaTime::from_ms(utterance.start.as_ms().saturating_sub(PRE_ROLL_MS));
        let to = MediaTime::from_ms(at.as_ms() + POST_ROLL_MS);
        out.push(Command::Transcribe {
            attempt,
            from,
            to,
            listen,
        });
        self.timers
            .set(Timer::Final, ended_at.plus(patience_ms(listen, None)));
    }

    /// The caller went on: whatever was made of the words so far is worth nothing.
    fn forget_attempt(&mut self, out: &mut Vec<Command<M>>) {
        if let Some(utterance) = &mut self.caller.utterance {
            if utterance.attempt != 0 {
                out.push(Command::Abandon {
                    attempt: utterance.attempt,
                });
            }
            utterance.attempt = 0;
            utterance.heard = None;
            utterance.decided = None;
            utterance.is_final = false;
            utterance.asked = false;
            if let Some(speech) = utterance.prepared.take() {
                out.push(Command::Forget { tag: speech.tag });
            }
        }
        self.timers.clear(Timer::Thinking);
    }

    pub(super) fn drop_utterance(&mut self, out: &mut Vec<Command<M>>) {
        self.forget_attempt(out);
        self.caller.utterance = None;
        self.timers.clear(Timer::Final);
        self.timers.clear(Timer::BargeVerdict);
    }

    pub(super) fn transcribed(
        &mut self,
        attempt: u64,
        result: Result<Heard, String>,
        out: &mut Vec<Command<M>>,
    ) {
        let listen = self.listening_for();
        let Some(utterance) = &mut self.caller.utterance else {
            return;
        };
        if attempt == 0 || utterance.attempt != attempt {
            return;
        }
        let heard = match result {
            Ok(heard) => heard,
            Err(why) => {
                out.push(Command::Note(Note::Problem {
                    text: format!("not recognised: {why}"),
                }));
                return self.unheard(out);
            }
        };
        if self.survey_words(&heard.text, out) {
            return;
        }
        let Some(utterance) = &mut self.caller.utterance else {
            return;
        };
        utterance.stt_ms = heard.ms;
        utterance.heard = Some(heard.clone());
        if utterance.over_ours {
            let verdict = barge_in::verdict(&heard.text, &self.line.text(), listen);
            out.push(Command::Note(Note::BargeIn {
                verdict,
                words: heard.text.clone(),
            }));
            if verdict != BargeIn::Interrupt {
                self.drop_utterance(out);
                self.resume_line(out);
                self.listen_if_quiet(out);
                return;
            }
            self.interrupted(out);
        }
        let Some(utterance) = &mut self.caller.utterance else {
            return;
        };
        if heard.text.trim().is_empty() {
            if utterance.is_final {
                self.no_words(out);
            }
            return;
        }
        if !utterance.is_final {
            let at = utterance
                .ended_at
                .plus(patience_ms(listen, Some(&heard.text)));
            self.timers.set(Timer::Final, at);
        }
        self.decide(out);
    }

    /// Speech over ours turned out to be meant for us.
    fn interrupted(&mut self, out: &mut Vec<Command<M>>) {
        self.timers.clear(Timer::BargeVerdict);
        if let Some(utterance) = &mut self.caller.utterance {
            utterance.over_ours = false;
        }
        self.withdraw_review(out);
        self.cut_line(out);
    }

    /// Speech over ours has gone on: it is an interruption. What it says is recognised when it ends.
    pub(super) fn barge_lasted(&mut self, out: &mut Vec<Command<M>>) {
        if self.caller.speaking && self.caller.utterance.as_ref().is_some_and(|u| u.over_ours) {
            out.push(Command::Note(Note::BargeIn {
                verdict: BargeIn::Interrupt,
                words: String::new(),
            }));
            self.interrupted(out);
        }
    }

    /// Starts deciding, unless an answer we wait for comes first.
    fn decide(&mut self, out: &mut Vec<Command<M>>) {
        if self.request.is_some() {
            return;
        }
        let mind = Box::new(self.mind.clone());
        let Some(utterance) = &mut self.caller.utterance else {
            return;
        };
        if utterance.asked {
            return;
        }
        let Some(heard) = utterance
            .heard
            .clone()
            .filter(|h| !h.text.trim().is_empty() || utterance.keyed.is_some())
        else {
            return;
        };
        utterance.asked = true;
        let evidence: Option<HeardEvidence> = utterance.keyed.is_none().then_some(heard.evidence);
        out.push(Command::Decide {
            attempt: utterance.attempt,
            mind,
            text: heard.text,
            keyed: utterance.keyed.clone(),
            evidence,
        });
    }

    /// A request is answered: words that came meanwhile are taken up.
    pub(super) fn resume_held_words(&mut self, out: &mut Vec<Command<M>>) {
        if self.stage == Stage::Talking && self.request.is_none() {
            self.decide(out);
        }
    }

    pub(super) fn decided(
        &mut self,
        attempt: u64,
        mind: Box<M>,
        reply: Box<Reply>,
        ms: u64,
        out: &mut Vec<Command<M>>,
    ) {
        if self.stage != Stage::Talking
            || !self
                .caller
                .utterance
                .as_ref()
                .is_some_and(|u| attempt != 0 && u.attempt == attempt)
        {
            return;
        }
        let mut speech = self.new_speech(&reply.say);
        self.prepare(&mut speech, true, out);
        let Some(utterance) = &mut self.caller.utterance else {
            return;
        };
        utterance.decide_ms = ms;
        utterance.decided = Some((mind, reply));
        utterance.prepared = Some(speech);
        if utterance.is_final {
            self.commit(out);
        }
    }

    pub(super) fn turn_final(&mut self, out: &mut Vec<Command<M>>) {
        if self.stage != Stage::Talking || self.caller.speaking {
            return;
        }
        let now = self.now;
        let Some(utterance) = &mut self.caller.utterance else {
            return;
        };
        utterance.is_final = true;
        utterance.final_at = now;
        self.timers.set(Timer::Thinking, now.plus(STUCK_MS));
        let decided = utterance.decided.is_some();
        let empty = utterance
            .heard
            .as_ref()
            .is_some_and(|h| h.text.trim().is_empty());
        if decided {
            self.commit(out);
        } else if empty {
            self.no_words(out);
        }
    }

    /// There was sound and no words in it.
    fn no_words(&mut self, out: &mut Vec<Command<M>>) {
        let long = self
            .caller
            .utterance
            .as_ref()
            .is_some_and(|u| u.end.as_ms().saturating_sub(u.start.as_ms()) >= UNHEARD_MS);
        if long {
            self.unheard(out);
        } else {
            self.drop_utterance(out);
            self.resume_line(out);
            self.listen_if_quiet(out);
        }
    }

    pub(super) fn unheard(&mut self, out: &mut Vec<Command<M>>) {
        self.drop_utterance(out);
        self.cut_line(out);
        if self.request.is_some() {
            // Something is being done for the caller: its result is the next thing to say, not a question.
            return;
        }
        let reply = self.mind.unheard();
        self.open_turn(None, Some(&reply.decision), out);
        self.perform_reply(reply, None, out);
    }

    /// The turn is over and its answer is known: it becomes the conversation.
    fn commit(&mut self, out: &mut Vec<Command<M>>) {
        let Some(mut utterance) = self.caller.utterance.take() else {
            return;
        };
        let Some((mind, reply)) = utterance.decided.take() else {
            return;
        };
        let prepared = utterance.prepared.take();
        self.timers.clear(Timer::Final);
        self.timers.clear(Timer::Thinking);
        self.cut_line(out);
        let before = std::mem::replace(&mut self.mind, *mind);
        self.caller.before = match (&prepared, &reply.next) {
            (Some(speech), crate::desk::Next::Listen(_))
                if !self.is_reviewed(&reply) && utterance.keyed.is_none() && !speech.is_empty() =>
            {
                Some(Before {
                    mind: before,
                    then: self.then,
                    start: utterance.start,
                    tag: speech.tag,
                })
            }
            _ => None,
        };
        self.silences = 0;
        self.open_turn(Some(&utterance), Some(&reply.decision), out);
        if self.is_reviewed(&reply) {
            self.ask_reviewer(*reply, prepared, out);
        } else {
            self.perform_reply(*reply, prepared, out);
        }
    }

    pub(super) fn caller_key(&mut self, key: char, out: &mut Vec<Command<M>>) {
        if self.survey_key(key, out) {
            return;
        }
        if self.stage != Stage::Talking {
            return;
        }
        self.withdraw_review(out);
        self.timers.clear(Timer::Silence);
        let numbers = matches!(
            self.then,
            Then::Listen(Listen::Digits | Listen::Postcode | Listen::Date | Listen::Money)
        );
        self.drop_utterance(out);
        self.cut_line(out);
        match self.caller.keys.press(key, numbers) {
            Keyed::Entry(entry) => self.keyed(entry, out),
            Keyed::Gathering => self
                .timers
                .set(Timer::KeyGap, self.now.plus(self.caller.keys.wait_ms())),
        }
    }

    pub(super) fn key_gap(&mut self, out: &mut Vec<Command<M>>) {
        if let Some(entry) = self.caller.keys.gap()
            && self.stage == Stage::Talking
        {
            self.keyed(entry, out);
        }
    }

    fn keyed(&mut self, entry: String, out: &mut Vec<Command<M>>) {
        self.timers.clear(Timer::KeyGap);
        self.drop_utterance(out);
        self.cut_line(out);
        let heard = Heard {
            text: String::new(),
            evidence: HeardEvidence {
                avg_logprob: 0.0,
                no_speech: 0.0,
                worst_word: 1.0,
            },
            ms: 0,
        };
        self.take_up(heard, Some(entry), out);
    }

    /// Words that need no recognition are decided on: keys, or what a colleague asked for.
    pub(super) fn take_up(
        &mut self,
        heard: Heard,
        keyed: Option<String>,
        out: &mut Vec<Command<M>>,
    ) {
        let at = MediaTime::from_ms(self.now.since(self.answered_at));
        let attempt = self.next_attempt;
        self.next_attempt += 1;
        let mut utterance = Utterance::new(at, false);
        utterance.attempt = attempt;
        utterance.ended_at = self.now;
        utterance.final_at = self.now;
        utterance.is_final = true;
        utterance.colleague = keyed.is_none();
        utterance.keyed = keyed;
        utterance.heard = Some(heard);
        self.caller.utterance = Some(utterance);
        self.timers.set(Timer::Thinking, self.now.plus(STUCK_MS));
        self.decide(out);
    }
}
