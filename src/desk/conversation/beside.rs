//! What else the caller's words may mean: the texts that are read beside them, so that deciding never has to wait for a reading.

use crate::desk::inquiry::turns::{self, Meant};
use crate::desk::inquiry::{self, Verdict, context, frames};
use crate::desk::types::Said;

use super::{Conversation, Topic, Waiting};

impl Conversation {
    /// Texts whose readings [`Self::hear`] may use, given the words that are about to be heard: what is left of them once a false start
    /// is dropped, their matters, the last question with what they name in its place, a wish as the question how. Each once.
    pub fn beside(&self, text: &str) -> Vec<String> {
        let mut out: Vec<String> = Vec::new();
        let mut add = |text: &str, known: &str| {
            if !text.is_empty() && text != known && out.iter().all(|known| known != text) {
                out.push(text.to_owned());
            }
        };
        let mut said = text.trim();
        if let Meant::Rest { begun, rest } = self.meant(said) {
            add(begun, text);
            add(rest, text);
            said = rest;
        }
        let matters = context::matters(said);
        if matters.len() > 1 {
            for matter in matters {
                add(matter, text);
            }
        }
        if let Some(rest) = turns::refusal(said).and_then(|refusal| refusal.rest) {
            add(rest, text);
        }
        if self.running.is_some() {
            return out;
        }
        let before = match &self.waiting {
            Waiting::Clarify { text, .. } => Some(text),
            _ => self.topic.as_ref().map(|topic| &topic.text),
        };
        if let Some(before) = before {
            for carried in self.desk.carried(before, said) {
                add(&carried, text);
            }
            add(&context::joined(before, said), text);
        }
        if let Some(clause) = frames::asked_clause(said) {
            add(clause, text);
        }
        if let Some(how) = frames::as_how(said) {
            add(&how, text);
        }
        out
    }

    /// What the words come to. While something is asked only a new question or wish is told from a correction of the answer.
    pub(super) fn meant<'t>(&self, text: &'t str) -> Meant<'t> {
        let asked = !matches!(
            self.waiting,
            Waiting::Open | Waiting::More | Waiting::Parked | Waiting::Human(_)
        );
        match turns::meant(text) {
            Meant::Rest { rest, .. } if asked && !turns::opens_a_matter(rest) => Meant::Whole,
            Meant::Nothing if asked => Meant::Whole,
            meant => meant,
        }
    }

    /// The words without a false start. What was begun is what "it" in the rest stands for.
    pub(super) fn without_false_start(&mut self, said: &Said) -> Said {
        let Meant::Rest { begun, rest } = self.meant(&said.text) else {
            return said.clone();
        };
        let reading = said.reading_of(begun);
        // Words of somebody in need count, taken back or not.
        let understood = self.desk.understand(begun, &reading);
        if understood
            .escalation
            .as_ref()
            .is_some_and(|found| found.plain)
        {
            return said.clone();
        }
        let own = || {
            let inquiry = inquiry::inquire(&self.desk, rest, &said.reading_of(rest), None);
            matches!(
                inquiry.verdict,
                Verdict::Answer { .. } | Verdict::Act { .. }
            )
        };
        if self.running.is_none()
            && context::points(rest)
            && begun.split_whitespace().count() >= 3
            && !own()
        {
            self.topic = Some(Topic {
                text: begun.to_owned(),
                vector: reading,
            });
        }
        Said {
            text: rest.to_owned(),
            vector: said.reading_of(rest),
            ..said.clone()
        }
    }
}
