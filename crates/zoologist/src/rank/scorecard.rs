//! `score`: the scores of features that the user already has.

use std::path::{Path, PathBuf};
use std::time::Instant;

use serde::Serialize;

use super::{Error, Progress};
use crate::base::{Seed, Task};
use crate::data::{self, Partition, shard_count};
use crate::score::{self, InAll, Inputs, METRICS, Metric, Rows, Score, Settings};

/// What to score.
#[derive(Debug, Clone)]
pub struct Request {
    /// n × d features.
    pub features: PathBuf,
    /// n labels; `None` where the file of the features holds them.
    pub labels: Option<PathBuf>,
    /// Names of scores, or `all`.
    pub metrics: Vec<String>,
    /// What is predicted, if it is not to be detected.
    pub task: Option<Task>,
    /// Whether intervals are wanted.
    pub interval: bool,
    /// Fixes the order of the rows, and so the shards.
    pub seed: Seed,
}

/// The scores of one feature matrix.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Scorecard {
    /// Version of this form.
    pub schema: u32,
    /// What is predicted.
    pub task: Task,
    /// Rows.
    pub n: usize,
    /// How many classes, labels or target columns there are.
    pub classes: usize,
    /// Their names.
    pub class_names: Vec<String>,
    /// Dimensions.
    pub dim: usize,
    /// The scores, in the order in which they were asked for.
    pub scores: Vec<Score>,
    /// Seconds.
    pub timing: ScoreTiming,
}

/// Where the time went.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ScoreTiming {
    /// Wall-clock seconds of reading and scoring.
    pub seconds: f64,
}

/// Computes the scores.
pub fn score(request: &Request, progress: &dyn Progress) -> Result<Scorecard, Error> {
    let begun = Instant::now();
    let metrics = metrics(&request.metrics)?;
    let features = data::features::read(&request.features)?;
    let labels = request.labels.as_ref().unwrap_or(&request.features);
    let data::labels::Labels { targets, note } = data::labels::read(labels, request.task)?;
    progress.say(&note);
    require_equal_rows(request, features.rows(), labels, targets.len())?;
    let order = Partition::new(&targets, None, request.seed);
    let refuse = |source| Error::Targets { path: crate::base::path_text::show(labels), source };
    let targets = targets.select(order.order()).map_err(refuse)?;
    let features = features.select(order.order());
    let shards = order.shards(shard_count(features.rows(), features.dim()));
    progress.phase("scoring");
    let (inputs, settings) = (Inputs::default(), Settings { seed: request.seed, ..Settings::default() });
    let rows = Rows {
        features: &features,
        targets: &targets,
        shards: &shards,
        order: order.order(),
        inputs: &inputs,
        settings: &settings,
    };
    let scores = score::evaluate(&metrics, &rows, request.interval).into_iter().map(|found| found.score).collect();
    Ok(Scorecard {
        schema: 1,
        task: targets.task(),
        n: features.rows(),
        classes: targets.names().len(),
        class_names: targets.names().to_vec(),
        dim: features.dim(),
        scores,
        timing: ScoreTiming { seconds: begun.elapsed().as_secs_f64() },
    })
}

fn require_equal_rows(request: &Request, features_rows: usize, labels: &Path, labels_rows: usize) -> Result<(), Error> {
    if features_rows == labels_rows {
        return Ok(());
    }
    let (features, labels) = (request.features.clone(), labels.to_owned());
    Err(data::Error::RowCounts { features, features_rows, labels, labels_rows }.into())
}

fn metrics(names: &[String]) -> Result<Vec<&'static Metric>, Error> {
    if names == ["all"] {
        return Ok(METRICS.iter().filter(|metric| metric.default == InAll::Yes).collect());
    }
    names.iter().map(|name| score::metric(name).ok_or_else(|| Error::UnknownMetric(name.clone()))).collect()
}
