//! `label-leak`: labels that the length of a text or the size of a file gives away.

use super::super::{Check, Confidence, Evidence, Finding, Severity, Stage, Verdict};
use super::{not_applicable, not_run, sample};
use crate::base::Targets;

pub const CHECK: Check = Check {
    id: "label-leak",
    stage: Stage::Labels,
    finds: "labels that the length of the text or the size of the file predicts",
    how: "leave-one-out ridge on the length alone: most of what the features gain over the most frequent class",
    judge,
};

/// The share of the features' gain that is suspicious.
const SUSPICIOUS: f64 = 0.7;
/// Fewer samples tell little.
const ENOUGH: usize = 50;
/// A smaller gain over the most frequent class is nothing.
const LEAST_GAIN: f64 = 0.1;

fn judge(evidence: &Evidence) -> Verdict {
    let sample = sample(evidence)?;
    let (Some(length), Some(probe)) = (&sample.length, &sample.probe) else {
        return not_run("it needs labels, and texts or pictures in files of their own");
    };
    let Some(Targets::Classes(classes)) = &sample.targets else {
        return not_applicable("it is about classes");
    };
    let counts = classes.counts();
    let frequent = counts.iter().max().copied().unwrap_or(0) as f64 / classes.index().len().max(1) as f64;
    let (Some(alone), Some(features)) = (length.value(), probe.value()) else {
        return not_run("the probe could not be computed");
    };
    if sample.features.rows() < ENOUGH {
        return not_run(format!("it needs {ENOUGH} samples"));
    }
    let (gain, whole) = (alone - frequent, features - frequent);
    if gain <= LEAST_GAIN || gain < SUSPICIOUS * whole {
        return Ok(vec![]);
    }
    let what = if sample.noun == "texts" { "the length of the text" } else { "the size of the file" };
    let message = format!(
        "{what} alone predicts the labels with {alone:.3}; the features do with {features:.3}, the most frequent class with {frequent:.3}."
    );
    let fix = "find out how the classes were collected; cut, pad or re-encode so that the length tells nothing";
    let finding = Finding::new(CHECK.id, Severity::Medium, message, fix).sure(Confidence::Medium);
    finding.measured(gain, SUSPICIOUS * whole).into()
}
