//! `non-finite-weights`: NaN, infinity, and numbers that no network needs.

use super::super::{Check, Evidence, Finding, Severity, Stage, Verdict};
use super::{anatomy, listed};

pub const CHECK: Check = Check {
    id: "non-finite-weights",
    stage: Stage::Files,
    finds: "weights that are NaN or infinite, or above 1e30",
    how: "every number of every weight is looked at",
    judge,
};

fn judge(evidence: &Evidence) -> Verdict {
    let numbers = &anatomy(evidence)?.numbers;
    let fix = "fetch the file again and compare its digest; if it is the same, the training diverged: take another checkpoint";
    let mut findings = vec![];
    if numbers.not_finite.count > 0 {
        let message = format!("{}: features would be NaN or infinite.", listed(&numbers.not_finite));
        let count = numbers.not_finite.count as f64;
        findings.push(Finding::new(CHECK.id, Severity::Fatal, message, fix).measured(count, 0.0));
    }
    if numbers.huge.count > 0 {
        let message = format!("weights are absurdly large: {}.", listed(&numbers.huge));
        findings.push(Finding::new(CHECK.id, Severity::Fatal, message, fix).measured(numbers.huge.count as f64, 0.0));
    }
    Ok(findings)
}
