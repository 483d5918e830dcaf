//! `logistic`: held-out accuracy of a linear classifier trained on the features; and [`probe`], the same on one split.
//!
//! Softmax regression on centred features, penalised by lambda/2 |W|² in units of their root mean square over the
//! training rows, biases free. Lambda is one of 1, 0.1, … 1e-5: the one most often right on the last fifth of the
//! training rows, which stand in stratified order (ties: the stronger), after a fit on the others; the search goes from
//! strong to weak and ends where two in a row are no better. The classifier is then fitted again on all training
//! rows. Rows that are judged take no part in any of this.
//!
//! The score is the accuracy over five folds. Fold f holds the shards j with j mod 5 = f, so related rows stay
//! together, or every fifth row where there are fewer shards. A class of one row is only trained on. Several labels: one
//! two-class classifier each, and the mean agreement over rows and labels. Not defined for regression. The part
//! `log_loss` is the mean of -ln p(true) over the same rows and labels.
//!
//! No published definition is standard. Time some 50 steps × 25 fits × 4 n min(n, d) k.

use std::ops::Range;

use faer::Mat;
use rayon::prelude::*;

use super::penalty::{self, Chosen, Last, Points};
use super::softmax::{coordinates, largest, softmax};
use super::{Evaluation, Rows, Status, chance};
use crate::base::{Classes, Features, Targets};

/// Parts that are held out in turn.
const FOLDS: usize = 5;
/// Rows needed to train and to choose lambda.
const MIN_TRAIN: usize = 5;
/// Rows times classes times dimensions (or 32, if more) above which the score is refused.
const MAX_COST: f64 = 3e8;

/// The outcome of a probe.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Probe {
    /// Share of the test rows that are classified right.
    pub accuracy: f64,
    /// The penalty that the validation rows chose.
    pub lambda: f64,
    /// Whether the final fit converged.
    pub converged: bool,
}

/// Trains on some rows and tests on others. Rows stand in stratified order; `train` needs five or more.
pub fn probe(features: &Features, classes: &Classes, train: Range<usize>, test: Range<usize>) -> Probe {
    let data = Data::new(features);
    let labels = Labels { index: classes.index().to_vec(), classes: classes.names().len() };
    let classifier = Classifier::train(&data, &labels, &train.collect::<Vec<_>>());
    let judged = classifier.judge(&data, &labels, &test.collect::<Vec<_>>());
    Probe {
        accuracy: judged.iter().map(|judged| judged.right).sum::<f64>() / judged.len() as f64,
        lambda: classifier.0.lambda,
        converged: classifier.0.converged,
    }
}

/// The registry's entry.
pub fn evaluate(rows: &Rows) -> Evaluation {
    let without = |status: Status, note: &str| Evaluation::without_value("logistic", status, note);
    let Some(tasks) = tasks(rows.targets) else {
        return without(Status::NotApplicable, "it is defined for classes and labels only");
    };
    let outputs: usize = tasks.iter().map(|task| task.classes).sum();
    let (count, dim) = (rows.features.rows(), rows.features.dim());
    if count as f64 * outputs as f64 * (dim.min(count) as f64).max(32.0) > MAX_COST {
        return without(Status::TooLarge, "too many rows times classes times dimensions to train on five times");
    }
    let folds = folds(rows.shards, count);
    let largest_fold = (0..FOLDS).map(|fold| folds.iter().filter(|&&other| other == fold).count()).max();
    if count < 2 * MIN_TRAIN || count - largest_fold.unwrap_or_default() < MIN_TRAIN {
        return without(Status::NotApplicable, "it needs ten rows or more, and five to train on");
    }
    let data = Data::new(rows.features);
    let one = |place: usize| held_out(&data, &tasks[place / FOLDS], &folds, place % FOLDS);
    let found: Vec<(Vec<Judged>, bool)> = (0..tasks.len() * FOLDS).into_par_iter().map(one).collect();
    let tested = tested(rows.targets);
    if tested.is_empty() {
        return without(Status::NotApplicable, "every class has one row: none can be held out");
    }
    summary(rows, &tested, &found)
}

/// Puts the judgements together.
fn summary(rows: &Rows, tested: &[usize], found: &[(Vec<Judged>, bool)]) -> Evaluation {
    let labels = (found.len() / FOLDS) as f64;
    let (mut right, mut loss) = (vec![0.0; rows.targets.len()], vec![0.0; rows.targets.len()]);
    for judged in found.iter().flat_map(|(judged, _)| judged) {
        right[judged.row] += judged.right / labels;
        loss[judged.row] += judged.loss / labels;
    }
    let failed = found.iter().filter(|(_, converged)| !converged).count();
    let failed = (failed > 0).then(|| format!("{failed} of {} fits did not converge", found.len()));
    let note = [guessing(rows.targets), failed].into_iter().flatten().reduce(|a, b| format!("{a}; {b}"));
    let per_row: Vec<f64> = tested.iter().map(|&row| right[row]).collect();
    let place = |row: usize| tested.partition_point(|&other| other < row);
    let mut shards: Vec<Range<usize>> = rows.shards.iter().map(|s| place(s.start)..place(s.end)).collect();
    if shards.iter().any(|shard| shard.len() == tested.len()) {
        // Nothing would be left without that shard.
        shards.clear();
    }
    let mut evaluation = Evaluation::mean_of_rows("logistic", &per_row, &shards, note);
    let log_loss = tested.iter().map(|&row| loss[row]).sum::<f64>() / tested.len() as f64;
    evaluation.score.parts.insert("log_loss".to_owned(), log_loss);
    evaluation
}

/// Trains without one fold and judges its rows.
fn held_out(data: &Data, labels: &Labels, folds: &[usize], fold: usize) -> (Vec<Judged>, bool) {
    let (test, train): (Vec<usize>, Vec<usize>) = (0..folds.len()).partition(|&row| folds[row] == fold);
    let classifier = Classifier::train(data, labels, &train);
    (classifier.judge(data, labels, &test), classifier.0.converged)
}

/// The fold of each row.
fn folds(shards: &[Range<usize>], count: usize) -> Vec<usize> {
    let mut folds: Vec<usize> = (0..count).map(|row| row % FOLDS).collect();
    if shards.len() >= FOLDS {
        shards.iter().enumerate().for_each(|(place, shard)| folds[shard.clone()].fill(place % FOLDS));
    }
    folds
}

/// The rows whose class has another row to learn from.
fn tested(targets: &Targets) -> Vec<usize> {
    let all = 0..targets.len();
    let Targets::Classes(classes) = targets else { return all.collect() };
    let counts = classes.counts();
    all.filter(|&row| counts[classes.index()[row] as usize] > 1).collect()
}

/// One row per sample, one label each.
struct Labels {
    index: Vec<u32>,
    classes: usize,
}

/// The classifiers to train; `None` for regression.
fn tasks(targets: &Targets) -> Option<Vec<Labels>> {
    match targets {
        Targets::Classes(classes) => {
            Some(vec![Labels { index: classes.index().to_vec(), classes: classes.names().len() }])
        }
        Targets::Multilabel(columns) => {
            let set = |column: usize| (0..targets.len()).map(|row| u32::from(columns.row(row)[column] > 0.5)).collect();
            Some((0..columns.width()).map(|column| Labels { index: set(column), classes: 2 }).collect())
        }
        Targets::Regression(_) => None,
    }
}

/// What always guessing the commonest would give, as a remark.
fn guessing(targets: &Targets) -> Option<String> {
    let Targets::Multilabel(columns) = targets else { return chance(targets) };
    let share =
        |column: usize| (0..targets.len()).map(|row| columns.row(row)[column]).sum::<f64>() / targets.len() as f64;
    let shares = (0..columns.width()).map(|column| share(column).max(1.0 - share(column)));
    let mean = 100.0 * shares.sum::<f64>() / columns.width() as f64;
    Some(format!("always guessing the commoner value of each label gives {mean:.1}%"))
}

/// Features made ready.
struct Data {
    /// Principal components, r × n.
    table: Mat<f64>,
    /// Dimensions of the features.
    dim: usize,
}

impl Data {
    fn new(features: &Features) -> Self {
        Self { table: coordinates(features), dim: features.dim() }
    }
}

/// A row that took no part in training.
struct Judged {
    row: usize,
    /// 1 if it was classified right, 0 if not.
    right: f64,
    /// -ln p(true).
    loss: f64,
}

/// A trained classifier.
struct Classifier(Chosen);

impl Classifier {
    fn train(data: &Data, labels: &Labels, rows: &[usize]) -> Self {
        let (learned, validation) = rows.split_at(rows.len() * 4 / 5);
        let points = Points { table: &data.table, dim: data.dim, labels: &labels.index, classes: labels.classes };
        Self(penalty::fit(points, learned, validation, Last::WithValidation))
    }

    fn judge(&self, data: &Data, labels: &Labels, rows: &[usize]) -> Vec<Judged> {
        let mut logits = self.0.problem.logits_of(&self.0.place, &data.table, rows);
        let one = |(place, &row): (usize, &usize)| {
            let (logits, label) = (logits.col_as_slice_mut(place), labels.index[row] as usize);
            Judged { row, right: f64::from(largest(logits) == label), loss: -softmax(logits, label) }
        };
        rows.iter().enumerate().map(one).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::probe;
    use crate::base::{Classes, Features, Seed, Values};

    #[test]
    fn separable_classes_are_learnt_and_noise_is_not() {
        let mut stream = Seed(3).stream("test", "probe");
        let labels: Vec<String> = (0..300).map(|row| (row % 3).to_string()).collect();
        let classes = Classes::from_names(&labels).unwrap();
        let mut features = |signal: f64| {
            let values = (0..300 * 5).map(|place| {
                let (row, column) = (place / 5, place % 5);
                stream.unit() + if column == row % 3 { signal } else { 0.0 }
            });
            Features::new(5, Values::F64(values.collect()))
        };
        let (clear, noise) = (features(2.0), features(0.0));
        let found = probe(&clear, &classes, 0..240, 240..300);
        assert!(found.accuracy > 0.99 && found.converged, "{found:?}");
        assert!(probe(&noise, &classes, 0..240, 240..300).accuracy < 0.6);
    }
}
