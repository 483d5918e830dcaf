//! `external-data-path`: a graph that names weights outside the model's folder.

use super::super::{Check, Evidence, Finding, Refusal, Severity, Stage, Verdict};
use super::{listed, not_applicable, not_run};
use crate::zoo::Form;

pub const CHECK: Check = Check {
    id: "external-data-path",
    stage: Stage::Files,
    finds: "a graph that reads files outside its own folder",
    how: "each external location must be a relative path to a regular file of the model, links followed; no other is opened",
    judge,
};

fn judge(evidence: &Evidence) -> Verdict {
    if let Some(Refusal::External(reason)) = &evidence.refusal {
        let message = format!("{reason}. Nothing was opened.");
        let fix = "save the model again with its external data beside it; do not trust a source that names other paths";
        return Finding::new(CHECK.id, Severity::Fatal, message, fix).into();
    }
    match (&evidence.model, &evidence.anatomy) {
        (Some(model), _) if model.form != Form::Onnx => not_applicable("only ONNX graphs name other files".to_owned()),
        (Some(_), Some(anatomy)) if anatomy.beyond_end.count > 0 => {
            let message = format!(
                "weights are said to lie beyond the end of the file that holds them: {}.",
                listed(&anatomy.beyond_end)
            );
            let fix = "fetch graph and external data again, both from one publication";
            let count = anatomy.beyond_end.count as f64;
            Finding::new(CHECK.id, Severity::Fatal, message, fix).measured(count, 0.0).into()
        }
        (Some(_), Some(_)) => Ok(vec![]),
        _ => not_run("the model's files could not be read"),
    }
}
