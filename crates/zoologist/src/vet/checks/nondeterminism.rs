//! `nondeterminism`: the same input, twice.

use super::super::{Check, Evidence, Finding, Severity, Stage, Verdict};
use super::{behaviour, value};

pub const CHECK: Check = Check {
    id: "nondeterminism",
    stage: Stage::Behaviour,
    finds: "features that change from run to run",
    how: "the same samples twice on one thread: relative change above 1e-6",
    judge,
};

const MOST: f64 = 1e-6;

fn judge(evidence: &Evidence) -> Verdict {
    let found = behaviour(evidence).and_then(|found| value(&found.repeated))?;
    if found <= MOST {
        return Ok(vec![]);
    }
    let message = format!("two runs of the same samples differ by {found:.1e} of the largest feature.");
    let fix = "export in evaluation mode; dropout and random operators have no place in features";
    Finding::new(CHECK.id, Severity::High, message, fix).measured(found, MOST).into()
}
