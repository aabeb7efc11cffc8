//! What a call's notes look like to those who watch and read later: without what is private.

use std::collections::BTreeSet;

use crate::call::Note;
use crate::desk::CallRecord;
use crate::desk::conversation::Conversation;
use crate::desk::redact::{Private, Redactor, Side, Span};
use crate::store::Review;

/// Of one call.
#[derive(Debug, Clone, Default)]
pub struct Veil {
    pub redactor: Redactor,
    /// The caller's next words are a secret.
    pub secret: bool,
    /// Turns whose words were one.
    secrets: BTreeSet<u32>,
}

/// A note without what is private.
pub struct Veiled {
    pub note: Note,
    pub kinds: Vec<Private>,
    /// When it was said: to be covered in the recording.
    pub spans: Vec<Span>,
}

impl Veil {
    pub fn new(redactor: Redactor) -> Self {
        Self {
            redactor,
            secret: false,
            secrets: BTreeSet::new(),
        }
    }

    /// Values of the customer's record are known from now on.
    pub fn learn(&mut self, mind: &Conversation) {
        for (field, value) in mind.personal() {
            self.redactor.know(&field, &value);
        }
    }

    /// A record without what is private, and when that was said. `answered_ms`: since the recording began.
    pub fn record(&self, record: &CallRecord, answered_ms: u64) -> (CallRecord, Vec<Span>) {
        self.redactor.record(record, &self.secrets, answered_ms)
    }

    /// A review as it is stored: reviewers see the words as they were while the reply waits, and nobody does later.
    pub fn review(&self, mut review: Review) -> Review {
        let secret = u32::try_from(review.turn).is_ok_and(|turn| self.secrets.contains(&turn));
        review.words = self.redactor.text(&review.words, secret).text;
        for text in [&mut review.draft, &mut review.human, &mut review.said] {
            self.redactor.clean(text);
        }
        review
    }

    /// `mind`: the conversation as it stands with this note.
    pub fn note(&mut self, note: &Note, mind: &Conversation) -> Veiled {
        let mut veiled = Veiled {
            note: note.clone(),
            kinds: Vec::new(),
            spans: Vec::new(),
        };
        let redactor = self.redactor.clone();
        let clean = |text: &mut String| *text = redactor.text(text, false).text;
        match &mut veiled.note {
            Note::Caller {
                turn,
                text,
                start_ms,
                end_ms,
                ..
            } => {
                if self.secret {
                    self.secrets.insert(*turn);
                }
                let redacted = self.redactor.text(text, self.secret);
                veiled.kinds = redacted.taken.iter().map(|(_, kind)| *kind).collect();
                veiled.spans = redacted.spans(text, Side::Caller, *start_ms, *end_ms);
                *text = redacted.text;
            }
            Note::Decision { decision, .. } => {
                clean(&mut decision.reply);
                clean(&mut decision.reason);
                self.secret = mind.expects_secret();
            }
            Note::Agent { text, .. }
            | Note::Brief { text }
            | Note::Problem { text }
            | Note::Heard { heard: text, .. } => clean(text),
            Note::BargeIn { words, .. } => *words = self.redactor.text(words, self.secret).text,
            Note::Asked { question, answer } => {
                clean(question);
                clean(answer);
            }
            // A query says whom it is about.
            Note::Request { path, .. } => {
                if let Some(at) = path.find('?') {
                    path.truncate(at);
                }
                let parts: Vec<String> = path
                    .split('/')
                    .map(|part| redactor.text(part, false).text)
                    .collect();
                *path = parts.join("/");
            }
            Note::RequestDone { result: text, .. }
            | Note::Transfer { detail: text, .. }
            | Note::Review { said: text, .. }
            | Note::Ended { reason: text, .. } => clean(text),
            Note::Callback { number, when } => {
                clean(number);
                if let Some(when) = when {
                    clean(when);
                }
            }
            Note::Answered { .. } => {}
        }
        veiled
    }
}
