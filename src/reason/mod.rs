//! Ports and engines for sentence encoders and language models.

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
}

#[cfg(feature = "line")]
pub mod chat;
#[cfg(feature = "onnx")]
pub mod minilm;
pub mod shape;
