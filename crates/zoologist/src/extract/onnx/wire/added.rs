//! What is appended to a graph, and the fields that it becomes.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::expect_used, clippy::panic)]

use super::{number, push_field, push_fixed, push_number};

/// A `TypeProto.Tensor` that states an element type of float32 (field 1, value 1) and no shape.
const FLOATS_OF_ANY_SHAPE: [u8; 2] = [0x08, 0x01];
/// The same of integers of 64 bits.
const INTEGERS_OF_ANY_SHAPE: [u8; 2] = [0x08, 0x07];

/// Types of the numbers of a tensor.
const FLOAT: usize = 1;
/// See [`FLOAT`].
const INTEGER: usize = 7;
/// Types of an attribute: one integer, several.
const ATTRIBUTE_KINDS: [usize; 2] = [2, 7];
/// The type of an attribute that is one number of single precision.
const FLOAT_ATTRIBUTE: usize = 1;
/// And of one that is a word.
const TEXT_ATTRIBUTE: usize = 3;

/// What is appended to a graph.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Added {
    /// Nodes, each after those whose outputs it takes.
    pub nodes: Vec<AddedNode>,
    /// Constants that the nodes take.
    pub tensors: Vec<AddedTensor>,
    /// Inputs of float32 and of any shape, by name.
    pub float_inputs: Vec<String>,
    /// Inputs with their kind and the length of each axis, `None` where open.
    pub inputs: Vec<(String, InputKind, Vec<Option<usize>>)>,
    /// Values of the graph or of the added nodes that become outputs, by name.
    pub outputs: Vec<String>,
    /// The same with a type: float32, and the length of each axis, `None` where open. Programs that check a file want it.
    pub float_outputs: Vec<(String, Vec<Option<usize>>)>,
}

/// What an input holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InputKind {
    /// Numbers of single precision.
    Floats,
    /// Integers of 64 bits.
    Integers,
}

/// One operator of the standard domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddedNode {
    /// The operator, for example `MatMul`.
    pub operator: &'static str,
    /// The values it takes.
    pub inputs: Vec<String>,
    /// The value it makes.
    pub output: String,
    /// Its attributes, by name.
    pub attributes: Vec<(&'static str, AddedAttribute)>,
}

/// What an attribute holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AddedAttribute {
    /// One integer that is not negative.
    Integer(usize),
    /// Several.
    Integers(Vec<usize>),
    /// A number of single precision, as its bits.
    Float(u32),
    /// A word.
    Text(&'static str),
}

impl AddedAttribute {
    /// A number.
    pub fn float(value: f64) -> Self {
        Self::Float((value as f32).to_bits())
    }
}

/// A constant of a graph.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddedTensor {
    /// Its name.
    pub name: String,
    /// The length of each axis; none for a single number.
    pub shape: Vec<usize>,
    /// The type of its numbers, as onnx.proto numbers them.
    kind: usize,
    /// Its numbers.
    bytes: Vec<u8>,
}

impl AddedNode {
    /// An operator without attributes.
    pub fn plain(operator: &'static str, inputs: Vec<String>, output: String) -> Self {
        Self { operator, inputs, output, attributes: vec![] }
    }
}

impl AddedTensor {
    /// A constant of single precision: as many numbers as the shape says.
    pub fn floats(name: String, shape: Vec<usize>, values: &[f32]) -> Self {
        Self { name, shape, kind: FLOAT, bytes: values.iter().flat_map(|value| value.to_le_bytes()).collect() }
    }

    /// A constant of integers of 64 bits: as many numbers as the shape says.
    pub fn integers(name: String, shape: Vec<usize>, values: &[i64]) -> Self {
        Self { name, shape, kind: INTEGER, bytes: values.iter().flat_map(|value| value.to_le_bytes()).collect() }
    }
}

impl Added {
    /// Appends its fields to those of a graph.
    pub(super) fn push_to(&self, body: &mut Vec<u8>) {
        for node in &self.nodes {
            push_field(body, number::GRAPH_NODE, &node_message(node));
        }
        for tensor in &self.tensors {
            push_field(body, number::GRAPH_INITIALIZER, &tensor_message(tensor));
        }
        for name in &self.float_inputs {
            push_field(body, number::GRAPH_INPUT, &value_of_kind_message(name, &FLOATS_OF_ANY_SHAPE));
        }
        for (name, kind, shape) in &self.inputs {
            let start = match kind {
                InputKind::Floats => FLOATS_OF_ANY_SHAPE,
                InputKind::Integers => INTEGERS_OF_ANY_SHAPE,
            };
            push_field(body, number::GRAPH_INPUT, &value_of_kind_message(name, &of_shape(start, shape)));
        }
        for (name, shape) in &self.float_outputs {
            push_field(body, number::GRAPH_OUTPUT, &value_of_kind_message(name, &of_shape(FLOATS_OF_ANY_SHAPE, shape)));
        }
        for name in &self.outputs {
            push_field(body, number::GRAPH_OUTPUT, &value_message(name));
        }
    }
}

fn node_message(node: &AddedNode) -> Vec<u8> {
    let mut message = vec![];
    for input in &node.inputs {
        push_field(&mut message, number::NODE_INPUT, input.as_bytes());
    }
    push_field(&mut message, number::NODE_OUTPUT, node.output.as_bytes());
    push_field(&mut message, number::NODE_OPERATOR, node.operator.as_bytes());
    for (name, value) in &node.attributes {
        push_field(&mut message, number::NODE_ATTRIBUTE, &attribute_message(name, value));
    }
    message
}

fn attribute_message(name: &str, value: &AddedAttribute) -> Vec<u8> {
    let [one, several] = ATTRIBUTE_KINDS;
    let mut message = vec![];
    push_field(&mut message, number::ATTRIBUTE_NAME, name.as_bytes());
    let kind = match value {
        AddedAttribute::Integer(value) => {
            push_number(&mut message, number::ATTRIBUTE_INTEGER, *value);
            one
        }
        AddedAttribute::Integers(values) => {
            values.iter().for_each(|&value| push_number(&mut message, number::ATTRIBUTE_INTEGERS, value));
            several
        }
        AddedAttribute::Float(bits) => {
            push_fixed(&mut message, number::ATTRIBUTE_FLOAT, *bits);
            FLOAT_ATTRIBUTE
        }
        AddedAttribute::Text(word) => {
            push_field(&mut message, number::ATTRIBUTE_TEXT, word.as_bytes());
            TEXT_ATTRIBUTE
        }
    };
    push_number(&mut message, number::ATTRIBUTE_KIND, kind);
    message
}

fn tensor_message(tensor: &AddedTensor) -> Vec<u8> {
    let mut message = vec![];
    tensor.shape.iter().for_each(|&length| push_number(&mut message, number::TENSOR_LENGTH, length));
    push_number(&mut message, number::TENSOR_TYPE, tensor.kind);
    push_field(&mut message, number::TENSOR_NAME, tensor.name.as_bytes());
    push_field(&mut message, number::TENSOR_RAW, &tensor.bytes);
    message
}

/// A value of which nothing but the name is stated.
fn value_message(name: &str) -> Vec<u8> {
    let mut message = vec![];
    push_field(&mut message, number::VALUE_NAME, name.as_bytes());
    message
}

/// A `TypeProto.Tensor` that starts with its element type, with these axes.
fn of_shape(start: [u8; 2], shape: &[Option<usize>]) -> Vec<u8> {
    let mut axes = vec![];
    for length in shape {
        let mut axis = vec![];
        length.iter().for_each(|&length| push_number(&mut axis, number::AXIS_LENGTH, length));
        push_field(&mut axes, number::SHAPE_AXIS, &axis);
    }
    let mut tensor = start.to_vec();
    push_field(&mut tensor, number::TYPE_SHAPE, &axes);
    tensor
}

fn value_of_kind_message(name: &str, tensor: &[u8]) -> Vec<u8> {
    let mut kind = vec![];
    push_field(&mut kind, number::TYPE_TENSOR, tensor);
    let mut message = value_message(name);
    push_field(&mut message, number::VALUE_TYPE, &kind);
    message
}
