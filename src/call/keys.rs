//! Keys pressed by the caller, gathered into one entry.

use super::caller::Utterance;
use super::timer::Timer;
use super::{Call, Command, Heard, Mind, STUCK_MS, Stage, Then};
use crate::audio::MediaTime;
use crate::desk::{HeardEvidence, Listen};

/// What a key came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Keyed {
    /// More may follow: wait for the gap.
    Gathering,
    /// An entry is complete.
    Entry(String),
}

/// Keys of the entry under way.
#[derive(Debug, Clone, Default)]
pub struct Keys {
    entry: String,
}

/// Quiet after which an entry is complete, milliseconds.
pub const KEY_GAP_MS: u64 = 2500;
/// A lone 0 while a number is expected waits only this long to be taken as the wish for a human.
pub const ZERO_GAP_MS: u64 = 1500;
const LONGEST: usize = 32;

impl Keys {
    /// `numbers`: a number was asked for. Without that, 0 alone means a human and acts at once.
    pub fn press(&mut self, key: char, numbers: bool) -> Keyed {
        match key {
            '#' if !self.entry.is_empty() => Keyed::Entry(std::mem::take(&mut self.entry)),
            '#' => Keyed::Gathering,
            '0' if !numbers && self.entry.is_empty() => Keyed::Entry("0".into()),
            _ => {
                if self.entry.len() < LONGEST {
                    self.entry.push(key);
                }
                Keyed::Gathering
            }
        }
    }

    /// No further key came.
    pub fn gap(&mut self) -> Option<String> {
        (!self.entry.is_empty()).then(|| std::mem::take(&mut self.entry))
    }

    pub fn wait_ms(&self) -> u64 {
        if self.entry == "0" {
            ZERO_GAP_MS
        } else {
            KEY_GAP_MS
        }
    }
}

impl<M: Mind> Call<M> {
    pub(super) fn caller_key(&mut self, key: char, out: &mut Vec<Command<M>>) {
        if self.survey_key(key, out) {
            return;
        }
        // Two people talk: a key is for the other one, and for whatever menu or card reader is there.
        if self.stage == Stage::Bridged
            && let Some(leg) = self.joined()
        {
            out.push(Command::Press { leg, key });
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
                unclear: None,
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
        let mut utterance = Utterance::new(at, None);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_is_a_human_unless_a_number_begins_with_it() {
        let mut keys = Keys::default();
        assert_eq!(keys.press('0', false), Keyed::Entry("0".into()));
        assert_eq!(keys.press('0', true), Keyed::Gathering);
        assert_eq!(keys.wait_ms(), ZERO_GAP_MS);
        assert_eq!(keys.press('4', true), Keyed::Gathering);
        assert_eq!(keys.press('#', true), Keyed::Entry("04".into()));
        assert_eq!(keys.gap(), None);
    }
}
