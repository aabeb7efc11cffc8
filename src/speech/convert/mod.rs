//! Whisper weights from CTranslate2's `model.bin` to the file whisper.cpp loads.
//!
//! Everything here is a total function over bytes: a hostile file is refused with a sentence, never a panic, and no more memory
//! is asked for than a small multiple of the input's length. The result depends on the input alone, so its sha256 can be pinned.
//!
//! Sources: CTranslate2's `python/ctranslate2/specs/model_spec.py` (file version 6) and whisper.cpp's loader (`whisper_model_load`).

mod conv;
mod ct2;
mod ggml;
mod half;
pub(crate) mod mel;
mod onnx;
mod proto;
mod quant;
mod vocab;

pub use conv::unrolled as onnx_unrolled;
pub use ct2::{Ct2Model, Variable, parse as parse_ct2};
pub use half::{f16_to_f32, f32_to_f16};
pub use mel::filterbank;
pub use onnx::standard as onnx_to_standard;
pub use quant::q8_0;

/// What the weights are written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weights {
    /// 16-bit floats, as they are in the source.
    F16,
    /// 8-bit blocks of 32 with one 16-bit scale: 0.56 of the size, 1.2 to 1.35 times the speed, the same words.
    Q8_0,
}

/// Why a file was refused. One sentence; retrying the same bytes fails the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConvertError(pub String);

impl std::fmt::Display for ConvertError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}
impl std::error::Error for ConvertError {}

pub(crate) fn refuse<T>(what: impl Into<String>) -> Result<T, ConvertError> {
    Err(ConvertError(what.into()))
}

/// Converts a CTranslate2 Whisper model and its Hugging Face `tokenizer.json` into a ggml file for whisper.cpp.
///
/// # Errors
/// Any part missing, of an unexpected version, type or shape, or not as long as it says.
pub fn whisper_to_ggml(
    model: &[u8],
    tokenizer_json: &[u8],
    weights: Weights,
) -> Result<Vec<u8>, ConvertError> {
    let model = ct2::parse(model)?;
    ggml::write(&model, tokenizer_json, weights)
}

#[cfg(test)]
mod tests;
