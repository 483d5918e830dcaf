//! An ONNX model in memory: the graph, its features and layers, and the edits that are made to it.
#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use zoologist::base::Seed;
use zoologist::extract::onnx::{CostPlan, Graph, ModelBytes};

fuzz_target!(|bytes: &[u8]| {
    let mut model = ModelBytes { model: bytes.to_vec(), external: BTreeMap::from([("w".to_owned(), vec![7; 16])]) };
    let Ok(graph) = Graph::parse(&model.model) else { return };
    let features = graph.features(None).map(|found| found.value);
    for (input, value) in graph.picture_input().iter().zip(&features) {
        for layer in graph.layers(&input.name, value) {
            assert!(model.with_outputs(&[&layer.value]).is_ok());
        }
    }
    let _ = graph.text_inputs();
    let _ = graph.token_states(None);
    let shape = |_: &str| Some(vec![1, 3, usize::MAX / 2, 4]);
    CostPlan::of(&graph).multiply_adds(shape);
    let _ = model.permute_weights(Seed(1));
});
