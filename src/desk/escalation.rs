//! What every line must hear on the first turn: disputes, fraud, hardship, a death, legal threats, vulnerability, distress, closure,
//! the wish for a human.

use std::collections::HashMap;

use super::bank::{self, KINDS};
use super::features::Vocabulary;
use super::linear::{Linear, Recipe, Sample, softmax};
use super::patterns;
use super::text::{dot, words};

/// Why a human is needed, and how sure that is.
#[derive(Debug, Clone, PartialEq)]
pub struct Escalation {
    /// `dispute`, `fraud`, `hardship`, `bereavement`, `legal`, `vulnerable`, `distress`, `closure`, `human`, or `words` (the desk's own
    /// list).
    pub kind: String,
    /// 0.3 to 1.
    pub p: f32,
    /// Said in so many words: a set phrase, or one of the desk's own.
    pub plain: bool,
    /// Similarity to the nearest sentence of its kind in the bank; 0 by words alone.
    pub near: f32,
}

/// What is learned from the bank.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct EscalationModel {
    vocabulary: Vocabulary,
    model: Linear,
}

#[derive(Clone, Debug)]
pub(crate) struct Escalations {
    /// The desk's words, as word sequences.
    own: Vec<Vec<String>>,
    learned: EscalationModel,
    /// Vectors of the bank's sentences, a list a kind; empty lists where the desk goes by words.
    bank: Vec<Vec<Vec<f32>>>,
}

/// Least similarity to a sentence of the bank.
const NEAR: f32 = 0.4;
/// Least probability at which a kind is told at all.
const SEEN: f32 = 0.3;

impl EscalationModel {
    /// Learns from the bank, and from what this desk hears every day (`ordinary`): its own way of speaking is no alarm.
    pub fn learn(vectors: &HashMap<String, Vec<f32>>, ordinary: &[&str]) -> Self {
        let bank = bank::all();
        let ordinary = unlike_the_bank(ordinary, vectors);
        let banked = bank
            .iter()
            .enumerate()
            .flat_map(|(kind, (_, texts))| texts.iter().map(move |t| (kind.min(KINDS), *t)));
        let all: Vec<(usize, &str)> = banked
            .chain(ordinary.into_iter().map(|t| (KINDS, t)))
            .collect();
        let vocabulary = Vocabulary::learn(all.iter().map(|(_, t)| *t));
        let dims = bank[0]
            .1
            .first()
            .and_then(|t| vectors.get(*t))
            .map_or(0, Vec::len);
        let samples: Vec<Sample<'_>> = all
            .iter()
            .map(|(class, text)| Sample {
                sparse: vocabulary.sparse(text).0,
                dense: vectors.get(*text).map_or(&[], Vec::as_slice),
                class: *class,
            })
            .collect();
        let recipe = Recipe {
            c: 10.0,
            epochs: 20,
            rate: 0.15,
        };
        let model = Linear::train(&samples, KINDS + 1, vocabulary.len(), dims, &recipe);
        Self { vocabulary, model }
    }

    pub fn write(&self, out: &mut Vec<u8>) {
        self.vocabulary.write(out);
        self.model.write(out);
    }
    pub fn read(bytes: &mut &[u8]) -> Option<Self> {
        Some(Self {
            vocabulary: Vocabulary::read(bytes)?,
            model: Linear::read(bytes)?,
        })
    }
}

/// Most of a desk's own examples that are learned from: the bank must not drown in them.
const MOST_ORDINARY: usize = 400;
/// A desk's example this near to a sentence of the bank may be one of its kind.
const ALIKE: f32 = 0.6;

/// The examples that no sentence of the bank is like, spread evenly over all of them. None where the desk goes by words.
fn unlike_the_bank<'a>(texts: &[&'a str], vectors: &HashMap<String, Vec<f32>>) -> Vec<&'a str> {
    let bank: Vec<&[f32]> = bank::all()
        .iter()
        .take(KINDS)
        .flat_map(|(_, texts)| texts.iter())
        .filter_map(|t| vectors.get(*t).map(Vec::as_slice))
        .collect();
    if bank.is_empty() {
        return Vec::new();
    }
    let step = texts.len().div_ceil(MOST_ORDINARY).max(1);
    texts
        .iter()
        .step_by(step)
        .copied()
        .filter(|t| {
            vectors
                .get(*t)
                .is_some_and(|v| bank.iter().all(|b| dot(b, v) < ALIKE))
        })
        .collect()
}

impl Escalations {
    pub fn new(
        own: &[String],
        vectors: &HashMap<String, Vec<f32>>,
        learned: EscalationModel,
    ) -> Self {
        Self {
            own: own
                .iter()
                .map(|w| words(w))
                .filter(|w| !w.is_empty())
                .collect(),
            learned,
            bank: bank::all()
                .iter()
                .take(KINDS)
                .map(|(_, texts)| {
                    texts
                        .iter()
                        .filter_map(|t| vectors.get(*t).cloned())
                        .collect()
                })
                .collect(),
        }
    }

    pub fn find(&self, text: &str, vector: &[f32]) -> Option<Escalation> {
        let said = words(text);
        if self
            .own
            .iter()
            .any(|w| said.windows(w.len()).any(|s| s == w))
        {
            return Some(Escalation {
                kind: "words".into(),
                p: 1.0,
                plain: true,
                near: 1.0,
            });
        }
        let (sparse, known) = self.learned.vocabulary.sparse(text);
        let mut p = self.learned.model.logits(&sparse, vector);
        softmax(&mut p);
        let any = 1.0 - p.get(KINDS)?;
        let best = (0..KINDS).max_by(|a, b| p[*a].total_cmp(&p[*b]))?;
        let pattern = patterns::find(&said);
        // Far from everything the bank holds the weights mean nothing: then only a pattern speaks.
        let nearest = if vector.is_empty() {
            0.0
        } else {
            self.bank[best]
                .iter()
                .map(|v| dot(v, vector))
                .fold(0.0, f32::max)
        };
        let near = if vector.is_empty() || self.bank[best].is_empty() {
            known >= 0.3
        } else {
            nearest >= NEAR
        };
        match pattern {
            Some(kind) => Some(Escalation {
                kind: kind.into(),
                p: any.max(0.9),
                plain: true,
                near: nearest,
            }),
            None if near && any >= SEEN => Some(Escalation {
                kind: bank::all()[best].0.into(),
                p: any,
                plain: false,
                near: nearest,
            }),
            None => None,
        }
    }
}
