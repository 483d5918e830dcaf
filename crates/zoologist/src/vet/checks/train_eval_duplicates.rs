//! `train-eval-duplicates`: samples that training and evaluation share.

use super::super::{Check, Copies, Evidence, Finding, Severity, Stage, Verdict};
use super::{duplicates, percent};

pub const CHECK: Check = Check {
    id: "train-eval-duplicates",
    stage: Stage::Data,
    finds: "evaluation samples that occur in training too",
    how: "equal contents; pictures of a perceptual hash within 4 of 64 bits whose 8 x 8 grey values agree to 3%; above 1% of the evaluation samples",
    judge,
};

const MOST: f64 = 0.01;

fn judge(evidence: &Evidence) -> Verdict {
    let found = duplicates(evidence)?;
    let count = found.exact.count + found.near.count;
    let all = found.splits.evaluation.map_or(found.samples, |_| found.compared_evaluation).max(1);
    let share = count as f64 / all as f64;
    if count == 0 {
        return Ok(vec![]);
    }
    let fix = "keep copies in one split: group them, or drop them from training";
    let seen = examples(&found.exact).chain(examples(&found.near)).collect::<Vec<_>>();
    let message = match found.splits.evaluation {
        Some(_) => format!(
            "{count} of {all} evaluation samples ({}) also occur in training: {} equal, {} alike.",
            percent(share),
            found.exact.count,
            found.near.count
        ),
        None => format!(
            "{count} of {all} samples ({}) have a copy: {} equal, {} alike. A random split would put some on both sides.",
            percent(share),
            found.exact.count,
            found.near.count
        ),
    };
    let severity = match (found.splits.evaluation, share > MOST) {
        (Some(_), true) => Severity::High,
        (None, true) => Severity::Medium,
        (Some(_), false) => Severity::Low,
        (None, false) => Severity::Info,
    };
    Finding::new(CHECK.id, severity, message, fix).measured(share, MOST).seen(seen).into()
}

fn examples(copies: &Copies) -> impl Iterator<Item = String> {
    copies.examples.iter().take(5).cloned()
}
