//! What the articles call by name or number, and what a question calls so.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::asked::Asked;
use super::desk::Desk;
use super::text::{MONTHS, is_stop, is_weekday, words};

impl Desk {
    /// Something the question names that the desk knows others of and not this one: "Fibre 900" where there are Fibre 100 and
    /// Fibre 500. What is said of the others must not be said of it.
    pub fn names_unknown(&self, question: &str) -> Option<String> {
        let w = words(question);
        if Asked::of(question) == Asked::Amount {
            // "How much is a denture?", where no article has the word: the price of something else is not its price.
            let subjects: Vec<&String> = w
                .iter()
                .filter(|word| {
                    !is_stop(word)
                        && !matches!(
                            word.as_str(),
                            "much"
                                | "cost"
                                | "costs"
                                | "price"
                                | "prices"
                                | "fee"
                                | "fees"
                                | "charge"
                                | "cheapest"
                                | "free"
                                | "pay"
                                | "new"
                                | "kind"
                                | "kinds"
                                | "sort"
                                | "type"
                                | "stuff"
                                | "does"
                                | "um"
                                | "uh"
                                | "er"
                        )
                })
                .collect();
            if let Some(first) = subjects.first()
                && subjects
                    .iter()
                    .all(|word| !self.index.knows(&self.stems.stem(word)))
            {
                return Some((*first).clone());
            }
        }
        w.windows(2).find_map(|pair| {
            let (name, number) = (&pair[0], &pair[1]);
            if is_stop(name) || number.len() < 2 || !number.chars().all(|c| c.is_ascii_digit()) {
                return None;
            }
            let known = self.numbered.get(name)?;
            (!known.contains(number)).then(|| format!("{name} {number}"))
        })
    }
}

/// What the articles call by name: words that stand with a capital inside a sentence and never without one, and numbers of two
/// digits or more. Days and months are no names: "Monday to Friday" speaks of Wednesday.
pub(super) fn named<'a>(texts: impl Iterator<Item = &'a str>, company: &str) -> HashSet<String> {
    let mut names: HashSet<String> = HashSet::new();
    let mut plain: HashSet<String> = words(company).into_iter().collect();
    for text in texts {
        for (at, token) in text.split_whitespace().enumerate() {
            let word = token.trim_matches(|c: char| !c.is_alphanumeric());
            let Some(first) = words(word).into_iter().next() else {
                continue;
            };
            let digits = first.bytes().all(|b| b.is_ascii_digit());
            // "a.m.", "8:30", "$7.50" are figures and abbreviations, not names.
            let whole = word.chars().all(char::is_alphanumeric);
            if digits && whole && token.starts_with(|c: char| c.is_ascii_digit()) {
                if first.len() >= 2 {
                    names.insert(first);
                }
            } else if word.starts_with(char::is_uppercase) {
                if at > 0 && whole && first.len() > 2 {
                    names.insert(first);
                }
            } else {
                plain.insert(first);
            }
        }
    }
    let date = |name: &str| is_weekday(name) || name == "i" || MONTHS.contains(&name);
    names.retain(|name| !plain.contains(name) && !date(name) && !is_stop(name));
    names
}

/// Words of the articles that stand before numbers of two digits or more as a name does (with a capital, "Fibre 500"), and which.
pub(super) fn numbered<'a>(
    texts: impl Iterator<Item = &'a str>,
) -> HashMap<String, BTreeSet<String>> {
    let mut out: HashMap<String, BTreeSet<String>> = HashMap::new();
    for text in texts {
        let tokens: Vec<&str> = text.split_whitespace().collect();
        for (at, pair) in tokens.windows(2).enumerate() {
            let number = pair[1].trim_end_matches(|c: char| !c.is_alphanumeric());
            let named = pair[0].starts_with(char::is_uppercase)
                && pair[0].chars().all(char::is_alphabetic)
                // The first word of a sentence has its capital for another reason.
                && (at > 0 || text.starts_with(pair[0]) && pair[0].len() > 3);
            if named && number.len() >= 2 && number.chars().all(|c| c.is_ascii_digit()) {
                out.entry(pair[0].to_lowercase())
                    .or_default()
                    .insert(number.to_owned());
            }
        }
    }
    // One of a kind is no series: "Section 75", "Monday 12".
    out.retain(|_, numbers| numbers.len() >= 2);
    out
}
