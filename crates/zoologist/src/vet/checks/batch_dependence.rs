//! `batch-dependence`: features of a sample that change with the samples beside it.

use super::super::{Check, Evidence, Finding, Severity, Stage, Verdict};
use super::{behaviour, unwanted_change};

pub const CHECK: Check = Check {
    id: "batch-dependence",
    stage: Stage::Behaviour,
    finds: "features that change with the samples beside a sample",
    how: "each of 8 samples alone, in pairs, in one batch, in the batch turned about, beside copies: relative change above 1e-3",
    judge,
};

const MOST: f64 = 1e-3;

fn judge(evidence: &Evidence) -> Verdict {
    let Some(found) = unwanted_change(evidence, &behaviour(evidence)?.neighbours, MOST)? else { return Ok(vec![]) };
    let quantised =
        evidence.anatomy.as_ref().is_some_and(|found| found.operators.contains_key("DynamicQuantizeLinear"));
    if quantised {
        let message = format!(
            "the features of one sample change by {found:.1e} with its neighbours: the graph chooses its int8 scale by batch."
        );
        let fix = "expected of dynamic quantisation; quantise statically, or run samples one by one";
        return Finding::new(CHECK.id, Severity::Medium, message, fix).measured(found, MOST).into();
    }
    let message = format!("the features of one sample change by {found:.1e} with its neighbours in the batch.");
    let fix = "export again with running statistics (evaluation mode); until then a batch of 1 does not repair a norm in \
               training mode";
    Finding::new(CHECK.id, Severity::High, message, fix).measured(found, MOST).into()
}
