//! Requests: made from what was gathered, in the record before they go, and sent once.

use serde_json::Value;

use crate::desk::action::template::{self, Fill};
use crate::desk::action::{self, Running};
use crate::desk::config::ToolTemplate;
use crate::desk::record::{ActionRecord, ActionStatus};
use crate::desk::types::{Ask, Next, Reply, Request, Route, Terms, ToolCall};

use super::{Conversation, Flight, Purpose, Waiting};

impl Conversation {
    pub(super) fn make_request(&mut self, running: &Running) -> Option<Request> {
        let values = running.values();
        let number = self.number().map(str::to_owned);
        let mut slots = values.clone();
        slots.insert("today".into(), self.today().to_string().into());
        slots.insert("call_id".into(), self.call_id.clone().into());
        let fill = Fill {
            slots: &slots,
            customer: self.identity.customer(),
            result: None,
            caller_number: number.as_deref(),
        };
        let template = &running.action.request;
        let path = match &template.tool {
            Some(_) => template.path.clone(),
            None => template::path(&template.path, fill).ok()?,
        };
        // Where it is done a second time on purpose (the desk allows more than one a call), it is another effect.
        let done = self.done_already(&running.action.name, &values);
        let key = running.is_write().then(|| {
            action::key(
                &self.call_id,
                &running.action.name,
                &values,
                &format!("{path}{}", "+".repeat(done)),
            )
        });
        let mut slots = slots.clone();
        if let Some(key) = &key {
            slots.insert("idempotency_key".into(), key.clone().into());
        }
        let fill = Fill {
            slots: &slots,
            ..fill
        };
        let open = |body: &Value| template::body(&without_open(body, running, &values), fill);
        let body = template.body.as_ref().map(&open).transpose().ok()?;
        let tool = template
            .tool
            .as_ref()
            .map(|tool| call(tool, &open))
            .transpose()
            .ok()?
            .map(Box::new);
        let terms = match key {
            Some(_) => Some(Box::new(self.terms(running, fill)?)),
            None => None,
        };
        Some(Request {
            id: self.request_id(),
            method: template.method.to_uppercase(),
            path,
            body,
            idempotency_key: key,
            name: running.action.name.clone(),
            slots: values,
            tool,
            terms,
        })
    }

    /// How often this very thing was done in this call.
    fn done_already(&self, name: &str, values: &serde_json::Map<String, Value>) -> usize {
        self.actions
            .iter()
            .filter(|record| {
                record.name == name
                    && record.slots == *values
                    && record.status == ActionStatus::Done
            })
            .count()
    }

    /// What holds it to once. None where the question what became of it cannot be filled in.
    fn terms(&self, running: &Running, fill: Fill<'_>) -> Option<Terms> {
        let action = &running.action;
        let ask = match &action.reconcile {
            None => None,
            Some(reconcile) => {
                let request = &reconcile.request;
                let body = |body: &Value| template::body(body, fill);
                Some(Ask {
                    method: request.method.clone(),
                    path: match &request.tool {
                        Some(_) => request.path.clone(),
                        None => template::path(&request.path, fill).ok()?,
                    },
                    tool: request
                        .tool
                        .as_ref()
                        .map(|tool| call(tool, &body))
                        .transpose()
                        .ok()?,
                    status: reconcile.status.clone(),
                    result: reconcile.result.clone(),
                    done: reconcile.done.clone(),
                    failed: reconcile.failed.clone(),
                })
            }
        };
        let customer = self
            .identity
            .customer()
            .and_then(|record| {
                ["id", "customer_id", "account"]
                    .iter()
                    .find_map(|key| record.get(key))
            })
            .and_then(|id| match id {
                Value::String(id) => Some(id.clone()),
                Value::Number(id) => Some(id.to_string()),
                _ => None,
            })
            .or_else(|| self.number().map(str::to_owned));
        let day_from = self
            .today()
            .to_zoned_datetime(self.locale.tz.clone())
            .ok()
            .map(|midnight| midnight.timestamp());
        Some(Terms {
            customer,
            caller: self.number().map(str::to_owned),
            per_day: action.limits.per_day.filter(|_| !running.undoes),
            day_from,
            ask,
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

/// A tool's call with its arguments filled in. Err: the name that has no value.
fn call(
    tool: &ToolTemplate,
    fill: &dyn Fn(&Value) -> Result<Value, String>,
) -> Result<ToolCall, String> {
    let arguments = match fill(&tool.arguments)? {
        Value::Object(arguments) => arguments,
        _ => serde_json::Map::new(),
    };
    Ok(ToolCall {
        server: tool.server.clone(),
        tool: tool.tool.clone(),
        arguments,
    })
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
