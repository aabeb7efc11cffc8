//! From evidence to one calibrated number: the probability that this reply is right.

use super::answer::Answer;
use super::desk::{Desk, Understanding};
use super::linear::{logistic, sigmoid};
use super::types::HeardEvidence;

/// Names of the features, in order; `calibration.toml` holds a weight for each.
pub const FEATURES: &[&str] = &[
    "bias",
    "in_scope",
    "intent",
    "margin",
    "similarity",
    "lead",
    "coverage",
    "sentence",
    "agrees",
    "heard",
    "worst_word",
];

/// Weights fitted on the labelled questions of three unlike desks, an answer counting as right only where both the article and the
/// sentences read out of it are; a desk's own `calibration.toml` wins. The recogniser's two are set by hand.
const DEFAULT: [f32; 11] = [-2.5, 1.2, 0.8, 0.8, 0.8, 1.2, 1.4, 1.5, 0.7, 0.5, 0.3];

/// The same where no answer is judged, only whether the intent was understood (before an action).
const ACT: [f32; 11] = [-1.4, 1.3, 2.0, 2.25, 0.0, 0.0, 0.0, 0.0, 0.0, 0.5, 0.3];

/// The evidence as numbers, in the order of [`FEATURES`].
pub fn evidence(
    u: &Understanding,
    answer: Option<&Answer>,
    heard: Option<&HeardEvidence>,
) -> Vec<f32> {
    let e = answer.map(|a| a.evidence).unwrap_or_default();
    vec![
        1.0,
        u.in_scope,
        u.intents.first().map_or(0.0, |i| i.1),
        u.margin,
        e.similarity,
        e.margin,
        e.coverage,
        e.sentence,
        e.agrees,
        // Typed text is certain. Whisper's mean log-probability: -0.2 is clear speech, -1 is guessing.
        heard.map_or(0.0, |h| (h.avg_logprob + 0.2).clamp(-2.0, 0.0)),
        heard.map_or(0.0, |h| (h.worst_word - 0.5).min(0.0)),
    ]
}

/// Calibrated probability that answering (with `answer`) or acting on the understood intent (no answer) is right.
pub fn confidence(
    desk: &Desk,
    u: &Understanding,
    answer: Option<&Answer>,
    heard: Option<&HeardEvidence>,
) -> f32 {
    let x = evidence(u, answer, heard);
    let z: f32 = FEATURES
        .iter()
        .zip(&x)
        .zip(if answer.is_some() { DEFAULT } else { ACT })
        .map(|((name, x), default)| {
            // A desk's calibration is fitted on answers; evidence of an article says nothing where none is judged.
            if answer.is_none() {
                return x * default;
            }
            let w = desk
                .calibration
                .as_ref()
                .and_then(|c| c.get(*name))
                .copied();
            x * w.unwrap_or(default)
        })
        .sum();
    sigmoid(z).clamp(0.001, 0.999)
}

/// Weights in the order of [`FEATURES`] that make the evidence best foretell what was right. What the labelled questions cannot
/// teach (typed text says nothing of a recogniser) keeps its default.
pub fn fit(rows: &[Vec<f32>], truth: &[bool]) -> Vec<f32> {
    let heard = FEATURES.len() - 2;
    let inner: Vec<Vec<f32>> = rows.iter().map(|r| r[1..heard].to_vec()).collect();
    let mut w = logistic(&inner, truth, 1.0);
    let bias = w.pop().unwrap_or(DEFAULT[0]);
    let mut out = vec![bias];
    out.extend(w);
    out.extend(&DEFAULT[heard..]);
    out
}
