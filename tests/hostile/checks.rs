//! What must hold of every reader of files for any bytes at all, beside those of the wire, which `firstline::wire::hostile` holds to: no
//! panic, no more memory than the input accounts for, and what is written again reads the same. Shared with the fuzz package.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use firstline::audio::wav;
use firstline::desk::{DeskFiles, parse};
use firstline::speech::convert::{Weights, onnx_to_standard, parse_ct2, whisper_to_ggml};
use firstline::wire::hostile::{CHECKS as WIRE, Check};

/// Every check of bytes alone.
pub fn checks() -> Vec<Check> {
    let mut all = WIRE.to_vec();
    all.extend([
        ("wav", wav as fn(&[u8]), wav_seeds as fn() -> Vec<Vec<u8>>),
        ("desk", desk, desk_seeds),
        ("model", model, model_seeds),
    ]);
    all
}

/// Inputs that are kept: what fuzzing found worth keeping, and whatever once did harm.
pub fn corpus(root: &Path, name: &str) -> Vec<Vec<u8>> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(root.join("tests/fuzz/corpus").join(name))
        .map(|entries| entries.flatten().map(|e| e.path()).collect())
        .unwrap_or_default();
    paths.sort();
    paths
        .iter()
        .map(|p| std::fs::read(p).expect("the corpus can be read"))
        .collect()
}

/// Where a fuzzer begins: writes the valid inputs and those that are kept into `$FIRSTLINE_SEEDS`, where that is set.
pub fn sow(name: &str) {
    let Some(folder) = std::env::var_os("FIRSTLINE_SEEDS").map(PathBuf::from) else {
        return;
    };
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for (_, _, seeds) in checks().iter().filter(|(n, ..)| *n == name) {
        for (n, seed) in seeds().iter().chain(&corpus(&root, name)).enumerate() {
            std::fs::write(folder.join(format!("seed-{n}")), seed)
                .expect("the folder can be written");
        }
    }
}

/// A sound file: what is read is no more than the bytes hold, and written again it reads the same.
pub fn wav(bytes: &[u8]) {
    let Ok(sound) = wav::read(bytes) else { return };
    // The densest coding is one byte a sample.
    assert!(sound.samples.len() <= bytes.len());
    assert!((1..=8).contains(&sound.channels));
    let again = wav::read(&wav::write(&sound.samples, sound.rate, sound.channels))
        .expect("our own file can be read");
    assert_eq!(again, sound);
    let channel = sound.channel(0).len();
    assert_eq!(channel, sound.mono().len());
    // From 1 kHz, the least that is read, to 16 kHz: sixteen for one, and what the filter holds.
    assert!(sound.mono_at(16_000).len() <= 16 * channel + 4_096);
    let _ = sound.ms();
}

/// Files of a desk in one: each after a line `=== NAME`.
pub fn desk(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let mut files = BTreeMap::new();
    for part in text.split("=== ").skip(1).take(16) {
        let (name, body) = part.split_once('\n').unwrap_or((part, ""));
        files.insert(name.trim().to_owned(), body.to_owned());
    }
    match parse(&DeskFiles(files)) {
        Ok(source) => {
            let texts = source.texts();
            let length: usize = texts.iter().map(String::len).sum();
            // Every desk has the built-in questions beside its own.
            assert!(length <= 12 * bytes.len() + 400_000, "{length} bytes");
        }
        // A desk that is refused is told why, and where.
        Err(problems) => {
            assert!(!problems.is_empty());
            for problem in problems {
                let says = problem.to_string();
                assert!(
                    !says.is_empty() && says.len() <= 4 * bytes.len() + 4_096,
                    "{says}"
                );
            }
        }
    }
}

/// The weights of a model, and the words of its tokenizer after a line `=== tokenizer`.
pub fn model(bytes: &[u8]) {
    const MARK: &[u8] = b"\n=== tokenizer\n";
    let at = bytes.windows(MARK.len()).position(|w| w == MARK);
    let (weights, words) = match at {
        Some(at) => (&bytes[..at], &bytes[at + MARK.len()..]),
        None => (bytes, &b"{}"[..]),
    };
    if let Ok(model) = parse_ct2(weights) {
        // Each is a piece of the file; an alias is the piece of another.
        assert!(model.variables.len() <= weights.len());
        assert!(
            model
                .variables
                .iter()
                .all(|v| v.data.len() <= weights.len())
        );
    }
    for kind in [Weights::F16, Weights::Q8_0] {
        if let Ok(ggml) = whisper_to_ggml(weights, words, kind) {
            assert!(ggml.len() <= 4 * bytes.len() + 4 * 1024 * 1024);
        }
    }
    if let Ok(standard) = onnx_to_standard(weights) {
        assert!(standard.len() <= 8 * bytes.len() + 65_536);
        let again = onnx_to_standard(&standard).expect("what is standard is taken");
        assert_eq!(again, standard, "and stays as it is");
    }
}

fn wav_seeds() -> Vec<Vec<u8>> {
    let sound: Vec<i16> = (0..400).map(|n| (n * 97 % 2_000) as i16 - 1_000).collect();
    let mut seeds = vec![
        wav::write(&sound, 8_000, 1),
        wav::write(&sound, 48_000, 2),
        wav::write(&[], 16_000, 1),
    ];
    // G.711, 24 bits and floats, and a chunk before the sound.
    for (tag, bits) in [(7_u16, 8_u16), (6, 8), (1, 24), (3, 32), (3, 64), (1, 8)] {
        let align = bits / 8;
        let mut file =
            b"RIFF\x00\x00\x00\x00WAVELIST\x04\x00\x00\x00INFOfmt \x10\x00\x00\x00".to_vec();
        file.extend([tag.to_le_bytes(), 1_u16.to_le_bytes()].concat());
        file.extend(8_000_u32.to_le_bytes());
        file.extend((8_000 * u32::from(align)).to_le_bytes());
        file.extend([align.to_le_bytes(), bits.to_le_bytes()].concat());
        file.extend(b"data");
        file.extend(240_u32.to_le_bytes());
        file.extend((0..240).map(|n| (n * 31) as u8));
        seeds.push(file);
    }
    seeds
}

fn desk_seeds() -> Vec<Vec<u8>> {
    let sample = Path::new(env!("CARGO_MANIFEST_DIR"));
    let sample = match sample.join("examples/larchpay").is_dir() {
        true => sample.join("examples/larchpay"),
        // The fuzz package is two folders below.
        false => sample.join("../../examples/larchpay"),
    };
    let read = |name: &str| std::fs::read_to_string(sample.join(name)).expect(name);
    let examples: String = read("intents.jsonl")
        .lines()
        .take(12)
        .map(|l| format!("{l}\n"))
        .collect();
    let article = "---\nid: fee\ntitle: What is the late fee?\nintents: [late_fee]\nupdated: 2026-11-01\nspoken: The fee is $7.\n---\nThe fee is $7. There is none under $40.\n\n## When\n\nAfter 7 days.\n";
    let small = format!(
        "=== desk.toml\ncompany = \"Larch\"\nlanguage = \"en-US\"\nhours = [\"mon-fri 08:00-20:00\"]\n[intent.late_fee]\nmode = \"autonomous\"\nfloor = 0.2\n[identity]\nfactors = [\"postcode\"]\n=== intents.jsonl\n{{\"text\": \"what is the late fee\", \"intent\": \"late_fee\"}}\n{{\"text\": \"hello\", \"intent\": null}}\n=== knowledge/fee.md\n{article}=== knowledge/more.jsonl\n{{\"id\": \"a\", \"title\": \"A\", \"text\": \"B.\"}}\n=== phrases.toml\nhold = \"One moment.\"\n"
    );
    vec![
        small.into_bytes(),
        format!(
            "=== desk.toml\n{}=== actions.toml\n{}",
            read("desk.toml"),
            read("actions.toml")
        )
        .into_bytes(),
        format!("=== intents.jsonl\n{examples}=== knowledge/fee.md\n{article}").into_bytes(),
    ]
}

fn text(out: &mut Vec<u8>, s: &str) {
    out.extend((s.len() as u16 + 1).to_le_bytes());
    out.extend(s.as_bytes());
    out.push(0);
}

/// A field of a protocol buffer: number, and bytes.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![number << 3 | 2, bytes.len() as u8];
    out.extend(bytes);
    out
}

fn model_seeds() -> Vec<Vec<u8>> {
    // CTranslate2's file: version, kind, revision, variables (name, dims, type, data), aliases.
    let mut ct2 = 6_u32.to_le_bytes().to_vec();
    text(&mut ct2, "WhisperSpec");
    ct2.extend(3_u32.to_le_bytes());
    ct2.extend(2_u32.to_le_bytes());
    text(&mut ct2, "encoder/num_heads");
    ct2.extend([0, 2]);
    ct2.extend(2_u32.to_le_bytes());
    ct2.extend(4_i16.to_le_bytes());
    text(&mut ct2, "encoder/conv1/weight");
    ct2.push(3);
    for dim in [2_u32, 80, 3] {
        ct2.extend(dim.to_le_bytes());
    }
    ct2.push(4);
    ct2.extend(960_u32.to_le_bytes());
    ct2.extend([0x3C; 960]);
    ct2.extend(1_u32.to_le_bytes());
    text(&mut ct2, "decoder/projection/weight");
    text(&mut ct2, "encoder/conv1/weight");
    let with_words = [
        &ct2[..],
        b"\n=== tokenizer\n{\"model\": {\"vocab\": {\"a\": 0, \"\\u0120b\": 1}}}",
    ]
    .concat();
    // An ONNX model: IR version, a graph with one node of the default domain, an operator set.
    let node = [
        field(1, b"x"),
        field(2, b"y"),
        field(4, b"Relu"),
        field(7, b""),
    ]
    .concat();
    let graph = [field(1, &node), field(2, b"g")].concat();
    let onnx = [
        vec![0x08, 8],
        field(7, &graph),
        field(8, &[0x0A, 0, 0x10, 13]),
    ]
    .concat();
    vec![ct2, with_words, onnx]
}
