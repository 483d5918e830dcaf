//! An ONNX file from nothing: a graph is put together node by node, by whoever knows the network.
//!
//! Operators of opset 17, in which `LayerNormalization` came and reductions still have their axes as an attribute.

use std::collections::HashSet;

use super::ModelError;
use super::graph::Graph;
use super::headed::{Part, VectorFrom};
use super::wire::{Added, AddedAttribute, AddedNode, AddedTensor, InputKind, blank, with_added};
use crate::extract::head::{Dense, Head};

/// The version of the operators.
const OPSET: usize = 17;

/// Nodes and constants on their way: a graph of their own, or what is appended to one.
#[derive(Debug)]
pub struct Composer {
    added: Added,
    /// How everything that gets no name of its own is called, with a number behind it.
    prefix: &'static str,
    /// Names that another graph has already.
    taken: HashSet<String>,
    /// How many names were made.
    names: usize,
}

impl Default for Composer {
    fn default() -> Self {
        Self { added: Added::default(), prefix: "value", taken: HashSet::new(), names: 0 }
    }
}

/// A whole file and what its values are called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Composed {
    /// The file.
    pub bytes: Vec<u8>,
    /// The output of the head.
    pub logits: String,
    /// The output that holds the features.
    pub features: String,
}

impl Composer {
    /// What is appended to a graph with these names.
    pub(super) fn beside(taken: &HashSet<&str>, prefix: &'static str) -> Self {
        Self { prefix, taken: taken.iter().map(|&name| name.to_owned()).collect(), ..Self::default() }
    }

    /// Gives what the last node makes another name.
    pub(super) fn rename_last(&mut self, name: &str) {
        if let Some(last) = self.added.nodes.last_mut() {
            name.clone_into(&mut last.output);
        }
    }

    /// All of it.
    pub(super) fn into_added(self) -> Added {
        self.added
    }

    /// An input of integers, with its axes open.
    pub fn integers_in(&mut self, name: &str, axes: usize) -> String {
        self.added.inputs.push((name.to_owned(), InputKind::Integers, vec![None; axes]));
        name.to_owned()
    }

    /// An input of numbers; axes without length are open.
    pub fn floats_in(&mut self, name: &str, axes: &[Option<usize>]) -> String {
        self.added.inputs.push((name.to_owned(), InputKind::Floats, axes.to_vec()));
        name.to_owned()
    }

    /// A name that nothing else has.
    fn name(&mut self) -> String {
        loop {
            self.names += 1;
            let name = format!("{}_{}", self.prefix, self.names);
            if !self.taken.contains(&name) {
                return name;
            }
        }
    }

    /// A node; the name of what it makes.
    pub fn node(&mut self, operator: &'static str, inputs: &[&str]) -> String {
        self.node_with(operator, inputs, vec![])
    }

    /// A node with attributes.
    pub fn node_with(
        &mut self,
        operator: &'static str,
        inputs: &[&str],
        attributes: Vec<(&'static str, AddedAttribute)>,
    ) -> String {
        let (inputs, output) = (inputs.iter().map(|&input| input.to_owned()).collect(), self.name());
        self.added.nodes.push(AddedNode { operator, inputs, output: output.clone(), attributes });
        output
    }

    /// A constant of numbers.
    pub fn floats(&mut self, shape: Vec<usize>, values: &[f32]) -> String {
        let name = self.name();
        self.named_floats(&name, shape, values)
    }

    /// A constant of numbers under a name of its own.
    pub fn named_floats(&mut self, name: &str, shape: Vec<usize>, values: &[f32]) -> String {
        self.added.tensors.push(AddedTensor::floats(name.to_owned(), shape, values));
        name.to_owned()
    }

    /// A constant of integers.
    pub fn integers(&mut self, shape: Vec<usize>, values: &[i64]) -> String {
        let name = self.name();
        self.added.tensors.push(AddedTensor::integers(name.clone(), shape, values));
        name
    }

    /// A single number.
    pub fn number(&mut self, value: f32) -> String {
        self.floats(vec![], &[value])
    }

    /// The file: `features` becomes an output of that name, and a head on its vectors another one.
    pub fn finish(
        mut self,
        value: &str,
        features: &str,
        vector: VectorFrom,
        head: Dense,
    ) -> Result<Composed, ModelError> {
        let rank = if matches!(vector, VectorFrom::Tokens(_)) { 3 } else { 2 };
        self.added.nodes.push(AddedNode::plain("Identity", vec![value.to_owned()], features.to_owned()));
        self.added.float_outputs.push((features.to_owned(), vec![None; rank]));
        let bytes = with_added(&blank(OPSET), &self.added)?;
        let part = Part { value: features.to_owned(), vector, width: head.into, rank };
        let headed = Graph::parse(&bytes)?.headed(&[part], &Head { columns: None, layers: vec![head] })?;
        Ok(Composed { bytes: with_added(&bytes, &headed.added)?, logits: headed.logits, features: features.to_owned() })
    }
}
