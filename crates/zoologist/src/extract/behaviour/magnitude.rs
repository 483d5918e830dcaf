//! The largest number of every value of a graph, found within the graph: `ReduceMax(Abs(value))` is added for each.

use super::Largest;
use crate::base::path_text::escape;
use crate::extract::onnx::{Added, AddedNode, Graph, ModelBytes, ModelError};
use crate::extract::runtime::{Input, NetworkBytes, Runtime, Tensor};

/// What a graph is fed with, once per run.
pub type Feed<'a> = &'a dyn Fn(usize) -> Vec<Input<'a>>;

/// The largest number on the way to anything, over some runs.
pub fn largest(
    bytes: &ModelBytes,
    graph: &Graph,
    inputs: &[&str],
    runs: usize,
    feed: Feed,
    runtime: &dyn Runtime,
) -> Result<Option<Largest>, ModelError> {
    let values = graph.computed_floats();
    let (mut nodes, mut outputs) = (vec![], vec![]);
    for (place, value) in values.iter().enumerate() {
        let (positive, most) = (format!("zoologist_abs_{place}"), format!("zoologist_most_{place}"));
        nodes.push(AddedNode::plain("Abs", vec![value.clone()], positive.clone()));
        nodes.push(AddedNode::plain("ReduceMax", vec![positive], most.clone()));
        outputs.push(most);
    }
    let added = Added { nodes, outputs: outputs.clone(), ..Added::default() };
    let network = NetworkBytes::Onnx(bytes.with_added(&added)?);
    let names: Vec<&str> = outputs.iter().map(String::as_str).collect();
    let mut sessions = runtime.load(&network, inputs, &names, 1)?;
    let session = sessions.first_mut().ok_or_else(|| ModelError::Unfit("no thread to run on".to_owned()))?;
    let mut found: Option<(usize, f32)> = None;
    for run in 0..runs {
        for (place, most) in session.run(&feed(run))?.iter().map(magnitude).enumerate() {
            // Infinity is what masks are made of; features that are not finite are found elsewhere.
            if most.is_finite() && found.is_none_or(|(_, before)| most > before) {
                found = Some((place, most));
            }
        }
    }
    Ok(found.map(|(place, most)| Largest { value: escape(&values[place]), magnitude: f64::from(most) }))
}

fn magnitude(tensor: &Tensor) -> f32 {
    tensor.values.iter().copied().fold(0.0, f32::max)
}
