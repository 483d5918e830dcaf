//! Networks as ONNX files, for programs that run nothing else: the same operators in the same order as the passes here,
//! batch norms folded into their convolutions.

use zoologist::extract::Dense;
use zoologist::extract::onnx::{AddedAttribute, Composed, Composer, ModelError, Pooling, VectorFrom};
use zoologist::zoo::TokenPooling;

use crate::activation::Activation;
use crate::architecture::Architecture;
use crate::design::{Design, Filled};
use crate::family;
use crate::image::{EPSILON, PictureNetwork};
use crate::kernels::Clamp;

/// The names that a file's values get, as Hugging Face's exports have them.
const STATES: &str = "last_hidden_state";
/// See [`STATES`].
const FEATURES: &str = "features";
/// What a score of padding is lowered by.
const LOW: f32 = -1e9;

/// Parameters by name, on their way into a graph.
pub struct Writer<'a> {
    /// The graph.
    pub graph: Composer,
    list: &'a [Filled],
}

/// Whether a network of this family, with texts pooled in this way, can be written.
pub fn can_write(design: &Design, pooling: Option<TokenPooling>) -> bool {
    match (design, pooling) {
        (Design::Texts(architecture), Some(pooling)) => architecture.buckets == 0 && pooling != TokenPooling::Words,
        (Design::Pictures(network), _) => matches!(network, PictureNetwork::Inverted(_) | PictureNetwork::Searched(_)),
        (Design::Texts(_), None) => false,
    }
}

/// The file of a network with a head: `weight` is outputs × dim. `pooling` is how the states of texts become vectors.
///
/// # Errors
/// Families that are not written here: MPNet, ResNet and ViT.
pub fn onnx(
    design: &Design,
    list: &[Filled],
    [weight, bias]: [&Filled; 2],
    pooling: Option<TokenPooling>,
) -> Result<Composed, ModelError> {
    let [out, into] = [weight.shape[0], weight.shape[1]];
    let turned = (0..into).flat_map(|column| (0..out).map(move |row| weight.values[row * into + column])).collect();
    let head = Dense { into, out, weight: turned, bias: bias.values.clone() };
    let mut writer = Writer { graph: Composer::default(), list };
    match (design, pooling) {
        (Design::Texts(architecture), Some(pooling)) if architecture.buckets == 0 => {
            let states = texts(&mut writer, architecture)?;
            writer.graph.finish(&states, STATES, VectorFrom::Tokens(pooling), head)
        }
        (Design::Pictures(PictureNetwork::Inverted(network)), _) => {
            let pictures = writer.graph.floats_in("pixel_values", &[None, Some(3), None, None]);
            let features = network.write(&mut writer, &pictures)?;
            writer.graph.finish(&features, FEATURES, VectorFrom::Tensor(Pooling::None), head)
        }
        (Design::Pictures(PictureNetwork::Searched(network)), _) => {
            let pictures = writer.graph.floats_in("pixel_values", &[None, Some(3), None, None]);
            let features = network.write(&mut writer, &pictures)?;
            writer.graph.finish(&features, FEATURES, VectorFrom::Tensor(Pooling::None), head)
        }
        _ => Err(ModelError::Unfit("this family of networks can't be written as ONNX here".to_owned())),
    }
}

impl Writer<'_> {
    fn find(&self, name: &str) -> Result<&Filled, ModelError> {
        let found = self.list.iter().find(|it| it.name == name);
        found.ok_or_else(|| ModelError::Unfit(format!("{name} is missing")))
    }

    /// A parameter as it is.
    fn tensor(&mut self, name: &str) -> Result<String, ModelError> {
        let Filled { shape, values, .. } = self.find(name)?.clone();
        Ok(self.graph.named_floats(name, shape, &values))
    }

    /// rows · weightᵀ + bias.
    fn linear(&mut self, rows: &str, name: &str) -> Result<String, ModelError> {
        let Filled { shape, values, .. } = self.find(&format!("{name}.weight"))?.clone();
        let [out, into] = [shape[0], shape[1]];
        let turned: Vec<f32> = (0..into)
            .flat_map(|column| (0..out).map(move |row| row * into + column))
            .map(|place| values[place])
            .collect();
        let weight = self.graph.named_floats(&format!("{name}.weight"), vec![into, out], &turned);
        let bias = self.tensor(&format!("{name}.bias"))?;
        let product = self.graph.node("MatMul", &[rows, &weight]);
        Ok(self.graph.node("Add", &[&product, &bias]))
    }

    fn norm(&mut self, rows: &str, name: &str, epsilon: f64) -> Result<String, ModelError> {
        let (weight, bias) = (self.tensor(&format!("{name}.weight"))?, self.tensor(&format!("{name}.bias"))?);
        let epsilon = vec![("epsilon", AddedAttribute::float(epsilon))];
        Ok(self.graph.node_with("LayerNormalization", &[rows, &weight, &bias], epsilon))
    }

    fn activate(&mut self, rows: &str, activation: Activation) -> String {
        let graph = &mut self.graph;
        match activation {
            Activation::Relu => graph.node("Relu", &[rows]),
            Activation::Silu => {
                let gate = graph.node("Sigmoid", &[rows]);
                graph.node("Mul", &[rows, &gate])
            }
            Activation::Gelu => {
                let root = graph.number(std::f32::consts::SQRT_2);
                let scaled = graph.node("Div", &[rows, &root]);
                let error = graph.node("Erf", &[&scaled]);
                half_of_one_and(graph, rows, &error)
            }
            Activation::GeluTanh => {
                let (three, factor) = (graph.number(3.0), graph.number(0.044_715));
                let cube = graph.node("Pow", &[rows, &three]);
                let cube = graph.node("Mul", &[&cube, &factor]);
                let sum = graph.node("Add", &[rows, &cube]);
                let root = graph.number((2.0 / std::f32::consts::PI).sqrt());
                let scaled = graph.node("Mul", &[&sum, &root]);
                let tangent = graph.node("Tanh", &[&scaled]);
                half_of_one_and(graph, rows, &tangent)
            }
        }
    }

    /// A convolution with its batch norm folded into it, and what cuts the result off.
    pub fn convolution(
        &mut self,
        maps: &str,
        [convolution, norm]: [&str; 2],
        epsilon: f64,
        attributes: Vec<(&'static str, AddedAttribute)>,
        clamps: bool,
    ) -> Result<String, ModelError> {
        let part = |part: &str| self.find(&format!("{norm}.{part}")).map(|it| it.values.clone());
        let (scale, shift, mean) = (part("weight")?, part("bias")?, part("running_mean")?);
        let variance = part("running_var")?;
        let factors: Vec<f32> =
            scale.iter().zip(&variance).map(|(scale, variance)| scale / (variance + epsilon as f32).sqrt()).collect();
        let Filled { shape, values, .. } = self.find(&format!("{convolution}.weight"))?.clone();
        let each = values.len() / shape[0];
        let folded: Vec<f32> = values.iter().enumerate().map(|(place, value)| value * factors[place / each]).collect();
        let biases: Vec<f32> = (0..shape[0]).map(|channel| shift[channel] - mean[channel] * factors[channel]).collect();
        let weight = self.graph.named_floats(&format!("{convolution}.weight"), shape.clone(), &folded);
        let bias = self.graph.named_floats(&format!("{convolution}.bias"), vec![shape[0]], &biases);
        let found = self.graph.node_with("Conv", &[maps, &weight, &bias], attributes);
        if !clamps {
            return Ok(found);
        }
        let (low, high) = (self.graph.number(0.0), self.graph.number(6.0));
        Ok(self.graph.node("Clip", &[&found, &low, &high]))
    }

    /// A convolution without bias, a norm of each sample by itself, and what cuts the result off.
    pub fn convolution_sample_norm(
        &mut self,
        maps: &str,
        [convolution, norm]: [&str; 2],
        attributes: Vec<(&'static str, AddedAttribute)>,
        clamp: Clamp,
    ) -> Result<String, ModelError> {
        let weight = self.tensor(&format!("{convolution}.weight"))?;
        let found = self.graph.node_with("Conv", &[maps, &weight], attributes);
        // All numbers of a sample as one channel.
        let graph = &mut self.graph;
        let (shape, flat) = (graph.node("Shape", &[&found]), graph.integers(vec![3], &[0, 1, -1]));
        let rows = graph.node("Reshape", &[&found, &flat]);
        let (one, none) = (graph.floats(vec![1], &[1.0]), graph.floats(vec![1], &[0.0]));
        let epsilon = vec![("epsilon", AddedAttribute::float(EPSILON))];
        let rows = graph.node_with("InstanceNormalization", &[&rows, &one, &none], epsilon);
        let mut found = graph.node("Reshape", &[&rows, &shape]);
        for (part, operator) in [("weight", "Mul"), ("bias", "Add")] {
            let Filled { name, values, .. } = self.find(&format!("{norm}.{part}"))?.clone();
            let each = self.graph.named_floats(&name, vec![values.len(), 1, 1], &values);
            found = self.graph.node(operator, &[&found, &each]);
        }
        Ok(match clamp {
            Clamp::None => found,
            Clamp::Relu => self.graph.node("Relu", &[&found]),
            Clamp::Relu6 => {
                let (low, high) = (self.graph.number(0.0), self.graph.number(6.0));
                self.graph.node("Clip", &[&found, &low, &high])
            }
        })
    }

    /// The mean of each map.
    pub fn pooled(&mut self, maps: &str) -> String {
        let means = self.graph.node("GlobalAveragePool", &[maps]);
        self.graph.node_with("Flatten", &[&means], vec![("axis", AddedAttribute::Integer(1))])
    }
}

/// A size as ONNX has it.
fn whole(size: usize) -> i64 {
    size.cast_signed() as i64
}

/// rows · (1 + other) / 2.
fn half_of_one_and(graph: &mut Composer, rows: &str, other: &str) -> String {
    let (one, half) = (graph.number(1.0), graph.number(0.5));
    let sum = graph.node("Add", &[other, &one]);
    let product = graph.node("Mul", &[rows, &sum]);
    graph.node("Mul", &[&product, &half])
}

/// The last hidden states of texts, batch × length × dim.
fn texts(writer: &mut Writer, architecture: &Architecture) -> Result<String, ModelError> {
    let ids = writer.graph.integers_in("input_ids", 2);
    let mask = writer.graph.integers_in("attention_mask", 2);
    let words = writer.tensor(family::WORDS)?;
    let mut sum = writer.graph.node("Gather", &[&words, &ids]);
    if architecture.types > 0 {
        let types = writer.graph.integers_in("token_type_ids", 2);
        let table = writer.tensor(family::TYPES)?;
        let rows = writer.graph.node("Gather", &[&table, &types]);
        sum = writer.graph.node("Add", &[&sum, &rows]);
    }
    let positions = positions(&mut writer.graph, architecture, [&ids, &mask]);
    let table = writer.tensor(family::POSITIONS)?;
    let rows = writer.graph.node("Gather", &[&table, &positions]);
    sum = writer.graph.node("Add", &[&sum, &rows]);
    let mut hidden = writer.norm(&sum, family::EMBEDDING_NORM, architecture.epsilon)?;
    let lowered = lowered(&mut writer.graph, &mask);
    for layer in 0..architecture.layers {
        hidden = encoder_layer(writer, architecture, layer, &hidden, &lowered)?;
    }
    Ok(hidden)
}

/// Rows of the table of positions: counted from 0, or over real tokens from the one after padding.
fn positions(graph: &mut Composer, architecture: &Architecture, [ids, mask]: [&str; 2]) -> String {
    if architecture.family.counts_from_padding {
        let axis = graph.integers(vec![], &[1]);
        let counted = graph.node("CumSum", &[mask, &axis]);
        let real = graph.node("Mul", &[&counted, mask]);
        let padding = graph.integers(vec![], &[whole(architecture.padding)]);
        return graph.node("Add", &[&real, &padding]);
    }
    let shape = graph.node("Shape", &[ids]);
    let (one, zero, step) = (graph.integers(vec![], &[1]), graph.integers(vec![], &[0]), graph.integers(vec![], &[1]));
    let length = graph.node("Gather", &[&shape, &one]);
    graph.node("Range", &[&zero, &length, &step])
}

/// What is added to the scores: nothing for tokens, a large negative number for padding; batch × 1 × 1 × length.
fn lowered(graph: &mut Composer, mask: &str) -> String {
    let real = graph.node_with("Cast", &[mask], vec![("to", AddedAttribute::Integer(1))]);
    let (one, low, axes) = (graph.number(1.0), graph.number(LOW), graph.integers(vec![2], &[1, 2]));
    let padding = graph.node("Sub", &[&one, &real]);
    let lowered = graph.node("Mul", &[&padding, &low]);
    graph.node("Unsqueeze", &[&lowered, &axes])
}

fn encoder_layer(
    writer: &mut Writer,
    architecture: &Architecture,
    layer: usize,
    hidden: &str,
    lowered: &str,
) -> Result<String, ModelError> {
    let (family, heads, width) = (architecture.family, architecture.heads, architecture.dim / architecture.heads);
    let name = |part: &str| family.in_layer(layer, part);
    let mut parts = vec![];
    for (number, part) in family.attention.iter().enumerate() {
        let rows = writer.linear(hidden, &name(part))?;
        let shape = writer.graph.integers(vec![4], &[0, 0, whole(heads), whole(width)]);
        let split = writer.graph.node("Reshape", &[&rows, &shape]);
        // Keys stand on their side, so that scores are one product.
        let order = if number == 1 { vec![0, 2, 3, 1] } else { vec![0, 2, 1, 3] };
        parts.push(writer.graph.node_with("Transpose", &[&split], vec![("perm", AddedAttribute::Integers(order))]));
    }
    let graph = &mut writer.graph;
    let scores = graph.node("MatMul", &[&parts[0], &parts[1]]);
    let scale = graph.number((width as f32).sqrt().recip());
    let scaled = graph.node("Mul", &[&scores, &scale]);
    let masked = graph.node("Add", &[&scaled, lowered]);
    let shares = graph.node("Softmax", &[&masked]);
    let mixed = graph.node("MatMul", &[&shares, &parts[2]]);
    let order = vec![("perm", AddedAttribute::Integers(vec![0, 2, 1, 3]))];
    let mixed = graph.node_with("Transpose", &[&mixed], order);
    let shape = graph.integers(vec![3], &[0, 0, whole(architecture.dim)]);
    let mixed = graph.node("Reshape", &[&mixed, &shape]);
    let product = writer.linear(&mixed, &name(family.context))?;
    let sum = writer.graph.node("Add", &[&product, hidden]);
    let hidden = writer.norm(&sum, &name(family.attention_norm), architecture.epsilon)?;
    let inner = writer.linear(&hidden, &name(family.inner))?;
    let inner = writer.activate(&inner, architecture.activation);
    let product = writer.linear(&inner, &name(family.outer))?;
    let sum = writer.graph.node("Add", &[&product, &hidden]);
    writer.norm(&sum, &name(family.outer_norm), architecture.epsilon)
}
