//! What is asked after something was asked: the words alone, with the last question, or of what was just read.

use crate::desk::inquiry::context::{self, Lean};
use crate::desk::inquiry::next::{Before, Put, Words, next};
use crate::desk::inquiry::{Inquiry, Verdict, frames, inquire, inquire_first};
use crate::desk::meaning::content_words;
use crate::desk::record::ActionStatus;
use crate::desk::types::Said;

use super::Conversation;
use super::otherwise::silent;

/// Articles looked at beside the one just read from, and how much better one must speak of the words to be meant.
const BESIDE: usize = 3;
const FAR_BETTER: f32 = 0.1;
/// Confidence from which a question that points at nothing is answered from another article than the last.
const SURE_ELSEWHERE: f32 = 0.82;
/// Content words from which a question that points at something says enough by itself, where it is also [`CLEAR`].
const SAYS_ENOUGH: usize = 3;
/// Confidence from which a fragment is a question of its own.
const CLEAR: f32 = 0.89;

impl Conversation {
    /// The likeliest of the ways in which the words may be meant after what was said before.
    pub(super) fn in_context(&self, said: &Said, alone: Inquiry) -> Put {
        self.in_context_of(said, alone, None)
    }

    /// The same where the article of this name was offered and not read from.
    pub(super) fn in_context_of(&self, said: &Said, alone: Inquiry, offered: Option<&str>) -> Put {
        let settled = |inquiry: &Inquiry| {
            !silent(inquiry) && !matches!(inquiry.verdict, Verdict::Answer { .. })
        };
        let begins = settled(&alone);
        if !begins && self.stands_alone(said, &alone) {
            return (alone, said.text.clone(), said.vector.clone());
        }
        let again = self.put_again(said);
        let next = if begins {
            None
        } else {
            self.next(said, &alone, offered, &again)
        };
        let leaning = self.leaning(said, alone, again);
        match next {
            Some(next) if !settled(&leaning.0) => {
                let answers = matches!(next.0.verdict, Verdict::Answer { .. });
                let asks = matches!(&leaning.0.verdict, Verdict::Clarify { between } if !between.is_empty());
                if asks && !answers { leaning } else { next }
            }
            _ => leaning,
        }
    }

    /// Whether words that an article surely answers as they stand need no other reading: they ask on of the article just read, or point at
    /// nothing said before. Of such answers on `tests/quality/*/talks.jsonl` 97 and 95 in 100 were right, of those that point 60.
    fn stands_alone(&self, said: &Said, alone: &Inquiry) -> bool {
        let Verdict::Answer { source, .. } = &alone.verdict else {
            return false;
        };
        let content = content_words(&said.text).len();
        let own = if context::points(&said.text) {
            content >= SAYS_ENOUGH && alone.confidence >= CLEAR
        } else {
            alone.confidence >= SURE_ELSEWHERE && frames::fragment(&said.text).is_none()
        };
        let same = self.last_source.as_ref() == Some(source);
        content > 0 && (same || own)
    }

    /// What the words ask after another question, where they begin nothing and alarm nobody; none where nothing was asked before.
    fn next(
        &self,
        said: &Said,
        alone: &Inquiry,
        offered: Option<&str>,
        again: &[Put],
    ) -> Option<Put> {
        let topic = self
            .topic
            .as_ref()
            .filter(|_| self.running.is_none() && self.held.is_none())?;
        let joined = context::joined(&topic.text, &said.text);
        let words = Words {
            text: &said.text,
            reading: &said.vector,
            joined: (joined.clone(), said.reading_of(&joined)),
            again,
        };
        if words.reading.is_empty() || words.joined.1.is_empty() {
            return None;
        }
        let before = Before {
            question: &topic.text,
            reading: &topic.vector,
            source: offered.or(self.last_source.as_deref()),
            told: self.last_answer.as_deref(),
        };
        next(&self.desk, &words, alone, &before, said.heard.as_ref())
    }

    /// The better of the words alone and the words with the last topic.
    fn leaning(&self, said: &Said, alone: Inquiry, again: Vec<Put>) -> Put {
        let own = || (said.text.clone(), said.vector.clone());
        let lean = context::lean(&said.text);
        let Some(topic) = self.topic.as_ref().filter(|_| lean != Lean::Own) else {
            let (text, vector) = own();
            return (alone, text, vector);
        };
        if let Some(again) = surest(again, &alone) {
            return again;
        }
        let text = context::joined(&topic.text, &said.text);
        let vector = context::blended(&topic.vector, &said.vector, self.desk.dims());
        let together = inquire(&self.desk, &text, &vector, said.heard.as_ref());
        let together = self
            .asked_beside(&together, said, &text, &vector)
            .unwrap_or(together);
        let settles = |inquiry: &Inquiry| !silent(inquiry);
        // "Can I move it to Saturday?" after a visit was booked: what was done is not begun again where the words name something else.
        let done = |inquiry: &Inquiry| match &inquiry.verdict {
            Verdict::Act { action } => self.actions.iter().any(|record| {
                record.name == self.desk.actions[*action].name
                    && record.status == ActionStatus::Done
            }),
            _ => false,
        };
        if done(&together) && !done(&alone) && settles(&alone) {
            let (text, vector) = own();
            return (alone, text, vector);
        }
        // "And if I pay it early?" after the late fee: what was just read out once more is no answer to it, where the words alone have one.
        let told_again = matches!(&together.verdict, Verdict::Answer { text, .. }
            if self.last_answer.as_deref() == Some(text.as_str()));
        let elsewhere = matches!((&alone.verdict, &together.verdict),
            (Verdict::Answer { source: a, .. }, Verdict::Answer { source: b, .. }) if a != b);
        if told_again && elsewhere {
            let (text, vector) = own();
            return (alone, text, vector);
        }
        // "And abroad?" after an answer is no matter of its own, and surely none of another company's.
        let lost = alone.verdict == Verdict::Outside && together.verdict != Verdict::Outside;
        let better = match lean {
            _ if lost => true,
            Lean::Wholly => settles(&together) || !settles(&alone),
            Lean::Maybe | Lean::Own => {
                // "And when is it charged?": what "it" is was said before, however well the other words fit something else.
                // "And for mobile?" is the last question asked of something else, unless it means something by itself.
                let asked_of = context::is_fragment(&said.text)
                    && !(settles(&alone) && alone.confidence >= CLEAR);
                let carried = (context::points(&said.text) || asked_of)
                    && matches!(together.verdict, Verdict::Answer { .. });
                settles(&together)
                    && (carried
                        || !settles(&alone)
                        || together.confidence > alone.confidence + 0.05)
            }
        };
        if better {
            // The topic stays what it was about: joined words would grow with every turn.
            let text = if lean == Lean::Wholly {
                topic.text.clone()
            } else {
                text
            };
            let vector = if lean == Lean::Wholly {
                topic.vector.clone()
            } else {
                vector
            };
            (together, text, vector)
        } else {
            let (text, vector) = own();
            (alone, text, vector)
        }
    }

    /// "And on platinum?": the last question with what is named in its place, in each way that it may be put.
    fn put_again(&self, said: &Said) -> Vec<Put> {
        let Some(topic) = &self.topic else {
            return Vec::new();
        };
        let again = self.desk.carried(&topic.text, &said.text).into_iter();
        let each = again.map(|text| {
            let vector = said.reading_of(&text);
            let inquiry = inquire(&self.desk, &text, &vector, said.heard.as_ref());
            (inquiry, text, vector)
        });
        each.collect()
    }

    /// Of the articles that the words with the last topic bring up, one that speaks of the words themselves far better than the one just
    /// read from: "and can you waive it?" after what the fee is. None where there is no such article.
    fn asked_beside(
        &self,
        together: &Inquiry,
        said: &Said,
        text: &str,
        vector: &[f32],
    ) -> Option<Inquiry> {
        let last = self.last_source.as_deref()?;
        if !matches!(&together.verdict, Verdict::Answer { source, .. } if source == last) {
            return None;
        }
        let told = self.desk.speaks_of_words(last, &said.vector)?;
        let others = together.understood.sources.iter().skip(1).take(BESIDE);
        let (other, spoken) = others
            .filter_map(|source| {
                let spoken = self.desk.speaks_of_words(&source.id, &said.vector)?;
                Some((source.id.as_str(), spoken))
            })
            .max_by(|a, b| a.1.total_cmp(&b.1))?;
        (spoken > told + FAR_BETTER)
            .then(|| inquire_first(&self.desk, other, text, vector, said.heard.as_ref()))
            .flatten()
    }
}

/// The surest answer to the last question put again, where the words mean nothing surer alone.
fn surest(again: Vec<Put>, alone: &Inquiry) -> Option<Put> {
    let surely = match &alone.verdict {
        Verdict::Answer { .. } => alone.confidence >= CLEAR,
        Verdict::Transfer { reason, .. } => reason != "no_answer",
        _ => false,
    };
    let answers = again
        .into_iter()
        .filter(|(inquiry, ..)| !surely && matches!(inquiry.verdict, Verdict::Answer { .. }));
    answers.max_by(|a, b| a.0.confidence.total_cmp(&b.0.confidence))
}
