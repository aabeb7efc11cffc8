//! The tensors of an ONNX file, which is a protocol buffer (`onnx.proto`): what a model's weights are read with where its graph is not
//! wanted.

use std::ops::Range;

/// ONNX's numbers of the types of a tensor's numbers.
pub const FLOAT: u64 = 1;
pub const INT8: u64 = 3;

/// One of a file's tensors.
pub struct Tensor<'a> {
    pub name: &'a str,
    pub kind: u64,
    /// Where its numbers lie in the file.
    pub raw: Range<usize>,
}

/// All tensors, in the file's order. None: this is no ONNX file, or it is cut short.
pub fn tensors(model: &[u8]) -> Option<Vec<Tensor<'_>>> {
    let mut out = Vec::new();
    // ModelProto.graph is field 7, GraphProto.initializer 5; of a TensorProto, data_type is 2, name 8, raw_data 9.
    for graph in inner(model, 0..model.len(), 7)? {
        for tensor in inner(model, graph, 5)? {
            let mut read = Tensor {
                name: "",
                kind: 0,
                raw: 0..0,
            };
            for (number, bytes, value) in fields(model, tensor)? {
                match number {
                    2 => read.kind = value,
                    8 => read.name = std::str::from_utf8(&model[bytes]).ok()?,
                    9 => read.raw = bytes,
                    _ => {}
                }
            }
            out.push(read);
        }
    }
    Some(out)
}

/// The messages of one number inside a message.
fn inner(bytes: &[u8], within: Range<usize>, number: u64) -> Option<Vec<Range<usize>>> {
    let all = fields(bytes, within)?;
    Some(
        all.into_iter()
            .filter(|(n, inner, _)| *n == number && !inner.is_empty())
            .map(|(_, inner, _)| inner)
            .collect(),
    )
}

/// A message's fields (protocol buffers' encoding): number, where its bytes lie, and its value where it is a number.
fn fields(bytes: &[u8], within: Range<usize>) -> Option<Vec<(u64, Range<usize>, u64)>> {
    let mut out = Vec::new();
    let mut at = within.start;
    while at < within.end {
        let tag = varint(bytes, &mut at)?;
        let (mut inner, mut value) = (0..0, 0);
        match tag & 7 {
            0 => value = varint(bytes, &mut at)?,
            1 => at += 8,
            2 => {
                let length = usize::try_from(varint(bytes, &mut at)?).ok()?;
                inner = at..at.checked_add(length)?;
                at = inner.end;
            }
            5 => at += 4,
            _ => return None,
        }
        if at > within.end {
            return None;
        }
        out.push((tag >> 3, inner, value));
    }
    Some(out)
}

fn varint(bytes: &[u8], at: &mut usize) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let byte = *bytes.get(*at)?;
        *at += 1;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}
