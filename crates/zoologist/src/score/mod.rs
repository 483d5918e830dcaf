//! Transferability scores: how well do features explain labels, without training a network on them?
//!
//! A score is a pure function of statistics, or of raw rows where its definition needs them; [`Compute`] says which.
//! One file per score, one line in [`METRICS`]. Higher is better for every one. A value that does not exist is `None`
//! with a [`Status`], never NaN.
//!
//! ```
//! use zoologist::base::{Classes, Features, Targets, Values};
//! use zoologist::score::{Inputs, Rows, Settings, evaluate, metric};
//! let features = Features::new(1, Values::F32(vec![0.0, 0.1, 5.0, 5.2, 0.2, 5.1, 0.3, 4.9]));
//! let targets = Targets::Classes(Classes::from_names(&["a", "a", "b", "b", "a", "b", "a", "b"])?);
//! let order: Vec<usize> = (0..8).collect();
//! let (inputs, settings) = (Inputs::default(), Settings::default());
//! let shards = [0..4, 4..8];
//! let rows = Rows {
//!     features: &features, targets: &targets, shards: &shards, order: &order, inputs: &inputs, settings: &settings,
//! };
//! let found = evaluate(&[metric("knn").unwrap()], &rows, true);
//! assert_eq!(found[0].score.value, Some(1.0));
//! # Ok::<(), zoologist::base::TargetsError>(())
//! ```

mod discriminant;
mod energy;
mod gbc;
mod groups;
mod inputs;
pub mod jackknife;
pub mod kendall;
mod knn;
mod lbfgs;
mod lda;
mod linear;
mod logistic;
pub mod logme;
pub mod ncti;
mod parc;
mod ped;
mod result;
mod ridge;
mod sfda;
mod transrate;

use std::ops::Range;

use rayon::prelude::*;

pub use inputs::{Inputs, KnnTies, Settings};
pub use logistic::{Probe, probe};
pub use result::{Null, Score, Status};

use crate::base::{Features, Targets};
use crate::stats::Shards;

/// Labelled rows in the order of the partition.
pub struct Rows<'a> {
    /// n × d features, finite.
    pub features: &'a Features,
    /// Their targets.
    pub targets: &'a Targets,
    /// The logical shards: ranges that cover all rows, two or more.
    pub shards: &'a [Range<usize>],
    /// The place of each row in the user's file; breaks ties between equally near neighbours.
    pub order: &'a [usize],
    /// What some scores need beside features and targets; rows in the order of the features.
    pub inputs: &'a Inputs,
    /// What the user may choose.
    pub settings: &'a Settings,
}

/// What a score is computed from.
#[derive(Clone, Copy)]
pub enum Compute {
    /// Statistics per shard. The flag asks for the interval.
    Statistics(fn(&Shards, bool) -> Evaluation),
    /// Raw rows. The interval costs nothing there.
    Rows(fn(&Rows) -> Evaluation),
}

/// A transferability score.
pub struct Metric {
    /// Its name on the command line and in JSON.
    pub name: &'static str,
    /// How it is computed.
    pub compute: Compute,
    /// Whether `--metrics all` computes it.
    pub default: InAll,
}

/// Whether `--metrics all` computes a metric.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum InAll {
    /// Always.
    Yes,
    /// If the source probabilities that it needs were given.
    WithSource,
    /// Only by name.
    OnRequest,
}

/// The registry: every score by name.
pub static METRICS: &[Metric] = &[
    Metric { name: "logme", compute: Compute::Statistics(logme::evaluate), default: InAll::Yes },
    Metric { name: "ridge", compute: Compute::Rows(ridge::evaluate), default: InAll::Yes },
    Metric { name: "knn", compute: Compute::Rows(knn::evaluate), default: InAll::Yes },
    Metric { name: "transrate", compute: Compute::Rows(transrate::evaluate), default: InAll::Yes },
    Metric {
        name: "transrate_unweighted",
        compute: Compute::Rows(transrate::evaluate_unweighted),
        default: InAll::Yes,
    },
    Metric { name: "gbc", compute: Compute::Rows(gbc::evaluate), default: InAll::Yes },
    Metric { name: "lda", compute: Compute::Rows(lda::evaluate), default: InAll::Yes },
    Metric { name: "sfda", compute: Compute::Rows(sfda::evaluate), default: InAll::Yes },
    Metric { name: "energy", compute: Compute::Rows(energy::evaluate), default: InAll::Yes },
    Metric { name: "parc", compute: Compute::Rows(parc::evaluate), default: InAll::Yes },
    Metric { name: "ncti", compute: Compute::Rows(ncti::evaluate), default: InAll::OnRequest },
    Metric { name: "ped", compute: Compute::Rows(ped::evaluate), default: InAll::OnRequest },
];

/// The metric of that name.
pub fn metric(name: &str) -> Option<&'static Metric> {
    METRICS.iter().find(|metric| metric.name == name)
}

/// A score, and its values without each shard in turn (empty where there are none).
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Evaluation {
    /// The score.
    pub score: Score,
    /// The score of all shards but one, for each shard: what intervals and comparisons are made of.
    pub replicates: Vec<f64>,
}

/// Computes some scores of the same rows, in parallel; the result does not depend on the number of threads. Statistics
/// are made once, and only if some score needs them.
pub fn evaluate(metrics: &[&Metric], rows: &Rows, interval: bool) -> Vec<Evaluation> {
    let needs_statistics = metrics.iter().any(|metric| matches!(metric.compute, Compute::Statistics(_)));
    let shards = needs_statistics.then(|| Shards::of(rows.features, rows.targets, rows.shards));
    let one = |metric: &&Metric| match (metric.compute, &shards) {
        (Compute::Statistics(compute), Some(shards)) => Some(compute(shards, interval)),
        (Compute::Statistics(_), None) => None,
        (Compute::Rows(compute), _) => Some(compute(rows)),
    };
    let mut found: Vec<Evaluation> = metrics.par_iter().filter_map(one).collect();
    if !interval {
        found.iter_mut().for_each(|evaluation| evaluation.score.interval = None);
    }
    found
}

impl Evaluation {
    /// A score without value.
    fn without_value(metric: &str, status: Status, note: &str) -> Self {
        Self { score: Score::without_value(metric, status).noted(Some(note.to_owned())), replicates: vec![] }
    }

    /// A score with a value, and its interval where there are replicates.
    fn with_value(metric: &str, value: f64, replicates: Vec<f64>, note: Option<String>) -> Self {
        let interval = jackknife::interval(value, &replicates);
        Self { score: Score { interval, ..Score::of(metric, value).noted(note) }, replicates }
    }

    /// A score that is the mean of a number per row, such as 1 for a right prediction and 0 for a wrong one.
    fn mean_of_rows(metric: &str, per_row: &[f64], shards: &[Range<usize>], note: Option<String>) -> Self {
        let sums: Vec<f64> = shards.iter().map(|shard| per_row[shard.clone()].iter().sum()).collect();
        let total: f64 = sums.iter().sum();
        let count = per_row.len() as f64;
        let without = |(sum, shard): (&f64, &Range<usize>)| (total - sum) / (count - shard.len() as f64);
        let replicates = sums.iter().zip(shards).map(without).collect();
        Self::with_value(metric, total / count, replicates, note)
    }
}

/// What always guessing the commonest class would give, as a remark.
fn chance(targets: &Targets) -> Option<String> {
    let Targets::Classes(classes) = targets else { return None };
    let commonest = classes.counts().into_iter().max().unwrap_or_default();
    let share = 100.0 * commonest as f64 / targets.len() as f64;
    Some(format!("always guessing the commonest class gives {share:.1}%"))
}

#[cfg(test)]
mod golden;
#[cfg(test)]
mod reference;
