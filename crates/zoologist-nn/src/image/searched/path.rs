//! What can stand in a place of a searched network: steps one after the other, each with its own parameters.

use burn::tensor::Tensor;
use burn::tensor::module::{avg_pool2d, max_pool2d};
use burn::tensor::ops::{AvgPoolOptions, MaxPoolOptions};
use zoologist::extract::onnx::{AddedAttribute, ModelError};

use crate::architecture::Parameter;
use crate::graphs::Writer;
use crate::kernels::Clamp;
use crate::scope::{Convolution, Padding, Scope};

/// One step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Step {
    /// A convolution without bias, its sample norm, then the clamp.
    Convolution {
        /// Channels of the result.
        out: usize,
        /// Edge of the filters.
        kernel: usize,
        /// What it does beside its weights.
        how: Convolution,
        /// What follows.
        clamp: Clamp,
    },
    /// The largest of 3 × 3 places around each.
    Largest {
        /// Steps between the places.
        stride: usize,
    },
    /// The mean of the places around each, of those that there are.
    Mean {
        /// Edge of what is taken together: 2 or 3.
        kernel: usize,
        /// Steps between the places.
        stride: usize,
    },
}

impl Step {
    /// Each channel by filters of its own.
    pub fn filter(channels: usize, kernel: usize, stride: usize, dilation: usize, clamp: Clamp) -> Self {
        let how = Convolution { stride, dilation, padding: Padding::Symmetric, depthwise: true };
        Self::Convolution { out: channels, kernel, how, clamp }
    }

    /// All channels of a place.
    pub fn mix(out: usize, clamp: Clamp) -> Self {
        Self::square(out, 1, clamp)
    }

    /// A plain convolution.
    pub fn square(out: usize, kernel: usize, clamp: Clamp) -> Self {
        let how = Convolution { stride: 1, dilation: 1, padding: Padding::Symmetric, depthwise: false };
        Self::Convolution { out, kernel, how, clamp }
    }
}

/// Steps with a name.
#[derive(Debug, Clone, PartialEq)]
pub struct Path {
    /// What the names of its parameters begin with.
    pub name: String,
    /// Channels that it takes.
    pub into: usize,
    /// Its steps; none: what comes in goes out.
    pub steps: Vec<Step>,
}

impl Path {
    /// From so many channels.
    pub fn new(name: impl Into<String>, into: usize, steps: Vec<Step>) -> Self {
        Self { name: name.into(), into, steps }
    }

    /// The names of a step's convolution and norm.
    fn names(&self, step: usize) -> [String; 2] {
        ["convolution", "norm"].map(|part| format!("{}.{step}.{part}", self.name))
    }

    /// Every parameter.
    pub fn parameters(&self) -> Vec<Parameter> {
        let (mut list, mut into) = (vec![], self.into);
        for (number, step) in self.steps.iter().enumerate() {
            let Step::Convolution { out, kernel, how, .. } = *step else { continue };
            let [convolution, norm] = self.names(number);
            let each = if how.depthwise { 1 } else { into };
            list.push(Parameter::new(&format!("{convolution}.weight"), &[out, each, kernel, kernel]));
            list.extend(["weight", "bias"].map(|part| Parameter::new(&format!("{norm}.{part}"), &[out])));
            into = out;
        }
        list
    }

    /// Parameters, and multiply-adds for one sample whose maps have this edge.
    pub fn cost(&self, edge: usize) -> [f64; 2] {
        let parameters: usize = self.parameters().iter().map(|it| it.shape.iter().product::<usize>()).sum();
        let (mut into, mut edge, mut multiply_adds) = (self.into, edge, 0);
        for step in &self.steps {
            match *step {
                Step::Convolution { out, kernel, how, .. } => {
                    edge = edge.div_ceil(how.stride);
                    multiply_adds += out * if how.depthwise { 1 } else { into } * kernel * kernel * edge * edge;
                    into = out;
                }
                Step::Largest { stride } => edge = edge.div_ceil(stride),
                Step::Mean { kernel, stride } => edge = pooled_edge(edge, kernel, stride),
            }
        }
        [parameters as f64, multiply_adds as f64]
    }

    /// The pass.
    pub fn forward(&self, scope: &Scope, maps: Tensor<4>) -> Tensor<4> {
        self.steps.iter().enumerate().fold(maps, |maps, (number, step)| match *step {
            Step::Convolution { how, clamp, .. } => {
                let names = self.names(number);
                scope.convolution_sample_norm(maps, names.each_ref().map(String::as_str), how, clamp)
            }
            Step::Largest { stride } => {
                let (kernel_size, stride, padding, dilation) = ([3; 2], [stride; 2], [(1, 1); 2], [1; 2]);
                max_pool2d(maps, MaxPoolOptions { kernel_size, stride, padding, dilation, ceil_mode: false })
            }
            Step::Mean { kernel, stride } => {
                let (kernel_size, stride, padding) = ([kernel; 2], [stride; 2], [(before(kernel), before(kernel)); 2]);
                let (count_include_pad, ceil_mode) = (false, false);
                avg_pool2d(maps, AvgPoolOptions { kernel_size, stride, padding, count_include_pad, ceil_mode })
            }
        })
    }

    /// Its nodes in an ONNX graph.
    pub fn write(&self, writer: &mut Writer, maps: &str) -> Result<String, ModelError> {
        let whole = |values: Vec<usize>| AddedAttribute::Integers(values);
        let mut maps = maps.to_owned();
        for (number, step) in self.steps.iter().enumerate() {
            maps = match *step {
                Step::Convolution { out, kernel, how, clamp } => {
                    let attributes = vec![
                        ("kernel_shape", whole(vec![kernel; 2])),
                        ("strides", whole(vec![how.stride; 2])),
                        ("dilations", whole(vec![how.dilation; 2])),
                        ("group", AddedAttribute::Integer(if how.depthwise { out } else { 1 })),
                        ("pads", whole(vec![how.dilation * (kernel / 2); 4])),
                    ];
                    let names = self.names(number);
                    writer.convolution_sample_norm(&maps, names.each_ref().map(String::as_str), attributes, clamp)?
                }
                Step::Largest { stride } => {
                    let attributes = vec![
                        ("kernel_shape", whole(vec![3; 2])),
                        ("strides", whole(vec![stride; 2])),
                        ("pads", whole(vec![1; 4])),
                    ];
                    writer.graph.node_with("MaxPool", &[&maps], attributes)
                }
                Step::Mean { kernel, stride } => {
                    let attributes = vec![
                        ("kernel_shape", whole(vec![kernel; 2])),
                        ("strides", whole(vec![stride; 2])),
                        ("pads", whole(vec![before(kernel); 4])),
                    ];
                    writer.graph.node_with("AveragePool", &[&maps], attributes)
                }
            };
        }
        Ok(maps)
    }
}

/// Places before an axis that a mean reaches over: none for pairs.
fn before(kernel: usize) -> usize {
    if kernel == 2 { 0 } else { kernel / 2 }
}

/// The edge of maps after a mean.
pub fn pooled_edge(edge: usize, kernel: usize, stride: usize) -> usize {
    (edge + 2 * before(kernel) - kernel) / stride + 1
}
