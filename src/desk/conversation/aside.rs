//! Questions beside the one that was asked: answered, and then back to what is under way.

use crate::desk::action::render;
use crate::desk::action::slots::{self, Reading};
use crate::desk::inquiry::turns;
use crate::desk::inquiry::{self, Inquiry, Verdict, inquire, social};
use crate::desk::types::{Reply, Route, Said};

use super::{Conversation, Waiting};

/// Questions nothing answers that are turned down before what is asked is asked as ever.
const UNKNOWN: u32 = 3;

impl Conversation {
    /// A question beside the one that was asked, if an article answers it surely.
    pub(super) fn aside(&self, said: &Said) -> Option<Inquiry> {
        if said.text.split_whitespace().count() < 3 || social::declines(&said.text) {
            return None;
        }
        // What is asked while something is being done is asked of that first.
        if let Some(running) = self.running.as_ref().filter(|_| turns::asks(&said.text)) {
            let intent = &running.action.intent;
            let found = inquiry::inquire_aside(&self.desk, intent, &said.text, &said.vector);
            if found.is_some() {
                return found;
            }
        }
        let alone = inquire(&self.desk, &said.text, &said.vector, said.heard.as_ref());
        let (inquiry, ..) = self.in_context(said, alone);
        matches!(inquiry.verdict, Verdict::Answer { .. }).then_some(inquiry)
    }

    /// Answers a question beside, then comes back to what is under way.
    pub(super) fn answer_aside(&mut self, inquiry: Inquiry) -> Reply {
        if let Verdict::Answer {
            text,
            title,
            source,
        } = inquiry.verdict
        {
            self.last_source = Some(source);
            self.lead(text);
            self.tried.push(format!("Answered from \"{title}\""));
        }
        self.lead_phrase("back_to");
        self.ask_again();
        let next = self.listen();
        self.reply(Route::Answer, &inquiry.reason, next)
    }

    /// A question that was put in place of an answer: answered, or said not to be known, and what was asked is asked again. None where
    /// the words are no question, or too many were put that nothing answers.
    pub(super) fn asked_back(&mut self, said: &Said) -> Option<Reply> {
        if !turns::asks(&said.text) || said.text.split_whitespace().count() < 2 {
            return self.aside(said).map(|inquiry| self.answer_aside(inquiry));
        }
        if let Some(limit) = self.limit_asked(said) {
            self.lead(limit);
            self.ask_again();
            let next = self.listen();
            return Some(self.reply(Route::Answer, "what the action allows", next));
        }
        if let Some(day) = self.day_asked(said) {
            let day = render::date(day, &self.locale, self.today());
            let told = self.phrase("due_now", &[("day", &day)]);
            self.lead(told);
            self.ask_again();
            let next = self.listen();
            return Some(self.reply(Route::Answer, "the day it is now", next));
        }
        if let Some(told) = self.told_beside(said) {
            self.lead(told);
            self.lead_phrase("back_to");
            self.ask_again();
            let next = self.listen();
            return Some(self.reply(Route::Answer, "told before", next));
        }
        if let Some(inquiry) = self.aside(said) {
            return Some(self.answer_aside(inquiry));
        }
        if let Some(reply) = self.change_of_subject(said) {
            return Some(reply);
        }
        if said.text.split_whitespace().count() < 3 {
            return None;
        }
        let running = self.running.as_mut()?;
        running.unknown += 1;
        if running.unknown > UNKNOWN {
            return None;
        }
        self.lead_phrase("aside_unknown");
        self.ask_again();
        let next = self.listen();
        Some(self.reply(Route::Act, "a question beside that nothing answers", next))
    }

    /// "What day is it now?", while another is being chosen: the day of what is moved.
    fn day_asked(&self, said: &Said) -> Option<jiff::civil::Date> {
        let words = social::plain(&said.text);
        let any = |of: &[&str]| of.iter().any(|phrase| social::holds(&words, phrase));
        let when = any(&[
            "when is it",
            "whens it",
            "what day is it",
            "what date is it",
            "when was it",
            "when is that",
            "what day was it",
        ]);
        let short = words.split(' ').count() <= 8;
        (when && short).then(|| self.due()).flatten()
    }

    /// "How far can I move it?", while a day is asked for: what the slot itself allows.
    fn limit_asked(&mut self, said: &Said) -> Option<String> {
        let Waiting::Slot(name) = &self.waiting else {
            return None;
        };
        let running = self.running.as_ref()?;
        let slot = running
            .action
            .slots
            .iter()
            .find(|slot| slot.name == *name)?;
        let Reading::Outside(key, limit) = slots::limit_asked(slot, self.words(&said.text, None))
        else {
            return None;
        };
        Some(self.phrase(key, &[("limit", &limit)]))
    }
}
