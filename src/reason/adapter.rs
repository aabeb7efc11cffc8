//! Low-rank corrections to the sentence encoder's weights (Hu et al., LoRA, 2021), learned on what callers ask and the sentences
//! that answer them (`scripts/answers/`).
//!
//! The encoder as it is published tells which texts are about the same; corrected, it tells which sentence answers a question. The
//! corrections are a hundredth of its size, so they are kept here and the weights stay where they are: both are put together when
//! the encoder is loaded.

use std::ops::Range;

use super::onnx::{INT8, tensors};

/// First bytes of the corrections: what they are, and for which reading of them.
const MAGIC: &[u8] = b"firstline answers 1\n";
/// The matrices of a layer in the order in which the encoder's file holds them, as (inputs, outputs): query, key, value and output of
/// the attention, then the two of the feed-forward part (Devlin et al., BERT, 2019; six layers of 384 in MiniLM-L6).
const LAYER: [(usize, usize); 6] = [
    (384, 384),
    (384, 384),
    (384, 384),
    (384, 384),
    (384, 1536),
    (1536, 384),
];
pub const LAYERS: usize = 6;

/// `model` (an ONNX file with 8-bit weights, a scale for every output) with the corrections added to it. The result has the same size
/// and the same shape: only weights and scales differ. The error says what does not fit.
pub fn adapted(mut model: Vec<u8>, corrections: &[u8]) -> Result<Vec<u8>, String> {
    let matrices = matrices(&model)?;
    let rest = corrections
        .strip_prefix(MAGIC)
        .ok_or("these are no corrections of the sentence encoder")?;
    let (rank, mut rest) = rest.split_first().ok_or("the corrections are cut short")?;
    let rank = usize::from(*rank);
    for matrix in &matrices {
        let (inputs, outputs) = (matrix.inputs, matrix.outputs);
        let down = factor(&mut rest, rank * inputs)?;
        let up = factor(&mut rest, outputs * rank)?;
        add(&mut model, matrix, &Factors { rank, down, up })?;
    }
    if rest.is_empty() {
        Ok(model)
    } else {
        Err("the corrections are longer than the encoder".into())
    }
}

/// Where a matrix's weights (inputs x outputs) and scales (one an output) lie in the file.
pub struct Matrix {
    pub inputs: usize,
    pub outputs: usize,
    pub weights: Range<usize>,
    pub scales: Range<usize>,
}

/// What is added to a matrix: `up` times `down`.
struct Factors {
    rank: usize,
    /// rank x inputs
    down: Vec<f32>,
    /// outputs x rank
    up: Vec<f32>,
}

/// So many numbers: their scale, then a byte each.
fn factor(rest: &mut &[u8], count: usize) -> Result<Vec<f32>, String> {
    let short = || "the corrections are cut short".to_owned();
    let (scale, after) = rest.split_first_chunk::<4>().ok_or_else(short)?;
    let (numbers, after) = after.split_at_checked(count).ok_or_else(short)?;
    *rest = after;
    let scale = f32::from_le_bytes(*scale);
    if !scale.is_finite() {
        return Err("the corrections hold a scale that is no number".into());
    }
    Ok(numbers
        .iter()
        .map(|n| f32::from(*n as i8) * scale)
        .collect())
}

/// Adds the factors' product to one matrix, and rounds again to eight bits with a scale for every output.
fn add(model: &mut [u8], matrix: &Matrix, factors: &Factors) -> Result<(), String> {
    let (inputs, outputs) = (matrix.inputs, matrix.outputs);
    let scales: Vec<f32> = model[matrix.scales.clone()]
        .chunks_exact(4)
        .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
        .collect();
    let weights = &mut model[matrix.weights.clone()];
    let mut whole: Vec<f32> = weights
        .iter()
        .enumerate()
        .map(|(at, w)| f32::from(*w as i8) * scales[at % outputs])
        .collect();
    for (input, row) in whole.chunks_exact_mut(outputs).enumerate() {
        for r in 0..factors.rank {
            let by = factors.down[r * inputs + input];
            for (output, w) in row.iter_mut().enumerate() {
                *w += by * factors.up[output * factors.rank + r];
            }
        }
    }
    let mut most = vec![1e-12f32; outputs];
    for row in whole.chunks_exact(outputs) {
        for (most, w) in most.iter_mut().zip(row) {
            *most = most.max(w.abs());
        }
    }
    if most.iter().any(|m| !m.is_finite()) {
        return Err("the corrections hold what is no number".into());
    }
    for (at, (w, new)) in weights.iter_mut().zip(&whole).enumerate() {
        *w = (new * 127.0 / most[at % outputs]).round() as i8 as u8;
    }
    let scales = &mut model[matrix.scales.clone()];
    for (bytes, most) in scales.chunks_exact_mut(4).zip(&most) {
        bytes.copy_from_slice(&(most / 127.0).to_le_bytes());
    }
    Ok(())
}

/// The encoder's matrices in the order of the file: 8-bit tensors named `..._q`, each with its `..._scale`, other than the embeddings'.
pub fn matrices(model: &[u8]) -> Result<Vec<Matrix>, String> {
    let unknown = || "the sentence encoder is not the one the corrections were made for".to_owned();
    let tensors = tensors(model).ok_or_else(unknown)?;
    let weights: Vec<(&str, &Range<usize>)> = tensors
        .iter()
        .filter(|t| t.kind == INT8 && !t.name.contains("embeddings"))
        .filter_map(|t| Some((t.name.strip_suffix("_q")?, &t.raw)))
        .collect();
    if weights.len() != LAYERS * LAYER.len() {
        return Err(unknown());
    }
    weights
        .into_iter()
        .enumerate()
        .map(|(at, (name, weights))| {
            let (inputs, outputs) = LAYER[at % LAYER.len()];
            let scales = format!("{name}_scale");
            let scales = tensors.iter().find(|t| t.name == scales);
            let scales = scales.ok_or_else(unknown)?.raw.clone();
            if weights.len() == inputs * outputs && scales.len() == 4 * outputs {
                Ok(Matrix {
                    inputs,
                    outputs,
                    weights: weights.clone(),
                    scales,
                })
            } else {
                Err(unknown())
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(out: &mut Vec<u8>, mut value: u64) {
        while value >= 0x80 {
            out.push(value as u8 | 0x80);
            value >>= 7;
        }
        out.push(value as u8);
    }

    fn message(number_of: u64, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        number(&mut out, number_of << 3 | 2);
        number(&mut out, bytes.len() as u64);
        out.extend(bytes);
        out
    }

    /// A file with the encoder's matrices, all of them one, and a scale of a hundredth.
    fn encoder() -> Vec<u8> {
        let mut graph = Vec::new();
        for at in 0..LAYERS * LAYER.len() {
            let (inputs, outputs) = LAYER[at % LAYER.len()];
            let mut weights = vec![2 << 3, INT8 as u8];
            weights.extend(message(8, format!("w{at}_q").as_bytes()));
            weights.extend(message(9, &vec![1; inputs * outputs]));
            graph.extend(message(5, &weights));
            let mut scales = message(8, format!("w{at}_scale").as_bytes());
            scales.extend(message(9, &0.01f32.to_le_bytes().repeat(outputs)));
            graph.extend(message(5, &scales));
        }
        message(7, &graph)
    }

    /// Corrections of rank one: every weight gains `by`.
    fn corrections(by: f32) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        out.push(1);
        for at in 0..LAYERS * LAYER.len() {
            let (inputs, outputs) = LAYER[at % LAYER.len()];
            for (count, scale) in [(inputs, 1f32), (outputs, by)] {
                out.extend(scale.to_le_bytes());
                out.extend(vec![1u8; count]);
            }
        }
        out
    }

    #[test]
    fn corrections_are_added_to_every_weight() {
        let before = encoder();
        let after = adapted(before.clone(), &corrections(0.02)).expect("adapted");
        assert_eq!(before.len(), after.len());
        for matrix in matrices(&after).expect("the same matrices") {
            let scale = &after[matrix.scales.start..matrix.scales.start + 4];
            let scale = f32::from_le_bytes(scale.try_into().expect("four"));
            let weight = f32::from(after[matrix.weights.start] as i8) * scale;
            assert!((weight - 0.03).abs() < 1e-4, "{weight}");
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let good = corrections(0.02);
        assert!(adapted(encoder(), &good[..good.len() - 1]).is_err());
        assert!(adapted(encoder(), &[good.as_slice(), b"x"].concat()).is_err());
        assert!(adapted(encoder(), b"something else").is_err());
        assert!(adapted(encoder(), &corrections(f32::NAN)).is_err());
        // Another model, and one cut short anywhere.
        assert!(adapted(b"no model".to_vec(), &good).is_err());
        let model = encoder();
        for end in (0..model.len()).step_by(model.len() / 50) {
            assert!(adapted(model[..end].to_vec(), &good).is_err(), "{end}");
        }
    }
}
