//! Which intent, and whether any: learned from the desk's examples when it is built.

use std::collections::{BTreeMap, HashMap};

use super::escalation::EscalationModel;
use super::features::Vocabulary;
use super::linear::{Linear, Recipe, Sample, energy, read_u32, sigmoid, softmax};
use super::parse::DeskSource;
use super::text::dot;

/// Everything learned from a desk, to be kept on disk: learning is seconds to minutes, reading is milliseconds.
#[derive(Debug, Clone, PartialEq)]
pub struct Learned {
    vocabulary: Vocabulary,
    model: Linear,
    pub(crate) escalation: EscalationModel,
}

/// Bump when the bytes or the recipe change.
pub(crate) const VERSION: u32 = 1;

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

impl Learned {
    pub fn learn(source: &DeskSource, vectors: &HashMap<String, Vec<f32>>) -> Self {
        let names = names(source);
        let data = labelled(source, &names);
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
        let epochs = (200_000 / samples.len().max(1)).clamp(12, 60);
        let model = Linear::train(
            &samples,
            names.len() + 1,
            vocabulary.len(),
            dims,
            &Recipe {
                c: 10.0,
                epochs,
                rate: 0.15,
            },
        );
        Self {
            vocabulary,
            model,
            escalation: EscalationModel::learn(vectors),
        }
    }

    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = VERSION.to_le_bytes().to_vec();
        self.vocabulary.write(&mut out);
        self.model.write(&mut out);
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
            escalation: EscalationModel::read(&mut bytes)?,
        })
    }
}

#[derive(Debug)]
pub(crate) struct Scope {
    names: Vec<String>,
    learned: Learned,
    /// Vector and class of every in-scope example.
    examples: Vec<(Vec<f32>, usize)>,
}

pub(crate) struct Judged {
    pub intents: Vec<(String, f32)>,
    pub in_scope: f32,
    pub near: f32,
}

impl Scope {
    pub fn new(source: &DeskSource, vectors: &HashMap<String, Vec<f32>>, learned: Learned) -> Self {
        let names = names(source);
        let examples = labelled(source, &names)
            .into_iter()
            .filter_map(|d| Some((vectors.get(d.text)?.clone(), d.class?)))
            .collect();
        Self {
            names,
            learned,
            examples,
        }
    }

    pub fn judge(&self, text: &str, vector: &[f32]) -> Judged {
        if self.names.is_empty() {
            return Judged {
                intents: Vec::new(),
                in_scope: 0.0,
                near: 0.0,
            };
        }
        let (sparse, known) = self.learned.vocabulary.sparse(text);
        let logits = self.learned.model.logits(&sparse, vector);
        let mut p = logits[..self.names.len()].to_vec();
        let e = energy(&p);
        softmax(&mut p);
        let mut sims: Vec<f32> = self.examples.iter().map(|(v, _)| dot(v, vector)).collect();
        sims.sort_unstable_by(|a, b| b.total_cmp(a));
        sims.truncate(10);
        let knn = if vector.is_empty() || sims.is_empty() {
            0.0
        } else {
            sims.iter().sum::<f32>() / sims.len() as f32
        };
        let mut intents: Vec<(String, f32)> = self.names.iter().cloned().zip(p).collect();
        intents.sort_by(|a, b| b.1.total_cmp(&a.1));
        let z = if vector.is_empty() {
            0.3 * e + 4.0 * known - 3.0
        } else {
            0.3 * e + 10.0 * knn - 6.0
        };
        Judged {
            intents,
            in_scope: sigmoid(z),
            near: sims.first().copied().unwrap_or(0.4 * known),
        }
    }
}
