//! Networks for pictures, by timm's names: families, their parameters, their forward pass.
//!
//! A family lists its parameters, so that a file can be compared with them as a whole, and runs on a [`Scope`], which
//! hands it the parameters by the same names. Each gives the mean of every block's maps (or the class token), and last
//! the features before the classifier.

mod inverted;
mod residual;
mod searched;
mod transformer;

use burn::tensor::Tensor;
use serde_json::Value;
use zoologist::base::path_text::escape;

use crate::architecture::Parameter;
use crate::error::{LoadError, RunError};
use crate::scope::{BatchNorms, Scope, Tensors};

use inverted::Inverted;
use residual::Residual;
use transformer::Transformer;

pub use searched::{EPSILON, Searched, cost, options_cost, pruned, shared_parameters, space};

/// What is read natively, for messages.
const KNOWN: &str = "(tf_)efficientnet_lite0-4, (tf_)mobilenetv2_035-140, resnet18-152, \
                     vit_tiny|small|base|large_patchP_SIZE";

/// The design of a network for pictures.
#[derive(Debug, Clone, PartialEq)]
pub enum PictureNetwork {
    /// EfficientNet-Lite and MobileNetV2.
    Inverted(Inverted),
    /// ResNet.
    Residual(Residual),
    /// ViT.
    Transformer(Transformer),
    /// What a search put together.
    Searched(Searched),
}

/// The features of one layer.
pub struct Layer {
    /// Its name, as timm calls the block.
    pub name: String,
    /// Batch × dim.
    pub features: Tensor<2>,
    /// Multiply-adds up to it, of the whole batch.
    pub multiply_adds: u64,
}

impl PictureNetwork {
    /// Reads the text of timm's `config.json`; `None` where it names no architecture.
    pub fn read(text: &str) -> Result<Option<Self>, LoadError> {
        let config: Value =
            serde_json::from_str(text).map_err(|error| LoadError::Config(format!("not JSON ({error})")))?;
        if let Some(searched) = Searched::read(&config)? {
            return Ok(Some(Self::Searched(searched)));
        }
        let Some(name) = config.get("architecture").and_then(Value::as_str) else { return Ok(None) };
        let known = Self::named(name.split('.').next().unwrap_or(name));
        let known = known.ok_or_else(|| LoadError::Architecture(escape(name), KNOWN))?;
        let Some(left) = config.pointer("/zoologist/blocks").and_then(Value::as_array) else { return Ok(Some(known)) };
        let is_left = |block: &String| left.iter().any(|name| name.as_str() == Some(block));
        let names = known.block_names();
        let gone: Vec<usize> = (0..names.len()).filter(|&block| !is_left(&names[block])).collect();
        known.without(&gone).map(Some).map_err(|error| LoadError::Config(error.to_string()))
    }

    /// The network of a timm name.
    pub fn named(name: &str) -> Option<Self> {
        let inverted = Inverted::named(name).map(Self::Inverted);
        let residual = || Residual::named(name).map(Self::Residual);
        inverted.or_else(residual).or_else(|| Transformer::named(name).map(Self::Transformer))
    }

    /// Every parameter but the classifier's, with the shape that it must have.
    pub fn parameters(&self) -> Vec<Parameter> {
        match self {
            Self::Inverted(network) => network.parameters(),
            Self::Residual(network) => network.parameters(),
            Self::Searched(network) => network.parameters(),
            Self::Transformer(network) => network.parameters(),
        }
    }

    /// What its classifier is called.
    pub fn classifier(&self) -> &'static str {
        match self {
            Self::Inverted(_) | Self::Searched(_) => "classifier",
            Self::Residual(_) => "fc",
            Self::Transformer(_) => "head",
        }
    }

    /// Width of its features.
    pub fn dim(&self) -> usize {
        match self {
            Self::Inverted(network) => network.features,
            Self::Residual(network) => network.dim(),
            Self::Searched(network) => network.dim(),
            Self::Transformer(network) => network.dim,
        }
    }

    /// Whether a name that is no parameter may stand in its files all the same.
    pub fn is_leftover(&self, name: &str) -> bool {
        name.ends_with("num_batches_tracked")
            || name.strip_prefix(self.classifier()).is_some_and(|rest| rest.starts_with('.'))
    }

    /// The names of its layers, as [`PictureNetwork::forward`] gives them.
    pub fn layer_names(&self) -> Vec<String> {
        match self {
            Self::Inverted(network) => network.layer_names(),
            Self::Residual(network) => network.layer_names(),
            Self::Searched(network) => network.layer_names(),
            Self::Transformer(network) => network.layer_names(),
        }
    }

    /// The layer that a parameter belongs to: the one whose name it begins with, else the first for what stands before the
    /// blocks and the last for what stands after them.
    pub fn layer_of(&self, name: &str) -> usize {
        let names = self.layer_names();
        let own =
            names.iter().position(|layer| name.strip_prefix(layer.as_str()).is_some_and(|rest| rest.starts_with('.')));
        let last = names.len() - 1;
        let in_last_block = matches!(self, Self::Transformer(network) if network.is_in_last_block(name));
        let follows = in_last_block || self.follows_blocks(name);
        own.unwrap_or(if follows { last } else { 0 })
    }

    /// The names of its blocks.
    pub fn block_names(&self) -> Vec<String> {
        match self {
            Self::Inverted(network) => network.block_names(),
            Self::Residual(network) => network.block_names(),
            Self::Searched(network) => network.block_names(),
            Self::Transformer(network) => network.block_names(),
        }
    }

    /// The widths of what each block takes and gives.
    pub fn block_widths(&self) -> Vec<[usize; 2]> {
        match self {
            Self::Inverted(network) => network.block_widths(),
            Self::Residual(network) => network.block_widths(),
            Self::Searched(network) => network.block_widths(),
            Self::Transformer(network) => vec![[network.dim; 2]; network.block_names().len()],
        }
    }

    /// Whether a parameter stands after the blocks.
    pub fn follows_blocks(&self, name: &str) -> bool {
        match self {
            Self::Inverted(_) => name.starts_with("conv_head.") || name.starts_with("bn2."),
            Self::Residual(_) => false,
            Self::Searched(_) => name.starts_with("features."),
            Self::Transformer(_) => name.starts_with("norm."),
        }
    }

    /// The network without some of its blocks.
    ///
    /// # Errors
    /// Blocks that do not fit on each other without those between them.
    pub fn without(&self, gone: &[usize]) -> Result<Self, RunError> {
        let left = match self {
            Self::Inverted(network) => network.without(gone).map(Self::Inverted),
            Self::Residual(network) => network.without(gone).map(Self::Residual),
            Self::Transformer(network) => Some(Self::Transformer(network.without(gone))),
            // Its places are filled one by one; what is to be left out of it is a question for the search.
            Self::Searched(_) => None,
        };
        let names = || {
            let names = self.block_names();
            gone.iter().filter_map(|&block| names.get(block).cloned()).collect::<Vec<_>>().join(", ")
        };
        left.ok_or_else(|| RunError::Blocks(names()))
    }

    /// The edge that pictures must have; `None` if any will do.
    pub fn edge(&self) -> Option<usize> {
        if let Self::Transformer(network) = self { Some(network.edge) } else { None }
    }

    /// How many pictures these numbers are, if the network can run them.
    pub fn check(&self, size: [usize; 2], values: &[f32]) -> Result<usize, RunError> {
        let pixels = size[0] * size[1];
        if let Some(edge) = self.edge().filter(|edge| size != [*edge; 2]) {
            return Err(RunError::Edge { found: size, edge });
        }
        // Maps are halved twice, and what comes from before a halving meets what comes after it.
        if matches!(self, Self::Searched(_)) && size.iter().any(|edge| !edge.is_multiple_of(4)) {
            return Err(RunError::Multiple { found: size, of: 4 });
        }
        if pixels == 0 || values.is_empty() || !values.len().is_multiple_of(3 * pixels) {
            return Err(RunError::Nothing);
        }
        Ok(values.len() / (3 * pixels))
    }

    /// A pass with these parameters.
    pub fn scope<'a>(&self, tensors: &'a Tensors, norms: BatchNorms) -> Scope<'a> {
        let epsilon = if let Self::Inverted(network) = self { network.epsilon() } else { EPSILON };
        Scope::new(tensors, norms, epsilon)
    }

    /// The features of each layer, from the first to the last: pictures are batch × 3 × height × width.
    pub fn forward(&self, scope: &Scope, pictures: Tensor<4>) -> Vec<Layer> {
        let mut layers = vec![];
        let mut take = |name: &str, features: Tensor<2>| {
            let (name, multiply_adds) = (name.to_owned(), scope.multiply_adds());
            layers.push(Layer { name, features, multiply_adds });
        };
        match self {
            Self::Inverted(network) => network.forward(scope, pictures, &mut take),
            Self::Residual(network) => network.forward(scope, pictures, &mut take),
            Self::Searched(network) => network.forward(scope, pictures, &mut take),
            Self::Transformer(network) => network.forward(scope, pictures, &mut take),
        }
        layers
    }
}

/// Takes a layer's name and its features.
type Take<'a> = &'a mut dyn FnMut(&str, Tensor<2>);

/// A square convolution without bias and its batch norm.
fn convolution([name, norm]: [&str; 2], out: usize, into: usize, kernel: usize) -> Vec<Parameter> {
    let part = |part: &str| Parameter::new(&format!("{norm}.{part}"), &[out]);
    let weight = Parameter::new(&format!("{name}.weight"), &[out, into, kernel, kernel]);
    [weight].into_iter().chain(["weight", "bias", "running_mean", "running_var"].map(part)).collect()
}

#[cfg(test)]
mod tests;
