//! `score`: the scores of features that the user already has, or of statistics made of them.
//!
//! Scores from statistics read the features in blocks; only where some score needs the rows themselves, or there are
//! fewer rows than dimensions, are all of them held in memory.

use std::path::{Path, PathBuf};
use std::time::Instant;

use serde::Serialize;

use super::matrix::{Layout, Matrix, PASS};
use super::statistics::Kept;
use super::{Error, Progress};
use crate::base::path_text::show;
use crate::base::{Features, Targets, Task, absent_numbers};
use crate::data::{self, Partition, shard_count};
use crate::score::{self, Asked, Evaluation, InAll, Inputs, METRICS, Metric, Rows, Score, Settings, Status, source};
use crate::stats::{Responses, Shards};
use crate::store;

/// Numbers that the features may have for the scores that need all rows in memory.
const MOST_NUMBERS: usize = 1 << 28;

/// Numbers that statistics may have.
const MOST_STATISTICS: usize = 1 << 29;

/// What to score.
#[derive(Debug, Clone)]
pub struct Request {
    /// n × d features, or a file of statistics.
    pub features: PathBuf,
    /// n labels; `None` where the file of the features holds them.
    pub labels: Option<PathBuf>,
    /// Names of scores, or `all`.
    pub metrics: Vec<String>,
    /// What is predicted, if it is not to be detected.
    pub task: Option<Task>,
    /// What is wanted beside the values.
    pub asked: Asked,
    /// What the user chose about some scores; its seed fixes the order of the rows, and so the shards.
    pub settings: Settings,
    /// n × z probabilities of the source classes.
    pub source_probabilities: Option<PathBuf>,
    /// Whether these are logits.
    pub source_logits: bool,
    /// m × d features of the source data set.
    pub source_features: Option<PathBuf>,
    /// n × e label embeddings, one file per embedding model.
    pub label_embeddings: Vec<PathBuf>,
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
    if store::statistics::recognise(&request.features) {
        return match &request.labels {
            None => of_statistics(request, begun),
            Some(_) => Err(Error::Statistics {
                path: show(&request.features),
                problem: "holds statistics, and with them the labels. Leave LABELS out".to_owned(),
            }),
        };
    }
    let metrics = metrics(&request.metrics, request.source_probabilities.is_some())?;
    let mut matrix = Matrix::open(&request.features)?;
    let labels = labels_path(&request.features, request.labels.as_ref())?;
    let targets = targets(labels, request.task, matrix.rows(), &request.features, progress)?;
    let (n, dim) = (matrix.rows(), matrix.dim());
    let (names, task) = (targets.names().to_vec(), targets.task());
    let (mut metrics_left, mut found): (Vec<&Metric>, Vec<Evaluation>) = (vec![], vec![]);
    let fits = n.saturating_mul(dim) <= MOST_NUMBERS;
    if n > dim || !fits {
        found = streamed(request, &metrics, &mut matrix, &targets, progress)?;
    }
    for metric in &metrics {
        if !metric.needs_statistics() && !fits {
            found.push(too_large(metric.name));
        } else if !found.iter().any(|evaluation| evaluation.score.metric == metric.name) {
            metrics_left.push(metric);
        }
    }
    if !metrics_left.is_empty() {
        progress.phase("scoring");
        found.extend(in_memory(request, &metrics_left, matrix.into_memory()?, &targets, labels)?);
    }
    Ok(card(task, n, dim, names, in_order(&metrics, found), begun))
}

/// The scores that need statistics alone, from one pass over the rows or, without intervals, a few partial ones.
fn streamed(
    request: &Request,
    metrics: &[&Metric],
    matrix: &mut Matrix,
    targets: &Targets,
    progress: &dyn Progress,
) -> Result<Vec<Evaluation>, Error> {
    let some_need_rows = metrics.iter().any(|metric| !metric.needs_statistics());
    let metrics: Vec<&Metric> = metrics.iter().copied().filter(|metric| metric.needs_statistics()).collect();
    if metrics.is_empty() {
        return Ok(vec![]);
    }
    // Before the rows are held: a pilot of a stream is its beginning, whoever reads it.
    let precision = matrix.precision()?;
    if some_need_rows && matrix.rows().saturating_mul(matrix.dim()) <= MOST_NUMBERS {
        progress.phase("reading");
        matrix.hold()?;
    }
    let (n, dim, asked) = (matrix.rows(), matrix.dim(), request.asked);
    if moments_numbers(dim, targets.names().len(), asked.permutations + 1) > MOST_STATISTICS {
        let note = "dimensions x (dimensions + classes x responses) are more than 2^29. Score a narrower layer";
        return Ok(metrics
            .iter()
            .map(|metric| Evaluation::without_value(metric.name, Status::TooLarge, note))
            .collect());
    }
    let count = shard_count(n, dim);
    let seed = request.settings.seed;
    let shard_of_row = Partition::shards_without_order(targets, seed, count);
    let layout = Layout { shard_of_row: &shard_of_row, count };
    let permutations = score::permutations_of(layout.shard_of_row, count, asked.permutations, seed);
    let responses = Responses::with_permutations(targets, permutations);
    let apart = asked.interval && score::keeps_apart(count, dim, targets.names().len(), responses.count());
    progress.begin(PASS, 0, n);
    let shards = if apart {
        let all: Vec<usize> = (0..count).collect();
        matrix.shards(&all, &layout, &responses, &precision, progress).map(Shards::from_list)
    } else {
        matrix.total(&layout, &responses, &precision, progress).map(|total| Shards::from_list(vec![total]))
    };
    progress.end(PASS);
    progress.phase("scoring");
    Ok(score::of_statistics(&metrics, &shards?, asked, absent_numbers(targets)))
}

/// How many numbers the statistics of one shard have.
pub(super) fn moments_numbers(dim: usize, width: usize, responses: usize) -> usize {
    dim.saturating_mul(dim.saturating_add(width.saturating_mul(responses)))
}

/// Scores of rows in memory, in the order of the partition.
fn in_memory(
    request: &Request,
    metrics: &[&Metric],
    features: Features,
    targets: &Targets,
    labels: &Path,
) -> Result<Vec<Evaluation>, Error> {
    let order = Partition::new(targets, None, request.settings.seed);
    let refuse = |source| Error::Targets { path: show(labels), source };
    let targets = targets.select(order.order()).map_err(refuse)?;
    let inputs = inputs(request, order.order())?;
    let shards = order.shards(shard_count(features.rows(), features.dim()));
    let ordered = features.select(order.order());
    drop(features);
    let rows = Rows {
        features: &ordered,
        targets: &targets,
        shards: &shards,
        order: order.order(),
        inputs: &inputs,
        settings: &request.settings,
    };
    Ok(score::evaluate(metrics, &rows, request.asked))
}

/// The scores of a file of statistics.
fn of_statistics(request: &Request, begun: Instant) -> Result<Scorecard, Error> {
    let everything = metrics(&request.metrics, false)?;
    let asked_for_all = request.metrics == ["all"];
    let metrics: Vec<&Metric> =
        everything.into_iter().filter(|metric| !asked_for_all || metric.needs_statistics()).collect();
    let (shards, labels) = Kept::read(&request.features)?.complete(&request.features)?;
    let mut found = score::of_statistics(&metrics, &shards, request.asked, labels.absent_classes);
    if labels.permutations == 0 && request.asked.permutations > 0 {
        let note = "no null: these statistics were made without --null";
        found.iter_mut().for_each(|evaluation| evaluation.score.add_note(note));
    }
    for metric in metrics.iter().filter(|metric| !metric.needs_statistics()) {
        let note = "it needs the rows: zoologist score FEATURES LABELS";
        found.push(Evaluation::without_value(metric.name, Status::NeedsInput, note));
    }
    Ok(card(labels.task, labels.rows, labels.dim, labels.names, in_order(&metrics, found), begun))
}

/// Where the labels are: in a file of their own, or in that of the features if it can hold both.
pub(super) fn labels_path<'p>(features: &'p Path, labels: Option<&'p PathBuf>) -> Result<&'p Path, Error> {
    match labels {
        Some(labels) => Ok(labels),
        None if features.extension().is_some_and(|extension| extension == "npy") => {
            Err(Error::LabelsNeeded(show(features)))
        }
        None => Ok(features),
    }
}

/// Labels that fit so many rows.
pub(super) fn targets(
    labels: &Path,
    task: Option<Task>,
    rows: usize,
    features: &Path,
    progress: &dyn Progress,
) -> Result<Targets, Error> {
    let data::labels::Labels { targets, note } = data::labels::read(labels, task)?;
    progress.say(&note);
    if targets.len() != rows {
        let (features, labels) = (features.to_owned(), labels.to_owned());
        return Err(data::Error::RowCounts { features, features_rows: rows, labels, labels_rows: targets.len() }.into());
    }
    Ok(targets)
}

/// What only some scores need; rows in the given order.
fn inputs(request: &Request, order: &[usize]) -> Result<Inputs, Error> {
    let parallel = |path: &PathBuf| {
        let table = data::features::read(path)?;
        if table.rows() == order.len() {
            return Ok(table.select(order));
        }
        let (features, labels) = (path.clone(), request.features.clone());
        let (features_rows, labels_rows) = (table.rows(), order.len());
        Err(Error::from(data::Error::RowCounts { features, features_rows, labels, labels_rows }))
    };
    let probabilities = request.source_probabilities.as_ref().map(|path| {
        let table = parallel(path)?;
        let table = if request.source_logits { source::from_logits(&table) } else { table };
        source::check(&table, order.len()).map_err(|source| Error::Source { path: show(path), source })?;
        Ok::<_, Error>(table)
    });
    Ok(Inputs {
        source_probabilities: probabilities.transpose()?,
        source_features: request.source_features.as_ref().map(|path| data::features::read(path)).transpose()?,
        label_embeddings: request.label_embeddings.iter().map(parallel).collect::<Result<_, _>>()?,
    })
}

fn metrics(names: &[String], with_source: bool) -> Result<Vec<&'static Metric>, Error> {
    if names == ["all"] {
        let wanted = |metric: &&Metric| match metric.default {
            InAll::Yes => true,
            InAll::WithSource => with_source,
            InAll::OnRequest => false,
        };
        return Ok(METRICS.iter().filter(wanted).collect());
    }
    names.iter().map(|name| score::metric(name).ok_or_else(|| Error::UnknownMetric(name.clone()))).collect()
}

fn too_large(metric: &str) -> Evaluation {
    let note = "it needs all rows in memory: more than 2^28 numbers. Score a sample, or a narrower layer";
    Evaluation::without_value(metric, Status::TooLarge, note)
}

fn in_order(metrics: &[&Metric], mut found: Vec<Evaluation>) -> Vec<Score> {
    let place = |name: &str| metrics.iter().position(|metric| metric.name == name);
    found.sort_by_key(|evaluation| place(&evaluation.score.metric));
    found.into_iter().map(|evaluation| evaluation.score).collect()
}

fn card(task: Task, n: usize, dim: usize, names: Vec<String>, scores: Vec<Score>, begun: Instant) -> Scorecard {
    let timing = ScoreTiming { seconds: begun.elapsed().as_secs_f64() };
    Scorecard { schema: 1, task, n, classes: names.len(), class_names: names, dim, scores, timing }
}
