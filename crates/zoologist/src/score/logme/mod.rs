//! `logme`: the logarithm of the maximum evidence that features explain the targets.
//!
//! Model of one target column y: w ~ N(0, I/alpha), y ~ N(F w, I/beta). The evidence p(y | F, alpha, beta) is
//! maximised over both precisions; its logarithm per row, averaged over the columns, is the score. There is no
//! intercept and the model does not centre the features. Source: You et al., ICML 2021, eq. 2 to 4.
//!
//! At fixed t = alpha/beta the best beta is n / S(t) with S(t) = y'y - y'F (F'F + tI)^-1 F'y, so one number is left
//! to choose, along the profile
//!
//! ```text
//! l(t) = n/2 ln( n / (2 pi e S(t)) ) - 1/2 sum_i ln(1 + sigma_i / t)        sigma_i: eigenvalues of F'F
//! ```
//!
//! The published code iterates a fixed point on alpha and beta. It can end in the lesser of two maxima, crawls where
//! the best features are none, depends on the features' scale through a constant 1e-5, and drops terms where there
//! are more dimensions than rows. Here the global maximum of l is found, and its limits have names.

pub mod compat;
#[cfg(test)]
pub mod oracle;
mod profile;

pub use profile::{ColumnEvidence, Limit};

use super::prepared::{Prepared, Problem};
use super::{Score, Status};
use crate::stats::Moments;

/// The evidence of every target column, and its mean.
#[derive(Debug, Clone, PartialEq)]
pub struct LogMe {
    /// One entry per target column; `None` where the column does not vary (a class that never or always occurs).
    pub columns: Vec<Option<ColumnEvidence>>,
    /// How many rows went in.
    pub rows: usize,
}

/// The log maximum evidence of each target column. Time: 4/3 d³ for d features, then O(d) per column and step.
///
/// ```
/// use zoologist::base::{Classes, Features, Targets, Values};
/// use zoologist::{score::logme::logme, stats::Shards};
/// let features = Features::new(1, Values::F64(vec![-1.0, -1.1, 1.0, 0.9]));
/// let targets = Targets::Classes(Classes::from_names(&["cat", "cat", "dog", "dog"])?);
/// let result = logme(&Shards::of(&features, &targets, &[0..4]).total());
/// assert!((result.value().unwrap() - -1.005_098).abs() < 1e-6);
/// # Ok::<(), zoologist::base::TargetsError>(())
/// ```
pub fn logme(moments: &Moments) -> LogMe {
    of_problem(&Prepared::of(moments).problem())
}

/// The registry's entry.
pub fn evaluate(problem: &Problem) -> Score {
    of_problem(problem).score()
}

fn of_problem(problem: &Problem) -> LogMe {
    let counted = problem.counted();
    let columns: Vec<usize> = (0..counted.len()).filter(|&column| counted[column]).collect();
    let mut found = vec![None; counted.len()];
    if !columns.is_empty() {
        let evidences = profile::maximise(problem.reduction(), problem.response(), &columns);
        columns.into_iter().zip(evidences).for_each(|(column, evidence)| found[column] = Some(evidence));
    }
    LogMe { columns: found, rows: problem.rows() }
}

impl LogMe {
    /// The score: nats per row, the mean over the columns that vary. `None` where some column's evidence is unbounded
    /// or no column varies.
    pub fn value(&self) -> Option<f64> {
        mean(self.columns.iter().flatten().map(|column| column.value))
    }

    /// Nats per row gained over using no features, zero or more.
    pub fn gain(&self) -> Option<f64> {
        let without = mean(self.columns.iter().flatten().map(|column| Some(column.without_features)))?;
        Some((self.value()? - without).max(0.0))
    }

    /// The value with its status and what the reader should know.
    pub fn score(&self) -> Score {
        let limits: Vec<Limit> = self.columns.iter().flatten().map(|column| column.limit).collect();
        let any = |limit| limits.contains(&limit);
        let skipped = self.columns.len() - limits.len();
        let (status, note) = if any(Limit::Unbounded) {
            (Status::Unbounded, Some("the features fit a target to within rounding".to_owned()))
        } else if any(Limit::NoiseFree) {
            (
                Status::NoiseFreeLimit,
                Some("fewer rows than dimensions, and no noise is the best explanation".to_owned()),
            )
        } else if limits.is_empty() {
            (Status::NotApplicable, Some("no target column varies".to_owned()))
        } else if limits.iter().all(|&limit| limit == Limit::FeaturesUnused) {
            (Status::FeaturesUnused, Some("no feature helps to explain any target".to_owned()))
        } else {
            (Status::Ok, (skipped > 0).then(|| format!("{skipped} target columns do not vary and are left out")))
        };
        Score { value: self.value(), gain: self.gain(), ..Score::without_value("logme", status).noted(note) }
    }
}

fn mean(values: impl Iterator<Item = Option<f64>>) -> Option<f64> {
    let values: Vec<f64> = values.collect::<Option<_>>()?;
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}
