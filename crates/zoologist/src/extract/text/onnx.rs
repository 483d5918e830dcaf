//! Text encoders as ONNX graphs: their inputs, their layers, and pooling within the graph.

use super::encoder::{Layer, REFERENCE_LENGTH, Ready, Role};
use crate::base::path_text::escape;
use crate::extract::onnx::{CostPlan, Graph, LayerValue, ModelBytes, ModelError, PooledAs, TextInputs};
use crate::extract::order::{Alteration, LayerSet, NetworkPlan};
use crate::extract::runtime::{Input, NetworkBytes, Runtime, Tensor};
use crate::zoo::TokenPooling;

/// Reads the graph, finds its inputs and its layers, and appends nodes that pool them.
pub fn ready(
    plan: &NetworkPlan,
    pooling: TokenPooling,
    altered: Option<Alteration>,
    runtime: &dyn Runtime,
) -> Result<Ready, ModelError> {
    let external: Vec<_> = plan.external.iter().map(|path| path.0.clone()).collect();
    let mut bytes = ModelBytes::read(&plan.folder, &plan.weights, &external)?;
    if let Some(alteration) = altered {
        bytes.alter(alteration)?;
    }
    let graph = Graph::parse(&bytes.model)?;
    let found = graph.text_inputs()?;
    let mut inputs = roles(&found)?;
    let states = graph.token_states(plan.features.as_deref())?;
    let mut layers = match plan.layers {
        LayerSet::All => graph.layers(&found.ids.name, &states.value),
        LayerSet::Last | LayerSet::Signals => vec![],
    };
    let last = layers.pop().map_or_else(|| "last".to_owned(), |last| last.name);
    layers.push(LayerValue { value: states.value.clone(), name: last });

    let trial = Trial::run(&bytes, &graph, &inputs, &layers, runtime)?;
    let with_pooling = |layer: LayerValue| {
        let how = trial.pooled_as(&layer.value, pooling)?;
        Some((layer, how))
    };
    let layers: Vec<(LayerValue, PooledAs)> = layers.into_iter().filter_map(with_pooling).collect();
    if layers.last().is_none_or(|(layer, _)| layer.value != states.value) {
        let shape = trial.shape_of(&states.value).unwrap_or_default();
        return Err(ModelError::Unfit(format!(
            "features of shape {shape:?} are neither token states nor one vector per text"
        )));
    }
    let values: Vec<(&str, PooledAs)> = layers.iter().map(|(layer, how)| (layer.value.as_str(), *how)).collect();
    let edit = graph.pooled(&values);
    inputs.extend(edit.weights.map(|name| (name, Role::Shares)));
    let layer = |((layer, _), output): (&(LayerValue, PooledAs), String)| Layer {
        multiply_adds: trial.cost.as_ref().map(|cost| trial.until(cost, &graph, &layer.value)),
        name: layer.name.clone(),
        output,
    };
    Ok(Ready {
        network: NetworkBytes::Onnx(bytes.with_added(&edit.added)?),
        layers: layers.iter().zip(edit.outputs).map(layer).collect(),
        inputs,
        vocabulary: vocabulary(&graph, &found.ids.name),
        positions: None,
        features_from: states.reason,
        multiply_adds: trial.cost.as_ref().map(|cost| cost.multiply_adds(|value| trial.shape_of(value))),
    })
}

/// What each input is fed with. Lengths must be open.
pub fn roles(found: &TextInputs) -> Result<Vec<(String, Role)>, ModelError> {
    let all = [
        (Some(&found.ids), Role::Ids),
        (found.mask.as_ref(), Role::Mask),
        (found.types.as_ref(), Role::Types),
        (found.positions.as_ref(), Role::Positions),
    ];
    let mut roles = vec![];
    for (input, role) in all.into_iter().filter_map(|(input, role)| Some((input?, role))) {
        if let [Some(size), _] | [_, Some(size)] = input.shape {
            let name = escape(&input.name);
            return Err(ModelError::Unfit(format!(
                "input `{name}` has an axis of fixed length {size}: export the model with open batch and sequence axes"
            )));
        }
        roles.push((input.name.clone(), role));
    }
    Ok(roles)
}

/// Rows of the table that the ids pick from.
fn vocabulary(graph: &Graph, ids: &str) -> Option<usize> {
    graph.weight_dims(graph.table_of(ids)?)?.first().and_then(|&rows| usize::try_from(rows).ok())
}

/// The shapes of values, seen in one pass over [`REFERENCE_LENGTH`] tokens.
struct Trial {
    names: Vec<String>,
    found: Vec<Tensor>,
    /// `None` where the graph holds values that can't be shown.
    cost: Option<CostPlan>,
}

impl Trial {
    fn run(
        bytes: &ModelBytes,
        graph: &Graph,
        inputs: &[(String, Role)],
        layers: &[LayerValue],
        runtime: &dyn Runtime,
    ) -> Result<Self, ModelError> {
        let cost = CostPlan::of(graph);
        let layers = layers.iter().map(|layer| layer.value.as_str());
        let all: Vec<&str> = layers.clone().chain(cost.values()).collect();
        if let Ok((names, found)) = shown(bytes, graph, inputs, all, runtime) {
            return Ok(Self { names, found, cost: Some(cost) });
        }
        let (names, found) = shown(bytes, graph, inputs, layers.collect(), runtime)?;
        Ok(Self { names, found, cost: None })
    }

    fn shape_of(&self, value: &str) -> Option<Vec<usize>> {
        Some(self.found[self.names.iter().position(|name| name == value)?].shape.clone())
    }

    fn until(&self, cost: &CostPlan, graph: &Graph, value: &str) -> u64 {
        cost.multiply_adds_until(graph, value, |value| self.shape_of(value))
    }

    /// How a layer is pooled; `None` for what holds neither token states nor one vector.
    fn pooled_as(&self, value: &str, pooling: TokenPooling) -> Option<PooledAs> {
        match self.shape_of(value)?[..] {
            [1, REFERENCE_LENGTH, _] if pooling == TokenPooling::Max => Some(PooledAs::Whole),
            [1, REFERENCE_LENGTH, _] => Some(PooledAs::Tokens),
            [1, _] => Some(PooledAs::Whole),
            _ => None,
        }
    }
}

/// Runs the graph once and gives the values asked for.
fn shown(
    bytes: &ModelBytes,
    graph: &Graph,
    inputs: &[(String, Role)],
    mut values: Vec<&str>,
    runtime: &dyn Runtime,
) -> Result<(Vec<String>, Vec<Tensor>), ModelError> {
    values.sort_unstable();
    values.dedup();
    let hidden: Vec<&str> = values.iter().copied().filter(|name| !graph.output_named(name)).collect();
    let names: Vec<&str> = inputs.iter().map(|(name, _)| name.as_str()).collect();
    let network = NetworkBytes::Onnx(bytes.with_outputs(&hidden)?);
    let mut sessions = runtime.load(&network, &names, &values, 1)?;
    let session = sessions.first_mut().ok_or_else(|| ModelError::Unfit("no thread to run on".to_owned()))?;
    let (ones, zeros) = (vec![1; REFERENCE_LENGTH], vec![0; REFERENCE_LENGTH]);
    let places: Vec<i64> = (0_i64..).take(REFERENCE_LENGTH).collect();
    let input = |(_, role): &(String, Role)| {
        let values = match role {
            Role::Ids | Role::Mask | Role::Shares => &ones,
            Role::Types => &zeros,
            Role::Positions => &places,
        };
        Input::Integers { shape: [1, REFERENCE_LENGTH], values }
    };
    let fed: Vec<Input> = inputs.iter().map(input).collect();
    let found = session.run(&fed)?;
    Ok((values.into_iter().map(str::to_owned).collect(), found))
}
