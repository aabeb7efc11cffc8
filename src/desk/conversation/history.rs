//! What was before this call: earlier calls and open tickets, taken up the way a good colleague would, and only as far as the caller
//! has proved who they are.

use jiff::civil::Date;
use serde_json::Value;

use crate::desk::config::Risk;
use crate::desk::entity;
use crate::desk::inquiry::{self, Verdict, inquire_as};
use crate::desk::types::{EarlierCall, Reply, Route, Said, Tier};

use super::{Conversation, Topic, Waiting};

/// Earlier calls older than this are not brought up.
const RECENT_DAYS: i32 = 30;
/// Calls within [`LOCKED_HOURS`] in which proof failed before this line asks no more of a number.
const FAILED_CALLS: usize = 2;
const LOCKED_HOURS: i64 = 24;
/// Fields of the customer's record that hold tickets, and of a ticket.
const TICKETS: [&str; 3] = ["open_tickets", "tickets", "cases"];
const SUBJECT: [&str; 4] = ["subject", "title", "about", "topic"];
const CLOSED: [&str; 4] = ["closed", "solved", "resolved", "done"];

/// What may be taken up at the start of a call.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Before {
    Call(EarlierCall),
    /// Of the customer's record.
    Ticket {
        about: String,
        status: Option<String>,
        day: Option<String>,
    },
}

impl Conversation {
    /// Too many calls of this number ended without proof: guessing does not start again with every call.
    pub(super) fn guessed_too_often(&self) -> bool {
        let since = jiff::Timestamp::from_second(self.now.as_second() - LOCKED_HOURS * 3600).ok();
        let recent = |call: &&EarlierCall| {
            let at: Option<jiff::Timestamp> = call.started_at.parse().ok();
            call.proof_failed && at.is_some() && at >= since
        };
        self.caller.history.iter().filter(recent).count() >= FAILED_CALLS
    }

    /// An unresolved earlier call, or an open ticket, of a caller whose number is vouched for is taken up.
    pub(super) fn ask_about_history(&mut self) -> bool {
        let has_identity = self
            .desk
            .config
            .identity
            .as_ref()
            .is_some_and(|identity| identity.lookup.is_some());
        if !self.caller.vouched || (has_identity && self.verified() < Tier::Basic) {
            return false;
        }
        let Some((before, text)) = self.earlier_call().or_else(|| self.open_ticket()) else {
            return false;
        };
        self.lead(text);
        self.waiting = Waiting::History(before);
        true
    }

    /// The last call, if it left something open and may be spoken of.
    fn earlier_call(&mut self) -> Option<(Before, String)> {
        let earlier = self.caller.history.first().cloned()?;
        let intent = earlier.intent.as_deref()?;
        // A number may be answered by others in the house: what is delicate is not brought up on its strength alone.
        let delicate = self.desk.policy(intent).risk == Risk::High;
        if earlier.outcome == "resolved" || (delicate && self.verified() < Tier::Full) {
            return None;
        }
        let matter = inquiry::topic(&self.desk, intent);
        let day = self.said_day(&earlier.started_at)?;
        let key = match earlier.outcome.as_str() {
            "callback" => "history_callback",
            "transferred" => "history_transferred",
            _ => "history",
        };
        let text = self.phrase(key, &[("day", &day), ("matter", &matter)]);
        Some((Before::Call(earlier), text))
    }

    /// The newest open ticket of the record that the look-up gave.
    fn open_ticket(&mut self) -> Option<(Before, String)> {
        let record = self.identity.customer()?;
        let list = TICKETS.iter().find_map(|key| record.get(key)?.as_array())?;
        let field = |ticket: &Value, keys: &[&str]| {
            keys.iter()
                .find_map(|key| ticket.get(key)?.as_str())
                .map(str::trim)
                .filter(|text| !text.is_empty())
                .map(str::to_owned)
        };
        let at =
            |ticket: &Value| field(ticket, &["updated", "updated_at", "created", "created_at"]);
        let open = list.iter().filter(|ticket| {
            field(ticket, &["status", "state"])
                .is_none_or(|status| !CLOSED.contains(&status.to_lowercase().as_str()))
        });
        let ticket = open.max_by_key(|ticket| at(ticket))?.clone();
        let about = field(&ticket, &SUBJECT)?;
        let status =
            field(&ticket, &["status", "state"]).map(|s| s.replace('_', " ").to_lowercase());
        let day = at(&ticket).and_then(|at| self.said_day(&at));
        let text = self.phrase("ticket", &[("matter", &about)]);
        Some((Before::Ticket { about, status, day }, text))
    }

    /// A day as it is spoken of today: "yesterday", "on Friday", "on 3 November". None for one long ago, or that cannot be read.
    fn said_day(&self, moment: &str) -> Option<String> {
        let day = match moment.parse::<jiff::Timestamp>() {
            Ok(moment) => self.locale.today(moment),
            Err(_) => moment.get(..10)?.parse::<Date>().ok()?,
        };
        let ago = (self.today() - day).get_days();
        match ago {
            0 => Some("earlier today".into()),
            1 => Some("yesterday".into()),
            2..=6 => Some(format!("on {}", day.strftime("%A"))),
            7..=RECENT_DAYS => {
                let month = day.strftime("%B");
                Some(if self.locale.day_first() {
                    format!("on {} {month}", day.day())
                } else {
                    format!("on {month} {}", day.day())
                })
            }
            _ => None,
        }
    }

    /// The answer to "is it about that?".
    pub(super) fn about_history(&mut self, before: &Before, said: &Said) -> Reply {
        self.waiting = Waiting::Open;
        let count = said.text.split_whitespace().count();
        let yes = match said.keyed.as_deref() {
            Some("1") => Some(true),
            Some("2") => Some(false),
            _ => entity::yes_no(&said.text),
        };
        match yes {
            Some(true) if count <= 6 => match before {
                Before::Call(earlier) => self.same_matter(earlier),
                Before::Ticket { about, status, day } => {
                    self.tried
                        .push(format!("Asked after their ticket: {about}"));
                    self.topic = Some(Topic {
                        text: about.clone(),
                        vector: Vec::new(),
                    });
                    if let Some(status) = status {
                        let text = self.phrase("ticket_status", &[("status", status)]);
                        self.lead(text);
                    }
                    if let Some(day) = day {
                        let text = self.phrase("ticket_day", &[("day", day)]);
                        self.lead(text);
                    }
                    self.waiting = Waiting::Human("returning".into());
                    self.say_and_listen(Route::Answer, "about an open ticket", "offer_human")
                }
            },
            Some(false) if count <= 3 => {
                self.say_and_listen(Route::Clarify, "not about the earlier call", "history_no")
            }
            _ => self.question(said),
        }
    }

    fn same_matter(&mut self, earlier: &EarlierCall) -> Reply {
        let Some(intent) = earlier.intent.as_deref() else {
            return self.say_and_listen(Route::Clarify, "about the earlier call", "history_yes");
        };
        let text = inquiry::topic(&self.desk, intent);
        self.tried
            .push(format!("Rang before about {text}: {}", earlier.summary));
        let inquiry = inquire_as(&self.desk, intent, None, &text, &[]);
        let decided = match &inquiry.verdict {
            Verdict::Act { .. } => true,
            Verdict::Transfer { reason, .. } => reason != "no_answer",
            _ => false,
        };
        // What a colleague had in hand is not begun anew by a line.
        let with_human = ["transferred", "callback"].contains(&earlier.outcome.as_str());
        if decided && !with_human {
            return self.act_on(inquiry, &text, &[]);
        }
        self.basis = Some(inquiry.decision(String::new()));
        self.topic = Some(Topic {
            text,
            vector: Vec::new(),
        });
        if with_human {
            self.waiting = Waiting::Human("returning".into());
            return self.say_and_listen(
                Route::Clarify,
                "about a call that a colleague took",
                "history_human",
            );
        }
        self.say_and_listen(Route::Clarify, "about the earlier call", "history_yes")
    }
}
