//! To a human, and what happens when none can be had.

use crate::desk::entity;
use crate::desk::inquiry::social;
use crate::desk::record::{CallbackRequest, TargetOutcome};
use crate::desk::text::is_weekday;
use crate::desk::types::{Next, Reply, Route, Said};

use super::{Conversation, Party, Waiting};

impl Conversation {
    pub(super) fn wants_human(&mut self) -> Reply {
        self.transfer("asked")
    }

    /// To a human who speaks the caller's language: no word of ours would be understood, save the one that the desk has for it.
    pub(super) fn transfer_language(&mut self, language: &str) -> Reply {
        let own = format!("language.{language}");
        if self.desk.phrases.all(&own).is_empty() {
            self.lead_phrase("transfer");
        } else {
            self.lead_phrase(&own);
        }
        self.transfer_saying(&format!("language_{language}"), None)
    }

    /// To a human, with a word that fits the reason.
    pub(super) fn transfer(&mut self, reason: &str) -> Reply {
        let key = transfer_key(reason);
        self.transfer_saying(reason, Some(key))
    }

    /// To a human; what there is to say has been said already where there is no `key`.
    pub(super) fn transfer_saying(&mut self, reason: &str, key: Option<&str>) -> Reply {
        // Kinds of distress have their own words; a second word of sympathy would sound like a recording.
        if key.is_some_and(|key| {
            [
                "transfer_asked",
                "transfer_unsure",
                "transfer_policy",
                "transfer",
            ]
            .contains(&key)
        }) {
            self.soften();
        }
        if let Some(key) = key {
            self.lead_phrase(key);
        }
        self.settled = false;
        self.handoff_reason = Some(reason.to_owned());
        let packet = self.handoff(reason);
        self.waiting = Waiting::Transferring;
        self.reply(Route::Transfer, reason, Next::Transfer(Box::new(packet)))
    }

    /// The queue the desk names for this reason or intent.
    pub(super) fn queue(&self, reason: &str, intent: Option<&str>) -> Option<String> {
        let queues = &self.desk.config.escalation.queues;
        let of_intent = || intent.and_then(|intent| self.desk.policy(intent).queue.clone());
        let named = std::iter::once(reason)
            .chain(kin(reason).iter().copied())
            .find(|name| queues.contains_key(*name));
        if let Some(name) = named {
            return Some(name.to_owned());
        }
        // One queue for all languages will do: its people say which they speak.
        if reason.starts_with("language_") && queues.contains_key("language") {
            return Some("language".to_owned());
        }
        of_intent().or_else(|| {
            intent
                .filter(|intent| queues.contains_key(*intent))
                .map(str::to_owned)
        })
    }

    /// What the caller said of their matter, greetings and answers to our questions left out.
    pub(super) fn matter_words(&self) -> String {
        if let Some(running) = &self.running {
            let first = running.words.split(". ").next().unwrap_or_default();
            if !first.is_empty() {
                return first.to_owned();
            }
        }
        if let Some(topic) = &self.topic {
            return topic.text.clone();
        }
        self.lines
            .iter()
            .rev()
            .find(|line| {
                line.by == Party::Caller
                    && line.text.split_whitespace().count() >= 3
                    && !entity::wants_human(&line.text)
                    && social::social(&line.text).is_none()
            })
            .map(|line| line.text.clone())
            .unwrap_or_default()
    }

    /// What is still open, for whoever takes over.
    pub(super) fn open_question(&self) -> String {
        let mut open = Vec::new();
        if let Some(running) = &self.running {
            open.push(format!(
                "They wanted to {}",
                running.in_words().replace("your", "their")
            ));
        } else if !self.settled {
            let words = self.matter_words();
            if !words.is_empty() {
                open.push(words);
            }
        }
        open.extend(self.parked.iter().map(|parked| parked.text.clone()));
        open.join("; ")
    }

    /// Nobody took it: the truth, and a callback offered.
    pub fn transfer_failed(&mut self, outcomes: &[TargetOutcome]) -> Reply {
        self.transfers_failed += 1;
        self.targets.extend(outcomes.iter().cloned());
        self.lead_phrase("nobody_free");
        self.callback = Some(super::Promise {
            number: self.caller.number.clone(),
            when: None,
            asked: 0,
            promised: false,
        });
        self.waiting = Waiting::CallbackOffer;
        self.callback_question();
        let next = self.listen();
        self.reply(Route::Transfer, "nobody took the call", next)
    }

    /// "Can someone ring me back tomorrow?", with nothing else to see to first: it is arranged.
    pub(super) fn callback_wished(&mut self, said: &Said) -> Option<Reply> {
        let open = matches!(
            self.waiting,
            Waiting::Open | Waiting::More | Waiting::Human(_) | Waiting::Clarify { .. }
        );
        let when = when(&said.text);
        if !open
            || !wishes_callback(&said.text)
            || when.is_none() && entity::wants_human(&said.text)
        {
            return None;
        }
        if self.basis.is_none() {
            self.rest_on(said);
        }
        self.settled = false;
        self.callback = Some(super::Promise {
            number: self.caller.number.clone(),
            when: None,
            asked: 0,
            promised: false,
        });
        Some(self.callback_next(when))
    }

    pub(super) fn callback_question(&mut self) {
        let known = self
            .callback
            .as_ref()
            .is_some_and(|promise| promise.number.is_some());
        self.lead_phrase(if known {
            "callback_offer"
        } else {
            "callback_offer_number"
        });
    }

    pub(super) fn callback_offered(&mut self, said: &Said) -> Reply {
        let number = entity::phone(said.keyed.as_deref().unwrap_or(&said.text), &self.locale);
        let yes = match said.keyed.as_deref() {
            Some("1") => Some(true),
            Some("2") => Some(false),
            _ if number.is_some() || means_callback(&said.text) => {
                Some(entity::yes_no(&said.text) != Some(false) || number.is_some())
            }
            _ => entity::yes_no(&said.text),
        };
        let when = when(&said.text);
        match yes {
            Some(true) => {
                let elsewhere = [
                    "different number",
                    "another number",
                    "other number",
                    "not this number",
                    "my mobile",
                    "my work",
                ]
                .iter()
                .any(|phrase| social::holds(&social::plain(&said.text), phrase));
                if let Some(promise) = &mut self.callback {
                    if number.is_some() {
                        promise.number = number;
                    } else if elsewhere {
                        promise.number = None;
                    }
                }
                self.callback_next(when)
            }
            Some(false) => {
                self.callback = None;
                self.waiting = Waiting::More;
                if social::social(&said.text) == Some(social::Social::Goodbye) {
                    return self.goodbye();
                }
                let words = said.text.split_whitespace().count();
                if words >= 5 {
                    return self.question(said);
                }
                self.say_and_listen(Route::Clarify, "no callback wanted", "callback_declined")
            }
            None if when.is_some() => self.callback_next(when),
            None => {
                // The caller takes the matter up again instead.
                if let Some(inquiry) = self.aside(said) {
                    self.waiting = Waiting::Open;
                    self.callback = None;
                    return self.act_on(inquiry, &said.text, &said.vector);
                }
                let asked = self.callback.as_mut().map_or(0, |promise| {
                    promise.asked += 1;
                    promise.asked
                });
                if asked >= 3 {
                    self.waiting = Waiting::More;
                    self.callback = None;
                    return self.say_and_listen(
                        Route::Clarify,
                        "no clear answer on a callback",
                        "callback_declined",
                    );
                }
                self.callback_question();
                let next = self.listen();
                self.reply(Route::Clarify, "no clear answer on a callback", next)
            }
        }
    }

    fn callback_next(&mut self, when: Option<String>) -> Reply {
        let when = when.or_else(|| {
            self.callback
                .as_ref()
                .and_then(|promise| promise.when.clone())
        });
        if let Some(promise) = &mut self.callback {
            promise.when.clone_from(&when);
        }
        if self
            .callback
            .as_ref()
            .is_none_or(|promise| promise.number.is_none())
        {
            self.waiting = Waiting::CallbackNumber;
            return self.say_and_listen(
                Route::Clarify,
                "a number for the callback",
                "callback_number",
            );
        }
        if when.is_some() {
            return self.promise(when);
        }
        self.waiting = Waiting::CallbackWhen;
        self.say_and_listen(Route::Clarify, "a time for the callback", "callback_when")
    }

    pub(super) fn callback_number_said(&mut self, said: &Said) -> Reply {
        let spoken = said.keyed.as_deref().unwrap_or(&said.text);
        if let Some(number) = entity::phone(spoken, &self.locale) {
            if let Some(promise) = &mut self.callback {
                promise.number = Some(number);
            }
            return self.callback_next(None);
        }
        let plain = social::plain(&said.text);
        let this = [
            "this number",
            "this one",
            "same number",
            "the number im calling from",
            "the one im calling from",
        ];
        if let Some(own) = self.caller.number.clone()
            && this.iter().any(|phrase| social::holds(&plain, phrase))
        {
            if let Some(promise) = &mut self.callback {
                promise.number = Some(own);
            }
            return self.callback_next(None);
        }
        let asked = self.callback.as_mut().map_or(0, |promise| {
            promise.asked += 1;
            promise.asked
        });
        if asked >= 3 || social::declines(&said.text) {
            self.callback = None;
            self.waiting = Waiting::More;
            return self.say_and_listen(
                Route::Clarify,
                "no number for a callback",
                "callback_declined",
            );
        }
        self.say_and_listen(
            Route::Clarify,
            "the number was not understood",
            "callback_number",
        )
    }

    pub(super) fn callback_when_said(&mut self, said: &Said) -> Reply {
        let text = said.text.trim();
        let said = (!text.is_empty() && !social::cannot(text))
            .then(|| text.trim_end_matches(['.', '!']).to_owned());
        self.promise(said)
    }

    fn promise(&mut self, when: Option<String>) -> Reply {
        let number = self
            .callback
            .as_ref()
            .and_then(|promise| promise.number.clone());
        let Some(number) = number else {
            self.waiting = Waiting::CallbackNumber;
            return self.say_and_listen(
                Route::Clarify,
                "a number for the callback",
                "callback_number",
            );
        };
        let reason = self
            .handoff_reason
            .clone()
            .unwrap_or_else(|| "asked".to_owned());
        let mut handoff = self.handoff(&reason);
        handoff.result = "callback".to_owned();
        if let Some(promise) = &mut self.callback {
            promise.promised = true;
        }
        let callback = CallbackRequest {
            number,
            when: when.clone(),
            reason,
            handoff,
        };
        // Said back only where it is a time and nothing else: a caller's whole sentence would not fit the line.
        match when.as_deref().and_then(self::when) {
            Some(when) => {
                let text = self.phrase("callback_promised_when", &[("when", &when)]);
                self.lead(text);
            }
            None => self.lead_phrase("callback_promised"),
        }
        self.waiting = Waiting::More;
        self.running = None;
        self.lead_phrase("anything_else");
        self.reply(
            Route::Transfer,
            "a callback is promised",
            Next::Callback {
                callback,
                end: false,
            },
        )
    }
}

/// "Yes, have them ring me."
pub(super) fn means_callback(text: &str) -> bool {
    let words = social::plain(text);
    [
        "call me",
        "ring me",
        "phone me",
        "call back",
        "callback",
        "ring back",
        "calls me",
        "give me a call",
        "give me a ring",
    ]
    .iter()
    .any(|phrase| social::holds(&words, phrase))
}

/// A wish to be rung back, put as one; not "you said you'd call me back".
fn wishes_callback(text: &str) -> bool {
    let words = social::plain(text);
    let back = [
        "call me back",
        "ring me back",
        "phone me back",
        "callback",
        "call back",
        "ring back",
        "call me tomorrow",
        "ring me tomorrow",
        "call me later",
        "ring me later",
    ];
    let wish = [
        "can",
        "could",
        "would",
        "will",
        "please",
        "id like",
        "i would like",
        "i want",
        "i need",
        "have",
        "get",
        "arrange",
        "schedule",
        "book",
        "request",
        "is it possible",
        "call me",
        "ring me",
    ];
    let past = [
        "said",
        "supposed",
        "promised",
        "never",
        "nobody",
        "no one",
        "didnt",
        "why",
        "was going to",
        "were going to",
        "told",
        "still",
        "yesterday",
        "got",
        "missed",
        "ill",
        "how do",
        "when will",
        "how long",
        "dont",
        "not",
    ];
    let any = |of: &[&str]| of.iter().any(|phrase| social::holds(&words, phrase));
    any(&back) && any(&wish) && !any(&past) && words.split(' ').count() <= 16
}

/// The time named in an answer ("yes, tomorrow morning please"), in the caller's words.
fn when(text: &str) -> Option<String> {
    const TIMES: &[&str] = &[
        "today",
        "tomorrow",
        "tonight",
        "morning",
        "afternoon",
        "evening",
        "noon",
        "lunchtime",
        "week",
        "weekend",
        "oclock",
        "am",
        "pm",
        "hour",
        "hours",
        "anytime",
        "soon",
        "now",
        "later",
    ];
    const HOURS: &[&str] = &[
        "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
        "twelve",
    ];
    const AROUND: &[&str] = &[
        "next", "this", "in", "the", "at", "after", "before", "around", "about", "on", "between",
        "and", "or", "any", "time", "an", "half", "past", "quarter", "to", "early", "late", "as",
        "possible", "right", "one", "two", "three", "four", "five", "six", "seven", "eight",
        "nine", "ten", "eleven", "twelve",
    ];
    let words: Vec<String> = social::plain(text).split(' ').map(str::to_owned).collect();
    let is_time = |w: &str| {
        is_weekday(w)
            || TIMES.contains(&w)
            || (w.len() > 2
                && (w.ends_with("am") || w.ends_with("pm"))
                && w.starts_with(|c: char| c.is_ascii_digit()))
    };
    // "At six", "after four".
    let hour = |at: usize| {
        let w = words[at].as_str();
        at > 0
            && ["at", "after", "before", "around", "by"].contains(&words[at - 1].as_str())
            && (HOURS.contains(&w) || w.parse::<u8>().is_ok_and(|n| (1..=12).contains(&n)))
    };
    let timed = |at: &usize| is_time(&words[*at]) || hour(*at);
    let first = (0..words.len()).find(timed)?;
    let last = (0..words.len()).rev().find(timed)?;
    let near = |w: &str| AROUND.contains(&w) || w.chars().all(|c| c.is_ascii_digit());
    let start = (0..first)
        .rev()
        .take_while(|at| near(&words[*at]))
        .last()
        .unwrap_or(first);
    let end = (last + 1..words.len())
        .take_while(|at| near(&words[*at]))
        .last()
        .unwrap_or(last);
    Some(words[start..=end].join(" "))
}

/// Reasons whose queue takes a reason that has none: those who are good with one are good with the other.
fn kin(reason: &str) -> &'static [&'static str] {
    match reason {
        "bereavement" => &["vulnerable", "hardship", "distress"],
        "vulnerable" => &["distress", "hardship"],
        "distress" => &["vulnerable"],
        _ => &[],
    }
}

/// The words that go with a reason.
fn transfer_key(reason: &str) -> &'static str {
    match reason {
        "asked" | "human" => "transfer_asked",
        "dispute" | "chargeback" => "transfer_dispute",
        "complaint" => "transfer_complaint",
        "fraud" | "security" => "transfer_fraud",
        "hardship" | "debt" => "transfer_hardship",
        "bereavement" => "transfer_bereavement",
        "distress" | "self_harm" | "emergency" | "crisis" => "transfer_distress",
        "vulnerable" | "vulnerability" => "transfer_vulnerable",
        "legal" | "regulator" | "legal_threat" => "transfer_legal",
        "low_confidence" | "no_answer" | "not_grounded" | "out_of_scope" => "transfer_unsure",
        "policy" | "supervised" => "transfer_policy",
        "third_party" => "transfer_third_party",
        "verify_failed" => "transfer_verify",
        "verify_locked" => "transfer_locked",
        "limit" => "transfer_limit",
        "slot" => "transfer_slot",
        _ => "transfer",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_taken_out_of_the_answer() {
        assert_eq!(
            when("yes, tomorrow morning please").as_deref(),
            Some("tomorrow morning")
        );
        assert_eq!(
            when("after 3 pm on Friday").as_deref(),
            Some("after 3 pm on friday")
        );
        assert_eq!(when("ring me back at six").as_deref(), Some("at six"));
        assert_eq!(when("yes please"), None);
    }
}
