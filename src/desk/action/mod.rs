//! Doing something for the caller: what it needs, what is sent, what is said of the result.

pub mod choose;
pub mod render;
pub mod slots;
pub mod template;

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::desk::config::{Action, ActionKind};

use choose::Item;
use slots::Filled;

/// An action that has been begun and not finished.
#[derive(Debug, Clone)]
pub struct Running {
    pub action: Action,
    pub filled: BTreeMap<String, Filled>,
    /// Times each slot was asked for.
    pub asked: BTreeMap<String, u32>,
    /// Caller's words that began it; values in them are used when their turn comes.
    pub words: String,
    /// Items the caller is choosing from, and the request's name for them.
    pub choosing: Option<(String, Vec<Item>)>,
    /// Names already looked for through a read action: not twice.
    pub looked: Vec<String>,
    pub confirmed: bool,
    /// The confirmation was asked for and the caller gave no clear answer, times.
    pub unclear: u32,
    pub retried: bool,
}

impl Running {
    pub fn new(action: Action, words: &str) -> Self {
        Self {
            action,
            filled: BTreeMap::new(),
            asked: BTreeMap::new(),
            words: words.to_owned(),
            choosing: None,
            looked: Vec::new(),
            confirmed: false,
            unclear: 0,
            retried: false,
        }
    }

    /// Slot values as they go into the record, the request and the key.
    pub fn values(&self) -> Map<String, Value> {
        self.filled
            .iter()
            .map(|(name, filled)| (name.clone(), filled.value.clone()))
            .collect()
    }

    pub fn is_write(&self) -> bool {
        self.action.kind == ActionKind::Write
    }

    /// Every placeholder of the request, in order, each once.
    pub fn needs(&self) -> Vec<String> {
        let request = &self.action.request;
        let mut names = template::names(&request.path);
        if let Some(body) = &request.body {
            for name in template::names_in(body) {
                if !names.contains(&name) {
                    names.push(name);
                }
            }
        }
        names
    }

    /// "reschedule your payment: new date Friday 27 November".
    pub fn described(&self) -> String {
        let mut said = format!("I'll {}", in_words(&self.action.name));
        let mut parts = Vec::new();
        for (name, filled) in &self.filled {
            if self.action.slots.iter().any(|slot| slot.name == *name) {
                parts.push(format!("{} {}", render::words(name), filled.said));
            } else {
                // An item found for the caller says what it is by itself; a key of the record is not worth saying.
                if !filled.said.is_empty() {
                    parts.insert(0, filled.said.clone());
                }
            }
        }
        if !parts.is_empty() {
            said.push_str(", ");
            said.push_str(&render::list(&parts, "and"));
        }
        said
    }
}

/// `reschedule_payment` as "reschedule your payment".
pub fn in_words(name: &str) -> String {
    let words = render::words(name);
    match words.split_once(' ') {
        Some((verb, rest))
            if !["a", "an", "the", "my", "your", "up", "off", "on", "out"]
                .contains(&first(rest)) =>
        {
            format!("{verb} your {rest}")
        }
        _ => words,
    }
}

fn first(text: &str) -> &str {
    text.split(' ').next().unwrap_or_default()
}

/// One key for one intended effect: the same call, action and values always give the same key, so a repeated send is recognised.
pub fn key(call_id: &str, action: &str, slots: &Map<String, Value>, path: &str) -> String {
    let mut sorted: Vec<(&String, &Value)> = slots.iter().collect();
    sorted.sort_by_key(|(name, _)| name.as_str());
    let mut hash = Sha256::new();
    for part in [call_id, action, path] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    for (name, value) in sorted {
        let value = value.to_string();
        hash.update((name.len() as u64).to_be_bytes());
        hash.update(name.as_bytes());
        hash.update((value.len() as u64).to_be_bytes());
        hash.update(value.as_bytes());
    }
    let hex: String = hash
        .finalize()
        .iter()
        .take(16)
        .map(|b| format!("{b:02x}"))
        .collect();
    format!("fl-{hex}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_key_is_one_effect() {
        let slots = |v: Value| v.as_object().cloned().unwrap_or_default();
        let a = key("call-1", "move", &slots(json!({"a": 1, "b": "x"})), "/p/1");
        assert_eq!(
            a,
            key("call-1", "move", &slots(json!({"b": "x", "a": 1})), "/p/1")
        );
        assert_ne!(
            a,
            key("call-2", "move", &slots(json!({"a": 1, "b": "x"})), "/p/1")
        );
        assert_ne!(
            a,
            key("call-1", "move", &slots(json!({"a": 2, "b": "x"})), "/p/1")
        );
        assert_ne!(
            a,
            key("call-1", "move", &slots(json!({"a": 1, "b": "x"})), "/p/2")
        );
    }

    #[test]
    fn names_become_words() {
        assert_eq!(in_words("reschedule_payment"), "reschedule your payment");
        assert_eq!(in_words("opt_out"), "opt out");
        assert_eq!(in_words("refund"), "refund");
    }
}
