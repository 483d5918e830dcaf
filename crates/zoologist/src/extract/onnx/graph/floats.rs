//! Which values of a graph are floating-point numbers, as far as operators and weights tell.

use std::collections::HashSet;

use rten_onnx::onnx::{DataType, NodeProto};

use super::inputs::Declared;
use super::{Graph, operator};

/// Operators whose results are floating-point numbers whatever else they take.
const FLOATS: [&str; 28] = [
    "Conv",
    "ConvTranspose",
    "Gemm",
    "MatMul",
    "BatchNormalization",
    "LayerNormalization",
    "InstanceNormalization",
    "GroupNormalization",
    "Softmax",
    "LogSoftmax",
    "Sigmoid",
    "HardSigmoid",
    "HardSwish",
    "Tanh",
    "Erf",
    "Gelu",
    "Exp",
    "Log",
    "Sqrt",
    "GlobalAveragePool",
    "AveragePool",
    "Elu",
    "Selu",
    "Softplus",
    "LeakyRelu",
    "Mish",
    "ReduceMean",
    "Reciprocal",
];

/// Operators whose results are what their first input is.
const AS_THEIR_INPUT: [&str; 22] = [
    "Add",
    "Sub",
    "Mul",
    "Div",
    "Pow",
    "Relu",
    "Clip",
    "Neg",
    "Abs",
    "Min",
    "Max",
    "Identity",
    "Dropout",
    "MaxPool",
    "GlobalMaxPool",
    "ReduceSum",
    "ReduceMax",
    "ReduceMin",
    "Sum",
    "PRelu",
    "Where",
    "Concat",
];

impl Graph {
    /// The floating-point values that nodes compute from the inputs, in the order of the data; those that only move
    /// numbers about are left out.
    pub fn computed_floats(&self) -> Vec<String> {
        let inputs = self.proto.input.iter().map(Declared::of).filter(|input| !self.weights.contains_key(input.name));
        let mut known: HashSet<&str> =
            inputs.filter(|input| input.kind == Some(DataType::FLOAT)).map(|input| input.name).collect();
        let declared = self.proto.value_info.iter().chain(&self.proto.output).map(Declared::of);
        let stated: HashSet<&str> =
            declared.filter(|value| value.kind == Some(DataType::FLOAT)).map(|value| value.name).collect();
        let weights =
            self.tensors().filter(|(_, tensor)| tensor.data_type == Some(DataType::FLOAT)).map(|(name, _)| name);
        known.extend(weights);
        let mut computed = vec![];
        for &node in self.flow.order() {
            let node = &self.proto.node[node];
            let Some(output) = node.output.first().filter(|output| !self.flow.is_constant(output)) else { continue };
            if stated.contains(output.as_str()) || is_float(node, &known) {
                known.insert(output);
                let moves = !FLOATS.contains(&operator(node)) && !AS_THEIR_INPUT.contains(&operator(node));
                computed.extend((!moves).then(|| output.clone()));
            }
        }
        computed
    }
}

fn is_float(node: &NodeProto, known: &HashSet<&str>) -> bool {
    let taken = |place: usize| node.input.get(place).is_some_and(|name| known.contains(name.as_str()));
    match operator(node) {
        "Cast" => node.attribute.iter().any(|to| to.name.as_deref() == Some("to") && to.i == Some(1)),
        "Reshape" | "Transpose" | "Slice" | "Squeeze" | "Unsqueeze" | "Flatten" | "Gather" | "Expand" | "Split"
        | "Pad" | "Tile" => taken(0),
        "Where" => taken(1) || taken(2),
        other if FLOATS.contains(&other) => true,
        other if AS_THEIR_INPUT.contains(&other) => taken(0) || taken(1),
        _ => false,
    }
}
