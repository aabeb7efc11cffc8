//! `firstline eval confidence`: calibration of the one number, and fitting it.

use std::process::ExitCode;

use serde_json::json;

use super::{Bench, bins, ece, lines, print, risk_coverage, round};
use crate::desk::confidence::{FEATURES, evidence, fit};
use crate::runtime::desks;

/// A line counts as right where the intent is right and, where the line names articles, the best one is among them. Out of
/// scope, nothing is right.
pub(super) fn run(a: &super::Confidence) -> anyhow::Result<ExitCode> {
    let test = lines(&a.test)?;
    let texts: Vec<String> = test.iter().map(|l| l.text.clone()).collect();
    let files = desks::read(&a.desk).map_err(anyhow::Error::msg)?;
    let bench = Bench::new(files, &texts, &a.common)?;
    let mut rows = Vec::new();
    let mut truth = Vec::new();
    let mut now = Vec::new();
    for line in &test {
        let vector = bench.vector(&line.text);
        let u = bench.desk.understand(&line.text, vector);
        let answer = bench.desk.answer(&line.text, vector, &u);
        let intent =
            line.intent.is_some() && u.intents.first().map(|i| &i.0) == line.intent.as_ref();
        let article = answer
            .as_ref()
            .is_some_and(|x| line.relevant.contains(&x.source));
        let good = if line.relevant.is_empty() {
            intent
        } else {
            article && (intent || line.intent.is_none())
        };
        now.push((
            crate::desk::confidence(&bench.desk, &u, answer.as_ref(), None),
            good,
        ));
        rows.push(evidence(&u, answer.as_ref(), None));
        truth.push(good);
    }
    // Two halves, each scored with what the other taught: a fit must not mark its own work.
    let mut fitted = Vec::new();
    for half in 0..2 {
        let part = |keep: bool| -> (Vec<Vec<f32>>, Vec<bool>) {
            rows.iter()
                .zip(&truth)
                .enumerate()
                .filter(|(i, _)| (i % 2 == half) == keep)
                .map(|(_, (r, t))| (r.clone(), *t))
                .unzip()
        };
        let (train, labels) = part(false);
        let (held, held_truth) = part(true);
        let weights = fit(&train, &labels);
        for (r, t) in held.iter().zip(held_truth) {
            let z: f32 = r.iter().zip(&weights).map(|(x, w)| x * w).sum();
            fitted.push((1.0 / (1.0 + (-z).exp()), t));
        }
    }
    let table = |pairs: &[(f32, bool)]| -> Vec<serde_json::Value> {
        bins(pairs)
            .iter()
            .map(|(n, said, was)| json!({"said": round(*said), "was": round(*was), "lines": n}))
            .collect()
    };
    let brier = |pairs: &[(f32, bool)]| {
        let sum: f64 = pairs
            .iter()
            .map(|(p, y)| (f64::from(*p) - f64::from(u8::from(*y))).powi(2))
            .sum();
        round(sum / pairs.len() as f64)
    };
    let out = json!({
        "lines": test.len(),
        "right": round(truth.iter().filter(|t| **t).count() as f64 / truth.len() as f64),
        "ece": round(ece(&now)), "brier": brier(&now),
        "reliability": table(&now),
        "risk_at_coverage": risk_coverage(&now),
        "ece_fitted": round(ece(&fitted)), "brier_fitted": brier(&fitted),
        "risk_at_coverage_fitted": risk_coverage(&fitted),
    });
    print(&out, a.common.json);
    if a.write {
        if test.len() < 50 {
            anyhow::bail!(
                "{} lines are too few to fit a calibration on: label at least 50",
                test.len()
            );
        }
        let weights = fit(&rows, &truth);
        let mut text = String::from(
            "# Written by `firstline eval confidence --write`: weights of the evidence behind a confidence.\n",
        );
        for (name, w) in FEATURES.iter().zip(weights) {
            text += &format!("{name} = {w:.4}\n");
        }
        let path = a.desk.join("calibration.toml");
        #[allow(clippy::disallowed_methods, reason = "asked for with --write")]
        std::fs::write(&path, text)?;
        eprintln!("wrote {}", path.display());
    }
    Ok(ExitCode::SUCCESS)
}
