//! Text encoders as ONNX graphs: their inputs, their layers, and pooling within the graph.

use super::encoder::{Layer, REFERENCE_LENGTH, Ready, Role};
use crate::base::path_text::escape;
use crate::extract::network::layers_to;
use crate::extract::onnx::{
    CostPlan, FeatureSource, Graph, LayerValue, ModelBytes, ModelError, Part, PooledAs, Pooling, TextInputs, VectorFrom,
};
use crate::extract::order::{Disturbance, LayerSet, NetworkPlan};
use crate::extract::runtime::{Input, NetworkBytes, Runtime, Tensor};
use crate::zoo::TokenPooling;

/// Reads the graph, finds its inputs and its layers, and appends nodes that pool them.
pub fn ready(
    plan: &NetworkPlan,
    pooling: TokenPooling,
    disturbed: Option<Disturbance>,
    runtime: &dyn Runtime,
) -> Result<Ready, ModelError> {
    let mut bytes = ModelBytes::of(plan)?;
    if let Some(disturbance) = disturbed {
        bytes.disturb(disturbance)?;
    }
    let graph = Graph::parse(&bytes.model)?;
    let Tried { found, mut inputs, source, layers, trial } = Tried::new(plan, &bytes, &graph, runtime)?;
    let pooled_as = |form: Form| match form {
        Form::Tokens(_) if pooling != TokenPooling::Max => PooledAs::Tokens,
        Form::Tokens(_) | Form::Vector(_) => PooledAs::Whole,
    };
    let values: Vec<(&str, PooledAs)> =
        layers.iter().map(|(layer, form)| (layer.value.as_str(), pooled_as(*form))).collect();
    let edit = graph.pooled(&values);
    inputs.extend(edit.weights.map(|name| (name, Role::Shares)));
    let layer = |((layer, _), output): (&(LayerValue, Form), String)| Layer {
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
        features_from: source.reason,
        multiply_adds: trial.cost.as_ref().map(|cost| cost.multiply_adds(|value| trial.shape_of(value))),
        head: None,
    })
}

/// The vectors that stand side by side as the features of a plan, from the first layer to the last, and the value of the
/// last: where in the graph a head takes them.
pub fn parts(
    plan: &NetworkPlan,
    pooling: TokenPooling,
    bytes: &ModelBytes,
    graph: &Graph,
    runtime: &dyn Runtime,
) -> Result<(String, Vec<Part>), ModelError> {
    let tried = Tried::new(plan, bytes, graph, runtime)?;
    let part = |(layer, form): (LayerValue, Form)| {
        let (vector, width, rank) = match form {
            Form::Tokens(width) => (VectorFrom::Tokens(pooling), width, 3),
            Form::Vector(width) => (VectorFrom::Tensor(Pooling::None), width, 2),
        };
        Part { value: layer.value, vector, width, rank }
    };
    Ok((tried.source.value, tried.layers.into_iter().map(part).collect()))
}

/// A graph that was looked into and run once.
struct Tried {
    found: TextInputs,
    inputs: Vec<(String, Role)>,
    /// Where the last of what is wanted is.
    source: FeatureSource,
    /// The layers up to it; earlier ones that are neither states nor vectors are left out.
    layers: Vec<(LayerValue, Form)>,
    trial: Trial,
}

/// What a layer gives of a text, with the width of a vector.
#[derive(Clone, Copy)]
enum Form {
    /// The states of its tokens.
    Tokens(usize),
    /// One vector.
    Vector(usize),
}

impl Tried {
    fn new(plan: &NetworkPlan, bytes: &ModelBytes, graph: &Graph, runtime: &dyn Runtime) -> Result<Self, ModelError> {
        let found = graph.text_inputs()?;
        let (inputs, source) = (roles(&found)?, source(plan, graph)?);
        let layers = layers_to(&source.value, plan.layers, graph, &found.ids.name);
        let trial = Trial::run(bytes, graph, &inputs, &layers, runtime)?;
        let with_form = |layer: LayerValue| {
            let form = trial.form_of(&layer.value)?;
            Some((layer, form))
        };
        let layers: Vec<(LayerValue, Form)> = layers.into_iter().filter_map(with_form).collect();
        let last = layers.last().filter(|(layer, _)| layer.value == source.value).map(|(_, form)| *form);
        let shape = trial.shape_of(&source.value).unwrap_or_default();
        match last {
            None => Err(ModelError::Unfit(format!(
                "features of shape {shape:?} are neither token states nor one vector per text"
            ))),
            Some(Form::Tokens(_)) if plan.layers == LayerSet::Head => {
                Err(ModelError::Unfit(format!("{}, of shape {shape:?}, is not one vector per text", source.reason)))
            }
            Some(_) => Ok(Self { found, inputs, source, layers, trial }),
        }
    }
}

/// Where in the graph the last of what is wanted is.
fn source(plan: &NetworkPlan, graph: &Graph) -> Result<FeatureSource, ModelError> {
    let states = graph.token_states(plan.features.as_deref());
    if plan.layers != LayerSet::Head {
        return states;
    }
    let states = states.ok().map(|source| source.value);
    graph.head_source(plan.head.as_deref(), states.as_deref())
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

    /// What a layer gives; `None` of what holds neither token states nor one vector.
    fn form_of(&self, value: &str) -> Option<Form> {
        match self.shape_of(value)?[..] {
            [1, REFERENCE_LENGTH, width] => Some(Form::Tokens(width)),
            [1, width] => Some(Form::Vector(width)),
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
