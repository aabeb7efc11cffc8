//! What an encoder makes of words: one vector for the whole, one that answers are sought with, then one for every content word in its
//! context.
//!
//! The layout of a reading is `[whole] [asked] [word] [word] ...`, each block as long as the encoder's dimension; where there is only
//! the whole, everything that looks at the others says nothing. The whole finds the matter; the second is near the sentences that
//! answer; the words tell whether a sentence speaks of all that was asked ("an implant" where only crowns are priced): for each word
//! of the question the most similar word of the sentence, as in late interaction (Khattab and Zaharia, ColBERT, 2020).

use std::collections::HashMap;

use super::text::{dot, is_stop};

/// The whole of a reading.
pub fn whole(reading: &[f32], dims: usize) -> &[f32] {
    reading.get(..dims).unwrap_or(reading)
}

/// What answers are sought with; none where a reading has only the whole.
pub fn asked(reading: &[f32], dims: usize) -> Option<&[f32]> {
    reading
        .get(dims..2 * dims)
        .filter(|asked| !asked.is_empty())
}

/// The words of a reading.
pub fn words(reading: &[f32], dims: usize) -> impl Iterator<Item = &[f32]> {
    blocks(reading, dims, 2)
}

/// The blocks of a reading that stand after the first `skipped`.
fn blocks(reading: &[f32], dims: usize, skipped: usize) -> impl Iterator<Item = &[f32]> {
    let rest = if dims == 0 {
        &[]
    } else {
        reading.get(skipped * dims..).unwrap_or(&[])
    };
    rest.chunks_exact(dims.max(1))
}

/// A unit-length vector in eight bits: its products are good to about a hundredth.
pub fn narrow(vector: &[f32]) -> Vec<i8> {
    let eight = |x: &f32| (x * NARROW).round().clamp(-127.0, 127.0) as i8;
    vector.iter().map(eight).collect()
}

/// The cosine of a unit-length vector and one that [`narrow`] made; 0 where they are not of one length.
pub fn likeness(vector: &[f32], narrow: &[i8]) -> f32 {
    if vector.len() != narrow.len() {
        return 0.0;
    }
    let sum: f32 = vector
        .iter()
        .zip(narrow)
        .map(|(a, b)| a * f32::from(*b))
        .sum();
    sum / NARROW
}

/// Steps a one is told apart in: of several hundred numbers that make a unit vector none is far beyond a quarter.
const NARROW: f32 = 400.0;

/// Readings of the articles' sentences, word by word, in eight bits: their similarities are good to about a hundredth.
#[derive(Clone, Debug, Default)]
pub struct Readings {
    dims: usize,
    words: HashMap<String, Vec<i8>>,
}

/// How well a text speaks of a question's words.
#[derive(Debug, Clone, PartialEq)]
pub struct Spoken {
    /// For every content word of the question, its most similar word's cosine.
    best: Vec<f32>,
}

impl Readings {
    /// Keeps the words of `readings`: each text's vector, then its words' ([`crate::reason::Embedder::words`]).
    pub fn new(dims: usize, readings: &HashMap<String, Vec<f32>>) -> Self {
        let words = readings
            .iter()
            .map(|(text, reading)| {
                let eight = blocks(reading, dims, 1)
                    .flatten()
                    .map(|x| (x * 127.0).round().clamp(-127.0, 127.0) as i8)
                    .collect();
                (text.clone(), eight)
            })
            .collect();
        Self { dims, words }
    }

    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// How well `texts` together speak of the question's words; none where either has not been read word by word.
    pub fn spoken<'a>(
        &self,
        question: &[f32],
        texts: impl Iterator<Item = &'a str>,
    ) -> Option<Spoken> {
        let asked: Vec<&[f32]> = words(question, self.dims).collect();
        if asked.is_empty() || self.words.is_empty() {
            return None;
        }
        let mut best = vec![0f32; asked.len()];
        let mut block = vec![0f32; self.dims];
        for known in texts.filter_map(|text| self.words.get(text)) {
            for word in known.chunks_exact(self.dims) {
                for (wide, narrow) in block.iter_mut().zip(word) {
                    *wide = f32::from(*narrow) / 127.0;
                }
                for (best, asked) in best.iter_mut().zip(&asked) {
                    *best = best.max(dot(asked, &block));
                }
            }
        }
        Some(Spoken { best })
    }
}

/// Whether a lower-case word carries nothing that a reply could speak of: a word without a subject, a letter, what an apostrophe
/// leaves of one ("I've", "hasn't"), "much" and "many".
pub fn is_light(word: &str) -> bool {
    const LEFT: [&str; 20] = [
        "ve", "re", "ll", "don", "doesn", "didn", "isn", "aren", "wasn", "weren", "hasn", "haven",
        "hadn", "won", "wouldn", "couldn", "shouldn", "ain", "much", "many",
    ];
    let letter = word.chars().count() == 1 && !word.starts_with(char::is_numeric);
    letter || is_stop(word) || LEFT.contains(&word)
}

/// The content words of a text, lower-cased, as the sentence encoder tells them apart: one a block of its reading. Where a text has
/// none, all its words are.
pub fn content_words(text: &str) -> Vec<String> {
    let all = text
        .split(|c: char| !c.is_alphanumeric())
        .filter(|w| !w.is_empty());
    let content = |w: &&str| !is_light(&w.to_lowercase());
    all.filter(content).map(str::to_lowercase).collect()
}

impl Spoken {
    /// For every content word of the question, how similar the most similar word is, 0 to 1.
    pub fn each(&self) -> &[f32] {
        &self.best
    }

    pub fn mean(&self) -> f32 {
        self.best.iter().sum::<f32>() / self.best.len().max(1) as f32
    }

    /// The word that is spoken of least.
    pub fn least(&self) -> f32 {
        self.best.iter().copied().fold(1.0, f32::min)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_nobody_speaks_of_is_seen() {
        let text = HashMap::from([("crowns cost".to_owned(), vec![1.0, 0.0, 1.0, 0.0])]);
        let readings = Readings::new(2, &text);
        let question = [0.7, 0.7, 0.6, 0.8, 1.0, 0.0, 0.0, 1.0];
        let spoken = readings
            .spoken(&question, ["crowns cost"].into_iter())
            .expect("read");
        assert!((spoken.mean() - 0.5).abs() < 0.01 && spoken.least() < 0.01);
        assert!(
            readings
                .spoken(&[0.7, 0.7], ["crowns cost"].into_iter())
                .is_none()
        );
        assert_eq!(whole(&question, 2), [0.7, 0.7]);
        assert_eq!(asked(&question, 2), Some(&[0.6, 0.8][..]));
        assert_eq!(asked(&question[..2], 2), None);
    }

    #[test]
    fn eight_bits_keep_a_cosine() {
        let vector = [0.1, -0.2, 0.15, 0.05];
        let own: f32 = vector.iter().map(|x| x * x).sum();
        assert!((likeness(&vector, &narrow(&vector)) - own).abs() < 0.002);
        assert_eq!(likeness(&vector, &[1, 2]), 0.0);
    }
}
