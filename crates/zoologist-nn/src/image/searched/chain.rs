//! Layers one after the other: three stages of two layers, each stage twice as wide and half as large as the one before.
//!
//! Every layer adds to what it takes; its hidden width is such that all operations cost the same, to a few hundredths.

use burn::tensor::Tensor;
use zoologist::extract::onnx::ModelError;
use zoologist::search::Choice;

use super::super::Take;
use super::Costs;
use super::path::{Path, Step, pooled_edge};
use crate::graphs::Writer;
use crate::kernels::Clamp;
use crate::scope::{Scope, pooled};

/// What can stand in a layer.
const OPERATIONS: [&str; 5] = ["separable_3x3", "separable_5x5", "dilated_3x3", "inverted_3x3", "pointwise"];
const STAGES: usize = 3;
/// Layers of a stage.
const LAYERS: usize = 2;

/// Width of the features.
pub fn dim(channels: usize) -> usize {
    2 * width(channels, STAGES - 1)
}

fn width(channels: usize, stage: usize) -> usize {
    channels << stage
}

/// The steps of an operation; the hidden width is what makes it cost as much as an inverted residual of twice the width.
fn steps(operation: &str, channels: usize) -> Vec<Step> {
    let target = 2 * channels * (2 * channels + 9);
    let separable = |kernel: usize, dilation: usize| {
        let taps = kernel * kernel;
        let hidden = (target - taps * channels).div_ceil(2 * channels + taps);
        vec![
            Step::filter(channels, kernel, 1, dilation, Clamp::None),
            Step::mix(hidden, Clamp::Relu),
            Step::filter(hidden, kernel, 1, dilation, Clamp::None),
            Step::mix(channels, Clamp::None),
        ]
    };
    match operation {
        "separable_3x3" => separable(3, 1),
        "separable_5x5" => separable(5, 1),
        "dilated_3x3" => separable(3, 2),
        "inverted_3x3" => vec![
            Step::mix(2 * channels, Clamp::Relu),
            Step::filter(2 * channels, 3, 1, 1, Clamp::Relu),
            Step::mix(channels, Clamp::None),
        ],
        _ => vec![Step::mix(target.div_ceil(2 * channels), Clamp::Relu), Step::mix(channels, Clamp::None)],
    }
}

fn layer(channels: usize, number: usize, operation: usize) -> Path {
    let width = width(channels, number / LAYERS);
    let name = OPERATIONS[operation];
    Path::new(format!("layers.{number}.{name}"), width, steps(name, width))
}

fn stem(channels: usize) -> Path {
    Path::new("stem", 3, vec![Step::square(channels, 3, Clamp::Relu)])
}

/// What stands before a stage but the first.
fn narrowing(channels: usize, stage: usize) -> Path {
    let steps = vec![Step::Mean { kernel: 2, stride: 2 }, Step::mix(width(channels, stage), Clamp::Relu)];
    Path::new(format!("narrowing.{stage}"), width(channels, stage - 1), steps)
}

fn last(channels: usize) -> Path {
    Path::new("features", width(channels, STAGES - 1), vec![Step::mix(dim(channels), Clamp::Relu)])
}

/// The stage that begins with a layer, but the first.
fn begins(layer: usize) -> Option<usize> {
    (layer > 0 && layer.is_multiple_of(LAYERS)).then_some(layer / LAYERS)
}

/// What is to be chosen.
pub fn choices() -> Vec<Choice> {
    let options: Vec<String> = OPERATIONS.map(str::to_owned).to_vec();
    block_names().into_iter().map(|name| Choice { name, options: options.clone() }).collect()
}

/// The names of the layers.
pub fn block_names() -> Vec<String> {
    (0..STAGES * LAYERS).map(|number| format!("layers.{number}")).collect()
}

/// Widths of what they take and give.
pub fn block_widths(channels: usize) -> Vec<[usize; 2]> {
    (0..STAGES * LAYERS).map(|number| [width(channels, number / LAYERS); 2]).collect()
}

/// The paths of an architecture, or of all.
pub fn paths(channels: usize, operations: Option<&[u8]>) -> Vec<Path> {
    let mut paths = vec![stem(channels)];
    for number in 0..STAGES * LAYERS {
        paths.extend(begins(number).map(|stage| narrowing(channels, stage)));
        match operations {
            Some(operations) => paths.push(layer(channels, number, operations[number].into())),
            None => paths.extend((0..OPERATIONS.len()).map(|operation| layer(channels, number, operation))),
        }
    }
    paths.push(last(channels));
    paths
}

/// What options cost, and what is common to all architectures.
pub fn costs(channels: usize, edge: usize) -> Costs {
    let (mut common, mut edge) = (stem(channels).cost(edge), edge);
    let mut add = |[parameters, multiply_adds]: [f64; 2]| {
        common[0] += parameters;
        common[1] += multiply_adds;
    };
    let mut options = vec![];
    for number in 0..STAGES * LAYERS {
        if let Some(stage) = begins(number) {
            add(narrowing(channels, stage).cost(edge));
            edge = pooled_edge(edge, 2, 2);
        }
        options.push((0..OPERATIONS.len()).map(|operation| layer(channels, number, operation).cost(edge)).collect());
    }
    add(last(channels).cost(edge));
    Costs { common, options }
}

/// The pass.
pub fn forward(channels: usize, operations: &[u8], scope: &Scope, pictures: Tensor<4>, take: Take) {
    let mut maps = stem(channels).forward(scope, pictures);
    take("stem", pooled(maps.clone()));
    for ((number, &operation), name) in operations.iter().enumerate().zip(block_names()) {
        if let Some(stage) = begins(number) {
            maps = narrowing(channels, stage).forward(scope, maps);
        }
        maps = layer(channels, number, operation.into()).forward(scope, maps.clone()) + maps;
        take(&name, pooled(maps.clone()));
    }
    take("features", pooled(last(channels).forward(scope, maps)));
}

/// The nodes of an ONNX graph.
pub fn write(channels: usize, operations: &[u8], writer: &mut Writer, pictures: &str) -> Result<String, ModelError> {
    let mut maps = stem(channels).write(writer, pictures)?;
    for (number, &operation) in operations.iter().enumerate() {
        if let Some(stage) = begins(number) {
            maps = narrowing(channels, stage).write(writer, &maps)?;
        }
        let inside = layer(channels, number, operation.into()).write(writer, &maps)?;
        maps = writer.graph.node("Add", &[&inside, &maps]);
    }
    let maps = last(channels).write(writer, &maps)?;
    Ok(writer.pooled(&maps))
}
