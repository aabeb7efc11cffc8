//! Which intent, and whether any: learned from the desk's examples when it is built.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::bank;
use super::config::Mode;
use super::escalation::EscalationModel;
use super::features::Vocabulary;
use super::linear::{Linear, Recipe, Sample, energy, read_u32, sigmoid, softmax};
use super::parse::DeskSource;
use super::text::{Stems, dot};

/// Everything learned from a desk, to be kept on disk: learning is seconds to minutes, reading is milliseconds.
#[derive(Debug, Clone, PartialEq)]
pub struct Learned {
    vocabulary: Vocabulary,
    /// Classes are the intents in order of name, then what is none of them.
    model: Linear,
    /// The desk brought examples of words out of scope.
    own_nulls: bool,
    pub(crate) escalation: EscalationModel,
}

/// Bump when the bytes or the recipe change.
pub(crate) const VERSION: u32 = 4;

/// One labelled sentence as it is learned from.
struct Labelled<'a> {
    text: &'a str,
    /// Index of the intent; none: out of scope.
    class: Option<usize>,
}

fn names(source: &DeskSource) -> Vec<String> {
    let mut names: BTreeMap<&str, ()> = BTreeMap::new();
    for e in &source.examples {
        if let Some(i) = &e.intent {
            names.insert(i, ());
        }
    }
    for a in &source.articles {
        if let [one] = a.intents.as_slice() {
            names.insert(one, ());
        }
    }
    names.into_keys().map(str::to_string).collect()
}

/// The examples, and the titles of articles that serve a single intent.
fn labelled<'a>(source: &'a DeskSource, names: &[String]) -> Vec<Labelled<'a>> {
    let class = |i: &str| names.binary_search_by(|n| n.as_str().cmp(i)).ok();
    let mut out: Vec<Labelled<'a>> = source
        .examples
        .iter()
        .map(|e| Labelled {
            text: &e.text,
            class: e.intent.as_deref().and_then(class),
        })
        .collect();
    for a in &source.articles {
        if let [one] = a.intents.as_slice() {
            out.push(Labelled {
                text: &a.title,
                class: class(one),
            });
        }
    }
    out
}

/// Own examples of words out of scope from which on the built-in ones are not needed.
const ENOUGH_NULLS: usize = 40;

/// Built-in sentences that are surely not this desk's: the ones unlike every example it has.
fn strangers(
    source: &DeskSource,
    data: &[Labelled<'_>],
    vectors: &HashMap<String, Vec<f32>>,
) -> Vec<&'static str> {
    if data.iter().filter(|d| d.class.is_none()).count() >= ENOUGH_NULLS {
        return Vec::new();
    }
    let stems = Stems::new(&source.config.language);
    let within: Vec<&Labelled<'_>> = data.iter().filter(|d| d.class.is_some()).collect();
    let terms: HashSet<String> = within.iter().flat_map(|d| stems.terms(d.text)).collect();
    let like = |text: &str| match vectors.get(text) {
        Some(v) => within
            .iter()
            .filter_map(|d| vectors.get(d.text))
            .any(|e| dot(e, v) > 0.5),
        None => {
            let own = stems.terms(text);
            own.iter().filter(|t| terms.contains(*t)).count() * 2 > own.len()
        }
    };
    bank::out().iter().copied().filter(|t| !like(t)).collect()
}

/// What this desk's callers say every day: examples of what it does by itself.
fn ordinary(source: &DeskSource) -> Vec<&str> {
    let policies = super::desk::policies(source);
    let open = |intent: &str| {
        policies
            .get(intent)
            .is_some_and(|policy| policy.mode == Mode::Autonomous)
    };
    source
        .examples
        .iter()
        .filter(|e| e.intent.as_deref().is_some_and(open))
        .map(|e| e.text.as_str())
        .collect()
}

impl Learned {
    /// Learns intents (and what is none of them), and what needs a human.
    pub fn learn(source: &DeskSource, vectors: &HashMap<String, Vec<f32>>) -> Self {
        let names = names(source);
        let mut data = labelled(source, &names);
        let own_nulls = data.iter().any(|d| d.class.is_none());
        for text in strangers(source, &data, vectors) {
            data.push(Labelled { text, class: None });
        }
        let vocabulary = Vocabulary::learn(data.iter().map(|d| d.text));
        let dims = data
            .iter()
            .find_map(|d| vectors.get(d.text))
            .map_or(0, Vec::len);
        let samples: Vec<Sample<'_>> = data
            .iter()
            .map(|d| Sample {
                sparse: vocabulary.sparse(d.text).0,
                dense: vectors.get(d.text).map_or(&[], Vec::as_slice),
                class: d.class.unwrap_or(names.len()),
            })
            .collect();
        let epochs = (150_000 / samples.len().max(1)).clamp(10, 40);
        let recipe = Recipe {
            c: 10.0,
            epochs,
            rate: 0.15,
        };
        Self {
            model: Linear::train(&samples, names.len() + 1, vocabulary.len(), dims, &recipe),
            vocabulary,
            own_nulls,
            escalation: EscalationModel::learn(vectors, &ordinary(source)),
        }
    }

    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = VERSION.to_le_bytes().to_vec();
        self.vocabulary.write(&mut out);
        self.model.write(&mut out);
        out.extend(u32::from(self.own_nulls).to_le_bytes());
        self.escalation.write(&mut out);
        out
    }

    /// None where the bytes are not of this version or are cut short.
    pub fn from_bytes(mut bytes: &[u8]) -> Option<Self> {
        if read_u32(&mut bytes)? != VERSION {
            return None;
        }
        Some(Self {
            vocabulary: Vocabulary::read(&mut bytes)?,
            model: Linear::read(&mut bytes)?,
            own_nulls: read_u32(&mut bytes)? != 0,
            escalation: EscalationModel::read(&mut bytes)?,
        })
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Scope {
    names: Vec<String>,
    learned: Learned,
    /// Vector and class of every in-scope example.
    examples: Vec<(Vec<f32>, usize)>,
    /// Logarithm of the examples an intent has in the mean.
    density: f32,
    /// Examples of every intent.
    counts: Vec<usize>,
    /// Vectors of what no support line is for, and of the desk's own examples of words out of scope.
    strangers: Vec<Vec<f32>>,
    /// Rows of words and pairs that examples in scope hold: the built-in strangers' words are in the vocabulary too.
    inside: HashSet<u32>,
}

pub(crate) struct Judged {
    pub intents: Vec<(String, f32)>,
    pub in_scope: f32,
    pub near: f32,
    /// Similarity to the nearest sentence that is none of the desk's.
    pub stranger: f32,
    /// What `in_scope` was made from.
    pub evidence: Vec<f32>,
}

/// What the evidence for scope is called, in order.
pub const SCOPE_FEATURES: [&str; 7] =
    ["odds", "energy", "top", "near10", "near1", "known", "agree"];

/// Weights of [`SCOPE_FEATURES`], a bias, and the weight of how many examples an intent has (the logarithm of their mean): where
/// there are few, words that belong lie farther from all of them. The first two are fitted (`firstline eval intents --evidence`;
/// none of the features below zero, every set and both sides of the scope counting alike): BANKING77-OOS and two desks with their
/// own examples of words out of scope; HINT3, BANKING77-OOS without them and a small desk for the built-in ones. The third, for
/// words alone, is set by hand.
const WITH_NULLS: [f32; 9] = [
    0.396, 0.033, 1.817, 1.346, 1.344, 0.658, 0.754, -0.397, -0.907,
];
const WITHOUT: [f32; 9] = [
    0.088, 0.036, 2.475, 0.638, 1.23, 0.586, 1.389, -2.374, -0.594,
];
const BY_WORDS: [f32; 9] = [0.6, 0.1, 1.5, 0.0, 0.0, 3.0, 0.0, -2.5, 0.0];

impl Scope {
    pub fn new(source: &DeskSource, vectors: &HashMap<String, Vec<f32>>, learned: Learned) -> Self {
        let names = names(source);
        let examples = labelled(source, &names)
            .into_iter()
            .filter_map(|d| Some((vectors.get(d.text)?.clone(), d.class?)))
            .collect();
        let inside = labelled(source, &names)
            .iter()
            .filter(|d| d.class.is_some())
            .flat_map(|d| learned.vocabulary.word_rows(d.text))
            .flatten()
            .collect();
        let own = labelled(source, &names);
        let strangers = bank::out()
            .iter()
            .copied()
            .chain(own.iter().filter(|d| d.class.is_none()).map(|d| d.text))
            .filter_map(|text| vectors.get(text).cloned())
            .collect();
        let mut counts = vec![0; names.len()];
        for class in own.iter().filter_map(|d| d.class) {
            counts[class] += 1;
        }
        let mean = counts.iter().sum::<usize>() as f32 / names.len().max(1) as f32;
        Self {
            names,
            learned,
            examples,
            // Beyond what the weights were fitted on, the logarithm is not trusted.
            density: mean.clamp(4.0, 120.0).ln(),
            counts,
            strangers,
            inside,
        }
    }

    /// Examples of an intent.
    pub fn count(&self, intent: &str) -> usize {
        let Ok(class) = self
            .names
            .binary_search_by(|name| name.as_str().cmp(intent))
        else {
            return 0;
        };
        self.counts.get(class).copied().unwrap_or_default()
    }

    fn strangeness(&self, vector: &[f32]) -> f32 {
        self.strangers
            .iter()
            .map(|s| dot(s, vector))
            .fold(0.0, f32::max)
    }

    pub fn judge(&self, text: &str, vector: &[f32]) -> Judged {
        let n = self.names.len();
        if n == 0 {
            return Judged {
                intents: Vec::new(),
                in_scope: 0.0,
                near: 0.0,
                stranger: self.strangeness(vector),
                evidence: vec![0.0; SCOPE_FEATURES.len()],
            };
        }
        let (sparse, _) = self.learned.vocabulary.sparse(text);
        let rows = self.learned.vocabulary.word_rows(text);
        let inside = rows
            .iter()
            .flatten()
            .filter(|r| self.inside.contains(r))
            .count();
        let known = inside as f32 / rows.len().max(1) as f32;
        let logits = self.learned.model.logits(&sparse, vector);
        let mut p = logits[..n].to_vec();
        let best_logit = p.iter().copied().fold(f32::MIN, f32::max);
        let e = energy(&p);
        softmax(&mut p);
        let dense = !vector.is_empty() && !self.examples.is_empty();
        let mut sims: Vec<(f32, usize)> = if dense {
            self.examples
                .iter()
                .map(|(v, c)| (dot(v, vector), *c))
                .collect()
        } else {
            Vec::new()
        };
        // Ten neighbours where intents have ten examples, fewer where they have fewer.
        let k = (self.examples.len() / n).clamp(3, 10).min(sims.len());
        if k > 0 && k < sims.len() {
            sims.select_nth_unstable_by(k - 1, |a, b| b.0.total_cmp(&a.0));
            sims.truncate(k);
        }
        sims.sort_unstable_by(|a, b| b.0.total_cmp(&a.0));
        let near10 = if k > 0 {
            sims.iter().map(|s| s.0).sum::<f32>() / k as f32
        } else {
            0.0
        };
        let near1 = sims.first().map_or(0.0, |s| s.0);
        // Neighbours vote with the fifth power of nearness: close ones decide, far ones hardly count.
        let mut votes = vec![0f32; n];
        let mut total = 1e-6;
        for (s, c) in &sims {
            let w = s.max(0.0).powi(5);
            votes[*c] += w;
            total += w;
        }
        let top = (0..n).max_by(|a, b| p[*a].total_cmp(&p[*b])).unwrap_or(0);
        let evidence = vec![
            (e.max(best_logit) - logits[n]).clamp(-15.0, 15.0),
            e.clamp(-10.0, 20.0),
            p[top],
            near10,
            near1,
            known,
            votes[top] / total,
        ];
        let weights = match (dense, self.learned.own_nulls) {
            (false, _) => &BY_WORDS,
            (true, true) => &WITH_NULLS,
            (true, false) => &WITHOUT,
        };
        let z: f32 = evidence
            .iter()
            .zip(weights)
            .map(|(x, w)| x * w)
            .sum::<f32>()
            + weights[SCOPE_FEATURES.len()]
            + weights[SCOPE_FEATURES.len() + 1] * self.density;
        if dense {
            for (p, v) in p.iter_mut().zip(&votes) {
                *p = 0.8 * *p + 0.2 * v / total;
            }
        }
        let mut intents: Vec<(String, f32)> = self.names.iter().cloned().zip(p).collect();
        intents.sort_by(|a, b| b.1.total_cmp(&a.1));
        Judged {
            intents,
            in_scope: sigmoid(z),
            near: if dense { near1 } else { 0.5 * known },
            stranger: self.strangeness(vector),
            evidence,
        }
    }
}
