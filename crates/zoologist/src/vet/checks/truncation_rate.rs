//! `truncation-rate`: texts that are cut without a word.

use super::super::{Check, Evidence, Finding, Severity, Stage, Verdict};
use super::{not_applicable, percent, texts};

pub const CHECK: Check = Check {
    id: "truncation-rate",
    stage: Stage::Data,
    finds: "texts that are longer than the model reads",
    how: "the share of texts of more tokens than the limit: above 5% low, 25% medium",
    judge,
};

const STEPS: [(f64, Severity); 2] = [(0.25, Severity::Medium), (0.05, Severity::Low)];

fn judge(evidence: &Evidence) -> Verdict {
    let texts = texts(evidence)?;
    let Some(limit) = texts.limit else {
        return not_applicable("the model states no longest text");
    };
    let share = texts.truncated as f64 / texts.texts.max(1) as f64;
    let Some((least, severity)) = STEPS.iter().find(|(least, _)| share > *least) else { return Ok(vec![]) };
    let message =
        format!("{} of the texts are cut at {limit} tokens (median loss {}).", percent(share), texts.median_lost);
    let fix =
        "raise the limit if the model has the positions, keep head and tail, or cut texts into pieces and pool these";
    Finding::new(CHECK.id, *severity, message, fix).measured(share, *least).into()
}
