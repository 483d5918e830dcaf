//! Encoders whose safetensors are read natively: their layers have known names.

use safetensors::{Dtype, SafeTensors};

use super::encoder::{Layer, REFERENCE_LENGTH, Ready, Role};
use crate::base::path_text::show;
use crate::data;
use crate::extract::onnx::{ModelError, disturb};
use crate::extract::order::{Disturbance, LayerSet, NetworkPlan};
use crate::extract::runtime::{NativeBytes, NetworkBytes, Runtime};
use crate::extract::{Dense, files};

/// Reads the files of an encoder and asks the runtime what it is.
pub fn ready(plan: &NetworkPlan, disturbed: Option<Disturbance>, runtime: &dyn Runtime) -> Result<Ready, ModelError> {
    let mut network = read(plan)?;
    let head = if plan.layers == LayerSet::Head { Some(head(plan, &network.weights)?) } else { None };
    if let Some(disturbance) = disturbed {
        disturb_weights(&mut network.weights, disturbance)?;
    }
    let facts = runtime.encoder(&network, REFERENCE_LENGTH)?;
    let last = facts.multiply_adds.len().saturating_sub(1);
    let first = if plan.layers == LayerSet::All { 0 } else { last };
    let layer = |number: usize| Layer {
        name: if number == 0 { "embeddings".to_owned() } else { format!("block {number}") },
        output: format!("hidden_{number}"),
        multiply_adds: facts.multiply_adds.get(number).copied(),
    };
    let inputs = [("input_ids", Role::Ids), ("attention_mask", Role::Mask), ("token_type_ids", Role::Types)];
    Ok(Ready {
        network: NetworkBytes::Native(network),
        inputs: inputs.map(|(name, role)| (name.to_owned(), role)).to_vec(),
        layers: (first..=last).map(layer).collect(),
        vocabulary: Some(facts.vocabulary),
        positions: Some(facts.positions),
        features_from: format!("hidden state {last} of {last}"),
        multiply_adds: facts.multiply_adds.last().copied(),
        head,
    })
}

/// The linear head on the pooled last hidden state that a tuned model holds. A head that somebody else left there may read
/// something else.
fn head(plan: &NetworkPlan, file: &[u8]) -> Result<Dense, ModelError> {
    let none =
        || ModelError::Unfit("it has no head on its pooled features: tune it first (`zoologist tune`)".to_owned());
    let name = plan.head.as_deref().ok_or_else(none)?;
    let tensors = SafeTensors::deserialize(file).map_err(|_| none())?;
    let numbers = |part: &str| {
        let tensor = tensors.tensor(&format!("{name}.{part}")).ok().filter(|tensor| tensor.dtype() == Dtype::F32)?;
        let values = tensor.data().as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes));
        Some((tensor.shape().to_vec(), values.collect::<Vec<f32>>()))
    };
    let ((shape, weight), (_, bias)) = numbers("weight").zip(numbers("bias")).ok_or_else(none)?;
    let &[out, into] = &shape[..] else { return Err(none()) };
    if bias.len() != out || weight.len() != out * into {
        return Err(none());
    }
    let turned = (0..into).flat_map(|column| weight.iter().skip(column).step_by(into).copied());
    Ok(Dense { into, out, weight: turned.collect(), bias })
}

/// The files of a network of our own.
pub fn read(plan: &NetworkPlan) -> Result<NativeBytes, ModelError> {
    let config = files::checked(&plan.folder, "config.json".as_ref())?;
    let weights = files::checked(&plan.folder, &plan.weights)?;
    let refuse = |path: &std::path::Path| {
        let path = path.to_owned();
        move |source| ModelError::Read { path, source }
    };
    let bytes = std::fs::read(&weights).map_err(refuse(&weights))?;
    let unfit = |error| ModelError::Unfit(format!("{} is no whole safetensors: {error}", show(&weights)));
    data::check_names(&bytes).map_err(unfit)?;
    Ok(NativeBytes { config: std::fs::read_to_string(&config).map_err(refuse(&config))?, weights: bytes })
}

/// Permutes or rounds the numbers of each tensor.
pub fn disturb_weights(file: &mut [u8], disturbance: Disturbance) -> Result<(), ModelError> {
    let damaged = |_| ModelError::Unfit("model.safetensors is damaged or cut off. Fetch it again".to_owned());
    let (header, metadata) = SafeTensors::read_metadata(file).map_err(damaged)?;
    let mut tensors: Vec<_> = metadata.tensors().into_iter().collect();
    tensors.sort_by(|a, b| a.0.cmp(&b.0));
    for (name, tensor) in tensors {
        let start = header + size_of::<u64>();
        let (from, to) = tensor.data_offsets;
        let width = tensor.dtype.bitsize() / 8;
        let floats = format!("{:?}", tensor.dtype).contains('F');
        if let Some(bytes) = file.get_mut(start + from..start + to).filter(|_| floats && width > 0) {
            disturb(bytes, width, disturbance, &name);
        }
    }
    Ok(())
}
