//! The way from the main input to the features, cut where everything must pass through one value.
//!
//! Such a value dominates the features: whatever the network knows of its input at that point is in it. Nodes stand in
//! an order of the data, and of them only those on a way from the input to the features. Then a node is a cut exactly if
//! no value that was made before it is used after it. Between two cuts lies a step: one operator, or, where the way
//! parts and joins again, all that lies between. Sizes and yes-or-no values (attention masks made from the ids) do not
//! count as ways.

use rten_onnx::onnx::{DataType, NodeProto};

use super::{Graph, operator};

/// Operators whose results say how large, how many, where or whether, not what.
const NO_DATA: [&str; 16] = [
    "Shape",
    "Size",
    "Equal",
    "Greater",
    "GreaterOrEqual",
    "Less",
    "LessOrEqual",
    "Not",
    "And",
    "Or",
    "Xor",
    "IsNaN",
    "IsInf",
    "NonZero",
    "ArgMax",
    "ArgMin",
];

/// Operators that join the branches of a block.
const JOINS: [&str; 5] = ["Add", "Sum", "Concat", "SkipLayerNormalization", "SkipSimplifiedLayerNormalization"];

/// Where a fused residual and normalisation shows the sum itself.
const PLACE_OF_SUM: usize = 3;

/// Operators that change each number by itself, or by its channel's constants.
const ELEMENTWISE: [&str; 34] = [
    "Abs",
    "Add",
    "BatchNormalization",
    "Cast",
    "Celu",
    "Clip",
    "DequantizeLinear",
    "Div",
    "Dropout",
    "Elu",
    "Erf",
    "Exp",
    "FastGelu",
    "Gelu",
    "HardSigmoid",
    "HardSwish",
    "Identity",
    "LeakyRelu",
    "Max",
    "Min",
    "Mish",
    "Mul",
    "Neg",
    "PRelu",
    "Pow",
    "QuantizeLinear",
    "QuickGelu",
    "Relu",
    "Selu",
    "Sigmoid",
    "Softplus",
    "Sub",
    "Swish",
    "Tanh",
];

/// Of these, what a batch normalisation may have become.
const AFFINE: [&str; 8] = ["Add", "BatchNormalization", "Cast", "Div", "Dropout", "Identity", "Mul", "Sub"];

/// Operators that only normalisations add to these.
const NORMALISING: [&str; 7] = [
    "LayerNormalization",
    "SimplifiedLayerNormalization",
    "RMSNormalization",
    "ReduceMean",
    "Sqrt",
    "Reciprocal",
    "LpNormalization",
];

/// Operators that bring positions together.
const POOLING: [&str; 5] = ["MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool", "ReduceMean"];

/// Operators between the last layer and the features that take one position, or bring all together.
const LAST_POOLING: [&str; 7] =
    ["AveragePool", "GlobalAveragePool", "GlobalMaxPool", "ReduceMean", "ReduceMax", "Gather", "Slice"];

/// Operators that show the same numbers in another shape.
const RESHAPING: [&str; 8] = ["Flatten", "Reshape", "Squeeze", "Unsqueeze", "Transpose", "Identity", "Dropout", "Cast"];

/// The steps from the main input to the features.
pub struct Chain<'a> {
    graph: &'a Graph,
    /// Whether each value depends on the main input.
    data: Vec<bool>,
    steps: Vec<Step>,
}

/// What lies between two cuts.
struct Step {
    /// The value at its end.
    value: usize,
    /// Its nodes, the last of which makes the value.
    nodes: Vec<usize>,
}

impl<'a> Chain<'a> {
    /// The steps; `None` if the features do not depend on the input.
    pub fn of(graph: &'a Graph, input: &str, features: &str) -> Option<Self> {
        let flow = &graph.flow;
        let (source, target) = (flow.number(input)?, flow.number(features)?);
        let blocks = |node: usize| holds_no_data(&graph.proto.node[node]);
        let data = flow.reached(source, blocks);
        let needed = flow.needed(target, blocks);
        let takes_data = |node: usize| flow.links(node).inputs.iter().any(|&value| data[value]);
        let nodes: Vec<usize> = flow.order().iter().copied().filter(|&node| needed[node] && takes_data(node)).collect();
        let mut chain = Self { graph, steps: vec![], data };
        chain.cut(&nodes, source, target);
        (!chain.steps.is_empty()).then_some(chain)
    }

    fn cut(&mut self, nodes: &[usize], source: usize, target: usize) {
        let mut last_use = vec![None; self.data.len()];
        for (place, &node) in nodes.iter().enumerate() {
            self.graph.flow.links(node).inputs.iter().for_each(|&value| last_use[value] = Some(place));
        }
        last_use[target] = Some(nodes.len());
        let (mut open, mut start) = (last_use[source], 0);
        for (place, &node) in nodes.iter().enumerate() {
            let outputs = &self.graph.flow.links(node).outputs;
            let used: Vec<usize> = outputs.iter().copied().filter(|&value| last_use[value].is_some()).collect();
            if open <= Some(place)
                && let Some(value) = self.value_at(node, &used)
            {
                self.steps.push(Step { value, nodes: nodes[start..=place].to_vec() });
                start = place + 1;
            }
            open = used.into_iter().map(|value| last_use[value]).chain([open]).max().flatten();
        }
    }

    /// The value that stands for a node through which everything passes.
    fn value_at(&self, node: usize, used: &[usize]) -> Option<usize> {
        let node = &self.graph.proto.node[node];
        match used {
            [value] => Some(*value),
            _ if operator(node).starts_with("Skip") => self.graph.flow.number(node.output.get(PLACE_OF_SUM)?),
            _ => None,
        }
    }

    /// How many steps there are.
    pub fn len(&self) -> usize {
        self.steps.len()
    }

    /// The name of the value at the end of a step.
    pub fn value(&self, step: usize) -> &str {
        self.graph.flow.name(self.steps[step].value)
    }

    fn nodes(&self, step: usize) -> impl DoubleEndedIterator<Item = &NodeProto> {
        self.steps[step].nodes.iter().map(|&node| &self.graph.proto.node[node])
    }

    /// The node of a step that has no other.
    fn only(&self, step: usize) -> Option<&NodeProto> {
        self.nodes(step).next().filter(|_| self.steps[step].nodes.len() == 1)
    }

    fn is_data(&self, name: &str) -> bool {
        self.graph.flow.number(name).is_some_and(|value| self.data[value])
    }

    /// Whether any of these steps holds a matrix product or a convolution.
    pub fn multiplies(&self, steps: std::ops::Range<usize>) -> bool {
        steps.into_iter().any(|step| self.nodes(step).any(is_product))
    }

    /// Whether a step looks the input up in a table of weights.
    pub fn embeds(&self, step: usize) -> bool {
        let looks_up = |node: &NodeProto| {
            operator(node) == "Gather" && node.input.first().is_some_and(|table| self.graph.flow.is_constant(table))
        };
        self.nodes(step).any(|node| looks_up(node) || operator(node).starts_with("Embed"))
    }

    /// Whether a step is a block: its way parts, one branch has a product, and the branches are joined at its end.
    pub fn is_block(&self, step: usize) -> bool {
        let joins = |node| JOINS.contains(&operator(node));
        self.steps[step].nodes.len() > 1
            && self.nodes(step).next_back().is_some_and(joins)
            && self.nodes(step).any(is_product)
    }

    /// Whether a step is a block with attention in it: a fused operator, or a softmax and a product of two values
    /// that both depend on the input.
    pub fn is_attention(&self, step: usize) -> bool {
        let fused = |node| operator(node).contains("Attention");
        let of_two = |node: &NodeProto| {
            is_matrix_product(node) && node.input.iter().take(2).filter(|name| self.is_data(name)).count() == 2
        };
        let softmax = |node| operator(node) == "Softmax";
        self.is_block(step)
            && (self.nodes(step).any(fused) || self.nodes(step).any(softmax) && self.nodes(step).any(of_two))
    }

    /// Whether a step has a convolution in it.
    pub fn convolves(&self, step: usize) -> bool {
        self.nodes(step).any(|node| operator(node).contains("Conv"))
    }

    /// The convolution that is a step of its own.
    pub fn convolution(&self, step: usize) -> Option<Convolution> {
        let node = self.only(step).filter(|node| matches!(operator(node), "Conv" | "FusedConv"))?;
        let integers = |name: &str| node.attribute.iter().find(|attribute| attribute.name.as_deref() == Some(name));
        let dims = node.input.get(1).and_then(|weight| self.graph.weight_dims(weight));
        let kernel = dims.and_then(|dims| dims.get(2..)).or(integers("kernel_shape").map(|kernel| &kernel.ints[..]));
        let grouped = integers("group").and_then(|group| group.i).unwrap_or(1) > 1;
        let one_by_one = kernel.is_some_and(|kernel| kernel.iter().all(|&length| length == 1));
        Some(Convolution {
            is_pointwise: one_by_one && !grouped,
            is_depthwise: grouped && dims.is_none_or(|dims| dims.get(1) == Some(&1)),
            is_strided: integers("strides").is_some_and(|strides| strides.ints.iter().any(|&stride| stride > 1)),
        })
    }

    /// Whether a convolution follows a step with nothing but scales and shifts between.
    pub fn convolves_next(&self, step: usize) -> bool {
        let scales = |&next: &usize| self.only(next).is_some_and(|node| AFFINE.contains(&operator(node)));
        let next = (step + 1..self.len()).find(|next| !scales(next));
        next.is_some_and(|next| self.convolution(next).is_some())
    }

    /// Whether a step brings positions together, other than by a convolution.
    pub fn pools(&self, step: usize) -> bool {
        self.only(step).is_some_and(|node| POOLING.contains(&operator(node)))
    }

    /// The end of the steps after this one that only change each number by itself.
    pub fn after_activation(&self, step: usize) -> usize {
        self.after(step, |operator| ELEMENTWISE.contains(&operator))
    }

    /// The end of the steps after this one that only change each number by itself, or normalise.
    pub fn after_normalisation(&self, step: usize) -> usize {
        self.after(step, |operator| ELEMENTWISE.contains(&operator) || NORMALISING.contains(&operator))
    }

    /// The last step from here on that is reached through steps whose every operator is known and takes nothing but
    /// data and constants.
    fn after(&self, step: usize, known: impl Fn(&str) -> bool) -> usize {
        let plain = |node: &NodeProto| {
            let inputs = node.input.iter().filter(|name| !name.is_empty());
            known(operator(node))
                && inputs.into_iter().all(|name| self.is_data(name) || self.graph.flow.is_constant(name))
        };
        let passes = |&next: &usize| self.nodes(next).all(plain) && !self.pools(next);
        let end = (step + 1..self.len()).take_while(passes).last().unwrap_or(step);
        // A quantised value is no float; the value before it says the same.
        let quantised = |&step: &usize| self.only(step).is_some_and(|node| operator(node) == "QuantizeLinear");
        (step..=end).rev().find(|step| !quantised(step)).unwrap_or(end)
    }

    /// The step whose value becomes the features by pooling and reshaping alone.
    pub fn before_pooling(&self) -> usize {
        let mut found = self.len() - 1;
        for step in (1..self.len()).rev() {
            let Some(node) = self.only(step) else { break };
            // `Gather` may take rows of a weight by the data; then the data is not what it takes a part of.
            if LAST_POOLING.contains(&operator(node)) && node.input.first().is_some_and(|name| self.is_data(name)) {
                found = step - 1;
            } else if !RESHAPING.contains(&operator(node)) {
                break;
            }
        }
        found
    }
}

/// What matters of a convolution here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Convolution {
    /// It sees one position and all channels.
    pub is_pointwise: bool,
    /// Each channel is by itself.
    pub is_depthwise: bool,
    /// It makes the map smaller.
    pub is_strided: bool,
}

fn holds_no_data(node: &NodeProto) -> bool {
    let to_bool = |node: &NodeProto| {
        let to = node.attribute.iter().find(|attribute| attribute.name.as_deref() == Some("to"));
        to.and_then(|to| to.i) == Some(i64::from(DataType::BOOL.0))
    };
    NO_DATA.contains(&operator(node)) || operator(node) == "Cast" && to_bool(node)
}

fn is_matrix_product(node: &NodeProto) -> bool {
    let operator = operator(node);
    operator.contains("MatMul") || matches!(operator, "Gemm" | "Einsum")
}

fn is_product(node: &NodeProto) -> bool {
    is_matrix_product(node) || operator(node).contains("Conv") || operator(node).contains("Attention")
}
