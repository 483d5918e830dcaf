//! Does a score's ranking agree with the truth? Scores and true accuracies of models × data sets, in; correlations,
//! regrets, intervals and two baselines, out.
//!
//! A score is compared with two rankings that never look at the target data: the static list, made of the accuracies on
//! the other data sets, and the size of the models. Both are rows like any score.
//!
//! A model counts on a data set if it has an accuracy there and every score that the data set has at all, so all rows of
//! one data set are about the same models. Intervals are 95% percentile bootstrap intervals: of models for one data
//! set, of data sets for a mean.

mod baselines;
mod column;
mod compare;
mod figures;
mod usable;
mod verdict;

use std::path::PathBuf;

use serde::Serialize;

use crate::base::Seed;
use crate::data::{self, results};
use crate::score::agreement::{Draws, Figures};

/// What to evaluate.
#[derive(Debug, Clone)]
pub struct Request {
    /// One table in the long form, or one per score in the wide form if there is a `truth`.
    pub results: Vec<PathBuf>,
    /// True accuracies in the wide form.
    pub truth: Option<PathBuf>,
    /// The columns of the long form that are scores; `None` for all that hold numbers.
    pub scores: Option<Vec<String>>,
    /// How often the bootstrap draws.
    pub draws: usize,
    /// Fixes what it draws.
    pub seed: Seed,
}

/// How well scores and baselines agree with the truth.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Findings {
    /// Version of this form.
    pub schema: u32,
    /// How many models there are.
    pub models: usize,
    /// The data sets.
    pub datasets: Vec<String>,
    /// The scores in the order of the table, then the baselines.
    pub scores: Vec<Row>,
    /// What it comes to, one sentence a line.
    pub verdict: String,
    /// What was detected, left out or is not to be relied on.
    pub notes: Vec<String>,
    /// The seed of the bootstrap.
    pub seed: u64,
    /// How often it drew.
    pub draws: usize,
}

/// What a row is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A score of the table.
    Score,
    /// The static list.
    Static,
    /// The size of the models.
    Size,
}

/// The agreement of one score or baseline with the truth.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// The name of the column; `static` for the static list.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// Means over the data sets that have a value.
    pub mean: Figures<Figure>,
    /// One entry per data set.
    pub datasets: Vec<OnDataset>,
    /// On how many data sets its weighted Kendall correlation is above the static list's; `None` without such a list.
    pub beats_static_on: Option<usize>,
    /// Against the static list.
    pub against_static: Option<Comparison>,
    /// Against the size of the models.
    pub against_size: Option<Comparison>,
}

/// A figure with its 95% interval.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Figure {
    /// The value.
    pub value: Option<f64>,
    /// Its interval, where at least one resample has a value.
    pub interval: Option<[f64; 2]>,
}

/// The agreement on one data set.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OnDataset {
    /// The data set.
    pub dataset: String,
    /// How many models count.
    pub n: usize,
    /// The figures.
    #[serde(flatten)]
    pub figures: Figures<Figure>,
    /// How many resamples were skipped because scores or accuracies were all equal.
    pub skipped_draws: usize,
    /// Why figures are missing.
    pub reason: Option<String>,
}

/// The difference of two mean weighted Kendall correlations, over the data sets where both exist.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Comparison {
    /// This row's less the other's.
    pub difference: f64,
    /// Its interval, from resamples that both rows share.
    pub interval: Option<[f64; 2]>,
    /// The share of resamples in which the difference is positive, half of those in which it is 0 included.
    pub probability: Option<f64>,
    /// On how many data sets this row's is above.
    pub better_on: usize,
    /// Of how many.
    pub of: usize,
}

/// Evaluates a table.
pub fn evaluate(request: &Request) -> Result<Findings, data::Error> {
    let results = match &request.truth {
        Some(truth) => results::read_wide(&request.results, truth)?,
        None => results::read(request.results.first().map_or(&PathBuf::new(), |path| path), request.scores.as_deref())?,
    };
    Ok(findings(&results, Draws { count: request.draws, seed: request.seed }))
}

/// Evaluates results that are in memory.
pub fn findings(results: &results::Results, draws: Draws) -> Findings {
    let mut notes = results.notes.clone();
    let datasets = usable::datasets(results, &mut notes);
    let columns = column::columns(results, &datasets);
    let mut rows = figures::rows(&columns, &datasets, draws);
    compare::with_baselines(&mut rows, &columns, &datasets, draws);
    notes.extend(verdict::cautions(&rows, &datasets, draws));
    Findings {
        schema: 1,
        models: results.models.len(),
        datasets: datasets.iter().map(|dataset| dataset.name.clone()).collect(),
        verdict: verdict::verdict(&rows, datasets.len()),
        scores: rows,
        notes,
        seed: draws.seed.0,
        draws: draws.count,
    }
}

#[cfg(test)]
mod tests;
