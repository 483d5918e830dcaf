//! One pass through a network of pictures: its parameters by name, how its batch norms behave, and what it costs.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use burn::tensor::Tensor;
use burn::tensor::module::conv2d;
use burn::tensor::ops::ConvOptions;

use crate::kernels::{BiasClamp, Clamp, Depthwise, SampleNorm};
use crate::operation::apply;

/// How batch norms behave; what is kept of a data set that training left behind must be said, not guessed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BatchNorms {
    /// They use the statistics of the file, which stay as they are.
    Frozen,
    /// They use the statistics of the batch, which are handed to whoever trains.
    Training,
}

/// How maps are padded with zeros before a convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Padding {
    /// As many on both sides: half of the kernel.
    Symmetric,
    /// TensorFlow's SAME: the result has ⌈size / stride⌉ places, and the odd zero stands after.
    Same,
}

impl Padding {
    /// Zeros before and after an axis of this size, for a kernel that reaches so far.
    fn around(self, size: usize, reach: usize, stride: usize) -> [usize; 2] {
        if self == Self::Symmetric {
            return [reach / 2; 2];
        }
        let all = ((size.div_ceil(stride) - 1) * stride + reach).saturating_sub(size);
        [all / 2, all - all / 2]
    }
}

/// What a convolution does beside its weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Convolution {
    /// Steps between the places of the kernel.
    pub stride: usize,
    /// Steps between its taps.
    pub dilation: usize,
    /// How maps are padded.
    pub padding: Padding,
    /// Whether each channel has a filter of its own.
    pub depthwise: bool,
}

/// Parameters by name: their shape in the file, and their numbers.
pub type Tensors = BTreeMap<String, (Vec<usize>, Tensor<1>)>;

/// The statistics of one batch norm's batch.
#[derive(Debug, Clone)]
pub struct BatchStatistics {
    /// The norm's name.
    pub name: String,
    /// The mean of each channel.
    pub mean: Tensor<1>,
    /// The unbiased variance of each channel.
    pub variance: Tensor<1>,
}

/// One pass.
pub struct Scope<'a> {
    tensors: &'a Tensors,
    norms: BatchNorms,
    /// What batch norms add to the variance.
    epsilon: f64,
    multiply_adds: Cell<u64>,
    statistics: RefCell<Vec<BatchStatistics>>,
}

impl<'a> Scope<'a> {
    /// A pass with these parameters.
    pub fn new(tensors: &'a Tensors, norms: BatchNorms, epsilon: f64) -> Self {
        let (multiply_adds, statistics) = (Cell::new(0), RefCell::new(vec![]));
        Self { tensors, norms, epsilon, multiply_adds, statistics }
    }

    /// Multiply-adds so far, of the whole batch.
    pub fn multiply_adds(&self) -> u64 {
        self.multiply_adds.get()
    }

    /// What the batch norms saw, if they train.
    pub fn statistics(self) -> Vec<BatchStatistics> {
        self.statistics.into_inner()
    }

    fn flat(&self, name: &str) -> Tensor<1> {
        let (_, tensor) = self.tensors.get(name).expect("a network asks for its own parameters only");
        tensor.clone()
    }

    fn shape(&self, name: &str) -> &[usize] {
        self.tensors.get(name).map_or(&[], |(shape, _)| shape)
    }

    /// A parameter in its own shape.
    pub fn tensor<const D: usize>(&self, name: &str) -> Tensor<D> {
        let shape: [usize; D] = self.shape(name).try_into().expect("the shapes were compared with the file's");
        self.flat(name).reshape(shape)
    }

    /// rows · weightᵀ + bias.
    pub fn linear(&self, rows: Tensor<2>, name: &str) -> Tensor<2> {
        let weight: Tensor<2> = self.tensor(&format!("{name}.weight"));
        let ([count, _], [out, into]) = (rows.dims(), weight.dims());
        self.count(count * out * into);
        rows.matmul(weight.transpose()) + self.flat(&format!("{name}.bias")).unsqueeze()
    }

    /// Counts multiply-adds.
    pub fn count(&self, multiply_adds: usize) {
        self.multiply_adds.set(self.multiply_adds.get() + multiply_adds as u64);
    }

    /// A convolution without bias, its batch norm, then the clamp.
    pub fn convolution_norm(
        &self,
        maps: Tensor<4>,
        [convolution, norm]: [&str; 2],
        how: Convolution,
        clamp: Clamp,
    ) -> Tensor<4> {
        let weight = format!("{convolution}.weight");
        let part = |part: &str| self.flat(&format!("{norm}.{part}"));
        if self.norms == BatchNorms::Frozen {
            // The norm's factor goes into the weights: nothing is left to do on the maps but to add.
            let factor = part("weight") / (part("running_var") + self.epsilon).sqrt();
            let bias = part("bias") - part("running_mean") * factor.clone();
            let shape: [usize; 4] = self.shape(&weight).try_into().expect("the weights of a convolution have 4 axes");
            let scaled =
                self.flat(&weight).reshape([shape[0], shape[1] * shape[2] * shape[3]]) * factor.unsqueeze_dim(1);
            return bias_clamp(self.convolution(maps, scaled.reshape(shape), how), bias, clamp);
        }
        let maps = self.convolution(maps, self.tensor(&weight), how);
        let [batch, channels, height, width] = maps.dims();
        let flat: Tensor<3> = maps.reshape([batch, channels, height * width]);
        let mean = flat.clone().mean_dim(2).mean_dim(0);
        let centred = flat - mean.clone();
        let variance = (centred.clone() * centred.clone()).mean_dim(2).mean_dim(0);
        let count = (batch * height * width) as f64;
        self.statistics.borrow_mut().push(BatchStatistics {
            name: norm.to_owned(),
            mean: mean.reshape([channels]).detach(),
            variance: variance.clone().reshape([channels]).detach() * (count / (count - 1.0).max(1.0)),
        });
        let factor = part("weight").reshape([1, channels, 1]) / (variance + self.epsilon).sqrt();
        bias_clamp((centred * factor).reshape([batch, channels, height, width]), part("bias"), clamp)
    }

    /// A convolution without bias, a norm of each sample by itself, then the clamp.
    pub fn convolution_sample_norm(
        &self,
        maps: Tensor<4>,
        [convolution, norm]: [&str; 2],
        how: Convolution,
        clamp: Clamp,
    ) -> Tensor<4> {
        let maps = self.convolution(maps, self.tensor(&format!("{convolution}.weight")), how);
        let shape = maps.dims();
        let [_, channels, height, width] = shape;
        let operation = SampleNorm { channels, pixels: height * width, epsilon: self.epsilon as f32, clamp };
        let [factors, summands] = ["weight", "bias"].map(|part| self.flat(&format!("{norm}.{part}")));
        apply(&operation, [flattened(maps), factors, summands], shape)
    }

    fn convolution(&self, maps: Tensor<4>, weight: Tensor<4>, how: Convolution) -> Tensor<4> {
        let ([batch, channels, height, width], [out, into, kernel, _]) = (maps.dims(), weight.dims());
        let reach = how.dilation * (kernel - 1) + 1;
        let pads = [height, width].map(|size| how.padding.around(size, reach, how.stride));
        let sizes = [(height, pads[0]), (width, pads[1])];
        let places = sizes.map(|(size, [before, after])| (size + before + after - reach) / how.stride + 1);
        self.count(batch * out * into * kernel * kernel * places[0] * places[1]);
        if how.depthwise {
            let operation = Depthwise {
                planes: batch * channels,
                channels,
                size: [height, width],
                kernel,
                stride: how.stride,
                dilation: how.dilation,
                before: pads.map(|[before, _]| before),
                out: [places[0], places[1]],
            };
            return apply(&operation, [flattened(maps), flattened(weight)], [batch, out, places[0], places[1]]);
        }
        if kernel == 1 && how.stride == 1 {
            let maps: Tensor<3> = maps.reshape([batch, channels, height * width]);
            let weight: Tensor<3> = weight.reshape([1, out, into]);
            return weight.matmul(maps).reshape([batch, out, height, width]);
        }
        let pads = pads.map(|[before, after]| (before, after));
        let options = ConvOptions::new([how.stride; 2], [0; 2], [how.dilation; 2], 1);
        let padded = maps.pad((pads[1].0, pads[1].1, pads[0].0, pads[0].1), 0.0);
        conv2d(padded, weight, None, options)
    }

    /// A convolution by patches that do not overlap, with a bias: batch × places × channels.
    pub fn patches(&self, pictures: Tensor<4>, name: &str) -> Tensor<3> {
        let weight: Tensor<4> = self.tensor(&format!("{name}.weight"));
        let ([batch, channels, height, width], [out, _, edge, _]) = (pictures.dims(), weight.dims());
        let [rows, columns] = [height / edge, width / edge];
        let patches: Tensor<2> = pictures
            .reshape([batch, channels, rows, edge, columns, edge])
            .permute([0, 2, 4, 1, 3, 5])
            .reshape([batch * rows * columns, channels * edge * edge]);
        self.count(patches.shape().num_elements() * out);
        let weight: Tensor<2> = weight.reshape([out, channels * edge * edge]);
        let states = patches.matmul(weight.transpose()) + self.flat(&format!("{name}.bias")).unsqueeze();
        states.reshape([batch, rows * columns, out])
    }
}

fn flattened<const D: usize>(tensor: Tensor<D>) -> Tensor<1> {
    let count = tensor.shape().num_elements();
    tensor.reshape([count])
}

fn bias_clamp(maps: Tensor<4>, bias: Tensor<1>, clamp: Clamp) -> Tensor<4> {
    let shape = maps.dims();
    apply(&BiasClamp { pixels: shape[2] * shape[3], clamp }, [flattened(maps), bias], shape)
}

/// The mean of each map: batch × channels.
pub fn pooled(maps: Tensor<4>) -> Tensor<2> {
    let [batch, channels, height, width] = maps.dims();
    let flat: Tensor<3> = maps.reshape([batch, channels, height * width]);
    flat.mean_dim(2).reshape([batch, channels])
}
