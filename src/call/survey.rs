//! One question at the end: how was it, one key from 1 to 5. Asked of the calls that were drawn for it, never of somebody at risk, and never
//! twice. A caller who has something else to say says it; a caller who hangs up has answered, too.

use super::timer::Timer;
use super::{Call, Command, Mind, Stage, Then};
use crate::desk::Mood;

/// After the question was said.
const ANSWER_MS: u64 = 7_000;
/// A question that is never said must not keep a call up.
const SAID_MS: u64 = 20_000;
/// Reasons for a hand-over after which nobody is asked how it was.
const NEVER: [&str; 7] = [
    "distress",
    "hardship",
    "technical",
    "bereavement",
    "vulnerable",
    "fraud",
    "legal",
];
/// How a call ends that a human ended.
pub(super) const HUMAN_ENDED: &str = "the human ended the call";

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Survey {
    #[default]
    Due,
    /// The question is being said.
    Said,
    /// A key is waited for.
    Waiting,
    Over,
}

impl<M: Mind> Call<M> {
    /// All was said and the call would end: whether it waits for an answer, or for the question to be said.
    pub(super) fn asks_survey(&mut self, out: &mut Vec<Command<M>>) -> bool {
        match self.survey {
            Survey::Over => false,
            Survey::Waiting => true,
            Survey::Said => {
                self.survey = Survey::Waiting;
                self.timers.set(Timer::Survey, self.now.plus(ANSWER_MS));
                true
            }
            Survey::Due if !self.may_be_asked() => {
                self.survey = Survey::Over;
                false
            }
            Survey::Due => {
                self.survey = Survey::Said;
                self.timers.set(Timer::Survey, self.now.plus(SAID_MS));
                self.timers.clear(Timer::EndGuard);
                let words = self.config.words.get("survey");
                self.say_aside(&words, out);
                !self.line.is_quiet()
            }
        }
    }

    fn may_be_asked(&self) -> bool {
        let ended_by_human = self
            .ended
            .as_ref()
            .is_some_and(|ended| ended.reason == HUMAN_ENDED);
        let handed_over_for = self
            .record
            .handoff
            .as_ref()
            .map_or("", |h| h.reason.as_str());
        let silent = self.silences > 0;
        self.config.pilot.survey
            && self.outbound.is_none()
            && (self.stage == Stage::Talking || ended_by_human)
            && self.then == Then::End
            && !silent
            && self.mind.mood() != Mood::Distressed
            && !NEVER.contains(&handed_over_for)
    }

    /// Whether the key was an answer.
    pub(super) fn survey_key(&mut self, key: char, out: &mut Vec<Command<M>>) -> bool {
        if !matches!(self.survey, Survey::Said | Survey::Waiting) || self.then != Then::End {
            return false;
        }
        if let Some(score) = key.to_digit(10).filter(|n| (1..=5).contains(n)) {
            self.survey_answer(score as u8, out);
        }
        true
    }

    /// The same in words.
    pub(super) fn survey_words(&mut self, text: &str, out: &mut Vec<Command<M>>) -> bool {
        if !matches!(self.survey, Survey::Said | Survey::Waiting) || self.then != Then::End {
            return false;
        }
        let plain: String = text
            .to_lowercase()
            .chars()
            .filter(|c| c.is_alphanumeric() || *c == ' ')
            .collect();
        let score = match plain.trim() {
            "1" | "one" => 1,
            "2" | "two" => 2,
            "3" | "three" => 3,
            "4" | "four" => 4,
            "5" | "five" => 5,
            _ => return false,
        };
        self.survey_answer(score, out);
        true
    }

    fn survey_answer(&mut self, score: u8, out: &mut Vec<Command<M>>) {
        self.record.survey = Some(score);
        self.survey = Survey::Over;
        self.timers.clear(Timer::Survey);
        self.timers
            .set(Timer::EndGuard, self.now.plus(super::END_GUARD_MS));
        self.drop_utterance(out);
        self.cut_line(out);
        let thanks = self.config.words.get("survey_thanks");
        self.say_aside(&thanks, out);
        self.listen_if_quiet(out);
    }

    /// No key came.
    pub(super) fn survey_late(&mut self, out: &mut Vec<Command<M>>) {
        if self.then == Then::End && self.caller.speaking {
            // They are saying something: it is heard first.
            self.timers.set(Timer::Survey, self.now.plus(ANSWER_MS));
            return;
        }
        self.survey = Survey::Over;
        if self.then == Then::End {
            self.cut_line(out);
            self.listen_if_quiet(out);
        }
    }
}
