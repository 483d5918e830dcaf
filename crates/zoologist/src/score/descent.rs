//! Heads that are trained by gradient descent with a learning rate, as everybody trains them: a linear one, and one with a
//! hidden layer. Where [`super::linear_head`] and [`super::perceptron`] find the minimum, these stand where a rate and a
//! number of passes leave them.

use faer::Mat;

use super::linear::product;
use super::softmax::{largest, softmax};
use crate::base::{Features, Seed};

/// Units of the hidden layer.
const HIDDEN: usize = 64;
/// Samples of a step.
const BATCH: usize = 32;
/// Passes through the samples.
const EPOCHS: usize = 20;
/// Of Adam (Kingma and Ba, arXiv:1412.6980, algorithm 1).
const BETAS: [f64; 2] = [0.9, 0.999];
const EPSILON: f64 = 1e-8;

/// A matrix that learns, with Adam's two moments.
struct Learning {
    value: Mat<f64>,
    moments: [Mat<f64>; 2],
}

impl Learning {
    /// Of `rows` × `columns` normal numbers, so that what goes in and what comes out vary alike.
    fn drawn(rows: usize, columns: usize, seed: Seed, name: &str) -> Self {
        let mut stream = seed.stream("descent", name);
        let spread = (2.0 / columns as f64).sqrt();
        // The sum of twelve even numbers is nearly normal, and the same on every machine.
        let mut normal = || (0..12).map(|_| stream.unit()).sum::<f64>() - 6.0;
        Self::new(Mat::from_fn(rows, columns, |_, _| spread * normal()))
    }

    fn new(value: Mat<f64>) -> Self {
        let zeros = || Mat::zeros(value.nrows(), value.ncols());
        Self { moments: [zeros(), zeros()], value }
    }

    fn step(&mut self, gradient: &Mat<f64>, rate: f64, step: usize) {
        let corrections = BETAS.map(|beta| 1.0 - beta.powi(i32::try_from(step + 1).unwrap_or(i32::MAX)));
        let [first, second] = &mut self.moments;
        for column in 0..self.value.ncols() {
            for row in 0..self.value.nrows() {
                let slope = gradient[(row, column)];
                let (mean, square) = (&mut first[(row, column)], &mut second[(row, column)]);
                *mean += (1.0 - BETAS[0]) * (slope - *mean);
                *square += (1.0 - BETAS[1]) * (slope * slope - *square);
                let size = (*square / corrections[1]).sqrt() + EPSILON;
                self.value[(row, column)] -= rate * (*mean / corrections[0]) / size;
            }
        }
    }
}

/// A trained head: layer after layer, each out × (into + 1), the last column being the bias.
pub struct Head {
    layers: Vec<Learning>,
}

/// What is trained, and how fast.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct How {
    /// Whether there is a hidden layer.
    pub hidden: bool,
    /// The learning rate, which falls to 0 on a straight line.
    pub rate: f64,
}

/// Trains a head on all rows.
pub fn train(features: &Features, labels: &[u32], classes: usize, how: How, seed: Seed) -> Head {
    let dim = features.dim();
    let shapes = if how.hidden { vec![(HIDDEN, dim), (classes, HIDDEN)] } else { vec![(classes, dim)] };
    let layer = |(number, &(out, into)): (usize, &(usize, usize))| {
        let mut layer = Learning::drawn(out, into + 1, seed, &number.to_string());
        (0..out).for_each(|row| layer.value[(row, into)] = 0.0);
        layer
    };
    let mut head = Head { layers: shapes.iter().enumerate().map(layer).collect() };
    let rows = features.rows();
    let steps = EPOCHS * rows.div_ceil(BATCH);
    let mut step = 0;
    for epoch in 0..EPOCHS {
        let mut order: Vec<usize> = (0..rows).collect();
        seed.stream("descent", &format!("order {epoch}")).shuffle(&mut order);
        for batch in order.chunks(BATCH) {
            let rate = how.rate * (1.0 - step as f64 / steps as f64);
            head.step(&table(features, batch), &batch.iter().map(|&row| labels[row]).collect::<Vec<_>>(), rate, step);
            step += 1;
        }
    }
    head
}

impl Head {
    /// The most probable class of each row.
    pub fn classes(&self, features: &Features) -> Vec<u32> {
        let rows: Vec<usize> = (0..features.rows()).collect();
        let Some(logits) = self.passed(table(features, &rows)).pop() else { return vec![] };
        (0..rows.len()).map(|row| largest(logits.col_as_slice(row)) as u32).collect()
    }

    /// What goes into each layer, and last the logits, a column for each row.
    fn passed(&self, inputs: Mat<f64>) -> Vec<Mat<f64>> {
        let mut all = vec![inputs];
        for (number, layer) in self.layers.iter().enumerate() {
            let mut out = product(layer.value.as_ref(), all[number].as_ref());
            if number + 1 < self.layers.len() {
                out = with_ones(&out, |value| value.max(0.0));
            }
            all.push(out);
        }
        all
    }

    fn step(&mut self, inputs: &Mat<f64>, labels: &[u32], rate: f64, step: usize) {
        let gradients = self.gradients(inputs, labels);
        self.layers.iter_mut().zip(&gradients).for_each(|(layer, gradient)| layer.step(gradient, rate, step));
    }

    /// The gradient of the mean cross entropy, layer by layer.
    fn gradients(&self, inputs: &Mat<f64>, labels: &[u32]) -> Vec<Mat<f64>> {
        let mut passed = self.passed(inputs.clone());
        let Some(mut slope) = passed.pop() else { return vec![] };
        for (row, &label) in labels.iter().enumerate() {
            let logits = slope.col_as_slice_mut(row);
            softmax(logits, label as usize);
            logits[label as usize] -= 1.0;
            logits.iter_mut().for_each(|value| *value /= labels.len() as f64);
        }
        let mut gradients = vec![];
        for number in (0..self.layers.len()).rev() {
            gradients.push(product(slope.as_ref(), passed[number].transpose()));
            if number > 0 {
                let back = product(self.layers[number].value.transpose(), slope.as_ref());
                let inside = &passed[number];
                // The last row is that of the biases, which nothing leads back from.
                slope = Mat::from_fn(back.nrows() - 1, back.ncols(), |row, column| {
                    if inside[(row, column)] > 0.0 { back[(row, column)] } else { 0.0 }
                });
            }
        }
        gradients.reverse();
        gradients
    }
}

/// Some rows as columns, a 1 below each.
fn table(features: &Features, rows: &[usize]) -> Mat<f64> {
    let mut table = Mat::zeros(features.dim() + 1, rows.len());
    features.select(rows).visit(0..rows.len(), |row, column, value| table[(column, row)] = value);
    (0..rows.len()).for_each(|row| table[(features.dim(), row)] = 1.0);
    table
}

fn with_ones(table: &Mat<f64>, of: impl Fn(f64) -> f64) -> Mat<f64> {
    Mat::from_fn(
        table.nrows() + 1,
        table.ncols(),
        |row, column| {
            if row < table.nrows() { of(table[(row, column)]) } else { 1.0 }
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Values;

    /// Points in two rings: no line tells them apart.
    fn rings() -> (Features, Vec<u32>) {
        let mut stream = Seed(3).stream("test", "rings");
        let (mut values, mut labels) = (vec![], vec![]);
        for place in 0..200_u32 {
            let (angle, radius) = (std::f64::consts::TAU * stream.unit(), f64::from(1 + 2 * (place % 2)));
            values.extend([radius * angle.cos(), radius * angle.sin()]);
            labels.push(place % 2);
        }
        (Features::new(2, Values::F64(values)), labels)
    }

    fn right(features: &Features, labels: &[u32], how: How) -> usize {
        let found = train(features, labels, 2, how, Seed(0)).classes(features);
        found.iter().zip(labels).filter(|(found, label)| found == label).count()
    }

    #[test]
    fn a_hidden_layer_tells_apart_what_no_line_does() {
        let (features, labels) = rings();
        let linear = right(&features, &labels, How { hidden: false, rate: 0.1 });
        let hidden = right(&features, &labels, How { hidden: true, rate: 0.1 });
        assert!(linear < 150 && hidden > 190, "{linear} {hidden}");
        // A rate at which nothing is learned.
        assert!(right(&features, &labels, How { hidden: true, rate: 1e-7 }) < 150);
    }

    #[test]
    fn the_gradient_is_that_of_the_loss() {
        let (features, labels) = rings();
        let rows: Vec<usize> = (0..8).collect();
        let (inputs, labels) = (table(&features, &rows), &labels[..8]);
        let shapes = [(3, 3), (2, 4)];
        let layers = || {
            let drawn = |(number, &(out, into)): (usize, &(usize, usize))| {
                Learning::drawn(out, into, Seed(1), &number.to_string())
            };
            Head { layers: shapes.iter().enumerate().map(drawn).collect() }
        };
        let loss = |head: &Head| -> f64 {
            let logits = head.passed(inputs.clone()).pop().unwrap();
            let of_row =
                |(row, &label): (usize, &u32)| -softmax(&mut logits.col_as_slice(row).to_vec(), label as usize);
            labels.iter().enumerate().map(of_row).sum::<f64>() / labels.len() as f64
        };
        let gradients = layers().gradients(&inputs, labels);
        for (number, gradient) in gradients.iter().enumerate() {
            for (row, column) in (0..shapes[number].0).flat_map(|row| (0..shapes[number].1).map(move |it| (row, it))) {
                let moved = |by: f64| {
                    let mut head = layers();
                    head.layers[number].value[(row, column)] += by;
                    loss(&head)
                };
                let difference = (moved(1e-5) - moved(-1e-5)) / 2e-5;
                assert!((difference - gradient[(row, column)]).abs() < 1e-7, "{number} {row} {column}");
            }
        }
    }
}
