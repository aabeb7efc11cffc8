//! The shape of the source tree: imports point inward, each protocol or engine crate is used where it belongs, the pure layers
//! read no clock, and files stay small enough to read. Works on text, so that it takes no build of its own; the last tests feed it
//! made-up text, to show that it can fail.

use std::path::{Path, PathBuf};

/// Every folder and single-file module of `src`, and the layers it may import. Its own is always allowed.
const LAYERS: &[(&str, &[&str])] = &[
    ("audio", &[]),
    ("desk", &[]),
    ("wire", &["audio"]),
    ("speech", &["audio"]),
    ("reason", &["desk"]),
    ("backoffice", &["desk"]),
    ("store", &["desk"]),
    ("call", &["audio", "desk"]),
    ("edge", &["audio", "wire"]),
    ("config", &[]),
    ("telemetry", &[]),
    ("console", &[]),
    ("runtime", &["*"]),
    ("cli", &["*"]),
    ("lib", &["*"]),
    ("main", &["*"]),
];

/// Layers to which time and data are arguments.
const PURE: &[&str] = &["audio", "desk", "wire", "call"];

/// What no pure layer mentions.
const IMPURE: &[&str] = &[
    "Instant",
    "SystemTime",
    "Timestamp::now",
    "Zoned::now",
    "std::fs",
    "std::thread",
    "std::env",
    "std::process",
    "UdpSocket",
    "TcpStream",
    "TcpListener",
    "tokio",
    "rand",
];

/// Crates that bring a protocol, an engine or a device, and the folders or files that may name them.
const CRATES: &[(&str, &[&str])] = &[
    ("rsipstack", &["edge/sip/"]),
    (
        "rustls",
        &[
            "edge/",
            "runtime/",
            "backoffice/",
            "reason/chat.rs",
            "speech/remote/",
        ],
    ),
    ("rmcp", &["backoffice/mcp.rs"]),
    ("tokio_rustls", &["edge/sip/listen.rs"]),
    ("rustls_native_certs", &["edge/sip/tls.rs"]),
    ("rtc_srtp", &["edge/rtp/secure.rs"]),
    ("rtc_crypto", &["edge/rtp/secure.rs"]),
    ("opusic_c", &["audio/codec.rs"]),
    ("audio_codec", &["audio/codec.rs"]),
    ("md5", &["wire/sip/digest.rs"]),
    ("argon2", &["runtime/people.rs"]),
    ("axum", &["edge/http/", "edge/twilio"]),
    ("hyper", &["edge/twilio"]),
    ("hyper_util", &["edge/twilio"]),
    ("sha1", &["edge/twilio"]),
    ("tokio_tungstenite", &["edge/"]),
    ("cpal", &["edge/mic"]),
    ("socket2", &["edge/"]),
    ("sqlx", &["store/"]),
    (
        "reqwest",
        &["backoffice/", "reason/", "speech/", "edge/", "runtime/"],
    ),
    ("whisper_rs", &["speech/"]),
    ("rten", &["speech/", "reason/"]),
    ("rten_tensor", &["speech/", "reason/"]),
    ("rten_gemm", &["reason/bert.rs"]),
    ("rten_simd", &["reason/bert.rs"]),
    ("rten_vecmath", &["reason/bert.rs"]),
    ("tokenizers", &["reason/"]),
    ("flate2", &["runtime/models/unpack.rs"]),
    ("realfft", &["speech/log_mel.rs"]),
    ("rubato", &["audio/resample.rs"]),
    ("clap", &["cli/", "main.rs"]),
    ("clap_complete", &["cli/"]),
    ("clap_mangen", &["cli/"]),
    (
        "ring",
        &[
            "runtime/seal.rs",
            "runtime/trail.rs",
            "runtime/s3.rs",
            "edge/twilio/signature.rs",
        ],
    ),
    ("anyhow", &["cli/", "main.rs", "runtime/"]),
];

/// Lines of a behaviour file, tests not counted.
const MOST_LINES: usize = 600;

/// Files that are longer today and should be split. Take a name out when it is; put none in.
const TO_SPLIT: &[&str] = &["edge/rtp.rs", "edge/sip/stack.rs", "edge/sip/signalling.rs"];

/// A file of `src`: its path below it, and its text.
struct Source {
    path: String,
    text: String,
}

impl Source {
    fn new(path: &str, text: &str) -> Self {
        Self {
            path: path.into(),
            text: text.into(),
        }
    }

    /// The folder below `src`, or the name of a file that stands there by itself.
    fn layer(&self) -> &str {
        let first = self.path.split('/').next().unwrap_or_default();
        first.trim_end_matches(".rs")
    }

    /// Unit tests may reach for what the code beside them may not.
    fn is_test(&self) -> bool {
        self.path.ends_with("/tests.rs") || self.path.contains("/tests/")
    }

    /// The text without comments, text in quotes, and the tests at its end.
    fn code(&self) -> String {
        let before_tests = match self.text.find("#[cfg(test)]\nmod tests {") {
            Some(at) => &self.text[..at],
            None => &self.text,
        };
        before_tests
            .lines()
            .map(|line| {
                let mut out = String::new();
                let mut quoted = false;
                let mut chars = line.chars().peekable();
                while let Some(c) = chars.next() {
                    match c {
                        '\\' if quoted => {
                            chars.next();
                        }
                        '\'' if !quoted && chars.peek() == Some(&'"') => {
                            chars.next();
                        }
                        '"' => quoted = !quoted,
                        '/' if !quoted && chars.peek() == Some(&'/') => break,
                        _ if !quoted => out.push(c),
                        _ => {}
                    }
                }
                out + "\n"
            })
            .collect()
    }
}

/// Whether `word` stands in `code` as a word of its own.
fn mentions(code: &str, word: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(word)
        .any(|(at, _)| !code[..at].ends_with(part) && !code[at + word.len()..].starts_with(part))
}

/// Whether a path begins with `krate`: `ring::x`, and neither `String::new` nor `rustls::crypto::ring::x`.
fn begins_path(code: &str, krate: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || matches!(c, '_' | ':');
    code.match_indices(&format!("{krate}::"))
        .any(|(at, _)| !code[..at].ends_with(part))
}

/// The modules of this package that a text names behind `crate::`, in groups, too.
fn imports(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        let inner = match rest.strip_prefix('{') {
            None => rest,
            // `use crate::{audio::X, desk::Y}`: the word after the brace and after each comma at this depth.
            Some(group) => {
                let mut depth = 0;
                let mut word = String::new();
                for c in group.chars() {
                    match c {
                        '{' => depth += 1,
                        '}' if depth == 0 => break,
                        '}' => depth -= 1,
                        ',' if depth == 0 => found.push(std::mem::take(&mut word)),
                        _ if depth == 0 => word.push(c),
                        _ => {}
                    }
                }
                found.push(word);
                continue;
            }
        };
        found.push(inner.into());
    }
    found
        .iter()
        .map(|path| {
            path.trim()
                .chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_')
                .collect()
        })
        .filter(|name: &String| name.starts_with(char::is_lowercase))
        .collect()
}

/// Everything that is wrong with one file, in sentences.
fn complaints(source: &Source) -> Vec<String> {
    let mut wrong = Vec::new();
    let (path, layer) = (&source.path, source.layer());
    let Some((_, allowed)) = LAYERS.iter().find(|(name, _)| *name == layer) else {
        return vec![format!(
            "{path}: {layer} is not a layer; give it a place in LAYERS"
        )];
    };
    let code = source.code();
    let lines = code.lines().count();
    let head: String = source.text.lines().take(6).collect();
    let excused = head.to_lowercase().contains("table") || TO_SPLIT.contains(&path.as_str());
    if lines > MOST_LINES && !source.is_test() && !excused {
        wrong.push(format!(
            "{path}: {lines} lines; split it, or say at its top that it is a table"
        ));
    }
    if source.is_test() {
        return wrong;
    }
    for name in imports(&code) {
        let inside = name == layer || allowed.contains(&"*") || allowed.contains(&name.as_str());
        if !inside && LAYERS.iter().any(|(layer, _)| *layer == name) {
            wrong.push(format!("{path}: {layer} may not import {name}"));
        }
    }
    for (krate, places) in CRATES {
        // A path or an import; not a word that happens to be the same.
        let named = mentions(&code, &format!("use {krate}")) || begins_path(&code, krate);
        if named && !places.iter().any(|place| path.starts_with(place)) {
            wrong.push(format!("{path}: {krate} belongs in {}", places.join(", ")));
        }
    }
    if PURE.contains(&layer) {
        for word in IMPURE {
            if mentions(&code, word) {
                wrong.push(format!(
                    "{path}: {layer} is pure and may not mention {word}"
                ));
            }
        }
    }
    wrong
}

fn src() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn walk(dir: &Path, root: &Path, out: &mut Vec<Source>) {
    let mut entries: Vec<_> = std::fs::read_dir(dir)
        .expect("the source folder can be read")
        .map(|e| e.expect("an entry of the source folder").path())
        .collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            walk(&path, root, out);
        } else if path.extension().is_some_and(|e| e == "rs") {
            let below = path.strip_prefix(root).expect("below the root");
            let name = below.to_string_lossy().replace('\\', "/");
            let text = std::fs::read_to_string(&path).expect("a source file is text");
            out.push(Source { path: name, text });
        }
    }
}

#[test]
fn every_file_keeps_to_the_layout() {
    let mut sources = Vec::new();
    walk(&src(), &src(), &mut sources);
    assert!(sources.len() > 40, "found only {} files", sources.len());
    let wrong: Vec<String> = sources.iter().flat_map(complaints).collect();
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

#[test]
fn every_folder_has_a_layer() {
    for entry in std::fs::read_dir(src()).expect("the source folder can be read") {
        let path = entry.expect("an entry").path();
        let name = path
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        assert!(
            LAYERS.iter().any(|(layer, _)| *layer == name),
            "src/{name} has no layer: add it to LAYERS here and to the map in src/lib.rs"
        );
    }
}

#[test]
fn breaches_are_found() {
    for (path, text, word) in [
        ("desk/a.rs", "use crate::call::Call;", "import call"),
        (
            "audio/a.rs",
            "use crate::{audio::RATE, wire::rtp};",
            "import wire",
        ),
        ("edge/a.rs", "fn f(x: crate::call::Event) {}", "import call"),
        (
            "edge/a.rs",
            "use crate::{audio::{Frame, RATE}, runtime};",
            "import runtime",
        ),
        (
            "call/a.rs",
            "let now = std::time::Instant::now();",
            "Instant",
        ),
        ("wire/a.rs", "use std::fs;", "std::fs"),
        ("desk/a.rs", "let x: u8 = rand::random();", "rand"),
        ("audio/a.rs", "tokio::spawn(async {});", "tokio"),
        (
            "call/a.rs",
            "use rsipstack::dialog::Dialog;",
            "rsipstack belongs",
        ),
        ("edge/http/a.rs", "let x = sqlx::query(1);", "sqlx belongs"),
        ("desk/a.rs", "let x = (ring::digest::A, 1);", "ring belongs"),
        ("speech/a.rs", "use cpal;", "cpal belongs"),
        ("helpers/a.rs", "", "not a layer"),
        ("utils.rs", "", "not a layer"),
    ] {
        let got = complaints(&Source::new(path, text)).join("\n");
        assert!(got.contains(word), "{path}: {text:?} gave {got:?}");
    }
    let long = "fn f() {}\n".repeat(MOST_LINES + 1);
    assert_eq!(complaints(&Source::new("desk/a.rs", &long)).len(), 1);
}

#[test]
fn what_is_allowed_is_left_alone() {
    let long = "//! A table of names.\n".to_owned() + &"const A: u8 = 1;\n".repeat(2 * MOST_LINES);
    for (path, text) in [
        (
            "call/a.rs",
            "use crate::{audio::MediaTime, desk};\nuse crate::call::Turn;",
        ),
        (
            "edge/sip/a.rs",
            "use rsipstack::x; use crate::wire::sdp; let t = Instant::now();",
        ),
        (
            "runtime/a.rs",
            "use crate::{call, edge, store}; tokio::spawn(x);",
        ),
        (
            "desk/a.rs",
            "// std::fs is not for here\nlet s = \"tokio and rand // here\"; let brand = operand;",
        ),
        (
            "audio/a.rs",
            "fn f() {}\n#[cfg(test)]\nmod tests {\n    use std::fs;\n}",
        ),
        ("store/tests.rs", "use crate::runtime;"),
        ("desk/a.rs", &long),
        ("desk/a.rs", "let quote = '\"'; // tokio"),
    ] {
        let got = complaints(&Source::new(path, text));
        assert!(got.is_empty(), "{path}: {got:?}");
    }
}
