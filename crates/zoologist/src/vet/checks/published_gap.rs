//! `published-gap`: a figure of the card that the user's data does not give.

use super::super::{Check, Confidence, Evidence, Finding, Severity, Stage, Verdict};
use super::label_permutation::{Answers, answers};
use super::{not_applicable, papers, percent};
use crate::zoo::Published;

pub const CHECK: Check = Check {
    id: "published-gap",
    stage: Stage::Labels,
    finds: "a published accuracy that is not reached here",
    how: "the head's own accuracy on data with its classes: below the card's by 3 binomial standard errors and 2 points",
    judge,
};

const ERRORS: f64 = 3.0;
const POINTS: f64 = 0.02;

/// Whether a metric of a card is the accuracy of the first answer.
fn is_accuracy(metric: &str) -> bool {
    ["accuracy", "acc", "top1", "top-1", "top_1", "top1_accuracy", "acc@1", "top-1 accuracy"].contains(&metric)
}

fn judge(evidence: &Evidence) -> Verdict {
    let accuracy = |published: &&Published| is_accuracy(&published.metric) && (0.0..=1.0).contains(&published.value);
    let Some(published) = papers(evidence)?.published.iter().find(accuracy) else {
        return not_applicable("the card publishes no accuracy");
    };
    let Answers { pairs, .. } = answers(evidence)?;
    let n = pairs.len() as f64;
    let here = pairs.iter().filter(|(label, answer)| label == answer).count() as f64 / n.max(1.0);
    let error =
        (published.value * (1.0 - published.value) / n.max(1.0)).sqrt().max((here * (1.0 - here) / n.max(1.0)).sqrt());
    let gap = published.value - here;
    if gap <= ERRORS * error || gap <= POINTS {
        return Ok(vec![]);
    }
    let message = format!(
        "the card says {} on {}, here it is {} on {} samples (standard error {}).",
        percent(published.value),
        crate::base::path_text::escape(&published.dataset),
        percent(here),
        pairs.len(),
        percent(error)
    );
    let fix = "compare crop, resize and variant with the publication: resize-sensitivity and preprocessing-mismatch list \
               what was tried; your data may be harder";
    Finding::new(CHECK.id, Severity::Medium, message, fix).sure(Confidence::Medium).measured(gap, ERRORS * error).into()
}
