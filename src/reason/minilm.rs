//! The sentence encoder: all-MiniLM-L6-v2 with 8-bit weights (`bert.rs`). The only file that knows of tokenizers.
//!
//! Mean over the tokens' last hidden states, then unit length, as the model was trained (Reimers and Gurevych, Sentence-BERT,
//! 2019). 384 dimensions. It is loaded twice: as it was published, and corrected for finding the sentence that answers a question
//! ([`super::adapter`]).

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rten::ThreadPool;
use rten_tensor::NdTensorView;
use rten_tensor::prelude::*;
use sha2::{Digest, Sha256};
use tokenizers::{Tokenizer, TruncationParams};

use super::Embedder;
use super::adapter::adapted;
use super::bert::{Bert, DIMS};
use crate::desk::meaning::is_light;

/// Tokens read of a text; what follows is not seen. The model was trained on 128.
const MOST_TOKENS: usize = 128;
/// Texts of one length that are read together.
const MOST_TOGETHER: usize = 16;

/// A loaded encoder. One thread; a text costs a few milliseconds.
pub struct MiniLm {
    plain: Bert,
    answering: Bert,
    tokenizer: Arc<Tokenizer>,
    pool: Arc<ThreadPool>,
}

/// What the encoder was taught of answers.
const ANSWERS: &[u8] = include_bytes!("answers.lora");

impl MiniLm {
    /// Reads `model.onnx` and `tokenizer.json` of `dir` (`models/minilm`). The error says what to do.
    pub fn load(dir: &Path) -> Result<Self, String> {
        let missing = |file: &str, why: String| {
            format!(
                "the sentence encoder cannot be read ({}: {why}): `firstline models pull` fetches it",
                dir.join(file).display()
            )
        };
        let mut tokenizer = Tokenizer::from_file(dir.join("tokenizer.json"))
            .map_err(|e| missing("tokenizer.json", e.to_string()))?;
        tokenizer
            .with_truncation(Some(TruncationParams {
                max_length: MOST_TOKENS,
                ..TruncationParams::default()
            }))
            .map_err(|e| e.to_string())?;
        tokenizer.with_padding(None);
        let onnx = std::fs::read(dir.join("model.onnx"))
            .map_err(|e| missing("model.onnx", e.to_string()))?;
        let plain = Bert::read(&onnx, None).map_err(|e| missing("model.onnx", e))?;
        let answering = adapted(onnx, ANSWERS)
            .and_then(|onnx| Bert::read(&onnx, Some(&plain)))
            .map_err(|e| missing("model.onnx", e))?;
        Ok(Self {
            plain,
            answering,
            tokenizer: Arc::new(tokenizer),
            pool: Arc::new(ThreadPool::with_num_threads(1)),
        })
    }

    /// One for another thread, over the same weights.
    #[must_use]
    pub fn worker(&self) -> Self {
        Self {
            plain: self.plain.clone(),
            answering: self.answering.clone(),
            tokenizer: self.tokenizer.clone(),
            pool: Arc::new(ThreadPool::with_num_threads(1)),
        }
    }

    fn one(&self, weights: &Bert, text: &str, words: bool) -> Result<Vec<f32>, String> {
        let tokens = self.tokens_of(text)?;
        run(weights, &[&tokens], &self.pool, words)?
            .pop()
            .ok_or_else(|| "the sentence encoder gave nothing".to_owned())
    }

    fn tokens_of(&self, text: &str) -> Result<Tokens, String> {
        let encoding = self
            .tokenizer
            .encode(text, true)
            .map_err(|e| e.to_string())?;
        let ids: Vec<i32> = encoding.get_ids().iter().map(|i| *i as i32).collect();
        if ids.is_empty() {
            return Err("the tokenizer made nothing of the text".into());
        }
        // A word's pieces belong together; words that carry no subject, and marks, are left out.
        let mut words: Vec<(u32, Range<usize>)> = Vec::new();
        for (at, word) in encoding.get_word_ids().iter().enumerate() {
            match (word, words.last_mut()) {
                (Some(word), Some((last, range))) if word == last && range.end == at => {
                    range.end += 1;
                }
                (Some(word), _) => words.push((*word, at..at + 1)),
                (None, _) => {}
            }
        }
        let offsets = encoding.get_offsets();
        let content = |range: &Range<usize>| {
            let (from, to) = (offsets[range.start].0, offsets[range.end - 1].1);
            let word = text.get(from..to).unwrap_or_default().to_lowercase();
            word.contains(char::is_alphanumeric) && !is_light(&word)
        };
        let all = words.iter().map(|(_, range)| range.clone());
        let mut words: Vec<Range<usize>> = all.clone().filter(content).collect();
        if words.is_empty() {
            words = all.collect();
        }
        Ok(Tokens { ids, words })
    }

    fn all(&self, weights: &Bert, texts: &[&str], words: bool) -> Result<Vec<Vec<f32>>, String> {
        if texts.len() <= 2 {
            return texts.iter().map(|t| self.one(weights, t, words)).collect();
        }
        self.many(weights, texts, words)
    }

    /// Many texts: those of one length together, the weights being read once for all of them, and on every core.
    fn many(&self, weights: &Bert, texts: &[&str], words: bool) -> Result<Vec<Vec<f32>>, String> {
        let read: Vec<Tokens> = texts
            .iter()
            .map(|text| self.tokens_of(text))
            .collect::<Result<_, _>>()?;
        let mut order: Vec<usize> = (0..read.len()).collect();
        order.sort_by_key(|n| read[*n].ids.len());
        let batches: Vec<&[usize]> = order
            .chunk_by(|a, b| read[*a].ids.len() == read[*b].ids.len())
            .flat_map(|same| same.chunks(MOST_TOGETHER))
            .collect();
        let next = AtomicUsize::new(0);
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let parts = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..cores.min(batches.len()))
                .map(|_| {
                    scope.spawn(|| {
                        let pool = Arc::new(ThreadPool::with_num_threads(1));
                        let mut done = Vec::new();
                        while let Some(batch) = batches.get(next.fetch_add(1, Ordering::Relaxed)) {
                            let rows: Vec<&Tokens> = batch.iter().map(|n| &read[*n]).collect();
                            done.push((*batch, run(weights, &rows, &pool, words)?));
                        }
                        Ok::<_, String>(done)
                    })
                })
                .collect();
            workers
                .into_iter()
                .map(|worker| {
                    worker
                        .join()
                        .unwrap_or_else(|_| Err("the sentence encoder failed".into()))
                })
                .collect::<Result<Vec<_>, _>>()
        })?;
        let mut vectors = vec![Vec::new(); texts.len()];
        for (batch, rows) in parts.into_iter().flatten() {
            for (n, vector) in batch.iter().zip(rows) {
                vectors[*n] = vector;
            }
        }
        Ok(vectors)
    }
}

/// Vectors of texts that have the same number of tokens: no padding, so that a text's vector does not depend on its company.
/// With `words`: their words' vectors after them.
fn run(
    weights: &Bert,
    texts: &[&Tokens],
    pool: &Arc<ThreadPool>,
    words: bool,
) -> Result<Vec<Vec<f32>>, String> {
    let (rows, tokens) = (texts.len(), texts.first().map_or(0, |text| text.ids.len()));
    let ids: Vec<i32> = texts
        .iter()
        .flat_map(|text| text.ids.iter().copied())
        .collect();
    let states = pool.run(|| weights.states(&ids, tokens))?;
    let hidden = NdTensorView::from_data([rows, tokens, DIMS], states.as_slice());
    let reading = |(row, text): (usize, &&Tokens)| {
        let mut out = pool_row(hidden, row, 0..tokens);
        if words {
            for word in &text.words {
                out.extend(pool_row(hidden, row, word.clone()));
            }
        }
        out
    };
    Ok(texts.iter().enumerate().map(reading).collect())
}

/// A text as the model reads it.
struct Tokens {
    ids: Vec<i32>,
    /// The tokens of each content word.
    words: Vec<Range<usize>>,
}

/// Mean over some of a row's tokens, unit length.
fn pool_row(hidden: NdTensorView<'_, f32, 3>, row: usize, tokens: Range<usize>) -> Vec<f32> {
    let [_, _, dims] = hidden.shape();
    let mut sum = vec![0f32; dims];
    for t in tokens {
        for (d, s) in sum.iter_mut().enumerate() {
            *s += hidden[[row, t, d]];
        }
    }
    let length = sum.iter().map(|v| v * v).sum::<f32>().sqrt().max(1e-12);
    sum.iter().map(|v| v / length).collect()
}

impl Embedder for MiniLm {
    fn name(&self) -> &str {
        "minilm-l6-v2-int8"
    }
    fn answering_name(&self) -> String {
        let sum = Sha256::digest(ANSWERS);
        format!(
            "{}-{:02x}{:02x}{:02x}{:02x}",
            self.name(),
            sum[0],
            sum[1],
            sum[2],
            sum[3]
        )
    }
    fn embed(&mut self, texts: &[&str]) -> Result<Vec<Vec<f32>>, String> {
        self.all(&self.plain, texts, false)
    }
    fn words(&mut self, texts: &[&str]) -> Result<Vec<Vec<f32>>, String> {
        self.all(&self.plain, texts, true)
    }
    fn answering(&mut self, texts: &[&str]) -> Result<Vec<Vec<f32>>, String> {
        self.all(&self.answering, texts, false)
    }
}

#[cfg(test)]
mod tests {
    use rten_tensor::NdTensor;

    use super::*;

    #[test]
    fn pools_to_unit_length() {
        let hidden = NdTensor::from_data([2, 2, 2], vec![1f32, 0.0, 1.0, 0.0, 3.0, 0.0, 3.0, 8.0]);
        assert_eq!(pool_row(hidden.view(), 0, 0..2), [1.0, 0.0]);
        assert_eq!(pool_row(hidden.view(), 1, 0..2), [0.6, 0.8]);
    }

    #[test]
    fn a_missing_model_says_how_to_get_it() {
        let error = MiniLm::load(Path::new("no/such/place"))
            .err()
            .expect("nothing there");
        assert!(error.contains("firstline models pull"), "{error}");
    }
}
