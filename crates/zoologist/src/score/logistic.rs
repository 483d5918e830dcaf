//! The logistic probe: held-out accuracy of a linear classifier trained on the features.
//!
//! Features are centred and divided by one number, the root mean square of the training part. Minimised is the mean
//! cross-entropy plus lambda/2 |W|², the bias free. Lambda is chosen among powers of ten on the last fifth of the
//! training rows, which stand in stratified order; the probe is then fitted again on all of them.

use std::ops::Range;

use faer::{Accum, Mat, Par};

use super::{lbfgs, linear};
use crate::base::{Classes, Features};

/// Penalties tried, strongest first, so that each fit starts from the one before.
const LAMBDAS: [f64; 6] = [1.0, 1e-1, 1e-2, 1e-3, 1e-4, 1e-5];

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
    let cut = train.start + train.len() * 4 / 5;
    let inner = Problem::new(features, classes, train.start..cut);
    let mut start = inner.zero();
    let mut best = (f64::NEG_INFINITY, LAMBDAS[0]);
    for lambda in LAMBDAS {
        start = inner.fit(start, lambda).place;
        let accuracy = inner.accuracy(features, classes, &start, cut..train.end);
        if accuracy > best.0 {
            best = (accuracy, lambda);
        }
    }
    let outer = Problem::new(features, classes, train);
    let fit = outer.fit(outer.zero(), best.1);
    Probe { accuracy: outer.accuracy(features, classes, &fit.place, test), lambda: best.1, converged: fit.converged }
}

/// Training rows made ready: centred, of unit size.
struct Problem {
    /// d × n.
    table: Mat<f64>,
    labels: Vec<u32>,
    classes: usize,
    mean: Vec<f64>,
    size: f64,
}

impl Problem {
    fn new(features: &Features, classes: &Classes, rows: Range<usize>) -> Self {
        let mut problem = Self {
            table: Mat::zeros(0, 0),
            labels: classes.index()[rows.clone()].to_vec(),
            classes: classes.names().len(),
            mean: vec![0.0; features.dim()],
            size: 1.0,
        };
        features.visit(rows.clone(), |_, column, value| problem.mean[column] += value / rows.len() as f64);
        let mut table = problem.table_of(features, rows);
        let size = (table.squared_norm_l2() / (table.nrows() * table.ncols()) as f64).sqrt();
        if size > 0.0 {
            problem.size = size;
            table *= faer::Scale(1.0 / size);
        }
        problem.table = table;
        problem
    }

    /// Other rows, made ready with this problem's mean and size.
    fn table_of(&self, features: &Features, rows: Range<usize>) -> Mat<f64> {
        let mut table = Mat::zeros(features.dim(), rows.len());
        features.visit(rows.clone(), |row, column, value| {
            table[(column, row - rows.start)] = (value - self.mean[column]) / self.size;
        });
        table
    }

    /// Weights (k × d, column after column) and biases (k), all zero.
    fn zero(&self) -> Vec<f64> {
        vec![0.0; self.classes * (self.table.nrows() + 1)]
    }

    fn fit(&self, start: Vec<f64>, lambda: f64) -> lbfgs::Minimum {
        lbfgs::minimise(start, 1e-5, 200, |place, gradient| self.loss(place, lambda, gradient))
    }

    /// Mean cross-entropy plus lambda/2 |W|², and its gradient.
    fn loss(&self, place: &[f64], lambda: f64, gradient: &mut [f64]) -> f64 {
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

    fn accuracy(&self, features: &Features, classes: &Classes, place: &[f64], rows: Range<usize>) -> f64 {
        let logits = self.logits(place, &self.table_of(features, rows.clone()));
        let right = |(sample, &label): (usize, &u32)| {
            let column = logits.col_as_slice(sample);
            (0..column.len()).fold(0, |best, class| if column[class] > column[best] { class } else { best })
                == label as usize
        };
        let count = classes.index()[rows.clone()].iter().enumerate().filter(|&pair| right(pair)).count();
        count as f64 / rows.len() as f64
    }
}

/// Turns logits into probabilities, and gives the logarithm of one of them.
fn softmax(logits: &mut [f64], label: usize) -> f64 {
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
