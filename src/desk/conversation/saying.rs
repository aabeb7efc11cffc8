//! Wording a reply: the greeting, what was asked last, and the words around the facts.

use crate::desk::inquiry;
use crate::desk::types::{Listen, Next, Reply, Route, Say};

use super::{Consent, Conversation, Line, Party, Waiting};

impl Conversation {
    pub(super) fn phrase(&mut self, key: &str, fill: &[(&str, &str)]) -> String {
        let own = self.desk.phrases.all(key).to_vec();
        self.wording
            .say((!own.is_empty()).then_some(&own[..]), key, fill)
    }

    /// To be said before the next reply.
    pub(super) fn lead(&mut self, text: String) {
        if !text.is_empty() {
            self.lead.push(Say::new(text));
        }
    }

    pub(super) fn lead_phrase(&mut self, key: &str) {
        let text = self.phrase(key, &[]);
        self.lead(text);
    }

    /// Closes a turn: what was gathered is said, and `next` happens.
    pub(super) fn reply(&mut self, route: Route, reason: &str, next: Next) -> Reply {
        let decision = self.decision(route, reason);
        self.reply_with(decision, next)
    }

    pub(super) fn reply_with(
        &mut self,
        mut decision: crate::desk::types::Decision,
        next: Next,
    ) -> Reply {
        let mut say = std::mem::take(&mut self.lead);
        if !self.disclosed && self.turn > 1 {
            let text = self.phrase("disclosure", &[]);
            say.insert(0, Say::must_hear(text));
            self.disclosed = true;
        }
        // An announcement that was cut off is made again.
        if self.turn > 1
            && matches!(self.consent, Consent::Announce { .. })
            && let Some(notice) = self.notice()
        {
            say.insert(0, notice);
        }
        decision.reply = say
            .iter()
            .map(|s| s.text.as_str())
            .collect::<Vec<_>>()
            .join(" ");
        if !decision.reply.is_empty() {
            self.lines.push(Line {
                by: Party::Line,
                text: decision.reply.clone(),
            });
            self.last.clone_from(&say);
            self.unheard_must = None;
        }
        let intent = decision.intent.clone();
        if let Some(basis) = &mut self.basis {
            if intent.is_some() {
                basis.intent = intent;
            }
        } else if intent.is_some() {
            self.basis = Some(decision.clone());
        }
        Reply {
            decision,
            say,
            next,
        }
    }

    /// Says a phrase and listens on.
    pub(super) fn say_and_listen(&mut self, route: Route, reason: &str, key: &str) -> Reply {
        self.lead_phrase(key);
        let next = self.listen();
        self.reply(route, reason, next)
    }

    pub(super) fn say_greeting(&mut self) {
        let company = self.desk.config.company.clone();
        let agent = self.desk.config.agent_name.clone();
        let greeting = match self.desk.config.greeting.clone() {
            Some(own) => own
                .replace("{company}", &company)
                .replace("{agent}", agent.as_deref().unwrap_or(&company)),
            None => match &agent {
                Some(agent) => self.phrase("greeting", &[("agent", agent), ("company", &company)]),
                None => self.phrase("greeting_plain", &[("company", &company)]),
            },
        };
        if !discloses(&greeting) {
            let text = self.phrase("disclosure", &[]);
            self.lead.push(Say::must_hear(text));
        }
        for sentence in sentences(&greeting) {
            let must_hear = discloses(sentence);
            self.lead.push(Say {
                text: sentence.to_owned(),
                must_hear,
            });
        }
        if let Some(notice) = self.notice() {
            // Before "How can I help?"; a question of our own takes its place.
            let asks = self
                .lead
                .last()
                .is_some_and(|s| s.text.ends_with('?') && !s.must_hear);
            let question = asks.then(|| self.lead.pop()).flatten();
            self.lead.push(notice);
            if matches!(self.consent, Consent::Announce { .. }) {
                self.lead.extend(question);
            }
        }
    }

    /// What was asked last, put again after an interruption; its answer is still waited for. Must-hear where it was.
    pub(super) fn ask_again(&mut self) {
        match self.waiting.clone() {
            Waiting::Slot(name) => {
                let ask = self.slot_question(&name);
                self.lead(ask);
            }
            Waiting::Factor(factor) => {
                let ask = self.factor_question(&factor);
                self.lead(ask);
            }
            Waiting::Number => {
                let ask = self.number_question();
                self.lead(ask);
            }
            Waiting::Confirm => self.read_back(),
            Waiting::Which => self.which_question(),
            Waiting::Change => self.lead_phrase("confirm_no"),
            Waiting::CallbackOffer => self.callback_question(),
            Waiting::CallbackNumber => self.lead_phrase("callback_number"),
            Waiting::CallbackWhen => self.lead_phrase("callback_when"),
            Waiting::Human(_) => self.lead_phrase("offer_human"),
            Waiting::Request => self.lead_phrase("wait"),
            Waiting::Clarify { between, .. } => self.clarify_question(&between),
            Waiting::Parked => self.parked_question(),
            Waiting::Open | Waiting::More | Waiting::History(_) | Waiting::Transferring => {}
        }
    }

    /// Nothing was said for a while: asked again (1), a human offered (2), a kind end (3).
    pub fn silence(&mut self, n: u32) -> Reply {
        self.asked_to_wait = false;
        match n {
            0 | 1 => {
                self.lead_phrase("silence");
                self.ask_again();
            }
            2 => self.lead_phrase("silence_human"),
            _ => {
                self.lead_phrase("goodbye_silence");
                return self.reply(Route::Clarify, "silence", Next::End);
            }
        }
        let next = self.listen();
        self.reply(Route::Clarify, "silence", next)
    }

    /// Whether the caller said that they need a moment.
    pub fn asked_to_wait(&self) -> bool {
        self.asked_to_wait
    }

    /// Speech that could not be made out.
    pub fn unheard(&mut self) -> Reply {
        self.misses += 1;
        let calling_back = matches!(
            self.waiting,
            Waiting::CallbackOffer | Waiting::CallbackNumber | Waiting::CallbackWhen
        );
        if self.misses >= 3 && !calling_back && self.waiting != Waiting::Transferring {
            return self.transfer("not_heard");
        }
        let keys = matches!(
            self.listen(),
            Next::Listen(Listen::Digits | Listen::Postcode | Listen::Date | Listen::Money)
        );
        match (self.misses, keys) {
            (1, _) => {
                self.lead_phrase("unheard");
                if self.running.is_some() {
                    self.ask_again();
                }
            }
            (_, true) => self.lead_phrase("unheard_keypad"),
            (_, false) if calling_back => self.ask_again(),
            (_, false) => self.lead_phrase("unheard_human"),
        }
        let next = self.listen();
        self.reply(Route::Clarify, "not heard", next)
    }
}

/// Whether a text says that no person is speaking.
pub(super) fn discloses(text: &str) -> bool {
    let words = inquiry::social::plain(text);
    [
        "automated",
        "automatic",
        "virtual",
        "robot",
        "bot",
        "machine",
        "ai",
        "digital assistant",
        "artificial",
    ]
    .iter()
    .any(|word| inquiry::social::holds(&words, word))
}

/// A text's sentences; a stop inside a figure or a short form does not end one.
pub(super) fn sentences(text: &str) -> Vec<&str> {
    let mut out = Vec::new();
    let mut start = 0;
    for (at, c) in text.char_indices() {
        if !matches!(c, '.' | '!' | '?') {
            continue;
        }
        let after = &text[at + c.len_utf8()..];
        if after.is_empty()
            || after.starts_with(' ') && after.trim_start().starts_with(char::is_uppercase)
        {
            out.push(text[start..=at].trim());
            start = at + 1;
        }
    }
    if !text[start..].trim().is_empty() {
        out.push(text[start..].trim());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_greeting_either_discloses_or_does_not() {
        assert!(discloses("Hi, I'm Robin, an automated assistant."));
        assert!(discloses("This is our AI."));
        assert!(!discloses("Hello, you're through to Ada at Brook Water."));
        assert!(!discloses("Welcome to Botany Aid."));
    }

    #[test]
    fn sentences_end_where_the_next_begins() {
        assert_eq!(
            sentences("Hi. I'm 2.5 years old. How are you?"),
            ["Hi.", "I'm 2.5 years old.", "How are you?"]
        );
    }
}
