//! `zero-tensors`: weight matrices that hold one number only, and norms that let nothing through.

use super::super::{Check, Evidence, Finding, Severity, Stage, Verdict};
use super::{anatomy, listed};

pub const CHECK: Check = Check {
    id: "zero-tensors",
    stage: Stage::Files,
    finds: "weight matrices that are constant, and norms whose factors are all 0",
    how: "every weight is compared with its first number",
    judge,
};

fn judge(evidence: &Evidence) -> Verdict {
    let numbers = &anatomy(evidence)?.numbers;
    let mut findings = vec![];
    for (names, what) in
        [(&numbers.constant, "weight matrices hold one number only"), (&numbers.dead_norms, "norms multiply by 0")]
    {
        if names.count > 0 {
            let message = format!("{} {what}: {}.", names.count, listed(names));
            let fix =
                "check the export and whether the model was pruned; features that never change are left out of scores";
            findings.push(Finding::new(CHECK.id, Severity::Medium, message, fix).measured(names.count as f64, 0.0));
        }
    }
    Ok(findings)
}
