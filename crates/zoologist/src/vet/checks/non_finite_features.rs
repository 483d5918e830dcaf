//! `non-finite-features`: features that are NaN or infinite.

use super::super::{Check, Evidence, Finding, Severity, Stage, Verdict};
use super::{behaviour, not_applicable};

pub const CHECK: Check = Check {
    id: "non-finite-features",
    stage: Stage::Behaviour,
    finds: "features that are NaN or infinite",
    how: "the features of 8 samples, and of all that are looked at: more than 1% is fatal",
    judge,
};

/// The share of samples from which on it is fatal.
const FATAL: f64 = 0.01;

/// Of fewer samples more than half must be so.
const ENOUGH: usize = 50;

fn judge(evidence: &Evidence) -> Verdict {
    let behaviour = behaviour(evidence)?;
    let (bad, all) = (behaviour.not_finite.len(), behaviour.items.max(1));
    if behaviour.items == 0 && behaviour.not_finite.is_empty() {
        return not_applicable("a table of vectors: its numbers are looked at by non-finite-weights".to_owned());
    }
    let Some(first) = behaviour.not_finite.first() else { return Ok(vec![]) };
    let share = bad as f64 / all as f64;
    let message = format!("the features of {bad} of {all} samples are NaN or infinite, first: {first}.");
    let fix = "run in float32; look for a mask of nothing but padding, a division by 0 or the root of a negative number; \
               fetch the file again and compare its digest";
    // One of a few says little about the share.
    let fatal = if all < ENOUGH { share > 0.5 } else { share > FATAL };
    let severity = if fatal { Severity::Fatal } else { Severity::High };
    Finding::new(CHECK.id, severity, message, fix).measured(share, 0.0).into()
}
