//! The checks, one file each, and the list of them in the order in which they are made.

mod anisotropy;
mod batch_dependence;
mod below_baseline;
mod constant_features;
mod contradicting_labels;
mod dead_features;
mod dominant_dimension;
mod dynamic_axes;
mod exif_orientation;
mod external_data_path;
mod f16_headroom;
mod label_leak;
mod label_permutation;
mod low_precision_drift;
mod missing_class;
mod non_finite_features;
mod non_finite_weights;
mod nondeterminism;
mod padding_dependence;
mod pooling_mismatch;
mod preprocessing_mismatch;
mod provenance;
mod published_gap;
mod rank_collapse;
mod resize_sensitivity;
mod runtime_disagreement;
mod tensor_inventory;
mod token_id_range;
mod train_eval_duplicates;
mod train_mode_graph;
mod truncation_rate;
mod twin_tensors;
mod unknown_token_rate;
mod unsafe_pickle;
mod untrained_embedding_rows;
mod untrained_weights;
mod zero_tensors;

use super::Check;
use super::evidence::{Duplicates, Evidence, Sample};
use super::finding::Unmade;
use crate::extract::anatomy::{Anatomy, TextFacts};
use crate::extract::behaviour::{Behaviour, Measured};
use crate::extract::onnx::Names;
use crate::zoo::Papers;
pub use label_permutation::{answers_of, proposed_names};
pub use pooling_mismatch::proposed_pooling;

/// Every check, in the order in which they are made: cheap and fatal ones first.
pub static CHECKS: &[Check] = &[
    unsafe_pickle::CHECK,
    external_data_path::CHECK,
    tensor_inventory::CHECK,
    non_finite_weights::CHECK,
    untrained_weights::CHECK,
    zero_tensors::CHECK,
    token_id_range::CHECK,
    train_mode_graph::CHECK,
    dynamic_axes::CHECK,
    twin_tensors::CHECK,
    untrained_embedding_rows::CHECK,
    provenance::CHECK,
    nondeterminism::CHECK,
    batch_dependence::CHECK,
    padding_dependence::CHECK,
    non_finite_features::CHECK,
    f16_headroom::CHECK,
    runtime_disagreement::CHECK,
    constant_features::CHECK,
    rank_collapse::CHECK,
    dead_features::CHECK,
    anisotropy::CHECK,
    dominant_dimension::CHECK,
    truncation_rate::CHECK,
    unknown_token_rate::CHECK,
    resize_sensitivity::CHECK,
    exif_orientation::CHECK,
    train_eval_duplicates::CHECK,
    preprocessing_mismatch::CHECK,
    below_baseline::CHECK,
    label_permutation::CHECK,
    pooling_mismatch::CHECK,
    contradicting_labels::CHECK,
    missing_class::CHECK,
    label_leak::CHECK,
    low_precision_drift::CHECK,
    published_gap::CHECK,
];

/// That a check could not be made: what is missing.
fn not_run<T>(missing: impl Into<String>) -> Result<T, Unmade> {
    Err(Unmade::NotRun(missing.into()))
}

/// That a check does not apply: why.
fn not_applicable<T>(reason: impl Into<String>) -> Result<T, Unmade> {
    Err(Unmade::NotApplicable(reason.into()))
}

/// The anatomy, or that it was not looked at.
fn anatomy(evidence: &Evidence) -> Result<&Anatomy, Unmade> {
    evidence.anatomy.as_ref().map_or_else(|| not_run("the model's files could not be read"), Ok)
}

/// What the model's folder says of it, or that it was not read.
fn papers(evidence: &Evidence) -> Result<&Papers, Unmade> {
    evidence.papers.as_ref().map_or_else(|| not_run("the model's folder was not read"), Ok)
}

/// What the tokenizer makes of the user's texts.
fn texts(evidence: &Evidence) -> Result<&TextFacts, Unmade> {
    takes(evidence, "texts")?;
    anatomy(evidence)?.texts.as_ref().map_or_else(|| not_run("it needs texts"), Ok)
}

/// The behaviour, or that it was not seen.
fn behaviour(evidence: &Evidence) -> Result<&Behaviour, Unmade> {
    evidence.behaviour.as_ref().map_or_else(|| not_run("the model was not run"), Ok)
}

/// A number that was measured, or why there is none.
fn value(measured: &Measured) -> Result<f64, Unmade> {
    match measured {
        Measured::Value(value) => Ok(*value),
        Measured::Impossible(reason) => not_applicable(reason),
        Measured::Failed(reason) => not_run(reason),
    }
}

/// A relative change that should not be, if it is above this and above what changes by itself.
fn unwanted_change(evidence: &Evidence, changed: &Measured, most: f64) -> Result<Option<f64>, Unmade> {
    let noise = if let Measured::Value(noise) = behaviour(evidence)?.repeated { noise } else { 0.0 };
    let found = value(changed)?;
    Ok(Some(found).filter(|found| *found > most.max(3.0 * noise)))
}

/// What the model gives for the user's samples, or what is missing.
fn sample(evidence: &Evidence) -> Result<&Sample, Unmade> {
    evidence.sample.as_ref().map_or_else(|| not_run(no_data(evidence, "there are no features of the samples")), Ok)
}

/// Why there is no probe.
fn no_probe(sample: &Sample) -> &'static str {
    match &sample.targets {
        None => "it needs labels",
        Some(_) => "it needs ten samples, labels of which some differ, and features that vary",
    }
}

/// How the samples compare with each other, or what is missing.
fn duplicates(evidence: &Evidence) -> Result<&Duplicates, Unmade> {
    evidence.duplicates.as_ref().map_or_else(|| not_run(no_data(evidence, "the samples were not compared")), Ok)
}

fn no_data<'a>(evidence: &Evidence, otherwise: &'a str) -> &'a str {
    if evidence.has_data { otherwise } else { "no data set was given" }
}

/// That the check is about inputs of the other kind, if it is. Of a model that can't be read nothing is known.
fn takes(evidence: &Evidence, noun: &str) -> Result<(), Unmade> {
    match &evidence.model {
        Some(model) if model.input.noun() != noun => not_applicable(format!("it is about {noun}")),
        _ => Ok(()),
    }
}

/// The first names of a list, and how many more there are.
fn listed(names: &Names) -> String {
    let shown = names.first.iter().take(3).cloned().collect::<Vec<_>>().join(", ");
    let more = names.count - names.first.len().min(3);
    if more > 0 { format!("{shown}, and {more} more") } else { shown }
}

/// A share in percent.
fn percent(share: f64) -> String {
    let percent = 100.0 * share;
    if percent > 0.0 && percent < 1.0 { format!("{percent:.1}%") } else { format!("{percent:.0}%") }
}

/// Points of accuracy.
fn points(difference: f64) -> String {
    format!("{:+.1} points", 100.0 * difference)
}
