//! Networks for pictures that are built in: their layers have known names, and come pooled.

use super::{Network, OPEN_EDGE};
use crate::extract::onnx::{ModelError, Pooling};
use crate::extract::order::{Description, Disturbance, LayerDescription, LayerSet, NetworkPlan};
use crate::extract::preprocess;
use crate::extract::runtime::{NetworkBytes, Runtime};
use crate::extract::text::{disturb_native, read_native};
use crate::zoo::preprocessing::{Layout, Preprocessing, Size};

/// The input of such a network.
const INPUT: &str = "input";
/// The output of its classifier.
const LOGITS: &str = "logits";

/// Loads a network for several threads and says what it is.
pub fn load(
    plan: &NetworkPlan,
    preprocessing: &Preprocessing,
    disturbed: Option<Disturbance>,
    runtime: &dyn Runtime,
    threads: usize,
) -> Result<(Description, Vec<Network>), ModelError> {
    if preprocessing.layout != Layout::Nchw {
        return Err(ModelError::Unfit("networks that are built in take NCHW pictures: mend the preprocessing".into()));
    }
    let mut bytes = read_native(plan)?;
    if let Some(disturbance) = disturbed {
        disturb_native(&mut bytes.weights, disturbance)?;
    }
    let edge = OPEN_EDGE as u32;
    let size = preprocess::input_size(preprocessing).unwrap_or(Size { height: edge, width: edge });
    let head = plan.layers == LayerSet::Head;
    let facts = runtime.pictures(&bytes, [size.height as usize, size.width as usize])?;
    let count = facts.iter().filter(|layer| layer.name != LOGITS).count();
    let first = if plan.layers == LayerSet::All { 0 } else { count.saturating_sub(1) };
    let wanted = |layer: &LayerDescription| (layer.name == LOGITS) == head;
    let layers: Vec<LayerDescription> = facts.into_iter().skip(first).filter(wanted).collect();
    if layers.is_empty() {
        return Err(ModelError::Unfit("it has no head: tune it first (`zoologist tune`)".to_owned()));
    }
    let names: Vec<&str> = layers.iter().map(|layer| layer.name.as_str()).collect();
    let sessions = runtime.load(&NetworkBytes::Native(bytes), &[INPUT], &names, threads)?;
    let poolings = vec![Pooling::None; layers.len()];
    let network = |session| Network {
        session,
        preprocessing: preprocessing.clone(),
        shape: [None, Some(3), None, None],
        poolings: poolings.clone(),
    };
    let description = Description {
        dim: layers.iter().map(|layer| layer.dim).sum(),
        features_from: if head { "its classifier" } else { "the features before the classifier" }.to_owned(),
        runtime: Some(runtime.name()),
        multiply_adds: layers.last().and_then(|layer| layer.multiply_adds),
        layers,
    };
    Ok((description, sessions.into_iter().map(network).collect()))
}
