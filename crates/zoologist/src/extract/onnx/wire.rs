//! Editing an ONNX file where it stands, on the protocol-buffer wire format.
//!
//! Decoding a model and encoding it again would drop every field that the decoder does not know. So edits touch only
//! the bytes they mean: nodes, inputs and outputs are appended to the graph record, and the numbers of weight tensors are
//! found as byte ranges. Every size comes from an untrusted file: arithmetic is checked and ranges are looked up, never assumed.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::expect_used, clippy::panic)]

mod added;

use std::ops::Range;

pub use added::{Added, AddedAttribute, AddedNode, AddedTensor, InputKind};

use super::ModelError;

/// Graphs may hold graphs (`If`, `Loop`); deeper than this is refused.
const MAX_DEPTH: usize = 8;

/// Field numbers of onnx.proto.
mod number {
    pub const MODEL_VERSION: u64 = 1;
    pub const MODEL_GRAPH: u64 = 7;
    pub const MODEL_OPSET: u64 = 8;
    pub const OPSET_VERSION: u64 = 2;
    pub const GRAPH_NAME: u64 = 2;
    pub const GRAPH_NODE: u64 = 1;
    pub const GRAPH_INITIALIZER: u64 = 5;
    pub const GRAPH_INPUT: u64 = 11;
    pub const GRAPH_OUTPUT: u64 = 12;
    pub const NODE_INPUT: u64 = 1;
    pub const NODE_OUTPUT: u64 = 2;
    pub const NODE_OPERATOR: u64 = 4;
    pub const NODE_ATTRIBUTE: u64 = 5;
    pub const ATTRIBUTE_NAME: u64 = 1;
    pub const ATTRIBUTE_FLOAT: u64 = 2;
    pub const ATTRIBUTE_INTEGER: u64 = 3;
    pub const ATTRIBUTE_TEXT: u64 = 4;
    pub const ATTRIBUTE_TENSOR: u64 = 5;
    pub const ATTRIBUTE_GRAPH: u64 = 6;
    pub const ATTRIBUTE_INTEGERS: u64 = 8;
    pub const ATTRIBUTE_TENSORS: u64 = 10;
    pub const ATTRIBUTE_GRAPHS: u64 = 11;
    pub const ATTRIBUTE_KIND: u64 = 20;
    pub const TENSOR_LENGTH: u64 = 1;
    pub const TENSOR_TYPE: u64 = 2;
    pub const TENSOR_FLOATS: u64 = 4;
    pub const TENSOR_NAME: u64 = 8;
    pub const TENSOR_RAW: u64 = 9;
    pub const TENSOR_DOUBLES: u64 = 10;
    pub const TENSOR_EXTERNAL: u64 = 13;
    pub const ENTRY_KEY: u64 = 1;
    pub const ENTRY_VALUE: u64 = 2;
    pub const VALUE_NAME: u64 = 1;
    pub const VALUE_TYPE: u64 = 2;
    pub const TYPE_TENSOR: u64 = 1;
    pub const TYPE_SHAPE: u64 = 2;
    pub const SHAPE_AXIS: u64 = 1;
    pub const AXIS_LENGTH: u64 = 1;
}

/// Where the numbers of a tensor stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In the model file.
    Inside(Range<usize>),
    /// In another file beside the model: its name, and the bytes in it (to its end if there is no length).
    Outside {
        /// Path relative to the model's folder, as the model gives it.
        file: String,
        /// First byte.
        offset: u64,
        /// How many bytes.
        length: Option<u64>,
    },
}

/// A tensor with more than one number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tensor {
    /// Its name, empty for constants of nodes.
    pub name: String,
    /// Bytes per number if it is a floating-point tensor, else `None`.
    pub float_width: Option<usize>,
    /// Where its numbers are.
    pub place: Place,
}

struct Field {
    number: u64,
    /// Value of a varint field.
    value: u64,
    /// From the tag to the end.
    whole: Range<usize>,
    /// The payload of a length-delimited field.
    payload: Range<usize>,
}

/// The fields of the message in this range.
fn fields(bytes: &[u8], message: Range<usize>) -> Result<Vec<Field>, ModelError> {
    let mut found = vec![];
    let mut at = message.start;
    while at < message.end {
        let start = at;
        let tag = varint(bytes, &mut at)?;
        let mut value = 0;
        let length = match tag & 7 {
            0 => {
                value = varint(bytes, &mut at)?;
                0
            }
            1 => 8,
            2 => usize::try_from(varint(bytes, &mut at)?).map_err(|_| ModelError::Damaged)?,
            5 => 4,
            _ => return Err(ModelError::Damaged),
        };
        let end = at.checked_add(length).filter(|&end| end <= message.end).ok_or(ModelError::Damaged)?;
        found.push(Field { number: tag >> 3, value, whole: start..end, payload: at..end });
        at = end;
    }
    Ok(found)
}

fn varint(bytes: &[u8], at: &mut usize) -> Result<u64, ModelError> {
    let mut value = 0_u64;
    for shift in (0..64_u32).step_by(7) {
        let byte = *bytes.get(*at).ok_or(ModelError::Damaged)?;
        *at = at.saturating_add(1);
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(ModelError::Damaged)
}

fn push_varint(into: &mut Vec<u8>, mut value: usize) {
    while value >= 0x80 {
        into.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    into.push(value as u8);
}

/// A length-delimited field; its number must be below 16.
fn push_field(into: &mut Vec<u8>, number: u64, payload: &[u8]) {
    into.push((number << 3 | 2) as u8);
    push_varint(into, payload.len());
    into.extend_from_slice(payload);
}

/// A field that holds a number.
fn push_number(into: &mut Vec<u8>, number: u64, value: usize) {
    push_varint(into, (number << 3) as usize);
    push_varint(into, value);
}

/// A field of four bytes; its number must be below 16.
fn push_fixed(into: &mut Vec<u8>, number: u64, bits: u32) {
    into.push((number << 3 | 5) as u8);
    into.extend_from_slice(&bits.to_le_bytes());
}

/// The version of the file format that goes with opset 17.
const FORMAT: usize = 8;

/// A model whose graph has a name and nothing else, for operators of this version.
pub fn blank(opset: usize) -> Vec<u8> {
    let (mut model, mut graph, mut operators) = (vec![], vec![], vec![]);
    push_number(&mut model, number::MODEL_VERSION, FORMAT);
    push_field(&mut graph, number::GRAPH_NAME, b"network");
    push_field(&mut model, number::MODEL_GRAPH, &graph);
    push_number(&mut operators, number::OPSET_VERSION, opset);
    push_field(&mut model, number::MODEL_OPSET, &operators);
    model
}

/// The model with more graph outputs: values of the graph, by name. Everything else stays byte for byte.
pub fn with_outputs(bytes: &[u8], names: &[&str]) -> Result<Vec<u8>, ModelError> {
    let outputs = names.iter().map(|&name| name.to_owned()).collect();
    with_added(bytes, &Added { outputs, ..Added::default() })
}

/// The model with nodes, inputs and outputs appended to its graph. Everything else stays byte for byte.
pub fn with_added(bytes: &[u8], added: &Added) -> Result<Vec<u8>, ModelError> {
    let graphs: Vec<Field> =
        fields(bytes, 0..bytes.len())?.into_iter().filter(|field| field.number == number::MODEL_GRAPH).collect();
    let [graph] = &graphs[..] else { return Err(ModelError::Damaged) };
    let part = |range: Range<usize>| bytes.get(range).ok_or(ModelError::Damaged);
    let mut body = part(graph.payload.clone())?.to_vec();
    added.push_to(&mut body);
    let mut edited = part(0..graph.whole.start)?.to_vec();
    push_field(&mut edited, number::MODEL_GRAPH, &body);
    edited.extend_from_slice(part(graph.whole.end..bytes.len())?);
    Ok(edited)
}

/// The model whose batch norms have no attribute `training_mode` and one output. Everything else stays byte for byte.
pub fn in_evaluation_mode(bytes: &[u8]) -> Result<Vec<u8>, ModelError> {
    let part = |range: Range<usize>| bytes.get(range).ok_or(ModelError::Damaged);
    let mut edited = vec![];
    for field in fields(bytes, 0..bytes.len())? {
        if field.number != number::MODEL_GRAPH {
            edited.extend_from_slice(part(field.whole)?);
            continue;
        }
        let mut body = vec![];
        for inner in fields(bytes, field.payload)? {
            if inner.number == number::GRAPH_NODE {
                push_field(&mut body, number::GRAPH_NODE, &evaluating(bytes, inner.payload)?);
            } else {
                body.extend_from_slice(part(inner.whole)?);
            }
        }
        push_field(&mut edited, number::MODEL_GRAPH, &body);
    }
    Ok(edited)
}

/// A node as it stands; of a batch norm, without what only training wants.
fn evaluating(bytes: &[u8], node: Range<usize>) -> Result<Vec<u8>, ModelError> {
    let part = |range: Range<usize>| bytes.get(range).ok_or(ModelError::Damaged);
    let all = fields(bytes, node.clone())?;
    let operator = all.iter().find(|field| field.number == number::NODE_OPERATOR);
    if operator.map(|field| part(field.payload.clone())).transpose()? != Some(b"BatchNormalization") {
        return Ok(part(node)?.to_vec());
    }
    let (mut kept, mut outputs) = (vec![], 0_usize);
    for field in all {
        let stays = match field.number {
            number::NODE_OUTPUT => {
                outputs = outputs.saturating_add(1);
                outputs == 1
            }
            number::NODE_ATTRIBUTE => !is_training_mode(bytes, field.payload.clone())?,
            _ => true,
        };
        if stays {
            kept.extend_from_slice(part(field.whole)?);
        }
    }
    Ok(kept)
}

fn is_training_mode(bytes: &[u8], attribute: Range<usize>) -> Result<bool, ModelError> {
    let name = fields(bytes, attribute)?.into_iter().find(|field| field.number == number::ATTRIBUTE_NAME);
    let name = name.map(|field| text(bytes, field.payload)).transpose()?;
    Ok(name.as_deref() == Some("training_mode"))
}

/// All tensors of the model: weights, constants, and those of inner graphs.
pub fn tensors(bytes: &[u8]) -> Result<Vec<Tensor>, ModelError> {
    let mut found = vec![];
    for field in fields(bytes, 0..bytes.len())? {
        if field.number == number::MODEL_GRAPH {
            graph_tensors(bytes, field.payload, MAX_DEPTH, &mut found)?;
        }
    }
    Ok(found)
}

fn graph_tensors(bytes: &[u8], graph: Range<usize>, depth: usize, into: &mut Vec<Tensor>) -> Result<(), ModelError> {
    let depth = depth.checked_sub(1).ok_or(ModelError::Damaged)?;
    for field in fields(bytes, graph)? {
        match field.number {
            number::GRAPH_INITIALIZER => into.extend(tensor(bytes, field.payload)?),
            number::GRAPH_NODE => node_tensors(bytes, field.payload, depth, into)?,
            _ => {}
        }
    }
    Ok(())
}

fn node_tensors(bytes: &[u8], node: Range<usize>, depth: usize, into: &mut Vec<Tensor>) -> Result<(), ModelError> {
    for attribute in fields(bytes, node)?.into_iter().filter(|field| field.number == number::NODE_ATTRIBUTE) {
        for field in fields(bytes, attribute.payload)? {
            match field.number {
                number::ATTRIBUTE_TENSOR | number::ATTRIBUTE_TENSORS => into.extend(tensor(bytes, field.payload)?),
                number::ATTRIBUTE_GRAPH | number::ATTRIBUTE_GRAPHS => graph_tensors(bytes, field.payload, depth, into)?,
                _ => {}
            }
        }
    }
    Ok(())
}

/// A tensor with its numbers' place; `None` if it holds none, or one number per field.
fn tensor(bytes: &[u8], message: Range<usize>) -> Result<Option<Tensor>, ModelError> {
    let (mut name, mut float_width, mut inside, mut external) = (String::new(), None, None, vec![]);
    for field in fields(bytes, message)? {
        match field.number {
            number::TENSOR_NAME => name = text(bytes, field.payload)?,
            number::TENSOR_TYPE => float_width = width_of(field.value),
            number::TENSOR_RAW | number::TENSOR_FLOATS | number::TENSOR_DOUBLES => inside = Some(field.payload),
            number::TENSOR_EXTERNAL => external.push(entry(bytes, field.payload)?),
            _ => {}
        }
    }
    let value = |key: &str| external.iter().find(|(name, _)| name == key).map(|(_, value)| value.clone());
    let bytes_of = |key: &str| value(key).map(|text| text.parse::<u64>().map_err(|_| ModelError::Damaged)).transpose();
    let place = match (value("location"), inside) {
        (Some(file), _) => {
            Some(Place::Outside { file, offset: bytes_of("offset")?.unwrap_or(0), length: bytes_of("length")? })
        }
        (None, Some(range)) => Some(Place::Inside(range)),
        (None, None) => None,
    };
    Ok(place.map(|place| Tensor { name, float_width, place }))
}

/// Bytes per number of the floating-point types of onnx.proto.
fn width_of(data_type: u64) -> Option<usize> {
    match data_type {
        1 => Some(4),
        10 | 16 => Some(2),
        11 => Some(8),
        _ => None,
    }
}

fn entry(bytes: &[u8], message: Range<usize>) -> Result<(String, String), ModelError> {
    let (mut key, mut value) = (String::new(), String::new());
    for field in fields(bytes, message)? {
        match field.number {
            number::ENTRY_KEY => key = text(bytes, field.payload)?,
            number::ENTRY_VALUE => value = text(bytes, field.payload)?,
            _ => {}
        }
    }
    Ok((key, value))
}

fn text(bytes: &[u8], range: Range<usize>) -> Result<String, ModelError> {
    let bytes = bytes.get(range).ok_or(ModelError::Damaged)?;
    String::from_utf8(bytes.to_vec()).map_err(|_| ModelError::Damaged)
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "a test may panic")]
mod tests {
    use super::*;
    use crate::extract::onnx::{Graph, sketch};

    /// A field that no version of the format knows.
    fn unknown() -> Vec<u8> {
        let mut field = vec![];
        push_field(&mut field, 15, b"kept");
        field
    }

    #[test]
    fn additions_leave_every_other_byte_as_it_was() {
        let model = sketch::model("input x float 1 3\n output y float 1 3\n y = Relu(x)");
        let graph = fields(&model, 0..model.len()).unwrap().into_iter().find(|f| f.number == number::MODEL_GRAPH);
        let graph = graph.unwrap();
        let body = [&model[graph.payload.clone()], &unknown()].concat();
        let (before, after) = (&model[..graph.whole.start], [&model[graph.whole.end..], &unknown()].concat());
        let mut original = before.to_vec();
        push_field(&mut original, number::MODEL_GRAPH, &body);
        original.extend_from_slice(&after);

        let node = AddedNode::plain("Mul", vec!["y".into(), "more".into()], "z".into());
        let added = Added {
            nodes: vec![node],
            float_inputs: vec!["more".into()],
            outputs: vec!["z".into()],
            ..Added::default()
        };
        let edited = with_added(&original, &added).unwrap();
        assert!(edited.starts_with(before) && edited.ends_with(&after));
        let graph = fields(&edited, before.len()..edited.len() - after.len()).unwrap().remove(0);
        assert!(edited[graph.payload].starts_with(&body));
        assert_eq!(Graph::parse(&edited).unwrap().names(), ["x", "y", "z", "more"].into());
        assert_eq!(with_added(&original, &Added::default()).unwrap(), original);
    }

    #[test]
    fn a_model_without_a_graph_is_refused() {
        assert!(matches!(with_outputs(&unknown(), &["y"]), Err(ModelError::Damaged)));
        assert!(matches!(with_outputs(&[0x3a, 0x05, 0x00], &["y"]), Err(ModelError::Damaged)));
    }
}
