//! Which layer of a model to take features from: what is said of each layer, and the verdict. Nothing here trains.
//!
//! A layer's features are the pooled states of its tokens, or the mean of its map. Each gets a probe, the evidence, its
//! effective rank, how much the block before it changed the features, and the share of the forward cost up to it. A layer
//! that can't be told from the best one and comes earlier saves the rest of the pass.

pub mod studies;
mod verdict;

use std::path::PathBuf;

use serde::Serialize;

use crate::base::{Features, Seed, Task, path_text};

pub use verdict::{Probed, verdict};

/// What a model's layers are worth for one data set.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LayerStudy {
    /// Version of this form.
    pub schema: u32,
    /// The model's name.
    pub model: String,
    /// What was studied on.
    pub data: StudyData,
    /// The score that probes: `ridge` or `logistic`.
    pub probe: String,
    /// How features are made, in words.
    pub features_from: String,
    /// The runtime and its version.
    pub runtime: Option<String>,
    /// The seed that fixes everything random.
    pub seed: Seed,
    /// The layers from the first to the last, all of them together, and the controls.
    pub layers: Vec<LayerRow>,
    /// Which layer, how sure, and what it saves.
    pub verdict: String,
    /// What trainings with changed layers showed, if there were any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub studies: Option<studies::Studies>,
    /// Samples that could not be used: which and why.
    pub skipped: Vec<(String, String)>,
    /// Seconds; the only field that differs between two equal runs.
    pub timing: StudyTiming,
}

/// The data of a study.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StudyData {
    /// Where it is.
    #[serde(with = "path_text")]
    pub path: PathBuf,
    /// What is predicted.
    pub task: Task,
    /// How many samples were used.
    pub n: usize,
    /// How many classes, labels or target columns there are.
    pub classes: usize,
    /// Which splits were used.
    pub split: String,
    /// BLAKE3 of the samples and their order.
    pub digest: String,
}

/// One layer, all layers together, or a control.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LayerRow {
    /// Its name.
    pub name: String,
    /// Its place among the layers, from 0; `None` for what is no single layer.
    pub index: Option<usize>,
    /// Numbers per feature vector.
    pub dim: usize,
    /// The probe's quality: accuracy, or R² for numbers.
    pub probe: Option<f64>,
    /// Its 95% interval.
    pub interval: Option<[f64; 2]>,
    /// The evidence, in nats per sample.
    pub logme: Option<f64>,
    /// How many directions the features use: the exponential of the entropy of their singular values.
    pub effective_rank: Option<f64>,
    /// 1 less the mean cosine of the features before and after the block that leads here.
    pub block_influence: Option<f64>,
    /// Share of the forward pass's multiply-adds that has been spent here.
    pub cost_share: Option<f64>,
    /// Whether it is there for comparison only.
    pub control: bool,
    /// Why a value is missing.
    pub note: Option<String>,
}

/// Where the time of a study went.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct StudyTiming {
    /// Wall-clock seconds of the whole run.
    pub seconds: f64,
    /// Seconds of the model's feature pass when it was made.
    pub extract_seconds: f64,
    /// Threads used.
    pub threads: usize,
}

/// The layers of a model.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LayerList {
    /// Version of this form.
    pub schema: u32,
    /// The model's name.
    pub model: String,
    /// The runtime and its version.
    pub runtime: Option<String>,
    /// Multiply-adds of one forward pass.
    pub multiply_adds: Option<u64>,
    /// The layers from the first to the last.
    pub layers: Vec<ListedLayer>,
}

/// One layer of a model.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ListedLayer {
    /// Its name.
    pub name: String,
    /// Its place, from 0.
    pub index: usize,
    /// Numbers per feature vector.
    pub dim: usize,
    /// Share of the forward pass's multiply-adds that has been spent here.
    pub cost_share: Option<f64>,
}

/// 1 less the mean cosine of the rows before and after a block (Men et al. 2024, "ShortGPT", eq. 1, on pooled features);
/// rows of zeros are left out. `None` where the widths differ or no row is left.
pub fn block_influence(before: &Features, after: &Features) -> Option<f64> {
    if before.dim() != after.dim() || before.rows() != after.rows() {
        return None;
    }
    let rows = before.rows();
    let squares = |features: &Features| {
        let mut sums = vec![0.0; rows];
        features.visit(0..rows, |row, _, value| sums[row] += value * value);
        sums
    };
    let (first, second) = (squares(before), squares(after));
    let mut others = Vec::with_capacity(rows * after.dim());
    after.visit(0..rows, |_, _, value| others.push(value));
    let mut products = vec![0.0; rows];
    before.visit(0..rows, |row, column, value| products[row] += value * others[row * after.dim() + column]);
    let cosines: Vec<f64> = (0..rows)
        .filter(|&row| first[row] > 0.0 && second[row] > 0.0)
        .map(|row| products[row] / (first[row] * second[row]).sqrt())
        .collect();
    (!cosines.is_empty()).then(|| 1.0 - cosines.iter().sum::<f64>() / cosines.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Values;

    #[test]
    fn a_block_that_changes_nothing_but_length_has_no_influence() {
        let features = |values: &[f64]| Features::new(2, Values::F64(values.to_vec()));
        let (start, longer) = (features(&[1.0, 0.0, 0.0, 0.0]), features(&[3.0, 0.0, 5.0, 1.0]));
        assert!(block_influence(&start, &longer).unwrap().abs() < 1e-12);
        assert!((block_influence(&start, &features(&[0.0, 2.0, 1.0, 1.0])).unwrap() - 1.0).abs() < 1e-12);
        assert_eq!(block_influence(&start, &Features::new(1, Values::F64(vec![1.0, 2.0]))), None);
        assert_eq!(block_influence(&start, &features(&[0.0; 4])), None);
    }
}
