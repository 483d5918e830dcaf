//! `knn`: leave-one-out accuracy of the three nearest neighbours.
//!
//! Squared Euclidean distance, the row itself excluded. Classes: the majority; where votes tie, the tied class whose
//! neighbour is nearest. Several labels: a vote per label, the mean agreement over all entries. Regression: the mean
//! of the neighbours, scored by Pearson's correlation with the target, averaged over the targets.
//!
//! Distances by one matrix product would lose digits under a large offset, so the product runs on centred features
//! and only names candidates; they are ordered by direct differences. Equal distances: the row that stands earlier in
//! the user's file. Time n² d.

use faer::Mat;
use rayon::prelude::*;

use super::{Evaluation, Rows, Status, chance, linear};
use crate::base::{Classes, Columns, Targets};

/// How many neighbours vote.
const NEIGHBOURS: usize = 3;
/// Queries answered by one matrix product.
const BLOCK: usize = 256;
/// Above this many rows only the first of the seeded order are queries.
const MAX_QUERIES: usize = 50_000;

/// The registry's entry.
pub fn evaluate(rows: &Rows) -> Evaluation {
    let count = rows.features.rows();
    if count <= NEIGHBOURS {
        return Evaluation::without_value("knn", Status::NotApplicable, "it needs more than three rows");
    }
    let neighbours = neighbours(rows);
    let sampled = (count > MAX_QUERIES).then(|| format!("queries: a seeded sample of {MAX_QUERIES} rows"));
    let note = [chance(rows.targets), sampled].into_iter().flatten().reduce(|a, b| format!("{a}; {b}"));
    match rows.targets {
        Targets::Classes(classes) => {
            mean_of_queries(rows, &neighbours, note, |row, near| f64::from(vote(classes, near) == classes.index()[row]))
        }
        Targets::Multilabel(columns) => {
            mean_of_queries(rows, &neighbours, note, |row, near| agreement(columns, row, near))
        }
        Targets::Regression(columns) => Evaluation::with_value("knn", mean_pearson(columns, &neighbours), vec![], note),
    }
}

type Neighbours = Vec<[usize; NEIGHBOURS]>;

fn mean_of_queries(
    rows: &Rows,
    neighbours: &Neighbours,
    note: Option<String>,
    right: impl Fn(usize, &[usize; NEIGHBOURS]) -> f64,
) -> Evaluation {
    let per_row: Vec<f64> = neighbours.iter().enumerate().map(|(row, near)| right(row, near)).collect();
    let clip = |place: usize| place.min(per_row.len());
    let shards: Vec<_> = rows.shards.iter().map(|shard| clip(shard.start)..clip(shard.end)).collect();
    Evaluation::mean_of_rows("knn", &per_row, &shards, note)
}

/// The nearest rows of each query, nearest first.
fn neighbours(rows: &Rows) -> Neighbours {
    let table = linear::centred(rows.features);
    let norms: Vec<f64> = (0..table.ncols()).map(|row| table.col(row).squared_norm_l2()).collect();
    let queries = table.ncols().min(MAX_QUERIES);
    let starts: Vec<usize> = (0..queries).step_by(BLOCK).collect();
    let block = |&start: &usize| {
        let end = queries.min(start + BLOCK);
        let products = linear::product(table.transpose(), table.subcols(start, end - start));
        let nearest = |query: usize| nearest(&table, &norms, rows.order, query, products.col_as_slice(query - start));
        (start..end).map(nearest).collect::<Neighbours>()
    };
    starts.par_iter().flat_map_iter(block).collect()
}

/// The nearest rows of one query, given its products with all rows.
fn nearest(table: &Mat<f64>, norms: &[f64], order: &[usize], query: usize, products: &[f64]) -> [usize; NEIGHBOURS] {
    let rough = |row: usize| norms[row] + norms[query] - 2.0 * products[row];
    let mut distances: Vec<f64> = (0..norms.len()).filter(|&row| row != query).map(rough).collect();
    let (_, &mut last, _) = distances.select_nth_unstable_by(NEIGHBOURS - 1, f64::total_cmp);
    // Every row that may be among the nearest, given the rounding of a product of d terms.
    let largest = norms.iter().copied().fold(0.0, f64::max);
    let rounding = 4.0 * table.nrows() as f64 * f64::EPSILON * (largest + norms[query]);
    let candidates = (0..norms.len()).filter(|&row| row != query && rough(row) <= last + rounding);
    let exact = |row: usize| {
        let pairs = table.col_as_slice(row).iter().zip(table.col_as_slice(query));
        (pairs.map(|(a, b)| (a - b).powi(2)).sum::<f64>(), order[row], row)
    };
    let mut ordered: Vec<(f64, usize, usize)> = candidates.map(exact).collect();
    ordered.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    std::array::from_fn(|place| ordered[place].2)
}

fn vote(classes: &Classes, near: &[usize; NEIGHBOURS]) -> u32 {
    let labels = near.map(|row| classes.index()[row]);
    let votes = |label: u32| labels.iter().filter(|&&other| other == label).count();
    let most = labels.iter().map(|&label| votes(label)).max().unwrap_or_default();
    // Neighbours stand nearest first, so the first label with the most votes wins a tie.
    labels.into_iter().find(|&label| votes(label) == most).unwrap_or(labels[0])
}

fn agreement(columns: &Columns, row: usize, near: &[usize; NEIGHBOURS]) -> f64 {
    let majority =
        |label: usize| near.iter().map(|&other| columns.row(other)[label]).sum::<f64>() * 2.0 > NEIGHBOURS as f64;
    let right = (0..columns.width()).filter(|&label| majority(label) == (columns.row(row)[label] > 0.5)).count();
    right as f64 / columns.width() as f64
}

fn mean_pearson(columns: &Columns, neighbours: &Neighbours) -> f64 {
    let one = |target: usize| {
        let predicted = |near: &[usize; NEIGHBOURS]| {
            near.iter().map(|&row| columns.row(row)[target]).sum::<f64>() / NEIGHBOURS as f64
        };
        let predictions: Vec<f64> = neighbours.iter().map(predicted).collect();
        let truth: Vec<f64> = (0..neighbours.len()).map(|row| columns.row(row)[target]).collect();
        pearson(&predictions, &truth)
    };
    (0..columns.width()).map(one).sum::<f64>() / columns.width() as f64
}

/// Pearson's correlation; 0 where one side does not vary.
fn pearson(a: &[f64], b: &[f64]) -> f64 {
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let (mean_a, mean_b) = (mean(a), mean(b));
    let product = |pairs: &mut dyn Iterator<Item = (f64, f64)>| pairs.map(|(x, y)| x * y).sum::<f64>();
    let about = |values: &[f64], mean: f64| values.iter().map(|value| value - mean).collect::<Vec<f64>>();
    let (a, b) = (about(a, mean_a), about(b, mean_b));
    let sum = |x: &[f64], y: &[f64]| product(&mut x.iter().copied().zip(y.iter().copied()));
    let spread = (sum(&a, &a) * sum(&b, &b)).sqrt();
    if spread > 0.0 { sum(&a, &b) / spread } else { 0.0 }
}
