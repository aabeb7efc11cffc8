//! Finding out who is calling before anything of an account is said.

use crate::desk::action::render;
use crate::desk::action::template::{self, Fill};
use crate::desk::entity;
use crate::desk::identity::{Check, FoundBy};
use crate::desk::inquiry::{social, turns};
use crate::desk::types::{Next, Reply, Request, Route, Said, Tier};

use super::{Conversation, Flight, Lookup, Purpose, Waiting};

/// Failures in all where the desk sets no number.
const FAILURES: u32 = 3;
/// Times the caller is asked for a number or account to look up.
const NUMBER_ASKS: u32 = 3;

impl Conversation {
    /// The next step of proof for the action under way.
    pub(super) fn verify(&mut self) -> Reply {
        if self.identity.is_locked() {
            return self.transfer(if self.guessed_too_often() {
                "verify_locked"
            } else {
                "verify_failed"
            });
        }
        if !self.identity.has_record() {
            return self.find_record();
        }
        let Some(config) = self.desk.config.identity.clone() else {
            return self.transfer("verify_failed");
        };
        let (today, locale) = (self.today(), self.locale.clone());
        let words = self
            .running
            .as_ref()
            .map(|r| r.words.clone())
            .unwrap_or_default();
        self.identity.glean(&config.factors, &words, today, &locale);
        if self.verified() >= self.needed() {
            return self.advance();
        }
        match self.identity.next_factor(&config.factors) {
            Some(factor) => {
                let first = !matches!(
                    self.waiting,
                    Waiting::Factor(_) | Waiting::Number | Waiting::Request
                );
                if first {
                    self.lead_phrase("verify_why");
                }
                self.waiting = Waiting::Factor(factor.clone());
                let ask = self.factor_question(&factor);
                self.lead(ask);
                let next = self.listen();
                self.reply(Route::Act, "needs proof of who is calling", next)
            }
            None => self.transfer("verify_failed"),
        }
    }

    fn needed(&self) -> Tier {
        self.running.as_ref().map_or(Tier::Basic, |running| {
            running.action.verify.max(Tier::Basic)
        })
    }

    fn find_record(&mut self) -> Reply {
        match self.lookup {
            Lookup::NotTried => {
                if let Some(request) = self.lookup_by_number() {
                    self.waiting = Waiting::Request;
                    self.lead_phrase("looking");
                    return self.reply(Route::Act, "looks the caller up", Next::Request(request));
                }
                self.ask_number()
            }
            Lookup::UnderWay => {
                self.waiting = Waiting::Request;
                self.say_and_listen(Route::Act, "the look-up is under way", "wait")
            }
            Lookup::Failed => {
                self.lead_phrase("failed_read");
                self.transfer_saying("action_failed", None)
            }
            Lookup::Found | Lookup::Missed => self.ask_number(),
        }
    }

    /// Asks for what can find the caller's record, if the desk's look-up takes anything they can state.
    pub(super) fn ask_number(&mut self) -> Reply {
        if !self.rehearsal
            && (self.stated_path().is_none() || self.desk.config.backoffice.is_none())
        {
            return self.transfer("verify_failed");
        }
        self.stated_asked += 1;
        if self.stated_asked > NUMBER_ASKS {
            return self.transfer("verify_failed");
        }
        if self.stated_asked == 1 {
            self.lead_phrase("verify_why");
        }
        self.waiting = Waiting::Number;
        let ask = self.number_question();
        self.lead(ask);
        let next = self.listen();
        self.reply(Route::Act, "needs to find the caller's record", next)
    }

    /// The look-up's path, and whether it takes a phone number (else an account).
    fn stated_path(&self) -> Option<(String, bool)> {
        let config = self.desk.config.identity.as_ref()?;
        if let Some(path) = &config.lookup_account {
            return Some((path.clone(), false));
        }
        let path = config.lookup.clone()?;
        match template::names(&path).as_slice() {
            [name] if name == "caller_number" => Some((path, true)),
            [name] if name == "account" => Some((path, false)),
            _ => None,
        }
    }

    pub(super) fn number_question(&mut self) -> String {
        match self.stated_path() {
            Some((_, false)) => self.phrase("ask_account", &[("factor", "account number")]),
            _ => self.phrase("ask_caller_number", &[]),
        }
    }

    pub(super) fn number_said(&mut self, said: &Said) -> Reply {
        let Some((path, phone)) = self.stated_path() else {
            return self.transfer("verify_failed");
        };
        self.keep_words(&said.text);
        if declines_to_say(&said.text) {
            return self.proof_declined();
        }
        if social::asks_why(&said.text) {
            self.lead_phrase("verify_reason");
            return self.ask_number();
        }
        let spoken = said.keyed.as_deref().unwrap_or(&said.text);
        let stated = if phone {
            entity::phone(spoken, &self.locale)
        } else {
            said.keyed.clone().or_else(|| entity::identifier(spoken))
        };
        let Some(stated) = stated else {
            if let Some(reply) = self.asked_back(said) {
                return reply;
            }
            if let Some(reply) = self.change_of_subject(said) {
                return reply;
            }
            self.lead_phrase("verify_unclear");
            return self.ask_number();
        };
        if let Some(request) = self.lookup_request(&path, &stated, FoundBy::Stated) {
            self.stated = Some(stated);
            self.waiting = Waiting::Request;
            self.lead_phrase("looking");
            return self.reply(Route::Act, "looks the caller up", Next::Request(request));
        }
        self.ask_number()
    }

    /// Proof may be given before it is asked for, in any turn of the action.
    fn keep_words(&mut self, text: &str) {
        if let Some(running) = &mut self.running {
            running.words.push_str(". ");
            running.words.push_str(text);
        }
    }

    pub(super) fn factor_question(&mut self, factor: &str) -> String {
        let plain = render::words(factor);
        let key = format!("ask_{}", factor.to_lowercase());
        if crate::desk::phrase::is_key(&key) {
            self.phrase(&key, &[])
        } else {
            self.phrase("ask_factor", &[("factor", &plain)])
        }
    }

    pub(super) fn factor_said(&mut self, factor: &str, said: &Said) -> Reply {
        let Some(config) = self.desk.config.identity.clone() else {
            return self.transfer("verify_failed");
        };
        if social::asks_why(&said.text) {
            self.lead_phrase("verify_reason");
            self.ask_again();
            let next = self.listen();
            return self.reply(Route::Act, "why proof is needed", next);
        }
        let refused = said.keyed.is_none()
            && said.text.split_whitespace().count() <= 3
            && entity::yes_no(&said.text) == Some(false);
        if refused || declines_to_say(&said.text) {
            self.identity.skip(factor);
            if self.identity.next_factor(&config.factors).is_none() {
                return self.proof_declined();
            }
            self.lead_phrase("verify_other");
            return self.verify();
        }
        // A question in place of the answer is no wrong answer.
        if said.keyed.is_none()
            && turns::asks(&said.text)
            && entity::digits(&said.text).is_none()
            && let Some(reply) = self.asked_back(said)
        {
            return reply;
        }
        let (today, locale) = (self.today(), self.locale.clone());
        let spoken = said.keyed.as_deref().unwrap_or(&said.text);
        let limit = if config.attempts == 0 {
            FAILURES
        } else {
            config.attempts
        };
        match self.identity.check(factor, spoken, limit, today, &locale) {
            Check::Passed => {
                self.identity
                    .glean(&config.factors, &said.text, today, &locale);
                if self.verified() >= self.needed() {
                    self.thank_by_name();
                    return self.advance();
                }
                self.verify()
            }
            Check::Again => {
                self.lead_phrase("verify_again");
                self.ask_again();
                let next = self.listen();
                self.reply(Route::Act, "proof not matched", next)
            }
            Check::Unread => {
                if let Some(inquiry) = self.aside(said) {
                    return self.answer_aside(inquiry);
                }
                if let Some(reply) = self.change_of_subject(said) {
                    return reply;
                }
                self.lead_phrase("verify_unclear");
                self.ask_again();
                let next = self.listen();
                self.reply(Route::Act, "no proof in the words", next)
            }
            Check::Spent => {
                self.lead_phrase("verify_again");
                self.verify()
            }
            Check::Locked => self.transfer("verify_failed"),
        }
    }

    /// Proof is given: the caller is called by name, once in a call. A desk that words this for itself is taken at its word.
    fn thank_by_name(&mut self) {
        let own = !self.desk.phrases.all("verify_done").is_empty();
        let name = self.identity.customer().and_then(first_name);
        match name.filter(|_| !own && !self.named) {
            Some(name) => {
                self.named = true;
                let text = self.phrase("verify_done_name", &[("name", &name)]);
                self.lead(text);
            }
            None => self.lead_phrase("verify_done"),
        }
    }

    /// Nothing is left to ask for that the caller can or will say: a human is offered, who can find out in other ways. Nobody is told that
    /// what they did not say does not match.
    fn proof_declined(&mut self) -> Reply {
        self.waiting = Waiting::Human("verify_failed".into());
        self.say_and_listen(Route::Clarify, "no proof is given", "verify_declined")
    }

    /// The look-up by the number the call comes from, where the desk has one.
    pub(super) fn lookup_by_number(&mut self) -> Option<Request> {
        let number = self.caller.number.clone()?;
        let config = self.desk.config.identity.clone()?;
        let path = config.lookup?;
        if template::names(&path) != ["caller_number"] {
            return None;
        }
        self.desk.config.backoffice.as_ref()?;
        let by = FoundBy::Number {
            vouched: self.caller.vouched,
        };
        self.lookup_request(&path, &number, by)
    }

    pub(super) fn lookup_request(
        &mut self,
        path: &str,
        number: &str,
        by: FoundBy,
    ) -> Option<Request> {
        let mut slots = serde_json::Map::new();
        slots.insert("account".into(), number.into());
        let fill = Fill {
            slots: &slots,
            customer: None,
            result: None,
            caller_number: Some(number),
        };
        let path = template::path(path, fill).ok()?;
        let id = self.request_id();
        self.lookup = Lookup::UnderWay;
        self.flights.push(Flight {
            id,
            purpose: Purpose::Lookup(by),
            record: None,
        });
        Some(Request {
            id,
            method: "GET".into(),
            path,
            name: "lookup".into(),
            ..Request::default()
        })
    }
}

/// What the customer is called by; none where the record has a title, an initial or a company there.
fn first_name(customer: &serde_json::Value) -> Option<String> {
    const TITLES: [&str; 8] = ["mr", "mrs", "ms", "miss", "dr", "sir", "the", "prof"];
    let name = crate::desk::handoff::name(customer)?;
    let first = name.split_whitespace().next()?;
    let called = first.chars().count() > 1
        && first.chars().all(|c| c.is_alphabetic() || "'-".contains(c))
        && first.chars().any(char::is_lowercase)
        && !TITLES.contains(&first.to_lowercase().as_str());
    called.then(|| first.to_owned())
}

/// The caller cannot or will not say it, in so many words; digits would be an answer all the same.
fn declines_to_say(text: &str) -> bool {
    (social::cannot(text) || social::will_not(text)) && entity::digits(text).is_none()
}
