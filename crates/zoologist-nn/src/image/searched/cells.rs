//! Cells of two inputs and four nodes. A node is the mean of what comes from the inputs and from every node before it, each
//! through an operation of its own; the four nodes side by side are what the cell gives. Two cells are searched, one that
//! keeps the size of the maps and one that halves it, and six of them are stacked.
//!
//! The papers have the sum. Where each node of what is built has two edges that is the same but for a factor; while weights
//! are shared, paths of one edge and of five meet in one node, and weights don't learn from sums of such different sizes.
//! For the same reason a convolution with its norm stands before the classifier.

use burn::tensor::Tensor;
use zoologist::extract::onnx::{AddedAttribute, ModelError};
use zoologist::search::Choice;

use super::super::Take;
use super::Costs;
use super::path::{Path, Step};
use crate::graphs::Writer;
use crate::kernels::Clamp;
use crate::scope::{Scope, pooled};

/// What can stand on an edge. The first one passes nothing.
const OPERATIONS: [&str; 8] =
    ["none", "skip", "max_pool_3x3", "mean_pool_3x3", "separable_3x3", "separable_5x5", "dilated_3x3", "dilated_5x5"];
const NONE: u8 = 0;
const KINDS: [&str; 2] = ["normal", "reduction"];
const INPUTS: usize = 2;
const NODES: usize = 4;
/// Edges of a cell.
const EDGES: usize = 14;
/// Whether each cell of the stack halves the maps: those at a third and at two thirds (Liu et al., arXiv:1806.09055, §3.1).
const REDUCES: [bool; 6] = [false, false, true, false, true, false];

/// Width of the features.
pub fn dim(channels: usize) -> usize {
    NODES * width(channels, REDUCES.len() - 1)
}

/// Channels of a node.
fn width(channels: usize, cell: usize) -> usize {
    channels << REDUCES[..=cell].iter().filter(|reduces| **reduces).count()
}

/// The node that an edge leads to and the one that it comes from, inputs first.
fn edges() -> impl Iterator<Item = (usize, usize)> {
    (INPUTS..INPUTS + NODES).flat_map(|node| (0..node).map(move |from| (node, from)))
}

/// The choices of a cell's edges.
fn choices_of(reduces: bool) -> std::ops::Range<usize> {
    let first = if reduces { EDGES } else { 0 };
    first..first + EDGES
}

fn path(channels: usize, cell: usize, (node, from): (usize, usize), operation: u8) -> Path {
    let width = width(channels, cell);
    let stride = if REDUCES[cell] && from < INPUTS { 2 } else { 1 };
    let name = OPERATIONS[usize::from(operation)];
    let separable = |kernel: usize| {
        vec![
            Step::filter(width, kernel, stride, 1, Clamp::None),
            Step::mix(width, Clamp::Relu),
            Step::filter(width, kernel, 1, 1, Clamp::None),
            Step::mix(width, Clamp::Relu),
        ]
    };
    let dilated =
        |kernel: usize| vec![Step::filter(width, kernel, stride, 2, Clamp::None), Step::mix(width, Clamp::Relu)];
    let steps = match name {
        "skip" if stride == 2 => vec![Step::Mean { kernel: 2, stride }, Step::mix(width, Clamp::Relu)],
        "max_pool_3x3" => vec![Step::Largest { stride }],
        "mean_pool_3x3" => vec![Step::Mean { kernel: 3, stride }],
        "separable_3x3" => separable(3),
        "separable_5x5" => separable(5),
        "dilated_3x3" => dilated(3),
        "dilated_5x5" => dilated(5),
        _ => vec![],
    };
    Path::new(format!("cells.{cell}.{node}.{from}.{name}"), width, steps)
}

/// Whether a parameter belongs to an operation of an edge.
pub fn is_of_an_edge(name: &str) -> bool {
    name.starts_with("cells.") && !name.contains(".input.")
}

fn stem(channels: usize) -> Path {
    Path::new("stem", 3, vec![Step::square(channels, 3, Clamp::Relu)])
}

fn last(channels: usize) -> Path {
    Path::new("features", dim(channels), vec![Step::mix(dim(channels), Clamp::Relu)])
}

/// What brings an input to a cell's width, and to the size of its other input where that is smaller.
fn input(channels: usize, cell: usize, number: usize) -> Path {
    // The inputs come from the two cells before it, or from the stem.
    let source = (cell + number).checked_sub(INPUTS);
    let into = source.map_or(channels, |source| NODES * width(channels, source));
    let halves = number == 0 && cell > 0 && REDUCES[cell - 1];
    let pool = halves.then_some(Step::Mean { kernel: 2, stride: 2 });
    let steps = pool.into_iter().chain([Step::mix(width(channels, cell), Clamp::Relu)]).collect();
    Path::new(format!("cells.{cell}.input.{number}"), into, steps)
}

/// What is to be chosen: the edges of the normal cell, then those of the reduction cell.
pub fn choices() -> Vec<Choice> {
    let options: Vec<String> = OPERATIONS.map(str::to_owned).to_vec();
    let named = KINDS.iter().flat_map(|kind| edges().map(move |(node, from)| format!("{kind}.{node}.{from}")));
    named.map(|name| Choice { name, options: options.clone() }).collect()
}

/// A node that nothing comes to has no value.
pub fn excluded() -> Vec<Vec<(usize, u8)>> {
    let of_node = |first: usize, node: usize| {
        let edges = edges().enumerate().filter(|(_, (to, _))| *to == node);
        edges.map(|(edge, _)| (first + edge, NONE)).collect()
    };
    [0, EDGES].into_iter().flat_map(|first| (INPUTS..INPUTS + NODES).map(move |node| of_node(first, node))).collect()
}

/// An architecture whose nodes keep the two edges of largest weight, of those that pass something.
pub fn pruned(operations: &[u8], weight: &mut dyn FnMut(usize) -> f64) -> Vec<u8> {
    let mut pruned = operations.to_vec();
    for first in [0, EDGES] {
        for node in INPUTS..INPUTS + NODES {
            let own = edges().enumerate().filter(|(_, (to, _))| *to == node).map(|(edge, _)| first + edge);
            let mut own: Vec<(f64, usize)> =
                own.filter(|&edge| operations[edge] != NONE).map(|edge| (weight(edge), edge)).collect();
            own.sort_by(|a, b| b.0.total_cmp(&a.0));
            own.iter().skip(INPUTS).for_each(|&(_, edge)| pruned[edge] = NONE);
        }
    }
    pruned
}

/// The names of the cells.
pub fn block_names() -> Vec<String> {
    (0..REDUCES.len()).map(|cell| format!("cells.{cell}")).collect()
}

/// Widths of what they take from the cell before, and of what they give.
pub fn block_widths(channels: usize) -> Vec<[usize; 2]> {
    let out = |cell: usize| NODES * width(channels, cell);
    (0..REDUCES.len()).map(|cell| [cell.checked_sub(1).map_or(channels, out), out(cell)]).collect()
}

/// The paths of an architecture, or of all.
pub fn paths(channels: usize, operations: Option<&[u8]>) -> Vec<Path> {
    let mut paths = vec![stem(channels)];
    for (cell, &reduces) in REDUCES.iter().enumerate() {
        paths.extend((0..INPUTS).map(|number| input(channels, cell, number)));
        for (choice, edge) in choices_of(reduces).zip(edges()) {
            let all = || 0..OPERATIONS.len() as u8;
            let options = operations.map_or_else(all, |operations| operations[choice]..operations[choice] + 1);
            paths.extend(options.map(|operation| path(channels, cell, edge, operation)));
        }
    }
    paths.push(last(channels));
    paths
}

/// What options cost, over all cells of a kind, and what is common to all architectures.
pub fn costs(channels: usize, edge: usize) -> Costs {
    let mut common = stem(channels).cost(edge);
    let mut options = vec![vec![[0.0; 2]; OPERATIONS.len()]; 2 * EDGES];
    let mut edge = edge;
    for (cell, &reduces) in REDUCES.iter().enumerate() {
        let smaller = if reduces { edge.div_ceil(2) } else { edge };
        for number in 0..INPUTS {
            let before = if number == 0 && cell > 0 && REDUCES[cell - 1] { 2 * edge } else { edge };
            add(&mut common, input(channels, cell, number).cost(before));
        }
        for (choice, (node, from)) in choices_of(reduces).zip(edges()) {
            let at = if from < INPUTS { edge } else { smaller };
            for operation in 0..OPERATIONS.len() as u8 {
                let cost = path(channels, cell, (node, from), operation).cost(at);
                add(&mut options[choice][usize::from(operation)], cost);
            }
        }
        edge = smaller;
    }
    add(&mut common, last(channels).cost(edge));
    Costs { common, options }
}

fn add(sum: &mut [f64; 2], cost: [f64; 2]) {
    sum.iter_mut().zip(cost).for_each(|(sum, cost)| *sum += cost);
}

/// The pass.
pub fn forward(channels: usize, operations: &[u8], scope: &Scope, pictures: Tensor<4>, take: Take) {
    let maps = stem(channels).forward(scope, pictures);
    take("stem", pooled(maps.clone()));
    let mut before = [maps.clone(), maps];
    for (cell, name) in block_names().iter().enumerate() {
        let mut states: Vec<Tensor<4>> =
            (0..INPUTS).map(|number| input(channels, cell, number).forward(scope, before[number].clone())).collect();
        let mut arrived: Vec<Tensor<4>> = vec![];
        for (choice, (node, from)) in choices_of(REDUCES[cell]).zip(edges()) {
            if operations[choice] != NONE {
                let path = path(channels, cell, (node, from), operations[choice]);
                arrived.push(path.forward(scope, states[from].clone()));
            }
            if from + 1 == node {
                let count = arrived.len() as f64;
                // Searches draw from a space that excludes such nodes, and a file that has one is refused when it is read.
                let sum = arrived.drain(..).reduce(|sum, more| sum + more).expect("every node has an edge that passes");
                states.push(if count > 1.0 { sum.div_scalar(count) } else { sum });
            }
        }
        let out = Tensor::cat(states.split_off(INPUTS), 1);
        take(name, pooled(out.clone()));
        let [_, last] = before;
        before = [last, out];
    }
    let [_, maps] = before;
    take("features", pooled(last(channels).forward(scope, maps)));
}

/// The nodes of an ONNX graph.
pub fn write(channels: usize, operations: &[u8], writer: &mut Writer, pictures: &str) -> Result<String, ModelError> {
    let maps = stem(channels).write(writer, pictures)?;
    let mut before = [maps.clone(), maps];
    for (cell, &reduces) in REDUCES.iter().enumerate() {
        let mut states = vec![];
        for (number, maps) in before.iter().enumerate() {
            states.push(input(channels, cell, number).write(writer, maps)?);
        }
        let mut arrived: Vec<String> = vec![];
        for (choice, (node, from)) in choices_of(reduces).zip(edges()) {
            if operations[choice] != NONE {
                arrived.push(path(channels, cell, (node, from), operations[choice]).write(writer, &states[from])?);
            }
            if from + 1 == node {
                let count = arrived.len();
                let sum = arrived.drain(..).reduce(|sum, more| writer.graph.node("Add", &[&sum, &more]));
                let sum = sum.ok_or_else(|| ModelError::Unfit("a node has no edges".to_owned()))?;
                states.push(if count > 1 {
                    let count = writer.graph.number(count as f32);
                    writer.graph.node("Div", &[&sum, &count])
                } else {
                    sum
                });
            }
        }
        let nodes: Vec<&str> = states[INPUTS..].iter().map(String::as_str).collect();
        let out = writer.graph.node_with("Concat", &nodes, vec![("axis", AddedAttribute::Integer(1))]);
        let [_, last] = before;
        before = [last, out];
    }
    let maps = last(channels).write(writer, &before[1])?;
    Ok(writer.pooled(&maps))
}
