//! The caller's side: utterances, attempts at understanding them, keys, and speech over ours.

use super::early::Early;
use super::endpointing::{self, Evidence, Pace};
use super::keys::Keys;
use super::line_state::NO_CALLER_MS;
use super::over_ours::OverOurs;
use super::speaking::Speech;
use super::timer::Timer;
use super::{Call, Command, Heard, Mind, Note, STUCK_MS, Stage, Then, Time};
use crate::audio::MediaTime;
use crate::desk::{HeardEvidence, Next, Reply};

/// A caller who goes on within this much of our speech was not done: their words are joined and ours taken back.
const TAKE_BACK_SAMPLES: u64 = 16 * 500;
/// Sound before the noticed start that belongs to it: an onset is soft.
pub(super) const PRE_ROLL_MS: u64 = 200;
const POST_ROLL_MS: u64 = 120;
/// What it takes at least to judge by the sound whether a turn is over.
const SOUND_TAKES_MS: u64 = 60;
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
    pub before: Option<Before<M>>,
    pub keys: Keys,
    /// How they pause.
    pub pace: Pace,
    /// Our own voice has come back to us on this call.
    pub echoes: bool,
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
            pace: Pace::default(),
            echoes: false,
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
pub(super) struct Before<M> {
    pub mind: M,
    pub then: Then,
    start: MediaTime,
    /// What was taken for all of it.
    pub words: String,
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
    pub is_final: bool,
    pub final_at: Time,
    /// It began over our own speech and has not been judged.
    pub over_ours: Option<OverOurs<M>>,
    asked: bool,
    /// Work that was begun before the words were all there.
    pub early: Early,
    /// Probability by the sound alone that it is over.
    pub finished: Option<f32>,
    /// Of the sound so far, milliseconds that were speech.
    spoke_ms: u64,
    /// Where the stretch of speech under way began.
    since: MediaTime,
    pub stt_ms: u64,
    pub decide_ms: u64,
    pub tts_ms: u64,
    pub keyed: Option<String>,
    /// The words are a colleague's, who handed the caller back.
    pub colleague: bool,
}

impl<M> Utterance<M> {
    pub fn new(start: MediaTime, over_ours: Option<OverOurs<M>>) -> Self {
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
            early: Early::default(),
            finished: None,
            spoke_ms: 0,
            since: start,
            stt_ms: 0,
            decide_ms: 0,
            tts_ms: 0,
            keyed: None,
            colleague: false,
        }
    }

    fn length_ms(&self) -> u64 {
        self.end.as_ms().saturating_sub(self.start.as_ms())
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
        self.suspected(false, out);
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
        if let Some(utterance) = &mut self.caller.utterance {
            let paused = at.as_ms().saturating_sub(utterance.end.as_ms());
            utterance.since = at;
            utterance.finished = None;
            if utterance.over_ours.is_none() {
                self.caller.pace.paused(paused);
            }
            self.forget_attempt(out);
            return self.spoke_on(out);
        }
        let over_ours = self.overlap();
        let start = match &over_ours {
            Some(OverOurs {
                joins: Some(before),
                ..
            }) => before.start,
            _ => at,
        };
        let mut utterance = Utterance::new(start, over_ours);
        utterance.since = at;
        self.caller.utterance = Some(utterance);
        self.spoke_on(out);
    }

    /// How new speech stands to ours: none where we say nothing.
    fn overlap(&mut self) -> Option<OverOurs<M>> {
        if self.line.is_quiet() && self.review.is_none() {
            return None;
        }
        // The caller may be going on with what we took for all of it, before anything to speak of was said in answer.
        let ours = |tag| self.line.speeches.front().is_some_and(|s| s.tag == tag);
        let joins = self.caller.before.take_if(|before| {
            ours(before.tag)
                && self.line.speeches.len() == 1
                && self.line.played_samples() <= TAKE_BACK_SAMPLES
                && self.request.is_none()
        });
        Some(OverOurs::new(self.now, joins))
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
        utterance.spoke_ms += at.as_ms().saturating_sub(utterance.since.as_ms());
        let from = MediaTime::from_ms(utterance.start.as_ms().saturating_sub(PRE_ROLL_MS));
        let to = MediaTime::from_ms(at.as_ms() + POST_ROLL_MS);
        out.push(Command::Transcribe {
            attempt,
            from,
            to,
            listen,
            early: false,
        });
        self.timers.clear(Timer::Early);
        self.stopped_over_ours();
        self.wait_for_more();
    }

    /// Sets when the turn is final, by what is known now.
    fn wait_for_more(&mut self) {
        let listen = self.listening_for();
        let pace = self.caller.pace;
        let Some(utterance) = self.caller.utterance.as_ref().filter(|u| !u.is_final) else {
            return;
        };
        let patience = endpointing::patience_ms(&Evidence {
            listen,
            words: utterance.heard.as_ref().map(|h| h.text.as_str()),
            finished: utterance.finished,
            spoke_ms: utterance.spoke_ms,
            pace,
        });
        self.timers
            .set(Timer::Final, utterance.ended_at.plus(patience));
    }

    /// What the sound alone says of whether they are done.
    pub(super) fn judged(&mut self, attempt: u64, finished: f32) {
        if self.caller.speaking {
            return;
        }
        if let Some(utterance) = &mut self.caller.utterance
            && attempt != 0
            && utterance.attempt == attempt
        {
            utterance.finished = Some(finished);
            self.wait_for_more();
        }
    }

    /// The caller went on: whatever was made of the words so far is worth nothing.
    pub(super) fn forget_attempt(&mut self, out: &mut Vec<Command<M>>) {
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
            utterance.early.forget();
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
        self.timers.clear(Timer::Early);
        self.timers.clear(Timer::BargeVerdict);
        if self.request.is_none() {
            self.timers.clear(Timer::Filler);
        }
    }

    pub(super) fn transcribed(
        &mut self,
        attempt: u64,
        result: Result<Heard, String>,
        out: &mut Vec<Command<M>>,
    ) {
        let Some(utterance) = &mut self.caller.utterance else {
            return;
        };
        if attempt != 0 && utterance.early.is(attempt) {
            match result {
                Ok(heard) => self.heard_early(heard, out),
                Err(_) => utterance.early.forget(),
            }
            return;
        }
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
        if utterance.over_ours.is_some() && !self.interrupts(&heard, out) {
            return;
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
        // Words that came late may show that more of them are coming.
        utterance.is_final = false;
        self.wait_for_more();
        self.decide(out);
        self.ask_the_sound(out);
    }

    /// The words are there, and may be all: how they sounded tells more, where there is time for it. Asked now and not when the caller
    /// fell quiet: it would have slowed the words down, and most pauses show by their words what they are.
    fn ask_the_sound(&mut self, out: &mut Vec<Command<M>>) {
        let listen = self.listening_for();
        let due = self.timers.due(Timer::Final);
        let Some(utterance) = self.caller.utterance.as_ref() else {
            return;
        };
        let words = utterance.heard.as_ref().map_or("", |h| h.text.as_str());
        let in_time = due.is_some_and(|due| due >= self.now.plus(SOUND_TAKES_MS));
        if in_time && endpointing::sound_tells(listen, words) {
            out.push(Command::Judge {
                attempt: utterance.attempt,
                from: MediaTime::from_ms(utterance.start.as_ms().saturating_sub(PRE_ROLL_MS)),
                to: MediaTime::from_ms(utterance.end.as_ms() + POST_ROLL_MS),
            });
        }
    }

    /// Starts deciding, unless an answer we wait for comes first.
    pub(super) fn decide(&mut self, out: &mut Vec<Command<M>>) {
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
            early: false,
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
        let utterance = self.caller.utterance.as_ref();
        if self.stage != Stage::Talking || attempt == 0 {
            return;
        }
        if utterance.is_some_and(|u| u.early.is(attempt)) {
            return self.decided_early(&reply, out);
        }
        if utterance.is_none_or(|u| u.attempt != attempt) {
            return;
        }
        let mut speech = self.new_speech(&reply.say);
        self.prepare(&mut speech, true, out);
        let Some(utterance) = &mut self.caller.utterance else {
            return;
        };
        utterance.decide_ms = ms;
        utterance.prepared = Some(speech);
        let wanted = match &reply.next {
            Next::Request(request) => Some(request.clone()),
            _ => None,
        };
        utterance.decided = Some((mind, reply));
        let is_final = utterance.is_final;
        if let Some(request) = wanted {
            self.look_up_early(request, out);
        }
        if is_final {
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
        let waits_from = utterance.ended_at;
        let decided = utterance.decided.is_some();
        let empty = utterance
            .heard
            .as_ref()
            .is_some_and(|h| h.text.trim().is_empty());
        if decided {
            self.commit(out);
        } else if empty {
            self.no_words(out);
        } else {
            self.wait_with_a_word(waits_from);
        }
    }

    /// There was sound and no words in it.
    fn no_words(&mut self, out: &mut Vec<Command<M>>) {
        let long = self
            .caller
            .utterance
            .as_ref()
            .is_some_and(|u| (UNHEARD_MS..NO_CALLER_MS).contains(&u.length_ms()));
        if long {
            self.made_out_nothing(out);
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
        let said = self
            .caller
            .utterance
            .as_ref()
            .filter(|u| u.keyed.is_none() && !u.colleague)
            .and_then(|u| u.heard.as_ref())
            .map(|h| h.text.clone());
        if said.is_some_and(|words| self.is_a_machine(&words, out)) {
            return;
        }
        let Some(mut utterance) = self.caller.utterance.take() else {
            return;
        };
        let Some((mind, reply)) = utterance.decided.take() else {
            return;
        };
        let prepared = utterance.prepared.take();
        self.looked_up = utterance.early.found.take();
        self.timers.clear(Timer::Final);
        self.timers.clear(Timer::Thinking);
        self.timers.clear(Timer::Filler);
        // "One mo-" is worse than half a second more.
        if !self.line.only_bridges() {
            self.cut_line(out);
        }
        let before = std::mem::replace(&mut self.mind, *mind);
        self.caller.before = match (&prepared, &reply.next) {
            (Some(speech), Next::Listen(_))
                if !self.is_reviewed(&reply) && utterance.keyed.is_none() && !speech.is_empty() =>
            {
                Some(Before {
                    mind: before,
                    then: self.then,
                    start: utterance.start,
                    words: utterance
                        .heard
                        .as_ref()
                        .map(|h| h.text.clone())
                        .unwrap_or_default(),
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
        self.looked_up = None;
    }
}
