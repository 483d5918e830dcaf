//! `contradicting-labels`: one input, two labels.

use super::super::{Check, Evidence, Finding, Severity, Stage, Verdict};
use super::{duplicates, not_run};

pub const CHECK: Check = Check {
    id: "contradicting-labels",
    stage: Stage::Labels,
    finds: "identical inputs with different labels",
    how: "samples of equal content are grouped, and their labels compared",
    judge,
};

fn judge(evidence: &Evidence) -> Verdict {
    let found = duplicates(evidence)?;
    if evidence.sample.as_ref().is_some_and(|sample| sample.targets.is_none()) {
        return not_run("it needs labels");
    }
    if found.contradicting == 0 {
        return Ok(vec![]);
    }
    let first = found.contradictions.first().cloned().unwrap_or_default();
    let message = format!("{} groups of identical inputs have different labels, first: {first}.", found.contradicting);
    let fix = "look at them and label them again; no model can get them all right";
    let finding = Finding::new(CHECK.id, Severity::Medium, message, fix).measured(found.contradicting as f64, 0.0);
    finding.seen(found.contradictions.iter().take(10).cloned()).into()
}
