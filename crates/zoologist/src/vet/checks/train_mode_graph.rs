//! `train-mode-graph`: a graph that was exported in training mode.

use super::super::{Check, Evidence, Finding, Severity, Stage, Verdict};
use super::{anatomy, not_applicable};
use crate::zoo::Form;

pub const CHECK: Check = Check {
    id: "train-mode-graph",
    stage: Stage::Files,
    finds: "batch norms that use the batch, dropout that drops, and random numbers on the way to the features",
    how: "attributes, outputs and constant inputs of the nodes; running the graph would not do, a runtime may drop them",
    judge,
};

fn judge(evidence: &Evidence) -> Verdict {
    let found = anatomy(evidence)?;
    if evidence.model.as_ref().is_some_and(|model| model.form != Form::Onnx) {
        return not_applicable("only an ONNX graph can be in training mode");
    }
    let nodes = &found.training;
    let Some(first) = nodes.first() else { return Ok(vec![]) };
    let more = if nodes.len() > 1 { format!(", and {} more", nodes.len() - 1) } else { String::new() };
    let effect = match (nodes.iter().any(|node| node.by_batch), nodes.iter().all(|node| node.by_batch)) {
        (true, true) => "features depend on the samples beside a sample",
        (false, _) => "features depend on chance",
        (true, false) => "features depend on chance and on the samples beside a sample",
    };
    let message = format!("node {} ({}) runs in training mode{more}: {effect}.", first.name, first.operator);
    let fix = "export in evaluation mode: model.eval() before torch.onnx.export, training=TrainingMode.EVAL. Where batch \
               norms are all there is, --write-fixed OUT clears their attribute";
    Finding::new(CHECK.id, Severity::High, message, fix).measured(nodes.len() as f64, 0.0).into()
}
