//! Kokoro's ONNX file in the operators of the ONNX standard: the four of Microsoft's own that it uses are written as what they
//! stand for. Everything else is copied byte for byte.
//!
//! | Microsoft's (onnxruntime, `ContribOperators.md`) | written as |
//! |---|---|
//! | `FusedMatMul`, first input turned around | `Transpose`, `MatMul` |
//! | `FastGelu` with a bias | `Add`, `Gelu` by tanh |
//! | `SkipLayerNormalization` | `Add`, `LayerNormalization` |
//! | `DynamicQuantizeLSTM` | `DequantizeLinear` and `Transpose` for both weights, `LSTM` |
//!
//! What the numbers of its fields mean is in [`super::proto`].

use super::ConvertError;
use super::proto::{NODE, fields, size, sizes, with_graph, write_bytes, write_number};

/// The model in standard operators.
///
/// # Errors
/// Not an ONNX file, or one of Microsoft's operators in a form that Kokoro does not use.
pub fn standard(model: &[u8]) -> Result<Vec<u8>, ConvertError> {
    with_graph(model, rewritten)?.ok_or_else(|| bad("it holds no graph"))
}

fn rewritten(graph: &[u8]) -> Result<Vec<u8>, ConvertError> {
    let mut out = Vec::with_capacity(graph.len() + 1024);
    for field in fields(graph) {
        let field = field?;
        match field.bytes {
            Some(bytes) if field.number == NODE => {
                let node = Node::read(bytes)?;
                if node.domain == b"com.microsoft" {
                    for plain in node.standard()? {
                        write_bytes(&mut out, NODE, &plain);
                    }
                } else {
                    out.extend_from_slice(field.whole);
                }
            }
            _ => out.extend_from_slice(field.whole),
        }
    }
    Ok(out)
}

/// What of a node is needed to rewrite it.
#[derive(Default)]
pub(super) struct Node<'a> {
    pub inputs: Vec<&'a [u8]>,
    pub outputs: Vec<&'a [u8]>,
    pub name: &'a [u8],
    pub op: &'a [u8],
    pub domain: &'a [u8],
    attributes: Vec<Attribute<'a>>,
}

pub(super) struct Attribute<'a> {
    name: &'a [u8],
    /// Where it is a whole number.
    number: i64,
    bytes: &'a [u8],
}

impl Attribute<'_> {
    /// Where it is a list of whole numbers; one that is negative or beyond 32 bits is an error.
    fn numbers(&self) -> Result<Vec<usize>, ConvertError> {
        let mut out = Vec::new();
        for part in fields(self.bytes) {
            let part = part?;
            match (part.number, part.bytes) {
                (8, None) => out.push(size(part.value)?),
                (8, Some(packed)) => out.extend(sizes(packed)?),
                _ => {}
            }
        }
        Ok(out)
    }
}

impl<'a> Node<'a> {
    pub fn read(bytes: &'a [u8]) -> Result<Self, ConvertError> {
        let mut node = Self::default();
        for field in fields(bytes) {
            let field = field?;
            let Some(bytes) = field.bytes else { continue };
            match field.number {
                1 => node.inputs.push(bytes),
                2 => node.outputs.push(bytes),
                3 => node.name = bytes,
                4 => node.op = bytes,
                5 => {
                    let (mut name, mut number) = (&[][..], 0);
                    for part in fields(bytes) {
                        let part = part?;
                        match (part.number, part.bytes) {
                            (1, Some(bytes)) => name = bytes,
                            (3, None) => number = part.value as i64,
                            _ => {}
                        }
                    }
                    node.attributes.push(Attribute {
                        name,
                        number,
                        bytes,
                    });
                }
                7 => node.domain = bytes,
                _ => {}
            }
        }
        Ok(node)
    }

    pub fn attribute(&self, name: &str) -> Option<&Attribute<'a>> {
        self.attributes.iter().find(|a| a.name == name.as_bytes())
    }

    pub fn number(&self, name: &str) -> i64 {
        self.attribute(name).map_or(0, |a| a.number)
    }

    /// A list of whole numbers; empty where the node has none of that name.
    pub fn numbers(&self, name: &str) -> Result<Vec<usize>, ConvertError> {
        self.attribute(name)
            .map_or(Ok(Vec::new()), Attribute::numbers)
    }

    /// A value or node that belongs to this one.
    fn part(&self, what: &str) -> Vec<u8> {
        [self.name, b"/", what.as_bytes()].concat()
    }

    /// What this node stands for, in order.
    fn standard(&self) -> Result<Vec<Vec<u8>>, ConvertError> {
        let out = self
            .outputs
            .first()
            .ok_or_else(|| bad("an operator gives nothing"))?;
        match (self.op, self.inputs.as_slice()) {
            (b"FusedMatMul", [a, b]) => {
                let as_known = self.number("transA") == 1
                    && ["transB", "transBatchA", "transBatchB"]
                        .iter()
                        .all(|name| self.number(name) == 0);
                if !as_known {
                    return Err(bad("a fused multiplication is of a kind that is not known"));
                }
                let turned = self.part("turned");
                Ok(vec![
                    self.turn(a, &turned),
                    write(&self.part("MatMul"), "MatMul", &[&turned, b], &[out], &[]),
                ])
            }
            (b"FastGelu", [x, bias]) => {
                let sum = self.part("sum");
                Ok(vec![
                    write(&self.part("Add"), "Add", &[x, bias], &[&sum], &[]),
                    write(
                        &self.part("Gelu"),
                        "Gelu",
                        &[&sum],
                        &[out],
                        &[&text("approximate", "tanh")],
                    ),
                ])
            }
            (b"SkipLayerNormalization", [x, skip, scale, shift]) if self.outputs.len() == 1 => {
                let sum = self.part("sum");
                let epsilon = self
                    .attribute("epsilon")
                    .ok_or_else(|| bad("a normalisation lacks its epsilon"))?;
                Ok(vec![
                    write(&self.part("Add"), "Add", &[x, skip], &[&sum], &[]),
                    write(
                        &self.part("LayerNormalization"),
                        "LayerNormalization",
                        &[&sum, scale, shift],
                        &[out],
                        &[&whole_number("axis", -1), epsilon.bytes],
                    ),
                ])
            }
            (
                b"DynamicQuantizeLSTM",
                [
                    x,
                    w,
                    r,
                    b,
                    lengths,
                    h,
                    c,
                    _,
                    w_scale,
                    w_zero,
                    r_scale,
                    r_zero,
                ],
            ) if self.number("input_forget") == 0 => {
                let mut nodes = Vec::new();
                let mut plain = |what: &str, weights: &[u8], scale: &[u8], zero: &[u8]| {
                    let (wide, turned) = (
                        self.part(&format!("{what}/wide")),
                        self.part(&format!("{what}/turned")),
                    );
                    nodes.push(write(
                        &self.part(&format!("{what}/DequantizeLinear")),
                        "DequantizeLinear",
                        &[weights, scale, zero],
                        &[&wide],
                        &[&whole_number("axis", 0)],
                    ));
                    nodes.push(self.turn(&wide, &turned));
                    turned
                };
                let w = plain("w", w, w_scale, w_zero);
                let r = plain("r", r, r_scale, r_zero);
                let kept: Vec<&[u8]> = ["direction", "hidden_size"]
                    .iter()
                    .filter_map(|name| self.attribute(name))
                    .map(|a| a.bytes)
                    .collect();
                nodes.push(write(
                    &self.part("LSTM"),
                    "LSTM",
                    &[x, &w, &r, b, lengths, h, c],
                    &self.outputs,
                    &kept,
                ));
                Ok(nodes)
            }
            (op, _) => Err(bad(&format!(
                "its {} is of a kind that is not known",
                String::from_utf8_lossy(op)
            ))),
        }
    }

    /// The last two of three dimensions changed over.
    fn turn(&self, from: &[u8], to: &[u8]) -> Vec<u8> {
        let perm = list("perm", &[0, 2, 1]);
        let name = [to, b"/Transpose".as_slice()].concat();
        write(&name, "Transpose", &[from], &[to], &[&perm])
    }
}

pub(super) fn write(
    name: &[u8],
    op: &str,
    inputs: &[&[u8]],
    outputs: &[&[u8]],
    attributes: &[&[u8]],
) -> Vec<u8> {
    let mut out = Vec::new();
    for input in inputs {
        write_bytes(&mut out, 1, input);
    }
    for output in outputs {
        write_bytes(&mut out, 2, output);
    }
    write_bytes(&mut out, 3, name);
    write_bytes(&mut out, 4, op.as_bytes());
    for attribute in attributes {
        write_bytes(&mut out, 5, attribute);
    }
    out
}

/// An attribute: kind 2 is INT, 3 is STRING, 7 is INTS.
pub(super) fn whole_number(name: &str, value: i64) -> Vec<u8> {
    let mut out = Vec::new();
    write_bytes(&mut out, 1, name.as_bytes());
    write_number(&mut out, 3, value as u64);
    write_number(&mut out, 20, 2);
    out
}

pub(super) fn list(name: &str, values: &[u64]) -> Vec<u8> {
    let mut out = Vec::new();
    write_bytes(&mut out, 1, name.as_bytes());
    for value in values {
        write_number(&mut out, 8, *value);
    }
    write_number(&mut out, 20, 7);
    out
}

fn text(name: &str, value: &str) -> Vec<u8> {
    let mut out = Vec::new();
    write_bytes(&mut out, 1, name.as_bytes());
    write_bytes(&mut out, 4, value.as_bytes());
    write_number(&mut out, 20, 3);
    out
}

fn bad(why: &str) -> ConvertError {
    ConvertError(format!(
        "this is not the Kokoro file that was expected: {why}"
    ))
}

#[cfg(test)]
mod tests {
    use super::super::proto::{GRAPH, write_varint};
    use super::*;

    fn microsoft(op: &str, inputs: &[&str], attributes: &[&[u8]]) -> Vec<u8> {
        let inputs: Vec<&[u8]> = inputs.iter().map(|i| i.as_bytes()).collect();
        let mut out = write(b"n", op, &inputs, &[b"out"], attributes);
        write_bytes(&mut out, 7, b"com.microsoft");
        out
    }

    fn model(nodes: &[Vec<u8>]) -> Vec<u8> {
        let mut graph = Vec::new();
        for node in nodes {
            write_bytes(&mut graph, NODE, node);
        }
        write_bytes(&mut graph, 2, b"the graph's name");
        let mut out = Vec::new();
        write_number(&mut out, 1, 9);
        write_bytes(&mut out, GRAPH, &graph);
        write_bytes(&mut out, 8, b"opset");
        out
    }

    /// The operators of a model, each with its inputs and its outputs.
    fn operators(model: &[u8]) -> Vec<(String, Vec<String>, Vec<String>)> {
        let graph = fields(model)
            .filter_map(Result::ok)
            .find(|f| f.number == GRAPH)
            .and_then(|f| f.bytes)
            .unwrap();
        let plain = |b: &[u8]| String::from_utf8_lossy(b).into_owned();
        fields(graph)
            .filter_map(Result::ok)
            .filter(|f| f.number == NODE)
            .filter_map(|f| f.bytes)
            .map(|bytes| {
                let node = Node::read(bytes).unwrap();
                assert_ne!(node.domain, b"com.microsoft");
                (
                    plain(node.op),
                    node.inputs.iter().map(|i| plain(i)).collect(),
                    node.outputs.iter().map(|o| plain(o)).collect(),
                )
            })
            .collect()
    }

    #[test]
    fn each_of_microsofts_is_written_as_what_it_stands_for() {
        let add = write(
            b"a",
            "Add",
            &[b"x", b"y"],
            &[b"z"],
            &[&whole_number("axis", 300)],
        );
        let lstm = ["x", "w", "r", "b", "", "h", "c", "", "ws", "wz", "rs", "rz"];
        let before = model(&[
            add.clone(),
            microsoft("FusedMatMul", &["a", "b"], &[&whole_number("transA", 1)]),
            microsoft("FastGelu", &["a", "b"], &[]),
            microsoft(
                "SkipLayerNormalization",
                &["a", "b", "g", "s"],
                &[&whole_number("epsilon", 1)],
            ),
            microsoft(
                "DynamicQuantizeLSTM",
                &lstm,
                &[&text("direction", "bidirectional")],
            ),
            add.clone(),
        ]);
        let out = standard(&before).unwrap();
        let operators = operators(&out);
        let names: Vec<&str> = operators.iter().map(|o| o.0.as_str()).collect();
        assert_eq!(
            names,
            [
                "Add",
                "Transpose",
                "MatMul",
                "Add",
                "Gelu",
                "Add",
                "LayerNormalization",
                "DequantizeLinear",
                "Transpose",
                "DequantizeLinear",
                "Transpose",
                "LSTM",
                "Add"
            ]
        );
        // What one gives the next takes.
        for pair in [(1, 2), (3, 4), (5, 6), (7, 8), (9, 10)] {
            assert_eq!(operators[pair.0].2[0], operators[pair.1].1[0]);
        }
        assert_eq!(operators[11].1[3..], ["b", "", "h", "c"]);
        assert_eq!(operators[11].2, ["out"]);
        // Nothing to do: the same bytes.
        let plain = model(&[add]);
        assert_eq!(standard(&plain).unwrap(), plain);
    }

    #[test]
    fn what_is_not_known_or_cut_short_is_refused() {
        for node in [
            microsoft("FusedMatMul", &["a", "b"], &[]),
            microsoft("FastGelu", &["a"], &[]),
            microsoft("Attention", &["a", "b"], &[]),
        ] {
            assert!(standard(&model(&[node])).is_err());
        }
        assert!(standard(b"").is_err() && standard(b"\xff\xff").is_err());
        let whole = model(&[microsoft("FastGelu", &["a", "b"], &[])]);
        for n in 0..whole.len() {
            // Cut within the graph it is refused; after it, what is left stands.
            let _ = standard(&whole[..n]);
        }
        let mut huge = Vec::new();
        write_varint(&mut huge, GRAPH << 3 | 2);
        write_varint(&mut huge, u64::MAX);
        assert!(standard(&huge).is_err());
    }
}
