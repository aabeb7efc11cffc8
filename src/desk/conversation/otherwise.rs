//! Words taken another way than they are put: what is named only to say that it is not wanted, a wish as the question how, a few words as
//! a question about what was just read.

use crate::desk::inquiry::context::{self, Lean};
use crate::desk::inquiry::{self, Inquiry, Verdict, frames, inquire, turns};
use crate::desk::meaning::content_words;
use crate::desk::types::{Reply, Route, Said};

use super::{Conversation, Party};

impl Conversation {
    /// Words that lean on what was just read, and that nothing answers as a question of their own: its sentence that speaks of them.
    pub(super) fn pointed(
        &self,
        said: &Said,
        inquiry: Inquiry,
        text: String,
        vector: Vec<f32>,
    ) -> (Inquiry, String, Vec<f32>) {
        if silent(&inquiry)
            && context::lean(&said.text) != Lean::Own
            && let Some(last) = &self.last_source
            && let Some(found) = inquiry::inquire_again(&self.desk, last, &said.text, &said.vector)
            && !matches!(&found.verdict, Verdict::Answer { text, .. } if self.last_answer.as_ref() == Some(text))
        {
            return (found, text, vector);
        }
        (inquiry, text, vector)
    }

    /// What is asked after it was said how things are, where the whole means nothing: "it's my first time calling, I was wondering about
    /// classes".
    pub(super) fn asked_last(
        &self,
        said: &Said,
        inquiry: Inquiry,
        text: String,
        vector: Vec<f32>,
    ) -> (Inquiry, String, Vec<f32>) {
        if silent(&inquiry)
            && let Some(clause) = frames::asked_clause(&said.text)
        {
            let reading = said.reading_of(clause);
            let asked = inquire(&self.desk, clause, &reading, said.heard.as_ref());
            let says = match &asked.verdict {
                Verdict::Answer { .. } | Verdict::Act { .. } => true,
                Verdict::Clarify { between } => !between.is_empty(),
                _ => false,
            };
            if says {
                return (asked, clause.to_owned(), reading);
            }
        }
        (inquiry, text, vector)
    }

    /// "And for two?" may sound like any alarm: a few words that only go on with what was said before are none, unless they say so plainly.
    pub(super) fn without_false_alarm(&self, said: &Said, inquiry: Inquiry) -> Inquiry {
        if self.false_alarm(&said.text)
            && inquiry
                .understood
                .escalation
                .as_ref()
                .is_some_and(|found| !found.plain)
            && matches!(&inquiry.verdict, Verdict::Transfer { reason, .. } if !["no_answer", "policy", "supervised"].contains(&reason.as_str()))
        {
            return Inquiry {
                verdict: Verdict::Clarify {
                    between: Vec::new(),
                },
                ..inquiry
            };
        }
        inquiry
    }

    /// Words that only name something else to ask the last question of.
    pub(super) fn false_alarm(&self, text: &str) -> bool {
        self.topic.is_some()
            && frames::fragment(text).is_some_and(|named| named.split(' ').count() <= 4)
    }

    /// Whether the caller's last words only name something that the last answer speaks of.
    pub(super) fn names_what_was_told(&self) -> bool {
        let line = self
            .lines
            .iter()
            .rev()
            .find(|line| line.by == Party::Caller);
        let Some(named) = line.and_then(|line| frames::fragment(&line.text)) else {
            return false;
        };
        let told = self
            .last_answer
            .as_deref()
            .map(content_words)
            .unwrap_or_default();
        let named = content_words(&named);
        !named.is_empty() && named.iter().all(|word| told.contains(word))
    }

    /// A wish that no action grants and no article answers as it is put, as the question how: "I want to put it on hold".
    pub(super) fn as_how(
        &self,
        said: &Said,
        inquiry: Inquiry,
        text: String,
        vector: Vec<f32>,
    ) -> (Inquiry, String, Vec<f32>) {
        let silent = silent(&inquiry) && inquiry.verdict != Verdict::Outside;
        let acts = inquiry
            .intent
            .as_deref()
            .is_some_and(|name| self.desk.action_for(name).is_some());
        if silent
            && !acts
            && let Some(how) = frames::as_how(&said.text)
        {
            let reading = said.reading_of(&how);
            let asked = inquire(&self.desk, &how, &reading, said.heard.as_ref());
            if matches!(asked.verdict, Verdict::Answer { .. }) {
                return (asked, how, reading);
            }
            // An article that tells how is asked about before it is read from.
            if let Some(choice) = inquiry::how_told(&self.desk, &inquiry.understood, &how) {
                let between = vec![choice];
                let asks = Inquiry {
                    verdict: Verdict::Clarify { between },
                    ..asked
                };
                return (asks, how, reading);
            }
        }
        (inquiry, text, vector)
    }

    /// Words that name a thing to say that it is not wanted: what else they ask is answered, and nothing is begun.
    pub(super) fn not_wanted(&mut self, said: &Said, whole: &Inquiry) -> Option<Reply> {
        let refusal = turns::refusal(&said.text)?;
        let begun = match &whole.verdict {
            Verdict::Act { action } => {
                let action = &self.desk.actions[*action];
                if !self.desk.does(action, &refusal.verbs) {
                    return None;
                }
                Some(action.clone())
            }
            // Kept for a human, and refused: nobody has to be rung for it.
            Verdict::Transfer { reason, .. }
                if reason == "policy"
                    && (refusal.rest.is_some()
                        || whole
                            .intent
                            .as_deref()
                            .is_some_and(|name| self.desk.is_of(name, &refusal.verbs))) =>
            {
                None
            }
            // "Don't cancel it", and how a thing is cancelled is known: they did not ask.
            Verdict::Answer { .. } | Verdict::Clarify { .. } | Verdict::Outside
                if refusal.order && refusal.rest.is_none() =>
            {
                None
            }
            Verdict::Transfer { reason, .. }
                if reason == "no_answer" && refusal.order && refusal.rest.is_none() =>
            {
                None
            }
            _ => return None,
        };
        if let Some(rest) = refusal.rest {
            let said = Said {
                text: rest.to_owned(),
                vector: said.reading_of(rest),
                beside: Vec::new(),
                ..said.clone()
            };
            let alone = self.inquire(&said);
            // "It", in the rest, is what was named.
            let alone = match &alone.verdict {
                Verdict::Answer { .. } | Verdict::Act { .. } => Some(alone),
                Verdict::Transfer { reason, .. } if reason != "no_answer" => Some(alone),
                _ => begun.as_ref().and_then(|action| {
                    inquiry::inquire_aside(&self.desk, &action.intent, &said.text, &said.vector)
                }),
            };
            if let Some(alone) = alone {
                return Some(self.act_on(alone, &said.text, &said.vector));
            }
        }
        // What else they said may be just that which is kept for a human.
        if refusal.rest.is_some() && begun.is_none() {
            return None;
        }
        self.basis = Some(whole.decision(String::new()));
        self.settled = true;
        match begun {
            // "I won't set your autopay" says too little of which way it is left.
            Some(action) if action.slots.iter().all(|slot| slot.choices.is_empty()) => {
                let what = crate::desk::action::in_words(&action.name, action.kind);
                let text = self.phrase("not_wanted", &[("what", &what)]);
                self.lead(text);
            }
            _ => self.lead_phrase("not_wanted_plain"),
        }
        let next = self.listen();
        Some(self.reply(Route::Clarify, "said not to be wanted", next))
    }
}

/// Nothing is told or done yet.
fn silent(inquiry: &Inquiry) -> bool {
    match &inquiry.verdict {
        Verdict::Transfer { reason, .. } => reason == "no_answer",
        Verdict::Clarify { .. } | Verdict::Outside => true,
        Verdict::Answer { .. } | Verdict::Act { .. } => false,
    }
}
