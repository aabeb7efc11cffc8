//! Who is calling: what has been proved, what to ask next, and when to stop asking.
//!
//! Nothing here tells the caller what the record holds: a factor that nearly matches is asked again in the same words as one that
//! does not match at all.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use serde_json::Value;

use super::entity::{self, Locale, Match};
use super::types::{Listen, Tier};

/// Wrong answers to one factor before another is asked.
const TRIES_PER_FACTOR: u32 = 2;
/// Answers that could not be read at all, to one factor, before another is asked.
const UNREAD_PER_FACTOR: u32 = 2;

/// How the customer's record was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FoundBy {
    /// The number the call comes from.
    Number { vouched: bool },
    /// A number or an account the caller stated.
    Stated,
}

/// What an answer to a factor came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    Passed,
    /// Not matched, or only nearly: to be asked again.
    Again,
    /// No answer could be made out of the words.
    Unread,
    /// This factor is given up.
    Spent,
    /// Too many failures in all.
    Locked,
}

/// What has been proved in this call.
#[derive(Debug, Clone, Default)]
pub struct Identity {
    record: Option<Value>,
    found_by: Option<FoundBy>,
    passed: BTreeSet<String>,
    spent: BTreeSet<String>,
    wrong: BTreeMap<String, u32>,
    near: BTreeMap<String, u32>,
    unread: BTreeMap<String, u32>,
    /// What was heard of each code that is said letter by letter, attempt by attempt.
    heard: BTreeMap<String, Vec<String>>,
    failures: u32,
    locked: bool,
}

impl Identity {
    pub fn found(&mut self, record: Value, by: FoundBy) {
        // A second record would carry the first one's proofs: what was proved is proved of one record only.
        if self.record.as_ref() != Some(&record) {
            self.passed.clear();
        }
        self.record = Some(record);
        self.found_by = Some(by);
    }

    /// What was looked up, whether or not anything is proved: for keeping it out of what is stored, never to be said.
    pub(super) fn record(&self) -> Option<&Value> {
        self.record.as_ref()
    }

    pub fn has_record(&self) -> bool {
        self.record.is_some()
    }

    pub fn tier(&self) -> Tier {
        let Some(found_by) = self.found_by else {
            return Tier::None;
        };
        let factors = self.passed.len();
        match (found_by, factors) {
            (FoundBy::Number { vouched: true } | FoundBy::Stated, 1..) | (_, 2..) => Tier::Full,
            (FoundBy::Number { vouched: true }, 0) | (_, 1) => Tier::Basic,
            _ => Tier::None,
        }
    }

    /// The record, for what may be said: none below `basic`.
    pub fn customer(&self) -> Option<&Value> {
        (self.tier() >= Tier::Basic)
            .then_some(self.record.as_ref())
            .flatten()
    }

    /// No more proof is taken in this call.
    pub fn lock(&mut self) {
        self.locked = true;
    }

    pub fn is_locked(&self) -> bool {
        self.locked
    }

    /// The factor to ask for next, in the desk's order.
    pub fn next_factor(&self, factors: &[String]) -> Option<String> {
        let record = self.record.as_ref()?;
        factors
            .iter()
            .find(|factor| {
                !self.passed.contains(*factor)
                    && !self.spent.contains(*factor)
                    && field(record, factor).is_some()
            })
            .cloned()
    }

    /// Takes factors out of words that were not asked for them ("it's Jo Bloggs, SW1A 1AA"). Only exact matches count, and a miss
    /// costs nothing: the caller may not have meant to give one.
    pub fn glean(&mut self, factors: &[String], text: &str, today: Date, locale: &Locale) {
        let Some(record) = &self.record else { return };
        for factor in factors {
            if self.locked || self.passed.contains(factor) || self.spent.contains(factor) {
                continue;
            }
            if let Some(known) = field(record, factor)
                && readable(factor, text, today, locale)
                && entity::factor(factor, text, &known, today, locale) == Match::Exact
            {
                self.passed.insert(factor.clone());
            }
        }
    }

    /// Checks an answer to the factor asked for. `limit`: failures in all before the caller is locked out.
    pub fn check(
        &mut self,
        factor: &str,
        said: &str,
        limit: u32,
        today: Date,
        locale: &Locale,
    ) -> Check {
        if self.locked {
            return Check::Locked;
        }
        let Some(known) = self
            .record
            .as_ref()
            .and_then(|record| field(record, factor))
        else {
            return Check::Spent;
        };
        let matched = match entity::factor(factor, said, &known, today, locale) {
            Match::Exact => Match::Exact,
            alone if spelt(&known) && listen(factor) == Listen::Postcode => {
                let heard = self.heard.entry(factor.to_owned()).or_default();
                heard.push(said.to_owned());
                let all: Vec<Vec<&str>> = heard.iter().map(|h| vec![h.as_str()]).collect();
                // One that nearly tells it proves nothing yet: it is asked for once more.
                match entity::attempts(&all, &known, locale) {
                    Match::Exact if all.len() < 2 => Match::Near,
                    Match::No => alone,
                    together => together,
                }
            }
            alone => alone,
        };
        match matched {
            Match::Exact => {
                self.passed.insert(factor.to_owned());
                Check::Passed
            }
            Match::Near if bump(&mut self.near, factor) == 1 => Check::Again,
            Match::No if !readable(factor, said, today, locale) => {
                if bump(&mut self.unread, factor) > UNREAD_PER_FACTOR {
                    self.spent.insert(factor.to_owned());
                    Check::Spent
                } else {
                    Check::Unread
                }
            }
            Match::Near | Match::No => {
                self.failures += 1;
                if self.failures >= limit.max(1) {
                    self.locked = true;
                    return Check::Locked;
                }
                if bump(&mut self.wrong, factor) >= TRIES_PER_FACTOR {
                    self.spent.insert(factor.to_owned());
                    return Check::Spent;
                }
                Check::Again
            }
        }
    }

    /// The caller cannot or will not give this one.
    pub fn skip(&mut self, factor: &str) {
        self.spent.insert(factor.to_owned());
    }
}

/// What is listened for when a factor is asked.
pub fn listen(factor: &str) -> Listen {
    let factor = factor.to_lowercase();
    if factor.contains("postcode") || factor.contains("zip") || factor.contains("postal") {
        Listen::Postcode
    } else if factor.contains("birth") || factor == "dob" {
        Listen::Date
    } else if factor.contains("name") {
        Listen::Name
    } else {
        Listen::Digits
    }
}

/// A code with letters in it, long enough that two attempts that nearly tell it are no guess: a British postcode has two million
/// neighbours, a ZIP of five figures has too few.
fn spelt(code: &str) -> bool {
    let characters = code.chars().filter(|c| c.is_alphanumeric());
    characters.clone().count() >= 6 && characters.clone().any(char::is_alphabetic)
}

/// Whether the words hold an answer of the factor's kind at all.
fn readable(factor: &str, text: &str, today: Date, locale: &Locale) -> bool {
    match listen(factor) {
        Listen::Postcode => {
            entity::postcode(text, locale).is_some() || entity::identifier(text).is_some()
        }
        Listen::Date => {
            entity::birth_date(text, today, locale).is_some()
                || entity::digits(text).is_some_and(|d| d.len() >= 6)
        }
        Listen::Name => entity::name(text).is_some(),
        _ => {
            entity::digits(text).is_some()
                || entity::identifier(text).is_some()
                || entity::email(text).is_some()
        }
    }
}

fn field(record: &Value, factor: &str) -> Option<String> {
    match super::action::template::dig(record, factor)? {
        Value::String(text) if !text.trim().is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn bump(counts: &mut BTreeMap<String, u32>, key: &str) -> u32 {
    let count = counts.entry(key.to_owned()).or_default();
    *count += 1;
    *count
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(record: &str, answers: &[&str]) -> Vec<Check> {
        let mut identity = Identity::default();
        identity.found(serde_json::json!({ "postcode": record }), FoundBy::Stated);
        let language = if record.len() == 5 { "en-US" } else { "en-GB" };
        let locale = Locale::new(language, None, Some("Europe/London")).unwrap();
        let today = "2026-11-29".parse().unwrap();
        answers
            .iter()
            .map(|said| identity.check("postcode", said, 3, today, &locale))
            .collect()
    }

    #[test]
    fn two_attempts_that_each_miss_another_sound_prove_a_code() {
        let heard = asked("LE7 4BQ", &["l e seven four p q", "l a seven four b q"]);
        assert_eq!(heard, [Check::Again, Check::Passed]);
        // Another code does not become right by being said again.
        let other = asked("LE7 4BQ", &["m k nine two r t", "m k nine two r t"]);
        assert_eq!(other, [Check::Again, Check::Spent]);
    }

    #[test]
    fn a_code_of_few_figures_is_said_right_or_not_at_all() {
        let heard = asked(
            "94117",
            &["nine four one one five", "nine four one one nine"],
        );
        assert!(!heard.contains(&Check::Passed), "{heard:?}");
    }
}
