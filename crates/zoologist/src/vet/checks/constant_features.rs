//! `constant-features`: one output for all inputs.

use super::super::measure::columns;
use super::super::{Check, Evidence, Finding, Severity, Stage, Verdict};
use super::{not_run, sample};

pub const CHECK: Check = Check {
    id: "constant-features",
    stage: Stage::Data,
    finds: "the same features for every input",
    how: "the deviation of every feature below 1e-6 of its mean magnitude",
    judge,
};

pub(super) const STILL: f64 = 1e-6;

fn judge(evidence: &Evidence) -> Verdict {
    let sample = sample(evidence)?;
    if sample.features.rows() < 2 {
        return not_run("it needs two samples");
    }
    let found = columns(&sample.features);
    let varies = |(deviation, magnitude): (&f64, &f64)| *deviation > STILL * magnitude;
    if found.deviation.iter().zip(&found.magnitude).any(varies) {
        return Ok(vec![]);
    }
    let message = format!("all {} {} give the same features.", sample.features.rows(), sample.noun);
    let fix = "check the scale and type of the input first (preprocessing-mismatch), then the weights";
    Finding::new(CHECK.id, Severity::Fatal, message, fix).measured(0.0, STILL).into()
}
