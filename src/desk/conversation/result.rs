//! What the back office answered, told as it is: never a success that was not one.

use serde_json::Value;

use crate::desk::action::Running;
use crate::desk::action::choose;
use crate::desk::action::template::{self, Fill};
use crate::desk::identity::FoundBy;
use crate::desk::record::ActionStatus;
use crate::desk::types::{Outcome, Reply, Route};

use super::items::Resolved;
use super::{Conversation, Lookup, Waiting};

impl Conversation {
    pub(super) fn acted(
        &mut self,
        running: Running,
        outcome: Outcome,
        record: Option<usize>,
    ) -> Reply {
        let write = running.is_write();
        let status = match &outcome {
            Outcome::Done(_) | Outcome::Before(_) => ActionStatus::Done,
            Outcome::Unknown(_) if write => ActionStatus::Unknown,
            Outcome::DryRun => ActionStatus::DryRun,
            _ => ActionStatus::Failed,
        };
        self.write_down(record, status, &outcome);
        let what = running.in_words();
        // The caller has gone on to a human meanwhile: the record has it, nobody talks over the music.
        if self.waiting != Waiting::Request {
            self.tried
                .push(format!("{}: {}", capital(&what), told(&outcome, write)));
            return self.silent("answered after the caller had moved on");
        }
        match outcome {
            Outcome::Done(result) => self.done(running, result),
            Outcome::Before(result) => {
                // They rang off, or were cut off, before they could be told: it is not done twice.
                self.lead_phrase("done_before");
                self.done(running, result)
            }
            Outcome::Limited => {
                self.tried.push(format!(
                    "{}: not done, the limit for one day is reached",
                    capital(&what)
                ));
                self.running = Some(running);
                self.lead_phrase("limit_day");
                self.transfer_saying("limit_day", None)
            }
            Outcome::DryRun => {
                self.tried
                    .push(format!("{}: not sent, a dry run", capital(&what)));
                self.settled = true;
                self.lead_phrase("dry_run");
                self.running = Some(running);
                self.settle(Route::Act, "a dry run: nothing was sent")
            }
            // A read may be tried again, but not where the caller has waited a whole time-out already.
            Outcome::Failed(_) | Outcome::Unknown(_)
                if !write && !running.retried && !timed_out(&outcome) =>
            {
                let mut again = running;
                again.retried = true;
                self.send(again)
            }
            Outcome::Unknown(_) if write => {
                self.give_up(&what, &outcome, "action_unknown", "unknown")
            }
            Outcome::Refused(_) => {
                let key = if write { "refused" } else { "refused_read" };
                self.give_up(&what, &outcome, "action_refused", key)
            }
            // Looked up for the caller and for nothing they named: there is none, which is a fact and no failure.
            Outcome::NotFound if !write && running.filled.values().all(|f| f.said.is_empty()) => {
                self.nothing_there(running)
            }
            Outcome::NotFound => self.give_up(&what, &outcome, "not_found", "not_found"),
            Outcome::Failed(_) | Outcome::Unknown(_) => {
                let key = if write { "failed" } else { "failed_read" };
                self.give_up(&what, &outcome, "action_failed", key)
            }
        }
    }

    fn done(&mut self, running: Running, result: Value) -> Reply {
        let values = running.values();
        let number = self.number().map(str::to_owned);
        let mut slots = values.clone();
        for (name, filled) in &running.filled {
            if !filled.said.is_empty() {
                slots.insert(name.clone(), Value::String(filled.said.clone()));
            }
        }
        let fill = Fill {
            slots: &slots,
            customer: self.identity.customer(),
            result: Some(&result),
            caller_number: number.as_deref(),
        };
        let told = if running.action.reply.trim().is_empty() {
            Ok(self.phrase("done", &[]))
        } else {
            template::sentence(&running.action.reply, fill, &self.locale, self.today())
        };
        let what = running.in_words();
        match told {
            Ok(text) => {
                self.tried.push(format!("Done: {what}"));
                self.settled = true;
                self.last_source = None;
                self.keep_told(&running, &text, &result);
                self.lead(text);
                self.undoable = self.undoable(&running, &result).map(Box::new);
                self.running = Some(running);
                self.settle(Route::Act, "done")
            }
            Err(hole) => {
                self.running = Some(running.clone());
                self.incomplete(
                    &format!("{what} (no {hole} in the answer)"),
                    running.is_write(),
                )
            }
        }
    }

    /// A look-up that found nothing.
    fn nothing_there(&mut self, running: Running) -> Reply {
        let own = format!("nothing.{}", running.action.name);
        if self.desk.phrases.all(&own).is_empty() {
            let matter = crate::desk::inquiry::topic(&self.desk, &running.action.intent);
            let text = self.phrase("nothing_there", &[("matter", &matter)]);
            self.lead(text);
        } else {
            self.lead_phrase(&own);
        }
        if let Some(told) = self.lead.last().map(|say| say.text.clone()) {
            self.keep_told(&running, &told, &Value::Null);
        }
        self.tried
            .push(format!("{}: there is none", capital(&running.in_words())));
        self.settled = true;
        self.last_source = None;
        self.running = Some(running);
        self.settle(Route::Act, "looked up: there is none")
    }

    fn incomplete(&mut self, what: &str, write: bool) -> Reply {
        let state = if write {
            "accepted, but the answer is incomplete"
        } else {
            "the answer is incomplete"
        };
        self.tried.push(format!("{}: {state}", capital(what)));
        self.lead_phrase("incomplete");
        self.transfer_saying("incomplete_result", None)
    }

    fn give_up(&mut self, what: &str, outcome: &Outcome, reason: &str, key: &str) -> Reply {
        self.tried
            .push(format!("{}: {}", capital(what), told(outcome, true)));
        self.lead_phrase(key);
        self.transfer_saying(reason, None)
    }

    fn write_down(&mut self, record: Option<usize>, status: ActionStatus, outcome: &Outcome) {
        let Some(record) = record.and_then(|at| self.actions.get_mut(at)) else {
            return;
        };
        record.status = status;
        record.result = match outcome {
            Outcome::Done(result) | Outcome::Before(result) => result.clone(),
            Outcome::Limited => Value::String("the limit for one day is reached".into()),
            Outcome::DryRun => Value::String("a dry run: nothing was sent".into()),
            Outcome::NotFound => Value::String("not found".into()),
            Outcome::Refused(why) | Outcome::Failed(why) | Outcome::Unknown(why) => {
                Value::String(why.clone())
            }
        };
    }

    /// The list a request needs one item of.
    pub(super) fn listed(&mut self, name: &str, outcome: Outcome, record: Option<usize>) -> Reply {
        let status = match outcome {
            Outcome::Done(_) => ActionStatus::Done,
            _ => ActionStatus::Failed,
        };
        self.write_down(record, status, &outcome);
        if self.waiting != Waiting::Request || self.running.is_none() {
            return self.silent("answered after the caller had moved on");
        }
        match outcome {
            Outcome::Done(result) => {
                let items = choose::items(&result, name, &self.locale, self.today());
                match self.choose_of(name, items) {
                    Some(Resolved::Reply(reply)) => *reply,
                    Some(Resolved::Filled | Resolved::Ask) | None => self.advance(),
                }
            }
            Outcome::NotFound => self.advance(),
            outcome => self.give_up("looking it up", &outcome, "action_failed", "failed_read"),
        }
    }

    /// The customer's record, or none.
    pub(super) fn looked_up(&mut self, by: FoundBy, outcome: Outcome) -> Reply {
        self.lookup = match outcome {
            Outcome::Done(Value::Object(record)) if !record.is_empty() => {
                self.identity.found(Value::Object(record), by);
                Lookup::Found
            }
            Outcome::Done(Value::Array(mut list)) if list.len() == 1 && list[0].is_object() => {
                self.identity.found(list.remove(0), by);
                Lookup::Found
            }
            Outcome::Done(_) | Outcome::NotFound | Outcome::Refused(_) => Lookup::Missed,
            Outcome::Failed(_)
            | Outcome::Unknown(_)
            | Outcome::Before(_)
            | Outcome::Limited
            | Outcome::DryRun => Lookup::Failed,
        };
        if self.waiting == Waiting::Request && self.running.is_some() {
            if self.lookup == Lookup::Missed && by == FoundBy::Stated {
                self.lead_phrase("lookup_missed");
            }
            return self.advance();
        }
        let opening = self.waiting == Waiting::Open
            && !self
                .lines
                .iter()
                .any(|line| line.by == super::Party::Caller);
        if opening && self.ask_about_history() {
            let next = self.listen();
            return self.reply(Route::Clarify, "an earlier call is open", next);
        }
        self.silent("looked up")
    }
}

fn timed_out(outcome: &Outcome) -> bool {
    let (Outcome::Failed(why) | Outcome::Unknown(why)) = outcome else {
        return false;
    };
    let why = why.to_lowercase();
    ["timed out", "time-out", "timeout", "in time", "too long"]
        .iter()
        .any(|sign| why.contains(sign))
}

fn told(outcome: &Outcome, write: bool) -> String {
    match outcome {
        Outcome::Done(_) => "done".into(),
        Outcome::Before(_) => "done before, in an earlier call".into(),
        Outcome::Limited => "not done, the limit for one day is reached".into(),
        Outcome::DryRun => "not sent, a dry run".into(),
        Outcome::NotFound => "not found".into(),
        Outcome::Refused(why) => format!("refused ({why})"),
        Outcome::Failed(why) => format!("failed, nothing sent ({why})"),
        Outcome::Unknown(why) if write => format!("not known whether it went through ({why})"),
        Outcome::Unknown(why) => format!("no usable answer ({why})"),
    }
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(chars).collect()
    })
}
