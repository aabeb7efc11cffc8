//! What is stored of a call, field by field: its record, its hand-over, the callback it promised, values of a system's answers.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Private, Redactor, Side, Span, asks_for_proof, breath, is_card_slot};
use crate::desk::record::{CallRecord, CallbackRequest, Handoff, LineQuality, NoteLine};

/// What a field of a customer's record holds, by its name; none: nothing that is kept out.
pub(super) fn kind_of(field: &str) -> Option<Private> {
    let field = field.to_lowercase();
    let holds = |words: &[&str]| words.iter().any(|w| field.contains(w));
    if field.contains("name") {
        Some(Private::Names)
    } else if field.contains("mail") {
        Some(Private::Emails)
    } else if field.contains("birth") || field == "dob" {
        Some(Private::Births)
    } else if holds(&["post", "zip", "phone", "address", "street"])
        || holds(&["secret", "passw", "passcode", "passphrase", "ssn", "maiden"])
        || field.split('_').any(|part| part == "pin")
    {
        Some(Private::Proof)
    } else {
        None
    }
}

/// A person's own name, not that of a plan or a status: answers of systems name many things.
fn names_somebody(field: &str) -> bool {
    const WHOSE: [&str; 14] = [
        "first", "last", "full", "middle", "given", "family", "maiden", "nick", "customer",
        "account", "holder", "caller", "contact", "display",
    ];
    let field = field.to_lowercase();
    let field = field.trim_end_matches("_name");
    field == "surname"
        || field == "forename"
        || field
            .split('_')
            .any(|part| WHOSE.contains(&part.trim_end_matches("name")))
}

/// The marks of a text in words that can be said aloud.
pub fn speakable(text: &str) -> String {
    let words = [
        (Private::Cards, "a card number"),
        (Private::Numbers, "a number"),
        (Private::Births, "a date of birth"),
        (Private::Names, "the caller"),
        (Private::Emails, "a mail address"),
        (Private::Proof, "their proof"),
    ];
    let mut said = text.to_owned();
    for (kind, words) in words {
        said = said.replace(kind.mark(), words);
    }
    // A mark that began the text begins a sentence.
    match said.strip_prefix("the caller") {
        Some(rest) if text.starts_with('[') => format!("The caller{rest}"),
        _ => said,
    }
}

impl Redactor {
    /// A record without what is private, and when it was said. `secrets`: turns whose words are known to have been one.
    /// `answered_ms`: when the call was answered, since the recording began.
    pub fn record(
        &self,
        record: &CallRecord,
        secrets: &BTreeSet<u32>,
        answered_ms: u64,
    ) -> (CallRecord, Vec<Span>) {
        if self.is_off() {
            return (record.clone(), Vec::new());
        }
        // A code of three digits is like any other number, but for the question that it answered.
        let mut redactor = self.clone();
        for (name, value) in record.actions.iter().flat_map(|action| &action.slots) {
            if is_card_slot(name) {
                match value {
                    Value::String(text) => redactor.remember(text, Private::Cards),
                    Value::Number(number) => {
                        redactor.remember(&number.to_string(), Private::Cards);
                    }
                    _ => {}
                }
            }
        }
        redactor.record_by(record, secrets, answered_ms)
    }

    fn record_by(
        &self,
        record: &CallRecord,
        secrets: &BTreeSet<u32>,
        answered_ms: u64,
    ) -> (CallRecord, Vec<Span>) {
        let mut clean = record.clone();
        let mut said = Vec::new();
        let mut proof = false;
        for turn in &mut clean.turns {
            if let Some(caller) = &mut turn.caller {
                let redacted = self.text(&caller.text, proof || secrets.contains(&turn.index));
                // A colleague who handed the caller back said it aside: it is in no recording of this call.
                if caller.by.is_none() {
                    let (from, to) = (caller.start_ms, caller.end_ms);
                    said.extend(redacted.spans(&caller.text, Side::Caller, from, to));
                }
                caller.text = redacted.text;
            }
            if let Some(decision) = &mut turn.decision {
                proof = asks_for_proof(decision);
                self.clean(&mut decision.reply);
                self.clean(&mut decision.reason);
            }
            if let Some(agent) = &mut turn.agent {
                self.clean(&mut agent.text);
                let redacted = self.text(&agent.heard, false);
                let (from, to) = (agent.start_ms + answered_ms, agent.end_ms + answered_ms);
                said.extend(redacted.spans(&agent.heard, Side::Heard, from, to));
                agent.heard = redacted.text;
            }
        }
        for earlier in &mut clean.history {
            self.clean(&mut earlier.summary);
        }
        for action in &mut clean.actions {
            for (name, value) in &mut action.slots {
                match is_card_slot(name) && self.kinds.contains(&Private::Cards) {
                    true => *value = Private::Cards.mark().into(),
                    false => self.value(value),
                }
            }
            self.value(&mut action.result);
        }
        if let Some(handoff) = &mut clean.handoff {
            let known = self.with_name(handoff);
            for note in &handoff.notes {
                said.extend(known.note_spans(note, answered_ms));
            }
            self.handoff(handoff);
        }
        self.clean(&mut clean.termination.reason);
        if let Some(line) = &mut clean.line {
            self.line(line);
        }
        (clean, said)
    }

    /// What a human was given and said, without what is private.
    pub fn handoff(&self, handoff: &mut Handoff) {
        if self.is_off() {
            return;
        }
        let redactor = self.with_name(handoff);
        let Handoff {
            summary,
            spoken_brief,
            tried,
            open_question,
            caller_name,
            questions,
            note,
            handed_back,
            notes,
            draft,
            closing,
            // Words of the line's own, figures and addresses of colleagues. All fields are named, so that a new one is thought of here.
            reason: _,
            intent: _,
            sources: _,
            confidence: _,
            verified: _,
            sentiment: _,
            targets: _,
            result: _,
            accepted_by: _,
            queue: _,
        } = handoff;
        if self.kinds.contains(&Private::Names) {
            *caller_name = None;
        }
        let texts = [summary, spoken_brief, open_question].into_iter();
        let texts = texts.chain(tried);
        let texts = texts.chain(
            questions
                .iter_mut()
                .flat_map(|q| [&mut q.question, &mut q.answer]),
        );
        let texts = texts.chain([note, handed_back, draft].into_iter().flatten());
        let texts = texts.chain(notes.iter_mut().map(|n| &mut n.text));
        let texts = texts.chain(closing.iter_mut().map(|c| &mut c.said));
        texts.for_each(|text| redactor.clean(text));
    }

    /// The name that a packet carries in a field of its own may stand in any of its texts, however it is spelled.
    fn with_name(&self, handoff: &Handoff) -> Self {
        let mut redactor = self.clone();
        if let Some(name) = &handoff.caller_name {
            redactor.know("name", name);
        }
        redactor
    }

    /// When the private words of a note were said. Only its end is known: it is taken to have been said without haste.
    fn note_spans(&self, note: &NoteLine, answered_ms: u64) -> Vec<Span> {
        /// Milliseconds: a letter of slow speech, and how long after speech its end is known.
        const LETTER: u64 = 85;
        const LAG: u64 = 900;
        let side = match note.by.as_str() {
            "caller" => Side::Caller,
            _ => Side::Heard,
        };
        let to = note.at_ms + answered_ms;
        let from = to.saturating_sub(LETTER * breath(&note.text) + LAG);
        self.text(&note.text, false)
            .spans(&note.text, side, from, to)
    }

    /// A promise as it is stored: the number stays, it is to be called.
    pub fn callback(&self, callback: &mut CallbackRequest) {
        if let Some(when) = &mut callback.when {
            self.clean(when);
        }
        self.handoff(&mut callback.handoff);
    }

    /// One text in its place.
    pub fn clean(&self, text: &mut String) {
        *text = self.text(text, false).text;
    }

    /// What SIP said of where the call came from: the number is known anyhow, but the name that was sent beside it is a name.
    pub fn line(&self, line: &mut LineQuality) {
        if !self.kinds.contains(&Private::Names) {
            return;
        }
        for (_, value) in &mut line.headers {
            if let Some(at) = value.find('<')
                && !value[..at].trim().is_empty()
            {
                *value = format!("{} {}", Private::Names.mark(), &value[at..]);
            }
        }
    }

    /// Every text in a JSON value; a field that is a person's by its name goes whole, whatever stands in it.
    pub fn value(&self, value: &mut Value) {
        match value {
            Value::String(text) => self.clean(text),
            Value::Number(number) if number.is_u64() => {
                // An account or a card as a bare number; amounts and counts are shorter.
                let text = number.to_string();
                let kind = match text.len() {
                    0..8 => return,
                    13..=19 if super::luhn(&text) => Private::Cards,
                    _ => Private::Numbers,
                };
                if self.kinds.contains(&kind) {
                    *value = kind.mark().into();
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|v| self.value(v)),
            Value::Object(map) => map.iter_mut().for_each(|(field, v)| {
                let kind = kind_of(field)
                    .filter(|kind| *kind != Private::Names || names_somebody(field))
                    .filter(|kind| self.kinds.contains(kind));
                match (kind, &v) {
                    (Some(kind), Value::String(_)) => *v = kind.mark().into(),
                    _ => self.value(v),
                }
            }),
            _ => {}
        }
    }
}
