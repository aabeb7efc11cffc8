//! Changes of mind: a value taken back, another value after it was done, more said than was asked for.

use crate::desk::action::slots::{self, Filled, Reading};
use crate::desk::config::{ActionKind, Slot, SlotType};
use crate::desk::entity;
use crate::desk::inquiry::{Verdict, context, inquire, social};
use crate::desk::record::ActionStatus;
use crate::desk::types::{Reply, Said};

use super::Conversation;

impl Conversation {
    /// What the words that answered one question say of the others: "next Tuesday, in the afternoon".
    pub(super) fn glean_others(&mut self, name: &str, text: &str) {
        let Some(running) = &self.running else { return };
        let others: Vec<Slot> = running
            .action
            .slots
            .iter()
            .filter(|slot| {
                slot.name != name
                    && !running.filled.contains_key(&slot.name)
                    && matches!(
                        slot.type_,
                        SlotType::Date | SlotType::Choice | SlotType::Money
                    )
            })
            .cloned()
            .collect();
        for slot in others {
            if let Reading::Value(filled) = slots::glean(&slot, self.words(text, None)) {
                self.fill(&slot.name, filled);
            }
        }
    }

    /// "No, eight nine at the end", "0144": fewer digits than were read back are the last of them, said again. True where they were.
    pub(super) fn ends_otherwise(&mut self, text: &str) -> bool {
        let Some(running) = &self.running else {
            return false;
        };
        let Some(digits) = entity::digits(text).filter(|d| (2..=6).contains(&d.len())) else {
            return false;
        };
        let words = social::plain(text);
        let ends = ["end", "ends", "ending", "last"]
            .iter()
            .any(|sign| social::holds(&words, sign));
        let only =
            entity::figures_alone(text).is_some() || text.chars().all(|c| !c.is_alphabetic());
        if !(ends || only && digits.len() >= 3) {
            return false;
        }
        let slots = running.action.slots.iter();
        let mut known = slots
            .filter(|slot| slot.type_ == SlotType::Digits)
            .filter_map(|slot| {
                let value = running.filled.get(&slot.name)?.value.as_str()?.to_owned();
                (value.len() > digits.len()).then(|| (slot.name.clone(), value))
            });
        let (Some((name, value)), None) = (known.next(), known.next()) else {
            return false;
        };
        let now = format!("{}{digits}", &value[..value.len() - digits.len()]);
        let said = now.chars().map(String::from).collect::<Vec<_>>().join(" ");
        self.fill(
            &name,
            Filled {
                value: now.into(),
                said,
            },
        );
        true
    }

    /// "No, the one before": a changed value goes back to what it was. True where one did.
    pub(super) fn go_back(&mut self, text: &str) -> bool {
        let Some(running) = &self.running else {
            return false;
        };
        if !context::wants_the_one_before(text) {
            return false;
        }
        // Of several changed values nobody knows which is meant.
        let mut changed = running.before.iter();
        let (Some((name, was)), None) = (changed.next(), changed.next()) else {
            return false;
        };
        let (name, was) = (name.clone(), was.clone());
        self.fill(&name, was);
        true
    }

    /// "Actually, make it Thursday instead", after it was done: the same once more, with the other value.
    pub(super) fn done_otherwise(&mut self, said: &Said) -> Option<Reply> {
        let last = self
            .actions
            .last()
            .filter(|record| record.status == ActionStatus::Done)?;
        if said.text.split_whitespace().count() > 12 || !context::asks_otherwise(&said.text) {
            return None;
        }
        let at = self
            .desk
            .actions
            .iter()
            .position(|action| action.name == last.name && action.kind == ActionKind::Write)?;
        let given = self.desk.actions[at].slots.iter().any(|slot| {
            matches!(
                slots::glean(slot, self.words(&said.text, None)),
                Reading::Value(_)
            )
        });
        let alone = inquire(&self.desk, &said.text, &said.vector, said.heard.as_ref());
        // "Move it to Saturday" may be an action of its own.
        let own = matches!(&alone.verdict, Verdict::Act { action } if *action != at);
        (given && !own).then(|| {
            self.rest_on(said);
            self.begin(at, &said.text)
        })
    }
}
