//! Actions: what they need is gathered, read back, and sent once.

use jiff::civil::Date;
use serde_json::Value;

use crate::desk::action::Running;
use crate::desk::action::render;
use crate::desk::action::slots::{self, Filled, Reading, Words};
use crate::desk::action::template;
use crate::desk::config::{ActionKind, Slot, SlotType};
use crate::desk::entity;
use crate::desk::inquiry::{context, social};
use crate::desk::record::ActionStatus;
use crate::desk::types::{Reply, Route, Said, Say, Tier};

use super::items::Resolved;
use super::{Conversation, Waiting};

/// Times one thing is asked for before a human is brought in.
pub(super) const ASKS: u32 = 3;

impl Conversation {
    /// Begins an action; values in the words that asked for it are used.
    pub(super) fn begin(&mut self, at: usize, text: &str) -> Reply {
        let action = self.desk.actions[at].clone();
        self.settled = false;
        let mut running = Running::new(action, text);
        // "My payment is on the third, move it": the third is when it is due, not when it should be.
        let (due, text) = match context::due_clause(text) {
            Some((clause, rest)) => (entity::date(clause, self.today(), &self.locale), rest),
            None => (None, text.to_owned()),
        };
        running.due = due;
        let text = text.as_str();
        for slot in &running.action.slots {
            match slots::glean(slot, self.words(text, None)) {
                Reading::Value(filled) => {
                    running.filled.insert(slot.name.clone(), filled);
                }
                Reading::Outside(key, limit) => {
                    running.outside.insert(slot.name.clone(), (key, limit));
                }
                Reading::Nothing => {}
            }
        }
        // The number of "on the fifteenth" or "forty pounds" is the date's or the amount's, where one of those was found.
        let figures = running.action.slots.iter().any(|slot| {
            running.filled.contains_key(&slot.name)
                && !matches!(
                    slot.type_,
                    SlotType::Number | SlotType::Choice | SlotType::Name | SlotType::Text
                )
        });
        if figures {
            let numbers: Vec<String> = running
                .action
                .slots
                .iter()
                .filter(|slot| slot.type_ == SlotType::Number)
                .map(|slot| slot.name.clone())
                .collect();
            running.filled.retain(|name, _| !numbers.contains(name));
        }
        let done = self
            .actions
            .iter()
            .filter(|record| {
                record.name == running.action.name && record.status != ActionStatus::Failed
            })
            .count();
        if running
            .action
            .limits
            .per_call
            .is_some_and(|most| done >= most as usize)
        {
            self.running = Some(running);
            return self.transfer("limit");
        }
        if social::third_party(text) && running.action.verify > Tier::None {
            self.running = Some(running);
            return self.transfer("third_party");
        }
        self.soften();
        self.running = Some(running);
        self.advance()
    }

    pub(super) fn words<'a>(&'a self, text: &'a str, keyed: Option<&'a str>) -> Words<'a> {
        Words {
            text,
            keyed,
            today: self.today(),
            locale: &self.locale,
            near: self.due(),
        }
    }

    /// The day of what the action under way is about: of the item chosen, or the date that stands beside the field its request
    /// names in the customer's record ("next_payment_due" beside "next_payment_id"), or the one the caller gave. Only for what is
    /// read back before it is done.
    pub(super) fn due(&self) -> Option<Date> {
        let running = self
            .running
            .as_ref()
            .filter(|running| running.action.confirm)?;
        let chosen = running.choosing.as_ref().and_then(|(name, items)| {
            let id = &running.filled.get(name)?.value;
            items.iter().find(|item| item.id == *id)?.day()
        });
        let beside = || {
            let record = self.identity.customer()?.as_object()?;
            let needs = running.needs();
            let stems = needs.iter().filter_map(|need| {
                let field = need.strip_prefix("customer.")?;
                let stem = field
                    .strip_suffix("_id")
                    .or_else(|| field.strip_suffix(".id"))?;
                (!stem.is_empty()).then_some(stem)
            });
            stems.into_iter().find_map(|stem| {
                record
                    .iter()
                    .filter(|(key, _)| key.starts_with(stem))
                    .find_map(|(_, value)| value.as_str()?.get(..10)?.parse::<Date>().ok())
            })
        };
        chosen.or_else(beside).or(running.due)
    }

    /// Takes the action one step on: proof, values, read-back, request.
    pub(super) fn advance(&mut self) -> Reply {
        let Some(running) = self.running.clone() else {
            return self.settle(Route::Clarify, "nothing under way");
        };
        let needs = running.needs();
        let slots = &running.action.slots;
        let declared = |name: &str| slots.iter().find(|slot| slot.name == name);
        let personal = needs.iter().any(|name| {
            name.starts_with("customer.") || (declared(name).is_none() && name != "caller_number")
        });
        let tier = if personal {
            running.action.verify.max(Tier::Basic)
        } else {
            running.action.verify
        };
        if self.verified() < tier {
            return self.verify();
        }
        for name in &needs {
            if running.filled.contains_key(name) {
                continue;
            }
            if let Some(field) = name.strip_prefix("customer.") {
                let known = self
                    .identity
                    .customer()
                    .and_then(|record| template::dig(record, field));
                if known.is_none_or(Value::is_null) {
                    return self.transfer("missing_data");
                }
            } else if name == "caller_number" {
                if self.number().is_none() {
                    return self.ask_number();
                }
            } else if declared(name).is_none() || name.ends_with("_id") {
                match self.resolve(name, declared(name).is_some()) {
                    Resolved::Filled => return self.advance(),
                    Resolved::Reply(reply) => return *reply,
                    Resolved::Ask => {}
                }
            }
        }
        let open = slots
            .iter()
            .find(|slot| !slot.optional && !running.filled.contains_key(&slot.name));
        if let Some(slot) = open {
            let name = slot.name.clone();
            return self.ask_slot(&name);
        }
        if running.action.confirm && !running.confirmed {
            self.waiting = Waiting::Confirm;
            self.read_back();
            let next = self.listen();
            return self.reply(Route::Act, "read back before it is done", next);
        }
        self.send(running)
    }

    /// The number requests are filled with: the one stated, else the one the call comes from.
    pub(super) fn number(&self) -> Option<&str> {
        self.stated.as_deref().or(self.caller.number.as_deref())
    }

    fn ask_slot(&mut self, name: &str) -> Reply {
        let Some(running) = &mut self.running else {
            return self.settle(Route::Clarify, "nothing under way");
        };
        let asked = running.asked.entry(name.to_owned()).or_default();
        *asked += 1;
        let times = *asked;
        if times > ASKS {
            return self.transfer("slot");
        }
        // What they said at first could not be taken: they are told, and not asked as if they had said nothing.
        let outside = running.outside.remove(name);
        self.waiting = Waiting::Slot(name.to_owned());
        if let Some((key, limit)) = outside {
            let told = self.phrase(key, &[("limit", &limit)]);
            self.lead(told);
        }
        let ask = self.slot_question_again(name, times);
        self.lead(ask);
        let next = self.listen();
        self.reply(Route::Act, &format!("needs {}", render::words(name)), next)
    }

    pub(super) fn slot_question(&mut self, name: &str) -> String {
        self.running
            .as_ref()
            .and_then(|running| running.action.slots.iter().find(|slot| slot.name == name))
            .map(|slot| slot.ask.clone())
            .filter(|ask| !ask.trim().is_empty())
            .unwrap_or_else(|| format!("What's the {}?", render::words(name)))
    }

    pub(super) fn slot_said(&mut self, name: &str, said: &Said) -> Reply {
        let Some(slot) = self.slot(name) else {
            return self.question(said);
        };
        if social::third_party(&said.text) && self.is_about_an_account(said) {
            return self.transfer("third_party");
        }
        let text = context::correction(&said.text)
            .unwrap_or(&said.text)
            .to_owned();
        let free = matches!(slot.type_, SlotType::Text | SlotType::Name);
        if free
            && let Some(inquiry) = self
                .aside(said)
                .filter(|_| said.text.trim_end().ends_with('?'))
        {
            return self.answer_aside(inquiry);
        }
        let text = match self.part_said(&slot, said, text) {
            Ok(text) => text,
            Err(reply) => return *reply,
        };
        match slots::read(&slot, self.words(&text, said.keyed.as_deref())) {
            Reading::Value(filled) => {
                self.fill(name, filled);
                if said.keyed.is_none() {
                    self.glean_others(name, &text);
                }
                self.advance()
            }
            Reading::Outside(key, limit) => {
                let told = self.phrase(key, &[("limit", &limit)]);
                self.lead(told);
                self.ask_slot(name)
            }
            Reading::Nothing => {
                if social::cannot(&said.text) && !free {
                    self.lead_phrase("slot_cannot");
                    return self.ask_slot(name);
                }
                if social::asks_why(&said.text) && said.text.split_whitespace().count() <= 7 {
                    self.lead_phrase("slot_reason");
                    self.ask_again();
                    let next = self.listen();
                    return self.reply(Route::Act, "why it is asked", next);
                }
                if self.correct(&said.text) {
                    self.lead_phrase("corrected");
                    return self.advance();
                }
                if let Some(reply) = self.asked_back(said) {
                    return reply;
                }
                if let Some(reply) = self.change_of_subject(said) {
                    return reply;
                }
                if slot.choices.is_empty() {
                    self.lead_phrase("slot_again");
                } else {
                    let choices = render::list(&slot.choices, "or");
                    let told = self.phrase("slot_choices", &[("choices", &choices)]);
                    self.lead(told);
                }
                self.ask_slot(name)
            }
        }
    }

    fn slot(&self, name: &str) -> Option<Slot> {
        let running = self.running.as_ref()?;
        running
            .action
            .slots
            .iter()
            .find(|slot| slot.name == name)
            .cloned()
    }

    pub(super) fn fill(&mut self, name: &str, filled: Filled) {
        if let Some(running) = &mut self.running {
            let now = filled.value.clone();
            if let Some(was) = running.filled.insert(name.to_owned(), filled)
                && was.value != now
            {
                running.before.insert(name.to_owned(), was);
            }
            // What was confirmed was confirmed with the old values.
            running.confirmed = false;
        }
    }

    /// Another action, surely meant, takes the place of the one under way.
    pub(super) fn change_of_subject(&mut self, said: &Said) -> Option<Reply> {
        if said.text.split_whitespace().count() < 4 {
            return None;
        }
        let inquiry = crate::desk::inquiry::inquire(
            &self.desk,
            &said.text,
            &said.vector,
            said.heard.as_ref(),
        );
        let crate::desk::inquiry::Verdict::Act { action } = &inquiry.verdict else {
            return None;
        };
        let other = self
            .running
            .as_ref()
            .is_none_or(|running| running.action.name != self.desk.actions[*action].name);
        if !other {
            return None;
        }
        // What is only looked up does not take the place of what is being done.
        let only_looks = self.desk.actions[*action].kind == ActionKind::Read;
        let held = self
            .running
            .clone()
            .filter(|running| only_looks && running.is_write())
            .map(|running| Box::new((running, self.waiting.clone())));
        let reply = self.act_on(inquiry, &said.text, &said.vector);
        // It may be over already, or wait for its answer.
        if self.running.is_some() && self.waiting == Waiting::Request {
            self.held = held;
        }
        Some(reply)
    }

    /// Changes values already given ("no, I meant the 14th"). True where one changed.
    pub(super) fn correct(&mut self, text: &str) -> bool {
        if self.go_back(text) || self.ends_otherwise(text) {
            return true;
        }
        let Some(running) = self.running.clone() else {
            return false;
        };
        let part = context::correction(text).unwrap_or(text);
        let mut changed = false;
        for slot in &running.action.slots {
            let Some(known) = running.filled.get(&slot.name) else {
                continue;
            };
            match slots::glean(slot, self.words(part, None)) {
                Reading::Value(filled) if filled.value != known.value => {
                    self.fill(&slot.name, filled);
                    changed = true;
                }
                Reading::Outside(key, limit) => {
                    let told = self.phrase(key, &[("limit", &limit)]);
                    self.lead(told);
                    if let Some(running) = &mut self.running {
                        running.filled.remove(&slot.name);
                        running.confirmed = false;
                    }
                    changed = true;
                }
                _ => {}
            }
        }
        changed
    }

    /// The read-back: must be heard whole before its yes counts.
    pub(super) fn read_back(&mut self) {
        let Some(running) = self.running.clone() else {
            return;
        };
        let own = self
            .desk
            .phrases
            .all(&format!("confirm.{}", running.action.name))
            .to_vec();
        let text = match own.first() {
            Some(own) => running
                .filled
                .iter()
                .fold(own.clone(), |text, (name, filled)| {
                    text.replace(&format!("{{{name}}}"), &filled.said)
                }),
            None => {
                let what = running.described();
                self.phrase("confirm", &[("what", &what)])
            }
        };
        self.lead.push(Say::must_hear(text));
    }

    pub(super) fn confirm_said(&mut self, said: &Said) -> Reply {
        let other_item = self.other_item(&said.text);
        if said.keyed.is_none() && (other_item || self.correct(&said.text)) {
            self.unheard_must = None;
            // A value outside the limits is told so, and was not taken.
            if self.lead.is_empty() {
                self.lead_phrase("corrected");
            }
            return self.advance();
        }
        let yes = match said.keyed.as_deref() {
            Some("1") => Some(true),
            Some("2") => Some(false),
            Some(_) => None,
            None => entity::yes_no(&said.text),
        };
        match yes {
            Some(true) => {
                if self.unheard_must.take().is_some() {
                    // Agreed to something they had not heard to its end.
                    self.read_back();
                    let next = self.listen();
                    return self.reply(Route::Act, "the read-back was cut short", next);
                }
                if let Some(running) = &mut self.running {
                    running.confirmed = true;
                }
                self.advance()
            }
            Some(false) => {
                if let Some(reply) = self.change_of_subject(said) {
                    return reply;
                }
                self.waiting = Waiting::Change;
                self.say_and_listen(Route::Act, "not confirmed", "confirm_no")
            }
            None => {
                if let Some(reply) = self.asked_back(said) {
                    return reply;
                }
                if let Some(reply) = self.change_of_subject(said) {
                    return reply;
                }
                let unclear = self.running.as_mut().map_or(0, |running| {
                    running.unclear += 1;
                    running.unclear
                });
                if unclear >= ASKS {
                    return self.transfer("slot");
                }
                self.lead_phrase("confirm_again");
                self.read_back();
                let next = self.listen();
                self.reply(Route::Act, "neither yes nor no", next)
            }
        }
    }

    /// After "no" to the read-back: what should be different, or that it should not be done at all.
    pub(super) fn change_said(&mut self, said: &Said) -> Reply {
        if self.other_item(&said.text) || self.correct(&said.text) {
            return self.advance();
        }
        if social::declines(&said.text) || entity::yes_no(&said.text) == Some(false) {
            return self.cancel();
        }
        self.question(said)
    }

    pub(super) fn cancel(&mut self) -> Reply {
        self.held = None;
        if let Some(running) = self.running.take() {
            self.tried.push(format!(
                "Began to {} and left it at their wish",
                running.in_words()
            ));
        }
        self.settled = true;
        self.waiting = Waiting::More;
        self.say_and_listen(
            Route::Clarify,
            "left alone at the caller's wish",
            "cancelled",
        )
    }
}
