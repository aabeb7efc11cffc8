//! Our side of the line: speeches in order, clause by clause.

use std::collections::VecDeque;

use super::speaking::{ClauseState, Speech};
use super::timer::Timer;
use super::{CALLER, Call, Command, Mind, Note, STUCK_MS, Stage};
use crate::desk::Say;

/// What the caller hears of us, in order.
#[derive(Debug, Clone, Default)]
pub(super) struct Line {
    pub speeches: VecDeque<Speech>,
    pub paused: bool,
    pub ducked: bool,
}

impl Line {
    pub fn is_quiet(&self) -> bool {
        self.speeches.is_empty()
    }

    /// Nothing is under way but a word to bridge a wait.
    pub fn only_bridges(&self) -> bool {
        !self.is_quiet() && !self.paused && self.speeches.iter().all(|s| s.aside)
    }

    pub fn played_samples(&self) -> u64 {
        self.speeches.iter().map(Speech::played_samples).sum()
    }

    pub fn text(&self) -> String {
        self.speeches
            .iter()
            .map(Speech::text)
            .collect::<Vec<_>>()
            .join(" ")
    }
}

/// Hands a released speech's ready clauses to its leg's playout, in order, and asks for the voice of the next one.
pub(super) fn feed<M>(speech: &mut Speech, out: &mut Vec<Command<M>>) {
    while let Some(clause) = speech
        .clauses
        .get(speech.queued)
        .filter(|_| speech.released)
    {
        match clause.state {
            ClauseState::Wanted => break,
            ClauseState::Ready(_) => {
                out.push(Command::Queue {
                    leg: speech.to,
                    tag: speech.tag,
                    part: speech.queued as u32,
                });
            }
            ClauseState::Failed => {}
        }
        speech.queued += 1;
    }
    if let Some((part, text)) = speech.request() {
        out.push(Command::Synthesize {
            tag: speech.tag,
            part,
            text,
            urgent: true,
        });
    }
}

impl<M: Mind> Call<M> {
    pub(super) fn new_speech(&mut self, say: &[Say]) -> Speech {
        let tag = self.next_tag;
        self.next_tag += 1;
        Speech::new(tag, CALLER, say, self.config.split)
    }

    pub(super) fn say(&mut self, say: &[Say], out: &mut Vec<Command<M>>) {
        let speech = self.new_speech(say);
        self.say_speech(speech, out);
    }

    pub(super) fn say_speech(&mut self, mut speech: Speech, out: &mut Vec<Command<M>>) {
        self.prepare(&mut speech, true, out);
        self.line_release(speech, out);
    }

    /// Asks for the voice of a speech's next clause.
    pub(super) fn prepare(&self, speech: &mut Speech, urgent: bool, out: &mut Vec<Command<M>>) {
        if let Some((part, text)) = speech.request() {
            out.push(Command::Synthesize {
                tag: speech.tag,
                part,
                text,
                urgent,
            });
        }
    }

    /// From now on this speech may be played, after what is before it.
    pub(super) fn line_release(&mut self, mut speech: Speech, out: &mut Vec<Command<M>>) {
        if speech.is_empty() {
            return;
        }
        self.timers.clear(Timer::Silence);
        self.timers.clear(Timer::NoWords);
        self.timers.set(Timer::Stuck, self.now.plus(STUCK_MS));
        speech.released = true;
        self.line.speeches.push_back(speech);
        self.queue_ready(out);
    }

    /// Hands ready clauses to playout, in order, and asks for the next ones.
    fn queue_ready(&mut self, out: &mut Vec<Command<M>>) {
        for speech in &mut self.line.speeches {
            feed(speech, out);
            if speech.queued < speech.clauses.len() {
                return;
            }
        }
    }

    pub(super) fn clause_ready(
        &mut self,
        tag: u64,
        part: u32,
        result: Result<u64, String>,
        ms: u64,
        out: &mut Vec<Command<M>>,
    ) {
        let state = match &result {
            Ok(samples) => ClauseState::Ready(*samples),
            Err(why) => {
                out.push(Command::Note(Note::Problem {
                    text: format!("no voice for a clause: {why}"),
                }));
                ClauseState::Failed
            }
        };
        if self.human_clause_ready(tag, part, state, out) {
            return;
        }
        if let Some(prepared) = self.prepared_speech(tag) {
            if let Some(clause) = prepared.clauses.get_mut(part as usize) {
                clause.state = state;
            }
            if let Some((part, text)) = prepared.request() {
                out.push(Command::Synthesize {
                    tag,
                    part,
                    text,
                    urgent: false,
                });
            }
            self.note_tts(part, ms);
            return;
        }
        let Some(speech) = self.line.speeches.iter_mut().find(|s| s.tag == tag) else {
            return;
        };
        let Some(clause) = speech.clauses.get_mut(part as usize) else {
            return;
        };
        clause.state = state;
        let dead = speech.all_failed();
        self.note_tts(part, ms);
        self.queue_ready(out);
        self.finish_speeches(out);
        if dead && self.stage == Stage::Talking {
            self.broken("no voice at all", out);
        }
    }

    pub(super) fn played(&mut self, tag: u64, part: u32, samples: u64, out: &mut Vec<Command<M>>) {
        if self.human_played(tag, part, samples, out) {
            return;
        }
        let now = self.now;
        let Some(speech) = self.line.speeches.iter_mut().find(|s| s.tag == tag) else {
            return;
        };
        let first = speech.started.is_none() && samples > 0;
        if first {
            speech.started = Some(now);
        }
        if let Some(clause) = speech.clauses.get_mut(part as usize) {
            clause.played = clause.played.max(samples);
        }
        self.timers.set(Timer::Stuck, now.plus(STUCK_MS));
        if first {
            self.first_sound(tag, out);
        }
        self.finish_speeches(out);
    }

    /// Lets go of what has been said, and does what follows when all has.
    fn finish_speeches(&mut self, out: &mut Vec<Command<M>>) {
        let mut finished = false;
        while self.line.speeches.front().is_some_and(Speech::is_done) {
            if let Some(speech) = self.line.speeches.pop_front() {
                self.speech_heard(&speech, false, out);
                finished = true;
            }
        }
        if finished && self.line.is_quiet() {
            self.timers.clear(Timer::Stuck);
            self.said_everything(out);
            self.listen_if_quiet(out);
        }
    }

    /// Cuts what we are saying; what was heard of it goes into the history.
    pub(super) fn cut_line(&mut self, out: &mut Vec<Command<M>>) {
        if self.line.is_quiet() {
            return;
        }
        let speeches = std::mem::take(&mut self.line.speeches);
        self.stop_line(out);
        for speech in speeches {
            self.speech_heard(&speech, true, out);
            out.push(Command::Forget { tag: speech.tag });
        }
        self.said_everything(out);
    }

    /// Says one sentence of the engine's own; what was to follow still follows.
    pub(super) fn say_aside(&mut self, words: &str, out: &mut Vec<Command<M>>) {
        if !words.is_empty() {
            let mut speech = self.new_speech(&[Say::new(words)]);
            speech.aside = true;
            self.say_speech(speech, out);
        }
    }

    /// Silences our side without a word about it in the history.
    pub(super) fn stop_line(&mut self, out: &mut Vec<Command<M>>) {
        for speech in std::mem::take(&mut self.line.speeches) {
            out.push(Command::Forget { tag: speech.tag });
        }
        self.line.paused = false;
        self.timers.clear(Timer::Stuck);
        out.push(Command::Stop { leg: CALLER });
        self.suspected(false, out);
    }

    pub(super) fn pause_line(&mut self, out: &mut Vec<Command<M>>) {
        if !self.line.is_quiet() && !self.line.paused {
            self.line.paused = true;
            self.timers.clear(Timer::Stuck);
            out.push(Command::Pause { leg: CALLER });
        }
        self.suspected(false, out);
    }

    pub(super) fn resume_line(&mut self, out: &mut Vec<Command<M>>) {
        if self.line.paused {
            self.line.paused = false;
            self.timers.set(Timer::Stuck, self.now.plus(STUCK_MS));
            out.push(Command::Resume { leg: CALLER });
        }
    }
}
