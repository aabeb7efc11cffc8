//! One desk as configured and learned: what it understands of a sentence, and which of its passages bear on it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::config::{Action, DeskConfig, IntentPolicy, Mode, Phrases, Risk};
use super::escalation::{Escalation, Escalations};
use super::index::Index;
use super::knowledge::{Article, Passage};
use super::parse::DeskSource;
use super::scope::{Learned, Scope};
use super::text::{Stems, dot};
use super::types::Source;

/// A desk, ready to understand. Immutable: a changed desk is a new one.
#[derive(Debug)]
pub struct Desk {
    pub config: DeskConfig,
    pub actions: Vec<Action>,
    pub phrases: Phrases,
    pub articles: Vec<Article>,
    pub passages: Vec<Passage>,
    pub(crate) calibration: Option<BTreeMap<String, f32>>,
    pub(crate) stems: Stems,
    pub(crate) index: Index,
    /// Vectors of titles, passages and sentences by their text.
    pub(crate) vectors: HashMap<String, Vec<f32>>,
    /// Names the articles give to things with numbers, and the numbers ("fibre": 100, 500).
    pub(super) numbered: HashMap<String, BTreeSet<String>>,
    titles: Vec<Vec<f32>>,
    passage_vectors: Vec<Vec<f32>>,
    title_index: Index,
    scope: Scope,
    escalations: Escalations,
    policies: BTreeMap<String, IntentPolicy>,
    unlisted: IntentPolicy,
}

/// What the desk makes of a sentence.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Understanding {
    /// Best first, with their probabilities given that the words are in scope.
    pub intents: Vec<(String, f32)>,
    /// Probability that the words belong to any intent of this desk.
    pub in_scope: f32,
    /// Probability of the best intent over the next.
    pub margin: f32,
    pub escalation: Option<Escalation>,
    /// Articles, best first; five where the desk has that many.
    pub sources: Vec<Source>,
    /// Passages, best first: those of the sources.
    pub hits: Vec<Hit>,
    /// Nearness to the desk's field even where no intent fits, 0 to 1.
    pub near: f32,
    /// Similarity to the nearest of the desk's own examples; 0 by words alone.
    pub example: f32,
    /// Probability that the words are in the desk's field, whether or not any of its intents or articles answers them.
    pub field: f32,
}

/// A passage that bears on the question.
#[derive(Debug, Clone, PartialEq)]
pub struct Hit {
    /// The article's id.
    pub article: String,
    pub title: String,
    pub heading: Option<String>,
    pub text: String,
    /// 0 to 1, comparable within one desk.
    pub score: f32,
    /// Index into [`Desk::passages`].
    pub index: usize,
}

/// Weights of what an article's rank is made from ([`Desk::article_evidence`]), fitted on the questions of three unlike desks, each
/// scored with what the other two taught. That an article serves the understood intent says as much as its nearest sentence.
const RANK: [f32; 7] = [0.06, 0.27, 0.27, 0.06, 0.0, 0.21, 0.13];
/// The same by words alone, where the third is how well the best sentence answers.
const RANK_BY_WORDS: [f32; 7] = [0.0, 0.0, 0.19, 0.20, 0.01, 0.39, 0.21];
/// Articles whose sentences are compared.
const LOOKED_INTO: usize = 30;

impl Desk {
    /// Learns a desk. `vectors` holds what [`DeskSource::texts`] asked for; an empty map makes a desk that goes by words only.
    pub fn build(source: DeskSource, vectors: &HashMap<String, Vec<f32>>) -> Desk {
        let learned = Learned::learn(&source, vectors);
        Self::with(source, vectors, learned)
    }

    /// A desk from what was learned before (of the same source and vectors).
    pub fn with(source: DeskSource, vectors: &HashMap<String, Vec<f32>>, learned: Learned) -> Desk {
        let stems = Stems::new(&source.config.language);
        let mut kept = HashMap::new();
        let vector = |text: &str| vectors.get(text).cloned().unwrap_or_default();
        let titles = source.articles.iter().map(|a| vector(&a.title)).collect();
        let passage_vectors = source
            .passages
            .iter()
            .map(|p| vector(&p.embedded(&source.articles[p.article].title)))
            .collect();
        for p in &source.passages {
            for s in &p.sentences {
                if let Some(v) = vectors.get(s) {
                    kept.insert(s.clone(), v.clone());
                }
            }
        }
        let documents: Vec<Vec<String>> = source
            .passages
            .iter()
            .map(|p| {
                let a = &source.articles[p.article];
                // The title counts twice: it is what the article is about.
                let heading = p.heading.as_deref().unwrap_or("");
                stems.terms(&format!(
                    "{} {} {heading} {heading} {}",
                    a.title, a.title, p.text
                ))
            })
            .collect();
        let index = Index::new(
            documents
                .iter()
                .map(|d| d.iter().map(|t| (t.as_str(), 1.0)).collect()),
        );
        let title_terms: Vec<Vec<String>> = source
            .articles
            .iter()
            .map(|a| stems.terms(&a.title))
            .collect();
        let title_index = Index::new(
            title_terms
                .iter()
                .map(|d| d.iter().map(|t| (t.as_str(), 1.0)).collect()),
        );
        let escalations = Escalations::new(
            &source.config.escalation.words,
            vectors,
            learned.escalation.clone(),
        );
        let policies = policies(&source);
        let numbered = super::answer::numbered(
            source
                .passages
                .iter()
                .flat_map(|p| p.sentences.iter().map(String::as_str)),
        );
        Desk {
            numbered,
            scope: Scope::new(&source, vectors, learned),
            config: source.config,
            actions: source.actions,
            phrases: source.phrases,
            articles: source.articles,
            passages: source.passages,
            calibration: source.calibration,
            stems,
            index,
            vectors: kept,
            titles,
            passage_vectors,
            title_index,
            escalations,
            policies,
            unlisted: IntentPolicy::default(),
        }
    }

    /// What the desk makes of `text`. `vector` is its embedding by the same encoder as the desk's; empty: words only.
    pub fn understand(&self, text: &str, vector: &[f32]) -> Understanding {
        let seen = self.scope.judge(text, vector);
        let (sources, hits) = self.rank(text, vector, &seen.intents);
        let nearest_article = if vector.is_empty() {
            0.0
        } else {
            self.titles
                .iter()
                .chain(&self.passage_vectors)
                .map(|t| dot(t, vector))
                .fold(0.0, f32::max)
        };
        let word_nearness = self.word_nearness(text);
        let field = field(&[
            seen.in_scope,
            seen.near,
            nearest_article,
            seen.stranger,
            word_nearness,
        ]);
        let margin = match seen.intents.as_slice() {
            [a, b, ..] => a.1 - b.1,
            [a] => a.1,
            [] => 0.0,
        };
        Understanding {
            near: seen
                .near
                .max(nearest_article)
                .max(word_nearness)
                .clamp(0.0, 1.0),
            example: if vector.is_empty() { 0.0 } else { seen.near },
            field,
            intents: seen.intents,
            in_scope: seen.in_scope,
            margin,
            escalation: self.escalations.find(text, vector),
            sources,
            hits,
        }
    }

    /// What [`Understanding::field`] is made from: for fitting.
    pub fn field_evidence(&self, text: &str, vector: &[f32]) -> Vec<f32> {
        let seen = self.scope.judge(text, vector);
        let article = self
            .titles
            .iter()
            .chain(&self.passage_vectors)
            .map(|t| dot(t, vector))
            .fold(0.0, f32::max);
        vec![
            seen.in_scope,
            seen.near,
            article,
            seen.stranger,
            self.word_nearness(text),
        ]
    }

    /// What `in_scope` is made from, in the order of [`super::scope::SCOPE_FEATURES`]: for fitting.
    pub fn scope_evidence(&self, text: &str, vector: &[f32]) -> Vec<f32> {
        self.scope.judge(text, vector).evidence
    }

    /// Articles and their best passages for a query, best first: similarity to the title, half of the best passage's, and a
    /// little of the words.
    pub fn search(&self, text: &str, vector: &[f32]) -> (Vec<Source>, Vec<Hit>) {
        if self.articles.is_empty() {
            return Default::default();
        }
        let terms = self.stems.terms(text);
        let ceiling = self.index.ceiling(&terms);
        let words = self.index.scores(&terms);
        let title_words = self.title_index.scores(&terms);
        let title_ceiling = self.title_index.ceiling(&terms);
        let dense = !vector.is_empty() && self.titles.iter().any(|t| t.len() == vector.len());
        // Best passage of every article: (score, passage).
        let mut best: Vec<(f32, usize)> = vec![(f32::MIN, usize::MAX); self.articles.len()];
        for (i, p) in self.passages.iter().enumerate() {
            let lexical = (words[i] / ceiling).min(1.0);
            let score = if dense {
                0.5 * dot(&self.passage_vectors[i], vector) + 0.1 * lexical
            } else {
                lexical
            };
            if score > best[p.article].0 {
                best[p.article] = (score, i);
            }
        }
        let mut ranked: Vec<(f32, usize, usize)> = best
            .iter()
            .enumerate()
            .filter(|(_, (_, p))| *p != usize::MAX)
            .map(|(a, (score, p))| {
                let title = (title_words[a] / title_ceiling).min(1.0);
                let total = if dense {
                    (dot(&self.titles[a], vector) + score + 0.02 * title) / 1.62
                } else {
                    0.65 * score + 0.35 * title
                };
                (total.clamp(0.0, 1.0), a, *p)
            })
            .collect();
        ranked.sort_by(|x, y| y.0.total_cmp(&x.0).then(x.1.cmp(&y.1)));
        ranked.truncate(10);
        self.listed(ranked)
    }

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
    fn rank(
        &self,
        text: &str,
        vector: &[f32],
        intents: &[(String, f32)],
    ) -> (Vec<Source>, Vec<Hit>) {
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
                self.best_sentence(&self.articles[*a].id, text, vector)
            };
        }
        seen.sort_by(|x, y| score(&y.1).total_cmp(&score(&x.1)).then(x.0.cmp(&y.0)));
        seen.truncate(10);
        self.listed(seen.iter().map(|(a, x, p)| (score(x), *a, *p)))
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

    fn nearest_sentence(&self, article: usize, vector: &[f32]) -> f32 {
        self.passages
            .iter()
            .filter(|p| p.article == article)
            .flat_map(|p| &p.sentences)
            .filter_map(|s| self.vectors.get(s))
            .map(|v| dot(v, vector))
            .fold(0.0, f32::max)
    }

    /// Share of the sentence's content that the desk's articles speak of at all.
    fn word_nearness(&self, text: &str) -> f32 {
        let terms = self.stems.terms(text);
        let known = terms.iter().filter(|t| self.index.knows(t)).count();
        if terms.is_empty() {
            0.0
        } else {
            0.5 * known as f32 / terms.len() as f32
        }
    }

    /// Answers that are fixed beforehand (articles' `spoken`): worth having a voice ready for.
    pub fn answers(&self) -> impl Iterator<Item = &str> {
        self.articles.iter().filter_map(|a| a.spoken.as_deref())
    }

    /// How far the line may go by itself for an intent.
    pub fn policy(&self, intent: &str) -> &IntentPolicy {
        self.policies.get(intent).unwrap_or(&self.unlisted)
    }

    /// What the desk does by itself, in plain words: what has most examples first.
    pub fn main_topics(&self, most: usize) -> Vec<String> {
        let mut open: Vec<&str> = self
            .policies
            .iter()
            .filter(|(_, policy)| policy.mode == Mode::Autonomous)
            .map(|(name, _)| name.as_str())
            .collect();
        open.sort_by_key(|name| std::cmp::Reverse(self.scope.count(name)));
        open.truncate(most);
        open.into_iter()
            .map(|name| super::inquiry::topic(self, name))
            .collect()
    }

    pub fn action_for(&self, intent: &str) -> Option<&Action> {
        self.actions.iter().find(|a| a.intent == intent)
    }

    /// Every intent the desk knows.
    pub fn intents(&self) -> impl Iterator<Item = &str> {
        self.policies.keys().map(String::as_str)
    }
}

/// Weights of [`Desk::field_evidence`] and a bias.
const FIELD: [f32; 6] = [2.0, 5.0, 4.0, -4.0, 2.0, -2.7];

fn field(evidence: &[f32; 5]) -> f32 {
    let z: f32 = evidence.iter().zip(FIELD).map(|(x, w)| x * w).sum();
    super::linear::sigmoid(z + FIELD[5])
}

/// Listed policies, and the default of the others: a human where an action or a risk hangs on it, else the articles.
fn policies(source: &DeskSource) -> BTreeMap<String, IntentPolicy> {
    const RISKY: [&str; 18] = [
        "dispute",
        "fraud",
        "scam",
        "stolen",
        "hack",
        "unauthori",
        "hardship",
        "complain",
        "legal",
        "lawyer",
        "bereave",
        "deceased",
        "close_account",
        "account_closure",
        "closure",
        "chargeback",
        "delete_account",
        "identity_theft",
    ];
    let mut names: BTreeSet<&str> = source
        .examples
        .iter()
        .filter_map(|e| e.intent.as_deref())
        .collect();
    names.extend(source.actions.iter().map(|a| a.intent.as_str()));
    names.extend(
        source
            .articles
            .iter()
            .flat_map(|a| a.intents.iter().map(String::as_str)),
    );
    let mut out = source.config.intents.clone();
    for name in names {
        out.entry(name.to_string()).or_insert_with(|| {
            let acts = source.actions.iter().any(|a| a.intent == name);
            let lower = name.to_lowercase();
            let risky = RISKY.iter().any(|r| lower.contains(r));
            IntentPolicy {
                mode: if acts || risky {
                    Mode::Human
                } else {
                    Mode::Autonomous
                },
                risk: if risky { Risk::High } else { Risk::Low },
                ..IntentPolicy::default()
            }
        });
    }
    out
}

#[cfg(test)]
mod tests;
