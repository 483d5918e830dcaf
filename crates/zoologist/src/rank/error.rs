//! Why there is no ranking.

use crate::base::{Fail, Fault, TargetsError};
use crate::extract::SamplesError;
use crate::{data, store, zoo};

/// Why a ranking could not be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The data set.
    #[error(transparent)]
    Data(#[from] data::Error),
    /// The zoo.
    #[error(transparent)]
    Zoo(#[from] zoo::Error),
    /// The store.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// What is to be predicted.
    #[error("{path}: {source}")]
    Targets {
        /// The data set, as text.
        path: String,
        /// The reason.
        source: TargetsError,
    },
    /// The data set has no labels.
    #[error("{0}: there are no labels. Put the pictures into one folder per class, or list them in a labels.csv")]
    NoLabels(String),
    /// No picture can be read.
    #[error(
        "none of the {count} pictures in {path} can be read (the first: {first}). Check that they are whole picture files"
    )]
    NothingReadable {
        /// The data set, as text.
        path: String,
        /// How many were tried.
        count: usize,
        /// The first one and its reason.
        first: String,
    },
    /// No model of the zoo could be used.
    #[error("no model of {path} can be used. {reasons}")]
    NoModel {
        /// The zoo, as text.
        path: String,
        /// The first few reasons.
        reasons: String,
        /// Their kind.
        fault: Fault,
    },
    /// There is no metric of that name.
    #[error("`{0}` is no metric; known are: {known}", known = crate::score::METRICS.iter().map(|metric| metric.name).collect::<Vec<_>>().join(", "))]
    UnknownMetric(String),
    /// A file of statistics can't be used.
    #[error("{path}: {problem}")]
    Statistics {
        /// The file, as text.
        path: String,
        /// What is wrong and what to do.
        problem: String,
    },
    /// Source probabilities that are none.
    #[error("{path}: {source}")]
    Source {
        /// The file, as text.
        path: String,
        /// What is wrong.
        source: crate::score::source::SourceError,
    },
    /// Statistics would need more memory than a worker should take.
    #[error(
        "{path}: the statistics of {shards} shards would have {numbers} numbers each. Give each worker fewer shards: --shard I/N"
    )]
    TooLarge {
        /// The features, as text.
        path: String,
        /// Shards of this worker.
        shards: usize,
        /// Numbers per shard.
        numbers: usize,
    },
    /// Features without labels.
    #[error("{0}: holds one array, and labels are needed beside it. Give them as the second file: FEATURES LABELS")]
    LabelsNeeded(String),
    /// A feature that can't be squared twice.
    #[error("{path}: holds numbers beyond 1e70 (first at row {row}, column {column}). Scale the features down")]
    Huge {
        /// The features, as text.
        path: String,
        /// Row, counted from 0.
        row: usize,
        /// Column, counted from 0.
        column: usize,
    },
    /// There is nothing to compute on.
    #[error("there are no rows. Give features and labels, or files of statistics")]
    NoRows,
    /// The machine refused a worker what it needs.
    #[error("{0}")]
    Worker(String),
    /// Something would be overwritten.
    #[error("{0} exists already. Choose another folder: nothing is overwritten")]
    Exists(String),
    /// A budget that is too small.
    #[error("the least that was asked for would take about {least}, and the budget is {given}. Give more, or {less}")]
    Budget {
        /// What it would take, in words.
        least: String,
        /// The budget, in words.
        given: String,
        /// What makes it less.
        less: &'static str,
    },
    /// The user asked to stop.
    #[error("interrupted; what was finished is kept, and the same command goes on from there")]
    Interrupted,
}

impl From<SamplesError> for Error {
    fn from(error: SamplesError) -> Self {
        match error {
            SamplesError::Data(error) => Self::Data(error),
            SamplesError::Store(error) => Self::Store(error),
        }
    }
}

impl Fail for Error {
    fn fault(&self) -> Fault {
        match self {
            Self::Data(error) => error.fault(),
            Self::Zoo(error) => error.fault(),
            Self::Store(error) => error.fault(),
            Self::Targets { .. }
            | Self::NoLabels(_)
            | Self::Statistics { .. }
            | Self::Source { .. }
            | Self::Huge { .. }
            | Self::NoRows
            | Self::NothingReadable { .. } => Fault::Input,
            Self::NoModel { fault, .. } => *fault,
            Self::TooLarge { .. } | Self::Budget { .. } => Fault::Limit,
            Self::UnknownMetric(_) | Self::LabelsNeeded(_) | Self::Exists(_) => Fault::Usage,
            Self::Worker(_) => Fault::Environment,
            Self::Interrupted => Fault::Interrupted,
        }
    }
}
