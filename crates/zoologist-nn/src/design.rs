//! A network of either kind, as training sees it: parameters by name in, features of a batch out.

use burn::tensor::{Device, Tensor, TensorData};
use zoologist::extract::text::TokenIds;
use zoologist::extract::training::proof::{Place, Role};
use zoologist::extract::training::{Alteration, Batch, BlockFacts};

use crate::architecture::{Architecture, Parameter};
use crate::encoder;
use crate::error::{LoadError, RunError};
use crate::image::PictureNetwork;
use crate::network::{Network, Source};
use crate::operations::{Operations, indices, numbers};
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

    /// The names of its blocks: those of their parameters begin with it, and a dot.
    pub fn block_names(&self) -> Vec<String> {
        match self {
            Self::Texts(architecture) => {
                (0..architecture.layers).map(|layer| format!("{}.{layer}", architecture.family.layers)).collect()
            }
            Self::Pictures(network) => network.block_names(),
        }
    }

    /// Its blocks, with their widths and which of them can change places.
    pub fn block_facts(&self) -> Vec<BlockFacts> {
        let (names, parameters) = (self.block_names(), self.contents().parameters);
        let widths = match self {
            Self::Texts(architecture) => vec![[architecture.dim; 2]; architecture.layers],
            Self::Pictures(network) => network.block_widths(),
        };
        let mut kinds: Vec<Vec<(&str, &[usize])>> = vec![];
        let mut facts = vec![];
        for (number, (name, [into, out])) in names.iter().zip(widths).enumerate() {
            let own = parameters.iter().filter_map(|it| match self.place_of(&it.name, &names) {
                (Place::Block(block), within) if block == number => Some((within, it.shape.as_slice())),
                _ => None,
            });
            let own: Vec<(&str, &[usize])> = own.collect();
            let kind = kinds.iter().position(|kind| *kind == own).unwrap_or(kinds.len());
            if kind == kinds.len() {
                kinds.push(own);
            }
            facts.push(BlockFacts { name: name.clone(), kind, into, out });
        }
        facts
    }

    /// Where a parameter stands, and its name without that of its block; `blocks` are the names of the blocks.
    pub fn place_of<'a>(&self, name: &'a str, blocks: &[String]) -> (Place, &'a str) {
        let within = |block: &String| name.strip_prefix(block.as_str()).and_then(|rest| rest.strip_prefix('.'));
        if let Some((block, rest)) = blocks.iter().enumerate().find_map(|(number, it)| Some((number, within(it)?))) {
            return (Place::Block(block), rest);
        }
        let follows = match self {
            Self::Texts(_) => false,
            Self::Pictures(network) => network.follows_blocks(name),
        };
        (if follows { Place::After } else { Place::Before }, name)
    }

    /// The network that is left of this one; only blocks that are dropped change its shape.
    ///
    /// # Errors
    /// Blocks that do not fit on each other without those between them.
    pub fn altered(&self, alteration: &Alteration) -> Result<Self, RunError> {
        let Alteration::Dropped { blocks } = alteration else { return Ok(self.clone()) };
        match self {
            Self::Texts(architecture) => {
                let layers = architecture.layers - blocks.len();
                Ok(Self::Texts(Architecture { layers, ..architecture.clone() }))
            }
            Self::Pictures(network) => network.without(blocks).map(Self::Pictures),
        }
    }

    /// The states of each text after its first `kept` blocks, tokens × dim, from which [`Design::pass_from`] goes on;
    /// `None` where a network can't go on from them.
    pub fn states_after(
        &self,
        tensors: &Tensors,
        kept: usize,
        batch: &Batch,
    ) -> Result<Option<Vec<Vec<f32>>>, RunError> {
        let (Self::Texts(architecture), Batch::Texts { tokens, .. }) = (self, batch) else { return Ok(None) };
        let all = states(architecture, tensors, tokens, From::Tokens, kept)?.into_data();
        let mut rest = numbers(&all);
        let each = tokens.iter().map(|text| {
            let (own, others) = rest.split_at(text.ids.len() * architecture.dim);
            rest = others;
            own.to_vec()
        });
        Ok(Some(each.collect()))
    }

    /// The features of texts, from the states after their first `kept` blocks, one text after the other.
    pub fn pass_from(
        &self,
        tensors: &Tensors,
        kept: usize,
        states: Vec<f32>,
        batch: &Batch,
    ) -> Result<Passed, RunError> {
        let (Self::Texts(architecture), Batch::Texts { tokens, shares }) = (self, batch) else {
            return Err(RunError::Kind);
        };
        let shape = [states.len() / architecture.dim, architecture.dim];
        let hidden = Tensor::<2>::from_data(TensorData::new(states, shape), &Device::flex()).autodiff();
        let features = pass_texts(architecture, tensors, tokens, shares, From::States(kept, hidden))?;
        Ok(Passed { features, statistics: vec![] })
    }

    /// The features of a batch.
    pub fn pass(&self, tensors: &Tensors, norms: BatchNorms, batch: &Batch) -> Result<Passed, RunError> {
        match (self, batch) {
            (Self::Texts(architecture), Batch::Texts { tokens, shares }) => {
                let features = pass_texts(architecture, tensors, tokens, shares, From::Tokens)?;
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

/// What a parameter is, by its name and shape, and by the shapes of all of them.
pub fn role_of(name: &str, shapes: &dyn Fn(&str) -> Option<usize>) -> Role {
    if name.ends_with("running_mean") {
        return Role::RunningMean;
    }
    if name.ends_with("running_var") {
        return Role::RunningVariance;
    }
    // A norm's factor is a vector; what stands beside it is the norm's summand.
    let is_vector = |name: &str| shapes(name) == Some(1);
    match name.strip_suffix("bias") {
        Some(start) if is_vector(&format!("{start}weight")) => Role::NormBias,
        Some(_) => Role::Bias,
        None if is_vector(name) => Role::NormWeight,
        None => Role::Weight,
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

/// Where a pass through a text encoder begins.
#[allow(clippy::large_enum_variant, reason = "there is one of them at a time")]
enum From {
    /// At the tokens.
    Tokens,
    /// At the hidden state of this number.
    States(usize, Tensor<2>),
}

/// Hidden state number `last` of all tokens of some texts.
fn states(
    architecture: &Architecture,
    tensors: &Tensors,
    texts: &[TokenIds],
    from: From,
    last: usize,
) -> Result<Tensor<2>, RunError> {
    let tokens = Tokens::of_texts(texts, architecture.types > 0);
    let spans = tokens.check(architecture)?;
    let input = encoder::input(architecture, &tokens, &spans);
    let network = Network::read(architecture, &Tracked(tensors)).map_err(|_| RunError::Kind)?;
    let mut found = None;
    let mut take = |_, hidden: &Tensor<2>| found = Some(hidden.clone());
    match from {
        From::Tokens => network.forward(Operations::Burn, &input, last, take),
        From::States(first, hidden) => {
            take(first, &hidden);
            network.forward_from(Operations::Burn, (first, hidden), &input.sequences, last, take);
        }
    }
    found.ok_or(RunError::Nothing)
}

/// The pooled last hidden states of some texts.
fn pass_texts(
    architecture: &Architecture,
    tensors: &Tensors,
    texts: &[TokenIds],
    shares: &[Vec<f32>],
    from: From,
) -> Result<Tensor<2>, RunError> {
    let hidden = states(architecture, tensors, texts, from, architecture.layers)?;
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
