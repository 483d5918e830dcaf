//! The encoder itself: embeddings, then layers of attention and a feed-forward block, each followed by a norm
//! (Vaswani et al., arXiv:1706.03762; Devlin et al., arXiv:1810.04805).

use burn::tensor::{Device, Tensor, TensorData};

use crate::activation::Activation;
use crate::architecture::Architecture;
use crate::error::LoadError;
use crate::family;
use crate::operations::{Norm, Operations, Sequences, indices, numbers};
use crate::weights::Weights;

/// A product with a matrix, and the bias added after it.
#[derive(Debug)]
struct Linear {
    /// Into × out.
    weight: Tensor<2>,
    /// Out.
    bias: Tensor<1>,
}

#[derive(Debug)]
struct Layer {
    /// Queries, keys and values.
    attention: [Linear; 3],
    context: Linear,
    attention_norm: Norm,
    feed_forward: Vec<Slice>,
    outer_bias: Tensor<1>,
    outer_norm: Norm,
}

/// Some units of a feed-forward block: the columns of its first product that lead to them, and the rows of its second
/// that leave them. Slice by slice, what lies between the two products stays in the processor's cache.
#[derive(Debug)]
struct Slice {
    inner: Linear,
    /// Units × out.
    outer: Tensor<2>,
}

/// Units of a slice.
const UNITS: usize = 384;

/// A network with its weights.
#[derive(Debug)]
pub struct Network {
    words: Tensor<2>,
    positions: Tensor<2>,
    /// Families without types have one type, of zeros.
    types: Tensor<2>,
    embedding_norm: Norm,
    /// Bias by relative position, buckets × heads.
    relative: Option<Tensor<2>>,
    layers: Vec<Layer>,
    heads: usize,
    activation: Activation,
}

/// The real tokens of some sequences, one after the other; all lists are of one length.
pub struct Input {
    /// Rows of the embedding of tokens.
    pub words: Vec<usize>,
    /// Rows of the embedding of positions.
    pub positions: Vec<usize>,
    /// Rows of the embedding of token types.
    pub types: Vec<usize>,
    /// Which tokens form a sequence.
    pub sequences: Sequences,
}

/// Where a network gets its parameters from.
pub trait Source {
    /// The numbers of a parameter, last axis fastest.
    fn flat(&self, name: &str) -> Result<Tensor<1>, LoadError>;

    /// Whether gradients must reach them. Else products are laid out for speed.
    fn trains(&self) -> bool;
}

/// The weights of a file, as they stay.
pub struct Frozen<'a> {
    /// The file.
    pub weights: &'a Weights<'a>,
    /// Where the network runs.
    pub device: Device,
}

impl Source for Frozen<'_> {
    fn flat(&self, name: &str) -> Result<Tensor<1>, LoadError> {
        let values = self.weights.read(name)?;
        let length = values.len();
        Ok(Tensor::from_data(TensorData::new(values, [length]), &self.device))
    }

    fn trains(&self) -> bool {
        false
    }
}

impl Network {
    /// Fills the network with weights.
    pub fn read(architecture: &Architecture, source: &dyn Source) -> Result<Self, LoadError> {
        let reader = Reader { architecture, source };
        let (dim, types) = (architecture.dim, architecture.types);
        let no_types = || Ok(Tensor::zeros([1, dim], &Device::flex()));
        let relative = (architecture.buckets > 0)
            .then(|| reader.table(family::RELATIVE_BIAS, [architecture.buckets, architecture.heads]));
        Ok(Self {
            words: reader.table(family::WORDS, [architecture.vocabulary, dim])?,
            positions: reader.table(family::POSITIONS, [architecture.position_rows, dim])?,
            types: if types > 0 { reader.table(family::TYPES, [types, dim]) } else { no_types() }?,
            embedding_norm: reader.norm(family::EMBEDDING_NORM)?,
            relative: relative.transpose()?,
            layers: (0..architecture.layers).map(|layer| reader.layer(layer)).collect::<Result<_, _>>()?,
            heads: architecture.heads,
            activation: architecture.activation,
        })
    }

    /// Gives hidden state 0, then those of the layers up to `last`, to `take`, each tokens × dim.
    pub fn forward(&self, operations: Operations, input: &Input, last: usize, mut take: impl FnMut(usize, &Tensor<2>)) {
        let hidden = self.embed(operations, input);
        take(0, &hidden);
        self.forward_from(operations, (0, hidden), &input.sequences, last, take);
    }

    /// Goes on from a hidden state, whose number stands before it: gives those after it up to `last` to `take`.
    pub fn forward_from(
        &self,
        operations: Operations,
        (first, mut hidden): (usize, Tensor<2>),
        sequences: &Sequences,
        last: usize,
        mut take: impl FnMut(usize, &Tensor<2>),
    ) {
        for (layer, number) in self.layers.iter().zip(1..=last).skip(first) {
            hidden = self.layer(operations, layer, hidden, sequences);
            take(number, &hidden);
        }
    }

    fn embed(&self, operations: Operations, input: &Input) -> Tensor<2> {
        let device = self.words.device();
        let rows = |table: &Tensor<2>, rows: &[usize]| table.clone().select(0, indices(rows, &device));
        let words = rows(&self.words, &input.words) + rows(&self.types, &input.types);
        let nothing = Tensor::zeros([self.words.dims()[1]], &device);
        operations.add_norm(words, &nothing, rows(&self.positions, &input.positions), &self.embedding_norm)
    }

    fn layer(&self, operations: Operations, layer: &Layer, hidden: Tensor<2>, sequences: &Sequences) -> Tensor<2> {
        let parts = layer.attention.each_ref().map(|part| hidden.clone().matmul(part.weight.clone()));
        let biases = layer.attention.each_ref().map(|part| &part.bias);
        let context = operations.attend(parts, biases, self.heads, self.relative.as_ref(), sequences);
        let product = context.matmul(layer.context.weight.clone());
        let hidden = operations.add_norm(product, &layer.context.bias, hidden, &layer.attention_norm);
        let products = layer.feed_forward.iter().map(|slice| {
            let product = hidden.clone().matmul(slice.inner.weight.clone());
            operations.activate(product, &slice.inner.bias, self.activation).matmul(slice.outer.clone())
        });
        match products.reduce(|sum, product| sum + product) {
            Some(product) => operations.add_norm(product, &layer.outer_bias, hidden, &layer.outer_norm),
            None => hidden,
        }
    }
}

struct Reader<'a> {
    architecture: &'a Architecture,
    source: &'a dyn Source,
}

impl Reader<'_> {
    fn table(&self, name: &str, shape: [usize; 2]) -> Result<Tensor<2>, LoadError> {
        Ok(self.source.flat(name)?.reshape(shape))
    }

    fn norm(&self, name: &str) -> Result<Norm, LoadError> {
        let read = |part| self.source.flat(&format!("{name}.{part}"));
        Ok(Norm { weight: read("weight")?, bias: read("bias")?, epsilon: self.architecture.epsilon })
    }

    fn linear(&self, name: &str, into: usize, out: usize) -> Result<Linear, LoadError> {
        Ok(Linear { weight: self.weight(name, into, out)?, bias: self.bias(name)? })
    }

    /// Into × out; the file has out × into.
    fn weight(&self, name: &str, into: usize, out: usize) -> Result<Tensor<2>, LoadError> {
        let weight = self.source.flat(&format!("{name}.weight"))?;
        if self.source.trains() {
            return Ok(weight.reshape([out, into]).transpose());
        }
        let device = weight.device();
        let turned = transposed(numbers(&weight.into_data()), out, into);
        Ok(Tensor::from_data(TensorData::new(turned, [into, out]), &device))
    }

    fn bias(&self, name: &str) -> Result<Tensor<1>, LoadError> {
        self.source.flat(&format!("{name}.bias"))
    }

    /// The feed-forward block, in slices where it needs no gradient.
    fn feed_forward(&self, layer: usize) -> Result<Vec<Slice>, LoadError> {
        let Architecture { family, dim, inner, .. } = *self.architecture;
        let name = |part: &str| family.in_layer(layer, part);
        let first = self.linear(&name(family.inner), dim, inner)?;
        let outer = self.weight(&name(family.outer), inner, dim)?;
        Ok(if self.source.trains() { vec![Slice { inner: first, outer }] } else { slices(&first, &outer) })
    }

    fn layer(&self, layer: usize) -> Result<Layer, LoadError> {
        let Architecture { family, dim, .. } = *self.architecture;
        let name = |part: &str| family.in_layer(layer, part);
        let [query, key, value] = family.attention.map(|part| self.linear(&name(part), dim, dim));
        Ok(Layer {
            attention: [query?, key?, value?],
            context: self.linear(&name(family.context), dim, dim)?,
            attention_norm: self.norm(&name(family.attention_norm))?,
            feed_forward: self.feed_forward(layer)?,
            outer_bias: self.bias(&name(family.outer))?,
            outer_norm: self.norm(&name(family.outer_norm))?,
        })
    }
}

/// Cuts a feed-forward block into slices, each with numbers of its own.
fn slices(inner: &Linear, outer: &Tensor<2>) -> Vec<Slice> {
    let units = outer.dims()[0];
    let slice = |start: usize| {
        let length = UNITS.min(units - start);
        let weight = inner.weight.clone().narrow(1, start, length);
        let outer = outer.clone().narrow(0, start, length);
        let [weight, outer] = [weight, outer].map(|part| Tensor::from_data(part.to_data(), &part.device()));
        let bias = inner.bias.clone().narrow(0, start, length);
        let bias = Tensor::from_data(bias.to_data(), &bias.device());
        Slice { inner: Linear { weight, bias }, outer }
    };
    (0..units).step_by(UNITS).map(slice).collect()
}

/// A matrix of some rows and columns, column by column.
fn transposed(matrix: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    // Rows that are copied together, so that what is read stays in the cache until the next column.
    const TILE: usize = 16;
    let mut turned = vec![0.0; matrix.len()];
    for (tile, lines) in matrix.chunks(TILE * columns).enumerate() {
        for column in 0..columns {
            let into = &mut turned[column * rows + tile * TILE..];
            let values = lines.iter().skip(column).step_by(columns);
            into.iter_mut().zip(values).for_each(|(into, value)| *into = *value);
        }
    }
    turned
}
