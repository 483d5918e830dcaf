//! The encoder itself: embeddings, then layers of attention and a feed-forward block, each followed by a norm
//! (Vaswani et al., arXiv:1706.03762; Devlin et al., arXiv:1810.04805).

use burn::tensor::{Device, Tensor, TensorData};

use crate::activation::Activation;
use crate::architecture::Architecture;
use crate::error::LoadError;
use crate::family;
use crate::operations::{Norm, Operations, Sequences, indices};
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
    /// Queries, keys and values in one product.
    attention: Linear,
    context: Linear,
    attention_norm: Norm,
    inner: Linear,
    outer: Linear,
    outer_norm: Norm,
}

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

impl Network {
    /// Fills the network with weights.
    pub fn read(architecture: &Architecture, weights: &Weights, device: &Device) -> Result<Self, LoadError> {
        let reader = Reader { architecture, weights, device };
        let (dim, types) = (architecture.dim, architecture.types);
        let no_types = || Ok(Tensor::zeros([1, dim], device));
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
        let mut hidden = self.embed(operations, input);
        take(0, &hidden);
        for (layer, number) in self.layers.iter().zip(1..=last) {
            hidden = self.layer(operations, layer, hidden, &input.sequences);
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
        let product = hidden.clone().matmul(layer.attention.weight.clone());
        let context = operations.attend(product, &layer.attention.bias, self.heads, self.relative.as_ref(), sequences);
        let product = context.matmul(layer.context.weight.clone());
        let hidden = operations.add_norm(product, &layer.context.bias, hidden, &layer.attention_norm);
        let product = hidden.clone().matmul(layer.inner.weight.clone());
        let inner = operations.activate(product, &layer.inner.bias, self.activation);
        let product = inner.matmul(layer.outer.weight.clone());
        operations.add_norm(product, &layer.outer.bias, hidden, &layer.outer_norm)
    }
}

struct Reader<'a> {
    architecture: &'a Architecture,
    weights: &'a Weights<'a>,
    device: &'a Device,
}

impl Reader<'_> {
    fn table(&self, name: &str, shape: [usize; 2]) -> Result<Tensor<2>, LoadError> {
        Ok(Tensor::from_data(TensorData::new(self.weights.read(name)?, shape), self.device))
    }

    fn vector(&self, values: Vec<f32>) -> Tensor<1> {
        let length = values.len();
        Tensor::from_data(TensorData::new(values, [length]), self.device)
    }

    fn norm(&self, name: &str) -> Result<Norm, LoadError> {
        let read = |part| Ok(self.vector(self.weights.read(&format!("{name}.{part}"))?));
        Ok(Norm { weight: read("weight")?, bias: read("bias")?, epsilon: self.architecture.epsilon })
    }

    /// Some products with the same rows, made one by putting their results side by side.
    fn linear(&self, names: &[String], into: usize, out: usize) -> Result<Linear, LoadError> {
        let (mut weight, mut bias) = (vec![], vec![]);
        for name in names {
            weight.extend(self.weights.read(&format!("{name}.weight"))?);
            bias.extend(self.weights.read(&format!("{name}.bias"))?);
        }
        let weight = transposed(&weight, names.len() * out, into);
        let shape = [into, names.len() * out];
        Ok(Linear { weight: Tensor::from_data(TensorData::new(weight, shape), self.device), bias: self.vector(bias) })
    }

    fn layer(&self, layer: usize) -> Result<Layer, LoadError> {
        let Architecture { family, dim, inner, .. } = *self.architecture;
        let name = |part: &str| family.in_layer(layer, part);
        Ok(Layer {
            attention: self.linear(&family.attention.map(name), dim, dim)?,
            context: self.linear(&[name(family.context)], dim, dim)?,
            attention_norm: self.norm(&name(family.attention_norm))?,
            inner: self.linear(&[name(family.inner)], dim, inner)?,
            outer: self.linear(&[name(family.outer)], inner, dim)?,
            outer_norm: self.norm(&name(family.outer_norm))?,
        })
    }
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
