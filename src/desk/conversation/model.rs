//! The words of a reply, put to a language model: what it may word, and how its words take the place of ours.

use std::collections::HashSet;

use crate::desk::inquiry::Choice;
use crate::desk::model::check;
use crate::desk::model::redact::redacted;
use crate::desk::model::{Composer, ModelTrace, Prompt, Task};
use crate::desk::types::{Reply, Say};

use super::{Conversation, Party};

/// Sentences of one article that a model is shown; more is not read in the time there is.
const SENTENCES: usize = 24;

/// What is open to wording.
#[derive(Debug, Clone)]
pub(super) struct Asking {
    task: Task,
    /// What is said without a model, as it stands among the reply's sentences.
    own: String,
    /// The caller's words, redacted.
    asked: String,
    /// The article's id.
    source: String,
    /// Topics of a question back.
    topics: Vec<String>,
}

impl Conversation {
    /// The answer that was found may be worded anew.
    pub(super) fn may_word_answer(&mut self, own: &str, source: &str) {
        self.may_word(Task::Answer, own, source, &[]);
    }

    /// The question back may be worded anew.
    pub(super) fn may_word_question(&mut self, own: &str, between: &[Choice]) {
        // An open question has nothing to choose from.
        if !between.is_empty() {
            self.may_word(Task::Clarify, own, "", between);
        }
    }

    fn may_word(&mut self, task: Task, own: &str, source: &str, between: &[Choice]) {
        if !check::speaks(&self.desk.config.language) {
            return;
        }
        let asked = self
            .lines
            .iter()
            .rev()
            .find(|line| line.by == Party::Caller)
            .map(|line| redacted(&line.text, self.identity.customer()))
            .unwrap_or_default();
        self.asking = Some(Box::new(Asking {
            task,
            own: own.to_owned(),
            asked,
            source: source.to_owned(),
            topics: between.iter().map(|choice| choice.plain.clone()).collect(),
        }));
    }

    /// What a language model is to be asked for the reply just given; none where there is nothing for it to word.
    pub fn prompt(&self) -> Option<Prompt> {
        let asking = self.asking.as_deref()?;
        let own = self.desk.prompts.get(asking.task.name());
        let own = own.map(String::as_str);
        let config = &self.desk.config;
        Some(match asking.task {
            Task::Answer => {
                let passages = self.passages_of(&asking.source);
                let texts: Vec<&str> = passages.iter().map(|p| p.text.as_str()).collect();
                Prompt::answer(own, config, &asking.asked, &texts, &asking.own)
            }
            Task::Clarify => {
                let topics: Vec<&str> = asking.topics.iter().map(String::as_str).collect();
                Prompt::clarify(own, config, &asking.asked, &topics)
            }
        })
    }

    /// What checks and gathers the model's words for it.
    pub fn composer(&self) -> Option<Composer<'_>> {
        let asking = self.asking.as_deref()?;
        let stems = &self.desk.stems;
        Some(match asking.task {
            Task::Answer => {
                let mut seen = HashSet::new();
                let sentences: Vec<&str> = self
                    .passages_of(&asking.source)
                    .into_iter()
                    .flat_map(|passage| passage.sentences.iter())
                    .map(String::as_str)
                    .filter(|sentence| seen.insert(*sentence))
                    .take(SENTENCES)
                    .collect();
                Composer::answer(stems, &asking.own, &sentences)
            }
            Task::Clarify => {
                Composer::question(stems, &asking.own, asking.topics.clone(), &asking.asked)
            }
        })
    }

    /// The model's words, checked by its composer and whole, take the place of ours; none: ours stand. What was sent is in the decision.
    pub fn worded(&mut self, reply: &mut Reply, words: Option<&[String]>, trace: ModelTrace) {
        reply.decision.model = Some(Box::new(trace));
        let Some(asking) = self.asking.take() else {
            return;
        };
        let Some(words) = words.filter(|words| !words.is_empty()) else {
            return;
        };
        let Some(at) = reply.say.iter().position(|say| say.text == asking.own) else {
            return;
        };
        let must_hear = reply.say[at].must_hear;
        let says = words.iter().map(|text| Say {
            text: text.clone(),
            must_hear,
        });
        reply.say.splice(at..=at, says);
        let before = std::mem::replace(
            &mut reply.decision.reply,
            reply
                .say
                .iter()
                .map(|say| say.text.as_str())
                .collect::<Vec<_>>()
                .join(" "),
        );
        self.last.clone_from(&reply.say);
        if let Some(line) = self
            .lines
            .iter_mut()
            .rev()
            .find(|line| line.by == Party::Line && line.text == before)
        {
            line.text.clone_from(&reply.decision.reply);
        }
    }

    fn passages_of(&self, source: &str) -> Vec<&crate::desk::knowledge::Passage> {
        let article = self.desk.article_at(source).into_iter();
        article.flat_map(|at| self.desk.of_article(at)).collect()
    }
}
