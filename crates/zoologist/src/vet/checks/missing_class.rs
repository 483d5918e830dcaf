//! `missing-class`: a class that one split has and another lacks.

use super::super::{Check, Evidence, Finding, Severity, Stage, Verdict};
use super::{duplicates, not_applicable};

pub const CHECK: Check = Check {
    id: "missing-class",
    stage: Stage::Labels,
    finds: "classes that a split lacks",
    how: "the classes of each split are compared",
    judge,
};

fn judge(evidence: &Evidence) -> Verdict {
    let found = duplicates(evidence)?;
    if found.splits.evaluation.is_none() {
        return not_applicable("the data set has no splits");
    }
    if found.splits.missing.is_empty() {
        return Ok(vec![]);
    }
    let all = &found.splits.missing;
    let message = format!("{}.", all.iter().take(5).cloned().collect::<Vec<_>>().join("; "));
    let fix = "split again, stratified by class; a class that is not trained can't be predicted, one that is not evaluated \
               is not judged";
    Finding::new(CHECK.id, Severity::Medium, message, fix).measured(all.len() as f64, 0.0).into()
}
