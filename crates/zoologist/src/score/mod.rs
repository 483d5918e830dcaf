//! Transferability scores: how well do features explain labels, without training a network on them?
//!
//! A score is a pure function of statistics, or of raw rows where its definition needs them; [`Compute`] says which.
//! One file per score, one line in [`METRICS`]. Higher is better for every one. A value that does not exist is `None`
//! with a [`Status`], never NaN.
//!
//! ```
//! use zoologist::base::{Classes, Features, Targets, Values};
//! use zoologist::score::{Asked, Inputs, Rows, Settings, evaluate, metric};
//! let features = Features::new(1, Values::F32(vec![0.0, 0.1, 5.0, 5.2, 0.2, 5.1, 0.3, 4.9]));
//! let targets = Targets::Classes(Classes::from_names(&["a", "a", "b", "b", "a", "b", "a", "b"])?);
//! let order: Vec<usize> = (0..8).collect();
//! let (inputs, settings) = (Inputs::default(), Settings::default());
//! let shards = [0..4, 4..8];
//! let rows = Rows {
//!     features: &features, targets: &targets, shards: &shards, order: &order, inputs: &inputs, settings: &settings,
//! };
//! let found = evaluate(&[metric("knn").unwrap()], &rows, Asked { interval: true, ..Asked::default() });
//! assert_eq!(found[0].score.value, Some(1.0));
//! # Ok::<(), zoologist::base::TargetsError>(())
//! ```

pub mod agreement;
pub mod assignment;
pub mod descent;
mod discriminant;
mod effective_rank;
mod emms;
mod energy;
mod gamma_function;
mod gbc;
mod groups;
pub mod hscore;
mod hscore_regularized;
mod inputs;
pub mod jackknife;
pub mod kendall;
mod knn;
mod lbfgs;
mod lda;
mod leep;
pub mod lfc;
mod linear;
pub mod linear_head;
mod logistic;
pub mod logme;
mod mixture;
mod nce;
pub mod ncti;
mod nleep;
mod ordinal;
mod pactran;
mod pactran_gauss;
pub mod paired;
mod parc;
mod ped;
mod penalty;
pub mod perceptron;
pub mod posterior;
mod prepared;
mod reduction;
mod result;
mod ridge;
mod sfda;
mod softmax;
mod solver;
pub mod source;
mod transrate;
mod vci;
mod wide;

use std::ops::Range;

use rayon::prelude::*;

pub use effective_rank::effective_rank;
pub use inputs::{Inputs, KnnTies, Settings};
pub use logistic::{Probe, probe};
pub use prepared::{Prepared, Problem};
pub use result::{Null, Score, Status};
pub use ridge::predictions as ridge_predictions;

use wide::WideRows;

use crate::base::{Features, Seed, Targets, absent_numbers};
use crate::stats::{Responses, Shards};

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
    /// Statistics of all rows.
    Statistics(fn(&Problem) -> Score),
    /// Raw rows. Values without each shard in turn come along where they cost nothing.
    Rows(fn(&Rows) -> Evaluation),
}

/// How many permutations of the labels a null is made of.
pub const PERMUTATIONS: usize = 5;

/// What is wanted beside the values.
#[derive(Debug, Clone, Copy, Default)]
pub struct Asked {
    /// 95% intervals.
    pub interval: bool,
    /// The same scores under so many seeded permutations of the labels inside each shard.
    pub permutations: usize,
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
    Metric { name: "logme_compat", compute: Compute::Statistics(logme::compat::evaluate), default: InAll::OnRequest },
    Metric {
        name: "logme_compat_icml",
        compute: Compute::Statistics(logme::compat::evaluate_icml),
        default: InAll::OnRequest,
    },
    Metric { name: "hscore", compute: Compute::Statistics(hscore::evaluate), default: InAll::Yes },
    Metric {
        name: "hscore_regularized",
        compute: Compute::Statistics(hscore_regularized::evaluate),
        default: InAll::Yes,
    },
    Metric { name: "lfc", compute: Compute::Statistics(lfc::evaluate), default: InAll::Yes },
    Metric { name: "vci", compute: Compute::Statistics(vci::evaluate), default: InAll::OnRequest },
    Metric { name: "ridge", compute: Compute::Rows(ridge::evaluate), default: InAll::Yes },
    Metric { name: "knn", compute: Compute::Rows(knn::evaluate), default: InAll::Yes },
    Metric { name: "leep", compute: Compute::Rows(leep::evaluate), default: InAll::WithSource },
    Metric { name: "nce", compute: Compute::Rows(nce::evaluate), default: InAll::WithSource },
    Metric { name: "nleep", compute: Compute::Rows(nleep::evaluate), default: InAll::OnRequest },
    Metric {
        name: "pactran_dirichlet",
        compute: Compute::Rows(pactran::evaluate_dirichlet),
        default: InAll::OnRequest,
    },
    Metric { name: "pactran_gamma", compute: Compute::Rows(pactran::evaluate_gamma), default: InAll::OnRequest },
    Metric { name: "pactran_gauss", compute: Compute::Rows(pactran_gauss::evaluate), default: InAll::OnRequest },
    Metric { name: "logistic", compute: Compute::Rows(logistic::evaluate), default: InAll::OnRequest },
    Metric { name: "emms", compute: Compute::Rows(emms::evaluate), default: InAll::OnRequest },
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
pub fn evaluate(metrics: &[&Metric], rows: &Rows, asked: Asked) -> Vec<Evaluation> {
    let permutations = permutations(rows.shards, asked.permutations, rows.settings.seed);
    let mut from_statistics = if metrics.iter().any(|metric| metric.needs_statistics()) {
        statistics_of(metrics, rows, permutations.clone(), asked).into_iter()
    } else {
        vec![].into_iter()
    };
    let mut from_rows = of_rows(metrics, rows, &permutations, asked).into_iter();
    let next = |metric: &&Metric| if metric.needs_statistics() { from_statistics.next() } else { from_rows.next() };
    metrics.iter().filter_map(next).collect()
}

/// The scores of rows in memory that need statistics alone, by the smaller of the two Gram matrices.
fn statistics_of(metrics: &[&Metric], rows: &Rows, permutations: Vec<Vec<u32>>, asked: Asked) -> Vec<Evaluation> {
    let responses = Responses::with_permutations(rows.targets, permutations);
    let absent = absent_numbers(rows.targets);
    let (count, dim) = (rows.features.rows(), rows.features.dim());
    if WideRows::serves(count, dim) {
        return of_wide_rows(metrics, &WideRows::of(rows.features, &responses), rows.shards, asked, absent);
    }
    let whole = std::array::from_fn::<_, 1, _>(|_| 0..count);
    let apart = keeps_apart(rows.shards.len(), dim, rows.targets.names().len(), responses.count());
    let ranges = if apart { rows.shards } else { &whole[..] };
    of_statistics(metrics, &Shards::with_responses(rows.features, &responses, ranges), asked, absent)
}

/// Computes those of the metrics that need statistics alone. `absent` class numbers up to the largest never occur.
pub fn of_statistics(metrics: &[&Metric], shards: &Shards, asked: Asked, absent: u64) -> Vec<Evaluation> {
    let computes = computes(metrics);
    let total = shards.total();
    let mut evaluations = values(&computes, &Prepared::of(&total).with_absent_classes(absent));
    let apart = keeps_apart(shards.count(), total.dim(), total.width(), total.responses());
    if asked.interval && apart && shards.count() > 1 {
        let always = shards.always_varying();
        let without = shards.leave_one_out(|part| {
            let prepared = Prepared::of(part).counting(&always).with_absent_classes(absent);
            computes.iter().map(|compute| compute(&prepared.problem()).value).collect()
        });
        take_replicates(&mut evaluations, &without);
    } else if asked.interval {
        evaluations.iter_mut().for_each(interval_too_large);
    }
    evaluations
}

/// The same for rows that are fewer than their dimensions.
fn of_wide_rows(
    metrics: &[&Metric],
    wide: &WideRows,
    shards: &[Range<usize>],
    asked: Asked,
    absent: u64,
) -> Vec<Evaluation> {
    let computes = computes(metrics);
    // The rows outside one shard, or all of them.
    let rows = |left_out: Option<usize>| -> Vec<usize> {
        let kept = shards.iter().enumerate().filter(|(shard, _)| Some(*shard) != left_out);
        kept.flat_map(|(_, range)| range.clone()).collect()
    };
    let prepared = |rows: &[usize]| Prepared::of_rows(wide, rows).with_absent_classes(absent);
    let mut evaluations = values(&computes, &prepared(&rows(None)));
    let apart = keeps_apart(shards.len(), wide.rows(), wide.width(), wide.responses());
    if asked.interval && apart {
        let mut always = vec![true; wide.width()];
        for shard in 0..shards.len() {
            let rows = rows(Some(shard));
            let varying = wide.marginals(&rows).varying(rows.len());
            always.iter_mut().zip(varying).for_each(|(always, varies)| *always &= varies);
        }
        let without = (0..shards.len()).into_par_iter().map(|shard| {
            let part = prepared(&rows(Some(shard))).counting(&always);
            computes.iter().map(|compute| compute(&part.problem()).value).collect()
        });
        take_replicates(&mut evaluations, &without.collect::<Vec<_>>());
    } else if asked.interval {
        evaluations.iter_mut().for_each(interval_too_large);
    }
    evaluations
}

/// Says that statistics were too large to be kept apart by shard.
fn interval_too_large(evaluation: &mut Evaluation) {
    if evaluation.score.value.is_some() {
        evaluation.score.interval_status = Some(Status::TooLarge);
        evaluation
            .score
            .add_note("no interval: shards x dimensions x (dimensions + classes x responses) are more than 2^28");
    }
}

fn computes(metrics: &[&Metric]) -> Vec<fn(&Problem) -> Score> {
    let compute = |metric: &&Metric| match metric.compute {
        Compute::Statistics(compute) => Some(compute),
        Compute::Rows(_) => None,
    };
    metrics.iter().filter_map(compute).collect()
}

/// The values, and those under permuted labels.
fn values(computes: &[fn(&Problem) -> Score], whole: &Prepared) -> Vec<Evaluation> {
    let evaluation = |compute: &fn(&Problem) -> Score| {
        let permuted = whole.permuted().filter_map(|problem| compute(&problem).value);
        let nulls: Vec<f64> = permuted.filter(|value| value.is_finite()).collect();
        let score = Score { null: null(&nulls), ..compute(&whole.problem()) };
        let mut evaluation = Evaluation { score, replicates: vec![] };
        evaluation.refuse_infinite();
        evaluation
    };
    computes.par_iter().map(evaluation).collect()
}

/// `without` has a value of every score for each shard that was left out.
fn take_replicates(evaluations: &mut [Evaluation], without: &[Vec<Option<f64>>]) {
    for (place, evaluation) in evaluations.iter_mut().enumerate() {
        evaluation.take_replicates(without.iter().map(|values| values[place]).collect());
    }
}

fn of_rows(metrics: &[&Metric], rows: &Rows, permutations: &[Vec<u32>], asked: Asked) -> Vec<Evaluation> {
    let one = |metric: &&Metric| {
        let Compute::Rows(compute) = metric.compute else { return None };
        let mut evaluation = compute(rows);
        if evaluation.score.value.is_some() {
            let permuted = permutations.iter().filter_map(|sources| {
                let targets = rows.targets.rearranged(sources);
                compute(&Rows { targets: &targets, ..*rows }).score.value
            });
            evaluation.score.null = null(&permuted.collect::<Vec<_>>());
        }
        evaluation.refuse_infinite();
        evaluation.settle_interval(asked.interval);
        Some(evaluation)
    };
    // Most scores make a copy of the features: of large ones there is one copy at a time.
    if rows.features.rows().saturating_mul(rows.features.dim()) > LARGE {
        return metrics.iter().filter_map(one).collect();
    }
    metrics.par_iter().filter_map(one).collect()
}

/// Seeded permutations that leave every row in its shard: for each, the row whose target a row gets.
pub fn permutations(shards: &[Range<usize>], count: usize, seed: Seed) -> Vec<Vec<u32>> {
    let one = |permutation: usize| {
        let mut sources: Vec<u32> = (0..shards.last().map_or(0, |shard| shard.end) as u32).collect();
        for (number, shard) in shards.iter().enumerate() {
            seed.stream("null", &format!("{permutation} {number}")).shuffle(&mut sources[shard.clone()]);
        }
        sources
    };
    (0..count).map(one).collect()
}

/// The same for rows whose shard is given by row.
pub fn permutations_of(shard_of_row: &[u8], shards: usize, count: usize, seed: Seed) -> Vec<Vec<u32>> {
    if count == 0 {
        return vec![];
    }
    let mut members: Vec<Vec<u32>> = vec![vec![]; shards];
    shard_of_row.iter().zip(0..).for_each(|(&shard, row)| members[usize::from(shard)].push(row));
    let one = |permutation: usize| {
        let mut sources = vec![0; shard_of_row.len()];
        for (number, rows) in members.iter().enumerate() {
            let mut others = rows.clone();
            seed.stream("null", &format!("{permutation} {number}")).shuffle(&mut others);
            rows.iter().zip(others).for_each(|(&row, other)| sources[row as usize] = other);
        }
        sources
    };
    (0..count).map(one).collect()
}

/// Numbers of features of which there is to be one copy at a time.
const LARGE: usize = 1 << 26;

/// Numbers that statistics kept apart by shard may have.
const MOST_APART: usize = 1 << 28;

/// Whether statistics of so many shards, dimensions, targets and responses are kept apart, as intervals need it.
pub fn keeps_apart(shards: usize, dim: usize, width: usize, responses: usize) -> bool {
    let each = dim.saturating_mul(dim.saturating_add(width.saturating_mul(responses)));
    shards.saturating_mul(each) <= MOST_APART
}

fn null(values: &[f64]) -> Option<Null> {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let square: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    let deviation = (square / (count - 1.0)).sqrt();
    (values.len() > 1).then_some(Null { mean, deviation, permutations: values.len() })
}

impl Metric {
    /// Whether it is computed from statistics alone.
    pub fn needs_statistics(&self) -> bool {
        matches!(self.compute, Compute::Statistics(_))
    }
}

impl Evaluation {
    /// The value as a number to compare: features that fit without bound stand above all, no value below all.
    pub fn height(&self) -> f64 {
        match self.score.status {
            Status::Unbounded => f64::INFINITY,
            _ => self.score.value.unwrap_or(f64::NEG_INFINITY),
        }
    }

    /// A value that overflowed is no value.
    fn refuse_infinite(&mut self) {
        let score = &mut self.score;
        if score.value.is_some_and(|value| !value.is_finite()) {
            (score.value, score.interval, score.null) = (None, None, None);
            score.status = Status::NotApplicable;
            score.add_note("the numbers are too large or too small for it: scale features and targets");
            self.replicates.clear();
        }
    }

    /// Takes the values without each shard in turn, and makes the interval of them.
    fn take_replicates(&mut self, values: Vec<Option<f64>>) {
        if let Some(replicates) = values.into_iter().collect::<Option<Vec<f64>>>() {
            self.score.interval = self.score.value.and_then(|value| jackknife::interval(value, &replicates));
            self.replicates = replicates;
        }
        self.settle_interval(true);
    }

    /// Says whether and why there is an interval, where one was asked for; takes it out where none was.
    fn settle_interval(&mut self, asked: bool) {
        if !asked {
            self.score.interval = None;
            return;
        }
        let status = if self.score.interval.is_some() { Status::Ok } else { Status::NotApplicable };
        self.score.interval_status = Some(status);
        if status != Status::Ok && self.score.value.is_some() {
            self.score.add_note("no interval: a part of the rows has no value, or the definition gives none by row");
        }
    }

    /// A score without value.
    pub fn without_value(metric: &str, status: Status, note: &str) -> Self {
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
        let mut evaluation = Self::with_value(metric, total / count, replicates, note);
        // The numbers are shares of what is right: so are their mean and its interval.
        evaluation.score.interval = evaluation.score.interval.map(|ends| ends.map(|end| end.clamp(0.0, 1.0)));
        evaluation
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
#[cfg(test)]
mod source_tests;
