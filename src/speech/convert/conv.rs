//! A voice's convolutions as multiplications of matrices.
//!
//! rten gathers what a kernel sees number by number, which takes most of the time of a voice with few channels. Whole rows are shifted
//! many times quicker: a convolution along time with a kernel of `k` is written as `Pad` and the sum of `k` convolutions with a kernel
//! of 1, each of the sound `Slice`d a step later. Every product is the same; only the order in which they are added up may differ.

use std::collections::HashMap;

use super::ConvertError;
use super::onnx::{Node, list, whole_number, write};
use super::proto::{INITIALIZER, NODE, fields, size, sizes, with_graph, write_bytes, write_number};

/// ONNX's numbers of the types of a tensor's numbers.
const FLOAT: u64 = 1;
const INT64: u64 = 7;

/// The model with every plain convolution along time (one group, stride 1, a kernel of 2 or more) written out. Everything else is copied
/// byte for byte.
///
/// # Errors
/// Not an ONNX file, or a convolution whose weights are not as long as they say.
pub fn unrolled(model: &[u8]) -> Result<Vec<u8>, ConvertError> {
    with_graph(model, rewritten)?
        .ok_or_else(|| ConvertError("this is not a voice: it holds no graph".into()))
}

fn rewritten(graph: &[u8]) -> Result<Vec<u8>, ConvertError> {
    let mut weights: HashMap<&[u8], Weights<'_>> = HashMap::new();
    let mut uses: HashMap<&[u8], usize> = HashMap::new();
    for field in fields(graph) {
        let field = field?;
        let Some(bytes) = field.bytes else { continue };
        if field.number == INITIALIZER
            && let Some((name, tensor)) = Weights::read(bytes)?
        {
            weights.insert(name, tensor);
        } else if field.number == NODE {
            for input in Node::read(bytes)?.inputs {
                *uses.entry(input).or_default() += 1;
            }
        }
    }
    // Weights that another node reads, too, are left to it.
    weights.retain(|name, _| uses.get(name) == Some(&1));
    let mut out = Vec::with_capacity(graph.len() + (1 << 16));
    let mut made = Vec::new();
    let mut gone: Vec<&[u8]> = Vec::new();
    for field in fields(graph) {
        let field = field?;
        match field.bytes {
            Some(bytes) if field.number == NODE => {
                let node = Node::read(bytes)?;
                match Conv::of(&node, &weights)? {
                    Some(conv) => {
                        for plain in conv.written(&node, gone.len(), &mut made) {
                            write_bytes(&mut out, NODE, &plain);
                        }
                        gone.push(node.inputs[1]);
                    }
                    None => out.extend_from_slice(field.whole),
                }
            }
            // Behind the nodes, when it is known which are still wanted.
            _ if field.number == INITIALIZER => {}
            _ => out.extend_from_slice(field.whole),
        }
    }
    for field in fields(graph) {
        let field = field?;
        if let Some(bytes) = field.bytes
            && field.number == INITIALIZER
        {
            let name = Weights::read(bytes)?.map(|(name, _)| name);
            if !name.is_some_and(|name| gone.contains(&name)) {
                out.extend_from_slice(field.whole);
            }
        }
    }
    for tensor in made {
        write_bytes(&mut out, INITIALIZER, &tensor);
    }
    Ok(out)
}

/// A tensor of 32-bit floats, as it lies in the file.
struct Weights<'a> {
    dims: Vec<usize>,
    raw: &'a [u8],
}

impl<'a> Weights<'a> {
    /// None for other tensors.
    fn read(bytes: &'a [u8]) -> Result<Option<(&'a [u8], Self)>, ConvertError> {
        let (mut dims, mut kind, mut name, mut raw) = (Vec::new(), 0, None, None);
        for field in fields(bytes) {
            let field = field?;
            match (field.number, field.bytes) {
                (1, None) => dims.push(size(field.value)?),
                (1, Some(packed)) => dims.extend(sizes(packed)?),
                (2, None) => kind = field.value,
                (8, Some(bytes)) => name = Some(bytes),
                (9, Some(bytes)) => raw = Some(bytes),
                _ => {}
            }
        }
        Ok(match (name, raw) {
            (Some(name), Some(raw)) if kind == FLOAT => Some((name, Self { dims, raw })),
            _ => None,
        })
    }
}

/// A convolution that can be written out.
struct Conv<'a> {
    weights: &'a Weights<'a>,
    outputs: usize,
    inputs: usize,
    kernel: usize,
    dilation: usize,
    pads: [usize; 2],
}

impl<'a> Conv<'a> {
    fn of(
        node: &Node<'_>,
        weights: &'a HashMap<&[u8], Weights<'a>>,
    ) -> Result<Option<Self>, ConvertError> {
        if node.op != b"Conv"
            || !node.domain.is_empty()
            || node.inputs.len() < 2
            || node.outputs.len() != 1
        {
            return Ok(None);
        }
        let Some(weights) = weights.get(node.inputs[1]) else {
            return Ok(None);
        };
        let &[outputs, inputs, kernel] = weights.dims.as_slice() else {
            return Ok(None);
        };
        let of = |name: &str, usual: &[usize]| -> Result<Vec<usize>, ConvertError> {
            let list = node.numbers(name)?;
            Ok(if list.is_empty() {
                usual.to_vec()
            } else {
                list
            })
        };
        let (strides, dilations, pads) = (
            of("strides", &[1])?,
            of("dilations", &[1])?,
            of("pads", &[0, 0])?,
        );
        let plain = kernel > 1
            && matches!(node.number("group"), 0 | 1)
            && strides == [1]
            && node.attribute("auto_pad").is_none();
        let (&[dilation], &[before, after]) = (dilations.as_slice(), pads.as_slice()) else {
            return Ok(None);
        };
        if !plain || dilation == 0 {
            return Ok(None);
        }
        let count = outputs
            .checked_mul(inputs)
            .and_then(|n| n.checked_mul(kernel))
            .and_then(|n| n.checked_mul(4));
        if count != Some(weights.raw.len()) {
            return Err(ConvertError(
                "this voice has a convolution whose weights are not as long as they say".into(),
            ));
        }
        Ok(Some(Self {
            weights,
            outputs,
            inputs,
            kernel,
            dilation,
            pads: [before, after],
        }))
    }

    /// The nodes it is written as; their new tensors go to `made`.
    fn written(&self, node: &Node<'_>, number: usize, made: &mut Vec<Vec<u8>>) -> Vec<Vec<u8>> {
        let part = |what: &str| format!("unrolled/{number}/{what}").into_bytes();
        let (mut nodes, mut x) = (Vec::new(), node.inputs[0].to_vec());
        let mut op = |op: &str, inputs: &[&[u8]], to: &[u8], attributes: &[&[u8]]| {
            let name = [to, b"/", op.as_bytes()].concat();
            nodes.push(write(&name, op, inputs, &[to], attributes));
        };
        if self.pads != [0, 0] {
            let (pads, padded) = (part("pads"), part("padded"));
            let [before, after] = self.pads.map(|n| n as i64);
            made.push(whole_numbers(&pads, &[0, 0, before, 0, 0, after]));
            op("Pad", &[&x, &pads], &padded, &[]);
            x = padded;
        }
        let axis = part("axis");
        made.push(whole_numbers(&axis, &[2]));
        let mut sum: Vec<u8> = Vec::new();
        for tap in 0..self.kernel {
            let of = |what: &str| part(&format!("{tap}/{what}"));
            let (mut from, to, shifted, weights) = (of("from"), of("to"), of("x"), of("w"));
            made.push(whole_numbers(&from, &[(tap * self.dilation) as i64]));
            let left = ((self.kernel - 1 - tap) * self.dilation) as i64;
            // Counted from the end; the last goes to it, however long the sound is.
            let end = if left == 0 {
                i64::from(i32::MAX)
            } else {
                -left
            };
            made.push(whole_numbers(&to, &[end]));
            if tap > 0 {
                // One voice is spoken at a time, so this times 1: it makes the tap wait for the sum, or rten shifts for all taps
                // before it multiplies the first, and holds them all.
                let (one, after) = (of("one"), of("after"));
                op(
                    "Shape",
                    &[&sum],
                    &one,
                    &[&whole_number("start", 0), &whole_number("end", 1)],
                );
                op("Mul", &[&one, &from], &after, &[]);
                from = after;
            }
            op("Slice", &[&x, &from, &to, &axis], &shifted, &[]);
            made.push(self.tap(&weights, tap));
            let mut inputs: Vec<&[u8]> = vec![&shifted, &weights];
            if tap == 0 {
                inputs.extend(&node.inputs[2..]);
            }
            let y = of("y");
            op("Conv", &inputs, &y, &[&list("kernel_shape", &[1])]);
            if tap == 0 {
                sum = y;
                continue;
            }
            let to = if tap + 1 == self.kernel {
                node.outputs[0].to_vec()
            } else {
                of("sum")
            };
            op("Add", &[&sum, &y], &to, &[]);
            sum = to;
        }
        nodes
    }

    /// The weights of one tap, as [outputs, inputs, 1].
    fn tap(&self, name: &[u8], tap: usize) -> Vec<u8> {
        let taps = self.weights.raw.chunks_exact(4 * self.kernel);
        let raw: Vec<u8> = taps
            .flat_map(|all| &all[4 * tap..4 * tap + 4])
            .copied()
            .collect();
        tensor(name, FLOAT, &[self.outputs, self.inputs, 1], &raw)
    }
}

fn tensor(name: &[u8], kind: u64, dims: &[usize], raw: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(raw.len() + 64);
    for dim in dims {
        write_number(&mut out, 1, *dim as u64);
    }
    write_number(&mut out, 2, kind);
    write_bytes(&mut out, 8, name);
    write_bytes(&mut out, 9, raw);
    out
}

fn whole_numbers(name: &[u8], values: &[i64]) -> Vec<u8> {
    let raw: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    tensor(name, INT64, &[values.len()], &raw)
}

#[cfg(test)]
mod tests {
    use super::super::proto::GRAPH;
    use super::*;

    fn model(nodes: &[Vec<u8>], tensors: &[Vec<u8>]) -> Vec<u8> {
        let mut graph = Vec::new();
        for node in nodes {
            write_bytes(&mut graph, NODE, node);
        }
        for tensor in tensors {
            write_bytes(&mut graph, INITIALIZER, tensor);
        }
        let mut out = Vec::new();
        write_number(&mut out, 1, 9);
        write_bytes(&mut out, GRAPH, &graph);
        out
    }

    fn weights(name: &str, dims: &[usize], first: f32) -> Vec<u8> {
        let count: usize = dims.iter().product();
        let raw: Vec<u8> = (0..count)
            .flat_map(|n| (first + n as f32).to_le_bytes())
            .collect();
        tensor(name.as_bytes(), FLOAT, dims, &raw)
    }

    /// The operators of a model and the names of its tensors.
    fn parts(model: &[u8]) -> (Vec<String>, Vec<String>) {
        let plain = |b: &[u8]| String::from_utf8_lossy(b).into_owned();
        let (mut nodes, mut tensors) = (Vec::new(), Vec::new());
        let graph = fields(model)
            .map(Result::unwrap)
            .find(|f| f.number == GRAPH)
            .and_then(|f| f.bytes)
            .unwrap();
        for field in fields(graph).map(Result::unwrap) {
            match (field.number, field.bytes) {
                (NODE, Some(bytes)) => nodes.push(plain(Node::read(bytes).unwrap().op)),
                (INITIALIZER, Some(bytes)) => {
                    let name = fields(bytes).map(Result::unwrap).find(|f| f.number == 8);
                    tensors.push(plain(name.and_then(|f| f.bytes).unwrap()));
                }
                _ => {}
            }
        }
        (nodes, tensors)
    }

    #[test]
    fn a_convolution_along_time_is_written_out_and_others_are_left() {
        let conv = write(
            b"c",
            "Conv",
            &[b"x", b"w", b"b"],
            &[b"y"],
            &[&list("pads", &[2, 2]), &list("dilations", &[2])],
        );
        let by_channel = write(
            b"d",
            "Conv",
            &[b"y", b"v"],
            &[b"z"],
            &[&whole_number("group", 4)],
        );
        let out = unrolled(&model(
            &[conv.clone(), by_channel],
            &[weights("w", &[2, 4, 3], 0.0), weights("v", &[4, 1, 3], 0.0)],
        ))
        .expect("a voice");
        let (nodes, tensors) = parts(&out);
        assert_eq!(
            nodes,
            [
                "Pad", "Slice", "Conv", "Shape", "Mul", "Slice", "Conv", "Add", "Shape", "Mul",
                "Slice", "Conv", "Add", "Conv"
            ]
        );
        assert!(!tensors.contains(&"w".to_owned()) && tensors.contains(&"v".to_owned()));
        // Weights that something else reads, too, are left where they are.
        let both = model(
            &[conv.clone(), write(b"e", "Neg", &[b"w"], &[b"n"], &[])],
            &[weights("w", &[2, 4, 3], 0.0)],
        );
        assert_eq!(parts(&unrolled(&both).expect("a voice")).0, ["Conv", "Neg"]);
        // A tap's weights: every third of them.
        let raw = weights("w", &[2, 4, 3], 0.0);
        let (_, read) = Weights::read(&raw).expect("read").expect("floats");
        assert_eq!(read.dims, [2, 4, 3]);
        let tap = Conv {
            weights: &read,
            outputs: 2,
            inputs: 4,
            kernel: 3,
            dilation: 2,
            pads: [2, 2],
        }
        .tap(b"t", 1);
        let (_, tap) = Weights::read(&tap).expect("read").expect("floats");
        let values: Vec<f32> = tap
            .raw
            .chunks_exact(4)
            .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
            .collect();
        assert_eq!(tap.dims, [2, 4, 1]);
        assert_eq!(values, [1.0, 4.0, 7.0, 10.0, 13.0, 16.0, 19.0, 22.0]);
    }

    #[test]
    fn what_is_cut_short_or_says_too_much_is_refused() {
        let conv = write(b"c", "Conv", &[b"x", b"w"], &[b"y"], &[]);
        let whole = model(
            std::slice::from_ref(&conv),
            &[weights("w", &[2, 4, 3], 0.0)],
        );
        for n in 0..whole.len() {
            // Within the graph it is refused; a file that ends between two of its fields stands as it is.
            let _ = unrolled(&whole[..n]);
        }
        let mut short = tensor(b"w", FLOAT, &[2, 4, 3], &[0; 8]);
        assert!(unrolled(&model(std::slice::from_ref(&conv), &[short.clone()])).is_err());
        short = tensor(b"w", FLOAT, &[1 << 30, 1 << 30, 1 << 30], &[0; 8]);
        assert!(unrolled(&model(&[conv], &[short])).is_err());
        assert!(unrolled(b"").is_err());
    }
}
