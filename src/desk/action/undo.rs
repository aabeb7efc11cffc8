//! "No, put it back": an action taken back by the one that the desk names for it.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde_json::Value;

use crate::desk::config::{Slot, SlotType};
use crate::desk::entity::Locale;
use crate::desk::inquiry::social::{holds, plain};

use super::render;
use super::slots::Filled;

/// Words longer than this are about more than what was just done.
const SHORT: usize = 12;

/// What was done and can be taken back.
#[derive(Debug, Clone)]
pub struct Undoable {
    /// The action that takes it back.
    pub action: String,
    pub filled: BTreeMap<String, Filled>,
    /// What was done, in words.
    pub what: String,
}

/// Whether the words take back what was just done.
pub fn wanted(text: &str) -> bool {
    let words = plain(text);
    if words.split_whitespace().count() > SHORT {
        return false;
    }
    let asks_about_later = ["later", "if i", "how do i", "how long", "dont", "do not"]
        .iter()
        .any(|sign| holds(&words, sign));
    !asks_about_later
        && [
            "put it back",
            "put that back",
            "change it back",
            "change that back",
            "move it back",
            "move that back",
            "set it back",
            "switch it back",
            "turn it back",
            "take it back",
            "take that back",
            "undo",
            "undo it",
            "undo that",
            "reverse it",
            "reverse that",
            "revert it",
            "revert that",
            "back to how it was",
            "back the way it was",
            "back to what it was",
            "as it was before",
            "the way it was before",
            "cancel that again",
            "that was a mistake",
            "i didnt mean that",
            "ive changed my mind",
            "i changed my mind",
        ]
        .iter()
        .any(|sign| holds(&words, sign))
}

/// A slot filled with a value as the system has it. None where it is none of the slot's kind: then the caller is asked.
pub fn filled(slot: &Slot, value: &Value, locale: &Locale, today: Date) -> Option<Filled> {
    let text = match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        Value::Bool(flag) => flag.to_string(),
        _ => return None,
    };
    if text.is_empty() {
        return None;
    }
    match slot.type_ {
        SlotType::Date => {
            let date: Date = text.get(..10)?.parse().ok()?;
            Some(Filled {
                value: Value::String(date.to_string()),
                said: render::date(date, locale, today),
            })
        }
        SlotType::Money => {
            let amount: String = text
                .chars()
                .filter(|c| c.is_ascii_digit() || *c == '.')
                .collect();
            let major: f64 = amount.parse().ok()?;
            let minor = (major * 100.0).round() as i64;
            (minor > 0).then(|| Filled {
                value: serde_json::json!(major),
                said: render::money(minor, &locale.currency),
            })
        }
        SlotType::Number => {
            let number: f64 = text.parse().ok()?;
            Some(Filled {
                value: value.clone(),
                said: number.to_string(),
            })
        }
        SlotType::Choice => slot
            .choices
            .iter()
            .find(|choice| choice.eq_ignore_ascii_case(&text))
            .map(|choice| Filled {
                value: Value::String(choice.clone()),
                said: choice.clone(),
            }),
        SlotType::Digits | SlotType::Identifier => Some(Filled {
            said: text.chars().map(String::from).collect::<Vec<_>>().join(" "),
            value: Value::String(text),
        }),
        SlotType::Name | SlotType::Text => Some(Filled {
            said: text.clone(),
            value: Value::String(text),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn taking_back_is_heard() {
        for yes in [
            "No, put it back.",
            "Actually, can you undo that?",
            "Oh no, that was a mistake, change it back please",
            "I've changed my mind",
        ] {
            assert!(wanted(yes), "{yes}");
        }
        for no in [
            "Can I change it back later?",
            "Thanks, that's all.",
            "When do I get my money back?",
            "Call me back tomorrow",
            "Don't undo it",
            "I want to put the phone back into its box and send it, how does that work and what does it cost me",
        ] {
            assert!(!wanted(no), "{no}");
        }
    }
}
