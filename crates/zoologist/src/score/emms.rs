//! `emms`: how well a linear map of the features gives what several language models make of the labels.
//!
//! F (n × d) and the label embeddings Y_1 … Y_m (n × e each) with every column standardised (deviation plus 1e-8):
//!
//! ```text
//! T = mean_k Y_k,  P = F F^+ T,  lambda = sparsemax( least squares: sum_k lambda_k Y_k = P ),  T' = sum_k lambda_k Y_k
//! score = -|P - T'|² / (n e)
//! ```
//!
//! at most 0. Any task: the labels speak through their embeddings alone. Source: Meng et al., NeurIPS 2023
//! (arXiv 2308.06262), algorithm 1 with one iteration; published code multiplies by e where it means to divide. Both least
//! squares are the shortest solutions under the rank rule. Time n d min(n, d) + n e (min(n, d) + m²).

use faer::Mat;

use super::linear::Basis;
use super::{Evaluation, Rows, Status, linear};
use crate::base::Features;

/// Added to every deviation, so that constant columns become zero.
const LEAST_DEVIATION: f64 = 1e-8;
/// Numbers in all label embeddings above which the score is refused: 4 GB.
const MAX_NUMBERS: usize = 500_000_000;

/// The registry's entry.
pub fn evaluate(rows: &Rows) -> Evaluation {
    let without = |status: Status, note: &str| Evaluation::without_value("emms", status, note);
    let embeddings = &rows.inputs.label_embeddings;
    let Some(first) = embeddings.first() else {
        return without(Status::NeedsInput, "it needs embeddings of the labels, one matrix per language model");
    };
    let (count, width) = (rows.features.rows(), first.dim());
    if embeddings.iter().any(|embedding| (embedding.rows(), embedding.dim()) != (count, width)) {
        return without(Status::NeedsInput, "all label embeddings need one row per sample and the same width");
    }
    if embeddings.len() * count * width > MAX_NUMBERS {
        return without(Status::TooLarge, "the label embeddings have too many numbers");
    }
    let Some(basis) = Basis::of(&standardised(rows.features)) else {
        return without(Status::NotApplicable, "the features have no eigenvectors to be found");
    };
    match mean_square(&basis, &embeddings.iter().map(standardised).collect::<Vec<_>>()) {
        Some(value) => Evaluation::with_value("emms", -value, vec![], None),
        None => without(Status::NotApplicable, "the label embeddings have no eigenvectors to be found"),
    }
}

/// |P - T'|² / (n e), from embeddings as e × n matrices.
fn mean_square(basis: &Basis, embeddings: &[Mat<f64>]) -> Option<f64> {
    let share = 1.0 / embeddings.len() as f64;
    let mean = mix(embeddings, &vec![share; embeddings.len()]);
    let coordinates = linear::product(mean.as_ref(), basis.vectors.as_ref());
    let fitted = linear::product(coordinates.as_ref(), basis.vectors.transpose());
    let weights = sparsemax(&least_squares(embeddings, &fitted)?);
    let left = fitted - mix(embeddings, &weights);
    Some(left.squared_norm_l2() / (left.nrows() * left.ncols()) as f64)
}

/// The sum of weighted matrices.
fn mix(matrices: &[Mat<f64>], weights: &[f64]) -> Mat<f64> {
    let mut sum = Mat::zeros(matrices[0].nrows(), matrices[0].ncols());
    for (matrix, &weight) in matrices.iter().zip(weights) {
        sum += matrix * faer::Scale(weight);
    }
    sum
}

/// The shortest weights of the best mix, by the eigenvectors of the m × m products.
fn least_squares(matrices: &[Mat<f64>], target: &Mat<f64>) -> Option<Vec<f64>> {
    let dot = |a: &Mat<f64>, b: &Mat<f64>| -> f64 {
        let columns = (0..a.ncols()).map(|column| a.col_as_slice(column).iter().zip(b.col_as_slice(column)));
        columns.map(|pairs| pairs.map(|(a, b)| a * b).sum::<f64>()).sum()
    };
    let count = matrices.len();
    let products = Mat::from_fn(count, count, |row, column| dot(&matrices[row], &matrices[column]));
    let (values, vectors) = linear::Tridiagonal::of(&products).eigen()?;
    let right: Vec<f64> = matrices.iter().map(|matrix| dot(matrix, target)).collect();
    let limit = values.last()? * (target.nrows() * target.ncols()) as f64 * f64::EPSILON;
    let mut weights = vec![0.0; count];
    for (place, _) in values.iter().enumerate().filter(|&(_, &value)| value > limit) {
        let vector = vectors.col_as_slice(place);
        let length = vector.iter().zip(&right).map(|(a, b)| a * b).sum::<f64>() / values[place];
        weights.iter_mut().zip(vector).for_each(|(weight, entry)| *weight += length * entry);
    }
    Some(weights)
}

/// The nearest point whose entries are not negative and sum to 1. Source: Martins and Astudillo, ICML 2016, algorithm 1.
fn sparsemax(place: &[f64]) -> Vec<f64> {
    let mut falling = place.to_vec();
    falling.sort_unstable_by(|a, b| b.total_cmp(a));
    let (mut sum, mut threshold) = (0.0, 0.0);
    for (before, value) in falling.iter().enumerate() {
        let kept = before as f64 + 1.0;
        sum += value;
        if 1.0 + kept * value > sum {
            threshold = (sum - 1.0) / kept;
        }
    }
    place.iter().map(|value| (value - threshold).max(0.0)).collect()
}

/// Columns about their mean, divided by their deviation, as a d × n matrix.
fn standardised(features: &Features) -> Mat<f64> {
    let mut table = linear::centred(features);
    let count = table.ncols() as f64;
    for column in 0..table.nrows() {
        let mut values = table.row_mut(column);
        let deviation = (values.squared_norm_l2() / count).sqrt();
        values *= faer::Scale(1.0 / (deviation + LEAST_DEVIATION));
    }
    table
}

#[cfg(test)]
mod tests {
    use super::sparsemax;

    #[test]
    fn sparsemax_gives_the_nearest_probabilities() {
        let check = |place: &[f64], expected: &[f64]| {
            let found = sparsemax(place);
            assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-15), "{found:?} for {expected:?}");
        };
        check(&[0.2, 0.3, 0.5], &[0.2, 0.3, 0.5]);
        check(&[3.0, 0.0], &[1.0, 0.0]);
        check(&[-7.0], &[1.0]);
        check(&[0.0, 0.0, 0.0, 0.0], &[0.25; 4]);
        check(&[1.0, 0.5, -1.0], &[0.75, 0.25, 0.0]);
    }
}
