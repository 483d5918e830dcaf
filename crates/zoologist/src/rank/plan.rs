//! What to rank, and who watches.

use std::path::PathBuf;

use super::layers::Layers;
use super::race::Rule;
use super::tuning::Settings;
use crate::base::Seed;
use crate::data::TableOptions;
use crate::score::KnnTies;
use crate::zoo::TokenPooling;

/// What to rank.
#[derive(Debug, Clone)]
#[allow(clippy::struct_excessive_bools, reason = "independent choices of a user")]
pub struct Plan {
    /// The data set.
    pub data: PathBuf,
    /// How to read it, where it is a table.
    pub table: TableOptions,
    /// The zoo: a folder of models, a `zoo.toml`, or one model.
    pub zoo: PathBuf,
    /// The metric that orders the models; `ridge` and `knn` are always computed beside it.
    pub metric: String,
    /// Rank on a seeded stratified sample of so many.
    pub samples: Option<usize>,
    /// Whether the trivial baselines are ranked too.
    pub baselines: bool,
    /// Which layers' features are scored.
    pub layers: Layers,
    /// How the states of a text's tokens are pooled, if not as the models say.
    pub pooling: Option<TokenPooling>,
    /// Who wins a tied vote of the nearest neighbours.
    pub knn_ties: KnnTies,
    /// Whether models that can't win stop early.
    pub budget: Budget,
    /// When they stop.
    pub rule: Rule,
    /// Fixes everything random.
    pub seed: Seed,
    /// Whether the models' features must be in the store already: no model is run, but for the baselines.
    pub from_store: bool,
    /// Whether the fatal and the cheap checks are made on every model first.
    pub vets: bool,
    /// What the order is judged by, if it is.
    pub truth: Option<TruthKind>,
    /// Whether to look how the best model is best used.
    pub advises: bool,
    /// Whether to run the advised way and its neighbours too.
    pub confirm: bool,
    /// Whether the samples to come will differ from these, as the user says.
    pub expects_shift: bool,
    /// How networks are trained where that is the truth, or confirms advice.
    pub training: Settings,
}

/// What the order of the models is judged by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TruthKind {
    /// A logistic probe, or a ridge regression, on the features that were scored.
    Probe,
    /// A head with one hidden layer on the best layer of each model.
    Head,
    /// Every model fine-tuned, as far as its network is built in.
    Full,
}

/// How much is spent on models that do badly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Budget {
    /// They race if there are more than four of them.
    Auto,
    /// Every model sees every sample.
    Full,
    /// Models that can't win stop early.
    Race,
}

/// Somebody who watches.
pub trait Progress: Sync {
    /// A sentence for the user.
    fn say(&self, sentence: &str);
    /// Work on rows begins, for one candidate or more at a time: `done` of `rows` rows are there already.
    fn begin(&self, name: &str, done: usize, rows: usize);
    /// So many more of its rows are done.
    fn advance(&self, name: &str, rows: usize);
    /// It ended.
    fn end(&self, name: &str);
    /// A short phase without a count, such as scoring.
    fn phase(&self, words: &str);
}

/// Nobody watches.
pub struct Silent;

impl Progress for Silent {
    fn say(&self, _: &str) {}
    fn begin(&self, _: &str, _: usize, _: usize) {}
    fn advance(&self, _: &str, _: usize) {}
    fn end(&self, _: &str) {}
    fn phase(&self, _: &str) {}
}
