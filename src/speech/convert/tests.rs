use proptest::prelude::*;

use super::*;

/// Writes a CTranslate2 file, so that tests need no model.
struct Writer {
    body: Vec<u8>,
    count: u32,
}

fn text(out: &mut Vec<u8>, s: &str) {
    out.extend_from_slice(&(s.len() as u16 + 1).to_le_bytes());
    out.extend_from_slice(s.as_bytes());
    out.push(0);
}

impl Writer {
    fn var(&mut self, name: &str, dims: &[u32], dtype: u8, data: &[u8]) {
        text(&mut self.body, name);
        self.body.push(dims.len() as u8);
        for d in dims {
            self.body.extend_from_slice(&d.to_le_bytes());
        }
        self.body.push(dtype);
        self.body
            .extend_from_slice(&(data.len() as u32).to_le_bytes());
        self.body.extend_from_slice(data);
        self.count += 1;
    }
    /// Half-precision numbers that differ from each other, counted up from a seed.
    fn f16(&mut self, name: &str, dims: &[u32]) {
        let n: u32 = dims.iter().product();
        let data: Vec<u8> = (0..n)
            .flat_map(|i| {
                f32_to_f16(((u64::from(i) * 7919 + u64::from(n)) % 509) as f32 / 256.0 - 1.0)
                    .to_le_bytes()
            })
            .collect();
        self.var(name, dims, 4, &data);
    }
    fn norm(&mut self, name: &str, d: u32) {
        self.f16(&format!("{name}/gamma"), &[d]);
        self.f16(&format!("{name}/beta"), &[d]);
    }
    fn linear(&mut self, name: &str, rows: u32, columns: u32) {
        self.f16(&format!("{name}/weight"), &[rows, columns]);
        self.f16(&format!("{name}/bias"), &[rows]);
    }
    fn file(self) -> Vec<u8> {
        let mut out = 6u32.to_le_bytes().to_vec();
        text(&mut out, "WhisperSpec");
        out.extend_from_slice(&3u32.to_le_bytes());
        out.extend_from_slice(&self.count.to_le_bytes());
        out.extend_from_slice(&self.body);
        out.extend_from_slice(&1u32.to_le_bytes());
        text(&mut out, "decoder/projection/weight");
        text(&mut out, "decoder/embeddings/weight");
        out
    }
}

const D: u32 = 32;

/// One layer a side, 32 wide, Whisper's own vocabulary.
fn tiny() -> Vec<u8> {
    let mut w = Writer {
        body: Vec::new(),
        count: 0,
    };
    w.f16("encoder/position_encodings/encodings", &[20, D]);
    w.f16("encoder/conv1/weight", &[D, 80, 3]);
    w.f16("encoder/conv1/bias", &[D]);
    w.f16("encoder/conv2/weight", &[D, D, 3]);
    w.f16("encoder/conv2/bias", &[D]);
    w.norm("encoder/layer_norm", D);
    w.norm("decoder/layer_norm", D);
    w.f16("decoder/position_encodings/encodings", &[10, D]);
    w.f16("decoder/embeddings/weight", &[51_864, D]);
    for side in ["encoder", "decoder"] {
        w.var(&format!("{side}/num_heads"), &[], 2, &4i16.to_le_bytes());
        let l = format!("{side}/layer_0");
        w.norm(&format!("{l}/self_attention/layer_norm"), D);
        w.linear(&format!("{l}/self_attention/linear_0"), 3 * D, D);
        w.linear(&format!("{l}/self_attention/linear_1"), D, D);
        w.norm(&format!("{l}/ffn/layer_norm"), D);
        w.linear(&format!("{l}/ffn/linear_0"), 4 * D, D);
        w.linear(&format!("{l}/ffn/linear_1"), D, 4 * D);
    }
    w.norm("decoder/layer_0/attention/layer_norm", D);
    w.linear("decoder/layer_0/attention/linear_0", D, D);
    w.linear("decoder/layer_0/attention/linear_1", 2 * D, D);
    w.linear("decoder/layer_0/attention/linear_2", D, D);
    w.file()
}

fn tokenizer() -> Vec<u8> {
    let vocab: serde_json::Map<String, serde_json::Value> = (0..50_256u32)
        .map(|i| {
            let text: String = i
                .to_string()
                .chars()
                .map(|c| char::from_u32(u32::from(c) + 49).unwrap())
                .collect();
            (text, i.into())
        })
        .collect();
    serde_json::json!({"model": {"vocab": vocab}})
        .to_string()
        .into_bytes()
}

/// A ggml file as whisper.cpp's loader walks it: name, type, dims (innermost first), data.
fn walk(file: &[u8]) -> (Vec<i32>, Vec<(String, i32, Vec<usize>, &[u8])>) {
    let int = |at: usize| i32::from_le_bytes(file[at..at + 4].try_into().unwrap());
    let header: Vec<i32> = (0..14).map(|i| int(i * 4)).collect();
    let mut at = 14 * 4 + header[12] as usize * header[13] as usize * 4;
    let tokens = int(at);
    at += 4;
    for _ in 0..tokens {
        at += 4 + int(at) as usize;
    }
    let mut tensors = Vec::new();
    while at < file.len() {
        let (n, name, kind) = (int(at) as usize, int(at + 4) as usize, int(at + 8));
        at += 12;
        let dims: Vec<usize> = (0..n).map(|i| int(at + 4 * i) as usize).collect();
        at += 4 * n;
        let label = String::from_utf8(file[at..at + name].to_vec()).unwrap();
        at += name;
        let numbers: usize = dims.iter().product();
        let bytes = match kind {
            0 => numbers * 4,
            1 => numbers * 2,
            8 => numbers / 32 * 34,
            _ => panic!("type {kind}"),
        };
        tensors.push((label, kind, dims, &file[at..at + bytes]));
        at += bytes;
    }
    (header, tensors)
}

#[test]
fn a_small_model_comes_out_whole() {
    let model = tiny();
    let f16 = whisper_to_ggml(&model, &tokenizer(), Weights::F16).unwrap();
    let (header, tensors) = walk(&f16);
    assert_eq!(
        header,
        [
            0x67676d6c, 51864, 20, 32, 4, 1, 10, 32, 4, 1, 80, 1, 80, 201
        ]
    );
    // The counts whisper.cpp expects: 5 + 2 + 15 per encoder layer, 2 + 2 + 24 per decoder layer.
    assert_eq!(tensors.len(), 7 + 15 + 4 + 24);
    let get = |name: &str| tensors.iter().find(|t| t.0 == name).unwrap();
    assert_eq!(get("encoder.conv1.bias").2, [1, 32]);
    assert_eq!(get("encoder.blocks.0.mlp.0.weight").2, [32, 128]);
    // Query, key and value are the thirds of one matrix.
    let parsed = parse_ct2(&model).unwrap();
    let joined = parsed
        .get("encoder/layer_0/self_attention/linear_0/weight")
        .unwrap();
    let third = 32 * 32 * 2;
    assert_eq!(
        get("encoder.blocks.0.attn.key.weight").3,
        &joined.data[third..2 * third]
    );
    assert!(
        tensors
            .iter()
            .all(|t| t.0 != "encoder.blocks.0.attn.key.bias")
    );
    assert_eq!(get("decoder.positional_embedding").1, 0);

    let q8 = whisper_to_ggml(&model, &tokenizer(), Weights::Q8_0).unwrap();
    let (header, tensors8) = walk(&q8);
    assert_eq!(header[11], 2007);
    for ((name, kind, dims, data), (name8, kind8, dims8, data8)) in tensors.iter().zip(&tensors8) {
        assert_eq!((name, dims), (name8, dims8));
        // Matrices of weights are blocks; everything else is as it was.
        if dims.len() == 2 && *kind == 1 {
            assert_eq!(*kind8, 8, "{name}");
        } else {
            assert_eq!((kind, data), (kind8, data8), "{name}");
        }
    }
}

#[test]
fn damage_is_refused_in_a_sentence() {
    let good = tiny();
    let tok = tokenizer();
    let says = |bytes: &[u8]| whisper_to_ggml(bytes, &tok, Weights::Q8_0).unwrap_err().0;
    for cut in [0, 3, 5, 20, 40, 1000, good.len() / 2, good.len() - 1] {
        assert!(says(&good[..cut]).contains("ends early"), "cut at {cut}");
    }
    let mut long = good.clone();
    long.push(0);
    assert!(says(&long).contains("left over"));
    let mut wrong = good.clone();
    wrong[0] = 7;
    assert!(says(&wrong).contains("version 7"));
    let mut wrong = good.clone();
    wrong[6] = b'X';
    assert!(says(&wrong).contains("not a Whisper model"));
    // The count of variables, just after the spec's name and revision.
    let mut wrong = good.clone();
    wrong[22..26].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(says(&wrong).contains("more than"));
    assert!(whisper_to_ggml(&good, b"{\"model\":{\"vocab\":{}}}", Weights::F16).is_err());
}

#[test]
fn shapes_that_overflow_or_lie_are_refused() {
    let refuse = |dims: &[u32], bytes: usize| {
        let mut w = Writer {
            body: Vec::new(),
            count: 0,
        };
        w.var("x", dims, 4, &vec![0; bytes]);
        parse_ct2(&w.file()).is_err()
    };
    assert!(!refuse(&[2, 2], 8));
    assert!(refuse(&[2, 2], 7));
    assert!(refuse(&[u32::MAX, u32::MAX, u32::MAX, u32::MAX], 8));
    assert!(refuse(&[0x8000_0000, 0x8000_0000, 2], 0));
    assert!(refuse(&[1, 1, 1, 1, 1], 2));
    // An 8-bit model: its scales would be needed, and nobody has published one that this reads.
    let mut int8 = Writer {
        body: Vec::new(),
        count: 0,
    };
    int8.var("decoder/embeddings/weight", &[51_864, 1], 1, &[0; 51_864]);
    let said = whisper_to_ggml(&int8.file(), &tokenizer(), Weights::F16).unwrap_err();
    assert!(!said.0.is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn rubbish_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        let _ = whisper_to_ggml(&bytes, &bytes, Weights::Q8_0);
    }

    /// Rubbish behind a good beginning reaches the code that reads variables.
    #[test]
    fn rubbish_variables_never_panic(count in 0u32..20, bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        let mut w = Writer { body: bytes, count };
        w.count = count;
        let file = w.file();
        if let Ok(model) = parse_ct2(&file) {
            prop_assert!(model.variables.iter().map(|v| v.data.len()).sum::<usize>() <= file.len());
        }
    }

    #[test]
    fn one_changed_byte_never_panics(at in 0usize..20_000, to in any::<u8>()) {
        use std::sync::LazyLock;
        static GOOD: LazyLock<(Vec<u8>, Vec<u8>)> = LazyLock::new(|| (tiny(), b"{\"model\":{\"vocab\":{}}}".to_vec()));
        let mut file = GOOD.0.clone();
        file[at] = to;
        // The vocabulary is refused last, so everything before it is read.
        prop_assert!(whisper_to_ggml(&file, &GOOD.1, Weights::F16).is_err());
    }
}
