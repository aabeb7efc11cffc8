//! What we are saying: clauses, how far each was played, and so what was heard.

use super::{LegId, Time};
use crate::desk::Say;

/// Clauses made ahead of what is handed to playout.
const AHEAD: usize = 4;

/// One stretch of our speech: a reply, a brief, a word on hold.
#[derive(Debug, Clone)]
pub struct Speech {
    /// Unique in the call; tags every clause, result and played sample.
    pub tag: u64,
    pub to: LegId,
    pub clauses: Vec<Clause>,
    /// Clauses a voice was asked for so far. One at a time: the first clause must not share the machine with the second.
    pub requested: usize,
    /// Clauses handed to playout so far.
    pub queued: usize,
    /// May be played; until then it is only prepared.
    pub released: bool,
    pub started: Option<Time>,
    /// The engine's own words (a filler, a word on hold): no part of what the desk said.
    pub aside: bool,
}

/// A speakable piece.
#[derive(Debug, Clone)]
pub struct Clause {
    /// As written; the history's words.
    pub text: String,
    pub must_hear: bool,
    pub state: ClauseState,
    pub played: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClauseState {
    Wanted,
    /// Samples at 16 kHz.
    Ready(u64),
    /// No voice could be made of it.
    Failed,
}

impl Speech {
    pub fn new(tag: u64, to: LegId, say: &[Say], split: fn(&str) -> Vec<String>) -> Self {
        let clauses = say
            .iter()
            .flat_map(|s| {
                split(&s.text).into_iter().map(|text| Clause {
                    text,
                    must_hear: s.must_hear,
                    state: ClauseState::Wanted,
                    played: 0,
                })
            })
            .collect();
        Self {
            tag,
            to,
            clauses,
            requested: 0,
            queued: 0,
            released: false,
            started: None,
            aside: false,
        }
    }

    /// The next clause a voice is wanted for: none where one is still being made, or enough are ready.
    pub fn request(&mut self) -> Option<(u32, String)> {
        let waiting = self.clauses[..self.requested]
            .iter()
            .any(|c| c.state == ClauseState::Wanted);
        if waiting || self.requested >= self.queued + AHEAD {
            return None;
        }
        let clause = self.clauses.get(self.requested)?;
        self.requested += 1;
        Some((self.requested as u32 - 1, clause.text.clone()))
    }

    pub fn is_empty(&self) -> bool {
        self.clauses.is_empty()
    }

    /// Everything that can be played has been.
    pub fn is_done(&self) -> bool {
        self.clauses.iter().all(|c| match c.state {
            ClauseState::Wanted => false,
            ClauseState::Ready(samples) => c.played >= samples,
            ClauseState::Failed => true,
        })
    }

    pub fn all_failed(&self) -> bool {
        !self.clauses.is_empty() && self.clauses.iter().all(|c| c.state == ClauseState::Failed)
    }

    pub fn played_samples(&self) -> u64 {
        self.clauses.iter().map(|c| c.played).sum()
    }

    pub fn text(&self) -> String {
        join(self.clauses.iter().map(|c| c.text.as_str()))
    }

    /// The words that reached the ear, to the nearest word: whole clauses, and of the last one the share that was played.
    pub fn heard(&self) -> String {
        join(self.clauses.iter().filter_map(|c| match c.state {
            ClauseState::Ready(_) if c.is_heard() => Some(c.text.as_str()),
            ClauseState::Ready(samples) if c.played > 0 && samples > 0 => {
                let bytes = c.text.len() as u64 * c.played / samples;
                Some(whole_words(&c.text, bytes as usize))
            }
            _ => None,
        }))
    }

    /// All of it was heard.
    pub fn all_heard(&self) -> bool {
        self.clauses.iter().all(Clause::is_heard)
    }
}

impl Clause {
    /// The last tenth of a clause is a falling syllable: a reply that starts there is to the whole of it.
    fn is_heard(&self) -> bool {
        matches!(self.state, ClauseState::Ready(samples) if self.played * 10 >= samples * 9)
    }
}

fn join<'a>(parts: impl Iterator<Item = &'a str>) -> String {
    parts
        .filter(|p| !p.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

/// The words of `text` that end within its first `bytes` bytes.
fn whole_words(text: &str, bytes: usize) -> &str {
    if bytes >= text.len() {
        return text;
    }
    let mut end = 0;
    for (i, c) in text.char_indices() {
        if i > bytes {
            break;
        }
        if c.is_whitespace() {
            end = i;
        }
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str) -> Vec<String> {
        text.split_inclusive(". ")
            .map(|s| s.trim().to_string())
            .collect()
    }

    #[test]
    fn heard_is_what_was_played() {
        let mut speech = Speech::new(
            1,
            LegId(0),
            &[Say::new("One two. Three four five six.")],
            split,
        );
        speech.clauses[0].state = ClauseState::Ready(1000);
        speech.clauses[0].played = 1000;
        speech.clauses[1].state = ClauseState::Ready(2000);
        speech.clauses[1].played = 1100;
        assert_eq!(speech.heard(), "One two. Three four");
        assert!(!speech.is_done());
        speech.clauses[1].played = 2000;
        assert!(speech.is_done());
    }

    #[test]
    fn a_cut_read_back_is_not_heard() {
        let mut speech = Speech::new(
            1,
            LegId(0),
            &[Say::must_hear("You pay forty dollars.")],
            split,
        );
        speech.clauses[0].state = ClauseState::Ready(1000);
        speech.clauses[0].played = 500;
        assert!(!speech.all_heard());
        speech.clauses[0].played = 950;
        assert!(speech.all_heard());
    }
}
