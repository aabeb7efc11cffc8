//! Ports and engines for sentence encoders and language models.

use crate::desk::framing::bare;

/// Sentences to vectors.
pub trait Embedder: Send {
    /// Names the model; part of a cached vector's key.
    fn name(&self) -> &str;
    /// One unit-length vector a text, all of one dimension.
    fn embed(&mut self, texts: &[&str]) -> Result<Vec<Vec<f32>>, String>;
    /// A reading of each text: its vector, then one of the same length for each of its content words
    /// ([`crate::desk::meaning`]). An encoder that cannot tell words apart gives the vector alone.
    fn read(&mut self, texts: &[&str]) -> Result<Vec<Vec<f32>>, String> {
        self.embed(texts)
    }
    /// Readings of what callers said: of the questions inside the way they are put ([`crate::desk::framing`]).
    fn read_said(&mut self, texts: &[&str]) -> Result<Vec<Vec<f32>>, String> {
        let asked: Vec<&str> = texts.iter().map(|text| bare(text)).collect();
        self.read(&asked)
    }
}

#[cfg(feature = "line")]
pub mod chat;
#[cfg(feature = "onnx")]
pub mod minilm;
pub mod shape;
