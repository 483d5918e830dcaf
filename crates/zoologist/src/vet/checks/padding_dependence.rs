//! `padding-dependence`: features of a text that change when it is padded.

use super::super::{Check, Evidence, Finding, Severity, Stage, Verdict};
use super::{behaviour, unwanted_change};

pub const CHECK: Check = Check {
    id: "padding-dependence",
    stage: Stage::Behaviour,
    finds: "an attention mask that is ignored",
    how: "each of 8 texts alone and padded to 1.5 and 2 times its length, with two different tokens: relative change above 1e-3",
    judge,
};

const MOST: f64 = 1e-3;

fn judge(evidence: &Evidence) -> Verdict {
    let Some(found) = unwanted_change(evidence, &behaviour(evidence)?.padding, MOST)? else { return Ok(vec![]) };
    let message = format!("padding a text to twice its length moves its features by {found:.1e} of the largest one.");
    let fix = "pass and honour attention_mask: mask the attention, take the mean over real tokens only; else run texts of \
               equal length together";
    Finding::new(CHECK.id, Severity::High, message, fix).measured(found, MOST).into()
}
