//! The encoder of a model folder, as the rest of zoologist sees it.

use std::ops::Range;
use std::sync::Arc;

use burn::tensor::{Device, Tensor};

use crate::architecture::Architecture;
use crate::error::{LoadError, RunError};
use crate::network::{Frozen, Input, Network};
use crate::operations::{Operations, Sequences, numbers};
use crate::tokens::{Span, Tokens};
use crate::weights::Weights;

/// Tokens that run through all layers together: what lies between two products then stays in the processor's cache.
const GROUP: usize = 384;

/// A text encoder: BERT, RoBERTa, XLM-RoBERTa, CamemBERT, DistilBERT or MPNet. Clones share their weights.
#[derive(Debug, Clone)]
pub struct Encoder {
    architecture: Arc<Architecture>,
    network: Arc<Network>,
    operations: Operations,
}

impl Encoder {
    /// Reads an encoder from the text of `config.json` and the bytes of `model.safetensors`.
    ///
    /// Every tensor of the file must be a parameter of the network, or belong to a head of the family; every parameter
    /// must be there. Weights may be float32, float16 or bfloat16, and become float32.
    pub fn load(config: &str, safetensors: &[u8]) -> Result<Self, LoadError> {
        let architecture = Architecture::read(config)?;
        let weights = Weights::check(safetensors, &architecture.contents())?;
        let network = Network::read(&architecture, &Frozen { weights: &weights, device: Device::flex() })?;
        Ok(Self { architecture: Arc::new(architecture), network: Arc::new(network), operations: Operations::default() })
    }

    /// The same encoder with other operations between its products of matrices.
    #[must_use]
    pub fn with_operations(self, operations: Operations) -> Self {
        Self { operations, ..self }
    }

    /// Number of layers L: hidden states are 0 (embeddings) to L.
    pub fn layers(&self) -> usize {
        self.architecture.layers
    }

    /// Width of a hidden state.
    pub fn dim(&self) -> usize {
        self.architecture.dim
    }

    /// The longest sequence, special tokens included.
    pub fn positions(&self) -> usize {
        self.architecture.positions()
    }

    /// Number of token ids.
    pub fn vocabulary(&self) -> usize {
        self.architecture.vocabulary
    }

    /// Multiply-adds of the products of one sequence of `length` tokens, up to hidden state `layer`.
    pub fn multiply_adds(&self, layer: usize, length: usize) -> u64 {
        self.architecture.multiply_adds(layer, length)
    }

    /// The hidden states of some layers (rising numbers), each batch × length × dim, zeros in place of padding.
    ///
    /// Runs on the calling thread, up to the highest layer asked for. A sequence's numbers depend on its real tokens, and
    /// in their last bits on which other real tokens stand in the batch, but not on padding.
    pub fn hidden_states(&self, tokens: &Tokens, layers: &[usize]) -> Result<Vec<Vec<f32>>, RunError> {
        let rising = layers.is_sorted_by(|a, b| a < b);
        let Some(&last) = layers.last().filter(|last| rising && **last <= self.layers()) else {
            return Err(RunError::Layers { layers: layers.to_vec(), last: self.layers() });
        };
        let spans = tokens.check(&self.architecture)?;
        let mut states = vec![vec![0.0; tokens.batch * tokens.length * self.dim()]; layers.len()];
        for spans in groups(&spans).into_iter().map(|group| &spans[group]) {
            let input = input(&self.architecture, tokens, spans);
            self.network.forward(self.operations, &input, last, |layer, hidden| {
                if let Ok(wanted) = layers.binary_search(&layer) {
                    scatter(hidden, spans, &mut states[wanted]);
                }
            });
        }
        Ok(states)
    }
}

/// The real tokens of some rows of a batch, one after the other.
pub fn input(architecture: &Architecture, tokens: &Tokens, spans: &[Span]) -> Input {
    let places = || spans.iter().flat_map(|span| span.places());
    let positions = spans.iter().flat_map(|span| tokens.positions(*span, architecture));
    let kind = |place: usize| tokens.types.as_ref().map_or(0, |types| types[place] as usize);
    Input {
        words: places().map(|place| tokens.ids[place] as usize).collect(),
        positions: positions.map(|position| position as usize).collect(),
        types: places().map(kind).collect(),
        sequences: Sequences::new(spans.iter().map(|span| span.length)),
    }
}

/// Consecutive rows of together at most [`GROUP`] real tokens, or one longer row; none without a real token.
fn groups(spans: &[Span]) -> Vec<Range<usize>> {
    let mut groups: Vec<Range<usize>> = vec![];
    let mut tokens = 0;
    for (row, span) in spans.iter().enumerate().filter(|(_, span)| span.length > 0) {
        if let Some(group) = groups.last_mut().filter(|_| tokens + span.length <= GROUP) {
            group.end = row + 1;
        } else {
            groups.push(row..row + 1);
            tokens = 0;
        }
        tokens += span.length;
    }
    groups
}

/// Puts the rows of real tokens where they stand in the batch.
fn scatter(hidden: &Tensor<2>, spans: &[Span], states: &mut [f32]) {
    let (data, dim) = (hidden.to_data(), hidden.dims()[1]);
    let mut rows = numbers(&data);
    for span in spans {
        let (own, rest) = rows.split_at(span.length * dim);
        states[span.start * dim..][..own.len()].copy_from_slice(own);
        rows = rest;
    }
}
