//! Personal data kept out of what is stored: card numbers, account and telephone numbers, dates of birth, names, addresses of mail, and
//! what a caller says when asked for proof of who they are.
//!
//! Works on words as a recogniser writes them, digits ("4111 1111 1111 1111") and spelled ("four one one one ..."), and says where they
//! stood, so that the sound can be covered too. Amounts, times and dates that are no dates of birth stay: a record without them tells nothing.

use std::collections::BTreeSet;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::types::{Decision, Pending};

mod find;
mod stored;
mod words;

pub use find::luhn;
use find::{answer, births, names, numbers};
pub use stored::speakable;
use words::words;

/// What is kept out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Private {
    /// 13 to 19 digits that pass the Luhn check (ISO/IEC 7812-1).
    Cards,
    /// Other numbers of six digits or more: accounts, telephones, references.
    Numbers,
    /// Dates of birth.
    Births,
    Names,
    Emails,
    /// What is said or keyed in answer to a question for proof.
    Proof,
}

impl Private {
    pub const ALL: [Private; 6] = [
        Private::Cards,
        Private::Numbers,
        Private::Births,
        Private::Names,
        Private::Emails,
        Private::Proof,
    ];

    /// As it is configured and counted.
    pub fn word(self) -> &'static str {
        match self {
            Private::Cards => "cards",
            Private::Numbers => "numbers",
            Private::Births => "births",
            Private::Names => "names",
            Private::Emails => "emails",
            Private::Proof => "proof",
        }
    }

    /// What stands in its place.
    fn mark(self) -> &'static str {
        match self {
            Private::Cards => "[card]",
            Private::Numbers => "[number]",
            Private::Births => "[date of birth]",
            Private::Names => "[name]",
            Private::Emails => "[email]",
            Private::Proof => "[proof]",
        }
    }
}

/// Whose words they were: which side of a recording they are on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    Caller,
    /// What the caller heard: the line, or the human who took the call.
    Heard,
}

/// When something private was said, milliseconds since the recording began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    pub side: Side,
    pub from: u64,
    pub to: u64,
}

/// A text without what is private.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Redacted {
    pub text: String,
    /// Where in the text as it was (bytes), and what.
    pub taken: Vec<(Range<usize>, Private)>,
}

/// Takes out what is private.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Redactor {
    kinds: BTreeSet<Private>,
    /// Values of the customer's record, in lower case.
    known: Vec<(String, Private)>,
    /// Names that are the desk's own, in lower case: "this is Robin", says the line itself.
    own: Vec<String>,
}

impl Redactor {
    pub fn new(kinds: impl IntoIterator<Item = Private>) -> Self {
        Self {
            kinds: kinds.into_iter().collect(),
            known: Vec::new(),
            own: Vec::new(),
        }
    }

    /// The assistant's name and the company's are nobody's secret.
    #[must_use]
    pub fn except<'a>(mut self, names: impl IntoIterator<Item = &'a str>) -> Self {
        self.own.extend(names.into_iter().map(str::to_lowercase));
        self
    }

    /// Nothing is taken out.
    pub fn is_off(&self) -> bool {
        self.kinds.is_empty()
    }

    /// Words of this customer's record are taken out wherever they stand: `field` is what the record calls them.
    pub fn know(&mut self, field: &str, value: &str) {
        let Some(kind) = stored::kind_of(field) else {
            return;
        };
        self.remember(value, kind);
        if kind == Private::Names {
            value
                .split_whitespace()
                .for_each(|part| self.remember(part, kind));
        }
    }

    /// These words are of this kind wherever they stand.
    fn remember(&mut self, value: &str, kind: Private) {
        let value = value.trim().to_lowercase();
        if value.chars().count() >= 3 && !self.known.iter().any(|(v, _)| *v == value) {
            self.known.push((value, kind));
        }
    }

    /// `proof`: the text answers a question for proof of identity.
    pub fn text(&self, text: &str, proof: bool) -> Redacted {
        if self.kinds.is_empty() || text.is_empty() {
            return Redacted {
                text: text.to_owned(),
                taken: Vec::new(),
            };
        }
        let words = words(text);
        let mut found: Vec<(Range<usize>, Private)> = Vec::new();
        if proof {
            found.extend(answer(&words));
        }
        numbers(&words, &mut found);
        births(&words, &mut found);
        let before = found.len();
        names(&words, &mut found);
        let mut at = 0;
        found.retain(|(range, _)| {
            at += 1;
            at <= before || !self.own.contains(&text[range.clone()].to_lowercase())
        });
        for word in &words {
            let plain = word.plain;
            if plain
                .split_once('@')
                .is_some_and(|(user, host)| !user.is_empty() && host.contains('.'))
            {
                found.push((word.at.clone(), Private::Emails));
            }
        }
        self.known_values(text, &mut found);
        found.retain(|(_, kind)| self.kinds.contains(kind));
        take_out(text, found)
    }

    /// Where values of the customer's record stand, as whole words.
    fn known_values(&self, text: &str, found: &mut Vec<(Range<usize>, Private)>) {
        if self.known.is_empty() {
            return;
        }
        let lower = text.to_lowercase();
        // Lower case may have other lengths; then places would be wrong.
        if lower.len() != text.len() {
            return;
        }
        for (value, kind) in &self.known {
            let mut from = 0;
            while let Some(at) = lower[from..].find(value.as_str()) {
                let range = from + at..from + at + value.len();
                let edge = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric());
                if edge(lower[..range.start].chars().next_back())
                    && edge(lower[range.end..].chars().next())
                {
                    found.push((range.clone(), *kind));
                }
                from = range.end;
            }
        }
    }
}

/// A slot that takes a card's number or what belongs to one, by its name.
pub fn is_card_slot(name: &str) -> bool {
    let name = name.to_lowercase();
    name.contains("security_code")
        || name
            .split('_')
            .any(|part| ["card", "cvv", "cvc", "expiry", "pin"].contains(&part))
}

/// The caller's next words answer a question for proof.
pub fn asks_for_proof(decision: &Decision) -> bool {
    decision.pending == Some(Pending::Verify)
}

impl Redacted {
    /// From when to when the words that were taken out were spoken, where the whole text took from `start` to `end`. Speech is not even:
    /// half a second is added on both sides, and where most of it is private all of it is.
    pub fn spans(&self, text: &str, side: Side, start: u64, end: u64) -> Vec<Span> {
        const MARGIN: u64 = 500;
        let (length, took) = (breath(text).max(1), end.saturating_sub(start));
        let private: u64 = self
            .taken
            .iter()
            .map(|(range, _)| breath(&text[range.clone()]))
            .sum();
        if private * 2 >= length && private > 0 {
            return vec![Span {
                side,
                from: start.saturating_sub(MARGIN),
                to: end + MARGIN,
            }];
        }
        self.taken
            .iter()
            .map(|(range, _)| {
                let from = start + took * breath(&text[..range.start]) / length;
                let to = start + took * breath(&text[..range.end]) / length;
                Span {
                    side,
                    from: from.saturating_sub(MARGIN).max(start),
                    to: (to + MARGIN).min(end + MARGIN),
                }
            })
            .collect()
    }
}

/// How long a text takes to say, in letters: a digit is a word.
fn breath(text: &str) -> u64 {
    text.chars()
        .map(|c| if c.is_ascii_digit() { 5 } else { 1 })
        .sum()
}

fn take_out(text: &str, mut found: Vec<(Range<usize>, Private)>) -> Redacted {
    // The earlier first, of two that begin alike the longer; what overlaps belongs to the first.
    found.sort_by_key(|(range, kind)| (range.start, usize::MAX - range.end, *kind));
    let mut taken: Vec<(Range<usize>, Private)> = Vec::new();
    for (range, kind) in found {
        match taken.last_mut() {
            Some((last, _)) if range.start < last.end => last.end = last.end.max(range.end),
            _ => taken.push((range, kind)),
        }
    }
    let mut out = String::with_capacity(text.len());
    let mut from = 0;
    for (range, kind) in &taken {
        out.push_str(&text[from..range.start]);
        out.push_str(kind.mark());
        from = range.end;
    }
    out.push_str(&text[from..]);
    Redacted { text: out, taken }
}

#[cfg(test)]
mod tests;
