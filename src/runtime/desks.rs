//! A desk directory to a desk: files read, texts embedded, examples learned; vectors and weights kept on disk between runs.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::io::{BufReader, Read};
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
    let wanted = wanted(texts);
    let (mut known, file) = readings(&path, &wanted);
    let mut out: HashMap<String, Vec<f32>> = HashMap::with_capacity(texts.len());
    let mut missing: Vec<&str> = Vec::new();
    for (key, text) in wanted {
        match known.remove(&key) {
            Some(reading) => {
                out.insert(text.to_owned(), reading);
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
        let _ = append(&path, file, &record);
    }
    Ok(out)
}

/// Texts by their keys, in the order they came in, each once.
fn wanted(texts: &[String]) -> Vec<(Key, &str)> {
    let mut seen = HashSet::with_capacity(texts.len());
    texts
        .iter()
        .map(|text| (key(text), text.as_str()))
        .filter(|(key, _)| seen.insert(*key))
        .collect()
}

/// How much of a file is good, and how long it is: a torn end is left out.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Length {
    whole: u64,
    all: u64,
}

/// The readings among those a file holds that are wanted, and the file's length. The file holds those of every desk that this computer
/// ever learned, so it is gone through and not kept.
fn readings(path: &Path, wanted: &[(Key, &str)]) -> (HashMap<Key, Vec<f32>>, Length) {
    let mut out = HashMap::with_capacity(wanted.len());
    let Some((mut file, mut length)) = opened(path) else {
        return (out, Length::default());
    };
    let wanted: HashSet<Key> = wanted.iter().map(|(key, _)| *key).collect();
    let mut head = [0; 20];
    while file.read_exact(&mut head).is_ok() {
        let (key, count) = (first(&head), u32::from_le_bytes(first(&head[16..])));
        let bytes = u64::from(count) * 2;
        let end = length.whole + head.len() as u64 + bytes;
        if end > length.all {
            break;
        }
        if wanted.contains(&key) {
            let mut numbers = vec![0; bytes as usize];
            if file.read_exact(&mut numbers).is_err() {
                break;
            }
            out.insert(key, unpack(&numbers));
        } else if file.seek_relative(bytes as i64).is_err() {
            break;
        }
        length.whole = end;
    }
    (out, length)
}

/// A file to be read from its beginning, with its length; none of it is known to be good yet.
fn opened(path: &Path) -> Option<(BufReader<fs::File>, Length)> {
    let file = fs::File::open(path).ok()?;
    let all = file.metadata().ok()?.len();
    Some((BufReader::new(file), Length { whole: 0, all }))
}

fn first<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(&bytes[..N]);
    out
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

/// Adds to the end of a file, in one write. A torn end is cut off first.
fn append(path: &Path, length: Length, bytes: &[u8]) -> std::io::Result<()> {
    use std::io::Write;
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir)?;
    }
    let mut file = fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)?;
    if length.whole < length.all && file.metadata()?.len() == length.all {
        file.set_len(length.whole)?;
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
    let wanted = wanted(texts);
    let (mut known, file) = vectors(&path, &wanted);
    let mut out: HashMap<String, Vec<f32>> = HashMap::with_capacity(texts.len());
    let mut missing: Vec<&str> = Vec::new();
    for (key, text) in wanted {
        match known.remove(&key) {
            Some(vector) => {
                out.insert(text.to_owned(), vector);
            }
            None => missing.push(text),
        }
    }
    let mut begun = file.whole > 0;
    // What is new is added to the file's end; a long first run that is stopped does not begin again.
    for chunk in missing.chunks(1024) {
        let made = embedder.embed(chunk)?;
        let mut record = Vec::new();
        if !begun {
            let dims = made.first().map_or(0, Vec::len) as u32;
            let _ = fs::remove_file(&path);
            record.extend(dims.to_le_bytes());
            begun = true;
        }
        for (text, vector) in chunk.iter().zip(made) {
            record.extend(key(text));
            vector.iter().for_each(|v| record.extend(v.to_le_bytes()));
            out.insert((*text).to_owned(), vector);
        }
        let _ = append(&path, file, &record);
    }
    Ok(out)
}

type Key = [u8; 16];

fn key(text: &str) -> Key {
    let mut key = [0; 16];
    key.copy_from_slice(&Sha256::digest(text.as_bytes())[..16]);
    key
}

/// The vectors among those a file holds that are wanted, and the file's length. It holds their dimension, then key and vector after
/// key and vector, little-endian.
fn vectors(path: &Path, wanted: &[(Key, &str)]) -> (HashMap<Key, Vec<f32>>, Length) {
    let mut out = HashMap::with_capacity(wanted.len());
    let nothing = (HashMap::new(), Length::default());
    let Some((mut file, mut length)) = opened(path) else {
        return nothing;
    };
    let mut dims = [0; 4];
    if file.read_exact(&mut dims).is_err() {
        return nothing;
    }
    let dims = u32::from_le_bytes(dims) as usize;
    if dims == 0 || dims > 4096 || length.all < (4 + 16 + dims * 4) as u64 {
        return nothing;
    }
    length.whole = 4;
    let wanted: HashSet<Key> = wanted.iter().map(|(key, _)| *key).collect();
    let mut record = vec![0; 16 + dims * 4];
    while file.read_exact(&mut record).is_ok() {
        length.whole += record.len() as u64;
        let key = first(&record);
        if wanted.contains(&key) {
            let vector = record[16..].chunks_exact(4);
            out.insert(key, vector.map(|b| f32::from_le_bytes(first(b))).collect());
        }
    }
    (out, length)
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
        fs::write(&path, &bytes[..bytes.len() - 1]).expect("torn");
        assert_eq!(vectors(&path, &wanted(&texts)).0.len(), 1);
        let mended = embed(&texts, &mut e, &dir).expect("vectors");
        assert_eq!((mended, e.0), (first, 3));
        assert_eq!(fs::read(&path).expect("mended"), bytes);
        // What is not wanted is passed over.
        let (some, file) = vectors(&path, &wanted(&texts[1..]));
        assert_eq!((some.len(), file.whole), (1, bytes.len() as u64));
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
        assert_eq!(fs::read(&path).expect("mended"), bytes);
        assert_eq!(readings(&path, &wanted(&texts)).0.len(), 2);
        // What is not wanted is passed over.
        let (some, file) = readings(&path, &wanted(&texts[1..]));
        assert_eq!((some.len(), file.whole), (1, bytes.len() as u64));
        fs::remove_dir_all(dir).expect("removed");
    }

    #[test]
    fn no_desk_says_how_to_make_one() {
        let error = load(Path::new("/no/such/desk"), None).expect_err("nothing there");
        assert!(error.contains("firstline desk new"), "{error}");
    }
}
