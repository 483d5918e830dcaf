//! `runtime-disagreement`: the two runtimes against each other.

use super::super::{Check, Evidence, Finding, Severity, Stage, Verdict};
use super::{behaviour, not_applicable, not_run};
use crate::extract::behaviour::Measured;

pub const CHECK: Check = Check {
    id: "runtime-disagreement",
    stage: Stage::Behaviour,
    finds: "features that depend on the runtime",
    how: "the same samples on rten and on ONNX Runtime: least cosine below .999",
    judge,
};

const LEAST: f64 = 0.999;

fn judge(evidence: &Evidence) -> Verdict {
    let behaviour = behaviour(evidence)?;
    match &behaviour.other {
        None => not_run("there is no second runtime for this model"),
        Some((_, Measured::Impossible(reason))) => not_applicable(reason.clone()),
        Some((_, Measured::Failed(reason))) => not_run(format!("the other runtime can't run it: {reason}")),
        Some((_, Measured::Value(cosine))) if *cosine >= LEAST => Ok(vec![]),
        Some((name, Measured::Value(cosine))) => {
            let message = format!(
                "features of the same sample differ between the runtimes: least cosine with {name} {cosine:.4}."
            );
            let fix = "serve with the runtime that you measured with; look for an operator whose version or attribute is \
                       read in two ways";
            Finding::new(CHECK.id, Severity::Medium, message, fix).measured(*cosine, LEAST).into()
        }
    }
}
