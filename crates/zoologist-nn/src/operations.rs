//! What a layer does between its products of matrices: in burn's operations, or in loops of our own on the same numbers.
//!
//! This is the one seam between the network and fast code. Burn's form runs on every device and carries gradients. The
//! loops need a float32 tensor of the CPU backend that nobody else holds: taking out its numbers and putting them back
//! then copies nothing.

use std::ops::Range;

use burn::tensor::activation::{gelu_approximate, relu, silu, softmax};
use burn::tensor::module::layer_norm;
use burn::tensor::{Device, Int, Tensor, TensorData};

use crate::activation::Activation;
use crate::kernels;
use crate::operation::apply;
use crate::relative;

/// Who does what stands between two products of matrices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Operations {
    /// Loops of our own, for the CPU, without gradients: the default.
    #[default]
    Loops,
    /// Burn, for other devices and for gradients.
    Burn,
}

/// The two vectors of a norm.
#[derive(Debug)]
pub struct Norm {
    /// Factors.
    pub weight: Tensor<1>,
    /// Summands.
    pub bias: Tensor<1>,
    /// What is added to the variance.
    pub epsilon: f64,
}

/// Sequences without their padding, one after the other.
#[derive(Debug)]
pub struct Sequences {
    /// The rows of each.
    pub rows: Vec<Range<usize>>,
    /// Length of the longest.
    pub longest: usize,
}

impl Sequences {
    /// From the length of each.
    pub fn new(lengths: impl Iterator<Item = usize>) -> Self {
        let mut end = 0;
        let rows: Vec<Range<usize>> = lengths
            .map(|length| {
                end += length;
                end - length..end
            })
            .collect();
        let longest = rows.iter().map(Range::len).max().unwrap_or(0);
        Self { rows, longest }
    }

    /// For each place of a padded batch, the row that stands there; row 0 where there is padding.
    fn padded(&self) -> Vec<usize> {
        let place = |rows: &Range<usize>, place| if place < rows.len() { rows.start + place } else { 0 };
        self.rows.iter().flat_map(|rows| (0..self.longest).map(move |step| place(rows, step))).collect()
    }

    /// For each row, its place in a padded batch.
    fn places(&self) -> Vec<usize> {
        self.rows
            .iter()
            .enumerate()
            .flat_map(|(row, rows)| (0..rows.len()).map(move |step| row * self.longest + step))
            .collect()
    }

    /// What keeps padding out of the softmax, sequences × longest.
    fn masks(&self) -> Vec<f32> {
        let mask = |rows: &Range<usize>, place| if place < rows.len() { 0.0 } else { -1e9 };
        self.rows.iter().flat_map(|rows| (0..self.longest).map(move |place| mask(rows, place))).collect()
    }
}

/// The Gaussian error linear unit, with its gradient where there is a tape.
pub fn gelu(rows: Tensor<2>) -> Tensor<2> {
    let shape = rows.dims();
    apply(&kernels::Gelu, [rows.reshape([shape[0] * shape[1]])], shape)
}

impl Operations {
    /// activation(product + bias).
    pub(crate) fn activate(self, product: Tensor<2>, bias: &Tensor<1>, activation: Activation) -> Tensor<2> {
        if self == Self::Loops {
            let bias = bias.to_data();
            return in_place(product, |rows| kernels::activate(rows, numbers(&bias), activation));
        }
        let sum = product + bias.clone().unsqueeze();
        match activation {
            Activation::Gelu => gelu(sum),
            Activation::GeluTanh => gelu_approximate(sum),
            Activation::Relu => relu(sum),
            Activation::Silu => silu(sum),
        }
    }

    /// norm(product + bias + residual).
    pub(crate) fn add_norm(self, product: Tensor<2>, bias: &Tensor<1>, residual: Tensor<2>, norm: &Norm) -> Tensor<2> {
        if self == Self::Burn {
            let sum = product + bias.clone().unsqueeze() + residual;
            return layer_norm(sum, norm.weight.clone(), Some(norm.bias.clone()), norm.epsilon);
        }
        let [bias, weight, summand] = [bias, &norm.weight, &norm.bias].map(Tensor::to_data);
        let residual = residual.into_data();
        let norm = kernels::Norm { weight: numbers(&weight), bias: numbers(&summand), epsilon: norm.epsilon as f32 };
        in_place(product, |rows| kernels::add_norm(rows, numbers(&bias), numbers(&residual), norm))
    }

    /// Attention within each sequence: from queries, keys and values before their bias, each tokens × dim.
    /// `relative` is a bias by relative position, buckets × heads.
    pub(crate) fn attend(
        self,
        parts: [Tensor<2>; 3],
        biases: [&Tensor<1>; 3],
        heads: usize,
        relative: Option<&Tensor<2>>,
        sequences: &Sequences,
    ) -> Tensor<2> {
        if self == Self::Burn {
            let ([query, key, value], [query_bias, key_bias, value_bias]) = (parts, biases);
            let biased = |part: Tensor<2>, bias: &Tensor<1>| part + bias.clone().unsqueeze();
            let parts = [biased(query, query_bias), biased(key, key_bias), biased(value, value_bias)];
            return attend(parts, heads, relative, sequences);
        }
        let (device, shape) = (parts[0].device(), parts[0].dims());
        let (parts, biases) = (parts.map(Tensor::into_data), biases.map(Tensor::to_data));
        let relative = relative.map_or(vec![], |table| by_head_and_distance(table, sequences.longest));
        let contexts = kernels::Attention {
            parts: parts.each_ref().map(numbers),
            biases: biases.each_ref().map(numbers),
            heads,
            sequences: &sequences.rows,
            relative: &relative,
            longest: sequences.longest,
        };
        Tensor::from_data(TensorData::new(contexts.run(), shape), &device)
    }
}

/// Attention in burn's operations, on sequences padded to one length.
fn attend(parts: [Tensor<2>; 3], heads: usize, relative: Option<&Tensor<2>>, sequences: &Sequences) -> Tensor<2> {
    let (device, dim) = (parts[0].device(), parts[0].dims()[1]);
    let (batch, length, width) = (sequences.rows.len(), sequences.longest, dim / heads);
    let padded = indices(&sequences.padded(), &device);
    let [query, key, value] = parts.map(|part| {
        let part: Tensor<4> = part.select(0, padded.clone()).reshape([batch, length, heads, width]);
        part.swap_dims(1, 2)
    });
    let mask = Tensor::<4>::from_data(TensorData::new(sequences.masks(), [batch, 1, 1, length]), &device);
    let mut scores = query.matmul(key.transpose()).div_scalar((width as f64).sqrt()) + mask;
    if let Some(table) = relative {
        scores = scores + by_pair(table, length);
    }
    let contexts = softmax(scores, 3).matmul(value).swap_dims(1, 2).reshape([batch * length, dim]);
    contexts.select(0, indices(&sequences.places(), &device))
}

/// The bias of each pair of tokens, 1 × heads × length × length.
fn by_pair(table: &Tensor<2>, length: usize) -> Tensor<4> {
    let [buckets, heads] = table.dims();
    let distances = relative::by_distance(length, buckets);
    let pairs: Vec<usize> = (0..length).flat_map(|query| distances[length - 1 - query..][..length].to_vec()).collect();
    let biases = table.clone().select(0, indices(&pairs, &table.device()));
    biases.reshape([1, length, length, heads]).permute([0, 3, 1, 2])
}

/// The bias for each head by distance, heads × (2·longest - 1).
fn by_head_and_distance(table: &Tensor<2>, longest: usize) -> Vec<f32> {
    let ([buckets, heads], data) = (table.dims(), table.to_data());
    let (distances, table) = (relative::by_distance(longest, buckets), numbers(&data));
    (0..heads).flat_map(|head| distances.iter().map(move |bucket| table[bucket * heads + head])).collect()
}

/// Row numbers as a tensor.
pub fn indices(rows: &[usize], device: &Device) -> Tensor<1, Int> {
    let rows: Vec<i64> = rows.iter().map(|row| row.cast_signed() as i64).collect();
    let length = rows.len();
    Tensor::from_data(TensorData::new(rows, [length]), device)
}

fn in_place(tensor: Tensor<2>, change: impl FnOnce(&mut [f32])) -> Tensor<2> {
    let device = tensor.device();
    let mut data = tensor.into_data();
    change(data.as_mut_slice().expect("the weights are read as float32"));
    Tensor::from_data(data, &device)
}

/// The numbers of a tensor that was taken out of burn.
pub fn numbers(data: &TensorData) -> &[f32] {
    data.as_slice().expect("the weights are read as float32")
}
