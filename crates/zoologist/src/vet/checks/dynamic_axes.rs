//! `dynamic-axes`: a batch or a length that the export fixed.

use super::super::{Check, Evidence, Finding, Severity, Stage, Verdict};
use super::anatomy;
use crate::extract::behaviour::Measured;

pub const CHECK: Check = Check {
    id: "dynamic-axes",
    stage: Stage::Files,
    finds: "inputs whose batch or length is fixed",
    how: "the shapes that the graph states; where samples were run in batches, whether that worked",
    judge,
};

fn judge(evidence: &Evidence) -> Verdict {
    let found = anatomy(evidence)?;
    let mut fixed = found.fixed.clone();
    if let Some(Measured::Failed(reason)) = evidence.behaviour.as_ref().map(|behaviour| &behaviour.neighbours) {
        fixed.push(reason.clone());
    }
    if fixed.is_empty() {
        return Ok(vec![]);
    }
    let message = format!("{}: samples can't be put into batches of any size.", fixed.join("; "));
    let fix = "export again with dynamic axes; until then it runs, and runs slower in other tools";
    Finding::new(CHECK.id, Severity::Low, message, fix).into()
}
