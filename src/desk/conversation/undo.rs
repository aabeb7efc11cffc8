//! Taking back what was just done: the desk names the action, and it goes the whole way again, read-back and yes included.

use serde_json::Value;

use crate::desk::action::template::{self, Fill};
use crate::desk::action::undo::{self, Undoable};
use crate::desk::action::{MADE, Running};
use crate::desk::types::{Reply, Said};

use super::{Conversation, Waiting};

impl Conversation {
    /// What could be taken back, now that this was done with this result.
    pub(super) fn undoable(&self, running: &Running, result: &Value) -> Option<Undoable> {
        let by = running.action.undo.as_ref()?;
        let action = self.desk.actions.iter().find(|a| a.name == by.action)?;
        let values = running.values();
        let number = self.number().map(str::to_owned);
        let fill = Fill {
            slots: &values,
            customer: self.identity.customer(),
            result: Some(result),
            caller_number: number.as_deref(),
        };
        let mut filled = running.filled.clone();
        // A value that the desk does not carry over is not the old one: it is asked for.
        filled.retain(|name, _| !by.slots.contains_key(name) && !MADE.contains(&name.as_str()));
        for (name, of) in &by.slots {
            let slot = action.slots.iter().find(|slot| slot.name == *name);
            let value = template::body(&Value::String(of.clone()), fill).ok();
            if let (Some(slot), Some(value)) = (slot, value)
                && let Some(old) = undo::filled(slot, &value, &self.locale, self.today())
            {
                filled.insert(name.clone(), old);
            }
        }
        // The same action with the same values puts nothing back.
        let same = action.name == running.action.name && by.slots.is_empty();
        (!same).then(|| Undoable {
            action: action.name.clone(),
            filled,
            what: running.in_words(),
        })
    }

    /// The words take back what was just done, where that can be done.
    pub(super) fn undo_said(&mut self, said: &Said) -> Option<Reply> {
        if !matches!(
            self.waiting,
            Waiting::Open | Waiting::More | Waiting::Parked | Waiting::Human(_)
        ) || !undo::wanted(&said.text)
        {
            return None;
        }
        let undoable = self.undoable.take()?;
        let action = self
            .desk
            .actions
            .iter()
            .find(|action| action.name == undoable.action)?
            .clone();
        let mut running = Running::new(action, &said.text);
        running.filled = undoable.filled;
        running.undoes = true;
        self.settled = false;
        self.tried
            .push(format!("Asked to take back: {}", undoable.what));
        self.running = Some(running);
        Some(self.advance())
    }
}
