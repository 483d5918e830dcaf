//! Where in a graph the features are.
//!
//! Features of pictures are, in this order: the value that was asked for; an output called `features`; the input of the
//! last matrix product before the logits; else the output itself, the last hidden state. What was chosen is said in
//! words.

use rten_onnx::onnx::{DataType, NodeProto, ValueInfoProto};

use super::inputs::Declared;
use super::{Graph, name_of, operator};
use crate::base::path_text::escape;
use crate::extract::onnx::ModelError;

/// Outputs looked at first, in this order; else the graph's first.
const OUTPUTS: [&str; 4] = ["logits", "image_embeds", "last_hidden_state", "pooler_output"];

/// Outputs of text models that are the states of the tokens, in this order.
const TOKEN_STATES: [&str; 2] = ["last_hidden_state", "token_embeddings"];

/// Outputs of text models that are one vector a text, in this order.
const POOLED: [&str; 4] = ["sentence_embedding", "text_embeds", "embeddings", "pooler_output"];

/// Outputs that hold one number per class or word.
const LOGITS: [&str; 2] = ["logits", "prediction_logits"];

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

impl Graph {
    /// Where the features are; `asked` is a value that the user or the model folder named.
    pub fn features(&self, asked: Option<&str>) -> Result<FeatureSource, ModelError> {
        if let Some(asked) = asked {
            return self.asked(asked);
        }
        if self.output_named("features") {
            return Ok(self.source("features", "output `features`".to_owned()));
        }
        let output = OUTPUTS.into_iter().find(|name| self.output_named(name));
        let output = output.unwrap_or_else(|| name_of(&self.proto.output[0]));
        Ok(self.at_or_before(output))
    }

    /// Where the features of a text model are, best as states of the tokens [batch, length, dim]. These are: the value
    /// that was asked for; an output of a usual name; of the float outputs of rank 3 that depend on the ids the deepest
    /// (so the last of `hidden_0`, `hidden_1`, …, and no output that echoes an input); else a pooled output [batch, dim].
    pub fn token_states(&self, asked: Option<&str>) -> Result<FeatureSource, ModelError> {
        if let Some(asked) = asked {
            return self.asked(asked);
        }
        let states = |name: &str| self.source(name, format!("output `{}`, the token states", escape(name)));
        if let Some(name) = TOKEN_STATES.into_iter().find(|name| self.output_named(name)) {
            return Ok(states(name));
        }
        match self.deepest_output(3)? {
            Some(name) if LOGITS.contains(&name) => return Ok(self.at_or_before(name)),
            Some(name) => return Ok(states(name)),
            None => {}
        }
        if let Some(name) = POOLED.into_iter().find(|name| self.output_named(name)) {
            return Ok(self.source(name, format!("output `{name}`, pooled by the model")));
        }
        let pooled = self.deepest_output(2)?.ok_or_else(|| {
            ModelError::Unfit("no output holds floating-point numbers that depend on the tokens".to_owned())
        })?;
        Ok(self.at_or_before(pooled))
    }

    /// The float output of this rank that the most operators, one behind the other, make from the ids. One whose rank
    /// is stated comes before one whose rank is not.
    fn deepest_output(&self, rank: usize) -> Result<Option<&str>, ModelError> {
        let ids = self.text_inputs()?.ids;
        let Some(ids) = self.flow.number(&ids.name) else { return Ok(None) };
        let (reached, depths) = (self.flow.reached(ids, |_| false), self.flow.depths());
        let order = |output: &ValueInfoProto| {
            let output = Declared::of(output);
            let number = self.flow.number(output.name)?;
            let fits = matches!(output.kind, None | Some(DataType::FLOAT)) && output.may_have_rank(rank);
            let made = reached[number] && self.flow.maker(output.name).is_some();
            let named_otherwise = rank != 2 && POOLED.contains(&output.name);
            (fits && made && !named_otherwise).then_some((output.shape.is_some(), depths[number]))
        };
        let ranked = self.proto.output.iter().filter_map(|output| Some((order(output)?, output)));
        // Of equals the first: the last of the reversed order.
        Ok(ranked.rev().max_by_key(|&(order, _)| order).map(|(_, output)| name_of(output)))
    }

    /// The output that holds one number per class: a matrix product behind the features makes it.
    pub fn head(&self, features: Option<&str>) -> Option<String> {
        let outputs = self.proto.output.iter().map(name_of).filter(|name| Some(*name) != features);
        let made_of = |name: &&str| {
            let (product, _) = self.product_before(name)?;
            let needed = self.needed_for(name)?;
            let source = self.flow.maker(features?);
            let behind = source.is_none_or(|node| needed[node]) && operator(product) != "Conv";
            behind.then(|| (*name).to_owned())
        };
        let named = outputs.clone().find(|name| LOGITS.contains(name)).map(str::to_owned);
        named.or_else(|| outputs.clone().find_map(|name| made_of(&name)))
    }

    /// Where the output of the model's own head is: the value that was asked for, else [`Self::head`].
    pub fn head_source(&self, asked: Option<&str>, features: Option<&str>) -> Result<FeatureSource, ModelError> {
        if let Some(asked) = asked {
            return self.asked(asked);
        }
        let head = self.head(features).ok_or_else(|| {
            ModelError::Unfit(
                "it has no head: tune it first (`zoologist tune`), or name the value of its logits in config.json as \
                 \"zoologist\": {\"logits\": \"…\"}"
                    .to_owned(),
            )
        })?;
        Ok(self.source(&head, format!("output `{}`, the model's head", escape(&head))))
    }

    fn asked(&self, value: &str) -> Result<FeatureSource, ModelError> {
        let shown = escape(value);
        if self.flow.maker(value).is_none() {
            return Err(ModelError::Unfit(format!("there is no value called `{shown}` in the graph")));
        }
        Ok(self.source(value, format!("value `{shown}`, as asked")))
    }

    /// The input of the last matrix product before an output, or the output itself.
    fn at_or_before(&self, output: &str) -> FeatureSource {
        match self.product_before(output) {
            Some((node, input)) => {
                let reason =
                    format!("input of the last matrix product ({}) before output `{}`", operator(node), escape(output));
                self.source(input, reason)
            }
            None => self.source(output, format!("output `{}`, the last hidden state", escape(output))),
        }
    }

    fn source(&self, value: &str, reason: String) -> FeatureSource {
        FeatureSource { value: value.to_owned(), reason, is_output: self.output_named(value) }
    }

    /// The matrix product that makes an output through nothing but operators that a classifier puts after it, and its
    /// data input.
    fn product_before<'a>(&'a self, output: &'a str) -> Option<(&'a NodeProto, &'a str)> {
        let mut value = output;
        // A path in a graph without loops is no longer than the number of nodes.
        for _ in 0..self.proto.node.len() {
            let node = &self.proto.node[self.flow.maker(value)?];
            let data: Vec<&str> = node
                .input
                .iter()
                .map(String::as_str)
                .filter(|name| !name.is_empty() && !self.flow.is_constant(name))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extract::onnx::sketch;

    const TWO_STATES: &str = "input ids int64 ? ?
        input mask int64 ? ?
        output echo int64 ? ?
        output hidden_0 float ? ? 6
        output hidden_1 float ? ? 6
        output other float ? ? 6
        output mean float ? 6
        echo = Identity(ids)
        hidden_0 = Gather(table[20 6], ids)
        dense = MatMul(hidden_0, w[6 6])
        hidden_1 = Relu(dense)
        real = Cast(mask) to=1
        other = Unsqueeze(real, #2)
        mean = ReduceMean(hidden_1) axes=1";

    fn states(text: &str, asked: Option<&str>) -> Result<FeatureSource, ModelError> {
        Graph::parse(&sketch::model(text)).unwrap().token_states(asked)
    }

    #[test]
    fn token_states_are_the_deepest_output_of_three_axes_that_the_ids_make() {
        let found = states(TWO_STATES, None).unwrap();
        assert_eq!((found.value.as_str(), found.is_output), ("hidden_1", true));
        assert_eq!(found.reason, "output `hidden_1`, the token states");
    }

    #[test]
    fn a_usual_name_or_the_users_wish_comes_first() {
        let named = TWO_STATES.replace("other", "token_embeddings");
        assert_eq!(states(&named, None).unwrap().value, "token_embeddings");
        assert_eq!(states(&named, Some("hidden_0")).unwrap().value, "hidden_0");
        assert!(states(&named, Some("gone")).unwrap_err().to_string().contains("no value called `gone`"));
    }

    #[test]
    fn a_stated_rank_comes_before_an_unknown_one() {
        let unknown = TWO_STATES.replace("output hidden_1 float ? ? 6", "output hidden_1");
        assert_eq!(states(&unknown, None).unwrap().value, "hidden_0");
        let unknown = unknown.replace("output hidden_0 float ? ? 6", "output hidden_0");
        let unknown = unknown.replace("output other float ? ? 6", "");
        assert_eq!(states(&unknown, None).unwrap().value, "hidden_1");
    }

    #[test]
    fn without_token_states_a_pooled_output_or_the_input_of_the_logits_is_taken() {
        let pooled = TWO_STATES.replace("float ? ? 6", "int64 ? ? 6");
        assert_eq!(states(&pooled, None).unwrap().value, "mean");
        let named = pooled.replace("mean", "pooler_output");
        assert_eq!(states(&named, None).unwrap().reason, "output `pooler_output`, pooled by the model");
        let both = named + "\n output sentence_embedding float ? 6\n sentence_embedding = Relu(pooler_output)";
        assert_eq!(states(&both, None).unwrap().value, "sentence_embedding");
        let classes = pooled + "\n output logits float ? 3\n logits = Gemm(mean, head[6 3])";
        let found = states(&classes, None).unwrap();
        assert_eq!((found.value.as_str(), found.is_output), ("mean", true));
    }

    #[test]
    fn the_states_before_a_language_models_head_are_preferred_to_its_logits() {
        let text = "input ids int64 ? ?\n output logits float ? ? 20\n e = Gather(table[20 6], ids)
             x = Relu(e)\n logits = MatMul(x, head[6 20])";
        assert_eq!(states(text, None).unwrap().value, "x");
    }

    #[test]
    fn a_graph_whose_outputs_do_not_depend_on_the_ids_is_refused() {
        let text = "input ids int64 ? ?\n output y float ? 6\n e = Identity(ids)\n y = Relu(w[2 6])";
        assert!(states(text, None).unwrap_err().to_string().contains("depend on the tokens"));
    }
}
