//! What a model's graph says about its input, its outputs and where its features are.
//!
//! Features are, in this order: the value that was asked for; an output called `features`; the input of the last
//! matrix product before the logits; else the output itself, the last hidden state. What was chosen is said in words.

use std::collections::{HashMap, HashSet};

use rten_onnx::onnx::{DataType, GraphProto, ModelProto, NodeProto, ValueInfoProto};

use super::ModelError;
use crate::base::path_text::escape;

/// Outputs looked at first, in this order; else the graph's first.
const OUTPUTS: [&str; 4] = ["logits", "image_embeds", "last_hidden_state", "pooler_output"];

/// Operators between a classifier's matrix product and the logits.
const AFTER_PRODUCT: [&str; 15] = [
    "Add",
    "Sub",
    "Mul",
    "Div",
    "Softmax",
    "LogSoftmax",
    "Sigmoid",
    "Identity",
    "Cast",
    "Reshape",
    "Flatten",
    "Squeeze",
    "Dropout",
    "GlobalAveragePool",
    "ReduceMean",
];

/// A parsed graph.
pub struct Graph {
    proto: GraphProto,
    constants: HashSet<String>,
    /// The node that makes each value.
    makers: HashMap<String, usize>,
}

/// The model's picture input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PictureInput {
    /// Its name.
    pub name: String,
    /// Its four axes; `None` where the size is open.
    pub shape: [Option<usize>; 4],
}

/// Where the features come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeatureSource {
    /// The value's name in the graph.
    pub value: String,
    /// Why this one, in words.
    pub reason: String,
    /// Whether the value is an output already.
    pub is_output: bool,
}

/// How a tensor of one sample becomes a vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pooling {
    /// It is a vector.
    None,
    /// The mean over all positions of a map, channels first.
    MeanOfMap,
    /// The mean over all positions of a map, channels last.
    MeanOfMapChannelsLast,
    /// The first token, which stands before a square of patches.
    FirstToken,
    /// The mean over all tokens.
    MeanOfTokens,
}

impl Graph {
    /// Parses a model.
    pub fn parse(bytes: &[u8]) -> Result<Self, ModelError> {
        let graph = ModelProto::parse_buf(bytes).ok().and_then(|model| model.graph).ok_or(ModelError::Damaged)?;
        if graph.node.is_empty() || graph.output.is_empty() {
            return Err(ModelError::Damaged);
        }
        let named = graph.initializer.iter().filter_map(|tensor| tensor.name.clone());
        let made = graph.node.iter().filter(|node| operator(node) == "Constant").flat_map(|node| node.output.clone());
        let constants = named.chain(made).collect();
        let outputs = |(place, node): (usize, &NodeProto)| {
            node.output.iter().map(move |name| (name.clone(), place)).collect::<Vec<_>>()
        };
        let makers = graph.node.iter().enumerate().flat_map(outputs).collect();
        Ok(Self { proto: graph, constants, makers })
    }

    /// The one input that takes a picture.
    pub fn picture_input(&self) -> Result<PictureInput, ModelError> {
        let inputs: Vec<&ValueInfoProto> =
            self.proto.input.iter().filter(|input| !self.constants.contains(name_of(input))).collect();
        let [input] = inputs[..] else {
            let names: Vec<String> = inputs.iter().map(|input| escape(name_of(input))).collect();
            let names = names.join(", ");
            return Err(ModelError::Unfit(format!(
                "an image model has one input, this one has {}: {names}",
                inputs.len()
            )));
        };
        let tensor = input.r#type.as_ref().and_then(|kind| kind.tensor_type.as_ref());
        let kind = tensor.and_then(|tensor| tensor.elem_type);
        if kind != Some(DataType::FLOAT) {
            let kind = kind.as_ref().and_then(DataType::name).unwrap_or("no stated type");
            return Err(ModelError::Unfit(format!("the input takes {kind}; only float32 pictures are supported")));
        }
        let dims = tensor.and_then(|tensor| tensor.shape.as_ref()).map(|shape| {
            shape
                .dim
                .iter()
                .map(|dim| dim.dim_value.and_then(|size| usize::try_from(size).ok()).filter(|&size| size > 0))
                .collect::<Vec<_>>()
        });
        let shape = match dims {
            None => [None; 4],
            Some(dims) => dims.try_into().map_err(|dims: Vec<_>| {
                ModelError::Unfit(format!("the input has {} axes; a batch of pictures has 4", dims.len()))
            })?,
        };
        Ok(PictureInput { name: name_of(input).to_owned(), shape })
    }

    /// Where the features are; `asked` is a value that the user or the model folder named.
    pub fn features(&self, asked: Option<&str>) -> Result<FeatureSource, ModelError> {
        if let Some(asked) = asked {
            if !self.makers.contains_key(asked) {
                return Err(ModelError::Unfit(format!("there is no value called `{}` in the graph", escape(asked))));
            }
            return Ok(self.source(asked, format!("value `{}`, as asked", escape(asked))));
        }
        if self.output_named("features") {
            return Ok(self.source("features", "output `features`".to_owned()));
        }
        let output = OUTPUTS.into_iter().find(|name| self.output_named(name));
        let output = output.unwrap_or_else(|| name_of(&self.proto.output[0]));
        Ok(match self.product_before(output) {
            Some((node, input)) => {
                let reason =
                    format!("input of the last matrix product ({}) before output `{}`", operator(node), escape(output));
                self.source(input, reason)
            }
            None => self.source(output, format!("output `{}`, the last hidden state", escape(output))),
        })
    }

    /// The nodes, for counting.
    pub fn nodes(&self) -> &[NodeProto] {
        &self.proto.node
    }

    /// The dimensions of a weight.
    pub fn weight_dims(&self, name: &str) -> Option<&[i64]> {
        self.proto.initializer.iter().find(|tensor| tensor.name.as_deref() == Some(name)).map(|tensor| &tensor.dims[..])
    }

    fn source(&self, value: &str, reason: String) -> FeatureSource {
        FeatureSource { value: value.to_owned(), reason, is_output: self.output_named(value) }
    }

    /// Whether the graph has an output of that name.
    pub fn output_named(&self, name: &str) -> bool {
        self.proto.output.iter().any(|output| name_of(output) == name)
    }

    /// The matrix product that makes an output through nothing but operators that a classifier puts after it, and its
    /// data input.
    fn product_before<'a>(&'a self, output: &'a str) -> Option<(&'a NodeProto, &'a str)> {
        let mut value = output;
        // A path in a graph without loops is no longer than the number of nodes.
        for _ in 0..self.proto.node.len() {
            let node = &self.proto.node[*self.makers.get(value)?];
            let data: Vec<&str> = node
                .input
                .iter()
                .map(String::as_str)
                .filter(|name| !name.is_empty() && !self.constants.contains(*name))
                .collect();
            let [input] = data[..] else { return None };
            if self.is_product(node) {
                return Some((node, input));
            }
            if !AFTER_PRODUCT.contains(&operator(node)) {
                return None;
            }
            value = input;
        }
        None
    }

    /// A product with a constant matrix; a 1 × 1 convolution is one at every position.
    fn is_product(&self, node: &NodeProto) -> bool {
        match operator(node) {
            "Gemm" | "MatMul" => true,
            "Conv" => node
                .input
                .get(1)
                .and_then(|weight| self.weight_dims(weight))
                .is_some_and(|dims| matches!(dims, [_, _, 1, 1])),
            _ => false,
        }
    }
}

impl Pooling {
    /// How to pool a feature tensor of this shape (the first axis is the batch).
    pub fn of(shape: &[usize], channels_last: bool) -> Result<Self, ModelError> {
        match shape {
            [_, _] | [_, _, 1, 1] => Ok(Self::None),
            [_, _, _, _] if channels_last => Ok(Self::MeanOfMapChannelsLast),
            [_, _, _, _] => Ok(Self::MeanOfMap),
            [_, tokens, _] if *tokens > 1 && is_square(tokens - 1) => Ok(Self::FirstToken),
            [_, _, _] => Ok(Self::MeanOfTokens),
            _ => Err(ModelError::Unfit(format!("features of shape {shape:?} can't be pooled to one vector a picture"))),
        }
    }

    /// In words, empty if nothing is pooled.
    pub fn words(self) -> &'static str {
        match self {
            Self::None => "",
            Self::MeanOfMap | Self::MeanOfMapChannelsLast => ", mean over positions",
            Self::FirstToken => ", first token",
            Self::MeanOfTokens => ", mean over tokens",
        }
    }

    /// The feature vector of one sample, given its tensor without the batch axis.
    pub fn apply(self, shape: &[usize], values: &[f32]) -> Vec<f32> {
        let mean = |length: usize, value: &dyn Fn(usize) -> f32| (0..length).map(value).sum::<f32>() / length as f32;
        match (self, shape) {
            (Self::MeanOfMap, &[channels, height, width]) => {
                let area = height * width;
                (0..channels).map(|channel| mean(area, &|place| values[channel * area + place])).collect()
            }
            (Self::MeanOfMapChannelsLast, &[height, width, dim]) => {
                (0..dim).map(|channel| mean(height * width, &|place| values[place * dim + channel])).collect()
            }
            (Self::MeanOfTokens, &[tokens, dim]) => {
                (0..dim).map(|channel| mean(tokens, &|place| values[place * dim + channel])).collect()
            }
            (Self::FirstToken, &[_, dim]) => values[..dim].to_vec(),
            _ => values.to_vec(),
        }
    }
}

fn is_square(number: usize) -> bool {
    number.isqrt().pow(2) == number
}

fn name_of(value: &ValueInfoProto) -> &str {
    value.name.as_deref().unwrap_or_default()
}

fn operator(node: &NodeProto) -> &str {
    node.op_type.as_deref().unwrap_or_default()
}
