//! `gbc`: how little the classes overlap, as Gaussian clouds of equal extent in every direction.
//!
//! Features about their mean; above 64 dimensions, their scores on the first 64 principal components. Per class: the
//! mean m_c and one variance s_c, the mean over the p dimensions of the variance (divisor n_c - 1; 0 for one row), each
//! floored at 1e-4. Bhattacharyya distance of two classes, with s = (s_i + s_j)/2:
//! B_ij = |m_i - m_j|² / (8 s) + 1/2 (ln s - 1/2 ln s_i - 1/2 ln s_j). The score is - sum over ordered pairs of
//! exp(-B_ij), at most 0. Source: Pandy et al., CVPR 2022, eq. 5 and 6, with one logarithm and not p of them, as
//! published code has it. The floor is absolute. Time n d min(n, d) above 64 dimensions, and k² p.

use faer::Mat;
use rayon::prelude::*;

use super::{Evaluation, Rows, Status, groups, linear};
use crate::base::{Classes, Targets};

/// Principal components that are kept.
const COMPONENTS: usize = 64;
/// Least variance of a dimension.
const FLOOR: f64 = 1e-4;

/// The registry's entry.
pub fn evaluate(rows: &Rows) -> Evaluation {
    let Targets::Classes(classes) = rows.targets else { return groups::classes_only("gbc") };
    let (count, dim, width) = (rows.features.rows(), rows.features.dim(), classes.names().len() as f64);
    let projection = if dim > COMPONENTS { count as f64 * dim as f64 * dim.min(count) as f64 } else { 0.0 };
    // A pair costs an exponential and differences one by one: far more than the same work in a matrix product.
    let pairs = 10.0 * width * width * (dim.min(COMPONENTS) + 50) as f64;
    if projection + pairs > linear::MAX_COST {
        let note =
            "it takes more than 5e12 multiply-adds: too many rows times dimensions, or too many pairs of classes";
        return Evaluation::without_value("gbc", Status::TooLarge, note);
    }
    let table = linear::centred(rows.features);
    let table = if dim > COMPONENTS {
        linear::Components::of(&table, COMPONENTS).map(|components| components.scores)
    } else {
        Some(table)
    };
    match table {
        Some(table) => Evaluation::with_value("gbc", -overlap(&table, classes), vec![], None),
        None => Evaluation::without_value("gbc", Status::NotApplicable, "no eigenvectors of the features are found"),
    }
}

/// Sum of exp(-B) over the ordered pairs of classes of features p × n.
fn overlap(table: &Mat<f64>, classes: &Classes) -> f64 {
    let means = groups::means(table, classes);
    let variances = variances(table, classes, &means);
    let with_later = |first: usize| {
        let one = |second: usize| {
            let pairs = means.col_as_slice(first).iter().zip(means.col_as_slice(second));
            let squared = pairs.map(|(a, b)| (a - b).powi(2)).sum();
            (-distance(squared, variances[first], variances[second])).exp()
        };
        (first + 1..variances.len()).map(one).sum::<f64>()
    };
    let sums: Vec<f64> = (0..variances.len()).into_par_iter().map(with_later).collect();
    2.0 * sums.iter().sum::<f64>()
}

/// Bhattacharyya distance of two round clouds, given the squared distance of their means.
fn distance(squared: f64, first: f64, second: f64) -> f64 {
    let middle = f64::midpoint(first, second);
    squared / (8.0 * middle) + 0.5 * (middle.ln() - 0.5 * first.ln() - 0.5 * second.ln())
}

/// The one variance of each class.
fn variances(table: &Mat<f64>, classes: &Classes, means: &Mat<f64>) -> Vec<f64> {
    let mut sums = Mat::<f64>::zeros(table.nrows(), means.ncols());
    for (row, &class) in classes.index().iter().enumerate() {
        let class = class as usize;
        let pairs = table.col_as_slice(row).iter().zip(means.col_as_slice(class));
        let into = sums.col_as_slice_mut(class).iter_mut();
        into.zip(pairs).for_each(|(sum, (value, mean))| *sum += (value - mean).powi(2));
    }
    let floored = |(class, count): (usize, usize)| {
        let freedom = count.saturating_sub(1).max(1) as f64;
        let total: f64 = sums.col_as_slice(class).iter().map(|sum| (sum / freedom).max(FLOOR)).sum();
        total / table.nrows().max(1) as f64
    };
    // Constant features have no component at all: then every class is a point of the least variance.
    let variance = |place| if table.nrows() == 0 { FLOOR } else { floored(place) };
    classes.counts().into_iter().enumerate().map(variance).collect()
}
