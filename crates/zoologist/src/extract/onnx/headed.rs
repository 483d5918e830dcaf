//! A head appended to a graph: its features are pooled, chosen and multiplied within the graph, so that the file is a
//! whole classifier or regressor for any program that runs ONNX.
//!
//! Every operator is used in a form that means the same in all later versions of ONNX. `Gemm` adds a bias to each row
//! since version 7 and `Max` to each element since 8; `CumSum` came with 11. Reductions are avoided: their axes moved
//! from an attribute to an input.

use super::ModelError;
use super::composed::Composer;
use super::graph::{Graph, Pooling};
use super::pooled::fresh;
use super::wire::{Added, AddedAttribute};
use crate::extract::head::Head;
use crate::zoo::TokenPooling;

/// What the output of a head is called, and what it is called in a graph that has such a value.
const LOGITS: [&str; 2] = ["logits", "tuned_logits"];
/// How everything that is added is called, with a number behind it.
const PREFIX: &str = "zoologist_head";
/// `Cast` to single precision.
const TO_FLOAT: usize = 1;
/// What padding is lowered by, so that it is no maximum.
const LOW: f32 = -3.0e38;

/// A value of the graph and the vector that it gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The value's name.
    pub value: String,
    /// How it becomes a vector a sample.
    pub vector: VectorFrom,
    /// How many numbers that has.
    pub width: usize,
    /// How many axes the value has, the batch among them.
    pub rank: usize,
}

/// How a value of the graph becomes one vector a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VectorFrom {
    /// As a tensor of pictures does, or as one that is a vector already.
    Tensor(Pooling),
    /// As states [batch, length, dim] of the tokens of texts do.
    Tokens(TokenPooling),
}

/// What must be appended to a graph to put a head on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeadedGraph {
    /// What to append.
    pub added: Added,
    /// The output of the head, [batch, out]: a value that is added.
    pub logits: String,
}

impl Graph {
    /// The plan to put a head on the vectors of these parts side by side. The value of the last part becomes an output
    /// beside the head's, if it is none. Tokens are told from padding by the graph's own mask; without one all count.
    /// Refused are a head for another number of features, a pooling that a graph can't do, and versions of ONNX in
    /// which an operator is missing or means something else.
    pub fn headed(&self, parts: &[Part], head: &Head) -> Result<HeadedGraph, ModelError> {
        self.check_version(parts)?;
        let widths: Vec<usize> = parts.iter().map(|part| part.width).collect();
        let mut builder = Builder::new(self);
        let vectors = builder.vectors(parts, &head.columns_of(&widths)?)?;
        let logits = builder.products(vectors, head);
        let mut added = builder.composer.into_added();
        added.float_outputs = vec![(logits.clone(), vec![None, head.layers.last().map(|last| last.out)])];
        if let Some(last) = parts.last().filter(|last| !self.output_named(&last.value)) {
            added.float_outputs.push((last.value.clone(), vec![None; last.rank]));
        }
        Ok(HeadedGraph { added, logits })
    }

    /// Refuses versions of ONNX in which what is appended would mean something else.
    fn check_version(&self, parts: &[Part]) -> Result<(), ModelError> {
        let needs = |part: &Part| match part.vector {
            VectorFrom::Tensor(_) => 7,
            VectorFrom::Tokens(TokenPooling::Cls | TokenPooling::Last) => 11,
            VectorFrom::Tokens(_) => 8,
        };
        let (needed, found) = (parts.iter().map(needs).max().unwrap_or(0), self.origin().opset);
        match found.filter(|&found| found < needed) {
            None => Ok(()),
            Some(found) => Err(ModelError::Unfit(format!(
                "the graph is of ONNX opset {found}, and a head on it needs {needed}: export the model anew with a later opset"
            ))),
        }
    }
}

/// Nodes and constants on their way to a graph.
struct Builder<'a> {
    graph: &'a Graph,
    composer: Composer,
}

impl<'a> Builder<'a> {
    fn new(graph: &'a Graph) -> Self {
        Self { graph, composer: Composer::beside(&graph.names(), PREFIX) }
    }

    /// The vectors of the parts side by side, of which only these columns: [batch, columns].
    fn vectors(&mut self, parts: &[Part], columns: &[Vec<usize>]) -> Result<String, ModelError> {
        let used: Vec<(&Part, &Vec<usize>)> = parts.iter().zip(columns).filter(|(_, own)| !own.is_empty()).collect();
        let (mut tokens, mut vectors, mut chosen, mut width) = (Tokens::default(), vec![], vec![], 0);
        for (part, own) in used {
            vectors.push(match part.vector {
                VectorFrom::Tensor(pooling) => self.of_tensor(&part.value, pooling),
                VectorFrom::Tokens(pooling) => self.of_tokens(&part.value, pooling, &mut tokens)?,
            });
            chosen.extend(own.iter().map(|&column| ((column + width) as u64).cast_signed()));
            width += part.width;
        }
        let vectors: Vec<&str> = vectors.iter().map(String::as_str).collect();
        let all = match vectors[..] {
            [one] => one.to_owned(),
            _ => self.composer.node_with("Concat", &vectors, axis(1)),
        };
        if chosen.len() == width {
            return Ok(all);
        }
        let chosen = self.composer.integers(vec![chosen.len()], &chosen);
        Ok(self.composer.node_with("Gather", &[&all, &chosen], axis(1)))
    }

    /// A tensor as one vector a sample, as [`Pooling::apply`] does it: [batch, width].
    fn of_tensor(&mut self, value: &str, pooling: Pooling) -> String {
        let pooled = match pooling {
            Pooling::None => value.to_owned(),
            Pooling::MeanOfMap => self.composer.node("GlobalAveragePool", &[value]),
            Pooling::MeanOfMapChannelsLast => self.over_positions("GlobalAveragePool", value, &[0, 3, 1, 2]),
            Pooling::MeanOfTokens => self.over_positions("GlobalAveragePool", value, &[0, 2, 1]),
            Pooling::FirstToken => {
                let first = self.composer.integers(vec![], &[0]);
                self.composer.node_with("Gather", &[value, &first], axis(1))
            }
        };
        self.composer.node("Flatten", &[&pooled])
    }

    /// A pooling over all axes but two, which this order of axes puts first.
    fn over_positions(&mut self, operator: &'static str, value: &str, order: &[usize]) -> String {
        let turned =
            self.composer.node_with("Transpose", &[value], vec![("perm", AddedAttribute::Integers(order.to_vec()))]);
        self.composer.node(operator, &[&turned])
    }

    /// States of tokens as one vector a text, as texts are pooled outside the graph: [batch, dim].
    fn of_tokens(&mut self, states: &str, pooling: TokenPooling, tokens: &mut Tokens) -> Result<String, ModelError> {
        let real = match &tokens.real {
            Some(real) => real.clone(),
            None => tokens.real.insert(self.real_tokens()?).clone(),
        };
        let pooled = match pooling {
            TokenPooling::Max => {
                let columns = self.reshaped(&real, &[0, -1, 1]);
                self.largest(states, &columns)
            }
            TokenPooling::Words => {
                return Err(ModelError::Unfit(
                    "pooling by words needs the words of a text, which a graph does not see: choose another pooling"
                        .to_owned(),
                ));
            }
            TokenPooling::Mean | TokenPooling::Cls | TokenPooling::Last => {
                let shares = match &tokens.shares {
                    Some((made_for, shares)) if *made_for == pooling => shares.clone(),
                    _ => self.shares(&real, pooling),
                };
                tokens.shares = Some((pooling, shares.clone()));
                self.composer.node("MatMul", &[&shares, states])
            }
        };
        Ok(self.composer.node("Flatten", &[&pooled]))
    }

    /// 1 for each real token, 0 for padding, as floats [batch, length].
    fn real_tokens(&mut self) -> Result<String, ModelError> {
        let inputs = self.graph.text_inputs()?;
        let cast = |builder: &mut Self, name: &str| {
            builder.composer.node_with("Cast", &[name], vec![("to", AddedAttribute::Integer(TO_FLOAT))])
        };
        if let Some(mask) = inputs.mask {
            return Ok(cast(self, &mask.name));
        }
        let ids = cast(self, &inputs.ids.name);
        let (zero, one) = (self.composer.floats(vec![1], &[0.0]), self.composer.floats(vec![1], &[1.0]));
        let zeros = self.composer.node("Mul", &[&ids, &zero]);
        Ok(self.composer.node("Add", &[&zeros, &one]))
    }

    fn reshaped(&mut self, value: &str, shape: &[i64]) -> String {
        let shape = self.composer.integers(vec![shape.len()], shape);
        self.composer.node("Reshape", &[value, &shape])
    }

    /// The share of each token in the pooled vector, [batch, 1, length]; the mean, or else the first or the last token.
    fn shares(&mut self, real: &str, pooling: TokenPooling) -> String {
        if pooling == TokenPooling::Mean {
            let (rows, columns) = (self.reshaped(real, &[0, 1, -1]), self.reshaped(real, &[0, -1, 1]));
            let (count, one) =
                (self.composer.node("MatMul", &[&rows, &columns]), self.composer.floats(vec![1], &[1.0]));
            let count = self.composer.node("Max", &[&count, &one]);
            return self.composer.node("Div", &[&rows, &count]);
        }
        // How many tokens there are up to each, from the front or from the back: 1 at the one that is wanted.
        let along = self.composer.integers(vec![], &[1]);
        let from_the_back = AddedAttribute::Integer(usize::from(pooling == TokenPooling::Last));
        let counted = self.composer.node_with("CumSum", &[real, &along], vec![("reverse", from_the_back)]);
        let two = self.composer.floats(vec![1], &[2.0]);
        let rest = self.composer.node("Sub", &[&two, &counted]);
        let one = self.composer.node("Relu", &[&rest]);
        let share = self.composer.node("Mul", &[&one, real]);
        self.reshaped(&share, &[0, 1, -1])
    }

    /// The largest value of each dimension over the real tokens, which `real` [batch, length, 1] tells: [batch, dim, 1].
    fn largest(&mut self, states: &str, real: &str) -> String {
        let (one, low) = (self.composer.floats(vec![1], &[1.0]), self.composer.floats(vec![1], &[LOW]));
        let padding = self.composer.node("Sub", &[&one, real]);
        let lowered = self.composer.node("Mul", &[&padding, &low]);
        let kept = self.composer.node("Mul", &[states, real]);
        let all = self.composer.node("Add", &[&kept, &lowered]);
        self.over_positions("GlobalMaxPool", &all, &[0, 2, 1])
    }

    /// The products of a head; gives the name of its output.
    fn products(&mut self, vectors: String, head: &Head) -> String {
        let mut value = vectors;
        for (place, layer) in head.layers.iter().enumerate() {
            if place > 0 {
                value = self.composer.node("Relu", &[&value]);
            }
            let weight = self.composer.floats(vec![layer.into, layer.out], &layer.weight);
            let bias = self.composer.floats(vec![layer.out], &layer.bias);
            value = self.composer.node("Gemm", &[&value, &weight, &bias]);
        }
        let [name, otherwise] = LOGITS;
        let taken = self.graph.names();
        let logits = if taken.contains(name) { fresh(&taken, otherwise) } else { name.to_owned() };
        self.composer.rename_last(&logits);
        logits
    }
}

/// What is said of the tokens of a batch, once for all parts.
#[derive(Default)]
struct Tokens {
    /// 1 for each real token, 0 for padding: [batch, length].
    real: Option<String>,
    /// The share of each token where they are pooled in this way: [batch, 1, length].
    shares: Option<(TokenPooling, String)>,
}

fn axis(place: usize) -> Vec<(&'static str, AddedAttribute)> {
    vec![("axis", AddedAttribute::Integer(place))]
}

#[cfg(test)]
mod tests;
