//! The matters of one utterance, each by itself.

use crate::reason::Embedder;

/// Vectors of the matters of one utterance; none where it is one.
pub(crate) fn matters(text: &str, embedder: &mut dyn Embedder) -> Vec<Vec<f32>> {
    let parts = crate::desk::inquiry::context::matters(text);
    if parts.len() < 2 {
        return Vec::new();
    }
    embedder.read(&parts).unwrap_or_default()
}
