//! `firstline eval confidence`: calibration of the one number, and fitting it.

use std::process::ExitCode;

use serde_json::json;

use super::{Bench, bins, ece, lines, print, ratio, risk_coverage, round};
use crate::desk::confidence::{
    FEATURES, FLOOR, evidence, fit, learn_then_test, least_promised, risk_control,
};
use crate::runtime::desks;

/// A line counts as right where the intent is right and, where the line names articles, the best one is among them. Out of
/// scope, nothing is right.
pub(super) fn run(a: &super::Confidence) -> anyhow::Result<ExitCode> {
    let test = lines(&a.test)?;
    let texts: Vec<String> = test.iter().map(|l| l.text.clone()).collect();
    let files = desks::read(&a.desk).map_err(anyhow::Error::msg)?;
    let bench = Bench::new(files, &texts, true, &a.common)?;
    let mut rows = Vec::new();
    let mut truth = Vec::new();
    let mut now = Vec::new();
    let mut dump = String::new();
    for line in &test {
        let vector = bench.vector(&line.text);
        let mut u = bench.desk.understand(&line.text, vector);
        let answer = bench.desk.best_answer(&line.text, vector, &mut u);
        let intent =
            line.intent.is_some() && u.intents.first().map(|i| &i.0) == line.intent.as_ref();
        let article = answer
            .as_ref()
            .is_some_and(|x| line.relevant.contains(&x.source));
        // What is decided before the articles are asked says nothing about answers.
        if crate::desk::inquiry::escalation(&u, !vector.is_empty()).is_some()
            || line.route.as_deref() == Some("act")
            || answer.is_none()
        {
            continue;
        }
        let good = if line.route.as_deref().is_some_and(|route| route != "answer") {
            false
        } else if line.relevant.is_empty() {
            intent
        } else {
            let said = answer.as_ref().is_some_and(|x| line.holds(&x.text));
            article && said && (intent || line.intent.is_none())
        };
        now.push((
            crate::desk::confidence(&bench.desk, &u, answer.as_ref(), None),
            good,
        ));
        let row = evidence(&u, answer.as_ref(), None);
        if a.rows.is_some() {
            dump += &format!(
                "{}\n",
                json!({"text": line.text, "right": good, "evidence": row, "said": answer.map(|x| x.text)})
            );
        }
        rows.push(row);
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
    let floor = risk_control(&fitted, test.len(), a.most);
    let certain = learn_then_test(&fitted, test.len(), a.most, a.certainty);
    let above = |pairs: &[(f32, bool)], floor: f32| {
        let said = pairs.iter().filter(|(p, _)| *p >= floor);
        let (right, all) = said.fold((0, 0), |(right, all), (_, y)| {
            (right + usize::from(*y), all + 1)
        });
        json!({"floor": round(f64::from(floor)), "answered": ratio(all, pairs.len()),
            "wrong_of_all_questions": ratio(all - right, test.len())})
    };
    let out = json!({
        "lines": test.len(), "answers": truth.len(),
        "right": round(truth.iter().filter(|t| **t).count() as f64 / truth.len() as f64),
        "ece": round(ece(&now)), "brier": brier(&now),
        "reliability": table(&now),
        "risk_at_coverage": risk_coverage(&now),
        "ece_fitted": round(ece(&fitted)), "brier_fitted": brier(&fitted),
        "risk_at_coverage_fitted": risk_coverage(&fitted),
        "reliability_fitted": table(&fitted),
        "risk_control": floor.map_or_else(
            || json!(format!("{} lines cannot promise {} at any floor: label more", test.len(), a.most)),
            |floor| above(&fitted, floor),
        ),
        "learn_then_test": certain.map_or_else(
            || json!(format!(
                "{} lines cannot promise {} with certainty {}: at best {:.3}",
                test.len(), a.most, a.certainty, least_promised(test.len(), a.certainty)
            )),
            |floor| above(&fitted, floor),
        ),
    });
    print(&out, a.common.json);
    if let Some(path) = &a.rows {
        #[allow(clippy::disallowed_methods, reason = "asked for with --rows")]
        std::fs::write(path, dump)?;
        eprintln!("wrote {}", path.display());
    }
    if let Some(path) = &a.picture {
        #[allow(clippy::disallowed_methods, reason = "asked for with --picture")]
        std::fs::write(path, picture(&bins(&now), &bins(&fitted)))?;
        eprintln!("wrote {}", path.display());
    }
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
        if let Some(floor) = certain {
            text += &format!(
                "# Learn then Test: at most {} of questions like these answered wrongly, with certainty {}.\n{FLOOR} = {floor:.4}\n",
                a.most, a.certainty
            );
        } else if let Some(floor) = floor {
            text += &format!(
                "# Conformal risk control: at most {} of questions like these are expected to be answered wrongly.\n{FLOOR} = {floor:.4}\n",
                a.most
            );
        }
        let path = a.desk.join("calibration.toml");
        #[allow(clippy::disallowed_methods, reason = "asked for with --write")]
        std::fs::write(&path, text)?;
        eprintln!("wrote {}", path.display());
    }
    Ok(ExitCode::SUCCESS)
}

/// The reliability diagram: how often what was said with a confidence was right, as it is now (grey) and as fitted (blue); a dot's area
/// is its share of the answers, the line is where confidence is earned.
fn picture(now: &[(usize, f64, f64)], fitted: &[(usize, f64, f64)]) -> String {
    let side = 400.0;
    let all = now.iter().map(|bin| bin.0).sum::<usize>().max(1) as f64;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"-50 -20 480 480\" font-family=\"sans-serif\" font-size=\"12\">\n\
        <rect width=\"{side}\" height=\"{side}\" fill=\"none\" stroke=\"#888\"/>\n\
        <line x1=\"0\" y1=\"{side}\" x2=\"{side}\" y2=\"0\" stroke=\"#888\" stroke-dasharray=\"4\"/>\n\
        <text x=\"150\" y=\"435\">confidence</text><text x=\"-45\" y=\"-6\">right</text>\n"
    );
    for (bins, colour) in [(now, "#999"), (fitted, "#36c")] {
        for (n, said, was) in bins {
            let (x, y) = (said * side, side - was * side);
            let r = 4.0 + 30.0 * (*n as f64 / all).sqrt();
            out += &format!(
                "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{r:.1}\" fill=\"{colour}\" fill-opacity=\"0.5\"><title>{n} answers: said {said:.2}, right {was:.2}</title></circle>\n"
            );
        }
    }
    out + "</svg>\n"
}
