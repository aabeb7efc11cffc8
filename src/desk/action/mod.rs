//! Doing something for the caller: what it needs, what is sent, what is said of the result.

pub mod choose;
pub mod once;
pub mod part;
pub mod render;
pub mod slots;
pub mod template;
pub mod undo;

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::desk::config::{Action, ActionKind, SlotType};

use choose::Item;
use slots::Filled;

/// An action that has been begun and not finished.
#[derive(Debug, Clone)]
pub struct Running {
    pub action: Action,
    pub filled: BTreeMap<String, Filled>,
    /// What a changed value was before: "no, the one before".
    pub before: BTreeMap<String, Filled>,
    /// Times each slot was asked for.
    pub asked: BTreeMap<String, u32>,
    /// A code that was heard in part.
    pub part: Option<part::Part>,
    /// Caller's words that began it; values in them are used when their turn comes.
    pub words: String,
    /// Items the caller is choosing from, and the request's name for them.
    pub choosing: Option<(String, Vec<Item>)>,
    /// Names already looked for through a read action: not twice.
    pub looked: Vec<String>,
    /// When the caller said it is due.
    pub due: Option<jiff::civil::Date>,
    pub confirmed: bool,
    /// The confirmation was asked for and the caller gave no clear answer, times.
    pub unclear: u32,
    /// Questions beside it that nothing answered.
    pub unknown: u32,
    /// A value that was given and is outside the limits: phrase key and limit, to be said when the slot is asked for.
    pub outside: BTreeMap<String, (&'static str, String)>,
    pub retried: bool,
    /// It takes back what was done before in this call.
    pub undoes: bool,
}

/// Placeholders that are made when a request is.
pub const MADE: [&str; 3] = ["idempotency_key", "today", "call_id"];

impl Running {
    pub fn new(action: Action, words: &str) -> Self {
        Self {
            action,
            filled: BTreeMap::new(),
            before: BTreeMap::new(),
            asked: BTreeMap::new(),
            part: None,
            words: words.to_owned(),
            choosing: None,
            looked: Vec::new(),
            due: None,
            confirmed: false,
            unclear: 0,
            unknown: 0,
            outside: BTreeMap::new(),
            retried: false,
            undoes: false,
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

    /// Every placeholder of the request that has to be found, in order, each once.
    pub fn needs(&self) -> Vec<String> {
        let request = &self.action.request;
        let mut names = template::names(&request.path);
        let tool = request.tool.as_ref().map(|tool| &tool.arguments);
        for body in request.body.iter().chain(tool) {
            for name in template::names_in(body) {
                if !names.contains(&name) {
                    names.push(name);
                }
            }
        }
        names.retain(|name| !MADE.contains(&name.as_str()));
        names
    }

    /// What is done, as a verb: "reschedule your payment", "look up your next payment".
    pub fn in_words(&self) -> String {
        in_words(&self.action.name, self.action.kind)
    }

    /// "I'll book an engineer: Friday 27 November, morning", slots in the order they are asked for.
    pub fn described(&self) -> String {
        let mut said = format!("I'll {}", self.in_words());
        // An item found for the caller says what it is by itself; a key of the record is not worth saying.
        let mut parts: Vec<String> = self
            .filled
            .iter()
            .filter(|(name, filled)| {
                !filled.said.is_empty() && !self.action.slots.iter().any(|s| s.name == **name)
            })
            .map(|(_, filled)| filled.said.clone())
            .collect();
        for slot in &self.action.slots {
            let Some(filled) = self.filled.get(&slot.name) else {
                continue;
            };
            parts.push(match slot.type_ {
                // These say what they are; a bare number or a code does not.
                SlotType::Date | SlotType::Money | SlotType::Choice => filled.said.clone(),
                _ => format!("{} {}", render::words(&slot.name), filled.said),
            });
        }
        if !parts.is_empty() {
            said.push_str(": ");
            said.push_str(&parts.join(", "));
        }
        said
    }
}

/// Verbs that actions are named with.
const VERBS: [&str; 62] = [
    "accept",
    "activate",
    "add",
    "apply",
    "approve",
    "arrange",
    "block",
    "book",
    "buy",
    "cancel",
    "change",
    "check",
    "claim",
    "close",
    "confirm",
    "create",
    "decline",
    "delete",
    "disable",
    "enable",
    "end",
    "extend",
    "file",
    "fix",
    "freeze",
    "get",
    "give",
    "issue",
    "lift",
    "lock",
    "log",
    "make",
    "move",
    "open",
    "opt",
    "order",
    "pause",
    "pay",
    "raise",
    "refund",
    "register",
    "remove",
    "renew",
    "replace",
    "report",
    "request",
    "reschedule",
    "reset",
    "resend",
    "restart",
    "resume",
    "schedule",
    "send",
    "set",
    "start",
    "stop",
    "submit",
    "switch",
    "take",
    "turn",
    "unblock",
    "update",
];
/// Of those, the ones that bring about something new: "book an engineer", not "your engineer".
const MAKING: [&str; 12] = [
    "arrange", "book", "create", "file", "log", "make", "open", "order", "raise", "report",
    "request", "schedule",
];
/// And the ones whose object is best named bare: "add data".
const BARE: [&str; 6] = ["add", "buy", "get", "give", "apply", "claim"];
/// Verbs of actions that only look.
const LOOKING: [&str; 10] = [
    "check", "fetch", "find", "get", "list", "look", "read", "show", "track", "view",
];

/// An action's name as a verb and its object: `reschedule_payment` is "reschedule your payment", `book_visit` "book a visit",
/// `next_payment` (a read) "look up your next payment".
pub fn in_words(name: &str, kind: ActionKind) -> String {
    let words = render::words(name);
    let (verb, rest) = words.split_once(' ').unwrap_or((words.as_str(), ""));
    let known = match kind {
        ActionKind::Read => LOOKING.contains(&verb),
        ActionKind::Write => VERBS.contains(&verb),
    };
    if !known {
        return match kind {
            ActionKind::Read => format!("look up your {words}"),
            ActionKind::Write => format!("see to your {words}"),
        };
    }
    let settled = [
        "a", "an", "the", "my", "your", "up", "off", "on", "out", "now", "in", "back",
    ];
    if rest.is_empty() || settled.contains(&first(rest)) {
        return words;
    }
    if kind == ActionKind::Write && BARE.contains(&verb) {
        return words;
    }
    if kind == ActionKind::Write && MAKING.contains(&verb) && !rest.ends_with('s') {
        let article = if rest.starts_with(['a', 'e', 'i', 'o', 'u']) {
            "an"
        } else {
            "a"
        };
        return format!("{verb} {article} {rest}");
    }
    format!("{verb} your {rest}")
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
    fn an_option_that_is_named_to_be_refused_is_not_chosen() {
        for (option, text, refused) in [
            ("text", "I don't want the reminder texts anymore", true),
            ("email", "stop the email reminders", true),
            ("off", "whatever you do don't turn my autopay off", true),
            ("text", "I don't want emails, send me texts", false),
            ("text", "not email but text", false),
            ("email", "please remind me by email", false),
            ("none", "none please", false),
            ("off", "I can't log in, turn it off", false),
        ] {
            assert_eq!(slots::turned_down(option, text), refused, "{text}");
        }
    }

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
        let write = |name| in_words(name, ActionKind::Write);
        assert_eq!(write("reschedule_payment"), "reschedule your payment");
        assert_eq!(write("opt_out"), "opt out");
        assert_eq!(write("refund"), "refund");
        assert_eq!(write("book_engineer"), "book an engineer");
        assert_eq!(write("add_data"), "add data");
        assert_eq!(write("replacement_sim"), "see to your replacement sim");
        let read = |name| in_words(name, ActionKind::Read);
        assert_eq!(read("bill_due"), "look up your bill due");
        assert_eq!(read("order_progress"), "look up your order progress");
        assert_eq!(read("check_balance"), "check your balance");
    }
}
