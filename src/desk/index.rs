//! A word index (BM25) in memory.

use std::collections::HashMap;

/// Robertson and Zaragoza, "The Probabilistic Relevance Framework" (2009): usual constants.
const K1: f32 = 1.2;
const B: f32 = 0.75;

#[derive(Clone, Debug, Default)]
pub(crate) struct Index {
    /// Term to (document, times).
    postings: HashMap<String, Vec<(u32, f32)>>,
    lengths: Vec<f32>,
    mean: f32,
}

impl Index {
    /// Documents as terms with weights (a title's words count for more than the text's).
    pub fn new<'a>(documents: impl Iterator<Item = Vec<(&'a str, f32)>>) -> Self {
        let mut index = Self::default();
        for (d, terms) in documents.enumerate() {
            let mut length = 0.0;
            let mut times: HashMap<&str, f32> = HashMap::new();
            for (t, w) in terms {
                *times.entry(t).or_default() += w;
                length += w;
            }
            index.lengths.push(length);
            for (t, n) in times {
                index
                    .postings
                    .entry(t.to_string())
                    .or_default()
                    .push((d as u32, n));
            }
        }
        for p in index.postings.values_mut() {
            p.sort_unstable_by_key(|(d, _)| *d);
        }
        let n = index.lengths.len().max(1) as f32;
        index.mean = (index.lengths.iter().sum::<f32>() / n).max(1.0);
        index
    }

    pub fn idf(&self, term: &str) -> f32 {
        let n = self.lengths.len() as f32;
        let df = self.postings.get(term).map_or(0, Vec::len) as f32;
        (1.0 + (n - df + 0.5) / (df + 0.5)).ln()
    }

    /// The weight of a term that no document has.
    pub fn most(&self) -> f32 {
        self.idf("")
    }

    pub fn knows(&self, term: &str) -> bool {
        self.postings.contains_key(term)
    }

    /// A score for every document; 0 where no term is shared.
    pub fn scores(&self, terms: &[String]) -> Vec<f32> {
        let mut out = vec![0.0; self.lengths.len()];
        for t in terms {
            let Some(list) = self.postings.get(t) else {
                continue;
            };
            let idf = self.idf(t);
            for (d, n) in list {
                let len = self.lengths[*d as usize];
                out[*d as usize] +=
                    idf * n * (K1 + 1.0) / (n + K1 * (1.0 - B + B * len / self.mean));
            }
        }
        out
    }

    /// The score a document would reach that holds every term once: what a score is measured against.
    pub fn ceiling(&self, terms: &[String]) -> f32 {
        terms.iter().map(|t| self.idf(t)).sum::<f32>().max(1e-6)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rare_word_outweighs_a_common_one() {
        let docs = [
            vec![("fee", 1.0), ("late", 1.0)],
            vec![("fee", 1.0), ("card", 1.0)],
            vec![("fee", 1.0), ("plan", 1.0)],
        ];
        let index = Index::new(docs.into_iter());
        let s = index.scores(&["fee".into(), "late".into()]);
        assert!(s[0] > s[1] && s[1] > 0.0);
        assert!((s[1] - s[2]).abs() < 1e-6);
        assert_eq!(index.scores(&["zebra".into()]), [0.0, 0.0, 0.0]);
    }
}
