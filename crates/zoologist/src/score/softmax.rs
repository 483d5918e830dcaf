//! Softmax regression: the linear classifier of least cross-entropy.
//!
//! Points x_i (d numbers each, about their mean), classes y_i out of k, weights W (k × d), biases b (k):
//!
//! ```text
//! minimise  -1/n sum_i ln softmax(W x_i + b)[y_i] + lambda/2 |W|²
//! ```
//!
//! by L-BFGS. The search runs in weights divided by an estimate of the curvature's root along each dimension, which
//! changes no minimum and saves most steps when the dimensions are principal components. Time 4 n d k per step.

use faer::{Accum, Mat, Par};

use super::linear::Basis;
use super::{lbfgs, linear};
use crate::base::Features;

/// Centred features turned into their principal components, r × n, which changes no inner product; as they are where
/// no eigenvectors are found.
pub fn coordinates(features: &Features) -> Mat<f64> {
    let table = linear::centred(features);
    match Basis::of(&table) {
        Some(Basis { vectors, squares }) => {
            Mat::from_fn(squares.len(), table.ncols(), |place, row| vectors[(row, place)] * squares[place].sqrt())
        }
        None => table,
    }
}

/// Rows to learn from.
pub struct Problem {
    /// d × n, about its mean.
    table: Mat<f64>,
    labels: Vec<u32>,
    classes: usize,
    mean: Vec<f64>,
}

impl Problem {
    /// Some rows of a d × n table and their labels.
    pub fn new(table: &Mat<f64>, labels: &[u32], classes: usize, rows: &[usize]) -> Self {
        let mut mean = vec![0.0; table.nrows()];
        for &row in rows {
            mean.iter_mut().zip(table.col_as_slice(row)).for_each(|(mean, value)| *mean += value / rows.len() as f64);
        }
        let labels = rows.iter().map(|&row| labels[row]).collect();
        Self { table: about(table, &mean, rows), labels, classes, mean }
    }

    /// Mean of |x|² over the rows.
    pub fn mean_square(&self) -> f64 {
        self.table.squared_norm_l2() / self.labels.len() as f64
    }

    /// The mean that points stand about.
    pub fn mean(&self) -> &[f64] {
        &self.mean
    }

    /// Weights of zero (k × d, column after column), and the logarithm of each class's share as its bias.
    pub fn start(&self) -> Vec<f64> {
        // Half a row more keeps a class that is missing here finite.
        let mut counts = vec![0.5; self.classes];
        self.labels.iter().for_each(|&label| counts[label as usize] += 1.0);
        let mut place = vec![0.0; self.classes * self.table.nrows()];
        place.extend(counts.iter().map(|count| (count / self.labels.len() as f64).ln()));
        place
    }

    /// Minimises from a start until the gradient of the scaled weights is shorter than a tolerance.
    pub fn fit(&self, start: &[f64], lambda: f64, tolerance: f64, max_steps: usize) -> lbfgs::Minimum {
        let scales = self.scales(lambda);
        let times = |place: &mut [f64]| {
            place.chunks_exact_mut(self.classes).zip(&scales).for_each(|(weights, scale)| {
                weights.iter_mut().for_each(|weight| *weight *= scale);
            });
        };
        let mut scaled = start.to_vec();
        scaled.chunks_exact_mut(self.classes).zip(&scales).for_each(|(weights, scale)| {
            weights.iter_mut().for_each(|weight| *weight = if *scale > 0.0 { *weight / scale } else { 0.0 });
        });
        let mut minimum = lbfgs::minimise(scaled, tolerance, max_steps, |scaled, gradient| {
            let mut place = scaled.to_vec();
            times(&mut place);
            let loss = self.loss(&place, lambda, gradient);
            times(gradient);
            loss
        });
        times(&mut minimum.place);
        minimum
    }

    /// One over the root of the curvature along each dimension and the biases, with all classes equally probable.
    fn scales(&self, lambda: f64) -> Vec<f64> {
        let (count, classes) = (self.labels.len() as f64, self.classes as f64);
        let share = (classes - 1.0) / (classes * classes);
        let curvature = |dim: usize| self.table.row(dim).squared_norm_l2() / count * share + lambda;
        let scale = |curvature: f64| if curvature > 0.0 { 1.0 / curvature.sqrt() } else { 0.0 };
        (0..self.table.nrows()).map(curvature).chain([share]).map(scale).collect()
    }

    /// Mean cross-entropy plus lambda/2 |W|², and its gradient.
    pub fn loss(&self, place: &[f64], lambda: f64, gradient: &mut [f64]) -> f64 {
        let (weights, _) = place.split_at(self.classes * self.table.nrows());
        let mut residuals = self.logits(place, &self.table);
        let count = self.labels.len() as f64;
        let mut loss = 0.5 * lambda * weights.iter().map(|weight| weight * weight).sum::<f64>();
        for (sample, &label) in self.labels.iter().enumerate() {
            let column = residuals.col_as_slice_mut(sample);
            loss -= softmax(column, label as usize) / count;
            column[label as usize] -= 1.0;
            column.iter_mut().for_each(|residual| *residual /= count);
        }
        let (into, bias_into) = gradient.split_at_mut(weights.len());
        let product = linear::product(residuals.as_ref(), self.table.transpose());
        for (feature, rows) in into.chunks_mut(self.classes).enumerate() {
            rows.copy_from_slice(product.col_as_slice(feature));
        }
        into.iter_mut().zip(weights).for_each(|(into, weight)| *into += lambda * weight);
        bias_into.fill(0.0);
        for sample in 0..residuals.ncols() {
            bias_into.iter_mut().zip(residuals.col_as_slice(sample)).for_each(|(into, residual)| *into += residual);
        }
        loss
    }

    /// k × n logits.
    fn logits(&self, place: &[f64], table: &Mat<f64>) -> Mat<f64> {
        let (weights, bias) = place.split_at(self.classes * table.nrows());
        let weights = faer::MatRef::from_column_major_slice(weights, self.classes, table.nrows());
        let mut logits = Mat::from_fn(self.classes, table.ncols(), |class, _| bias[class]);
        faer::linalg::matmul::matmul(&mut logits, Accum::Add, weights, table, 1.0, Par::Seq);
        logits
    }

    /// Logits of some rows of the whole table, k × rows.
    pub fn logits_of(&self, place: &[f64], table: &Mat<f64>, rows: &[usize]) -> Mat<f64> {
        self.logits(place, &about(table, &self.mean, rows))
    }
}

/// Some columns of a table, less a mean.
fn about(table: &Mat<f64>, mean: &[f64], rows: &[usize]) -> Mat<f64> {
    Mat::from_fn(table.nrows(), rows.len(), |place, row| table[(place, rows[row])] - mean[place])
}

/// Turns logits into probabilities, and gives the logarithm of one of them.
pub fn softmax(logits: &mut [f64], label: usize) -> f64 {
    let top = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let chosen = logits[label] - top;
    let total: f64 = logits
        .iter_mut()
        .map(|logit| {
            *logit = (*logit - top).exp();
            *logit
        })
        .sum();
    logits.iter_mut().for_each(|probability| *probability /= total);
    chosen - total.ln()
}

/// The place of the largest; the first of equals.
pub fn largest(values: &[f64]) -> usize {
    (0..values.len()).fold(0, |best, place| if values[place] > values[best] { place } else { best })
}
