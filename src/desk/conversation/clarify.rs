//! Asking which of a few things is meant, and what the answer to that means.

use crate::desk::entity;
use crate::desk::inquiry::{Choice, Inquiry, Verdict, context, inquire, inquire_as};
use crate::desk::meaning::content_words;
use crate::desk::types::{Mood, Reply, Route, Said};

use super::{Conversation, Topic, Waiting};

impl Conversation {
    pub(super) fn clarify(
        &mut self,
        between: Vec<Choice>,
        text: &str,
        vector: &[f32],
        reason: &str,
    ) -> Reply {
        // Whoever is beside themselves is not asked what exactly they mean.
        let upset = matches!(self.mood, Mood::Angry | Mood::Distressed);
        // Something else than before may be offered once more; an open question, or the same again, leads nowhere.
        let offered: Vec<&str> = between.iter().map(|choice| choice.plain.as_str()).collect();
        let new = !offered.is_empty()
            && offered
                .iter()
                .all(|plain| !self.offered.iter().any(|o| o == plain));
        if upset || self.clarified >= 2 || self.clarified == 1 && !new {
            if self.goes_on(text) {
                return self.offer_colleague("low_confidence", reason);
            }
            return self.transfer("low_confidence");
        }
        self.clarified += 1;
        self.offered = offered.into_iter().map(str::to_owned).collect();
        self.settled = false;
        self.waiting = Waiting::Clarify {
            between: between.clone(),
            text: text.to_owned(),
            vector: vector.to_vec(),
        };
        self.soften();
        self.clarify_question(&between);
        if let Some(own) = self.lead.last().map(|say| say.text.clone()) {
            self.may_word_question(&own, &between);
        }
        let next = self.listen();
        self.reply(Route::Clarify, reason, next)
    }

    pub(super) fn clarify_question(&mut self, between: &[Choice]) {
        let text = match between {
            [] => self.phrase("clarify_open", &[]),
            [first] => self.phrase("clarify_one", &[("first", first.plain.as_str())]),
            [most @ .., last] => {
                let most: Vec<&str> = most.iter().map(|choice| choice.plain.as_str()).collect();
                let most = most.join(", ");
                self.phrase("clarify_two", &[("first", &most), ("second", &last.plain)])
            }
        };
        self.lead(text);
    }

    /// The answer to a clarifying question: a choice, or the matter in other words.
    pub(super) fn clarified(
        &mut self,
        between: &[Choice],
        text: &str,
        vector: &[f32],
        said: &Said,
    ) -> Reply {
        self.waiting = Waiting::Open;
        let plain: Vec<String> = between.iter().map(|choice| choice.plain.clone()).collect();
        let keyed = said
            .keyed
            .as_deref()
            .and_then(|keys| keys.parse::<usize>().ok())
            .and_then(|n| n.checked_sub(1))
            .filter(|at| *at < between.len());
        let short = said.text.split_whitespace().count() <= 3;
        let yes = entity::yes_no(&said.text);
        let chosen = keyed
            .or_else(|| entity::choice(&said.text, &plain))
            .or_else(|| (between.len() == 1 && yes == Some(true)).then_some(0));
        if let Some(choice) = chosen.and_then(|at| between.get(at)) {
            return self.chosen(choice, text, vector, said);
        }
        // "Yes", to "this or that?": it is one of them, and which is asked once more.
        if between.len() > 1 && short && yes == Some(true) && self.clarified < 2 {
            self.clarified += 1;
            self.waiting = Waiting::Clarify {
                between: between.to_vec(),
                text: text.to_owned(),
                vector: vector.to_vec(),
            };
            self.which_of(between);
            let next = self.listen();
            return self.reply(Route::Clarify, "yes to one of several", next);
        }
        // "Both", or yes again: one after the other.
        let both = [
            "both",
            "both of them",
            "all of them",
            "both please",
            "all of it",
        ]
        .contains(&crate::desk::inquiry::social::plain(&said.text).as_str());
        if between.len() > 1 && (both || short && yes == Some(true)) {
            for choice in &between[1..] {
                let text = choice.question.clone();
                let vector = self.desk.vectors.get(&text).cloned().unwrap_or_default();
                self.parked.push(Topic { text, vector });
            }
            return self.chosen(&between[0], text, vector, said);
        }
        if short && (yes == Some(false) || said.text.to_lowercase().contains("neither")) {
            self.waiting = Waiting::Clarify {
                between: Vec::new(),
                text: text.to_owned(),
                vector: vector.to_vec(),
            };
            return self.say_and_listen(Route::Clarify, "none of what was offered", "clarify_open");
        }
        let alone = inquire(&self.desk, &said.text, &said.vector, said.heard.as_ref());
        let both = context::joined(text, &said.text);
        let blended = context::blended(vector, &said.vector, self.desk.dims());
        // "On his own?", to "is it about children?": it goes on with what was offered, without a word for yes.
        if let [choice] = between
            && let Some(intent) = choice.intent.as_deref()
            && yes.is_none()
            && context::lean(&said.text) != context::Lean::Own
        {
            let inquiry = inquire_as(&self.desk, intent, Some(choice), &both, &blended);
            if matches!(inquiry.verdict, Verdict::Answer { .. }) {
                return self.act_on(inquiry, &both, &blended);
            }
        }
        // What they said first is what the new words go on with.
        self.topic = Some(Topic {
            text: text.to_owned(),
            vector: vector.to_vec(),
        });
        let together = inquire(&self.desk, &both, &blended, said.heard.as_ref());
        let settles = |inquiry: &Inquiry| {
            matches!(
                inquiry.verdict,
                Verdict::Answer { .. } | Verdict::Act { .. }
            )
        };
        if settles(&together) && (!settles(&alone) || together.confidence > alone.confidence) {
            return self.act_on(together, &both, &blended);
        }
        let offered = between.first().and_then(|choice| choice.article.as_deref());
        let (inquiry, text, vector) = self.in_context_of(said, alone, offered);
        self.act_on(inquiry, &text, &vector)
    }

    /// One of what was offered is meant. Whoever names it in their own words is asking of what they name, too: "the play room", of an
    /// article about children, is a question of its own.
    fn chosen(&mut self, choice: &Choice, text: &str, vector: &[f32], said: &Said) -> Reply {
        let Some(intent) = &choice.intent else {
            let inquiry = inquire(&self.desk, &choice.question, &[], None);
            return self.act_on(inquiry, &choice.question, &[]);
        };
        let first = inquire_as(&self.desk, intent, Some(choice), text, vector);
        let silent = |inquiry: &Inquiry| matches!(&inquiry.verdict, Verdict::Transfer { reason, .. } if reason == "no_answer");
        let offered = content_words(&choice.plain);
        let words = content_words(&said.text);
        // Who says all of it only chooses.
        let named = words.iter().any(|word| offered.contains(word)) && words.len() < offered.len();
        // What they want done, and the article tells how.
        let article = choice
            .article
            .as_deref()
            .and_then(|id| self.desk.article_at(id));
        let how = article
            .filter(|_| silent(&first) && text.starts_with("how do i "))
            .and_then(|at| Some((at, self.desk.how_to(at, text)?)));
        if let Some((at, told)) = how {
            let article = &self.desk.articles[at];
            let inquiry = Inquiry {
                verdict: Verdict::Answer {
                    text: told,
                    source: article.id.clone(),
                    title: article.title.clone(),
                },
                reason: format!("{} tells how", article.id),
                ..first
            };
            return self.act_on(inquiry, text, vector);
        }
        if !silent(&first) || !named || said.keyed.is_some() {
            return self.act_on(first, text, vector);
        }
        let both = context::joined(text, &said.text);
        let blended = context::blended(vector, &said.vector, self.desk.dims());
        let together = inquire_as(&self.desk, intent, Some(choice), &both, &blended);
        if !silent(&together) {
            return self.act_on(together, &both, &blended);
        }
        let alone = inquire_as(&self.desk, intent, Some(choice), &said.text, &said.vector);
        if matches!(alone.verdict, Verdict::Answer { .. }) {
            return self.act_on(alone, &said.text, &said.vector);
        }
        self.act_on(first, text, vector)
    }

    /// "Which one: this, or that?"
    fn which_of(&mut self, between: &[Choice]) {
        let plain: Vec<String> = between.iter().map(|choice| choice.plain.clone()).collect();
        let choices = crate::desk::action::render::list(&plain, "or");
        let text = self.phrase("clarify_which", &[("choices", &choices)]);
        self.lead(text);
    }
}
