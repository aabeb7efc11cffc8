//! Lists of recordings that the evaluations are given: a JSON line a file.

use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};

use crate::audio;

/// One recording.
#[derive(Debug, serde::Deserialize)]
pub(super) struct Recording {
    /// From the list's own folder.
    pub path: PathBuf,
    #[serde(default)]
    pub set: String,
    /// What is said in it.
    pub text: Option<String>,
    pub speaker: Option<String>,
}

/// The recordings of a list, in its order.
pub(super) fn listed(manifest: &Path) -> anyhow::Result<Vec<Recording>> {
    let text = std::fs::read_to_string(manifest)
        .with_context(|| format!("{} cannot be read", manifest.display()))?;
    text.lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty())
        .map(|(n, line)| {
            serde_json::from_str(line).with_context(|| {
                format!(
                    "{}: line {} is not as it should be",
                    manifest.display(),
                    n + 1
                )
            })
        })
        .collect()
}

/// A recording's sound, mono at 16 kHz.
pub(super) fn sound(path: &Path) -> anyhow::Result<Vec<i16>> {
    let bytes =
        std::fs::read(path).with_context(|| format!("{} cannot be read", path.display()))?;
    let wav = audio::wav::read(&bytes).map_err(|e| anyhow!("{}: {e}", path.display()))?;
    Ok(wav.mono_at(audio::RATE))
}
