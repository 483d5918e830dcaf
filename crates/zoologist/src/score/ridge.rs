//! `ridge`: leave-one-out quality of a ridge regression on the features, in closed form.
//!
//! Centred features, targets one-hot or as given, intercept not penalised. With the eigenvectors u of F F' and the
//! eigenvalues s², for each penalty lambda: w = s²/(s² + lambda), leverage h_i = 1/n + sum_k w_k u_ik², left-out error
//! e_i = (y_i - fit_i) / (1 - h_i). The lambda of least squared error wins; a tie goes to the larger. Classes: accuracy
//! of the left-out predictions; otherwise 1 - sum e² / sum (y - mean of the others)², averaged over the columns.
//! Source: Golub, Heath and Wahba (1979), eq. 1.8. Time n d min(n, d).

use std::ops::Range;

use faer::Mat;

use super::linear::Basis;
use super::linear_head::LinearHead;
use super::{Evaluation, Rows, Status, chance, linear};
use crate::base::{Columns, Features, Targets};

/// Penalties tried, as powers of ten times the largest eigenvalue.
const POWERS: std::ops::RangeInclusive<i32> = -8..=2;
/// A leverage this near 1 leaves nothing to predict from.
const LEAST_FREEDOM: f64 = 1e-10;
/// Left-out errors, n × t, above which the score is refused.
const MAX_NUMBERS: usize = 1 << 27;
/// Multiply-adds of the predictions above which the score is refused.
const MAX_COST: f64 = 2e13;

/// The registry's entry.
pub fn evaluate(rows: &Rows) -> Evaluation {
    let (count, dim, width) = (rows.features.rows(), rows.features.dim(), rows.targets.names().len());
    let cost = POWERS.count() as f64 * count as f64 * dim.min(count) as f64 * width as f64;
    if cost > MAX_COST || count.saturating_mul(width) > MAX_NUMBERS {
        return Evaluation::without_value("ridge", Status::TooLarge, "too many rows times classes for the closed form");
    }
    let targets = target_columns(rows.targets);
    let basis = Basis::of(&linear::centred(rows.features));
    let Some((_, errors)) = basis.and_then(|basis| least_left_out_errors(&basis, &targets)) else {
        let note = "no penalty leaves anything to predict from, or the features have no eigenvectors to be found";
        return Evaluation::without_value("ridge", Status::NotApplicable, note);
    };
    if let Targets::Classes(classes) = rows.targets {
        let right = |row: usize| f64::from(predicted(&targets, &errors, row) == classes.index()[row] as usize);
        let per_row: Vec<f64> = (0..count).map(right).collect();
        return Evaluation::mean_of_rows("ridge", &per_row, rows.shards, chance(rows.targets));
    }
    match mean_left_out_r2(&targets, &errors, &(0..0)) {
        Some(value) => {
            let without = |shard: &Range<usize>| mean_left_out_r2(&targets, &errors, shard);
            let replicates: Option<Vec<f64>> = rows.shards.iter().map(without).collect();
            Evaluation::with_value("ridge", value, replicates.unwrap_or_default(), None)
        }
        None => Evaluation::without_value("ridge", Status::NotApplicable, "no target varies"),
    }
}

/// What a ridge regression on some rows, with the penalty of least left-out error, predicts for others: test rows ×
/// targets, row after row. `None` where there is no such regression.
///
/// # Panics
/// If the two matrices have different widths, or `targets` has not one row per row of `train`.
pub fn predictions(train: &Features, targets: &Columns, test: &Features) -> Option<Vec<f64>> {
    Some(head(train, targets)?.apply(test))
}

/// That regression as a head. `None` where there is no such regression.
///
/// # Panics
/// If `targets` has not one row per row of `train`.
pub fn head(train: &Features, targets: &Columns) -> Option<LinearHead> {
    let targets = target_columns(&Targets::Regression(targets.clone()));
    let table = linear::centred(train);
    let basis = Basis::of(&table)?;
    let (lambda, _) = least_left_out_errors(&basis, &targets)?;
    let (centred, means) = about_their_means(&targets);
    let projected = linear::product(basis.vectors.transpose(), centred.as_ref());
    let shrunk = Mat::from_fn(projected.nrows(), projected.ncols(), |row, column| {
        projected[(row, column)] / (basis.squares[row] + lambda)
    });
    // F' U diag(1 / (s² + lambda)) U' y
    let weights = linear::product(table.as_ref(), linear::product(basis.vectors.as_ref(), shrunk.as_ref()).as_ref());
    let mut centre = vec![0.0; train.dim()];
    train.visit(0..train.rows(), |_, column, value| centre[column] += value / train.rows() as f64);
    let (dim, outputs) = (train.dim(), means.len());
    let weight = (0..dim).flat_map(|column| (0..outputs).map(move |target| (column, target)));
    let head = LinearHead { dim, outputs, weight: weight.map(|place| weights[place]).collect(), bias: means };
    Some(head.before_scaling(&centre, &vec![1.0; dim]))
}

/// Targets about their means, and these means.
fn about_their_means(targets: &Mat<f64>) -> (Mat<f64>, Vec<f64>) {
    let rows = targets.nrows() as f64;
    let means: Vec<f64> = (0..targets.ncols()).map(|column| targets.col(column).sum() / rows).collect();
    let centred = Mat::from_fn(targets.nrows(), targets.ncols(), |row, column| targets[(row, column)] - means[column]);
    (centred, means)
}

/// The best penalty, and the left-out errors at it, n × t.
fn least_left_out_errors(basis: &Basis, targets: &Mat<f64>) -> Option<(f64, Mat<f64>)> {
    let top = basis.squares.last()?;
    let (centred, _) = about_their_means(targets);
    let projected = linear::product(basis.vectors.transpose(), centred.as_ref());
    let mut best: Option<(f64, f64, Mat<f64>)> = None;
    for power in POWERS.rev() {
        let lambda = top * 10_f64.powi(power);
        let weights: Vec<f64> = basis.squares.iter().map(|square| square / (square + lambda)).collect();
        let Some(errors) = left_out_errors(basis, &weights, &projected, &centred) else { continue };
        let total = errors.squared_norm_l2();
        if best.as_ref().is_none_or(|(least, ..)| total < *least) {
            best = Some((total, lambda, errors));
        }
    }
    best.map(|(_, lambda, errors)| (lambda, errors))
}

/// Left-out errors at one penalty; `None` where some row determines its own fit.
fn left_out_errors(basis: &Basis, weights: &[f64], projected: &Mat<f64>, centred: &Mat<f64>) -> Option<Mat<f64>> {
    let mut freedom = vec![1.0 - 1.0 / centred.nrows() as f64; centred.nrows()];
    for (column, weight) in weights.iter().enumerate() {
        let vector = basis.vectors.col_as_slice(column);
        freedom.iter_mut().zip(vector).for_each(|(freedom, u)| *freedom -= weight * u * u);
    }
    if freedom.iter().any(|&freedom| freedom < LEAST_FREEDOM) {
        return None;
    }
    let shrunk =
        Mat::from_fn(projected.nrows(), projected.ncols(), |row, column| weights[row] * projected[(row, column)]);
    let fitted = linear::product(basis.vectors.as_ref(), shrunk.as_ref());
    Some(Mat::from_fn(centred.nrows(), centred.ncols(), |row, column| {
        (centred[(row, column)] - fitted[(row, column)]) / freedom[row]
    }))
}

/// The class with the largest left-out prediction; the first of equals.
fn predicted(targets: &Mat<f64>, errors: &Mat<f64>, row: usize) -> usize {
    let prediction = |column: usize| targets[(row, column)] - errors[(row, column)];
    (1..targets.ncols()).fold(0, |best, column| if prediction(column) > prediction(best) { column } else { best })
}

/// Mean over the varying columns of 1 - sum e² / sum (y - mean of the others)², but for the rows of one shard. The
/// errors are those of the regression on all rows: only the average over rows is jackknifed.
fn mean_left_out_r2(targets: &Mat<f64>, errors: &Mat<f64>, without: &Range<usize>) -> Option<f64> {
    let rows = targets.nrows() as f64;
    let sum = |values: &mut dyn Iterator<Item = f64>| -> f64 {
        values.enumerate().filter(|(row, _)| !without.contains(row)).map(|(_, value)| value).sum()
    };
    let one = |column: usize| {
        let mean = targets.col(column).sum() / rows;
        // A column of equal numbers may be off its mean by rounding. y - mean of the others = (y - mean) n / (n - 1)
        let apart = |y: &f64| ((y - mean) * rows / (rows - 1.0)).powi(2);
        let spread = sum(&mut targets.col_as_slice(column).iter().map(apart));
        let error = sum(&mut errors.col_as_slice(column).iter().map(|error| error * error));
        (spread > 1e-28 * rows * mean * mean).then(|| 1.0 - error / spread)
    };
    let found: Vec<f64> = (0..targets.ncols()).filter_map(one).collect();
    (!found.is_empty()).then(|| found.iter().sum::<f64>() / found.len() as f64)
}

/// Targets as an n × t matrix: one-hot for classes.
fn target_columns(targets: &Targets) -> Mat<f64> {
    Mat::from_fn(targets.len(), targets.names().len(), |row, column| match targets {
        Targets::Classes(classes) => f64::from(classes.index()[row] as usize == column),
        Targets::Multilabel(columns) | Targets::Regression(columns) => columns.row(row)[column],
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Values;

    #[test]
    fn predictions_follow_a_linear_rule_on_rows_that_were_not_seen() {
        let feature = |row: usize, column: usize| ((row * 7 + column * 13) % 11) as f64 + 100.0 * column as f64;
        let features = |rows: std::ops::Range<usize>| {
            Features::new(2, Values::F64(rows.flat_map(|row| [feature(row, 0), feature(row * row, 1)]).collect()))
        };
        let rule = |row: usize| 3.0 + 2.0 * feature(row, 0) - 0.5 * feature(row * row, 1);
        let targets = Columns::new(vec!["y".to_owned()], (0..40).map(rule).collect()).unwrap();
        let predicted = predictions(&features(0..40), &targets, &features(40..60)).unwrap();
        for (found, row) in predicted.iter().zip(40..60) {
            assert!((found - rule(row)).abs() < 1e-4, "{found} {}", rule(row));
        }
    }
}
