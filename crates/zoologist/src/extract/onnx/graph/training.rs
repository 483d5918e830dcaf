//! Nodes that do what only training wants: batch statistics, dropout, random numbers.

use std::collections::HashMap;

use rten_onnx::onnx::{NodeProto, TensorProto};
use serde::{Deserialize, Serialize};

use super::{Graph, operator};
use crate::base::path_text::escape;

/// Operators that draw random numbers.
const RANDOM: [&str; 6] =
    ["RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Multinomial", "Bernoulli"];

/// A node that runs in training mode.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrainingNode {
    /// Its name, or that of the value it makes; control characters escaped.
    pub name: String,
    /// Its operator.
    pub operator: String,
    /// Whether its result depends on the other samples of a batch; else on chance.
    pub by_batch: bool,
}

impl Graph {
    /// The nodes that run in training mode on the way to a value.
    pub fn training_nodes(&self, value: &str) -> Vec<TrainingNode> {
        let needed = self.needed_for(value).unwrap_or_default();
        let constants: HashMap<&str, &TensorProto> = self.tensors().collect();
        let nodes = self.proto.node.iter().zip(needed).filter(|(_, needed)| *needed).map(|(node, _)| node);
        nodes.filter_map(|node| training(node, &constants)).collect()
    }
}

fn training(node: &NodeProto, constants: &HashMap<&str, &TensorProto>) -> Option<TrainingNode> {
    let outputs = node.output.iter().filter(|name| !name.is_empty()).count();
    let by_batch = operator(node) == "BatchNormalization" && (is_set(node, "training_mode") || outputs > 1);
    let drops = operator(node) == "Dropout" && drops(node, constants);
    let name = node.name.as_deref().filter(|name| !name.is_empty()).or(node.output.first().map(String::as_str));
    (by_batch || drops || RANDOM.contains(&operator(node))).then(|| TrainingNode {
        name: escape(name.unwrap_or_default()),
        operator: escape(operator(node)),
        by_batch,
    })
}

fn is_set(node: &NodeProto, attribute: &str) -> bool {
    node.attribute
        .iter()
        .any(|found| found.name.as_deref() == Some(attribute) && found.i.is_some_and(|value| value != 0))
}

/// Whether a dropout drops: its third input is true (opset 12 on), or its attribute says so (opset 6 and before), and its
/// ratio is not 0.
fn drops(node: &NodeProto, constants: &HashMap<&str, &TensorProto>) -> bool {
    let constant = |place: usize| node.input.get(place).and_then(|name| constants.get(name.as_str()));
    let is_true = |tensor: &&&TensorProto| {
        let raw = tensor.raw_data.as_ref().is_some_and(|bytes| bytes.borrow().iter().any(|&byte| byte != 0));
        raw || tensor.int32_data.iter().any(|&value| value != 0)
    };
    let never = constant(1).is_some_and(|ratio| {
        let zero = ratio.raw_data.as_ref().is_some_and(|bytes| bytes.borrow().iter().all(|&byte| byte == 0));
        zero || ratio.float_data.first() == Some(&0.0)
    });
    let trains = constant(2).as_ref().is_some_and(is_true);
    let old = node.attribute.iter().find(|found| found.name.as_deref() == Some("is_test"));
    !never && (trains || old.and_then(|found| found.i) == Some(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extract::onnx::sketch;

    fn nodes(text: &str) -> Vec<(String, bool)> {
        let graph = Graph::parse(&sketch::model(text)).unwrap();
        graph.training_nodes("y").into_iter().map(|node| (node.operator, node.by_batch)).collect()
    }

    #[test]
    fn batch_statistics_and_noise_on_the_way_to_the_features_are_found() {
        let norm = "BatchNormalization(x, s[3], b[3], m[3], v[3])";
        let begin = "input x float 1 3 4 4\n output y float 1 3 4 4\n";
        assert_eq!(nodes(&format!("{begin} y = {norm}")), []);
        assert_eq!(nodes(&format!("{begin} y = {norm} training_mode=1")), [("BatchNormalization".to_owned(), true)]);
        let noise = format!("{begin} n = RandomNormalLike(x)\n y = Add(x, n)");
        assert_eq!(nodes(&noise), [("RandomNormalLike".to_owned(), false)]);
        let aside = format!("{begin} n = RandomNormalLike(x)\n y = Relu(x)");
        assert_eq!(nodes(&aside), []);
    }
}
