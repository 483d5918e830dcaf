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
use super::evidence::{Evidence, Sample};
use super::finding::Verdict;
use crate::extract::anatomy::Anatomy;
use crate::extract::behaviour::{Behaviour, Measured};
use crate::extract::onnx::Names;
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

/// The anatomy, or that it was not looked at.
fn anatomy(evidence: &Evidence) -> Result<&Anatomy, Verdict> {
    evidence.anatomy.as_ref().ok_or_else(|| Verdict::NotRun("the model's files could not be read".to_owned()))
}

/// The behaviour, or that it was not seen.
fn behaviour(evidence: &Evidence) -> Result<&Behaviour, Verdict> {
    evidence.behaviour.as_ref().ok_or_else(|| Verdict::NotRun("the model was not run".to_owned()))
}

/// A number that was measured, or why there is none.
fn value(measured: &Measured) -> Result<f64, Verdict> {
    match measured {
        Measured::Value(value) => Ok(*value),
        Measured::Impossible(reason) => Err(Verdict::NotApplicable(reason.clone())),
        Measured::Failed(reason) => Err(Verdict::NotRun(reason.clone())),
    }
}

/// What the model gives for the user's samples, or what is missing.
fn sample(evidence: &Evidence) -> Result<&Sample, Verdict> {
    evidence.sample.as_ref().ok_or_else(|| {
        Verdict::NotRun(if evidence.has_data {
            "there are no features of the samples".to_owned()
        } else {
            "no data set was given".to_owned()
        })
    })
}

/// That the check is about inputs of the other kind.
fn only_for(noun: &str) -> Verdict {
    Verdict::NotApplicable(format!("it is about {noun}"))
}

/// Whether the model takes texts; `None` where nothing is known of it.
fn takes_texts(evidence: &Evidence) -> Option<bool> {
    evidence.model.as_ref().map(|model| model.input.noun() == "texts")
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
