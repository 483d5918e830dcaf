//! `dead-features`: single features that never change.

use super::super::measure::columns;
use super::super::{Check, Evidence, Finding, Severity, Stage, Verdict};
use super::{not_run, percent, sample};

pub const CHECK: Check = Check {
    id: "dead-features",
    stage: Stage::Data,
    finds: "features that never change on this data",
    how: "the share of features of deviation below 1e-6: above 10% low, 30% medium, 80% high",
    judge,
};

const STILL: f64 = 1e-6;
const STEPS: [(f64, Severity); 3] = [(0.8, Severity::High), (0.3, Severity::Medium), (0.1, Severity::Low)];

fn judge(evidence: &Evidence) -> Verdict {
    let sample = sample(evidence)?;
    if sample.features.rows() < 10 {
        return not_run("it needs ten samples");
    }
    let found = columns(&sample.features);
    let dead = found.deviation.iter().filter(|deviation| **deviation < STILL).count();
    let dim = sample.features.dim();
    let share = dead as f64 / dim as f64;
    let step = STEPS.iter().find(|(least, severity)| share > *least || *severity != Severity::Low && share >= *least);
    let Some((least, severity)) = step else { return Ok(vec![]) };
    let message = format!("{dead} of {dim} features ({}) never change on your data.", percent(share));
    let fix = "leave them out (scores do); check the export and whether the model was pruned";
    Finding::new(CHECK.id, *severity, message, fix).measured(share, *least).into()
}
