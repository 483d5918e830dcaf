//! `pooling-mismatch`: token states that are pooled otherwise than the model was trained.

use super::super::{Check, Confidence, Evidence, Finding, ProbedPooling, Severity, Stage, Verdict};
use super::{not_applicable, not_run, papers, points, sample, takes};
use crate::zoo::{ModelInput, TokenPooling};

pub const CHECK: Check = Check {
    id: "pooling-mismatch",
    stage: Stage::Labels,
    finds: "a pooling of token states that another one beats",
    how: "probes on cls, mean and last pooling: another better by two standard errors; a dense layer that is declared and not run",
    judge,
};

const ERRORS: f64 = 2.0;

/// The pooling of the best probe.
pub fn proposed_pooling(evidence: &Evidence) -> Option<TokenPooling> {
    let value = |found: &&ProbedPooling| found.probe.value().unwrap_or(f64::NEG_INFINITY);
    let poolings = &evidence.sample.as_ref()?.poolings;
    poolings.iter().max_by(|a, b| value(a).total_cmp(&value(b))).map(|best| best.pooling)
}

fn judge(evidence: &Evidence) -> Verdict {
    takes(evidence, "texts")?;
    // What the graph pools may go through the dense layer too.
    let pools_itself = evidence.anatomy.as_ref().is_some_and(|anatomy| anatomy.pools_itself);
    let dense = (papers(evidence)?.has_dense && !pools_itself).then(dense);
    match (compared(evidence), dense) {
        (Ok(findings), dense) => Ok(findings.into_iter().chain(dense).collect()),
        (Err(_), Some(dense)) => dense.into(),
        (unmade, None) => unmade,
    }
}

/// What is declared is not what runs.
fn dense() -> Finding {
    let message =
        "modules.json puts a dense layer behind the pooling; it is not run here: features are those before it.";
    let fix =
        "for ranking that is meant, a dense layer is part of the old task; to serve as published, run all modules";
    Finding::new(CHECK.id, Severity::High, message, fix)
}

fn compared(evidence: &Evidence) -> Verdict {
    let sample = sample(evidence)?;
    let Some(ModelInput::Texts(settings)) = evidence.model.as_ref().map(|model| &model.input) else {
        return not_run("the model can't be read");
    };
    if sample.poolings.is_empty() {
        return not_run("it needs labels, and token states that are pooled here");
    }
    let Some(declared) = sample.poolings.iter().find(|found| found.pooling == settings.pooling) else {
        return not_applicable(format!("{} pooling is declared, and is not compared", settings.pooling.word()));
    };
    let value = |found: &&ProbedPooling| found.probe.value().unwrap_or(f64::NEG_INFINITY);
    let Some(best) = sample.poolings.iter().max_by(|a, b| value(a).total_cmp(&value(b))) else { return Ok(vec![]) };
    let Some((difference, error)) = best.probe.above(&declared.probe) else {
        return not_run("the probes can't be compared");
    };
    if best.pooling == declared.pooling || difference <= ERRORS * error {
        return Ok(vec![]);
    }
    let (own, other) = (declared.pooling.word(), best.pooling.word());
    let message = format!(
        "declared is {own} pooling, best is {other}: probe {:.3} against {:.3} ({} ± {:.1}).",
        value(&best),
        value(&declared),
        points(difference),
        100.0 * error
    );
    let fix =
        format!("try --pooling {other}; compare 1_Pooling/config.json with the publication; are dense layers missing?");
    let seen = sample.poolings.iter().map(|found| format!("{}: {:.3}", found.pooling.word(), value(&found)));
    let finding = Finding::new(CHECK.id, Severity::Medium, message, fix).sure(Confidence::Medium);
    finding.measured(difference, ERRORS * error).seen(seen).into()
}
