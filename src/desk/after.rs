//! What an article says to a question that goes on with another.

use super::answer::Answer;
use super::desk::{Desk, Understanding};
use super::knowledge::Passage;
use super::meaning::Spoken;
use super::sentences::Sought;

/// What a sentence loses that has just been read out.
const TOLD: f32 = 0.15;

/// The question that another goes on with.
pub struct After<'a> {
    pub question: &'a str,
    pub reading: &'a [f32],
    /// What was read out to it.
    pub told: &'a str,
    /// What it looks for, beside what the new words look for; 0: nothing.
    pub weight: f32,
}

impl Desk {
    /// What one article says to a question, which may go on with another, and the understanding with it first.
    pub fn answer_after(
        &self,
        article: &str,
        question: &str,
        reading: &[f32],
        u: &Understanding,
        after: Option<&After<'_>>,
    ) -> Option<(Understanding, Answer)> {
        let mut u = u.clone();
        self.put_first(&mut u, self.article_at(article)?);
        let answer = self.answer_among(question, reading, &u, &[], after)?;
        (answer.source == article).then_some((u, answer))
    }

    /// How what an answer says speaks of the words of a reading; none where words are not read.
    pub(super) fn said_of(&self, answer: &Answer, reading: &[f32]) -> Option<Spoken> {
        let at = self.article_at(&answer.source)?;
        let sentences = self.of_article(at).flat_map(|p| &p.sentences);
        let said = sentences.filter(|s| answer.text.contains(s.as_str()));
        let said: Vec<&str> = said.map(String::as_str).collect();
        let said = if said.is_empty() {
            vec![answer.text.as_str()]
        } else {
            said
        };
        self.readings.spoken(reading, said.into_iter())
    }

    /// How well each sentence of a passage answers a question, and the one it goes on with.
    pub(super) fn score_after(
        &self,
        passage: &Passage,
        sought: &Sought<'_>,
        after: &After<'_>,
        before: &Sought<'_>,
    ) -> Vec<f32> {
        let own = self.score_sentences(passage, sought);
        let before = self.score_sentences(passage, before);
        let each = own.into_iter().zip(before).zip(&passage.sentences);
        each.map(|((own, before), sentence)| {
            let told = after.told.contains(sentence.as_str());
            (own + after.weight * before) / (1.0 + after.weight) - if told { TOLD } else { 0.0 }
        })
        .collect()
    }
}
