//! `tensor-inventory`: the tensors of the file against those that the network needs.

use super::super::{Check, Evidence, Finding, Refusal, Severity, Stage, Verdict};
use super::{anatomy, listed};
use crate::extract::anatomy::Anatomy;
use crate::extract::onnx::Names;

pub const CHECK: Check = Check {
    id: "tensor-inventory",
    stage: Stage::Files,
    finds: "weights that are missing, unused or of a wrong shape",
    how: "names and shapes in the file against those that the graph or config.json needs; nothing is ever filled in",
    judge,
};

fn judge(evidence: &Evidence) -> Verdict {
    if let Some(Refusal::Tensors(reason)) = &evidence.refusal {
        // What the files show is told with more detail than the runtime's refusal.
        let seen = evidence.anatomy.as_ref().map(faults).filter(|faults| !faults.is_empty());
        let message = format!("the network can't be filled with these weights: {reason}");
        return Ok(seen.unwrap_or_else(|| vec![Finding::new(CHECK.id, Severity::Fatal, message, FIX)]));
    }
    let found = anatomy(evidence)?;
    let unused = (found.unused.count > 0).then(|| {
        let count = found.unused.count;
        let message = format!("{count} weights of the file are used by nothing: {}.", listed(&found.unused));
        let fix = "check that the export kept the part you want; else harmless";
        Finding::new(CHECK.id, Severity::Info, message, fix).measured(count as f64, 0.0)
    });
    Ok(faults(found).into_iter().chain(unused).collect())
}

/// Weights that are missing or don't fit.
fn faults(found: &Anatomy) -> Vec<Finding> {
    let fault = |names: &Names, message: &dyn Fn(String) -> String| {
        let finding = || Finding::new(CHECK.id, Severity::Fatal, message(listed(names)), FIX);
        (names.count > 0).then(|| finding().measured(names.count as f64, 0.0))
    };
    let all = found.missing.count;
    let missing = |first: String| {
        format!("{all} weights are missing (first: {first}); this model would run with made-up values there.")
    };
    let misfits = |first: String| format!("weights don't fit the network: {first}.");
    fault(&found.missing, &missing).into_iter().chain(fault(&found.misfits, &misfits)).collect()
}

const FIX: &str = "load the class that these weights belong to (head or backbone; does a prefix of the names differ?) and \
                   export again; take weights and config.json from one publication";
