//! Which articles bear on a question, best first.

use std::collections::HashMap;

use super::desk::{Desk, Hit};
use super::knowledge::Passage;
use super::meaning::{Spoken, asked, whole};
use super::places::{Country, country};
use super::text::dot;
use super::types::Source;

/// Weights of what an article's rank is made from ([`Desk::article_evidence`]), fitted on the questions of three unlike desks, each
/// scored with what the other two taught. That an article serves the understood intent says as much as its nearest sentence.
const RANK: [f32; 8] = [0.06, 0.27, 0.27, 0.06, 0.0, 0.21, 0.13, 0.3];
/// The same by words alone, where the third is how well the best sentence answers.
const RANK_BY_WORDS: [f32; 8] = [0.0, 0.0, 0.19, 0.20, 0.01, 0.39, 0.21, 0.0];
/// Of what a ticket scores this is counted: it never outranks an article that bears on the question nearly as well.
const TICKET: f32 = 0.7;
/// Passages up to which all are looked at.
const FEW: usize = 2000;
/// Passages, and titles, that are looked at for their words where there are more.
const MOST_WORTH: usize = 200;
/// Articles whose sentences are compared.
const LOOKED_INTO: usize = 30;
/// What an article gains by speaking of the country the question names, and loses by speaking of others alone.
const PLACE: f32 = 0.05;
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
    ) -> (Vec<Source>, Vec<Hit>, f32) {
        let vector = whole(reading, self.dims());
        let (dense, seen, nearest) = self.article_evidence(text, vector, intents);
        let weights = if dense { &RANK } else { &RANK_BY_WORDS };
        let mut weights = *weights;
        // Where the encoder was not asked, the rest decides.
        if asked(reading, self.dims()).is_none()
            || self.passages.iter().all(|p| p.answering.is_empty())
        {
            weights[7] = 0.0;
        }
        let total: f32 = weights.iter().sum();
        let score = |x: &[f32; 8]| -> f32 {
            let sum: f32 = x.iter().zip(&weights).map(|(x, w)| x * w).sum();
            (sum / total).clamp(0.0, 1.0)
        };
        // Sentences are looked at only where they can still decide: it is the one part that grows with the text.
        let mut first: Vec<(f32, usize)> = seen
            .iter()
            .enumerate()
            .map(|(at, x)| (score(&x.1) * self.standing(x.0), at))
            .collect();
        let better = |x: &(f32, usize), y: &(f32, usize)| y.0.total_cmp(&x.0).then(x.1.cmp(&y.1));
        if first.len() > LOOKED_INTO {
            first.select_nth_unstable_by(LOOKED_INTO - 1, better);
            first.truncate(LOOKED_INTO);
        }
        first.sort_unstable_by(better);
        let mut seen: Vec<_> = first.into_iter().map(|(_, at)| seen[at]).collect();
        for (a, x, _) in &mut seen {
            x[2] = if dense {
                self.nearest_sentence(*a, vector)
            } else {
                self.best_sentence(*a, text, reading)
            };
            x[7] = self.best_answering(*a, reading);
        }
        seen.sort_by(|x, y| score(&y.1).total_cmp(&score(&x.1)).then(x.0.cmp(&y.0)));
        seen.truncate(10);
        let mut ranked: Vec<(f32, usize, usize)> =
            seen.iter().map(|(a, x, p)| (score(x), *a, *p)).collect();
        let country = country(text);
        for (score, article, _) in &mut ranked {
            match country.and_then(|c| self.speaks_of(*article, c)) {
                Some(true) => *score += PLACE,
                Some(false) => *score = (*score - PLACE).max(0.0),
                None => {}
            }
            if let Some(spoken) = self.speaks(*article, reading) {
                *score = (*score + BY_WORD * spoken.mean()) / (1.0 + BY_WORD);
            }
            *score *= self.standing(*article);
        }
        ranked.sort_by(|x, y| y.0.total_cmp(&x.0).then(x.1.cmp(&y.1)));
        let (sources, hits) = self.listed(ranked);
        (sources, hits, nearest)
    }

    fn standing(&self, article: usize) -> f32 {
        if self.articles[article].is_ticket() {
            TICKET
        } else {
            1.0
        }
    }

    /// Puts an article's source and passage before all others.
    pub(super) fn put_first(&self, understood: &mut super::desk::Understanding, article: usize) {
        let id = &self.articles[article].id;
        if let Some(at) = understood.sources.iter().position(|s| s.id == *id) {
            let source = understood.sources.remove(at);
            understood.sources.insert(0, source);
        }
        if let Some(at) = understood.hits.iter().position(|h| h.article == *id) {
            let hit = understood.hits.remove(at);
            understood.hits.insert(0, hit);
        }
    }

    /// How well an article speaks of a question's words in the mean, 0 to 1; none where either has not been read word by word.
    pub fn speaks_of_words(&self, article: &str, reading: &[f32]) -> Option<f32> {
        let at = self.article_at(article)?;
        Some(self.speaks(at, reading)?.mean())
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

    /// Whether an article speaks of a country: by its title, else by what it begins with.
    pub(super) fn speaks_of(&self, article: usize, country: Country) -> Option<bool> {
        let title = country.spoken_of(&self.articles[article].title);
        title.or_else(|| country.spoken_of(&self.of_article(article).next()?.text))
    }

    /// An article's passages.
    pub(super) fn of_article(&self, article: usize) -> impl Iterator<Item = &Passage> {
        // They stand together, in the order of the articles.
        let from = self.passages.partition_point(|p| p.article < article);
        let rest = self.passages.get(from..).unwrap_or_default();
        rest.iter().take_while(move |p| p.article == article)
    }

    /// What an article's rank is made from, and its best passage: similarity to the title, to the best passage and (left open here)
    /// to the best sentence, the words of the best passage and of the title, the probability of the intent it is about first of all and
    /// of its others, and (left open, too) how near its best sentence is to answering. Also whether there are vectors to go by.
    #[allow(clippy::type_complexity, reason = "read in one place")]
    fn article_evidence(
        &self,
        text: &str,
        vector: &[f32],
        intents: &[(String, f32)],
    ) -> (bool, Vec<(usize, [f32; 8], usize)>, f32) {
        let terms = self.stems.terms(text);
        let ceiling = self.index.ceiling(&terms);
        let words = self.index.scores(&terms);
        let title_words = self.title_index.scores(&terms);
        let title_ceiling = self.title_index.ceiling(&terms);
        let dense = !vector.is_empty() && self.dims() == vector.len();
        let known: HashMap<&str, f32> = intents.iter().map(|(n, p)| (n.as_str(), *p)).collect();
        let p = |intent: &String| known.get(intent.as_str()).copied().unwrap_or(0.0);
        let (articles, passages) = self.worth(vector, dense, intents, &words, &title_words);
        let mut out: Vec<(usize, [f32; 8], usize)> = Vec::with_capacity(articles.len());
        let mut nearest = 0f32;
        for a in articles {
            let article = &self.articles[a];
            let mut x = [0f32; 8];
            if dense {
                x[0] = self.titles.similarity(a, vector).max(0.0);
                nearest = nearest.max(x[0]);
            }
            x[4] = (title_words[a] / title_ceiling).min(1.0);
            x[5] = article.intents.first().map_or(0.0, p);
            x[6] = article.intents.iter().skip(1).map(p).fold(0.0, f32::max);
            out.push((a, x, usize::MAX));
        }
        // Passages stand in the order of their articles, and so do the articles worth a look.
        let mut at = 0;
        let mut best = f32::MIN;
        for i in passages {
            let article = self.passages[i].article;
            while at < out.len() && out[at].0 < article {
                at += 1;
                best = f32::MIN;
            }
            let Some((_, x, place)) = out.get_mut(at).filter(|o| o.0 == article) else {
                continue;
            };
            let lexical = (words[i] / ceiling).min(1.0);
            let near = if dense {
                self.passage_vectors.similarity(i, vector)
            } else {
                0.0
            };
            nearest = nearest.max(near);
            x[1] = x[1].max(near);
            x[3] = x[3].max(lexical);
            let score = if dense { near + 0.2 * lexical } else { lexical };
            if score > best {
                best = score;
                *place = i;
            }
        }
        out.retain(|(_, _, passage)| *passage != usize::MAX);
        (dense, out, nearest)
    }

    /// Articles and passages that can come first at all, both in their order: everything in a small desk; in a large one what is near
    /// by meaning or by words, and what serves the likeliest intents.
    fn worth(
        &self,
        vector: &[f32],
        dense: bool,
        intents: &[(String, f32)],
        words: &[f32],
        title_words: &[f32],
    ) -> (Vec<usize>, Vec<usize>) {
        if self.passages.len() <= FEW {
            return (
                (0..self.articles.len()).collect(),
                (0..self.passages.len()).collect(),
            );
        }
        let mut passages = top(words, MOST_WORTH);
        let mut articles = top(title_words, MOST_WORTH);
        if dense {
            passages.extend(self.passage_vectors.worth(vector));
            articles.extend(self.titles.worth(vector));
        }
        for (intent, _) in intents.iter().take(5) {
            if let Some(serving) = self.serving.get(intent) {
                articles.extend(serving.iter().take(MOST_WORTH));
            }
        }
        articles.extend(passages.iter().map(|p| self.passages[*p].article));
        articles.sort_unstable();
        articles.dedup();
        let all = |a: usize| {
            let from = self.passages.partition_point(|p| p.article < a);
            (from..self.passages.len()).take_while(move |p| self.passages[*p].article == a)
        };
        let passages = articles.iter().copied().flat_map(all).collect();
        (articles, passages)
    }

    pub(super) fn nearest_sentence(&self, article: usize, vector: &[f32]) -> f32 {
        self.of_article(article)
            .flat_map(|p| &p.sentences)
            .filter_map(|s| self.vectors.get(s))
            .map(|v| dot(v, vector))
            .fold(0.0, f32::max)
    }
}

/// The places of the highest scores, zeros left out.
fn top(scores: &[f32], most: usize) -> Vec<usize> {
    let mut at: Vec<usize> = (0..scores.len()).filter(|i| scores[*i] > 0.0).collect();
    if at.len() > most {
        at.select_nth_unstable_by(most - 1, |a, b| scores[*b].total_cmp(&scores[*a]));
        at.truncate(most);
    }
    at
}
