//! Questions: understood with what was said before, answered, clarified, or passed on.

use crate::desk::entity;
use crate::desk::inquiry::context::{self, Lean};
use crate::desk::inquiry::{self, Inquiry, Verdict, inquire, inquire_with, social, turns};
use crate::desk::tone;
use crate::desk::types::{Mood, Next, Reply, Route, Said, Say, Tier};

use super::otherwise::silent;
use super::{Conversation, Party, Topic, Waiting};

impl Conversation {
    /// A question or a wish, as if nothing were waited for.
    pub(super) fn question(&mut self, said: &Said) -> Reply {
        if said.text.is_empty() {
            return self.say_and_listen(Route::Clarify, "keys without a question", "clarify_open");
        }
        self.running = None;
        self.held = None;
        self.waiting = Waiting::Open;
        if let Some(reply) = self.done_otherwise(said) {
            return reply;
        }
        if let Some(reply) = self.about_told(said) {
            return reply;
        }
        if let Some(reply) = self.do_what_was_told(said) {
            return reply;
        }
        let whole = self.inquire(said);
        let whole = self.without_false_alarm(said, whole);
        if let Some(reply) = self.not_wanted(said, &whole) {
            return reply;
        }
        if let Some((first, text, vector)) = self.first_of_several(said, &whole) {
            return self.act_on(first, &text, &vector);
        }
        let (inquiry, text, vector) = self.in_context(said, whole);
        if let Some(reply) = self.asked_of_told(said, &inquiry, (&text, &vector)) {
            return reply;
        }
        if let Some(reply) = self.state_asked(said, &inquiry, &text, &vector) {
            return reply;
        }
        let (inquiry, text, vector) = self.asked_last(said, inquiry, text, vector);
        let (inquiry, text, vector) = self.as_how(said, inquiry, text, vector);
        self.act_on(inquiry, &text, &vector)
    }

    /// Decides the caller's words as they stand; what `hear` made of them already is not made of them again.
    pub(super) fn inquire(&mut self, said: &Said) -> Inquiry {
        match self.seen.take() {
            Some((text, understood)) if text == said.text => inquire_with(
                &self.desk,
                understood,
                &said.text,
                &said.vector,
                said.heard.as_ref(),
            ),
            _ => inquire(&self.desk, &said.text, &said.vector, said.heard.as_ref()),
        }
    }

    /// Does what an inquiry came to.
    pub(super) fn act_on(&mut self, inquiry: Inquiry, text: &str, vector: &[f32]) -> Reply {
        let mut inquiry = inquiry;
        // A second question about what was just read out is after what was not read out; but "and on platinum", where platinum was read
        // out too, is after just that.
        let named = self.names_what_was_told();
        if named {
            self.last_answer = None;
        }
        if let Verdict::Answer {
            text: told, source, ..
        } = &mut inquiry.verdict
            && self.last_source.as_deref() == Some(source.as_str())
            && self.last_answer.as_deref() == Some(told.as_str())
            && let Some(other) = self.desk.rest_of(source, told, text, vector)
        {
            *told = other;
        }
        let decision = inquiry.decision(String::new());
        self.basis = Some(decision);
        match inquiry.verdict {
            Verdict::Answer {
                text: reply,
                source,
                title,
            } => {
                self.topic = Some(Topic {
                    text: text.to_owned(),
                    vector: vector.to_vec(),
                });
                self.answer(&reply, &source, &title, &inquiry.reason)
            }
            Verdict::Act { action } => {
                self.topic = Some(Topic {
                    text: text.to_owned(),
                    vector: vector.to_vec(),
                });
                self.clarified = 0;
                self.outside = 0;
                self.begin(action, text)
            }
            Verdict::Clarify { between } => self.clarify(between, text, vector, &inquiry.reason),
            // Words that lean on what was said before are about that, whatever they are about.
            Verdict::Outside if self.topic.is_some() && context::lean(text) != Lean::Own => {
                self.clarify(Vec::new(), text, vector, &inquiry.reason)
            }
            Verdict::Outside => self.say_outside(&inquiry.reason),
            // A question that goes on with what was answered: a colleague is offered, and the caller may ask on.
            Verdict::Transfer { reason, .. } if reason == "no_answer" && self.goes_on(text) => {
                self.offer_colleague("no_answer", &inquiry.reason)
            }
            // Whoever only tells how things are has not asked yet.
            Verdict::Transfer { reason, .. } if reason == "no_answer" && self.only_tells(text) => {
                self.go_ahead(text, vector, &inquiry.reason)
            }
            Verdict::Transfer { reason, would_have } => {
                if let Some(would_have) = would_have {
                    self.tried.push(format!("Would have said: {would_have}"));
                }
                self.topic = Some(Topic {
                    text: text.to_owned(),
                    vector: vector.to_vec(),
                });
                self.transfer(&reason)
            }
        }
    }

    /// Of several matters in one breath the one to take now; the others are kept. None where it is one matter.
    fn first_of_several(
        &mut self,
        said: &Said,
        whole: &Inquiry,
    ) -> Option<(Inquiry, String, Vec<f32>)> {
        let parts = context::matters(&said.text);
        // Two harmless matters in one breath may sound like an alarm that neither is.
        let apart = matches!(&whole.verdict, Verdict::Transfer { reason, .. } if self.harmless_apart(said, reason));
        if parts.len() < 2
            || !apart
                && matches!(&whole.verdict, Verdict::Transfer { reason, .. } if reason != "no_answer")
        {
            return None;
        }
        let mut clear: Vec<(Inquiry, Topic)> = Vec::new();
        let mut unclear: Vec<Topic> = Vec::new();
        for part in parts {
            let vector = said.reading_of(part);
            let inquiry = inquire(&self.desk, part, &vector, said.heard.as_ref());
            let matters = match &inquiry.verdict {
                Verdict::Answer { source, .. } => !clear.iter().any(
                    |(known, _)| matches!(&known.verdict, Verdict::Answer { source: s, .. } if s == source),
                ),
                Verdict::Act { action } => !clear
                    .iter()
                    .any(|(known, _)| known.verdict == Verdict::Act { action: *action }),
                Verdict::Transfer { reason, .. } => reason != "no_answer",
                Verdict::Clarify { .. } | Verdict::Outside => false,
            };
            let text = part.to_owned();
            if matters {
                clear.push((inquiry, Topic { text, vector }));
            } else if inquiry.understood.in_scope >= 0.5
                && matches!(
                    &inquiry.verdict,
                    Verdict::Clarify { .. } | Verdict::Transfer { .. }
                )
            {
                unclear.push(Topic { text, vector });
            }
        }
        // What is not understood at once is no less a matter, where it is put as one.
        unclear.retain(|topic| {
            let also = format!("also {}", topic.text.to_lowercase());
            apart || turns::opens_a_matter(&topic.text) || said.text.to_lowercase().contains(&also)
        });
        // "ER or urgent care, what's cheaper": the first is what the second is asked of.
        let put = |clear: &(Inquiry, Topic)| {
            apart
                || turns::opens_a_matter(&clear.1.text)
                || matches!(clear.0.verdict, Verdict::Act { .. })
        };
        let one = clear.len() == 1 && clear.first().is_some_and(put) && !unclear.is_empty();
        if clear.len() < 2 && !one {
            return None;
        }
        self.parked.append(&mut unclear);
        let first = clear
            .iter()
            .position(|(inquiry, _)| inquiry.route() == Route::Transfer)
            .unwrap_or(0);
        let (inquiry, topic) = clear.remove(first);
        self.parked
            .extend(clear.into_iter().map(|(_, topic)| topic));
        Some((inquiry, topic.text, topic.vector))
    }

    fn answer(&mut self, text: &str, source: &str, title: &str, reason: &str) -> Reply {
        self.clarified = 0;
        self.outside = 0;
        self.unsure = 0;
        self.answered += 1;
        let said_before = self.last_answer.as_deref() == Some(text);
        let again = self.last_source.as_deref() == Some(source) && said_before;
        self.last_source = Some(source.to_owned());
        self.soften();
        self.last_answer = Some(text.to_owned());
        self.lead(text.to_owned());
        self.may_word_answer(text, source);
        let step = format!("Answered from \"{title}\"");
        if !self.tried.contains(&step) {
            self.tried.push(step);
        }
        if again {
            // The same words twice running: they do not help.
            self.settled = false;
            self.waiting = Waiting::Human("asked".into());
            self.lead_phrase("offer_human");
            let next = self.listen();
            return self.reply(Route::Answer, reason, next);
        }
        self.settled = true;
        self.waiting = Waiting::More;
        if self.parked.is_empty() {
            // Asked after every answer it wears thin.
            if self.answered % 2 == 1 {
                self.lead_phrase("anything_else");
            }
        } else {
            self.waiting = Waiting::Parked;
            self.parked_question();
        }
        let next = self.listen();
        self.reply(Route::Answer, reason, next)
    }

    /// A word for how the caller feels, where it helps.
    pub(super) fn soften(&mut self) {
        // "Can you explain ...?" is a question before anything was said; after it, it means that we were not clear.
        if self.mood == crate::desk::types::Mood::Confused && self.last_answer.is_none() {
            return;
        }
        // A feeling is met when it is shown, not at every turn after it; and nobody is told the same twice.
        let shown = self
            .lines
            .iter()
            .rev()
            .find(|line| line.by == Party::Caller)
            .is_some_and(|line| tone::mood(&line.text, Mood::Calm) != Mood::Calm);
        if !shown {
            return;
        }
        let words = (0..tone::WAYS)
            .filter_map(|n| tone::acknowledge(self.mood, None, n))
            .find(|words| !self.acknowledged.contains(words));
        if let Some(words) = words {
            self.acknowledged.push(words);
            self.lead.insert(0, Say::new(words));
        }
    }

    fn say_outside(&mut self, reason: &str) -> Reply {
        self.outside += 1;
        // Abuse with no matter in it: the matter is asked for, once, before anything is called outside.
        if self.outside == 1 && matches!(self.mood, Mood::Angry | Mood::Frustrated) {
            self.soften();
            return self.say_and_listen(Route::Clarify, reason, "outside_upset");
        }
        if self.outside >= 2 {
            self.waiting = Waiting::Human("out_of_scope".into());
            return self.say_and_listen(Route::Clarify, reason, "outside_again");
        }
        let company = self.desk.config.company.clone();
        let topics = self.topics();
        let text = if topics.is_empty() {
            self.phrase("outside_plain", &[("company", &company)])
        } else {
            let topics = crate::desk::action::render::list(&topics, "and");
            self.phrase("outside", &[("topics", &topics), ("company", &company)])
        };
        self.lead(text);
        let next = self.listen();
        self.reply(Route::Clarify, reason, next)
    }

    /// What this line can help with, for whoever asks.
    pub(super) fn say_topics(&mut self) {
        let topics = self.topics();
        if topics.is_empty() {
            self.lead_phrase("help_plain");
            return;
        }
        let topics = crate::desk::action::render::list(&topics, "and");
        let text = self.phrase("help", &[("topics", &topics)]);
        self.lead(text);
    }

    /// Up to three things this line does by itself, in plain words: the ones with most examples first, which is what is asked most.
    fn topics(&self) -> Vec<String> {
        let own = self.desk.phrases.all("topics");
        if !own.is_empty() {
            return own.to_vec();
        }
        self.desk.main_topics(3)
    }

    pub(super) fn parked_question(&mut self) {
        let Some(parked) = self.parked.first().cloned() else {
            return;
        };
        let inquiry = inquire(&self.desk, &parked.text, &parked.vector, None);
        let matter = match (&inquiry.verdict, &inquiry.intent) {
            (_, Some(intent)) => inquiry::topic(&self.desk, intent),
            (Verdict::Answer { title, .. }, None) => title.clone(),
            _ => "something else".to_owned(),
        };
        let text = self.phrase("also_asked", &[("matter", &matter)]);
        self.lead(text);
    }

    pub(super) fn about_parked(&mut self, said: &Said) -> Reply {
        let yes = match said.keyed.as_deref() {
            Some("1") => Some(true),
            Some("2") => Some(false),
            _ => entity::yes_no(&said.text),
        };
        if yes == Some(true) && said.text.split_whitespace().count() <= 6 {
            if let Some(reply) = self.next_parked() {
                return reply;
            }
        } else if yes == Some(false) && said.text.split_whitespace().count() <= 6 {
            self.parked.clear();
            self.waiting = Waiting::More;
            return self.say_and_listen(
                Route::Clarify,
                "the other matter is dropped",
                "anything_else",
            );
        }
        self.question(said)
    }

    /// The next matter that was put off.
    pub(super) fn next_parked(&mut self) -> Option<Reply> {
        if self.parked.is_empty() {
            return None;
        }
        let Topic { text, vector } = self.parked.remove(0);
        self.running = None;
        self.waiting = Waiting::Open;
        let mut inquiry = inquire(&self.desk, &text, &vector, None);
        // "And do I still pay", said in one breath with the first: asked of what was just read, if it means nothing by itself.
        if silent(&inquiry)
            && let Some(last) = &self.last_source
            && let Some(found) = inquiry::inquire_again(&self.desk, last, &text, &vector)
        {
            inquiry = found;
        }
        Some(self.act_on(inquiry, &text, &vector))
    }

    /// Sets what the next decision rests on without acting on it.
    pub(super) fn rest_on(&mut self, said: &Said) {
        let inquiry = inquire(&self.desk, &said.text, &said.vector, said.heard.as_ref());
        self.basis = Some(inquiry.decision(String::new()));
        if inquiry.understood.in_scope >= 0.5 || self.topic.is_none() {
            self.topic = Some(Topic {
                text: said.text.clone(),
                vector: said.vector.clone(),
            });
        }
    }

    pub(super) fn offered_human(&mut self, reason: &str, said: &Said) -> Reply {
        let yes = match said.keyed.as_deref() {
            Some("1") => Some(true),
            Some("2") => Some(false),
            // "No, it's fine" declines, whatever is fine.
            _ => {
                entity::yes_no(&said.text).or_else(|| social::declines(&said.text).then_some(false))
            }
        };
        match yes {
            Some(true) => self.transfer(reason),
            Some(false) if said.text.split_whitespace().count() <= 4 => {
                self.waiting = Waiting::More;
                self.running = None;
                // Nothing is left to offer whom nobody could be found for, or who has all they need.
                if social::declines(&said.text) && (self.settled || self.transfers_failed > 0) {
                    return self.goodbye();
                }
                self.say_and_listen(Route::Clarify, "no human wanted", "declined_human")
            }
            _ => self.question(said),
        }
    }

    pub(super) fn is_about_an_account(&self, said: &Said) -> bool {
        let needs_proof = |tier: Tier| tier > Tier::None;
        if self
            .running
            .as_ref()
            .is_some_and(|running| needs_proof(running.action.verify))
        {
            return true;
        }
        let understood = self.desk.understand(&said.text, &said.vector);
        understood
            .intents
            .first()
            .and_then(|(name, _)| self.desk.action_for(name))
            .is_some_and(|action| needs_proof(action.verify))
    }

    /// Says what comes of a matter that is over and turns to what is next.
    pub(super) fn settle(&mut self, route: Route, reason: &str) -> Reply {
        self.running = None;
        self.waiting = Waiting::More;
        if let Some(held) = self.held.take() {
            let (running, waiting) = *held;
            (self.running, self.waiting) = (Some(running), waiting);
            self.settled = false;
            self.lead_phrase("back_to");
            self.ask_again();
        } else if self.parked.is_empty() {
            self.lead_phrase("anything_else");
        } else {
            self.waiting = Waiting::Parked;
            self.parked_question();
        }
        let next: Next = self.listen();
        self.reply(route, reason, next)
    }
}
