//! An ONNX file field by field: it is a protocol buffer (`onnx.proto`). ModelProto.graph = 7; GraphProto {node = 1, initializer = 5};
//! NodeProto {input = 1, output = 2, name = 3, op_type = 4, attribute = 5, domain = 7}; AttributeProto {name = 1, i = 3, s = 4, ints =
//! 8, type = 20}; TensorProto {dims = 1, data_type = 2, name = 8, raw_data = 9}.

use super::ConvertError;

pub(super) const GRAPH: u64 = 7;
pub(super) const NODE: u64 = 1;
pub(super) const INITIALIZER: u64 = 5;

/// A model with its graph as `rewrite` gives it and everything else byte for byte; none where it does not hold exactly one graph.
///
/// # Errors
/// Not an ONNX file, or what `rewrite` refuses.
pub(super) fn with_graph(
    model: &[u8],
    rewrite: impl Fn(&[u8]) -> Result<Vec<u8>, ConvertError>,
) -> Result<Option<Vec<u8>>, ConvertError> {
    let mut out = Vec::with_capacity(model.len() + (1 << 16));
    let mut graphs = 0;
    for field in fields(model) {
        let field = field?;
        match field.bytes {
            Some(graph) if field.number == GRAPH => {
                graphs += 1;
                write_bytes(&mut out, GRAPH, &rewrite(graph)?);
            }
            _ => out.extend_from_slice(field.whole),
        }
    }
    Ok((graphs == 1).then_some(out))
}

/// One field of a message.
pub(super) struct Field<'a> {
    pub number: u64,
    /// Of a length-delimited field.
    pub bytes: Option<&'a [u8]>,
    /// Of a varint.
    pub value: u64,
    /// With its tag, as it stands.
    pub whole: &'a [u8],
}

pub(super) fn fields(mut rest: &[u8]) -> impl Iterator<Item = Result<Field<'_>, ConvertError>> {
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let field = field(rest);
        rest = match &field {
            Ok(f) => &rest[f.whole.len()..],
            Err(_) => &[],
        };
        Some(field)
    })
}

fn field(bytes: &[u8]) -> Result<Field<'_>, ConvertError> {
    let cut = || ConvertError("this ONNX file ends too early".into());
    let mut at = 0;
    let tag = varint(bytes, &mut at).ok_or_else(cut)?;
    let (mut value, mut inner) = (0, None);
    match tag & 7 {
        0 => value = varint(bytes, &mut at).ok_or_else(cut)?,
        1 => at += 8,
        2 => {
            let length = varint(bytes, &mut at).ok_or_else(cut)?;
            let length = usize::try_from(length).map_err(|_| cut())?;
            let end = at.checked_add(length).ok_or_else(cut)?;
            inner = Some(bytes.get(at..end).ok_or_else(cut)?);
            at = end;
        }
        5 => at += 4,
        _ => {
            return Err(ConvertError(
                "this is no ONNX file: it is no protocol buffer".into(),
            ));
        }
    }
    Ok(Field {
        number: tag >> 3,
        bytes: inner,
        value,
        whole: bytes.get(..at).ok_or_else(cut)?,
    })
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

pub(super) fn write_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

pub(super) fn write_number(out: &mut Vec<u8>, number: u64, value: u64) {
    write_varint(out, number << 3);
    write_varint(out, value);
}

pub(super) fn write_bytes(out: &mut Vec<u8>, number: u64, bytes: &[u8]) {
    write_varint(out, number << 3 | 2);
    write_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// A whole number that is a size.
pub(super) fn size(value: u64) -> Result<usize, ConvertError> {
    u32::try_from(value)
        .map(|v| v as usize)
        .map_err(|_| ConvertError("this ONNX file has a size that is none".into()))
}

/// Sizes one after the other, as protocol buffers pack them.
pub(super) fn sizes(packed: &[u8]) -> Result<Vec<usize>, ConvertError> {
    let (mut out, mut at) = (Vec::new(), 0);
    while at < packed.len() {
        let value = varint(packed, &mut at)
            .ok_or_else(|| ConvertError("this ONNX file ends too early".into()))?;
        out.push(size(value)?);
    }
    Ok(out)
}
