//! The anatomy of an ONNX graph.

use std::collections::HashMap;

use super::scan::Scan;
use super::{Anatomy, Running};
use crate::extract::onnx::{Batchnorm, Content, Graph, ModelBytes, ModelError, Role};
use crate::extract::order::NetworkPlan;
use crate::zoo::ModelInput;

/// Looks at the graph and at every number of its weights.
pub fn anatomy(plan: &NetworkPlan) -> Result<Anatomy, ModelError> {
    let bytes = ModelBytes::of(plan)?;
    let graph = Graph::parse(&bytes.model)?;
    let mut anatomy = of_graph(&graph, plan);
    let roles = graph.roles();
    let mut scan = Scan::default();
    let stem = graph.stem();
    anatomy.smooth_stem = stem.as_ref().is_some_and(|stem| stem.smooth);
    let mut statistics: HashMap<String, Vec<f32>> = HashMap::new();
    bytes.each_weight(&graph, &mut |weight| match weight.content {
        Content::Floats(values) => {
            let role = roles.get(weight.name.as_str()).copied();
            scan.take(&weight.name, &weight.shape, role, &values);
            if stem.as_ref().is_some_and(|stem| stem.bias == weight.name) {
                anatomy.stem_bias.clone_from(&values);
            }
            if matches!(role, Some(Role::Mean | Role::Variance)) {
                statistics.insert(weight.name, values);
            }
        }
        Content::Other => {}
        Content::BeyondEnd => anatomy.beyond_end.push(&weight.name),
        Content::Misfit(found) => {
            anatomy.misfits.push(&format!("{} holds {found} numbers for the shape {:?}", weight.name, weight.shape));
        }
    });
    scan.batchnorms(&graph.batchnorms());
    // What is no number travels badly, and is told of by the scan.
    anatomy.stem_bias.retain(|value| value.is_finite());
    statistics.retain(|_, values| values.iter().all(|value| value.is_finite()));
    anatomy.running = running(&graph, &statistics);
    (anatomy.parameters, anatomy.numbers, anatomy.freshness) = scan.finish();
    Ok(anatomy)
}

/// The running statistics of the batch norms whose inputs are signals.
fn running(graph: &Graph, statistics: &HashMap<String, Vec<f32>>) -> Vec<Running> {
    let signals = graph.signals();
    let norms = graph.batchnorms().into_iter().filter(|norm| signals.iter().any(|map| map.value == norm.value));
    let of = |norm: Batchnorm| {
        let [_, _, mean, variance] = norm.weights;
        let variance = statistics.get(&variance)?.iter().map(|variance| variance + norm.epsilon).collect();
        Some(Running { value: norm.value, mean: statistics.get(&mean)?.clone(), variance })
    };
    norms.filter_map(of).collect()
}

fn of_graph(graph: &Graph, plan: &NetworkPlan) -> Anatomy {
    let origin = graph.origin();
    let opset = origin.opset.map_or(String::new(), |opset| format!(", opset {opset}"));
    let producer = if origin.producer.is_empty() { String::new() } else { format!(", written by {}", origin.producer) };
    let input = match &plan.input {
        ModelInput::Pictures(_) => graph.picture_input().ok().map(|input| input.name),
        ModelInput::Texts(_) => graph.text_inputs().ok().map(|inputs| inputs.ids.name),
    };
    let features = match &plan.input {
        ModelInput::Pictures(_) => graph.features(plan.features.as_deref()),
        ModelInput::Texts(_) => graph.token_states(plan.features.as_deref()),
    };
    let features = features.ok();
    let pools_itself = features.as_ref().is_some_and(|source| source.reason.ends_with("pooled by the model"));
    let features = features.map(|source| source.value);
    Anatomy {
        format: crate::base::path_text::escape(&format!("ONNX{opset}{producer}")),
        operators: graph.operators(),
        domains: origin.domains.iter().map(|domain| crate::base::path_text::escape(domain)).collect(),
        missing: graph.missing(),
        unused: graph.unused(),
        misfits: graph.misfits(),
        training: features.as_deref().map(|value| graph.training_nodes(value)).unwrap_or_default(),
        fixed: graph.fixed_axes(),
        pools_itself,
        scales_its_input: input.is_some_and(|input| graph.scales_its_input(&input)),
        head: graph.head(features.as_deref()),
        ..Anatomy::default()
    }
}
