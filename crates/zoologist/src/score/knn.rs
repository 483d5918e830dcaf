//! `knn`: leave-one-out accuracy of the three nearest neighbours.
//!
//! Squared Euclidean distance, the row itself excluded. Classes: the majority; where votes tie, the tied class whose
//! neighbour is nearest (or, on request, the class that stands first). Several labels: a vote per label, the mean agreement over all entries. Regression: the mean
//! of the neighbours, scored by Pearson's correlation with the target, averaged over the targets.
//!
//! Distances by one matrix product would lose digits under a large offset, so the product runs on centred features
//! and only names candidates; they are ordered by direct differences. Equal distances: the row that stands earlier in
//! the user's file. Time n² d; memory: the features in double precision, and a few megabytes per thread.

use faer::{Accum, Mat, Par};
use rayon::prelude::*;

use super::agreement::pearson;
use super::{Evaluation, KnnTies, Rows, Status, chance, linear};
use crate::base::{Classes, Columns, Features, Targets, Values};

/// How many neighbours vote.
const NEIGHBOURS: usize = 3;
/// Queries answered by one matrix product.
const BLOCK: usize = 256;
/// Rows that these queries meet at once.
const TILE: usize = 2048;
/// Candidates of a query above which those that fell behind are dropped.
const MANY: usize = 256;
/// Above this many rows only the first of the seeded order are queries.
const MAX_QUERIES: usize = 50_000;

/// The registry's entry.
pub fn evaluate(rows: &Rows) -> Evaluation {
    let count = rows.features.rows();
    if count <= NEIGHBOURS {
        return Evaluation::without_value("knn", Status::NotApplicable, "it needs more than three rows");
    }
    let neighbours = nearest_rows(rows.features, rows.order);
    let sampled = (count > MAX_QUERIES).then(|| format!("queries: a seeded sample of {MAX_QUERIES} rows"));
    let note = [chance(rows.targets), sampled].into_iter().flatten().reduce(|a, b| format!("{a}; {b}"));
    match rows.targets {
        Targets::Classes(classes) => {
            let ties = rows.settings.knn_ties;
            let right = |row: usize, near: &_| f64::from(vote(classes, near, ties) == classes.index()[row]);
            mean_of_queries(rows, &neighbours, note, right)
        }
        Targets::Multilabel(columns) => {
            mean_of_queries(rows, &neighbours, note, |row, near| agreement(columns, row, near))
        }
        Targets::Regression(columns) => Evaluation::with_value("knn", mean_pearson(columns, &neighbours), vec![], note),
    }
}

/// Per query.
type Neighbours = Vec<[usize; NEIGHBOURS]>;

fn mean_of_queries(
    rows: &Rows,
    neighbours: &Neighbours,
    note: Option<String>,
    right: impl Fn(usize, &[usize; NEIGHBOURS]) -> f64,
) -> Evaluation {
    let per_row: Vec<f64> = neighbours.iter().enumerate().map(|(row, near)| right(row, near)).collect();
    // A sample of the queries is the beginning of the stratified order, and cut into as many parts.
    let (count, parts) = (per_row.len(), rows.shards.len());
    let sampled = || (0..parts).map(|part| part * count / parts..(part + 1) * count / parts).collect();
    let shards = if count == rows.targets.len() { rows.shards.to_vec() } else { sampled() };
    Evaluation::mean_of_rows("knn", &per_row, &shards, note)
}

/// The nearest rows of each query, nearest first; equally near rows in the given order.
pub fn nearest_rows(features: &Features, order: &[usize]) -> Neighbours {
    let table = linear::centred(features);
    let search = Search {
        norms: (0..table.ncols()).map(|row| table.col(row).squared_norm_l2()).collect(),
        // A sum of d products is off by up to d machine epsilons, and the distance holds three of them.
        rounding: 4.0 * table.nrows() as f64 * f64::EPSILON,
        order,
        features,
        table,
    };
    let queries = search.norms.len().min(MAX_QUERIES);
    let starts: Vec<usize> = (0..queries).step_by(BLOCK).collect();
    starts.par_iter().flat_map_iter(|&start| search.block(start, queries.min(start + BLOCK))).collect()
}

/// All rows, ready to be searched.
struct Search<'a> {
    /// Centred features, d × n.
    table: Mat<f64>,
    /// Squared lengths of the rows.
    norms: Vec<f64>,
    /// How far a distance made of products may be off, as a share of the two squared lengths.
    rounding: f64,
    order: &'a [usize],
    /// The rows as they are: centring rounds, and would break ties between equally near rows.
    features: &'a Features,
}

/// The rows that may be among the nearest of a query, given what was seen so far.
struct Candidates {
    query: usize,
    /// The least upper bounds of distances, rising.
    reach: [f64; NEIGHBOURS],
    /// Lower bound of the distance, and row.
    kept: Vec<(f64, usize)>,
    /// Rows of zeros, where the query is one: the first by order.
    equal: Vec<(f64, usize)>,
}

impl Search<'_> {
    /// The nearest rows of the queries `start..end`, tile after tile, so that memory does not grow with n.
    fn block(&self, start: usize, end: usize) -> Neighbours {
        let mut all: Vec<Candidates> = (start..end).map(Candidates::of).collect();
        let queries = self.table.subcols(start, end - start);
        let mut products = Mat::zeros(TILE, end - start);
        for first in (0..self.norms.len()).step_by(TILE) {
            let tile = self.table.subcols(first, TILE.min(self.norms.len() - first));
            let into = products.subrows_mut(0, tile.ncols());
            faer::linalg::matmul::matmul(into, Accum::Replace, tile.transpose(), queries, 1.0, Par::Seq);
            for (place, candidates) in all.iter_mut().enumerate() {
                candidates.see(self, first, &products.col_as_slice(place)[..tile.ncols()]);
            }
        }
        all.into_iter().map(|candidates| self.nearest(candidates)).collect()
    }

    fn distance(&self, a: usize, b: usize) -> f64 {
        match self.features.values() {
            Values::F32(values) => squared_distance(values, self.features.dim(), a, b),
            Values::F64(values) => squared_distance(values, self.features.dim(), a, b),
        }
    }

    /// The nearest of the candidates, by direct differences.
    fn nearest(&self, mut candidates: Candidates) -> [usize; NEIGHBOURS] {
        candidates.drop_far();
        let exact = |&(_, row): &(f64, usize)| (self.distance(candidates.query, row), self.order[row], row);
        let mut ordered: Vec<(f64, usize, usize)> =
            candidates.kept.iter().chain(&candidates.equal).map(exact).collect();
        ordered.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        std::array::from_fn(|place| ordered[place].2)
    }
}

/// The squared distance of two rows.
fn squared_distance<T: Copy + Into<f64>>(values: &[T], dim: usize, a: usize, b: usize) -> f64 {
    let row = |row: usize| values[row * dim..(row + 1) * dim].iter().map(|&value| value.into());
    row(a).zip(row(b)).map(|(a, b)| (a - b).powi(2)).sum()
}

impl Candidates {
    fn of(query: usize) -> Self {
        Self { query, reach: [f64::INFINITY; NEIGHBOURS], kept: vec![], equal: vec![] }
    }

    /// Takes in rows from `first` on, given their products with the query.
    fn see(&mut self, search: &Search, first: usize, products: &[f64]) {
        let own = search.norms[self.query];
        for ((row, norm), product) in (first..).zip(&search.norms[first..]).zip(products) {
            let (rough, slack) = (norm + own - 2.0 * product, search.rounding * (norm + own));
            if rough == 0.0 && slack == 0.0 && row != self.query {
                self.keep_equal(search, row);
                continue;
            }
            if rough - slack > self.reach[NEIGHBOURS - 1] || row == self.query {
                continue;
            }
            self.kept.push((rough - slack, row));
            let place = self.reach.partition_point(|&bound| bound <= rough + slack);
            if place < NEIGHBOURS {
                self.reach[place..].rotate_right(1);
                self.reach[place] = rough + slack;
            }
        }
        if self.kept.len() > MANY {
            self.drop_far();
        }
    }

    /// Rows of zeros are all equally near to each other: three of them are enough, those that stand first.
    fn keep_equal(&mut self, search: &Search, row: usize) {
        self.equal.push((0.0, row));
        self.equal.sort_unstable_by_key(|&(_, row)| search.order[row]);
        self.equal.truncate(NEIGHBOURS);
        if self.equal.len() == NEIGHBOURS {
            self.reach = [0.0; NEIGHBOURS];
        }
    }

    fn drop_far(&mut self) {
        let reach = self.reach[NEIGHBOURS - 1];
        self.kept.retain(|&(bound, _)| bound <= reach);
    }
}

fn vote(classes: &Classes, near: &[usize; NEIGHBOURS], ties: KnnTies) -> u32 {
    let labels = near.map(|row| classes.index()[row]);
    let votes = |label: &u32| labels.iter().filter(|&other| other == label).count();
    let most = labels.iter().map(votes).max().unwrap_or_default();
    let mut tied = labels.into_iter().filter(|label| votes(label) == most);
    // Neighbours stand nearest first.
    let winner = if ties == KnnTies::Nearest { tied.next() } else { tied.min() };
    winner.unwrap_or(labels[0])
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
        pearson(&predictions, &truth).unwrap_or_default()
    };
    (0..columns.width()).map(one).sum::<f64>() / columns.width() as f64
}
