//! A code of which a part was heard: that part is kept, and only the rest of it is asked for.

use crate::desk::config::{Slot, SlotType};
use crate::desk::entity;

use super::slots::{is_long, is_short};

/// Fewer characters than this are no part worth keeping.
const LEAST: usize = 3;

/// What is known of a code: how it begins and, where its middle or its beginning was missed, how it ends. As they are read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    slot: String,
    pub head: String,
    pub tail: String,
}

/// What the words of one turn come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// These words are to be read as the whole code.
    Whole(String),
    Part(Part),
}

impl Part {
    /// Its last known character before what is missing, and the first one after it.
    pub fn ends(&self) -> (String, String) {
        let last = self.head.chars().next_back().map(String::from);
        let first = self.tail.chars().next().map(String::from);
        (last.unwrap_or_default(), first.unwrap_or_default())
    }
}

/// Takes words said where a slot's code was asked for. `before`: what is known of it. `unclear`: characters that were heard unsurely,
/// from the first to one past the last.
pub fn hear(
    slot: &Slot,
    before: Option<&Part>,
    text: &str,
    unclear: Option<(u8, u8)>,
) -> Option<Heard> {
    let code = code_of(slot, text)?;
    let groups = entity::grouped(text, &code);
    let said = entity::read_back(&code, groups);
    let fits = |code: &str| !is_short(slot, code) && !is_long(slot, code);
    let part = |head: &str, tail: &str| {
        let (head, tail) = (trimmed(head), trimmed(tail));
        Heard::Part(Part {
            slot: slot.name.clone(),
            head: head.to_owned(),
            tail: tail.to_owned(),
        })
    };
    if let Some(before) = before.filter(|before| before.slot == slot.name) {
        // All of it was said again.
        if fits(&code) && (slot.min.is_some() || bare(&before.head).len() + 2 < code.len()) {
            return Some(Heard::Whole(said));
        }
        let (head, tail) = (bare(&before.head), bare(&before.tail));
        let joined = |rest: &str| format!("{head}{rest}{tail}");
        // Who is asked what comes after the seven may begin with the seven.
        let repeated = (1..=head.len().min(code.len() - 1))
            .rev()
            .find(|n| head.ends_with(&code[..*n]))
            .unwrap_or(0);
        let rest = if is_long(slot, &joined(&code)) {
            &code[repeated..]
        } else {
            &code
        };
        let spaced = if rest.len() == code.len() {
            said
        } else {
            entity::read_back(rest, None)
        };
        let words = [before.head.as_str(), &spaced, &before.tail];
        let words: Vec<&str> = words.into_iter().filter(|w| !w.is_empty()).collect();
        return match joined(rest) {
            whole if fits(&whole) => Some(Heard::Whole(words.join(", "))),
            short if is_short(slot, &short) && tail.is_empty() => Some(part(&words.join(", "), "")),
            _ => None,
        };
    }
    if is_short(slot, &code) && code.len() >= LEAST {
        return Some(part(&said, ""));
    }
    let (from, to) = unclear.map(|(from, to)| (usize::from(from), usize::from(to)))?;
    // What is known has to be most of it; else all of it is asked for again.
    let known = from + code.len().saturating_sub(to);
    if !fits(&code) || to > code.len() || from >= to || known < LEAST.max(code.len() / 2) {
        return None;
    }
    Some(part(before_nth(&said, from), after_nth(&said, to)))
}

fn code_of(slot: &Slot, text: &str) -> Option<String> {
    match slot.type_ {
        SlotType::Digits => entity::digits(text),
        SlotType::Identifier => entity::identifier(text).or_else(|| entity::digits(text)),
        _ => None,
    }
    .filter(|code| code.is_ascii())
}

fn bare(said: &str) -> String {
    said.chars().filter(|c| c.is_alphanumeric()).collect()
}

fn trimmed(said: &str) -> &str {
    said.trim_matches(|c: char| !c.is_alphanumeric())
}

/// What is said up to the `n`th character of a code.
fn before_nth(said: &str, n: usize) -> &str {
    let mut at = said.char_indices().filter(|(_, c)| c.is_alphanumeric());
    at.nth(n).map_or(said, |(at, _)| &said[..at])
}

fn after_nth(said: &str, n: usize) -> &str {
    let mut at = said.char_indices().filter(|(_, c)| c.is_alphanumeric());
    at.nth(n).map_or("", |(at, _)| &said[at..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desk::config::Limit;

    fn slot() -> Slot {
        Slot {
            name: "number".into(),
            type_: SlotType::Digits,
            ask: "What's the number?".into(),
            min: Some(Limit::Number(8.0)),
            max: Some(Limit::Number(8.0)),
            choices: Vec::new(),
            optional: false,
        }
    }

    fn part(head: &str, tail: &str) -> Part {
        Part {
            slot: "number".into(),
            head: head.into(),
            tail: tail.into(),
        }
    }

    #[test]
    fn the_rest_is_joined_to_what_was_heard() {
        let first = hear(&slot(), None, "four one seven", None);
        let known = part("4 1 7", "");
        assert_eq!(first, Some(Heard::Part(known.clone())));
        let whole = |said: &str| Some(Heard::Whole(said.into()));
        for (rest, want) in [
            ("two two, nine oh five", whole("4 1 7, 2 2, 9 0 5")),
            ("it's 2 2 9 0 5", whole("4 1 7, 2 2 9 0 5")),
            // The last one repeated, and all of it repeated.
            ("7 2 2 9 0 5", whole("4 1 7, 2 2 9 0 5")),
            ("41 72 29 05", whole("4 1, 7 2, 2 9, 0 5")),
            // Still not all.
            ("two two", Some(Heard::Part(part("4 1 7, 2 2", "")))),
            ("I don't know", None),
        ] {
            assert_eq!(hear(&slot(), Some(&known), rest, None), want, "{rest}");
        }
    }

    #[test]
    fn only_what_was_unclear_is_asked_for() {
        let hear = |unclear| hear(&slot(), None, "417, 22, 905", Some(unclear));
        let known = |head: &str, tail: &str| Some(Heard::Part(part(head, tail)));
        assert_eq!(hear((5, 8)), known("4 1 7, 2 2", ""));
        assert_eq!(hear((0, 3)), known("", "2 2, 9 0 5"));
        assert_eq!(hear((3, 5)), known("4 1 7", "9 0 5"));
        assert_eq!(hear((1, 8)), None, "too little is known");
        let middle = part("4 1 7", "9 0 5");
        let whole = super::hear(&slot(), Some(&middle), "double two", None);
        assert_eq!(whole, Some(Heard::Whole("4 1 7, 2 2, 9 0 5".into())));
    }
}
