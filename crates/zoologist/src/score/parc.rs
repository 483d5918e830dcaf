//! `parc`: do rows that differ in their features differ in their labels?
//!
//! Features about their mean, on min(32, rank) principal components scaled to unit variance. Distance of two rows:
//! 1 - Pearson's correlation between them, over the components. Distance of their labels: 0 or 1 for classes, 1 -
//! Pearson's correlation over the labels for several labels. The score is 100 times Spearman's correlation of the two
//! over all pairs, with average ranks for ties. Source: Bolya et al., NeurIPS 2021, eq. 4, with exact components (their
//! code has randomised ones) and exact ties. The correlation of two rows depends on the signs of the components, which
//! are arbitrary: the largest loading of each is positive, as in scikit-learn, which their code uses. A row that does not vary has no correlation: its pairs are left out.
//! Undefined for fewer than two components, or if either side is the same for all pairs.
//!
//! Above 2000 rows a seeded sample of 2000. Time n² (p + log n).

use faer::Mat;

use super::{Evaluation, Rows, Status, linear};
use crate::base::Targets;

/// Principal components that are kept.
const COMPONENTS: usize = 32;
/// Rows above which a sample is taken.
const MAX_ROWS: usize = 2000;
/// Distances are whole multiples of this: what differs by rounding alone is equal.
const STEP: f64 = 1e-12;
/// Label columns above which the score is refused.
const MAX_LABELS: usize = 10_000;

/// The registry's entry.
pub fn evaluate(rows: &Rows) -> Evaluation {
    if let Targets::Regression(_) = rows.targets {
        let note = "it is defined for classes and for several labels only";
        return Evaluation::without_value("parc", Status::NotApplicable, note);
    }
    if matches!(rows.targets, Targets::Multilabel(columns) if columns.width() > MAX_LABELS) {
        return Evaluation::without_value("parc", Status::TooLarge, "more than 10000 labels");
    }
    let picked = picked(rows);
    let note = (picked.len() < rows.targets.len()).then(|| format!("a seeded sample of {MAX_ROWS} rows"));
    match correlation(rows, &picked) {
        Some(value) => Evaluation::with_value("parc", value, vec![], note),
        None => Evaluation::without_value("parc", Status::NotApplicable, "features or labels do not vary enough"),
    }
}

/// The rows that take part, in order.
fn picked(rows: &Rows) -> Vec<usize> {
    let mut picked: Vec<usize> = (0..rows.targets.len()).collect();
    if picked.len() > MAX_ROWS {
        // By place in the user's file, so that the sample does not depend on how rows are arranged here.
        picked.sort_unstable_by_key(|&row| rows.order[row]);
        rows.settings.seed.stream("parc", "sample").shuffle(&mut picked);
        picked.truncate(MAX_ROWS);
        picked.sort_unstable();
    }
    picked
}

fn correlation(rows: &Rows, picked: &[usize]) -> Option<f64> {
    let table = linear::centred(&rows.features.select(picked));
    let mut components = linear::Components::of(&table, COMPONENTS)?;
    for (place, square) in components.squares.iter().enumerate() {
        components.scores.row_mut(place).iter_mut().for_each(|value| *value /= square.sqrt());
    }
    let features = directions(components.scores);
    let (first, second) = match rows.targets {
        Targets::Classes(classes) => {
            let class = |place: usize| classes.index()[picked[place]];
            distances(&features, |a, b| Some(i64::from(class(a) != class(b))))
        }
        Targets::Multilabel(columns) | Targets::Regression(columns) => {
            let labels = Mat::from_fn(columns.width(), picked.len(), |label, place| columns.row(picked[place])[label]);
            let labels = directions(labels);
            distances(&features, |a, b| distance(&labels, a, b))
        }
    };
    spearman(&first, &second).map(|value| 100.0 * value)
}

/// Each column about its mean, of length 1, so that a product of two is Pearson's correlation; all zero where the
/// column does not vary.
fn directions(mut table: Mat<f64>) -> Mat<f64> {
    for column in 0..table.ncols() {
        let values = table.col_as_slice_mut(column);
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let size = values.iter().map(|value| value * value).sum::<f64>().sqrt();
        values.iter_mut().for_each(|value| *value -= mean);
        let norm = values.iter().map(|value| value * value).sum::<f64>().sqrt();
        let varies = norm > values.len() as f64 * f64::EPSILON * size;
        values.iter_mut().for_each(|value| *value = if varies { *value / norm } else { 0.0 });
    }
    table
}

/// 1 - correlation of two columns, in steps; `None` where one does not vary.
fn distance(directions: &Mat<f64>, first: usize, second: usize) -> Option<i64> {
    let (a, b) = (directions.col_as_slice(first), directions.col_as_slice(second));
    let varies = |values: &[f64]| values.iter().any(|&value| value != 0.0);
    (varies(a) && varies(b)).then(|| {
        let product: f64 = a.iter().zip(b).map(|(a, b)| a * b).sum();
        ((1.0 - product) / STEP).round() as i64
    })
}

/// The distances of all pairs for which both exist: of features, and of labels.
fn distances(features: &Mat<f64>, label: impl Fn(usize, usize) -> Option<i64>) -> (Vec<i64>, Vec<i64>) {
    let pairs = (0..features.ncols()).flat_map(|a| (a + 1..features.ncols()).map(move |b| (a, b)));
    pairs.filter_map(|(a, b)| distance(features, a, b).zip(label(a, b))).unzip()
}

/// Spearman's correlation; `None` where one side does not vary.
fn spearman(first: &[i64], second: &[i64]) -> Option<f64> {
    let middle = f64::midpoint(first.len() as f64, 1.0);
    let about = |values: &[i64]| ranks(values).into_iter().map(|rank| rank - middle).collect::<Vec<f64>>();
    let (a, b) = (about(first), about(second));
    let sum = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let spread = sum(&a, &a).sqrt() * sum(&b, &b).sqrt();
    (spread > 0.0).then(|| sum(&a, &b) / spread)
}

/// Ranks from 1; equal values share the average of theirs.
fn ranks(values: &[i64]) -> Vec<f64> {
    let mut order: Vec<(i64, u32)> = values.iter().copied().zip(0..).collect();
    order.sort_unstable();
    let mut ranks = vec![0.0; values.len()];
    let mut before = 0;
    for equal in order.chunk_by(|a, b| a.0 == b.0) {
        let rank = before as f64 + f64::midpoint(equal.len() as f64, 1.0);
        equal.iter().for_each(|&(_, place)| ranks[place as usize] = rank);
        before += equal.len();
    }
    ranks
}
