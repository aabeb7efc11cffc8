//! A desk directory to a desk: files read, texts embedded, examples learned; vectors and weights kept on disk between runs.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::desk::{Desk, DeskFiles, DeskSource, Learned, parse};
use crate::reason::Embedder;

/// Files a desk may hold that are read at all: nothing else in its directory is looked at.
const TOP: [&str; 5] = [
    "desk.toml",
    "intents.jsonl",
    "actions.toml",
    "phrases.toml",
    "calibration.toml",
];

/// Largest file read, bytes.
const MOST_BYTES: u64 = 64 << 20;

/// Reads a desk's files. Errors name the path.
pub fn read(dir: &Path) -> Result<DeskFiles, String> {
    if !dir.is_dir() {
        return Err(format!(
            "there is no desk at {}: `firstline desk new {}` makes one",
            dir.display(),
            dir.display()
        ));
    }
    let mut files = BTreeMap::new();
    for name in TOP {
        let path = dir.join(name);
        if path.exists() {
            files.insert(name.to_string(), text(&path)?);
        }
    }
    for name in ["knowledge", "prompts"] {
        let below = dir.join(name);
        if below.is_dir() {
            walk(&below, name, 0, &mut files)?;
        }
    }
    Ok(DeskFiles(files))
}

fn walk(
    dir: &Path,
    prefix: &str,
    depth: usize,
    files: &mut BTreeMap<String, String>,
) -> Result<(), String> {
    let entries =
        fs::read_dir(dir).map_err(|e| format!("{} cannot be read: {e}", dir.display()))?;
    for entry in entries {
        let entry = entry.map_err(|e| format!("{} cannot be read: {e}", dir.display()))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let (path, below) = (entry.path(), format!("{prefix}/{name}"));
        if name.starts_with('.') {
            continue;
        }
        if path.is_dir() {
            // Deep enough for any help centre, and an end to links that go round.
            if depth < 8 {
                walk(&path, &below, depth + 1, files)?;
            }
        } else if name.ends_with(".md") || name.ends_with(".jsonl") {
            files.insert(below, text(&path)?);
        }
    }
    Ok(())
}

fn text(path: &Path) -> Result<String, String> {
    let size = fs::metadata(path)
        .map_err(|e| format!("{} cannot be read: {e}", path.display()))?
        .len();
    if size > MOST_BYTES {
        return Err(format!(
            "{} is larger than {} MB: split it",
            path.display(),
            MOST_BYTES >> 20
        ));
    }
    let bytes = fs::read(path).map_err(|e| format!("{} cannot be read: {e}", path.display()))?;
    String::from_utf8(bytes)
        .map_err(|_| format!("{} is not UTF-8 text: save it as UTF-8", path.display()))
}

/// Reads, checks, embeds and learns a desk. Without an embedder it goes by words only. The error holds every problem, one a line.
pub fn load(dir: &Path, embedder: Option<&mut dyn Embedder>) -> Result<Arc<Desk>, String> {
    let source = parse(&read(dir)?).map_err(|problems| {
        let lines: Vec<String> = problems
            .iter()
            .map(|p| format!("{}/{p}", dir.display()))
            .collect();
        lines.join("\n")
    })?;
    build(source, embedder).map(Arc::new)
}

/// Embeds and learns, with what is kept on disk.
pub fn build(source: DeskSource, embedder: Option<&mut dyn Embedder>) -> Result<Desk, String> {
    let cache = cache_dir();
    let mut encoder = "words".to_owned();
    let (mut vectors, mut readings, mut answering) = Default::default();
    if let Some(e) = embedder {
        encoder = e.name().to_owned();
        vectors = embed(&source.texts(), e, &cache)?;
        readings = kept(Kind::Words, &source.spoken_texts(), e, &cache)?;
        answering = kept(Kind::Answering, &source.answering_texts(), e, &cache)?;
    }
    let mut hash = Sha256::new();
    hash.update(encoder.as_bytes());
    hash.update(source.fingerprint());
    let kept = cache.join(format!("learned-{}.bin", hex(&hash.finalize()[..12])));
    let learned = match fs::read(&kept).ok().and_then(|b| Learned::from_bytes(&b)) {
        Some(learned) => learned,
        None => {
            let learned = Learned::learn(&source, &vectors);
            // A cache that cannot be written costs time at the next start, nothing else.
            let _ = write_whole(&kept, &learned.to_bytes());
            learned
        }
    };
    Ok(Desk::with(source, &vectors, learned)
        .with_readings(&readings)
        .with_answering(&answering))
}

/// What an encoder makes of a desk's sentences.
#[derive(Debug, Clone, Copy)]
enum Kind {
    /// Readings word by word.
    Words,
    /// Vectors among which answers are sought.
    Answering,
}

/// What an encoder makes of `texts`; what it made before comes from disk. One file a kind and encoder, to whose end what is new is
/// added: a changed article costs its own sentences.
fn kept(
    kind: Kind,
    texts: &[String],
    embedder: &mut dyn Embedder,
    cache: &Path,
) -> Result<HashMap<String, Vec<f32>>, String> {
    if texts.is_empty() {
        return Ok(HashMap::new());
    }
    let path = cache.join(match kind {
        Kind::Words => format!("words-{}.bin", embedder.name()),
        Kind::Answering => format!("answering-{}.bin", embedder.answering_name()),
    });
    let bytes = fs::read(&path).unwrap_or_default();
    let (kept, whole) = readings(&bytes);
    let mut out: HashMap<String, Vec<f32>> = HashMap::with_capacity(texts.len());
    let mut missing: Vec<&str> = Vec::new();
    for text in texts {
        match kept.get(&key(text)) {
            Some(numbers) => {
                out.insert(text.clone(), unpack(numbers));
            }
            None => missing.push(text),
        }
    }
    for chunk in missing.chunks(1024) {
        let made = match kind {
            Kind::Words => embedder.words(chunk)?,
            Kind::Answering => embedder.answering(chunk)?,
        };
        let mut record = Vec::new();
        for (text, reading) in chunk.iter().zip(made) {
            record.extend(key(text));
            record.extend((reading.len() as u32).to_le_bytes());
            record.extend(pack(&reading));
            out.insert((*text).to_owned(), reading);
        }
        // A cache that cannot be written costs time at the next start, nothing else.
        let _ = append(&path, whole as u64, bytes.len() as u64, &record);
    }
    Ok(out)
}

/// The readings a file holds, by their texts' keys, and the length of what is whole: a torn end is left out.
fn readings(bytes: &[u8]) -> (HashMap<Key, &[u8]>, usize) {
    let mut out = HashMap::new();
    let mut rest = bytes;
    let whole = |rest: &[u8]| bytes.len() - rest.len();
    while let Some((key, after)) = rest.split_first_chunk::<16>() {
        let Some((length, after)) = after.split_first_chunk::<4>() else {
            return (out, whole(rest));
        };
        let Some((numbers, after)) =
            after.split_at_checked(u32::from_le_bytes(*length) as usize * 2)
        else {
            return (out, whole(rest));
        };
        out.insert(*key, numbers);
        rest = after;
    }
    (out, whole(rest))
}

/// Numbers as 16-bit fractions of one: every number is within a unit vector.
fn pack(reading: &[f32]) -> Vec<u8> {
    let number = |x: &f32| (x * 32767.0).round().clamp(-32767.0, 32767.0) as i16;
    reading
        .iter()
        .flat_map(|x| number(x).to_le_bytes())
        .collect()
}

fn unpack(numbers: &[u8]) -> Vec<f32> {
    let number = |b: &[u8]| f32::from(i16::from_le_bytes([b[0], b[1]])) / 32767.0;
    numbers.chunks_exact(2).map(number).collect()
}

/// Adds to the end of a file, in one write. A torn end (`length` bytes of which `whole` are good) is cut off first.
fn append(path: &Path, whole: u64, length: u64, bytes: &[u8]) -> std::io::Result<()> {
    use std::io::Write;
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir)?;
    }
    let mut file = fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)?;
    if whole < length && file.metadata()?.len() == length {
        file.set_len(whole)?;
    }
    file.write_all(bytes)
}

/// Vectors of `texts`; the ones made before come from disk.
pub fn embed(
    texts: &[String],
    embedder: &mut dyn Embedder,
    cache: &Path,
) -> Result<HashMap<String, Vec<f32>>, String> {
    let path = cache.join(format!("vectors-{}.bin", embedder.name()));
    let bytes = fs::read(&path).unwrap_or_default();
    let mut known = read_vectors(&bytes);
    let dims = known.values().next().map_or(0, Vec::len);
    let whole = match dims {
        0 => 0,
        dims => 4 + (bytes.len() - 4) / record(dims) * record(dims),
    };
    let missing: Vec<&str> = texts
        .iter()
        .map(String::as_str)
        .filter(|t| !known.contains_key(&key(t)))
        .collect();
    let mut begun = whole > 0;
    // What is new is added to the file's end; a long first run that is stopped does not begin again.
    for chunk in missing.chunks(1024) {
        let made = embedder.embed(chunk)?;
        let mut out = Vec::new();
        if !begun {
            let dims = made.first().map_or(0, Vec::len) as u32;
            let _ = fs::remove_file(&path);
            out.extend(dims.to_le_bytes());
            begun = true;
        }
        for (text, vector) in chunk.iter().zip(made) {
            out.extend(key(text));
            vector.iter().for_each(|v| out.extend(v.to_le_bytes()));
            known.insert(key(text), vector);
        }
        let _ = append(&path, whole as u64, bytes.len() as u64, &out);
    }
    Ok(texts
        .iter()
        .filter_map(|t| known.get(&key(t)).map(|v| (t.clone(), v.clone())))
        .collect())
}

/// Bytes of one vector with its key.
fn record(dims: usize) -> usize {
    16 + dims * 4
}

type Key = [u8; 16];

fn key(text: &str) -> Key {
    let mut key = [0; 16];
    key.copy_from_slice(&Sha256::digest(text.as_bytes())[..16]);
    key
}

/// Dimension, then key and vector after key and vector, little-endian. A torn end is left out.
fn read_vectors(bytes: &[u8]) -> HashMap<Key, Vec<f32>> {
    let Some((head, rest)) = bytes.split_first_chunk::<4>() else {
        return HashMap::new();
    };
    let dims = u32::from_le_bytes(*head) as usize;
    if dims == 0 || dims > 4096 {
        return HashMap::new();
    }
    rest.chunks_exact(record(dims))
        .filter_map(|record| {
            let (key, vector) = record.split_first_chunk::<16>()?;
            let vector = vector
                .chunks_exact(4)
                .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
                .collect();
            Some((*key, vector))
        })
        .collect()
}

/// Where vectors and weights are kept: `FIRSTLINE_CACHE`, else the user's cache directory, else the temporary one.
pub fn cache_dir() -> PathBuf {
    let var = |name: &str| {
        std::env::var_os(name)
            .filter(|v| !v.is_empty())
            .map(PathBuf::from)
    };
    var("FIRSTLINE_CACHE")
        .or_else(|| var("XDG_CACHE_HOME").map(|d| d.join("firstline")))
        .or_else(|| var("HOME").map(|d| d.join(".cache").join("firstline")))
        .unwrap_or_else(|| std::env::temp_dir().join("firstline"))
}

/// Writes a file so that a reader sees the old or the new one, never half.
fn write_whole(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir)?;
    }
    let aside = path.with_extension(format!("tmp{}", std::process::id()));
    fs::write(&aside, bytes)?;
    fs::rename(&aside, path)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// The sentence encoder of a models directory; none where it is not built in or not fetched, with a word to the user.
pub fn encoder(models: &Path) -> Option<Box<dyn Embedder>> {
    #[cfg(feature = "onnx")]
    match crate::reason::minilm::MiniLm::load(&models.join("minilm")) {
        Ok(encoder) => return Some(Box::new(encoder)),
        Err(why) => eprintln!("{why}. Going by words alone, which understands less."),
    }
    #[cfg(not(feature = "onnx"))]
    let _ = models;
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts what it is asked, and gives each text a vector of its own.
    struct Counting(usize);
    impl Embedder for Counting {
        fn name(&self) -> &str {
            "counting"
        }
        fn embed(&mut self, texts: &[&str]) -> Result<Vec<Vec<f32>>, String> {
            self.0 += texts.len();
            Ok(texts.iter().map(|t| vec![t.len() as f32, 1.0]).collect())
        }
    }

    #[test]
    fn what_was_embedded_is_not_embedded_again() {
        let dir = std::env::temp_dir().join(format!("firstline-desks-{}", std::process::id()));
        let texts = ["one".to_string(), "three".to_string()];
        let mut e = Counting(0);
        let first = embed(&texts, &mut e, &dir).expect("vectors");
        let again = embed(&texts, &mut e, &dir).expect("vectors");
        assert_eq!(first, again);
        assert_eq!(first["three"], [5.0, 1.0]);
        assert_eq!(e.0, 2);
        // A file cut short loses its last vector and nothing else.
        let path = dir.join("vectors-counting.bin");
        let bytes = fs::read(&path).expect("written");
        assert_eq!(read_vectors(&bytes[..bytes.len() - 1]).len(), 1);
        fs::remove_dir_all(dir).expect("removed");
    }

    #[test]
    fn readings_are_added_and_a_torn_end_is_cut_off() {
        let dir = std::env::temp_dir().join(format!("firstline-words-{}", std::process::id()));
        let mut e = Counting(0);
        let texts = ["one".to_string(), "three".to_string()];
        let first = kept(Kind::Words, &texts[..1], &mut e, &dir).expect("readings");
        let both = kept(Kind::Words, &texts, &mut e, &dir).expect("readings");
        // One reading each: the second run made only what was new.
        assert_eq!(e.0, 2);
        assert_eq!(first["one"].len(), both["one"].len());
        let path = dir.join("words-counting.bin");
        let bytes = fs::read(&path).expect("written");
        fs::write(&path, &bytes[..bytes.len() - 1]).expect("torn");
        kept(Kind::Words, &texts, &mut e, &dir).expect("readings");
        assert_eq!(e.0, 3);
        assert_eq!(readings(&fs::read(&path).expect("mended")).0.len(), 2);
        fs::remove_dir_all(dir).expect("removed");
    }

    #[test]
    fn no_desk_says_how_to_make_one() {
        let error = load(Path::new("/no/such/desk"), None).expect_err("nothing there");
        assert!(error.contains("firstline desk new"), "{error}");
    }
}
