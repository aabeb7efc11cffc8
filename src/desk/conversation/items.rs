//! Which of the customer's things is meant, where a request needs one that no slot asks for.

use crate::desk::action::Running;
use crate::desk::action::choose;
use crate::desk::action::render;
use crate::desk::action::slots::Filled;
use crate::desk::config::ActionKind;
use crate::desk::inquiry::social;
use crate::desk::types::{Next, Reply, Request, Route, Said};

use super::doing::ASKS;
use super::{Conversation, Flight, Purpose, Waiting};

/// Items named in a question; more cannot be kept in mind on a phone.
const NAMED: usize = 3;

/// What became of a name no slot asks for.
pub(super) enum Resolved {
    Filled,
    Reply(Box<Reply>),
    /// A slot asks for it.
    Ask,
}

impl Conversation {
    /// "No, the other one": another item of those the caller was offered.
    pub(super) fn other_item(&mut self, text: &str) -> bool {
        let Some((name, items)) = self.running.as_ref().and_then(|r| r.choosing.clone()) else {
            return false;
        };
        let now = self
            .running
            .as_ref()
            .and_then(|running| running.filled.get(&name))
            .map(|filled| filled.value.clone());
        let words = social::plain(text);
        let at = if social::holds(&words, "the other one") && items.len() == 2 {
            items.iter().position(|item| Some(&item.id) != now.as_ref())
        } else if ["one", "payment", "order"]
            .iter()
            .any(|w| social::holds(&words, w))
        {
            choose::pick(&items, text, None, &self.locale, self.today())
        } else {
            None
        };
        let Some(item) = at
            .and_then(|at| items.get(at))
            .filter(|item| Some(&item.id) != now.as_ref())
        else {
            return false;
        };
        let filled = Filled {
            value: item.id.clone(),
            said: item.said.clone(),
        };
        self.fill(&name, filled);
        true
    }

    pub(super) fn which_question(&mut self) {
        let Some((_, items)) = self.running.as_ref().and_then(|r| r.choosing.clone()) else {
            return;
        };
        let mut named: Vec<String> = items
            .iter()
            .take(NAMED)
            .map(|item| item.said.clone())
            .collect();
        if items.len() > NAMED {
            named.push("a later one".to_owned());
        }
        let choices = render::list(&named, "or");
        let text = self.phrase("which_one", &[("choices", &choices)]);
        self.lead(text);
    }

    pub(super) fn which_said(&mut self, said: &Said) -> Reply {
        let Some((name, items)) = self.running.as_ref().and_then(|r| r.choosing.clone()) else {
            return self.question(said);
        };
        if let Some(at) = choose::pick(
            &items,
            &said.text,
            said.keyed.as_deref(),
            &self.locale,
            self.today(),
        ) {
            self.take_item(&name, &items, at);
            return self.advance();
        }
        if let Some(reply) = self.asked_back(said) {
            return reply;
        }
        if let Some(reply) = self.change_of_subject(said) {
            return reply;
        }
        self.lead_phrase("slot_again");
        self.ask_which(&name)
    }

    fn ask_which(&mut self, name: &str) -> Reply {
        if let Some(running) = &mut self.running {
            let asked = running.asked.entry(name.to_owned()).or_default();
            *asked += 1;
            if *asked > ASKS {
                return self.transfer("slot");
            }
        }
        self.waiting = Waiting::Which;
        self.which_question();
        let next = self.listen();
        self.reply(Route::Act, &format!("which {}", render::words(name)), next)
    }

    fn take_item(&mut self, name: &str, items: &[choose::Item], at: usize) {
        let Some(item) = items.get(at) else { return };
        let filled = Filled {
            value: item.id.clone(),
            said: item.said.clone(),
        };
        self.fill(name, filled);
        // A day that only named the item is not the new day asked for.
        if let (Some(running), Some(day)) = (&mut self.running, item.day()) {
            running.filled.retain(|other, filled| {
                other == name || filled.value.as_str() != Some(&day.to_string())
            });
        }
    }

    /// Finds what no slot asks for: a field of the record, one of its items, or one that a read action lists.
    pub(super) fn resolve(&mut self, name: &str, declared: bool) -> Resolved {
        if let Some(record) = self.identity.customer() {
            let own = record.get(name).or_else(|| {
                ["customer_id", "account_id"]
                    .contains(&name)
                    .then(|| record.get("id"))
                    .flatten()
            });
            if let Some(own) = own
                .filter(|own| own.is_string() || own.is_number())
                .cloned()
            {
                let filled = Filled {
                    value: own,
                    said: String::new(),
                };
                self.fill(name, filled);
                return Resolved::Filled;
            }
            let items = choose::items(record, name, &self.locale, self.today());
            if let Some(resolved) = self.choose_of(name, items) {
                return resolved;
            }
        }
        let looked = self
            .running
            .as_ref()
            .is_some_and(|r| r.looked.iter().any(|known| known == name));
        if !looked && let Some(request) = self.listing_request(name) {
            if let Some(running) = &mut self.running {
                running.looked.push(name.to_owned());
            }
            self.waiting = Waiting::Request;
            self.lead_phrase("looking");
            let reply = self.reply(
                Route::Act,
                &format!("finds {}", render::words(name)),
                Next::Request(request),
            );
            return Resolved::Reply(Box::new(reply));
        }
        if declared {
            return Resolved::Ask;
        }
        Resolved::Reply(Box::new(self.transfer("missing_data")))
    }

    pub(super) fn choose_of(&mut self, name: &str, items: Vec<choose::Item>) -> Option<Resolved> {
        let today = self.today();
        match items.len() {
            0 => None,
            1 => {
                self.take_item(name, &items, 0);
                Some(Resolved::Filled)
            }
            _ => {
                let words = self
                    .running
                    .as_ref()
                    .map(|r| r.words.clone())
                    .unwrap_or_default();
                let picked = choose::pick(&items, &words, None, &self.locale, today);
                if let Some(running) = &mut self.running {
                    running.choosing = Some((name.to_owned(), items.clone()));
                }
                if let Some(at) = picked {
                    self.take_item(name, &items, at);
                    return Some(Resolved::Filled);
                }
                Some(Resolved::Reply(Box::new(self.ask_which(name))))
            }
        }
    }

    /// A read action of this desk that lists such items and needs nothing from the caller.
    fn listing_request(&mut self, name: &str) -> Option<Request> {
        let stem = name.strip_suffix("_id").unwrap_or(name).to_owned();
        let desk = self.desk.clone();
        let tier = self.verified();
        for read in &desk.actions {
            let lists = read.request.path.to_lowercase().contains(&stem)
                || read.name.to_lowercase().contains(&stem);
            if read.kind != ActionKind::Read || !lists || read.verify > tier {
                continue;
            }
            let mut own = Running::new(read.clone(), "");
            let record = self.identity.customer().cloned();
            for need in own.needs() {
                if ["customer_id", "account_id"].contains(&need.as_str())
                    && let Some(id) = record
                        .as_ref()
                        .and_then(|r| r.get(&need).or_else(|| r.get("id")))
                {
                    let filled = Filled {
                        value: id.clone(),
                        said: String::new(),
                    };
                    own.filled.insert(need, filled);
                }
            }
            if let Some(request) = self.make_request(&own) {
                let at = self.note(&own, &request);
                self.flights.push(Flight {
                    id: request.id,
                    purpose: Purpose::Resolve(name.to_owned()),
                    record: Some(at),
                });
                return Some(request);
            }
        }
        None
    }
}
