//! A head with one hidden layer on features: outputs = W₂ max(0, W₁ x + b₁) + b₂.
//!
//! Fitted on all rows at once by L-BFGS on the mean loss (cross-entropy, binary cross-entropy, or half the squared error)
//! plus lambda/2 (|W₁|² + |W₂|²). Lambda is the one most often right on validation rows. The function is not convex: where
//! the search starts is fixed by the seed.

use faer::{Mat, MatRef};

use super::linear::product;
use super::softmax::largest;
use super::{lbfgs, linear_head};
use crate::base::{Features, Seed, Stream, Targets};

/// Units of the hidden layer.
pub const HIDDEN: usize = 128;
/// Penalties tried, strongest first.
const LAMBDAS: [f64; 3] = [1e-1, 1e-2, 1e-3];
const TOLERANCE: f64 = 1e-4;
const MAX_STEPS: usize = 100;

/// A layer: into × out, row after row, and a bias.
#[derive(Debug, Clone, PartialEq)]
pub struct Layer {
    /// Numbers that go in.
    pub into: usize,
    /// Numbers that come out.
    pub out: usize,
    /// into × out, row after row.
    pub weight: Vec<f64>,
    /// One per output.
    pub bias: Vec<f64>,
}

/// Two layers, max(0, ·) between them.
#[derive(Debug, Clone, PartialEq)]
pub struct Perceptron {
    /// The hidden layer; it takes the features as they stand.
    pub hidden: Layer,
    /// The outputs.
    pub output: Layer,
    /// On the validation rows: the share of right classes or labels; of numbers minus the mean squared error in units of
    /// their variance.
    pub validation: f64,
}

/// What is right, as a table of outputs × rows.
struct Right<'a> {
    targets: &'a Targets,
    table: Mat<f64>,
}

/// Fits a perceptron to some rows and chooses its penalty by others.
pub fn fit(features: &Features, targets: &Targets, learned: &[usize], validation: &[usize], seed: Seed) -> Perceptron {
    let (means, factors) = linear_head::scaling(features, learned);
    let scaled = |rows: &[usize]| {
        let mut table = Mat::zeros(features.dim(), rows.len());
        features.select(rows).visit(0..rows.len(), |row, column, value| {
            table[(column, row)] = (value - means[column]) * factors[column];
        });
        table
    };
    let (inner, outer) = (scaled(learned), scaled(validation));
    let (scales, right) = right(targets, learned);
    let judged = Right::of(targets, validation, &scales);
    let shape = Shape { dim: features.dim(), outputs: scales.len() };
    let (mut best, mut place) = (None, shape.start(seed));
    for lambda in LAMBDAS {
        place = lbfgs::minimise(place, TOLERANCE, MAX_STEPS, |place, gradient| {
            shape.loss(place, inner.as_ref(), &right, lambda, gradient)
        })
        .place;
        let worth = judged.worth(&shape.outputs(&place, outer.as_ref()).1);
        if best.as_ref().is_none_or(|(best, _)| worth > *best) {
            best = Some((worth, place.clone()));
        }
    }
    let (worth, place) = best.unwrap_or((f64::NEG_INFINITY, place));
    shape.perceptron(&place, worth, &means, &factors, &scales)
}

/// The table of what is right for the rows to learn from; numbers in units of their deviation, with mean and deviation.
fn right<'a>(targets: &'a Targets, learned: &[usize]) -> (Vec<[f64; 2]>, Right<'a>) {
    let scales: Vec<[f64; 2]> = match targets {
        Targets::Classes(classes) => vec![[0.0, 1.0]; classes.names().len()],
        Targets::Multilabel(columns) => vec![[0.0, 1.0]; columns.names().len()],
        Targets::Regression(columns) => (0..columns.names().len())
            .map(|column| {
                let values = || learned.iter().map(|&row| columns.row(row)[column]);
                let mean = values().sum::<f64>() / learned.len() as f64;
                let variance = values().map(|value| (value - mean).powi(2)).sum::<f64>() / learned.len() as f64;
                [mean, if variance > 0.0 { variance.sqrt() } else { 1.0 }]
            })
            .collect(),
    };
    let right = Right::of(targets, learned, &scales);
    (scales, right)
}

impl<'a> Right<'a> {
    fn of(targets: &'a Targets, rows: &[usize], scales: &[[f64; 2]]) -> Self {
        let value = |output: usize, row: usize| match targets {
            Targets::Classes(classes) => f64::from(u8::from(classes.index()[row] as usize == output)),
            Targets::Multilabel(columns) => columns.row(row)[output],
            Targets::Regression(columns) => (columns.row(row)[output] - scales[output][0]) / scales[output][1],
        };
        Self { targets, table: Mat::from_fn(scales.len(), rows.len(), |output, place| value(output, rows[place])) }
    }

    /// The mean loss of outputs, which become its gradient times the number of rows.
    fn loss(&self, outputs: &mut Mat<f64>) -> f64 {
        let (width, rows) = (outputs.nrows(), outputs.ncols());
        let mut loss = 0.0;
        for row in 0..rows {
            let (column, right) = (outputs.col_as_slice_mut(row), self.table.col_as_slice(row));
            match self.targets {
                Targets::Classes(_) => {
                    let label = largest(right);
                    loss -= super::softmax::softmax(column, label);
                    column[label] -= 1.0;
                }
                Targets::Multilabel(_) => {
                    for (output, right) in column.iter_mut().zip(right) {
                        loss += (output.max(0.0) - *output * right + (-output.abs()).exp().ln_1p()) / width as f64;
                        *output = (1.0 / (1.0 + (-*output).exp()) - right) / width as f64;
                    }
                }
                Targets::Regression(_) => {
                    for (output, right) in column.iter_mut().zip(right) {
                        *output = (*output - right) / width as f64;
                        loss += 0.5 * width as f64 * *output * *output;
                    }
                }
            }
        }
        loss / rows as f64
    }

    /// The share of right ones; of numbers minus the squared error in units of the variance of those learned from.
    fn worth(&self, outputs: &Mat<f64>) -> f64 {
        let rows = outputs.ncols();
        let one = |row: usize| {
            let (found, right) = (outputs.col_as_slice(row), self.table.col_as_slice(row));
            let each = found.iter().zip(right);
            match self.targets {
                Targets::Classes(_) => f64::from(u8::from(largest(found) == largest(right))),
                Targets::Multilabel(_) => {
                    each.filter(|(a, b)| (**a > 0.0) == (**b > 0.5)).count() as f64 / found.len() as f64
                }
                Targets::Regression(_) => -each.map(|(a, b)| (a - b).powi(2)).sum::<f64>() / found.len() as f64,
            }
        };
        (0..rows).map(one).sum::<f64>() / rows as f64
    }
}

#[derive(Clone, Copy)]
struct Shape {
    dim: usize,
    outputs: usize,
}

impl Shape {
    /// W₁ (hidden × dim), b₁, W₂ (outputs × hidden), b₂; matrices column after column.
    fn parts(self, place: &[f64]) -> [&[f64]; 4] {
        let (first, rest) = place.split_at(HIDDEN * self.dim);
        let (first_bias, rest) = rest.split_at(HIDDEN);
        let (second, second_bias) = rest.split_at(self.outputs * HIDDEN);
        [first, first_bias, second, second_bias]
    }

    fn start(self, seed: Seed) -> Vec<f64> {
        let mut stream = seed.stream("perceptron", "start");
        let mut normal =
            |count: usize, spread: f64| (0..count).map(|_| spread * normal(&mut stream)).collect::<Vec<f64>>();
        let first = normal(HIDDEN * self.dim, (2.0 / self.dim as f64).sqrt());
        let second = normal(self.outputs * HIDDEN, 0.1 / (HIDDEN as f64).sqrt());
        [first, vec![0.0; HIDDEN], second, vec![0.0; self.outputs]].concat()
    }

    /// Hidden units × rows, and outputs × rows.
    fn outputs(self, place: &[f64], points: MatRef<'_, f64>) -> (Mat<f64>, Mat<f64>) {
        let [first, first_bias, second, second_bias] = self.parts(place);
        let mut hidden = product(MatRef::from_column_major_slice(first, HIDDEN, self.dim), points);
        for row in 0..hidden.ncols() {
            let units = hidden.col_as_slice_mut(row).iter_mut().zip(first_bias);
            units.for_each(|(unit, bias)| *unit = (*unit + bias).max(0.0));
        }
        let mut outputs = product(MatRef::from_column_major_slice(second, self.outputs, HIDDEN), hidden.as_ref());
        for row in 0..outputs.ncols() {
            outputs.col_as_slice_mut(row).iter_mut().zip(second_bias).for_each(|(output, bias)| *output += bias);
        }
        (hidden, outputs)
    }

    fn loss(self, place: &[f64], points: MatRef<'_, f64>, right: &Right, lambda: f64, gradient: &mut [f64]) -> f64 {
        let [first, _, second, _] = self.parts(place);
        let (hidden, mut outputs) = self.outputs(place, points);
        let rows = points.ncols() as f64;
        let squares = first.iter().chain(second).map(|weight| weight * weight).sum::<f64>();
        let loss = right.loss(&mut outputs) + 0.5 * lambda * squares;
        let weights = MatRef::from_column_major_slice(second, self.outputs, HIDDEN);
        let mut back = product(weights.transpose(), outputs.as_ref());
        for row in 0..back.ncols() {
            let units = back.col_as_slice_mut(row).iter_mut().zip(hidden.col_as_slice(row));
            units.for_each(|(back, unit)| *back = if *unit > 0.0 { *back } else { 0.0 });
        }
        let of_first = product(back.as_ref(), points.transpose());
        let of_second = product(outputs.as_ref(), hidden.transpose());
        let sums = |table: &Mat<f64>| {
            let sum = |unit: usize| table.row(unit).iter().sum::<f64>() / rows;
            (0..table.nrows()).map(sum).collect::<Vec<f64>>()
        };
        let columns = |table: &Mat<f64>, weights: &[f64]| {
            let flat = (0..table.ncols()).flat_map(|column| table.col_as_slice(column).to_vec());
            flat.zip(weights).map(|(value, weight)| value / rows + lambda * weight).collect::<Vec<f64>>()
        };
        let parts = [columns(&of_first, first), sums(&back), columns(&of_second, second), sums(&outputs)];
        gradient.copy_from_slice(&parts.concat());
        loss
    }

    /// The place as layers that take features and give outputs as they stand.
    fn perceptron(self, place: &[f64], worth: f64, means: &[f64], factors: &[f64], scales: &[[f64; 2]]) -> Perceptron {
        let [first, first_bias, second, second_bias] = self.parts(place);
        let mut bias = first_bias.to_vec();
        // Columns of W₁ stand one after the other: that is dim × hidden, row after row.
        let mut weight = first.to_vec();
        for (column, weights) in weight.chunks_exact_mut(HIDDEN).enumerate() {
            for (weight, bias) in weights.iter_mut().zip(&mut bias) {
                *weight *= factors[column];
                *bias -= *weight * means[column];
            }
        }
        let hidden = Layer { into: self.dim, out: HIDDEN, weight, bias };
        let spread = |(place, weight): (usize, &f64)| weight * scales[place % self.outputs][1];
        let weight = second.iter().enumerate().map(spread).collect();
        let bias = second_bias.iter().zip(scales).map(|(bias, [mean, deviation])| bias * deviation + mean).collect();
        Perceptron { hidden, output: Layer { into: HIDDEN, out: self.outputs, weight, bias }, validation: worth }
    }
}

fn normal(stream: &mut Stream) -> f64 {
    (-2.0 * (1.0 - stream.unit()).ln()).sqrt() * (std::f64::consts::TAU * stream.unit()).cos()
}

impl Layer {
    fn apply(&self, row: &[f64]) -> Vec<f64> {
        let mut found = self.bias.clone();
        for (value, weights) in row.iter().zip(self.weight.chunks_exact(self.out)) {
            found.iter_mut().zip(weights).for_each(|(found, weight)| *found += value * weight);
        }
        found
    }
}

impl Perceptron {
    /// Outputs of all rows, row after row.
    pub fn apply(&self, features: &Features) -> Vec<f64> {
        let mut rows = vec![vec![0.0; features.dim()]; features.rows()];
        features.visit(0..features.rows(), |row, column, value| rows[row][column] = value);
        let one = |row: &Vec<f64>| {
            let hidden: Vec<f64> = self.hidden.apply(row).into_iter().map(|unit| unit.max(0.0)).collect();
            self.output.apply(&hidden)
        };
        rows.iter().flat_map(one).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Classes, Values};

    #[test]
    fn it_learns_what_no_linear_head_can() {
        let mut stream = Seed(2).stream("test", "xor");
        let points: Vec<f64> = (0..600).map(|_| 2.0 * stream.unit() + 3.0).collect();
        let labels: Vec<String> =
            points.chunks(2).map(|point| u8::from((point[0] > 4.0) != (point[1] > 4.0)).to_string()).collect();
        let (features, rows) = (Features::new(2, Values::F64(points)), (0..300).collect::<Vec<usize>>());
        let targets = Targets::Classes(Classes::from_names(&labels).unwrap());
        let found = fit(&features, &targets, &rows[..200], &rows[200..], Seed(0));
        assert!(found.validation > 0.9, "{}", found.validation);
        let linear =
            linear_head::fit(&features, &targets, &rows[..200], &rows[200..], linear_head::Last::WithValidation)
                .unwrap();
        assert!(linear.validation < 0.7, "{}", linear.validation);
        let (Targets::Classes(classes), outputs) = (&targets, found.apply(&features)) else { panic!() };
        let right = outputs.chunks(2).zip(classes.index()).filter(|(out, label)| largest(out) == **label as usize);
        assert!(right.count() > 270);
    }

    #[test]
    fn gradients_agree_with_differences() {
        let mut stream = Seed(4).stream("test", "gradient");
        let points = Mat::from_fn(3, 5, |_, _| normal(&mut stream));
        let classes = Classes::from_numbers(&[0, 1, 1, 2, 0]).unwrap();
        let targets = Targets::Classes(classes);
        let (_, right) = right(&targets, &[0, 1, 2, 3, 4]);
        let shape = Shape { dim: 3, outputs: 3 };
        let mut place = shape.start(Seed(1));
        let mut gradient = vec![0.0; place.len()];
        shape.loss(&place, points.as_ref(), &right, 0.1, &mut gradient);
        for entry in (0..place.len()).step_by(7) {
            let mut at = |value: f64| {
                let kept = place[entry];
                place[entry] += value;
                let found = shape.loss(&place, points.as_ref(), &right, 0.1, &mut vec![0.0; gradient.len()]);
                place[entry] = kept;
                found
            };
            let difference = (at(1e-6) - at(-1e-6)) / 2e-6;
            assert!((difference - gradient[entry]).abs() < 1e-6, "{entry}: {difference} {}", gradient[entry]);
        }
    }
}
