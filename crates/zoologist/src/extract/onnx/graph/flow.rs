//! The flow of data through a graph: values and nodes by number, in an order in which each node comes after those that
//! make its inputs.
//!
//! A file may hold its nodes in any order, name what nobody makes, or run in a circle. Nodes of a circle are in no
//! order and are never reached.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use rten_onnx::onnx::{GraphProto, NodeProto};

/// The values and nodes of a graph.
#[derive(Default)]
pub struct Flow {
    numbers: HashMap<String, usize>,
    names: Vec<String>,
    links: Vec<Links>,
    /// The node that makes each value.
    makers: Vec<Option<usize>>,
    /// Whether each value is the same whatever the inputs are.
    constant: Vec<bool>,
    order: Vec<usize>,
}

/// What a node takes and makes, as numbers of values.
#[derive(Default)]
pub struct Links {
    /// The values it takes, those that its inner graphs use among them.
    pub inputs: Vec<usize>,
    /// The values it makes.
    pub outputs: Vec<usize>,
}

impl Flow {
    /// The flow of a graph.
    pub fn of(graph: &GraphProto) -> Self {
        let mut flow = Self::default();
        for node in &graph.node {
            let mut taken: Vec<&str> = node.input.iter().map(String::as_str).collect();
            inner_names(node, &mut taken);
            let inputs = flow.intern_all(&taken);
            let made: Vec<&str> = node.output.iter().map(String::as_str).collect();
            let outputs = flow.intern_all(&made);
            flow.links.push(Links { inputs, outputs });
        }
        flow.makers = vec![None; flow.names.len()];
        for (node, links) in flow.links.iter().enumerate() {
            links.outputs.iter().for_each(|&value| flow.makers[value] = Some(node));
        }
        flow.order = flow.sorted();
        flow.constant = flow.constants(graph);
        flow
    }

    fn intern_all(&mut self, names: &[&str]) -> Vec<usize> {
        names.iter().filter(|name| !name.is_empty()).map(|name| self.intern(name)).collect()
    }

    fn intern(&mut self, name: &str) -> usize {
        if let Some(&number) = self.numbers.get(name) {
            return number;
        }
        self.names.push(name.to_owned());
        self.numbers.insert(name.to_owned(), self.names.len() - 1);
        self.names.len() - 1
    }

    /// Nodes in an order of the data; the order of the file where that is one.
    fn sorted(&self) -> Vec<usize> {
        let mut users = vec![vec![]; self.names.len()];
        let mut missing = vec![0_usize; self.links.len()];
        for (node, links) in self.links.iter().enumerate() {
            for &value in links.inputs.iter().filter(|&&value| self.makers[value].is_some()) {
                users[value].push(node);
                missing[node] += 1;
            }
        }
        let mut ready: BinaryHeap<Reverse<usize>> =
            (0..missing.len()).filter(|&node| missing[node] == 0).map(Reverse).collect();
        let mut order = vec![];
        while let Some(Reverse(node)) = ready.pop() {
            order.push(node);
            for &value in self.links[node].outputs.iter().filter(|&&value| self.makers[value] == Some(node)) {
                for user in std::mem::take(&mut users[value]) {
                    missing[user] -= 1;
                    if missing[user] == 0 {
                        ready.push(Reverse(user));
                    }
                }
            }
        }
        order
    }

    fn constants(&self, graph: &GraphProto) -> Vec<bool> {
        let mut constant = vec![false; self.names.len()];
        let weights = graph.initializer.iter().filter_map(|tensor| self.number(tensor.name.as_deref()?));
        weights.for_each(|value| constant[value] = true);
        for &node in &self.order {
            let random = graph.node[node].op_type.as_deref().is_some_and(|operator| operator.starts_with("Random"));
            if !random && self.links[node].inputs.iter().all(|&value| constant[value]) {
                self.links[node].outputs.iter().for_each(|&value| constant[value] = true);
            }
        }
        constant
    }

    /// The number of a value that a node takes or makes.
    pub fn number(&self, name: &str) -> Option<usize> {
        self.numbers.get(name).copied()
    }

    /// The name of a value.
    pub fn name(&self, value: usize) -> &str {
        &self.names[value]
    }

    /// The node that makes a value.
    pub fn maker(&self, name: &str) -> Option<usize> {
        self.makers[self.number(name)?]
    }

    /// What a node takes and makes.
    pub fn links(&self, node: usize) -> &Links {
        &self.links[node]
    }

    /// Whether a value is the same whatever the inputs are.
    pub fn is_constant(&self, name: &str) -> bool {
        self.number(name).is_some_and(|value| self.constant[value])
    }

    /// Whether a node takes a value.
    pub fn is_taken(&self, value: usize) -> bool {
        self.links.iter().any(|links| links.inputs.contains(&value))
    }

    /// All nodes, each after those that make its inputs.
    pub fn order(&self) -> &[usize] {
        &self.order
    }

    /// Whether each value depends on `source`, not counting what goes through a node that `blocks`.
    pub fn reached(&self, source: usize, blocks: impl Fn(usize) -> bool) -> Vec<bool> {
        let mut reached = vec![false; self.names.len()];
        reached[source] = true;
        for &node in &self.order {
            if self.links[node].inputs.iter().any(|&value| reached[value]) && !blocks(node) {
                self.links[node].outputs.iter().for_each(|&value| reached[value] = true);
            }
        }
        reached
    }

    /// Whether each node is needed to make a value, not counting what goes through a node that `blocks`.
    pub fn needed(&self, value: usize, blocks: impl Fn(usize) -> bool) -> Vec<bool> {
        let mut wanted = vec![false; self.names.len()];
        wanted[value] = true;
        let mut needed = vec![false; self.links.len()];
        for &node in self.order.iter().rev() {
            if self.links[node].outputs.iter().any(|&value| wanted[value]) && !blocks(node) {
                needed[node] = true;
                self.links[node].inputs.iter().for_each(|&value| wanted[value] = true);
            }
        }
        needed
    }

    /// How many nodes stand, one behind the other, on the longest way to each value.
    pub fn depths(&self) -> Vec<usize> {
        let mut depths = vec![0; self.names.len()];
        for &node in &self.order {
            let deepest = self.links[node].inputs.iter().map(|&value| depths[value]).max().unwrap_or(0);
            self.links[node].outputs.iter().for_each(|&value| depths[value] = deepest + 1);
        }
        depths
    }
}

/// Names that the inner graphs of a node (`If`, `Loop`) use; those of the outer graph are inputs of the node too.
fn inner_names<'a>(node: &'a NodeProto, into: &mut Vec<&'a str>) {
    for inner in node.attribute.iter().filter_map(|attribute| attribute.g.as_ref()) {
        into.extend(inner.output.iter().filter_map(|output| output.name.as_deref()));
        for node in &inner.node {
            into.extend(node.input.iter().map(String::as_str));
            inner_names(node, into);
        }
    }
}
