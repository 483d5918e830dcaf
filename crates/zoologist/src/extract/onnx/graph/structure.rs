//! What a graph's tensors are for: which are missing, which nobody uses, what each weight does.

use std::collections::{HashMap, HashSet};

use rten_onnx::onnx::{NodeProto, TensorProto};
use serde::{Deserialize, Serialize};

use super::{Graph, name_of, operator};
use crate::base::path_text::escape;

/// How many batch norms are looked at.
const MOST_NORMS: usize = 12;
/// How many convolutions are looked at where there are no batch norms.
const FIRST_CONVOLUTIONS: usize = 12;
/// What stands behind a convolution to make it do something.
const ACTIVATIONS: [&str; 10] =
    ["Relu", "Clip", "LeakyRelu", "PRelu", "HardSwish", "Sigmoid", "Gelu", "Mish", "Elu", "Mul"];
/// How many names are kept of a list.
const KEPT: usize = 10;

/// What a weight is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The kernel of a convolution: out × in × kernel.
    Kernel,
    /// A matrix that stands right of a product: in × out.
    Matrix,
    /// A matrix of a product that turns it first: out × in.
    TurnedMatrix,
    /// A table that rows are picked from.
    Table,
    /// Added after a product.
    Bias,
    /// The factor of a normalisation.
    Scale,
    /// What a normalisation adds.
    Shift,
    /// The running mean of a batch norm.
    Mean,
    /// The running variance of a batch norm.
    Variance,
}

/// Some names: how many there are, and the first of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Names {
    /// How many.
    pub count: usize,
    /// The first ones, control characters escaped.
    pub first: Vec<String>,
}

/// A map whose channels tell of the preprocessing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signal {
    /// The value of the graph.
    pub value: String,
    /// Whether the mean of each channel and of its square are looked at.
    pub moments: bool,
    /// Whether the share of positive numbers of each channel is.
    pub sign: bool,
}

/// The first convolution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stem {
    /// What it makes.
    pub value: String,
    /// The name of its bias; empty if it has none.
    pub bias: String,
    /// Whether the activation behind it lets negative numbers through.
    pub smooth: bool,
}

/// A batch norm whose statistics are weights.
#[derive(Debug, Clone, PartialEq)]
pub struct Batchnorm {
    /// The value that it normalises.
    pub value: String,
    /// The names of scale, shift, mean and variance.
    pub weights: [String; 4],
    /// What is added to the variance.
    pub epsilon: f32,
}

impl Names {
    /// One more name.
    pub fn push(&mut self, name: &str) {
        self.count += 1;
        if self.first.len() < KEPT {
            self.first.push(escape(name));
        }
    }
}

impl FromIterator<String> for Names {
    fn from_iter<T: IntoIterator<Item = String>>(names: T) -> Self {
        let mut all = Self::default();
        names.into_iter().for_each(|name| all.push(&name));
        all
    }
}

impl Graph {
    /// Every tensor that the graph itself holds, by name: its weights, then the constants that its nodes make.
    pub fn tensors(&self) -> impl Iterator<Item = (&str, &TensorProto)> {
        let weights = self.proto.initializer.iter().map(|tensor| (tensor.name.as_deref().unwrap_or_default(), tensor));
        let constant = |node: &'_ NodeProto| operator(node) == "Constant";
        let constants = self.proto.node.iter().filter(move |node| constant(node)).filter_map(|node| {
            let value = node.attribute.iter().find_map(|attribute| attribute.t.as_ref())?;
            Some((node.output.first()?.as_str(), value))
        });
        weights.chain(constants)
    }

    /// What each weight is for; those that only serve to compute shapes, masks and the like have no role.
    pub fn roles(&self) -> HashMap<&str, Role> {
        let mut roles = HashMap::new();
        for node in &self.proto.node {
            let turned = |name: &str| {
                let flag = node.attribute.iter().find(|attribute| attribute.name.as_deref() == Some(name));
                flag.and_then(|attribute| attribute.i) == Some(1)
            };
            let all: &[(usize, Role)] = match operator(node) {
                "Conv" | "ConvTranspose" => &[(1, Role::Kernel), (2, Role::Bias)],
                "Gemm" if turned("transB") => &[(1, Role::TurnedMatrix), (2, Role::Bias)],
                "Gemm" => &[(1, Role::Matrix), (2, Role::Bias)],
                "MatMul" => &[(1, Role::Matrix)],
                "Gather" => &[(0, Role::Table)],
                "BatchNormalization" => &[(1, Role::Scale), (2, Role::Shift), (3, Role::Mean), (4, Role::Variance)],
                "LayerNormalization" | "InstanceNormalization" | "GroupNormalization" => {
                    &[(1, Role::Scale), (2, Role::Shift)]
                }
                _ => &[],
            };
            for &(place, role) in all {
                if let Some(name) = node.input.get(place).and_then(|name| self.weight_behind(name)) {
                    roles.insert(name, role);
                }
            }
        }
        roles
    }

    /// The tensor behind an input of a node: a weight, or a constant that a node makes, perhaps cast or dequantised.
    pub fn weight_behind<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        let mut name = name;
        // A chain of such nodes is no longer than the graph.
        for _ in 0..=self.proto.node.len() {
            if self.weights.contains_key(name) {
                return Some(name);
            }
            let node = &self.proto.node[self.flow.maker(name)?];
            match operator(node) {
                "Constant" => return Some(name),
                "Cast" | "Identity" | "DequantizeLinear" => name = node.input.first()?,
                _ => return None,
            }
        }
        None
    }

    /// Values that nodes take and nothing makes: weights that the file lacks.
    pub fn missing(&self) -> Names {
        let made: HashSet<&str> =
            self.proto.node.iter().flat_map(|node| node.output.iter().map(String::as_str)).collect();
        let fed: HashSet<&str> = self.proto.input.iter().map(name_of).collect();
        let known = |name: &str| {
            name.is_empty() || made.contains(name) || fed.contains(name) || self.weights.contains_key(name)
        };
        let mut seen = HashSet::new();
        let taken = self
            .proto
            .node
            .iter()
            .flat_map(|node| &node.input)
            .chain(self.proto.output.iter().filter_map(|output| output.name.as_ref()));
        taken.filter(|name| !known(name) && seen.insert(name.as_str())).cloned().collect()
    }

    /// Weights that no node takes.
    pub fn unused(&self) -> Names {
        let outputs = self.proto.output.iter().filter_map(|output| self.flow.number(name_of(output)));
        let output: HashSet<usize> = outputs.collect();
        let used = |name: &str| {
            self.flow.number(name).is_some_and(|value| self.flow.is_taken(value) || output.contains(&value))
        };
        let names = self.proto.initializer.iter().filter_map(|tensor| tensor.name.clone());
        names.filter(|name| !used(name)).collect()
    }

    /// The batch norms on the way from the input, in the order of the data, whose statistics are weights.
    pub fn batchnorms(&self) -> Vec<Batchnorm> {
        let nodes = self.flow.order().iter().map(|&node| &self.proto.node[node]);
        let of = |node: &NodeProto| {
            let weights = [1, 2, 3, 4].map(|place| node.input.get(place).cloned().unwrap_or_default());
            let epsilon = node.attribute.iter().find(|attribute| attribute.name.as_deref() == Some("epsilon"));
            weights.iter().all(|name| self.weight_dims(name).is_some()).then(|| Batchnorm {
                value: node.input.first().cloned().unwrap_or_default(),
                weights,
                epsilon: epsilon.and_then(|attribute| attribute.f).unwrap_or(1e-5),
            })
        };
        nodes.filter(|node| operator(node) == "BatchNormalization").filter_map(of).collect()
    }

    /// What the convolutions on the way from the input make, in the order of the data: what a batch norm normalised
    /// before it was folded into them.
    pub fn convolved(&self) -> Vec<String> {
        let nodes = self.flow.order().iter().map(|&node| &self.proto.node[node]);
        nodes.filter(|node| operator(node) == "Conv").filter_map(|node| node.output.first().cloned()).collect()
    }

    /// Maps whose channels tell of the preprocessing: what goes into some batch norms, the first among them, or, where
    /// these are folded into convolutions, what the first convolutions make.
    pub fn signals(&self) -> Vec<Signal> {
        let norms = self.batchnorms();
        if norms.is_empty() {
            return self.folded_signals();
        }
        let step = norms.len().div_ceil(MOST_NORMS).max(1);
        norms.into_iter().step_by(step).map(|norm| Signal { value: norm.value, moments: true, sign: false }).collect()
    }

    fn folded_signals(&self) -> Vec<Signal> {
        let first = self.convolved().into_iter().take(FIRST_CONVOLUTIONS).enumerate();
        let signal = |(place, value): (usize, String)| {
            let sign = self.activation_after(&value).is_some();
            Signal { value, moments: place == 0, sign }
        };
        first.map(signal).filter(|signal| signal.moments || signal.sign).collect()
    }

    /// The first convolution: its bias, and whether the activation behind it never lets go to zero.
    pub fn stem(&self) -> Option<Stem> {
        let value = self.convolved().into_iter().next()?;
        let node = &self.proto.node[self.flow.maker(&value)?];
        let smooth =
            matches!(self.activation_after(&value), Some("HardSwish" | "Sigmoid" | "Gelu" | "Mish" | "Elu" | "Mul"));
        Some(Stem { value, bias: node.input.get(2).cloned().unwrap_or_default(), smooth })
    }

    /// The activation that takes a value, if one does.
    fn activation_after(&self, value: &str) -> Option<&str> {
        let takes = |node: &&NodeProto| node.input.first().map(String::as_str) == Some(value);
        let operators = self.proto.node.iter().filter(takes).map(operator);
        operators.into_iter().find(|operator| ACTIVATIONS.contains(operator))
    }

    /// How often each operator stands in the graph.
    pub fn operators(&self) -> std::collections::BTreeMap<String, usize> {
        let mut counts = std::collections::BTreeMap::new();
        for node in &self.proto.node {
            *counts.entry(escape(operator(node))).or_default() += 1;
        }
        counts
    }

    /// Whether the graph itself shifts or scales the picture before its first convolution or product.
    pub fn scales_its_input(&self, input: &str) -> bool {
        let Some(source) = self.flow.number(input) else { return false };
        let heavy = |node: usize| matches!(operator(&self.proto.node[node]), "Conv" | "MatMul" | "Gemm");
        let near = self.flow.reached(source, heavy);
        let scales = |node: &&NodeProto| {
            let reached = node.input.iter().any(|name| self.flow.number(name).is_some_and(|value| near[value]));
            reached && matches!(operator(node), "Sub" | "Mul" | "Div" | "Add" | "BatchNormalization")
        };
        let first = self
            .flow
            .order()
            .iter()
            .map(|&node| &self.proto.node[node])
            .take_while(|node| !matches!(operator(node), "Conv" | "MatMul" | "Gemm"));
        first.filter(scales).count() > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extract::onnx::sketch;

    const NETWORK: &str = "input x float 1 3 8 8\n output y float 1 2
        c = Conv(x, k[5 3 3 3], b[5]) pads=1,1,1,1 strides=1,1 dilations=1,1
        r = Relu(c)\n p = GlobalAveragePool(r)\n f = Flatten(p)\n y = Gemm(f, w[5 2])";

    fn graph(text: &str) -> Graph {
        Graph::parse(&sketch::model(text)).unwrap()
    }

    #[test]
    fn a_sound_network_lacks_nothing() {
        let graph = graph(NETWORK);
        assert_eq!(
            [graph.missing(), graph.unused(), graph.misfits()],
            [Names::default(), Names::default(), Names::default()]
        );
        let roles = graph.roles();
        assert_eq!([roles["k"], roles["b"], roles["w"]], [Role::Kernel, Role::Bias, Role::Matrix]);
    }

    #[test]
    fn what_is_missing_or_does_not_fit_is_named() {
        let missing = graph(&NETWORK.replace("w[5 2]", "gone")).missing();
        assert_eq!((missing.count, &missing.first[..]), (1, &["gone".to_owned()][..]));
        let cases = [
            (NETWORK.replace("w[5 2]", "w[6 2]"), "w (Gemm) takes 6 numbers and gets 5"),
            (NETWORK.replace("b[5]", "b[4]"), "b (Conv) has 4 numbers for 5 channels"),
        ];
        for (text, expected) in cases {
            assert_eq!(graph(&text).misfits().first, [expected]);
        }
    }

    #[test]
    fn a_graph_that_scales_its_input_is_known() {
        assert!(!graph(NETWORK).scales_its_input("x"));
        let scaled = NETWORK.replace("c = Conv(x,", "s = Sub(x, #0.5)\n c = Conv(s,");
        assert!(graph(&scaled).scales_its_input("x"));
    }
}
