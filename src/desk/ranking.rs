//! Which articles bear on a question, best first.

use std::collections::HashMap;

use super::desk::{Desk, Hit};
use super::knowledge::Passage;
use super::meaning::{Spoken, whole};
use super::text::dot;
use super::types::Source;

/// Weights of what an article's rank is made from ([`Desk::article_evidence`]), fitted on the questions of three unlike desks, each
/// scored with what the other two taught. That an article serves the understood intent says as much as its nearest sentence.
const RANK: [f32; 7] = [0.06, 0.27, 0.27, 0.06, 0.0, 0.21, 0.13];
/// The same by words alone, where the third is how well the best sentence answers.
const RANK_BY_WORDS: [f32; 7] = [0.0, 0.0, 0.19, 0.20, 0.01, 0.39, 0.21];
/// Articles whose sentences are compared.
const LOOKED_INTO: usize = 30;
/// Weight of how well an article speaks of the question's words, beside all the rest together.
const BY_WORD: f32 = 0.2;

impl Desk {
    /// Articles with their best passages, as they are given out: (score, article, passage), best first.
    fn listed(
        &self,
        ranked: impl IntoIterator<Item = (f32, usize, usize)>,
    ) -> (Vec<Source>, Vec<Hit>) {
        ranked
            .into_iter()
            .map(|(score, a, p)| {
                let (article, passage) = (&self.articles[a], &self.passages[p]);
                let source = Source {
                    id: article.id.clone(),
                    score,
                };
                let hit = Hit {
                    article: article.id.clone(),
                    title: article.title.clone(),
                    heading: passage.heading.clone(),
                    text: passage.text.clone(),
                    score,
                    index: p,
                };
                (source, hit)
            })
            .unzip()
    }

    /// Articles in the order in which they bear on the words, with the understood intents as evidence: ten at most.
    pub(super) fn rank(
        &self,
        text: &str,
        reading: &[f32],
        intents: &[(String, f32)],
    ) -> (Vec<Source>, Vec<Hit>) {
        let vector = whole(reading, self.dims());
        let (dense, mut seen) = self.article_evidence(text, vector, intents);
        let weights = if dense { &RANK } else { &RANK_BY_WORDS };
        let total: f32 = weights.iter().sum();
        let score = |x: &[f32; 7]| -> f32 {
            let sum: f32 = x.iter().zip(weights).map(|(x, w)| x * w).sum();
            (sum / total).clamp(0.0, 1.0)
        };
        seen.sort_by(|x, y| score(&y.1).total_cmp(&score(&x.1)).then(x.0.cmp(&y.0)));
        // Sentences are looked at only where they can still decide: it is the one part that grows with the text.
        seen.truncate(LOOKED_INTO);
        for (a, x, _) in &mut seen {
            x[2] = if dense {
                self.nearest_sentence(*a, vector)
            } else {
                self.best_sentence(*a, text, reading)
            };
        }
        seen.sort_by(|x, y| score(&y.1).total_cmp(&score(&x.1)).then(x.0.cmp(&y.0)));
        seen.truncate(10);
        let mut ranked: Vec<(f32, usize, usize)> =
            seen.iter().map(|(a, x, p)| (score(x), *a, *p)).collect();
        for (score, article, _) in &mut ranked {
            if let Some(spoken) = self.speaks(*article, reading) {
                *score = (*score + BY_WORD * spoken.mean()) / (1.0 + BY_WORD);
            }
        }
        ranked.sort_by(|x, y| y.0.total_cmp(&x.0).then(x.1.cmp(&y.1)));
        self.listed(ranked)
    }

    /// How well an article speaks of a question's words.
    pub(super) fn speaks(&self, article: usize, reading: &[f32]) -> Option<Spoken> {
        let known = &self.articles[article];
        let sentences = self.of_article(article).flat_map(|p| &p.sentences);
        let texts = sentences
            .map(String::as_str)
            .chain([known.title.as_str()])
            .chain(known.spoken.as_deref());
        self.readings.spoken(reading, texts)
    }

    /// An article's passages.
    pub(super) fn of_article(&self, article: usize) -> impl Iterator<Item = &Passage> {
        // They stand together, in the order of the articles.
        let from = self.passages.partition_point(|p| p.article < article);
        let rest = self.passages.get(from..).unwrap_or_default();
        rest.iter().take_while(move |p| p.article == article)
    }

    /// What an article's rank is made from, and its best passage: similarity to the title, to the best passage and (left open here)
    /// to the best sentence, the words of the best passage and of the title, and the probability of the intent it is about first of
    /// all and of its others. Also whether there are vectors to go by.
    #[allow(clippy::type_complexity, reason = "read in one place")]
    fn article_evidence(
        &self,
        text: &str,
        vector: &[f32],
        intents: &[(String, f32)],
    ) -> (bool, Vec<(usize, [f32; 7], usize)>) {
        let terms = self.stems.terms(text);
        let ceiling = self.index.ceiling(&terms);
        let words = self.index.scores(&terms);
        let title_words = self.title_index.scores(&terms);
        let title_ceiling = self.title_index.ceiling(&terms);
        let dense = !vector.is_empty() && self.titles.iter().any(|t| t.len() == vector.len());
        let known: HashMap<&str, f32> = intents.iter().map(|(n, p)| (n.as_str(), *p)).collect();
        let p = |intent: &String| known.get(intent.as_str()).copied().unwrap_or(0.0);
        // Best passage of every article: (score, passage).
        let mut best: Vec<(f32, usize)> = vec![(f32::MIN, usize::MAX); self.articles.len()];
        let mut out: Vec<(usize, [f32; 7], usize)> = self
            .articles
            .iter()
            .enumerate()
            .map(|(a, article)| {
                let mut x = [0f32; 7];
                x[0] = dot(&self.titles[a], vector).max(0.0);
                x[4] = (title_words[a] / title_ceiling).min(1.0);
                x[5] = article.intents.first().map_or(0.0, p);
                x[6] = article.intents.iter().skip(1).map(p).fold(0.0, f32::max);
                (a, x, usize::MAX)
            })
            .collect();
        for (i, passage) in self.passages.iter().enumerate() {
            let lexical = (words[i] / ceiling).min(1.0);
            let near = dot(&self.passage_vectors[i], vector);
            let (_, x, at) = &mut out[passage.article];
            x[1] = x[1].max(near);
            x[3] = x[3].max(lexical);
            let score = if dense { near + 0.2 * lexical } else { lexical };
            let known = &mut best[passage.article];
            if score > known.0 {
                *known = (score, i);
                *at = i;
            }
        }
        out.retain(|(_, _, passage)| *passage != usize::MAX);
        (dense, out)
    }

    pub(super) fn nearest_sentence(&self, article: usize, vector: &[f32]) -> f32 {
        self.of_article(article)
            .flat_map(|p| &p.sentences)
            .filter_map(|s| self.vectors.get(s))
            .map(|v| dot(v, vector))
            .fold(0.0, f32::max)
    }
}
