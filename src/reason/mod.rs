//! Ports and engines for sentence encoders and language models.

use crate::desk::framing::bare;

/// Sentences to vectors.
pub trait Embedder: Send {
    /// Names the model; part of a cached vector's key.
    fn name(&self) -> &str;
    /// One unit-length vector a text, all of one dimension.
    fn embed(&mut self, texts: &[&str]) -> Result<Vec<Vec<f32>>, String>;
    /// Each text's vector, then one of the same length for each of its content words. An encoder that cannot tell words apart gives
    /// the vector alone.
    fn words(&mut self, texts: &[&str]) -> Result<Vec<Vec<f32>>, String> {
        self.embed(texts)
    }
    /// Names what [`Self::answering`] goes by; part of what it makes is kept under.
    fn answering_name(&self) -> String {
        self.name().to_owned()
    }
    /// One unit-length vector a text, of the same length, in a space where a question is near the sentences that answer it. An encoder
    /// that was not taught that gives the plain ones.
    fn answering(&mut self, texts: &[&str]) -> Result<Vec<Vec<f32>>, String> {
        self.embed(texts)
    }
    /// A reading of each text as the desk understands it ([`crate::desk::meaning`]): its vector, the one that answers are sought
    /// with, then those of its words.
    fn read(&mut self, texts: &[&str]) -> Result<Vec<Vec<f32>>, String> {
        let asked = self.answering(texts)?;
        let mut all = self.words(texts)?;
        for (reading, asked) in all.iter_mut().zip(asked) {
            let dims = asked.len().min(reading.len());
            reading.splice(dims..dims, asked);
        }
        Ok(all)
    }
    /// Readings of what callers said: of the questions inside the way they are put ([`crate::desk::framing`]).
    fn read_said(&mut self, texts: &[&str]) -> Result<Vec<Vec<f32>>, String> {
        let asked: Vec<&str> = texts.iter().map(|text| bare(text)).collect();
        self.read(&asked)
    }
}

#[cfg(feature = "onnx")]
pub mod adapter;
#[cfg(feature = "onnx")]
mod bert;
#[cfg(feature = "line")]
pub mod chat;
#[cfg(feature = "onnx")]
pub mod minilm;
#[cfg(feature = "onnx")]
mod onnx;
pub mod shape;
