//! The content audit: what in a desk's articles will trip the line up, with where, why and a proposed fix.

mod practice;

use std::collections::{BTreeMap, BTreeSet, HashMap};

pub use practice::{calls, rehearse};

use jiff::civil::Date;

use super::config::Mode;
use super::entity::figures;
use super::knowledge::Article;
use super::parse::DeskSource;
use super::text::{Stems, dot, words};

/// One thing to look at.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct Finding {
    pub file: String,
    pub line: usize,
    /// `contradiction`, `duplicate`, `stale`, `unsayable`, `gap`, `unanswerable` or `unread`.
    pub kind: &'static str,
    pub message: String,
    pub fix: String,
}

/// Days after which an article should be read again.
const STALE_DAYS: i32 = 365;
/// Longest sentence that can be taken in by ear, in words.
const LONGEST: usize = 40;

/// A sentence and where it stands.
struct Placed<'a> {
    article: usize,
    text: &'a str,
    line: usize,
    /// Stems without figures.
    terms: BTreeSet<String>,
    /// Unit to values ("GBP" to {"6"}).
    figures: BTreeMap<String, BTreeSet<String>>,
}

/// Audits a desk. With vectors near-duplicates are found by meaning, without by words.
pub fn audit(
    source: &DeskSource,
    vectors: &HashMap<String, Vec<f32>>,
    today: Date,
) -> Vec<Finding> {
    let stems = Stems::new(&source.config.language);
    let placed: Vec<Placed<'_>> = source
        .passages
        .iter()
        .flat_map(|p| p.sentences.iter().map(move |s| (p.article, s)))
        .map(|(article, text)| place(&source.articles[article], article, text, &stems))
        .collect();
    let mut out = Vec::new();
    pairs(source, &placed, vectors, &mut out);
    for s in &placed {
        unsayable(source, s, &mut out);
    }
    for a in &source.articles {
        stale(a, today, &mut out);
    }
    gaps(source, &mut out);
    out.sort();
    out.dedup();
    out
}

fn place<'a>(article: &Article, index: usize, text: &'a str, stems: &Stems) -> Placed<'a> {
    let mut units: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for f in figures(text) {
        let (number, unit) = f.value.split_once(' ').unwrap_or((&f.value, ""));
        units
            .entry(unit.to_string())
            .or_default()
            .insert(number.to_string());
    }
    Placed {
        article: index,
        text,
        line: line_of(article, text),
        terms: stems
            .terms(text)
            .into_iter()
            .filter(|t| !t.chars().any(|c| c.is_ascii_digit()))
            .collect(),
        figures: units,
    }
}

/// The line a sentence begins on: the first that shares its beginning, else the article's first.
fn line_of(article: &Article, sentence: &str) -> usize {
    let letters = |t: &str| -> String { t.chars().filter(|c| c.is_alphanumeric()).collect() };
    let start: String = letters(sentence).chars().take(24).collect();
    for (offset, l) in article.text.lines().enumerate() {
        if letters(l).contains(&start) {
            return article.body_line + offset;
        }
        // A sentence may go on over the end of its line.
        let tail = letters(l);
        let cut = start.chars().take(12).collect::<String>();
        if cut.len() >= 8 && tail.contains(&cut) {
            return article.body_line + offset;
        }
    }
    article.body_line
}

/// Sentences that say nearly the same in two places.
fn pairs(
    source: &DeskSource,
    placed: &[Placed<'_>],
    vectors: &HashMap<String, Vec<f32>>,
    out: &mut Vec<Finding>,
) {
    let with = sharing(placed);
    for (i, a) in placed.iter().enumerate() {
        for (b, shared) in &with[i] {
            let b = &placed[*b];
            let shared = *shared as f32;
            let jaccard = shared
                / (a.terms.len() + b.terms.len()) as f32
                / (1.0 - shared / (a.terms.len() + b.terms.len()) as f32);
            let alike = match (vectors.get(a.text), vectors.get(b.text)) {
                (Some(x), Some(y)) => dot(x, y) > 0.85 && jaccard > 0.34,
                _ => jaccard >= 0.6,
            };
            if !alike {
                continue;
            }
            let (first, second) = (&source.articles[a.article], &source.articles[b.article]);
            // "Basic" and "Plus" may each have a fee of their own: that is no contradiction.
            if told_apart(a, b, first, second) {
                continue;
            }
            let differs = a.figures.iter().find(|(unit, values)| {
                b.figures
                    .get(*unit)
                    .is_some_and(|other| other.is_disjoint(values))
            });
            if let Some((unit, values)) = differs {
                let list = |v: &BTreeSet<String>| {
                    v.iter()
                        .map(|v| format!("{v} {unit}").trim().to_string())
                        .collect::<Vec<_>>()
                        .join(", ")
                };
                out.push(Finding {
                    file: second.file.clone(),
                    line: b.line,
                    kind: "contradiction",
                    message: format!(
                        "says {} where {}:{} says {}: \"{}\"",
                        list(&b.figures[unit]),
                        first.file,
                        a.line,
                        list(values),
                        b.text
                    ),
                    fix: match (&first.updated, &second.updated) {
                        (Some(x), Some(y)) if x > y => format!("{} is newer: take its figure, or say in both what makes them differ", first.id),
                        (Some(x), Some(y)) if y > x => format!("this one is newer: correct {}, or say in both what makes them differ", first.id),
                        _ => "correct one of them, or say in both what makes them differ (plan, country, amount)".into(),
                    },
                });
            } else if jaccard >= 0.8 && a.terms.len() >= 5 {
                out.push(Finding {
                    file: second.file.clone(),
                    line: b.line,
                    kind: "duplicate",
                    message: format!("says the same as {}:{}: \"{}\"", first.file, a.line, b.text),
                    fix: "keep the fact in one article, so that it is changed in one place".into(),
                });
            }
        }
    }
}

/// Pairs of sentences of different articles that share a third of their words or more, and how many they share.
fn sharing(placed: &[Placed<'_>]) -> Vec<Vec<(usize, usize)>> {
    let mut holding: HashMap<&str, Vec<usize>> = HashMap::new();
    for (at, s) in placed
        .iter()
        .enumerate()
        .filter(|(_, s)| s.terms.len() >= 2)
    {
        for term in &s.terms {
            holding.entry(term).or_default().push(at);
        }
    }
    // In a large desk a word that hundreds of sentences have finds no pair that rarer words do not.
    let most = if placed.len() > 2000 { 400 } else { usize::MAX };
    let mut out = Vec::with_capacity(placed.len());
    for (at, s) in placed.iter().enumerate() {
        let mut near: BTreeSet<usize> = BTreeSet::new();
        for list in s
            .terms
            .iter()
            .filter_map(|t| holding.get(t.as_str()))
            .filter(|l| l.len() <= most)
        {
            for other in list
                .iter()
                .filter(|o| **o > at && placed[**o].article != s.article)
            {
                near.insert(*other);
            }
        }
        let near = near.into_iter().filter_map(|other| {
            let shared = s.terms.intersection(&placed[other].terms).count();
            let union = s.terms.len() + placed[other].terms.len() - shared;
            (shared * 3 >= union).then_some((other, shared))
        });
        out.push(near.collect());
    }
    out
}

/// Whether the articles say of themselves, or the sentences, what makes their facts differ: titles made alike but for a word or two
/// ("Basic: leaving early", "Plus: leaving early"), or sentences each with a name that the other has not.
fn told_apart(a: &Placed<'_>, b: &Placed<'_>, first: &Article, second: &Article) -> bool {
    let set = |text: &str| -> BTreeSet<String> { words(text).into_iter().collect() };
    let (x, y) = (set(&first.title), set(&second.title));
    let titles = x.difference(&y).count() > 0
        && y.difference(&x).count() > 0
        && x.intersection(&y).count() >= 2;
    let names = |text: &str| -> BTreeSet<String> {
        let capital = |w: &&str| w.starts_with(char::is_uppercase);
        text.split_whitespace()
            .skip(1)
            .filter(capital)
            .flat_map(words)
            .collect()
    };
    let (x, y) = (names(a.text), names(b.text));
    titles || (!x.is_empty() && !y.is_empty() && x.is_disjoint(&y))
}

fn unsayable(source: &DeskSource, s: &Placed<'_>, out: &mut Vec<Finding>) {
    let article = &source.articles[s.article];
    if article.spoken.is_some() {
        return;
    }
    let lower = s.text.to_lowercase();
    let words = s.text.split_whitespace().count();
    let (why, fix) =
        if lower.contains("http://") || lower.contains("https://") || lower.contains("www.") {
            (
                "a web address cannot be followed by ear",
                "say where it is found (\"in the app, under Payments\")",
            )
        } else if [
            "click here",
            "see below",
            "see above",
            "table below",
            "shown below",
            "screenshot",
            "this link",
            "the link below",
        ]
        .iter()
        .any(|p| lower.contains(p))
        {
            (
                "it points at something that only a reader sees",
                "say what stands there",
            )
        } else if words > LONGEST {
            (
                "it is too long to take in by ear",
                "part it in two, or give the article a `spoken` line",
            )
        } else if s.text.contains(['|', '→', '>', '{', '}', '\\']) {
            (
                "it holds signs that have no sound",
                "write them out (\"then choose\")",
            )
        } else {
            return;
        };
    let shown: String = s.text.chars().take(80).collect();
    out.push(Finding {
        file: article.file.clone(),
        line: s.line,
        kind: "unsayable",
        message: format!("{why}: \"{shown}\""),
        fix: fix.into(),
    });
}

fn stale(article: &Article, today: Date, out: &mut Vec<Finding>) {
    let day = article
        .updated
        .as_deref()
        .and_then(|u| u.get(..10))
        .and_then(|d| d.parse::<Date>().ok());
    let Some(day) = day else {
        return;
    };
    let age = today.since(day).map_or(0, |s| s.get_days());
    if age > STALE_DAYS {
        out.push(Finding {
            file: article.file.clone(),
            line: article.line,
            kind: "stale",
            message: format!(
                "`{}` was last looked at on {day}, {age} days ago",
                article.id
            ),
            fix: "check its figures and set `updated` to today".into(),
        });
    }
}

/// Intents that nothing answers: no article, no action, and not left to a human.
fn gaps(source: &DeskSource, out: &mut Vec<Finding>) {
    let mut seen = BTreeSet::new();
    for (n, e) in source.examples.iter().enumerate() {
        let Some(intent) = &e.intent else { continue };
        if !seen.insert(intent) {
            continue;
        }
        let answered = source.articles.iter().any(|a| a.intents.contains(intent))
            || source.actions.iter().any(|a| a.intent == *intent)
            || source
                .config
                .intents
                .get(intent)
                .is_some_and(|p| p.mode == Mode::Human);
        if !answered {
            out.push(Finding {
                file: "intents.jsonl".into(),
                line: n + 1,
                kind: "gap",
                message: format!("nothing answers `{intent}` (\"{}\")", e.text),
                fix: format!(
                    "add `{intent}` to the `intents` of the article that does, write one, or set `mode = \"human\"` in [intent.{intent}]"
                ),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desk::{DeskFiles, parse};

    #[test]
    fn each_fault_is_found_where_it_stands() {
        let files = DeskFiles(
            [
                ("knowledge/a.md", "---\nid: a\ntitle: Late fees\nintents: [late_fee]\nupdated: 2026-10-01\n---\n# Late fees\n\nThe late fee for a missed payment is £6.\n"),
                (
                    "knowledge/b.md",
                    "---\nid: b\ntitle: Missed payments\nintents: [late_fee]\nupdated: 2024-10-01\n---\nRead this first.\n\nThe late fee for a missed payment is £8.\n\nSee https://example.com/fees for more.\n",
                ),
                ("intents.jsonl", "{\"text\":\"late fee\",\"intent\":\"late_fee\"}\n{\"text\":\"move house\",\"intent\":\"moving\"}"),
            ]
            .map(|(a, b)| (a.to_string(), b.to_string()))
            .into(),
        );
        let source = parse(&files).expect("a desk");
        let found = audit(
            &source,
            &HashMap::new(),
            "2026-11-23".parse().expect("a day"),
        );
        let at: Vec<(&str, usize, &str)> = found
            .iter()
            .map(|f| (f.file.as_str(), f.line, f.kind))
            .collect();
        assert_eq!(
            at,
            [
                ("intents.jsonl", 2, "gap"),
                ("knowledge/b.md", 1, "stale"),
                ("knowledge/b.md", 9, "contradiction"),
                ("knowledge/b.md", 11, "unsayable"),
            ],
            "{found:#?}"
        );
        assert!(found[2].fix.contains("newer"), "{}", found[2].fix);
    }
}
