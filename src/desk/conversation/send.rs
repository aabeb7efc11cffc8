//! Requests: made from what was gathered, in the record before they go, and sent once.

use serde_json::Value;

use crate::desk::action::template::{self, Fill};
use crate::desk::action::{self, Running};
use crate::desk::record::{ActionRecord, ActionStatus};
use crate::desk::types::{Next, Reply, Request, Route};

use super::{Conversation, Flight, Purpose, Waiting};

impl Conversation {
    pub(super) fn make_request(&mut self, running: &Running) -> Option<Request> {
        let values = running.values();
        let number = self.number().map(str::to_owned);
        let fill = Fill {
            slots: &values,
            customer: self.identity.customer(),
            result: None,
            caller_number: number.as_deref(),
        };
        let template = &running.action.request;
        let path = template::path(&template.path, fill).ok()?;
        let body = match &template.body {
            Some(body) => Some(template::body(&without_open(body, running, &values), fill).ok()?),
            None => None,
        };
        let key = running
            .is_write()
            .then(|| action::key(&self.call_id, &running.action.name, &values, &path));
        Some(Request {
            id: self.request_id(),
            method: template.method.to_uppercase(),
            path,
            body,
            idempotency_key: key,
            name: running.action.name.clone(),
            slots: values,
        })
    }

    pub(super) fn note(&mut self, running: &Running, request: &Request) -> usize {
        self.actions.push(ActionRecord {
            name: running.action.name.clone(),
            slots: request.slots.clone(),
            confirmed: running.confirmed,
            idempotency_key: request.idempotency_key.clone(),
            // Until the back office answers, nobody knows.
            status: ActionStatus::Unknown,
            result: Value::Null,
        });
        self.actions.len() - 1
    }

    /// Sends it, once: from here on a yes said again changes nothing.
    pub(super) fn send(&mut self, running: Running) -> Reply {
        let Some(request) = self.make_request(&running) else {
            return self.transfer("missing_data");
        };
        let at = self.note(&running, &request);
        self.flights.push(Flight {
            id: request.id,
            purpose: Purpose::Action(Box::new(running.clone())),
            record: Some(at),
        });
        self.waiting = Waiting::Request;
        self.lead_phrase(if running.is_write() {
            "doing"
        } else {
            "looking"
        });
        self.reply(
            Route::Act,
            &format!("sends {}", running.action.name),
            Next::Request(request),
        )
    }
}

/// The body without the optional slots the caller left open.
fn without_open(body: &Value, running: &Running, values: &serde_json::Map<String, Value>) -> Value {
    let open = |value: &Value| {
        template::names_in(value).iter().any(|name| {
            !values.contains_key(name)
                && running
                    .action
                    .slots
                    .iter()
                    .any(|slot| slot.optional && slot.name == *name)
        })
    };
    match body {
        Value::Object(fields) => Value::Object(
            fields
                .iter()
                .filter(|(_, value)| value.is_object() || !open(value))
                .map(|(key, value)| (key.clone(), without_open(value, running, values)))
                .collect(),
        ),
        other => other.clone(),
    }
}
