//! all-MiniLM-L6-v2 itself: a BERT of six layers (Devlin et al., 2019), of which its ONNX file gives the weights.
//!
//! rten's graph of the file would hold every weight three times: as the file's bytes, as floats, and packed for the processor. Here a
//! matrix is only packed, and the embeddings, of which a text needs a few rows, stay bytes that both sets of weights share.

use std::sync::Arc;

use rten_gemm::{BiasVector, GemmExecutor, GemmInputA, GemmInputB, GemmOptions, PackedBMatrix};
use rten_simd::{SimdOp, SimdUnaryOp};
use rten_tensor::NdTensorView;
use rten_vecmath::{Gelu as Exactly, Normalize, NormalizeOptions, Softmax, Sum, SumSquareSub};

use super::adapter::{LAYERS, Matrix, matrices};
use super::onnx::{FLOAT, Tensor, tensors};

/// Numbers of a token's state.
pub const DIMS: usize = 384;
const HEADS: usize = 12;
/// Numbers of a head's queries, keys and values.
const HEAD: usize = DIMS / HEADS;
const EPSILON: f32 = 1e-12;

/// One set of weights. Its copies share them.
#[derive(Clone)]
pub struct Bert {
    embeddings: Arc<Embeddings>,
    layers: Arc<Vec<Layer>>,
    gelu: Arc<Gelu>,
}

struct Embeddings {
    words: Table,
    positions: Table,
    /// Of a text that stands alone.
    first: Vec<f32>,
    norm: Norm,
}

/// Rows of 8-bit numbers with a scale each.
struct Table {
    rows: Vec<u8>,
    scales: Vec<f32>,
}

struct Layer {
    /// Queries, keys and values side by side.
    attention: Linear,
    attended: Linear,
    attended_norm: Norm,
    wide: Linear,
    narrow: Linear,
    norm: Norm,
}

struct Linear {
    weights: PackedBMatrix<f32>,
    bias: Vec<f32>,
}

struct Norm {
    scale: Vec<f32>,
    bias: Vec<f32>,
}

impl Bert {
    /// Reads an ONNX file's weights. With `like`: the embeddings are that one's. The error says what does not fit.
    pub fn read(model: &[u8], like: Option<&Self>) -> Result<Self, String> {
        let file = File {
            model,
            tensors: tensors(model).ok_or_else(unknown)?,
        };
        let matrices = matrices(model)?;
        let embeddings = match like {
            Some(other) => other.embeddings.clone(),
            None => Arc::new(Embeddings::read(&file)?),
        };
        let layers = matrices
            .chunks_exact(matrices.len() / LAYERS)
            .enumerate()
            .map(|(at, of)| Layer::read(&file, at, of))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            embeddings,
            layers: Arc::new(layers),
            gelu: like.map_or_else(|| Arc::new(Gelu::new()), |other| other.gelu.clone()),
        })
    }

    /// The last layer's states of texts of `tokens` tokens each: `DIMS` numbers a token. It runs on the calling thread's pool.
    pub fn states(&self, ids: &[i32], tokens: usize) -> Result<Vec<f32>, String> {
        let failed = |e: &dyn std::fmt::Display| format!("the sentence encoder failed: {e}");
        let gemm = GemmExecutor::default();
        let mut states = self.embeddings.of(ids, tokens)?;
        let mut parts = vec![0f32; ids.len() * 3 * DIMS];
        let mut seen = vec![0f32; ids.len() * DIMS];
        let mut more = vec![0f32; ids.len() * DIMS];
        let mut wide = vec![0f32; ids.len() * 4 * DIMS];
        let mut scratch = Attention::new(tokens);
        for layer in self.layers.iter() {
            layer
                .attention
                .of(&gemm, &states, &mut parts)
                .map_err(|e| failed(&e))?;
            let texts = parts.chunks_exact(tokens * 3 * DIMS);
            for (parts, seen) in texts.zip(seen.chunks_exact_mut(tokens * DIMS)) {
                scratch.of(&gemm, parts, seen).map_err(|e| failed(&e))?;
            }
            layer
                .attended
                .of(&gemm, &seen, &mut more)
                .map_err(|e| failed(&e))?;
            layer.attended_norm.sum(&mut states, &more);
            layer
                .wide
                .of(&gemm, &states, &mut wide)
                .map_err(|e| failed(&e))?;
            wide.iter_mut().for_each(|x| *x = self.gelu.of(*x));
            layer
                .narrow
                .of(&gemm, &wide, &mut more)
                .map_err(|e| failed(&e))?;
            layer.norm.sum(&mut states, &more);
        }
        Ok(states)
    }
}

/// A file's tensors by name.
struct File<'a> {
    model: &'a [u8],
    tensors: Vec<Tensor<'a>>,
}

impl File<'_> {
    fn raw(&self, name: &str, length: Option<usize>) -> Result<&[u8], String> {
        let tensor = self.tensors.iter().find(|t| t.name == name);
        let raw = &self.model[tensor.ok_or_else(unknown)?.raw.clone()];
        match length {
            Some(length) if length != raw.len() => Err(unknown()),
            _ => Ok(raw),
        }
    }

    fn floats(&self, name: &str, count: usize) -> Result<Vec<f32>, String> {
        let known = |t: &&Tensor<'_>| t.name == name && t.kind == FLOAT;
        self.tensors.iter().find(known).ok_or_else(unknown)?;
        Ok(floats(self.raw(name, Some(count * 4))?))
    }

    fn norm(&self, name: &str) -> Result<Norm, String> {
        Ok(Norm {
            scale: self.floats(&format!("{name}.LayerNorm.weight"), DIMS)?,
            bias: self.floats(&format!("{name}.LayerNorm.bias"), DIMS)?,
        })
    }

    /// Matrices of the same inputs, side by side.
    fn linear(&self, of: &[Matrix], biases: &[String]) -> Result<Linear, String> {
        let inputs = of.first().map_or(0, |m| m.inputs);
        let outputs: usize = of.iter().map(|m| m.outputs).sum();
        let mut whole = vec![0f32; inputs * outputs];
        let mut at = 0;
        for matrix in of {
            let scales = floats(&self.model[matrix.scales.clone()]);
            let rows = self.model[matrix.weights.clone()].chunks_exact(matrix.outputs);
            for (row, into) in rows.zip(whole.chunks_exact_mut(outputs)) {
                let into = &mut into[at..at + matrix.outputs];
                for ((w, scale), into) in row.iter().zip(&scales).zip(into) {
                    *into = f32::from(*w as i8) * scale;
                }
            }
            at += matrix.outputs;
        }
        let mut bias = Vec::with_capacity(outputs);
        for (name, matrix) in biases.iter().zip(of) {
            bias.extend(self.floats(name, matrix.outputs)?);
        }
        let whole = NdTensorView::from_data([inputs, outputs], whole.as_slice());
        Ok(Linear {
            weights: GemmExecutor::<f32>::default().prepack_b(whole),
            bias,
        })
    }

    fn table(&self, name: &str) -> Result<Table, String> {
        let rows = self.raw(&format!("{name}.weight_q"), None)?.to_vec();
        let scales = self.floats(&format!("{name}.weight_scale"), rows.len() / DIMS)?;
        if scales.len() * DIMS == rows.len() {
            Ok(Table { rows, scales })
        } else {
            Err(unknown())
        }
    }
}

impl Layer {
    fn read(file: &File<'_>, at: usize, of: &[Matrix]) -> Result<Self, String> {
        let name = |what: &str| format!("inner.encoder.layer.{at}.{what}");
        let bias = |what: &str| name(what) + ".bias";
        let [_, _, _, attended, wide, narrow] = of else {
            return Err(unknown());
        };
        let one =
            |matrix: &Matrix, what: &str| file.linear(std::slice::from_ref(matrix), &[bias(what)]);
        Ok(Self {
            attention: file.linear(
                &of[..3],
                &["query", "key", "value"].map(|part| bias(&format!("attention.self.{part}"))),
            )?,
            attended: one(attended, "attention.output.dense")?,
            attended_norm: file.norm(&name("attention.output"))?,
            wide: one(wide, "intermediate.dense")?,
            narrow: one(narrow, "output.dense")?,
            norm: file.norm(&name("output"))?,
        })
    }
}

impl Embeddings {
    fn read(file: &File<'_>) -> Result<Self, String> {
        let types = "inner.embeddings.token_type_embeddings.weight";
        let mut first = file.floats(types, 2 * DIMS)?;
        first.truncate(DIMS);
        Ok(Self {
            words: file.table("inner.embeddings.word_embeddings")?,
            positions: file.table("inner.embeddings.position_embeddings")?,
            first,
            norm: file.norm("inner.embeddings")?,
        })
    }

    fn of(&self, ids: &[i32], tokens: usize) -> Result<Vec<f32>, String> {
        let mut states = vec![0f32; ids.len() * DIMS];
        let mut places = vec![0f32; ids.len() * DIMS];
        let each = states
            .chunks_exact_mut(DIMS)
            .zip(places.chunks_exact_mut(DIMS));
        for (at, (id, (word, place))) in ids.iter().zip(each).enumerate() {
            self.words
                .add(usize::try_from(*id).unwrap_or(usize::MAX), word)?;
            word.iter_mut().zip(&self.first).for_each(|(w, f)| *w += f);
            self.positions.add(at % tokens, place)?;
        }
        self.norm.sum(&mut states, &places);
        Ok(states)
    }
}

impl Table {
    fn add(&self, row: usize, to: &mut [f32]) -> Result<(), String> {
        let (rows, _) = self.rows.as_chunks::<DIMS>();
        let (Some(row), Some(scale)) = (rows.get(row), self.scales.get(row)) else {
            return Err("the tokenizer is not the sentence encoder's".into());
        };
        for (to, number) in to.iter_mut().zip(row) {
            *to += f32::from(*number as i8) * scale;
        }
        Ok(())
    }
}

impl Linear {
    fn of(
        &self,
        gemm: &GemmExecutor,
        from: &[f32],
        to: &mut [f32],
    ) -> Result<(), rten_gemm::GemmError> {
        let inputs = self.weights.rows();
        let from = NdTensorView::from_data([from.len() / inputs, inputs], from);
        gemm.gemm(
            to,
            GemmInputA::Unpacked(from),
            GemmInputB::Packed(&self.weights),
            GemmOptions {
                bias: Some(BiasVector::Row(&self.bias)),
                ..GemmOptions::default()
            },
        )
    }
}

impl Norm {
    /// Adds `more`, and brings every token's state to this mean and spread.
    fn sum(&self, states: &mut [f32], more: &[f32]) {
        for (state, more) in states.chunks_exact_mut(DIMS).zip(more.chunks_exact(DIMS)) {
            state.iter_mut().zip(more).for_each(|(s, m)| *s += m);
            let mean = Sum::new(state).dispatch() / DIMS as f32;
            let variance = SumSquareSub::new(state, mean).dispatch() / DIMS as f32;
            let options = NormalizeOptions {
                pre_scale_bias: mean,
                scale: (variance + EPSILON).sqrt().recip(),
                element_scale: Some(&self.scale),
                element_bias: Some(&self.bias),
                ..NormalizeOptions::default()
            };
            Normalize::new_mut(state, options).dispatch();
        }
    }
}

/// The feed-forward part's bend (Hendrycks and Gimpel, GELU, 2016) from a table, a straight line between two of its places: within
/// 2e-7, and several times as quick as working it out where this crate is not built with all optimisations.
struct Gelu(Vec<f32>);

impl Gelu {
    /// Below minus this it is nothing, above it the number itself.
    const REACH: f32 = 6.0;
    /// Places of the table within one.
    const STEPS: f32 = 1024.0;

    fn new() -> Self {
        let last = (2.0 * Self::REACH * Self::STEPS) as u16;
        let mut table: Vec<f32> = (0..=last)
            .map(|at| f32::from(at) / Self::STEPS - Self::REACH)
            .collect();
        Exactly {}.map_mut(&mut table);
        Self(table)
    }

    fn of(&self, x: f32) -> f32 {
        let middle = Self::REACH * Self::STEPS;
        let steps = x * Self::STEPS;
        let at = (steps + middle) as usize;
        match self.0.get(at..).and_then(<[f32]>::first_chunk) {
            Some([below, above]) if x > -Self::REACH => {
                below + (above - below) * (steps - (at as f32 - middle))
            }
            _ => x.max(0.0),
        }
    }
}

/// Room for one head of one text.
struct Attention {
    tokens: usize,
    weights: Vec<f32>,
    seen: Vec<f32>,
}

impl Attention {
    fn new(tokens: usize) -> Self {
        Self {
            tokens,
            weights: vec![0.0; tokens * tokens],
            seen: vec![0.0; tokens * HEAD],
        }
    }

    /// What each token of a text sees of the others. `parts`: its queries, keys and values.
    fn of(
        &mut self,
        gemm: &GemmExecutor,
        parts: &[f32],
        to: &mut [f32],
    ) -> Result<(), rten_gemm::GemmError> {
        let parts = NdTensorView::from_data([self.tokens, 3 * DIMS], parts);
        let part = |which: usize, head: usize| {
            let from = which * DIMS + head * HEAD;
            parts.slice((.., from..from + HEAD))
        };
        for head in 0..HEADS {
            gemm.gemm(
                &mut self.weights,
                GemmInputA::Unpacked(part(0, head)),
                GemmInputB::Unpacked(part(1, head).transposed()),
                GemmOptions {
                    alpha: (HEAD as f32).sqrt().recip(),
                    ..GemmOptions::default()
                },
            )?;
            for row in self.weights.chunks_exact_mut(self.tokens) {
                Softmax::new_mut(row).dispatch();
            }
            let weights = NdTensorView::from_data([self.tokens; 2], self.weights.as_slice());
            gemm.gemm(
                &mut self.seen,
                GemmInputA::Unpacked(weights),
                GemmInputB::Unpacked(part(2, head)),
                GemmOptions::default(),
            )?;
            let rows = to.chunks_exact_mut(DIMS);
            for (to, seen) in rows.zip(self.seen.chunks_exact(HEAD)) {
                to[head * HEAD..][..HEAD].copy_from_slice(seen);
            }
        }
        Ok(())
    }
}

fn floats(raw: &[u8]) -> Vec<f32> {
    let (numbers, _) = raw.as_chunks::<4>();
    numbers.iter().map(|b| f32::from_le_bytes(*b)).collect()
}

fn unknown() -> String {
    "this is not the sentence encoder that was expected".into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_bends_as_the_function_does() {
        let gelu = Gelu::new();
        for n in -9_000i16..=9_000 {
            let x = f32::from(n) / 1_000.0;
            let mut exactly = [x];
            Exactly {}.map_mut(&mut exactly);
            let off = (gelu.of(x) - exactly[0]).abs();
            assert!(off < 5e-7, "{x}: {off}");
        }
        assert_eq!(gelu.of(f32::INFINITY), f32::INFINITY);
        assert_eq!(gelu.of(f32::NEG_INFINITY), 0.0);
    }

    #[test]
    fn tokens_that_are_asked_for_alike_are_seen_alike() {
        let tokens = 3;
        // No queries and keys: every token sees the mean of all values.
        let mut parts = vec![0f32; tokens * 3 * DIMS];
        for (at, token) in parts.chunks_exact_mut(3 * DIMS).enumerate() {
            token[2 * DIMS..].iter_mut().for_each(|v| *v = at as f32);
        }
        let mut seen = vec![0f32; tokens * DIMS];
        let gemm = GemmExecutor::default();
        let mut attention = Attention::new(tokens);
        attention.of(&gemm, &parts, &mut seen).expect("attends");
        assert!(seen.iter().all(|v| (v - 1.0).abs() < 1e-6));
    }

    #[test]
    fn states_get_this_mean_and_spread() {
        let norm = Norm {
            scale: vec![2.0; DIMS],
            bias: vec![1.0; DIMS],
        };
        let mut states: Vec<f32> = (0..DIMS).map(|n| (n % 2) as f32).collect();
        norm.sum(&mut states, &[0.5; DIMS]);
        assert!((states[0] + 1.0).abs() < 1e-5 && (states[1] - 3.0).abs() < 1e-5);
    }

    #[test]
    fn another_file_is_refused() {
        for file in [&b""[..], b"no model", &[0x3a, 0x02, 0x2a, 0x00]] {
            assert!(Bert::read(file, None).is_err());
        }
    }
}
