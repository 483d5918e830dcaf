//! Rows that are fewer than their dimensions: what scores from statistics need of them, in n × n numbers.
//!
//! With F~ the centred rows, B = F~ F~' has the eigenvalues of the centred Gram matrix M2 = F~'F~ but for zeros, costs
//! n² d instead of n d², and its reduction n³ instead of d³. The residual of a fit comes out as a sum of positive terms,
//! where the d × d form takes a difference of nearly equal numbers: where no noise explains the targets best, only this
//! form keeps the digits.

use faer::linalg::matmul::triangular::{BlockStructure, matmul};
use faer::{Accum, Mat, Par};

use super::linear;
use crate::base::{Features, Targets};
use crate::stats::{Marginals, Responses};

/// The inner products of n rows about their mean.
pub struct WideRows<'a> {
    responses: &'a Responses<'a>,
    dim: usize,
    /// B, n × n.
    gram: Mat<f64>,
    /// F~ mean, n.
    along_mean: Vec<f64>,
    /// |mean|².
    mean_square: f64,
}

/// The same for some of the rows, about their own mean.
pub struct Part {
    /// What is known of their targets alone.
    pub marginals: Marginals,
    /// B of these rows.
    pub gram: Mat<f64>,
    /// F~ mean of these rows.
    pub along_mean: Vec<f64>,
    /// |mean|² of these rows.
    pub mean_square: f64,
    /// Y less its column means, one table per response.
    pub targets: Vec<Mat<f64>>,
}

impl<'a> WideRows<'a> {
    /// Whether this form serves so many rows of so many dimensions better.
    pub fn serves(rows: usize, dim: usize) -> bool {
        rows <= dim
    }

    /// How many responses each row has.
    pub fn responses(&self) -> usize {
        self.responses.count()
    }

    /// How many classes or target columns there are.
    pub fn width(&self) -> usize {
        self.responses.targets().names().len()
    }

    /// What is known of the targets of some rows alone.
    pub fn marginals(&self, rows: &[usize]) -> Marginals {
        Marginals::of(self.responses.targets(), rows)
    }

    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.gram.nrows()
    }

    /// Dimensions of a row.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// The inner products of all rows. Time n² d, memory n² beside a copy of the features.
    pub fn of(features: &Features, responses: &'a Responses<'a>) -> Self {
        let table = linear::centred(features);
        let rows = table.ncols();
        let mut mean = vec![0.0; features.dim()];
        features.visit(0..rows, |_, column, value| mean[column] += value);
        mean.iter_mut().for_each(|sum| *sum /= rows as f64);
        let (lower, full) = (BlockStructure::TriangularLower, BlockStructure::Rectangular);
        let mut gram = Mat::zeros(rows, rows);
        matmul(gram.as_mut(), lower, Accum::Replace, table.transpose(), full, table.as_ref(), full, 1.0, Par::Seq);
        for column in 1..rows {
            for row in 0..column {
                gram[(row, column)] = gram[(column, row)];
            }
        }
        let along = |row: usize| table.col_as_slice(row).iter().zip(&mean).map(|(a, b)| a * b).sum();
        Self {
            responses,
            dim: features.dim(),
            gram,
            along_mean: (0..rows).map(along).collect(),
            mean_square: mean.iter().map(|value| value * value).sum(),
        }
    }

    /// Some of the rows, moved to their own mean: with delta their mean about the old one, everything that is needed of
    /// delta is a mean of entries of B.
    pub fn part(&self, rows: &[usize]) -> Part {
        let count = rows.len() as f64;
        let means: Vec<f64> = rows
            .iter()
            .map(|&row| {
                let column = self.gram.col_as_slice(row);
                rows.iter().map(|&other| column[other]).sum::<f64>() / count
            })
            .collect();
        let square = means.iter().sum::<f64>() / count;
        let along = rows.iter().map(|&row| self.along_mean[row]).sum::<f64>() / count;
        let gram = Mat::from_fn(rows.len(), rows.len(), |row, column| {
            self.gram[(rows[row], rows[column])] - means[row] - means[column] + square
        });
        let along_mean =
            rows.iter().zip(&means).map(|(&row, mean)| self.along_mean[row] + mean - along - square).collect();
        let marginals = self.marginals(rows);
        let targets = (0..self.responses.count()).map(|response| self.centred_targets(response, rows)).collect();
        Part { marginals, gram, along_mean, mean_square: self.mean_square + 2.0 * along + square, targets }
    }

    fn centred_targets(&self, response: usize, rows: &[usize]) -> Mat<f64> {
        let targets = self.responses.targets();
        let mut table = Mat::from_fn(rows.len(), targets.names().len(), |row, column| {
            let source = self.responses.source(response, rows[row]);
            match targets {
                Targets::Classes(classes) => f64::from(classes.index()[source] as usize == column),
                Targets::Multilabel(columns) | Targets::Regression(columns) => columns.row(source)[column],
            }
        });
        for column in 0..table.ncols() {
            let values = table.col_as_slice_mut(column);
            let mean = values.iter().sum::<f64>() / values.len() as f64;
            values.iter_mut().for_each(|value| *value -= mean);
        }
        table
    }
}
