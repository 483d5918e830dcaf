//! A network of either kind, as training sees it: parameters by name in, features of a batch out.

use burn::tensor::{Device, Tensor, TensorData};
use zoologist::extract::text::TokenIds;
use zoologist::extract::training::Batch;

use crate::architecture::{Architecture, Parameter};
use crate::encoder;
use crate::error::{LoadError, RunError};
use crate::image::PictureNetwork;
use crate::network::{Network, Source};
use crate::operations::{Operations, indices};
use crate::scope::{BatchNorms, BatchStatistics, Tensors};
use crate::tokens::Tokens;
use crate::weights::{Contents, Weights};

/// A network that can be trained.
#[derive(Debug, Clone, PartialEq)]
pub enum Design {
    /// A text encoder.
    Texts(Architecture),
    /// A network for pictures.
    Pictures(PictureNetwork),
}

/// A parameter with its numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct Filled {
    /// Its name in the file.
    pub name: String,
    /// Its shape in the file.
    pub shape: Vec<usize>,
    /// Its numbers, last axis fastest.
    pub values: Vec<f32>,
}

/// What a pass gives.
pub struct Passed {
    /// Batch × dim: the features of the last layer.
    pub features: Tensor<2>,
    /// What batch norms in training saw.
    pub statistics: Vec<BatchStatistics>,
}

impl Design {
    /// Reads the text of `config.json`.
    pub fn read(config: &str) -> Result<Self, LoadError> {
        match PictureNetwork::read(config)? {
            Some(network) => Ok(Self::Pictures(network)),
            None => Architecture::read(config).map(Self::Texts),
        }
    }

    /// What a file of this network must hold.
    pub fn contents(&self) -> Contents<'_> {
        match self {
            Self::Texts(architecture) => architecture.contents(),
            Self::Pictures(network) => Contents {
                parameters: network.parameters(),
                prefix: "",
                is_leftover: Box::new(|name| network.is_leftover(name)),
            },
        }
    }

    /// Width of the features.
    pub fn dim(&self) -> usize {
        match self {
            Self::Texts(architecture) => architecture.dim,
            Self::Pictures(network) => network.dim(),
        }
    }

    /// What a classifier on the features is called in the file.
    pub fn classifier(&self) -> &'static str {
        match self {
            Self::Texts(_) => "classifier",
            Self::Pictures(network) => network.classifier(),
        }
    }

    /// Reads every parameter.
    pub fn fill(&self, weights: &Weights) -> Result<Vec<Filled>, LoadError> {
        let fill = |Parameter { name, shape }: Parameter| {
            let values = weights.read(&name)?;
            Ok(Filled { name, shape, values })
        };
        self.contents().parameters.into_iter().map(fill).collect()
    }

    /// The number of layers: `layer_of` is below it.
    pub fn layers(&self) -> usize {
        match self {
            Self::Texts(architecture) => architecture.layers + 1,
            Self::Pictures(network) => network.layer_names().len(),
        }
    }

    /// The layer that a parameter belongs to: 0 for embeddings or the stem, the last one for what follows the blocks.
    pub fn layer_of(&self, name: &str) -> usize {
        match self {
            Self::Texts(architecture) => architecture.layer_of(name),
            Self::Pictures(network) => network.layer_of(name),
        }
    }

    /// The features of a batch.
    pub fn pass(&self, tensors: &Tensors, norms: BatchNorms, batch: &Batch) -> Result<Passed, RunError> {
        match (self, batch) {
            (Self::Texts(architecture), Batch::Texts { tokens, shares }) => {
                let features = pass_texts(architecture, tensors, tokens, shares)?;
                Ok(Passed { features, statistics: vec![] })
            }
            (Self::Pictures(network), Batch::Pictures { size: [height, width], values }) => {
                let count = network.check([*height, *width], values)?;
                let data = TensorData::new(values.clone(), [count, 3, *height, *width]);
                let device = if tensors.values().any(|(_, tensor)| tensor.is_autodiff()) {
                    Device::flex().autodiff()
                } else {
                    Device::flex()
                };
                let scope = network.scope(tensors, norms);
                let last = network.forward(&scope, Tensor::from_data(data, &device)).pop();
                let features = last.map(|layer| layer.features).ok_or(RunError::Nothing)?;
                Ok(Passed { features, statistics: scope.statistics() })
            }
            _ => Err(RunError::Kind),
        }
    }
}

/// Parameters that gradients reach.
struct Tracked<'a>(&'a Tensors);

impl Source for Tracked<'_> {
    fn flat(&self, name: &str) -> Result<Tensor<1>, LoadError> {
        let found = self.0.get(name).map(|(_, tensor)| tensor.clone());
        found.ok_or_else(|| LoadError::Tensors(format!("{name} is missing")))
    }

    fn trains(&self) -> bool {
        true
    }
}

/// The pooled last hidden states of some texts.
fn pass_texts(
    architecture: &Architecture,
    tensors: &Tensors,
    texts: &[TokenIds],
    shares: &[Vec<f32>],
) -> Result<Tensor<2>, RunError> {
    let tokens = Tokens::of_texts(texts, architecture.types > 0);
    let spans = tokens.check(architecture)?;
    let input = encoder::input(architecture, &tokens, &spans);
    let network = Network::read(architecture, &Tracked(tensors)).map_err(|_| RunError::Kind)?;
    let mut last = None;
    network.forward(Operations::Burn, &input, architecture.layers, |_, hidden| last = Some(hidden.clone()));
    let hidden = last.ok_or(RunError::Nothing)?;
    let count = hidden.dims()[0];
    let mut table = vec![0.0; texts.len() * count];
    let mut start = 0;
    for (row, (own, text)) in shares.iter().zip(texts).enumerate() {
        let length = text.ids.len();
        table[row * count + start..][..length].copy_from_slice(&own[..length]);
        start += length;
    }
    let table = Tensor::<2>::from_data(TensorData::new(table, [texts.len(), count]), &hidden.device());
    Ok(table.matmul(hidden))
}

/// Class numbers as one row each of a table of zeros and ones.
pub fn one_hot(classes: &[u32], width: usize, device: &Device) -> Tensor<2> {
    let rows: Vec<usize> = classes.iter().map(|&class| class as usize).collect();
    Tensor::<2>::eye(width, device).select(0, indices(&rows, device))
}
