//! Pooling within the graph, so that one short vector per value leaves the runtime and not a whole tensor.
//!
//! Token states of shape [batch, length, dim] are multiplied from the left by one extra input of weights
//! [batch, 1, length]. Whoever feeds it says how tokens are pooled: mask / count is the mean over the real tokens, a one
//! at the first or last real token takes that one. `MatMul` means the same in every version of ONNX, as does
//! `GlobalAveragePool`, which pools maps of shape [batch, channels, height, width].

use std::collections::HashSet;

use super::graph::Graph;
use super::wire::{Added, AddedNode};

/// How one value of the graph is pooled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PooledAs {
    /// Float32 states [batch, length, dim], by the weights: the result is [batch, 1, dim].
    Tokens,
    /// A map [batch, channels, height, width], by the mean: the result is [batch, channels, 1, 1].
    Map,
    /// The square of such a map, by the mean.
    SquaredMap,
    /// The sign of such a map, -1, 0 or 1, by the mean.
    SignOfMap,
    /// Not at all.
    Whole,
}

/// What must be appended to a graph to pool some of its values, and what comes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PooledOutputs {
    /// What to append.
    pub added: Added,
    /// The extra input for the weights [batch, 1, length]; `None` where no value holds tokens.
    pub weights: Option<String>,
    /// The output that holds each value's result, in the order of the values.
    pub outputs: Vec<String>,
}

impl Graph {
    /// The plan to pool these values of the graph. Names that it adds are none of the graph's.
    pub fn pooled(&self, values: &[(&str, PooledAs)]) -> PooledOutputs {
        let taken = self.names();
        let weights = fresh(&taken, "zoologist_pooling");
        let (mut nodes, mut outputs) = (vec![], vec![]);
        for (place, &(value, how)) in values.iter().enumerate() {
            let (operator, inputs) = match how {
                PooledAs::Tokens => ("MatMul", vec![weights.clone(), value.to_owned()]),
                PooledAs::Map => ("GlobalAveragePool", vec![value.to_owned()]),
                PooledAs::SquaredMap | PooledAs::SignOfMap => {
                    let made = fresh(&taken, &format!("zoologist_made_{place}"));
                    let (operator, times) = if how == PooledAs::SignOfMap { ("Sign", 1) } else { ("Mul", 2) };
                    nodes.push(AddedNode::plain(operator, vec![value.to_owned(); times], made.clone()));
                    ("GlobalAveragePool", vec![made])
                }
                PooledAs::Whole => {
                    outputs.push(value.to_owned());
                    continue;
                }
            };
            let output = fresh(&taken, &format!("zoologist_pooled_{place}"));
            outputs.push(output.clone());
            nodes.push(AddedNode::plain(operator, inputs, output));
        }
        let weights = values.iter().any(|&(_, how)| how == PooledAs::Tokens).then_some(weights);
        let mut new: Vec<&String> = outputs.iter().filter(|name| !self.output_named(name)).collect();
        new.sort_unstable();
        new.dedup();
        let added = Added {
            nodes,
            float_inputs: weights.iter().cloned().collect(),
            outputs: new.into_iter().cloned().collect(),
            ..Added::default()
        };
        PooledOutputs { added, weights, outputs }
    }
}

/// The name, made longer until the graph has none like it.
pub(super) fn fresh(taken: &HashSet<&str>, name: &str) -> String {
    let mut name = name.to_owned();
    while taken.contains(name.as_str()) {
        name.push('_');
    }
    name
}

#[cfg(test)]
mod tests {
    use rten::{Model, Value, ValueOrView};
    use rten_tensor::prelude::*;
    use rten_tensor::{NdTensor, Tensor};

    use super::*;
    use crate::extract::onnx::{ModelBytes, sketch};

    fn run(model: &ModelBytes, inputs: Vec<(&str, Value)>, outputs: &[&str]) -> Vec<Tensor<f32>> {
        let model = Model::load(model.model.clone()).unwrap();
        let inputs = inputs.into_iter().map(|(name, value)| (model.node_id(name).unwrap(), ValueOrView::Value(value)));
        let outputs: Vec<_> = outputs.iter().map(|name| model.node_id(name).unwrap()).collect();
        let found = model.run(inputs.collect(), &outputs, None).unwrap();
        found.into_iter().map(|value| value.try_into().unwrap()).collect()
    }

    fn bytes(text: &str) -> ModelBytes {
        ModelBytes { model: sketch::model(text), external: std::collections::BTreeMap::new() }
    }

    fn assert_near(found: &[f32], expected: &[f32]) {
        assert_eq!(found.len(), expected.len());
        let near = |(a, b): (&f32, &f32)| (a - b).abs() < 1e-5;
        assert!(found.iter().zip(expected).all(near), "{found:?} {expected:?}");
    }

    #[test]
    fn tokens_are_pooled_by_the_weights_and_the_final_output_stays() {
        let original = bytes(&sketch::encoder(2));
        let layers = ["norm_0", "norm_1_ffn", "norm_2_ffn"];
        let plan = Graph::parse(&original.model).unwrap().pooled(&layers.map(|layer| (layer, PooledAs::Tokens)));
        let edited = original.with_added(&plan.added).unwrap();
        let inputs = || {
            let ids = NdTensor::from([[3, 7, 11, 0], [5, 2, 0, 0]]);
            let mask = NdTensor::from([[1, 1, 1, 0], [1, 1, 0, 0]]);
            vec![("ids", Value::from(ids)), ("mask", Value::from(mask))]
        };
        // The mean of three tokens; the second token alone.
        let third = 1.0 / 3.0;
        let weights = NdTensor::from([[[third, third, third, 0.0]], [[0.0, 1.0, 0.0, 0.0]]]);
        let mut with_weights = inputs();
        with_weights.push((plan.weights.as_deref().unwrap(), Value::from(weights)));
        let mut wanted: Vec<&str> = plan.outputs.iter().map(String::as_str).collect();
        wanted.push(layers[2]);

        let shown = original.with_outputs(&layers[..2]).unwrap();
        let states = run(&shown, inputs(), &layers);
        let found = run(&edited, with_weights, &wanted);
        assert_eq!(found[3], states[2]);
        for (pooled, states) in found.iter().zip(&states) {
            assert_eq!((pooled.shape(), states.shape()), (&[2, 1, 6][..], &[2, 4, 6][..]));
            let states = states.to_vec();
            let mean = (0..6).map(|dim| (0..3).map(|token| states[token * 6 + dim]).sum::<f32>() / 3.0);
            let expected: Vec<f32> = mean.chain(states[30..36].iter().copied()).collect();
            assert_near(&pooled.to_vec(), &expected);
        }
    }

    #[test]
    fn maps_are_pooled_by_the_mean_and_whole_values_are_shown() {
        let original = bytes(
            "input x float 1 3 4 4\n output y float 1 2\n maps = Conv(x, k[5 3 3 3]) strides=1,1 dilations=1,1 pads=0,0,0,0\n on = Relu(maps)
             mean = GlobalAveragePool(on)\n flat = Flatten(mean)\n y = Gemm(flat, head[5 2])",
        );
        let values =
            [("on", PooledAs::Map), ("flat", PooledAs::Whole), ("y", PooledAs::Whole), ("flat", PooledAs::Whole)];
        let plan = Graph::parse(&original.model).unwrap().pooled(&values);
        assert_eq!((plan.weights.as_deref(), &plan.outputs[1..]), (None, &["flat", "y", "flat"].map(String::from)[..]));
        assert_eq!(plan.added.outputs, ["flat", plan.outputs[0].as_str()]);
        let edited = original.with_added(&plan.added).unwrap();
        let numbers: Vec<f32> = (0..48).map(|number| number as f32 / 48.0).collect();
        let picture = || vec![("x", Value::from(NdTensor::from_data([1, 3, 4, 4], numbers.clone())))];
        let found = run(&edited, picture(), &[&plan.outputs[0], "flat", "y"]);
        assert_eq!(found[0].shape(), [1, 5, 1, 1]);
        assert_near(&found[0].to_vec(), &found[1].to_vec());
        assert_eq!(found[2], run(&original, picture(), &["y"])[0]);
    }

    #[test]
    fn names_that_are_added_are_none_of_the_graphs() {
        let text = "input zoologist_pooling float ? ? 6\n output zoologist_pooled_0_ float ? ? 6
             zoologist_pooled_0 = Relu(zoologist_pooling)\n zoologist_pooled_0_ = Relu(zoologist_pooled_0)";
        let plan = Graph::parse(&sketch::model(text)).unwrap().pooled(&[("zoologist_pooled_0", PooledAs::Tokens)]);
        assert_eq!(plan.weights.as_deref(), Some("zoologist_pooling_"));
        assert_eq!(plan.outputs, ["zoologist_pooled_0__"]);
    }
}
