//! A linear head on features: what `logistic` and `ridge` fit, as a weight and a bias for the features as they stand, so
//! that it can be kept, attached to a network and applied to others.
//!
//! Classes: softmax regression; several labels: one two-class fit each, the difference of whose logits is the output;
//! numbers: ridge regression with the penalty of least left-out error. The penalty of a softmax regression is the one
//! most often right on rows that are given for that.

use faer::Mat;

use super::penalty::{self, Chosen, Points};

pub use super::penalty::Last;
use crate::base::{Columns, Features, Targets};

/// outputs = features · weight + bias.
#[derive(Debug, Clone, PartialEq)]
pub struct LinearHead {
    /// Dimensions of the features.
    pub dim: usize,
    /// Outputs of a sample.
    pub outputs: usize,
    /// dim × outputs, row after row.
    pub weight: Vec<f64>,
    /// One per output.
    pub bias: Vec<f64>,
}

/// A fitted head, and how often it was right on the rows that chose its penalty.
#[derive(Debug, Clone, PartialEq)]
pub struct Fitted {
    /// The head.
    pub head: LinearHead,
    /// On the validation rows, after a fit on the others: the share of right classes or labels; of numbers minus the mean
    /// squared error in units of their variance.
    pub validation: f64,
}

impl LinearHead {
    /// Outputs of all rows, row after row.
    ///
    /// # Panics
    /// If the features have other dimensions.
    pub fn apply(&self, features: &Features) -> Vec<f64> {
        assert_eq!(features.dim(), self.dim, "a head reads the features that it was fitted on");
        let mut found: Vec<f64> = (0..features.rows()).flat_map(|_| self.bias.iter().copied()).collect();
        features.visit(0..features.rows(), |row, column, value| {
            let weights = &self.weight[column * self.outputs..][..self.outputs];
            let outputs = &mut found[row * self.outputs..][..self.outputs];
            outputs.iter_mut().zip(weights).for_each(|(output, weight)| *output += value * weight);
        });
        found
    }

    /// The same for features before `(feature - mean) * factor`, column by column.
    #[must_use]
    pub fn before_scaling(mut self, means: &[f64], factors: &[f64]) -> Self {
        for (column, weights) in self.weight.chunks_exact_mut(self.outputs).enumerate() {
            for (weight, bias) in weights.iter_mut().zip(&mut self.bias) {
                *weight *= factors[column];
                *bias -= *weight * means[column];
            }
        }
        self
    }

    /// The length of each feature's weights.
    pub fn relevance(&self) -> Vec<f64> {
        let rows = self.weight.chunks_exact(self.outputs);
        rows.map(|weights| weights.iter().map(|weight| weight * weight).sum::<f64>().sqrt()).collect()
    }
}

/// Fits a head to the rows `learned`, with the penalty that those in `validation` choose; these are then learned from too,
/// unless `last` says that they are to judge once more. `None` where nothing can be fitted.
pub fn fit(
    features: &Features,
    targets: &Targets,
    learned: &[usize],
    validation: &[usize],
    last: Last,
) -> Option<Fitted> {
    if learned.is_empty() || validation.is_empty() {
        return None;
    }
    let (table, dim) = (table(features), features.dim());
    let classifier = |labels: &[u32], classes: usize| {
        penalty::fit(Points { table: &table, dim, labels, classes }, learned, validation, last)
    };
    let share = |right: usize, of: usize| right as f64 / of as f64;
    match targets {
        Targets::Regression(columns) => fit_numbers(features, columns, learned, validation, last),
        Targets::Classes(classes) => {
            let found = classifier(classes.index(), classes.names().len());
            let head = head(&found, dim, classes.names().len());
            Some(Fitted { head, validation: share(found.right, validation.len()) })
        }
        Targets::Multilabel(columns) => {
            let set = |column: usize| -> Vec<u32> {
                (0..targets.len()).map(|row| u32::from(columns.row(row)[column] > 0.5)).collect()
            };
            let each: Vec<Chosen> = (0..columns.width()).map(|column| classifier(&set(column), 2)).collect();
            let right = each.iter().map(|found| found.right).sum();
            Some(Fitted { head: beside(&each, dim), validation: share(right, validation.len() * each.len()) })
        }
    }
}

/// Features as columns, d × n.
fn table(features: &Features) -> Mat<f64> {
    let mut table = Mat::zeros(features.dim(), features.rows());
    features.visit(0..features.rows(), |row, column, value| table[(column, row)] = value);
    table
}

/// A classifier as a head for points that are not about their mean.
fn head(chosen: &Chosen, dim: usize, classes: usize) -> LinearHead {
    let (weight, bias) = chosen.place.split_at(dim * classes);
    let mut bias = bias.to_vec();
    for (weights, mean) in weight.chunks_exact(classes).zip(chosen.problem.mean()) {
        bias.iter_mut().zip(weights).for_each(|(bias, weight)| *bias -= weight * mean);
    }
    LinearHead { dim, outputs: classes, weight: weight.to_vec(), bias }
}

/// Two-class fits side by side, each as the difference of its two outputs.
fn beside(each: &[Chosen], dim: usize) -> LinearHead {
    let heads: Vec<LinearHead> = each.iter().map(|found| head(found, dim, 2)).collect();
    let weight = |column: usize| heads.iter().map(move |head| head.weight[column * 2 + 1] - head.weight[column * 2]);
    LinearHead {
        dim,
        outputs: heads.len(),
        weight: (0..dim).flat_map(weight).collect(),
        bias: heads.iter().map(|head| head.bias[1] - head.bias[0]).collect(),
    }
}

fn fit_numbers(
    features: &Features,
    columns: &Columns,
    learned: &[usize],
    validation: &[usize],
    last: Last,
) -> Option<Fitted> {
    let more = if last == Last::WithValidation { validation } else { &[] };
    let all: Vec<usize> = learned.iter().chain(more).copied().collect();
    let head = |rows: &[usize]| {
        let chosen = rows.iter().flat_map(|&row| columns.row(row).to_vec()).collect();
        let chosen = Columns::new(columns.names().to_vec(), chosen).ok()?;
        super::ridge::head(&features.select(rows), &chosen)
    };
    let judged = head(learned)?.apply(&features.select(validation));
    let width = columns.names().len();
    let error = |column: usize| {
        let truth: Vec<f64> = validation.iter().map(|&row| columns.row(row)[column]).collect();
        let mean = truth.iter().sum::<f64>() / truth.len() as f64;
        let variance = truth.iter().map(|value| (value - mean).powi(2)).sum::<f64>();
        let missed = truth.iter().zip(judged.iter().skip(column).step_by(width)).map(|(a, b)| (a - b).powi(2));
        if variance > 0.0 { missed.sum::<f64>() / variance } else { 0.0 }
    };
    let validation = -(0..width).map(error).sum::<f64>() / width as f64;
    Some(Fitted { head: head(&all)?, validation })
}

/// Mean and factor that bring each column to mean 0 and deviation 1 over some rows; columns that don't vary become 0.
pub fn scaling(features: &Features, rows: &[usize]) -> (Vec<f64>, Vec<f64>) {
    let dim = features.dim();
    let chosen = features.select(rows);
    let (mut means, mut squares) = (vec![0.0; dim], vec![0.0; dim]);
    chosen.visit(0..rows.len(), |_, column, value| means[column] += value / rows.len() as f64);
    chosen.visit(0..rows.len(), |_, column, value| squares[column] += (value - means[column]).powi(2));
    let factors = squares.iter().map(|square| if *square > 0.0 { (rows.len() as f64 / square).sqrt() } else { 0.0 });
    let factors = factors.collect();
    (means, factors)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Classes, Seed, Values};
    use crate::score::softmax::largest;

    fn features(rows: usize, dim: usize, name: &str) -> Features {
        let mut stream = Seed(1).stream("test", name);
        Features::new(dim, Values::F64((0..rows * dim).map(|_| 3.0 * stream.unit() + 5.0).collect()))
    }

    #[test]
    fn a_head_gives_the_logits_of_the_regression_that_it_came_from() {
        let (features, rows) = (features(60, 4, "a"), (0..60).collect::<Vec<usize>>());
        let at = |row: usize, column: usize| {
            let mut found = 0.0;
            features.visit(row..row + 1, |_, place, value| {
                if place == column {
                    found = value;
                }
            });
            found
        };
        let labels: Vec<String> = rows.iter().map(|&row| u8::from(at(row, 1) > at(row, 2)).to_string()).collect();
        let classes = Classes::from_names(&labels).unwrap();
        let fitted =
            fit(&features, &Targets::Classes(classes.clone()), &rows[..40], &rows[40..], Last::WithValidation).unwrap();
        let right = fitted.head.apply(&features);
        let hits = right.chunks(2).zip(classes.index()).filter(|(logits, label)| largest(logits) == **label as usize);
        assert!(hits.count() >= 57 && fitted.validation > 0.8, "{fitted:?}");
        let (means, factors) = scaling(&features, &rows);
        let scaled = |row: usize, column: usize| (at(row, column) - means[column]) * factors[column];
        let values = rows.iter().flat_map(|&row| (0..4).map(move |column| (row, column)));
        let scaled = Features::new(4, Values::F64(values.map(|(row, column)| scaled(row, column)).collect()));
        let of_scaled =
            fit(&scaled, &Targets::Classes(classes), &rows[..40], &rows[40..], Last::WithValidation).unwrap().head;
        let plain = of_scaled.clone().before_scaling(&means, &factors);
        let differences = of_scaled.apply(&scaled).into_iter().zip(plain.apply(&features)).map(|(a, b)| (a - b).abs());
        assert!(differences.fold(0.0, f64::max) < 1e-9);
    }

    #[test]
    fn numbers_are_predicted_by_the_ridge_regression() {
        let features = features(50, 3, "b");
        let mut sums = vec![0.0; 50];
        features.visit(0..50, |row, column, value| sums[row] += value * (column as f64 + 1.0));
        let columns = Columns::new(vec!["y".to_owned()], sums.clone()).unwrap();
        let rows: Vec<usize> = (0..50).collect();
        let fitted =
            fit(&features, &Targets::Regression(columns), &rows[..40], &rows[40..], Last::WithValidation).unwrap();
        let worst = fitted.head.apply(&features).into_iter().zip(sums).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(worst < 0.05 && fitted.validation > -0.01, "{worst} {}", fitted.validation);
    }
}
