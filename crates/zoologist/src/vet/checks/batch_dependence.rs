//! `batch-dependence`: features of a sample that change with the samples beside it.

use super::super::{Check, Evidence, Finding, Severity, Stage, Verdict};
use super::{behaviour, value};
use crate::extract::behaviour::Measured;

pub const CHECK: Check = Check {
    id: "batch-dependence",
    stage: Stage::Behaviour,
    finds: "features that change with the samples beside a sample",
    how: "each of 8 samples alone, in pairs, in one batch, in the batch turned about, beside copies: relative change above 1e-3",
    judge,
};

const MOST: f64 = 1e-3;

fn judge(evidence: &Evidence) -> Verdict {
    let behaviour = match behaviour(evidence) {
        Ok(found) => found,
        Err(missing) => return missing,
    };
    let found = match value(&behaviour.neighbours) {
        Ok(found) => found,
        Err(other) => return other,
    };
    // What changes by itself says nothing about neighbours.
    let noise = if let Measured::Value(noise) = behaviour.repeated { noise } else { 0.0 };
    if found <= MOST.max(3.0 * noise) {
        return Verdict::Ok;
    }
    let message = format!("the features of one sample change by {found:.1e} with its neighbours in the batch.");
    let fix = "export again with running statistics (evaluation mode); until then a batch of 1 does not repair a norm in \
               training mode";
    Finding::new(CHECK.id, Severity::High, message, fix).measured(found, MOST).into()
}
