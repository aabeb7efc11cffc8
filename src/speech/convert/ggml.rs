//! The file whisper.cpp loads.

use super::ct2::{Ct2Model, Dtype, Variable};
use super::half::{f16_to_f32, f32_to_f16};
use super::{ConvertError, Weights, mel, quant, refuse, vocab};

const MAGIC: i32 = 0x6767_6d6c;
const TYPE_F32: i32 = 0;
const TYPE_F16: i32 = 1;
const TYPE_Q8_0: i32 = 8;
/// `ftype` of the header: a quantised file says its type plus 1000 times the version of the block formats.
const FTYPE_F16: i32 = 1;
const FTYPE_Q8_0: i32 = 7 + 1000 * 2;

/// The header's numbers.
struct Shape {
    vocab: usize,
    audio_ctx: usize,
    audio_state: usize,
    audio_head: usize,
    audio_layer: usize,
    text_ctx: usize,
    text_state: usize,
    text_head: usize,
    text_layer: usize,
    mels: usize,
}

pub fn write(
    model: &Ct2Model<'_>,
    tokenizer_json: &[u8],
    weights: Weights,
) -> Result<Vec<u8>, ConvertError> {
    let shape = Shape::of(model)?;
    let multilingual = shape.vocab >= 51_865;
    let tokens = vocab::tokens(tokenizer_json, if multilingual { 50_257 } else { 50_256 })?;

    let mut out = Out {
        bytes: Vec::new(),
        weights,
    };
    out.i32(MAGIC);
    for n in [
        shape.vocab,
        shape.audio_ctx,
        shape.audio_state,
        shape.audio_head,
        shape.audio_layer,
        shape.text_ctx,
        shape.text_state,
        shape.text_head,
        shape.text_layer,
        shape.mels,
    ] {
        out.len(n)?;
    }
    out.i32(match weights {
        Weights::F16 => FTYPE_F16,
        Weights::Q8_0 => FTYPE_Q8_0,
    });
    out.len(shape.mels)?;
    out.len(mel::BINS)?;
    for weight in mel::filterbank(shape.mels) {
        out.bytes.extend_from_slice(&weight.to_le_bytes());
    }
    out.len(tokens.len())?;
    for token in &tokens {
        out.len(token.len())?;
        out.bytes.extend_from_slice(token);
    }
    tensors(model, &shape, &mut out)?;
    Ok(out.bytes)
}

impl Shape {
    fn of(model: &Ct2Model<'_>) -> Result<Self, ConvertError> {
        let matrix = |name: &str| -> Result<(usize, usize), ConvertError> {
            match model.get(name)?.dims[..] {
                [rows, columns]
                    if (1..=1 << 20).contains(&rows) && (1..=1 << 14).contains(&columns) =>
                {
                    Ok((rows, columns))
                }
                _ => refuse(format!("{name} is not a matrix of a usual size")),
            }
        };
        let heads = |name: &str| -> Result<usize, ConvertError> {
            match model.get(name)?.integer() {
                Some(n @ 1..=64) => Ok(n as usize),
                _ => refuse(format!("{name} is not a usual number")),
            }
        };
        let layers = |side: &str| -> usize {
            (0..100)
                .take_while(|n| {
                    let name = format!("{side}/layer_{n}/ffn/linear_0/weight");
                    model.variables.iter().any(|v| v.name == name)
                })
                .count()
        };
        let (audio_ctx, audio_state) = matrix("encoder/position_encodings/encodings")?;
        let (text_ctx, text_state) = matrix("decoder/position_encodings/encodings")?;
        let (vocab, _) = matrix("decoder/embeddings/weight")?;
        let mels = match model.get("encoder/conv1/weight")?.dims[..] {
            [_, mels @ (80 | 128), 3] => mels,
            _ => return refuse("encoder/conv1/weight is not 80 or 128 bands by 3"),
        };
        if vocab < 51_864 {
            return refuse(format!("a vocabulary of {vocab} is not Whisper's"));
        }
        Ok(Self {
            vocab,
            audio_ctx,
            audio_state,
            audio_head: heads("encoder/num_heads")?,
            audio_layer: layers("encoder"),
            text_ctx,
            text_state,
            text_head: heads("decoder/num_heads")?,
            text_layer: layers("decoder"),
            mels,
        })
    }
}

fn tensors(model: &Ct2Model<'_>, s: &Shape, out: &mut Out) -> Result<(), ConvertError> {
    let d = s.audio_state;
    let t = s.text_state;
    out.vector2(
        model,
        "encoder.positional_embedding",
        "encoder/position_encodings/encodings",
        &[s.audio_ctx, d],
    )?;
    for (conv, inputs) in [("conv1", s.mels), ("conv2", d)] {
        out.conv(model, conv, &[d, inputs, 3])?;
    }
    for n in 0..s.audio_layer {
        let to = format!("encoder.blocks.{n}");
        let from = format!("encoder/layer_{n}");
        out.self_attention(model, &to, &from, d)?;
        out.feed_forward(model, &to, &from, d)?;
    }
    out.norm(model, "encoder.ln_post", "encoder/layer_norm", d)?;
    out.vector2(
        model,
        "decoder.positional_embedding",
        "decoder/position_encodings/encodings",
        &[s.text_ctx, t],
    )?;
    out.matrix(
        model,
        "decoder.token_embedding.weight",
        "decoder/embeddings/weight",
        s.vocab,
        t,
        0,
        s.vocab,
    )?;
    for n in 0..s.text_layer {
        let to = format!("decoder.blocks.{n}");
        let from = format!("decoder/layer_{n}");
        out.self_attention(model, &to, &from, t)?;
        out.cross_attention(model, &to, &from, d, t)?;
        out.feed_forward(model, &to, &from, t)?;
    }
    out.norm(model, "decoder.ln", "decoder/layer_norm", t)
}

struct Out {
    bytes: Vec<u8>,
    weights: Weights,
}

impl Out {
    fn i32(&mut self, n: i32) {
        self.bytes.extend_from_slice(&n.to_le_bytes());
    }
    fn len(&mut self, n: usize) -> Result<(), ConvertError> {
        match i32::try_from(n) {
            Ok(n) => {
                self.i32(n);
                Ok(())
            }
            Err(_) => refuse("a size in the model is too large"),
        }
    }
    /// Head of one tensor. `dims` outermost first; the file has them innermost first.
    fn head(&mut self, name: &str, kind: i32, dims: &[usize]) -> Result<(), ConvertError> {
        self.len(dims.len())?;
        self.len(name.len())?;
        self.i32(kind);
        for dim in dims.iter().rev() {
            self.len(*dim)?;
        }
        self.bytes.extend_from_slice(name.as_bytes());
        Ok(())
    }

    /// Rows `[first, first + rows)` of a matrix of `all x columns`, as 16-bit floats or blocks.
    #[allow(
        clippy::too_many_arguments,
        reason = "a slice of a matrix needs its name twice and its four bounds"
    )]
    fn matrix(
        &mut self,
        model: &Ct2Model<'_>,
        to: &str,
        from: &str,
        all: usize,
        columns: usize,
        first: usize,
        rows: usize,
    ) -> Result<(), ConvertError> {
        let v = shaped(model, from, &[all, columns])?;
        let numbers = slice(v, first * columns, rows * columns)?;
        match self.weights {
            Weights::F16 => {
                self.head(to, TYPE_F16, &[rows, columns])?;
                halves(v.dtype, numbers, &mut self.bytes);
            }
            Weights::Q8_0 => {
                if !columns.is_multiple_of(quant::BLOCK) {
                    return refuse(format!(
                        "{from} has rows of {columns}, not a multiple of {}",
                        quant::BLOCK
                    ));
                }
                self.head(to, TYPE_Q8_0, &[rows, columns])?;
                quant::q8_0(&singles(v.dtype, numbers), &mut self.bytes);
            }
        }
        Ok(())
    }

    /// Part of a bias or a norm, written as 32-bit floats in one dimension.
    fn vector(
        &mut self,
        model: &Ct2Model<'_>,
        to: &str,
        from: &str,
        all: usize,
        first: usize,
        n: usize,
    ) -> Result<(), ConvertError> {
        let v = shaped(model, from, &[all])?;
        let numbers = slice(v, first, n)?;
        self.head(to, TYPE_F32, &[n])?;
        for x in singles(v.dtype, numbers) {
            self.bytes.extend_from_slice(&x.to_le_bytes());
        }
        Ok(())
    }

    /// A positional embedding: a matrix that stays 32-bit.
    fn vector2(
        &mut self,
        model: &Ct2Model<'_>,
        to: &str,
        from: &str,
        dims: &[usize],
    ) -> Result<(), ConvertError> {
        let v = shaped(model, from, dims)?;
        self.head(to, TYPE_F32, dims)?;
        for x in singles(v.dtype, v.data) {
            self.bytes.extend_from_slice(&x.to_le_bytes());
        }
        Ok(())
    }

    fn conv(
        &mut self,
        model: &Ct2Model<'_>,
        conv: &str,
        dims: &[usize; 3],
    ) -> Result<(), ConvertError> {
        let v = shaped(model, &format!("encoder/{conv}/weight"), dims)?;
        self.head(&format!("encoder.{conv}.weight"), TYPE_F16, dims)?;
        halves(v.dtype, v.data, &mut self.bytes);
        let v = shaped(model, &format!("encoder/{conv}/bias"), &[dims[0]])?;
        // The loader wants a column, so that it broadcasts over time.
        self.head(&format!("encoder.{conv}.bias"), TYPE_F32, &[dims[0], 1])?;
        for x in singles(v.dtype, v.data) {
            self.bytes.extend_from_slice(&x.to_le_bytes());
        }
        Ok(())
    }

    fn norm(
        &mut self,
        model: &Ct2Model<'_>,
        to: &str,
        from: &str,
        d: usize,
    ) -> Result<(), ConvertError> {
        self.vector(
            model,
            &format!("{to}.weight"),
            &format!("{from}/gamma"),
            d,
            0,
            d,
        )?;
        self.vector(
            model,
            &format!("{to}.bias"),
            &format!("{from}/beta"),
            d,
            0,
            d,
        )
    }

    fn linear(
        &mut self,
        model: &Ct2Model<'_>,
        to: &str,
        from: &str,
        rows: usize,
        columns: usize,
    ) -> Result<(), ConvertError> {
        self.matrix(
            model,
            &format!("{to}.weight"),
            &format!("{from}/weight"),
            rows,
            columns,
            0,
            rows,
        )?;
        self.vector(
            model,
            &format!("{to}.bias"),
            &format!("{from}/bias"),
            rows,
            0,
            rows,
        )
    }

    /// CTranslate2 keeps query, key and value in one matrix; whisper.cpp in three. The key's bias is all zero and left out.
    fn self_attention(
        &mut self,
        model: &Ct2Model<'_>,
        to: &str,
        from: &str,
        d: usize,
    ) -> Result<(), ConvertError> {
        let source = format!("{from}/self_attention");
        self.norm(
            model,
            &format!("{to}.attn_ln"),
            &format!("{source}/layer_norm"),
            d,
        )?;
        for (n, part) in ["query", "key", "value"].iter().enumerate() {
            self.matrix(
                model,
                &format!("{to}.attn.{part}.weight"),
                &format!("{source}/linear_0/weight"),
                3 * d,
                d,
                n * d,
                d,
            )?;
            if *part != "key" {
                self.vector(
                    model,
                    &format!("{to}.attn.{part}.bias"),
                    &format!("{source}/linear_0/bias"),
                    3 * d,
                    n * d,
                    d,
                )?;
            }
        }
        self.linear(
            model,
            &format!("{to}.attn.out"),
            &format!("{source}/linear_1"),
            d,
            d,
        )
    }

    /// As above; the query is apart, because it looks at the text, and key and value at the sound.
    fn cross_attention(
        &mut self,
        model: &Ct2Model<'_>,
        to: &str,
        from: &str,
        audio: usize,
        text: usize,
    ) -> Result<(), ConvertError> {
        let source = format!("{from}/attention");
        self.norm(
            model,
            &format!("{to}.cross_attn_ln"),
            &format!("{source}/layer_norm"),
            text,
        )?;
        self.linear(
            model,
            &format!("{to}.cross_attn.query"),
            &format!("{source}/linear_0"),
            text,
            text,
        )?;
        let both = format!("{source}/linear_1");
        for (n, part) in ["key", "value"].iter().enumerate() {
            self.matrix(
                model,
                &format!("{to}.cross_attn.{part}.weight"),
                &format!("{both}/weight"),
                2 * text,
                audio,
                n * text,
                text,
            )?;
        }
        self.vector(
            model,
            &format!("{to}.cross_attn.value.bias"),
            &format!("{both}/bias"),
            2 * text,
            text,
            text,
        )?;
        self.linear(
            model,
            &format!("{to}.cross_attn.out"),
            &format!("{source}/linear_2"),
            text,
            text,
        )
    }

    fn feed_forward(
        &mut self,
        model: &Ct2Model<'_>,
        to: &str,
        from: &str,
        d: usize,
    ) -> Result<(), ConvertError> {
        self.norm(
            model,
            &format!("{to}.mlp_ln"),
            &format!("{from}/ffn/layer_norm"),
            d,
        )?;
        self.linear(
            model,
            &format!("{to}.mlp.0"),
            &format!("{from}/ffn/linear_0"),
            4 * d,
            d,
        )?;
        self.linear(
            model,
            &format!("{to}.mlp.2"),
            &format!("{from}/ffn/linear_1"),
            d,
            4 * d,
        )
    }
}

/// The variable, if it has this shape and holds floats.
fn shaped<'m, 'a>(
    model: &'m Ct2Model<'a>,
    name: &str,
    dims: &[usize],
) -> Result<&'m Variable<'a>, ConvertError> {
    let v = model.get(name)?;
    if v.dims != dims {
        return refuse(format!("{name} is {:?}, not {dims:?}", v.dims));
    }
    match v.dtype {
        Dtype::F32 | Dtype::F16 => Ok(v),
        _ => refuse(format!(
            "{name} is not of 16 or 32-bit floats; take the f16 model"
        )),
    }
}

fn slice<'a>(v: &Variable<'a>, first: usize, n: usize) -> Result<&'a [u8], ConvertError> {
    let width = if v.dtype == Dtype::F16 { 2 } else { 4 };
    match v.data.get(first * width..(first + n) * width) {
        Some(part) => Ok(part),
        None => refuse(format!("{} is shorter than its parts", v.name)),
    }
}

fn singles(dtype: Dtype, data: &[u8]) -> Vec<f32> {
    match dtype {
        Dtype::F16 => data
            .chunks_exact(2)
            .map(|b| f16_to_f32(u16::from_le_bytes([b[0], b[1]])))
            .collect(),
        _ => data
            .chunks_exact(4)
            .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
            .collect(),
    }
}

fn halves(dtype: Dtype, data: &[u8], out: &mut Vec<u8>) {
    match dtype {
        Dtype::F16 => out.extend_from_slice(data),
        _ => out.extend(
            singles(dtype, data)
                .into_iter()
                .flat_map(|x| f32_to_f16(x).to_le_bytes()),
        ),
    }
}
