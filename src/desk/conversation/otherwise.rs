//! Words taken another way than they are put: what is named only to say that it is not wanted, a wish as the question how, a few words as
//! a question about what was just read.

use crate::desk::escalation::Escalation;
use crate::desk::inquiry::context::{self, Lean};
use crate::desk::inquiry::social::{holds, plain};
use crate::desk::inquiry::{self, Inquiry, Verdict, frames, inquire, turns};
use crate::desk::meaning::content_words;
use crate::desk::types::{Mood, Reply, Route, Said};

use super::{Conversation, Party, Waiting};

impl Conversation {
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
        if inquiry
            .understood
            .escalation
            .as_ref()
            .is_some_and(|found| !found.plain && self.false_alarm(&said.text, found))
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

    /// Words that tell how things are, ask nothing and wish for nothing, at the start of a matter.
    pub(super) fn only_tells(&self, text: &str) -> bool {
        !self.rehearsal
            && self.clarified == 0
            && !matches!(self.mood, Mood::Angry | Mood::Distressed)
            && (names_a_matter(text)
                || !turns::asks(text)
                    && !turns::opens_a_matter(text)
                    && context::tells(text)
                    && !wishes_within(text))
    }

    /// A few words that lean on what was answered before, from somebody at ease.
    pub(super) fn goes_on(&self, text: &str) -> bool {
        !self.rehearsal
            && (self.answered > 0 || self.clarified > 0)
            && self.unsure == 0
            && !matches!(self.mood, Mood::Angry | Mood::Distressed | Mood::Frustrated)
            && context::lean(text) != Lean::Own
    }

    /// What nothing answers is not the end of the call: a colleague is offered.
    pub(super) fn offer_colleague(&mut self, why: &str, reason: &str) -> Reply {
        self.waiting = Waiting::Human(why.to_owned());
        self.unsure += 1;
        self.settled = false;
        self.soften();
        self.say_and_listen(Route::Clarify, reason, "offer_unsure")
    }

    /// Asks what is to be done about what was told.
    pub(super) fn go_ahead(&mut self, text: &str, vector: &[f32], reason: &str) -> Reply {
        self.clarified += 1;
        self.settled = false;
        self.waiting = Waiting::Clarify {
            between: Vec::new(),
            text: text.to_owned(),
            vector: vector.to_vec(),
        };
        self.soften();
        self.say_and_listen(Route::Clarify, reason, "go_ahead")
    }

    /// Words that only name something else to ask the last question of, or a few that lean on what is being talked about ("and if he
    /// was forty", of a dog's weight) and are not like what people in such trouble say.
    pub(super) fn false_alarm(&self, text: &str, found: &Escalation) -> bool {
        let few = |most| text.split_whitespace().count() <= most;
        self.topic.is_some()
            && (frames::fragment(text).is_some_and(|named| named.split(' ').count() <= 6)
                || few(8) && inquiry::is_weak(found))
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
        let stems = |text: &str| -> Vec<String> {
            let words = content_words(text);
            words
                .iter()
                .map(|word| self.desk.stems.stem(word))
                .collect()
        };
        let told = self.last_answer.as_deref().map(stems).unwrap_or_default();
        let named = stems(&named);
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

/// "I need to speak to you about my payment": what it is about, and nothing of what is asked.
fn names_a_matter(text: &str) -> bool {
    let words = plain(text);
    let opens = [
        "speak to you about",
        "talk to you about",
        "speak about",
        "talk about",
        "calling about",
        "ringing about",
        "phoning about",
        "its about",
        "a question about",
        "some questions about",
        "a query about",
        "something about",
    ];
    opens.iter().any(|open| {
        words.split_once(open).is_some_and(|(before, after)| {
            before.split_whitespace().count() <= 6
                && (1..=4).contains(&after.split_whitespace().count())
        })
    })
}

/// A question or a wish after what was told: "I forgot my padlock can you cut it".
fn wishes_within(text: &str) -> bool {
    let words = plain(text);
    [
        "can you",
        "could you",
        "would you",
        "will you",
        "can i",
        "could i",
        "should i",
        "do i",
        "may i",
        "want",
        "need",
        "like to",
        "please",
        "how",
        "what",
        "why",
        "when",
        "where",
        "which",
        "help",
        "looking for",
        "wondering",
    ]
    .iter()
    .any(|sign| holds(&words, sign))
}

/// Nothing is told or done yet.
pub(super) fn silent(inquiry: &Inquiry) -> bool {
    match &inquiry.verdict {
        Verdict::Transfer { reason, .. } => reason == "no_answer",
        Verdict::Clarify { .. } | Verdict::Outside => true,
        Verdict::Answer { .. } | Verdict::Act { .. } => false,
    }
}
