//! One desk as configured and learned: what it understands of a sentence, and which of its passages bear on it.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use super::config::{Action, DeskConfig, IntentPolicy, Mode, Phrases, Risk};
use super::escalation::{Escalation, Escalations};
use super::framing::bare;
use super::index::Index;
use super::knowledge::{Article, Passage};
use super::meaning::{Readings, narrow, whole};
use super::near::Near;
use super::parse::DeskSource;
use super::peers::Peers;
use super::rows::Rows;
use super::scope::{Learned, Scope};
use super::text::Stems;
use super::types::Source;

/// A desk, ready to understand. Immutable: a changed desk is a new one.
#[derive(Debug, Clone)]
pub struct Desk {
    pub config: DeskConfig,
    pub actions: Vec<Action>,
    pub phrases: Phrases,
    /// Instructions to a language model that are the desk's own, by what they are for.
    pub(crate) prompts: BTreeMap<String, String>,
    pub articles: Vec<Article>,
    pub passages: Vec<Passage>,
    /// What each article has for reading out, by its index.
    pub(super) written: Vec<Option<Passage>>,
    pub(super) rows: Rows,
    pub(super) peers: Arc<Peers>,
    by_id: HashMap<String, usize>,
    /// Stems of the words each action is asked for with.
    pub(super) deeds: HashMap<String, std::collections::HashSet<String>>,
    /// The articles that serve each intent.
    pub(super) serving: HashMap<String, Vec<usize>>,
    pub(crate) calibration: Option<BTreeMap<String, f32>>,
    pub(crate) stems: Arc<Stems>,
    pub(crate) index: Index,
    /// Vectors of titles, passages and sentences by their text.
    pub(crate) vectors: HashMap<String, Vec<f32>>,
    /// Names the articles give to things with numbers, and the numbers ("fibre": 100, 500).
    pub(super) numbered: HashMap<String, BTreeSet<String>>,
    /// What the articles call by name or number.
    pub(super) named: HashSet<String>,
    /// What may be said, word by word.
    pub(crate) readings: Readings,
    /// Length of a vector; 0 by words only.
    dims: usize,
    pub(super) titles: Near,
    pub(super) passage_vectors: Near,
    pub(super) title_index: Index,
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
        let titles = Near::new(source.articles.iter().map(|a| vector(&a.title)).collect());
        let passage_vectors = source
            .passages
            .iter()
            .map(|p| vector(&p.embedded(&source.articles[p.article].title)))
            .collect();
        let passage_vectors = Near::new(passage_vectors);
        for a in &source.articles {
            if let Some(v) = vectors.get(&a.title) {
                kept.insert(a.title.clone(), v.clone());
            }
        }
        let all = source.articles.iter().enumerate();
        let written: Vec<Option<Passage>> = all.map(|(at, a)| a.written(at)).collect();
        for s in written.iter().flatten().flat_map(|p| &p.sentences) {
            if let Some(v) = vectors.get(s) {
                kept.insert(s.clone(), v.clone());
            }
        }
        for p in &source.passages {
            for s in p.sentences.iter().chain(&p.heading) {
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
        let deeds = super::deeds::deeds(&source, &stems);
        let numbered = super::naming::numbered(
            source
                .passages
                .iter()
                .flat_map(|p| p.sentences.iter().map(String::as_str)),
        );
        let named = super::naming::named(
            source
                .passages
                .iter()
                .flat_map(|p| p.sentences.iter().map(String::as_str)),
            &source.config.company,
        );
        let ids = source.articles.iter().enumerate();
        let mut serving: HashMap<String, Vec<usize>> = HashMap::new();
        for (at, article) in source.articles.iter().enumerate() {
            for intent in &article.intents {
                serving.entry(intent.clone()).or_default().push(at);
            }
        }
        let rows = super::rows::rows(source.articles.iter().map(|a| a.text.as_str()));
        let called = source.articles.iter().map(|a| a.title.as_str());
        let peers = Arc::new(Peers::of(called, &rows, &stems));
        Desk {
            by_id: ids.map(|(at, a)| (a.id.clone(), at)).collect(),
            serving,
            deeds,
            named,
            numbered,
            readings: Readings::default(),
            dims: vectors.values().next().map_or(0, Vec::len),
            scope: Scope::new(&source, vectors, learned),
            config: source.config,
            actions: source.actions,
            phrases: source.phrases,
            prompts: source.prompts,
            articles: source.articles,
            passages: source.passages,
            written,
            rows,
            peers,
            calibration: source.calibration,
            stems: Arc::new(stems),
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

    /// Adds readings, word by word, of [`DeskSource::spoken_texts`]: then what is said is also judged by the words of the question.
    pub fn with_readings(mut self, readings: &HashMap<String, Vec<f32>>) -> Desk {
        self.readings = Readings::new(self.dims, readings);
        self
    }

    /// Adds where each sentence stands among answers: vectors of [`DeskSource::answering_texts`].
    pub fn with_answering(mut self, vectors: &HashMap<String, Vec<f32>>) -> Desk {
        if vectors.is_empty() {
            return self;
        }
        for p in self
            .passages
            .iter_mut()
            .chain(self.written.iter_mut().flatten())
        {
            let title = &self.articles[p.article].title;
            let place = |text: String| vectors.get(&text).map_or_else(Vec::new, |v| narrow(v));
            p.answering = p.in_place(title).map(place).collect();
        }
        self
    }

    /// The same desk trusting these intents otherwise; ones it does not know are left out.
    pub fn with_modes(&self, modes: &BTreeMap<String, Mode>) -> Desk {
        let mut desk = self.clone();
        for (intent, mode) in modes {
            if let Some(policy) = desk.policies.get_mut(intent) {
                policy.mode = *mode;
            }
        }
        desk
    }

    /// Length of the vectors the desk was learned with.
    pub fn dims(&self) -> usize {
        self.dims
    }

    /// What the desk makes of `text`. `reading` is it as the desk's own encoder reads it ([`super::meaning`]); empty: words only.
    pub fn understand(&self, text: &str, reading: &[f32]) -> Understanding {
        let vector = whole(reading, self.dims);
        let said = text;
        let text = bare(said);
        let seen = self.scope.judge(text, vector);
        let (sources, hits, nearest_article) = self.rank(text, reading, &seen.intents);
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
            escalation: self.escalations.find(said, vector),
            sources,
            hits,
        }
    }

    /// What [`Understanding::field`] is made from: for fitting.
    pub fn field_evidence(&self, text: &str, reading: &[f32]) -> Vec<f32> {
        let vector = whole(reading, self.dims);
        let text = bare(text);
        let seen = self.scope.judge(text, vector);
        let (.., article) = self.rank(text, reading, &seen.intents);
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
        self.scope
            .judge(bare(text), whole(vector, self.dims))
            .evidence
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

    /// Where an article stands among [`Desk::articles`].
    pub(super) fn article_at(&self, id: &str) -> Option<usize> {
        self.by_id.get(id).copied()
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
pub(super) fn policies(source: &DeskSource) -> BTreeMap<String, IntentPolicy> {
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
