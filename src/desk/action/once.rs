//! Exactly once: what counts as the same effect, and what the answer to "what became of it?" means.
//!
//! A write has one key. It is in the ledger before it is sent, and is sent once. Where no answer came, the back office is asked what
//! became of the key; it is never told again to do it.

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::desk::types::{Ask, Outcome, Request};

/// What asking came to.
#[derive(Debug, Clone, PartialEq)]
pub enum Found {
    /// It was done; the result, as the answer to the write itself would have had it.
    Done(Value),
    /// It was received and not done.
    Refused(String),
    /// The back office knows of no such write. It may still be on its way.
    Absent,
    /// Not known yet: not finished, or the question was not answered.
    Open(String),
}

impl Ask {
    /// The question as a request of its own.
    pub fn request(&self, name: &str) -> Request {
        Request {
            method: self.method.clone(),
            path: self.path.clone(),
            name: name.to_owned(),
            tool: self.tool.clone().map(Box::new),
            ..Request::default()
        }
    }

    /// What the answer to the question means.
    pub fn read(&self, outcome: Outcome) -> Found {
        let answer = match outcome {
            Outcome::Done(answer) => answer,
            Outcome::NotFound => return Found::Absent,
            Outcome::Refused(why) | Outcome::Failed(why) | Outcome::Unknown(why) => {
                return Found::Open(format!("asked what became of it, and got no answer: {why}"));
            }
            Outcome::Before(_) | Outcome::Limited | Outcome::DryRun => {
                return Found::Open("it could not be asked what became of it".into());
            }
        };
        if answer.is_null() {
            return Found::Open("asked what became of it, and the answer was empty".into());
        }
        let result = |answer: Value| answer.get(&self.result).cloned().unwrap_or(answer);
        let Some(status) = answer.get(&self.status).and_then(Value::as_str) else {
            return Found::Done(result(answer));
        };
        let word = status.trim().to_lowercase();
        if self.done.contains(&word) {
            Found::Done(result(answer))
        } else if ["not_found", "none", "unknown_key"].contains(&word.as_str()) {
            Found::Absent
        } else if self.failed.contains(&word) {
            Found::Refused(format!("the back office says that it {word}"))
        } else {
            Found::Open(format!("the back office says that it is {word}"))
        }
    }
}

/// The effect a write is meant to have: the same for the same customer, action and values, whatever the call. None where nobody knows
/// whose account it is about.
pub fn effect(request: &Request) -> Option<String> {
    let terms = request.terms.as_ref()?;
    let customer = terms.customer.as_deref()?;
    let mut hash = Sha256::new();
    let slots = Value::Object(request.slots.clone());
    for part in [
        customer,
        request.name.as_str(),
        request.path.as_str(),
        &canonical(&slots),
    ] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    Some(
        hash.finalize()
            .iter()
            .take(16)
            .map(|b| format!("{b:02x}"))
            .collect(),
    )
}

/// JSON with its keys in order.
fn canonical(value: &Value) -> String {
    match value {
        Value::Object(fields) => {
            let mut sorted: Vec<(&String, &Value)> = fields.iter().collect();
            sorted.sort_by_key(|(name, _)| name.as_str());
            let parts = sorted
                .iter()
                .map(|(name, value)| format!("{name:?}:{}", canonical(value)));
            format!("{{{}}}", parts.collect::<Vec<_>>().join(","))
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desk::types::Terms;
    use serde_json::json;

    fn ask() -> Ask {
        Ask {
            status: "status".into(),
            result: "result".into(),
            done: vec!["done".into()],
            failed: vec!["failed".into()],
            ..Ask::default()
        }
    }

    #[test]
    fn answers_mean_what_they_say() {
        let result = json!({"amount": "$5"});
        for (answer, found) in [
            (
                json!({"status": "Done", "result": result}),
                Found::Done(result.clone()),
            ),
            (result.clone(), Found::Done(result.clone())),
            (json!({"status": "not_found"}), Found::Absent),
        ] {
            assert_eq!(ask().read(Outcome::Done(answer)), found);
        }
        assert_eq!(ask().read(Outcome::NotFound), Found::Absent);
        for open in [
            Outcome::Done(json!({"status": "pending"})),
            Outcome::Done(Value::Null),
            Outcome::Unknown("cut".into()),
            // "You may not ask" says nothing about the write.
            Outcome::Refused("403".into()),
        ] {
            assert!(matches!(ask().read(open), Found::Open(_)));
        }
        let failed = ask().read(Outcome::Done(json!({"status": "failed"})));
        assert!(matches!(failed, Found::Refused(_)));
    }

    #[test]
    fn one_effect_is_one_whatever_the_call() {
        let request = |key: &str, slots: Value, customer: Option<&str>| Request {
            idempotency_key: Some(key.into()),
            name: "pay".into(),
            path: "/pay".into(),
            slots: slots.as_object().cloned().unwrap_or_default(),
            terms: Some(Box::new(Terms {
                customer: customer.map(str::to_owned),
                ..Terms::default()
            })),
            ..Request::default()
        };
        let a = effect(&request("a", json!({"x": 1, "y": 2}), Some("c1")));
        assert!(a.is_some());
        assert_eq!(
            a,
            effect(&request("b", json!({"y": 2, "x": 1}), Some("c1")))
        );
        assert_ne!(
            a,
            effect(&request("a", json!({"x": 1, "y": 3}), Some("c1")))
        );
        assert_ne!(
            a,
            effect(&request("a", json!({"x": 1, "y": 2}), Some("c2")))
        );
        assert_eq!(None, effect(&request("a", json!({"x": 1}), None)));
    }
}
