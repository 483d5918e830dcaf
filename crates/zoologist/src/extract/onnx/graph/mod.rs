//! What a model's graph says about its inputs, its outputs, where its features are, and where its layers end.

mod chain;
mod features;
mod floats;
mod flow;
mod inputs;
mod layers;
mod pooling;
mod structure;
mod training;
mod widths;

use std::collections::{HashMap, HashSet};

use rten_onnx::onnx::{GraphProto, ModelProto, NodeProto, OperatorSetIdProto, ValueInfoProto};

pub use features::FeatureSource;
pub use inputs::{PictureInput, TextInput, TextInputs};
pub use layers::LayerValue;
pub use pooling::Pooling;
pub use structure::{Batchnorm, Names, Role, Signal, Stem};
pub use training::TrainingNode;

use self::flow::Flow;
use super::ModelError;

/// A parsed graph.
pub struct Graph {
    proto: GraphProto,
    flow: Flow,
    /// The place of each weight.
    weights: HashMap<String, usize>,
    /// Versions of the sets of operators, and what wrote the file.
    origin: Origin,
}

/// What a model says of its own making.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origin {
    /// The version of the standard set of operators.
    pub opset: Option<i64>,
    /// Other sets of operators, by domain.
    pub domains: Vec<String>,
    /// The program that wrote the file, and its version.
    pub producer: String,
}

impl Origin {
    fn of(model: &ModelProto) -> Self {
        let standard = |domain: &str| domain.is_empty() || domain == "ai.onnx";
        let domain = |set: &OperatorSetIdProto| set.domain.clone().unwrap_or_default();
        let (name, version) = (model.producer_name.as_deref(), model.producer_version.as_deref());
        Self {
            opset: model.opset_import.iter().find(|set| standard(&domain(set))).and_then(|set| set.version),
            domains: model.opset_import.iter().map(domain).filter(|domain| !standard(domain)).collect(),
            producer: [name, version].into_iter().flatten().collect::<Vec<_>>().join(" ").trim().to_owned(),
        }
    }
}

impl Graph {
    /// Parses a model.
    pub fn parse(bytes: &[u8]) -> Result<Self, ModelError> {
        let mut model = ModelProto::parse_buf(bytes).map_err(|_| ModelError::Damaged)?;
        let proto = model.graph.take().ok_or(ModelError::Damaged)?;
        if proto.node.is_empty() || proto.output.is_empty() {
            return Err(ModelError::Damaged);
        }
        let flow = Flow::of(&proto);
        let weights = proto.initializer.iter().enumerate();
        let weights = weights.filter_map(|(place, tensor)| Some((tensor.name.clone()?, place))).collect();
        Ok(Self { proto, flow, weights, origin: Origin::of(&model) })
    }

    /// What the model says of its own making.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The nodes, for counting.
    pub fn nodes(&self) -> &[NodeProto] {
        &self.proto.node
    }

    /// The dimensions of a weight.
    pub fn weight_dims(&self, name: &str) -> Option<&[i64]> {
        self.weights.get(name).map(|&place| &self.proto.initializer[place].dims[..])
    }

    /// Whether the graph has an output of that name.
    pub fn output_named(&self, name: &str) -> bool {
        self.proto.output.iter().any(|output| name_of(output) == name)
    }

    /// Whether each node is needed to make a value; `None` if no node makes or takes it.
    pub fn needed_for(&self, value: &str) -> Option<Vec<bool>> {
        Some(self.flow.needed(self.flow.number(value)?, |_| false))
    }

    /// Every name that stands in the graph or in a graph within it.
    pub fn names(&self) -> HashSet<&str> {
        let mut names = HashSet::new();
        collect_names(&self.proto, &mut names);
        names
    }
}

fn collect_names<'a>(graph: &'a GraphProto, into: &mut HashSet<&'a str>) {
    into.extend(graph.initializer.iter().filter_map(|tensor| tensor.name.as_deref()));
    into.extend(graph.input.iter().chain(&graph.output).map(name_of));
    for node in &graph.node {
        into.extend(node.input.iter().chain(&node.output).map(String::as_str));
        node.attribute.iter().filter_map(|attribute| attribute.g.as_ref()).for_each(|inner| collect_names(inner, into));
    }
}

fn name_of(value: &ValueInfoProto) -> &str {
    value.name.as_deref().unwrap_or_default()
}

fn operator(node: &NodeProto) -> &str {
    node.op_type.as_deref().unwrap_or_default()
}
