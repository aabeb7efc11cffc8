//! What callers ask most, out of what they asked in past tickets: questions that are alike, counted and named.

use std::collections::{BTreeMap, HashMap};

use super::text::{Stems, dot, is_stop, words};

/// Questions that ask for the same.
#[derive(Debug, Clone, PartialEq)]
pub struct Mined {
    /// As an intent would be called: `password_reset`. No two are the same.
    pub name: String,
    /// The intent of the desk that it seems to be, where one is.
    pub known: Option<String>,
    /// What was asked, the most typical first.
    pub questions: Vec<String>,
}

/// Nearness to a group's middle from which a question belongs to it.
const SAME: f32 = 0.58;
/// The same by words alone, where two share about half of theirs.
const SAME_BY_WORDS: f32 = 0.45;
/// Nearness of a group's middle to an intent's examples from which it is that intent.
const KNOWN: f32 = 0.72;
/// Rounds of moving questions to the nearest middle.
const ROUNDS: usize = 4;

/// Groups `questions`, largest first; a group of fewer than `least` is left out. `examples` are the desk's own (text and intent).
/// `vectors` holds both as the encoder reads them; without it everything goes by words.
pub fn mine(
    questions: &[String],
    examples: &[(String, String)],
    vectors: &HashMap<String, Vec<f32>>,
    language: &str,
    least: usize,
) -> Vec<Mined> {
    let stems = Stems::new(language);
    let space = Space::new(questions, examples, vectors, &stems);
    let points: Vec<Vec<f32>> = questions.iter().map(|q| space.place(q)).collect();
    let same = if space.dense { SAME } else { SAME_BY_WORDS };
    // A first group for every question that is like none before it; then questions go to the nearest middle.
    let mut middles: Vec<Vec<f32>> = Vec::new();
    for point in &points {
        if nearest(point, &middles).is_none_or(|(_, near)| near < same)
            && point.iter().any(|x| *x != 0.0)
        {
            middles.push(point.clone());
        }
    }
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for _ in 0..ROUNDS {
        groups = vec![Vec::new(); middles.len()];
        for (at, point) in points.iter().enumerate() {
            if let Some((group, near)) = nearest(point, &middles)
                && near >= same * 0.9
            {
                groups[group].push(at);
            }
        }
        for (middle, group) in middles
            .iter_mut()
            .zip(&groups)
            .filter(|(_, g)| !g.is_empty())
        {
            *middle = unit(group.iter().map(|at| &points[*at]));
        }
    }
    // Two first groups may have moved to the same place.
    let mut order: Vec<usize> = (0..groups.len()).collect();
    order.sort_by_key(|g| std::cmp::Reverse(groups[*g].len()));
    let mut taken: Vec<usize> = Vec::new();
    let mut merged: Vec<Vec<usize>> = Vec::new();
    for group in order {
        let near = taken
            .iter()
            .position(|known| dot(&middles[*known], &middles[group]) >= same.max(0.8));
        match near {
            Some(into) => merged[into].extend(&groups[group]),
            None => {
                taken.push(group);
                merged.push(groups[group].clone());
            }
        }
    }
    let mut found: Vec<(usize, Vec<usize>)> = taken
        .into_iter()
        .zip(merged)
        .filter(|(_, m)| m.len() >= least.max(1))
        .collect();
    found.sort_by_key(|(_, members)| std::cmp::Reverse(members.len()));
    let mut names: BTreeMap<String, usize> = BTreeMap::new();
    found
        .into_iter()
        .map(|(group, mut members)| {
            let middle = &middles[group];
            members.sort_by(|a, b| dot(&points[*b], middle).total_cmp(&dot(&points[*a], middle)));
            let texts: Vec<String> = members.iter().map(|at| questions[*at].clone()).collect();
            let base = name(&texts, questions, &stems);
            let times = names.entry(base.clone()).or_default();
            *times += 1;
            let name = if *times == 1 {
                base
            } else {
                format!("{base}_{times}")
            };
            Mined {
                name,
                known: space.known(middle, examples),
                questions: texts,
            }
        })
        .collect()
}

/// Where a text lies: the encoder's space, or one dimension a word.
struct Space<'a> {
    vectors: &'a HashMap<String, Vec<f32>>,
    stems: &'a Stems,
    /// Stem to dimension and weight.
    words: HashMap<String, (usize, f32)>,
    dense: bool,
}

impl<'a> Space<'a> {
    fn new(
        questions: &[String],
        examples: &[(String, String)],
        vectors: &'a HashMap<String, Vec<f32>>,
        stems: &'a Stems,
    ) -> Self {
        let dense = questions.iter().all(|q| vectors.contains_key(q));
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        if !dense {
            for text in questions.iter().chain(examples.iter().map(|e| &e.0)) {
                let mut terms = stems.terms(text);
                terms.sort_unstable();
                terms.dedup();
                terms
                    .into_iter()
                    .for_each(|t| *counts.entry(t).or_default() += 1);
            }
        }
        let all = questions.len() as f32;
        // A word that one question alone has makes no group; the commonest two thousand say enough.
        let mut common: Vec<(String, usize)> = counts.into_iter().filter(|(_, n)| *n > 1).collect();
        common.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
        common.truncate(2000);
        let words = common
            .into_iter()
            .enumerate()
            .map(|(at, (t, n))| (t, (at, (1.0 + all / n as f32).ln())))
            .collect();
        Self {
            vectors,
            stems,
            words,
            dense,
        }
    }

    fn place(&self, text: &str) -> Vec<f32> {
        if self.dense {
            return self.vectors.get(text).cloned().unwrap_or_default();
        }
        let mut out = vec![0f32; self.words.len()];
        for term in self.stems.terms(text) {
            if let Some((at, weight)) = self.words.get(&term) {
                out[*at] = *weight;
            }
        }
        unit(std::iter::once(&out))
    }

    /// The intent whose examples are nearest to the middle.
    fn known(&self, middle: &[f32], examples: &[(String, String)]) -> Option<String> {
        let near = examples
            .iter()
            .map(|(text, intent)| (dot(&self.place(text), middle), intent));
        let best = near.max_by(|a, b| a.0.total_cmp(&b.0))?;
        (best.0 >= if self.dense { KNOWN } else { SAME_BY_WORDS }).then(|| best.1.clone())
    }
}

fn nearest(point: &[f32], middles: &[Vec<f32>]) -> Option<(usize, f32)> {
    let near = middles
        .iter()
        .enumerate()
        .map(|(at, middle)| (at, dot(middle, point)));
    near.max_by(|a, b| a.1.total_cmp(&b.1))
}

fn unit<'v>(vectors: impl Iterator<Item = &'v Vec<f32>>) -> Vec<f32> {
    let mut sum: Vec<f32> = Vec::new();
    for v in vectors {
        sum.resize(v.len().max(sum.len()), 0.0);
        sum.iter_mut().zip(v).for_each(|(s, x)| *s += x);
    }
    let length = sum.iter().map(|x| x * x).sum::<f32>().sqrt();
    if length > 0.0 {
        sum.iter_mut().for_each(|x| *x /= length);
    }
    sum
}

/// The two words that the group's questions have and the others have not, in the order in which they mostly stand.
fn name(group: &[String], all: &[String], stems: &Stems) -> String {
    let count = |texts: &[String]| {
        let mut counts: BTreeMap<String, (usize, String, usize)> = BTreeMap::new();
        for text in texts {
            for (at, word) in words(text).into_iter().enumerate().filter(|(_, w)| {
                !is_stop(w) && w.len() > 2 && !w.bytes().all(|b| b.is_ascii_digit())
            }) {
                let known = counts.entry(stems.stem(&word)).or_insert((0, word, 0));
                known.0 += 1;
                known.2 += at;
            }
        }
        counts
    };
    let (own, everywhere) = (count(group), count(all));
    let mut scored: Vec<(f32, usize, String)> = own
        .into_iter()
        .map(|(stem, (n, word, places))| {
            let total = everywhere.get(&stem).map_or(n, |e| e.0);
            // Said often here, and seldom elsewhere.
            let score = n as f32 * (n as f32 / total as f32);
            (score, places * 100 / n, word)
        })
        .collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.2.cmp(&b.2)));
    scored.truncate(2);
    scored.sort_by_key(|s| s.1);
    let name = scored
        .into_iter()
        .map(|s| s.2)
        .collect::<Vec<_>>()
        .join("_");
    if name.is_empty() {
        "other".into()
    } else {
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_often_is_found_counted_and_named() {
        let mut questions: Vec<String> = Vec::new();
        for n in 0..6 {
            questions.push(format!("Please reset my password, case {n}"));
        }
        questions.extend(
            [
                "password reset does not work",
                "how do I reset the password",
            ]
            .map(String::from),
        );
        questions.extend(
            [
                "where is my refund",
                "refund not received",
                "my refund is late",
            ]
            .map(String::from),
        );
        questions.push("do you sell umbrellas".into());
        let examples = [("reset password".to_string(), "login_help".to_string())];
        let found = mine(&questions, &examples, &HashMap::new(), "en", 3);
        let seen: Vec<(&str, usize, Option<&str>)> = found
            .iter()
            .map(|m| (m.name.as_str(), m.questions.len(), m.known.as_deref()))
            .collect();
        assert_eq!(seen.len(), 2, "{seen:?}");
        assert_eq!((seen[0].1, seen[0].2), (8, Some("login_help")));
        assert!(
            seen[0].0.contains("password") && seen[1].0.contains("refund") && seen[1].2.is_none(),
            "{seen:?}"
        );
        assert!(mine(&[], &[], &HashMap::new(), "en", 3).is_empty());
    }
}
