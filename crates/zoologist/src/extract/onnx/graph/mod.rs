//! What a model's graph says about its inputs, its outputs, where its features are, and where its layers end.

mod chain;
mod features;
mod flow;
mod inputs;
mod layers;
mod pooling;

use std::collections::{HashMap, HashSet};

use rten_onnx::onnx::{GraphProto, ModelProto, NodeProto, ValueInfoProto};

pub use features::FeatureSource;
pub use inputs::{PictureInput, TextInput, TextInputs};
pub use layers::LayerValue;
pub use pooling::Pooling;

use self::flow::Flow;
use super::ModelError;

/// A parsed graph.
pub struct Graph {
    proto: GraphProto,
    flow: Flow,
    /// The place of each weight.
    weights: HashMap<String, usize>,
}

impl Graph {
    /// Parses a model.
    pub fn parse(bytes: &[u8]) -> Result<Self, ModelError> {
        let proto = ModelProto::parse_buf(bytes).ok().and_then(|model| model.graph).ok_or(ModelError::Damaged)?;
        if proto.node.is_empty() || proto.output.is_empty() {
            return Err(ModelError::Damaged);
        }
        let flow = Flow::of(&proto);
        let weights = proto.initializer.iter().enumerate();
        let weights = weights.filter_map(|(place, tensor)| Some((tensor.name.clone()?, place))).collect();
        Ok(Self { proto, flow, weights })
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
