//! First and second moments of features and targets about their means.

use std::ops::Range;

use faer::linalg::matmul::triangular::{BlockStructure, matmul};
use faer::{Accum, Mat, Par};

use crate::base::{Features, Targets};

/// Rows multiplied at once: large enough for a fast product, small enough to stay in cache.
const BLOCK_ROWS: usize = 512;

/// Sufficient statistics of n rows of d features F and t target columns Y (one-hot for classes).
///
/// Memory: d² + d·t numbers, whatever n. Source of the merge rules: Chan, Golub and LeVeque (1983), eq. 2.1.
#[derive(Debug, Clone)]
pub struct Moments {
    rows: usize,
    /// Mean row, d.
    mean: Vec<f64>,
    /// Centred Gram matrix (F - 1 mean')' (F - 1 mean'), d × d, lower triangle only.
    scatter: Mat<f64>,
    /// Column means of Y, t.
    target_mean: Vec<f64>,
    /// Centred sums of squares of the columns of Y, t.
    target_scatter: Vec<f64>,
    /// (F - 1 mean')' (Y - 1 target_mean'), d × t.
    cross: Mat<f64>,
}

impl Moments {
    /// Statistics of no rows, of `dim` features and `width` target columns.
    pub fn empty(dim: usize, width: usize) -> Self {
        Self {
            rows: 0,
            mean: vec![0.0; dim],
            scatter: Mat::zeros(dim, dim),
            target_mean: vec![0.0; width],
            target_scatter: vec![0.0; width],
            cross: Mat::zeros(dim, width),
        }
    }

    /// Statistics of some rows of a matrix. Targets are parallel to the rows.
    ///
    /// ```
    /// use zoologist::base::{Classes, Features, Targets, Values};
    /// use zoologist::stats::Moments;
    /// let features = Features::new(1, Values::F64(vec![1.0, 3.0, 8.0]));
    /// let targets = Targets::Classes(Classes::from_names(&["a", "a", "b"])?);
    /// let moments = Moments::of(&features, &targets, 0..3);
    /// assert_eq!((moments.rows(), moments.mean(), moments.scatter()[(0, 0)]), (3, &[4.0][..], 26.0));
    /// # Ok::<(), zoologist::base::TargetsError>(())
    /// ```
    pub fn of(features: &Features, targets: &Targets, rows: Range<usize>) -> Self {
        let mut moments = Self::empty(features.dim(), targets.names().len());
        moments.add(features, targets, rows);
        moments
    }

    /// Takes in some rows of a matrix. Targets are parallel to the rows.
    pub fn add(&mut self, features: &Features, targets: &Targets, rows: Range<usize>) {
        for start in rows.clone().step_by(BLOCK_ROWS) {
            self.merge(&Self::of_block(features, targets, start..rows.end.min(start + BLOCK_ROWS)));
        }
    }

    /// Statistics of one block, by one centring and one product.
    fn of_block(features: &Features, targets: &Targets, rows: Range<usize>) -> Self {
        let mut block = Self::empty(features.dim(), targets.names().len());
        block.rows = rows.len();
        let mut centred = Mat::zeros(features.dim(), rows.len());
        features.visit(rows.clone(), |row, column, value| centred[(column, row - rows.start)] = value);
        block.mean = centre(&mut centred);
        let mut target_rows = target_table(targets, rows);
        block.target_mean = centre(&mut target_rows);
        block.target_scatter =
            (0..target_rows.nrows()).map(|column| target_rows.row(column).squared_norm_l2()).collect();
        let square = BlockStructure::Rectangular;
        let (left, right) = (&centred, centred.transpose());
        matmul(
            &mut block.scatter,
            BlockStructure::TriangularLower,
            Accum::Replace,
            left,
            square,
            right,
            square,
            1.0,
            Par::Seq,
        );
        faer::linalg::matmul::matmul(&mut block.cross, Accum::Replace, left, target_rows.transpose(), 1.0, Par::Seq);
        block
    }

    /// Joins the statistics of other rows of the same features and targets.
    ///
    /// # Panics
    /// If the dimensions differ.
    pub fn merge(&mut self, other: &Self) {
        assert_eq!(
            (self.dim(), self.target_mean.len()),
            (other.dim(), other.target_mean.len()),
            "same features and targets"
        );
        let rows = self.rows + other.rows;
        if other.rows == 0 {
            return;
        }
        let share = other.rows as f64 / rows as f64;
        let weight = self.rows as f64 * share;
        let shift = difference(&other.mean, &self.mean);
        let target_shift = difference(&other.target_mean, &self.target_mean);
        for column in 0..shift.len() {
            let pull = weight * shift[column];
            let (into, from) = (self.scatter.col_as_slice_mut(column), other.scatter.col_as_slice(column));
            for row in column..shift.len() {
                into[row] += from[row] + pull * shift[row];
            }
        }
        for (column, &target) in target_shift.iter().enumerate() {
            let (into, from) = (self.cross.col_as_slice_mut(column), other.cross.col_as_slice(column));
            for row in 0..shift.len() {
                into[row] += from[row] + weight * target * shift[row];
            }
            self.target_scatter[column] += other.target_scatter[column] + weight * target * target;
        }
        move_towards(&mut self.mean, &shift, share);
        move_towards(&mut self.target_mean, &target_shift, share);
        self.rows = rows;
    }

    /// How many rows went in.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// How many features a row has.
    pub fn dim(&self) -> usize {
        self.mean.len()
    }

    /// The mean row, d.
    pub fn mean(&self) -> &[f64] {
        &self.mean
    }

    /// The centred Gram matrix, d × d; only its lower triangle is filled.
    pub fn scatter(&self) -> &Mat<f64> {
        &self.scatter
    }

    /// Column means of the targets, t.
    pub fn target_mean(&self) -> &[f64] {
        &self.target_mean
    }

    /// Centred sums of squares of the target columns, t.
    pub fn target_scatter(&self) -> &[f64] {
        &self.target_scatter
    }

    /// Centred products of features and targets, d × t.
    pub fn cross(&self) -> &Mat<f64> {
        &self.cross
    }

    /// Whether a target column varies. A column of equal numbers may be off its mean by rounding.
    pub fn varies(&self, column: usize) -> bool {
        let level = self.rows as f64 * self.target_mean[column].powi(2);
        self.target_scatter[column] > 1e-28 * level
    }
}

fn difference(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a - b).collect()
}

fn move_towards(mean: &mut [f64], shift: &[f64], share: f64) {
    for (mean, shift) in mean.iter_mut().zip(shift) {
        *mean += share * shift;
    }
}

/// Target columns as rows of a t × n matrix: one-hot for classes.
fn target_table(targets: &Targets, rows: Range<usize>) -> Mat<f64> {
    match targets {
        Targets::Classes(classes) => {
            let mut table = Mat::zeros(classes.names().len(), rows.len());
            for (sample, &class) in classes.index()[rows].iter().enumerate() {
                table[(class as usize, sample)] = 1.0;
            }
            table
        }
        Targets::Multilabel(columns) | Targets::Regression(columns) => {
            Mat::from_fn(columns.width(), rows.len(), |column, sample| columns.row(rows.start + sample)[column])
        }
    }
}

/// Subtracts from each row its mean, and gives the means.
fn centre(table: &mut Mat<f64>) -> Vec<f64> {
    let columns = table.ncols();
    let mut mean = vec![0.0; table.nrows()];
    for column in 0..columns {
        for (sum, value) in mean.iter_mut().zip(table.col_as_slice(column)) {
            *sum += value;
        }
    }
    mean.iter_mut().for_each(|sum| *sum /= columns as f64);
    for column in 0..columns {
        for (value, mean) in table.col_as_slice_mut(column).iter_mut().zip(&mean) {
            *value -= mean;
        }
    }
    mean
}
