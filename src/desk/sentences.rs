//! How well each sentence of an article answers a question.

use super::asked::{Asked, Modal};
use super::choosing::{
    asks_needs, choose, denied, is_only_for, is_plain, leans_on, says_needs, says_otherwise, sides,
};
use super::desk::Desk;
use super::entity::{Quantity, quantities};
use super::framing::bare;
use super::knowledge::Passage;
use super::meaning::{asked as asked_with, likeness, whole};
use super::text::{dot, words};

/// Least score of a sentence that is read out because the better ones have been.
const REST: f32 = 0.3;
/// What a sentence gains by speaking of whom the question names.
const NAMED: f32 = 0.2;
/// What a sentence gains by setting a limit that the caller's own quantity keeps to.
const WITHIN: f32 = 0.25;
/// What it gains by saying what must, may or cannot be done where that is asked.
const MODAL: f32 = 0.08;
/// What a sentence gains by giving a figure of the kind that is asked for.
const FIGURE: f32 = 0.2;
/// What the items of a list gain: steps, ways and conditions are what people ask for.
const LISTED: f32 = 0.15;
/// What the first sentence of a passage gains.
const OPENING: f32 = 0.06;
/// Weight of what sentence and question have in common with the article's title: it is no merit of the sentence, beside the others.
const OF_TITLE: f32 = 1.2;
/// Weight of a word that stands in the article's title, beside its others.
const TITLED: f32 = 0.3;
/// Weight of the question's words, one by one, in a sentence's score.
const WORDS_IN_SENTENCE: f32 = 0.25;

/// Weight of how near a sentence is to answering.
const ANSWERING: f32 = 0.4;
/// How near any sentence of the right article is: what goes beyond it counts.
const USUAL: f32 = 0.35;
/// What nearness of question and heading counts, for each sentence under it.
const UNDER: f32 = 0.2;
/// What a word counts that a sentence does not have and the one it leans on has.
const NAMED_BEFORE: f32 = 0.6;
/// What a sentence loses that holds in some case only, where the question speaks of none.
const ONLY_FOR: f32 = 0.12;

/// What a sentence loses that is about what the caller says they are not.
const DENIED: f32 = 0.3;
/// What a sentence gains that says what is needed, where that is asked.
const NEEDED: f32 = 0.35;

/// What a question looks for in a sentence.
pub(super) struct Sought<'a> {
    /// Its content words, as stems.
    terms: Vec<String>,
    /// What it calls by a name that the articles have, as stems.
    names: Vec<String>,
    reading: &'a [f32],
    pub asked: Asked,
    modal: Option<Modal>,
    pub quantities: Vec<Quantity>,
    /// The vector of the article's title.
    title: Option<&'a [f32]>,
    /// Its words, as stems.
    titled: Vec<String>,
    /// What the article's sentences have in common with it where the question has it, too, in the mean.
    shared_in_the_mean: f32,
    /// It tells nothing of the caller's circumstances.
    is_plain: bool,
    /// What the caller says they are not, or not on, as stems: "I'm not on Pension Credit".
    denied: Vec<String>,
    /// It asks what is needed.
    asks_needs: bool,
}

impl Desk {
    /// How well an article's best sentence answers, 0 to 1.3.
    pub(super) fn best_sentence(&self, article: usize, question: &str, reading: &[f32]) -> f32 {
        let sought = self.sought(question, article, reading);
        self.of_article(article)
            .flat_map(|p| self.score_sentences(p, &sought))
            .fold(0.0, f32::max)
    }

    /// How well each sentence of a passage answers, 0 to 1.2. A word that most of the article's sentences have tells none of them
    /// from the others, however rare it is elsewhere.
    pub(super) fn score_sentences(&self, passage: &Passage, sought: &Sought<'_>) -> Vec<f32> {
        let Sought {
            terms,
            names,
            reading,
            asked,
            modal,
            quantities,
            title,
            titled,
            shared_in_the_mean,
            is_plain,
            denied,
            asks_needs,
        } = sought;
        let vector = whole(reading, self.dims());
        let have: Vec<Vec<String>> = passage
            .sentences
            .iter()
            .map(|s| self.stems.terms(s))
            .collect();
        // "It costs $6 a visit" speaks of what the sentence before it named.
        let leant_on: Vec<Option<usize>> = (0..have.len())
            .map(|at| {
                let of = if asked.answered_by(&passage.sentences[at]) {
                    leans_on(&passage.sentences, at)
                } else {
                    at
                };
                (of != at).then_some(of)
            })
            .collect();
        let over = passage
            .heading
            .as_ref()
            .and_then(|h| self.vectors.get(h))
            .map_or(0.0, |v| dot(v, vector).max(0.0));
        let all = have.len() as f32;
        let weights: Vec<f32> = terms
            .iter()
            .map(|t| {
                let with = have.iter().filter(|h| h.contains(t)).count() as f32;
                let own = if titled.contains(t) { TITLED } else { 1.0 };
                own * self.index.idf(t) * (1.0 + all / with.max(1.0)).ln()
            })
            .collect();
        let total: f32 = weights.iter().sum::<f32>().max(1e-6);
        let listed = |at: usize| passage.lists.iter().any(|run| run.contains(&at));
        let on_title = title.map_or(0.0, |title| dot(title, vector).max(0.0));
        let of_title = |v: &[f32]| on_title * title.map_or(0.0, |title| dot(title, v).max(0.0));
        let all_have = &have;
        // What leans on another answers with it.
        let sought = asked_with(reading, self.dims());
        let place = |at: usize| Some(likeness(sought?, passage.answering.get(at)?));
        let answering = |at: usize| {
            let own = place(at)?;
            let before = leant_on[at]
                .and_then(place)
                .map_or(0.0, |before| NAMED_BEFORE * before);
            Some(ANSWERING * (own.max(before) - USUAL))
        };
        passage
            .sentences
            .iter()
            .zip(&have)
            .zip(sides(&passage.sentences, quantities))
            .enumerate()
            .map(|(at, ((s, have), side))| {
                let shared: f32 = terms
                    .iter()
                    .zip(&weights)
                    .map(|(t, w)| {
                        if have.contains(t) {
                            *w
                        } else if leant_on[at].is_some_and(|of| all_have[of].contains(t)) {
                            NAMED_BEFORE * w
                        } else {
                            0.0
                        }
                    })
                    .sum();
                let lexical = shared / total;
                let leant = leant_on[at].map(|of| passage.sentences[of].as_str());
                let near = match self.vectors.get(s) {
                    Some(v) if v.len() == vector.len() => {
                        let beyond = of_title(v) - shared_in_the_mean;
                        let before = leant.and_then(|s| self.vectors.get(s));
                        let before = before.map_or(0.0, |v| NAMED_BEFORE * dot(v, vector));
                        let own = dot(v, vector).max(before).max(0.0);
                        0.65 * (own - OF_TITLE * beyond) + 0.35 * lexical
                    }
                    _ => lexical,
                };
                let spoken = [s.as_str()].into_iter().chain(leant);
                let spoken = self.readings.spoken(reading, spoken);
                let by_word = WORDS_IN_SENTENCE * spoken.map_or(0.0, |spoken| spoken.mean());
                let apart = *is_plain && is_only_for(s, |w| terms.contains(&self.stems.stem(w)));
                let of_denied = !denied.is_empty()
                    && denied.iter().all(|t| have.contains(t))
                    && !says_otherwise(s);
                near + by_word + UNDER * over + answering(at).unwrap_or(0.0)
                    - if apart { ONLY_FOR } else { 0.0 }
                    - if of_denied { DENIED } else { 0.0 }
                    + if *asks_needs && says_needs(s) {
                        NEEDED
                    } else {
                        0.0
                    }
                    + if asked.answered_by(s) { FIGURE } else { 0.0 }
                    + if listed(at) { LISTED } else { 0.0 }
                    + if at == 0 { OPENING } else { 0.0 }
                    + self.of_whom(s, names)
                    + if side == Some(true) { WITHIN } else { 0.0 }
                    + if modal.is_some_and(|m| m.answered_by(s)) {
                        MODAL
                    } else {
                        0.0
                    }
            })
            .collect()
    }

    fn stemmed(&self, words: Vec<String>) -> Vec<String> {
        words.iter().map(|w| self.stems.stem(w)).collect()
    }

    /// What a sentence gains by speaking of whom the question names, and loses by speaking of others alone: "Silver covers them only
    /// for children" answers a question about Silver, "on Gold they are covered" does not.
    fn of_whom(&self, sentence: &str, names: &[String]) -> f32 {
        if names.is_empty() {
            return 0.0;
        }
        let own: Vec<String> = words(sentence)
            .into_iter()
            .filter(|w| self.named.contains(w))
            .map(|w| self.stems.stem(&w))
            .collect();
        match (
            own.is_empty(),
            names.iter().filter(|n| own.contains(n)).count(),
        ) {
            (_, 1..) => NAMED,
            (false, 0) => -NAMED,
            (true, 0) => 0.0,
        }
    }

    /// What is looked for among an article's sentences. A name that stands in its title is no mark of any of them: they all speak of
    /// it.
    pub(super) fn sought<'a>(
        &'a self,
        question: &str,
        article: usize,
        reading: &'a [f32],
    ) -> Sought<'a> {
        let titled = self.stems.terms(&self.articles[article].title);
        let title = self.vectors.get(&self.articles[article].title);
        let title = title.map(Vec::as_slice);
        let shared_in_the_mean = title.map_or(0.0, |title| {
            let vector = whole(reading, self.dims());
            let sentences = self.of_article(article).flat_map(|p| &p.sentences);
            let near: Vec<f32> = sentences
                .filter_map(|s| self.vectors.get(s))
                .map(|v| dot(title, v).max(0.0))
                .collect();
            let mean = near.iter().sum::<f32>() / near.len().max(1) as f32;
            mean * dot(title, vector).max(0.0)
        });
        let all = words(question).into_iter();
        Sought {
            terms: self.stems.terms(question),
            names: all
                .filter(|w| self.named.contains(w))
                .map(|w| self.stems.stem(&w))
                .filter(|name| !titled.contains(name))
                .collect(),
            reading,
            asked: Asked::of(question),
            modal: Modal::of(question),
            quantities: quantities(question),
            title,
            titled,
            shared_in_the_mean,
            is_plain: is_plain(question),
            denied: self.stemmed(denied(question, &self.named)),
            asks_needs: asks_needs(question),
        }
    }

    /// Of an article that has just been read from, the passage's other sentences that answer best; none where nothing else does.
    pub fn rest_of(
        &self,
        article: &str,
        told: &str,
        question: &str,
        reading: &[f32],
    ) -> Option<String> {
        let question = bare(question);
        let at = self.article_at(article)?;
        let sought = self.sought(question, at, reading);
        let mut best: Option<(f32, String)> = None;
        for passage in self.of_article(at) {
            let mut scores = self.score_sentences(passage, &sought);
            for (sentence, score) in passage.sentences.iter().zip(&mut scores) {
                if told.contains(sentence.as_str()) {
                    *score = 0.0;
                }
            }
            let top = scores.iter().copied().fold(0.0, f32::max);
            if top >= REST && best.as_ref().is_none_or(|(known, _)| top > *known) {
                let (text, _) = choose(passage, &scores);
                best = Some((top, text));
            }
        }
        best.map(|(_, text)| text)
    }
}
