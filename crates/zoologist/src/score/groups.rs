//! What scores of classes share: the rows and the mean of each class.

use faer::{Mat, MatRef};

use super::{Evaluation, Status};
use crate::base::Classes;

/// The answer of a score that only knows classes to other targets.
pub fn classes_only(metric: &str) -> Evaluation {
    Evaluation::without_value(metric, Status::NotApplicable, "it is defined for classes only")
}

/// The rows of each class, in order.
pub fn rows_of_each(classes: &Classes) -> Vec<Vec<usize>> {
    let mut rows = vec![vec![]; classes.names().len()];
    for (row, &class) in classes.index().iter().enumerate() {
        rows[class as usize].push(row);
    }
    rows
}

/// Some columns of a table, side by side.
pub fn columns(table: MatRef<'_, f64>, places: &[usize]) -> Mat<f64> {
    let mut picked = Mat::zeros(table.nrows(), places.len());
    for (column, &place) in places.iter().enumerate() {
        picked.col_mut(column).copy_from(table.col(place));
    }
    picked
}

/// The mean of each class, d × k, of features d × n.
pub fn means(table: &Mat<f64>, classes: &Classes) -> Mat<f64> {
    let mut means = Mat::<f64>::zeros(table.nrows(), classes.names().len());
    for (row, &class) in classes.index().iter().enumerate() {
        let mean = means.col_as_slice_mut(class as usize);
        mean.iter_mut().zip(table.col_as_slice(row)).for_each(|(sum, value)| *sum += value);
    }
    for (class, count) in classes.counts().into_iter().enumerate() {
        means.col_as_slice_mut(class).iter_mut().for_each(|sum| *sum /= count as f64);
    }
    means
}
