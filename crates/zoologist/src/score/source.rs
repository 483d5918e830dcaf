//! Probabilities that a model gives to the classes it was trained on: what `leep`, `nce` and `pactran_*` start from.

use super::{Evaluation, Rows, Status};
use crate::base::{Classes, Features, Targets, Values};

/// How far from 1 the sum of a row may be: single precision over many thousand classes stays well within.
const TOLERANCE: f64 = 1e-3;

/// Why numbers can't be used as source probabilities.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum SourceError {
    /// A row with a negative number, or whose sum is not 1 to within a thousandth.
    #[error(
        "source probabilities must be non-negative rows summing to 1; pass --source-logits for logits \
         (row {row}, counted from 0: least {least}, sum {sum})"
    )]
    NotProbabilities {
        /// Row, counted from 0.
        row: usize,
        /// Its least number.
        least: f64,
        /// Its sum.
        sum: f64,
    },
    /// Another number of rows than the features.
    #[error("FEATURES has {features} rows, the source probabilities have {source_rows}")]
    RowCount {
        /// Rows of the features.
        features: usize,
        /// Rows of the probabilities.
        source_rows: usize,
    },
}

/// Checks n × z probabilities of `rows` samples: one row per sample, not negative, each summing to 1 within 1e-3.
///
/// ```
/// use zoologist::base::{Features, Values};
/// use zoologist::score::source;
/// let logits = Features::new(2, Values::F32(vec![0.0, 0.0, 3.0, -1.0]));
/// assert!(source::check(&logits, 2).is_err());
/// assert!(source::check(&source::from_logits(&logits), 2).is_ok());
/// ```
pub fn check(probabilities: &Features, rows: usize) -> Result<(), SourceError> {
    if probabilities.rows() != rows {
        return Err(SourceError::RowCount { features: rows, source_rows: probabilities.rows() });
    }
    for row in 0..rows {
        let (mut least, mut sum) = (f64::INFINITY, 0.0);
        probabilities.visit(row..row + 1, |_, _, value| {
            least = least.min(value);
            sum += value;
        });
        // Written so that NaN fails.
        if !(least >= 0.0 && (sum - 1.0).abs() <= TOLERANCE) {
            return Err(SourceError::NotProbabilities { row, least, sum });
        }
    }
    Ok(())
}

/// Turns n × z finite logits into probabilities: the softmax of each row, in double precision. Rows that are not
/// finite stay so, and [`check`] refuses them.
#[must_use]
pub fn from_logits(logits: &Features) -> Features {
    let mut values = Vec::with_capacity(logits.rows() * logits.dim());
    logits.visit(0..logits.rows(), |_, _, value| values.push(value));
    for row in values.chunks_exact_mut(logits.dim()) {
        let top = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        row.iter_mut().for_each(|value| *value = (*value - top).exp());
        let sum: f64 = row.iter().sum();
        row.iter_mut().for_each(|value| *value /= sum);
    }
    Features::new(logits.dim(), Values::F64(values))
}

/// A metric of classes and source probabilities; where one is missing, an evaluation that says which.
pub(super) fn evaluate(
    metric: &str,
    rows: &Rows,
    compute: impl FnOnce(&Classes, &Features) -> Evaluation,
) -> Evaluation {
    let Targets::Classes(classes) = rows.targets else {
        return Evaluation::without_value(metric, Status::NotApplicable, "it is defined for classes only");
    };
    let Some(probabilities) = &rows.inputs.source_probabilities else {
        let note = "it needs the model's probabilities of its source classes: pass --source-probs FILE";
        return Evaluation::without_value(metric, Status::NeedsInput, note);
    };
    compute(classes, probabilities)
}

/// Some rows as f64, row after row.
pub(super) fn block(features: &Features, rows: &[usize]) -> Vec<f64> {
    let mut values = Vec::with_capacity(rows.len() * features.dim());
    rows.iter().for_each(|&row| features.visit(row..row + 1, |_, _, value| values.push(value)));
    values
}

#[cfg(test)]
mod tests {
    use super::{SourceError, check, from_logits};
    use crate::base::{Features, Values};

    fn refused(values: &[f64]) -> Option<usize> {
        match check(&Features::new(2, Values::F64(values.to_vec())), values.len() / 2) {
            Err(SourceError::NotProbabilities { row, .. }) => Some(row),
            _ => None,
        }
    }

    #[test]
    fn rows_that_are_no_probabilities_are_named() {
        assert_eq!(refused(&[0.5, 0.5, 1.0, 0.0]), None);
        assert_eq!(refused(&[0.5, 0.5009, 1.0, 0.0]), None);
        assert_eq!(refused(&[0.5, 0.5, 0.6, 0.402]), Some(1));
        assert_eq!(refused(&[0.5, 0.5, 1.1, -0.1]), Some(1));
        assert_eq!(refused(&[f64::NAN, 0.5]), Some(0));
        assert_eq!(refused(&[f64::INFINITY, 0.5]), Some(0));
        let two = Features::new(2, Values::F64(vec![0.5, 0.5]));
        assert_eq!(check(&two, 2), Err(SourceError::RowCount { features: 2, source_rows: 1 }));
    }

    #[test]
    fn logits_of_any_size_become_probabilities() {
        let logits = Features::new(3, Values::F32(vec![1e30, -1e30, 0.0, 1.0, 1.0, 1.0, 0.0, 3.0_f32.ln(), -1e9]));
        let Values::F64(found) = from_logits(&logits).values().clone() else { panic!("f64") };
        let third = 1.0 / 3.0;
        for (found, expected) in found.iter().zip([1.0, 0.0, 0.0, third, third, third, 0.25, 0.75, 0.0]) {
            assert!((found - expected).abs() < 1e-7, "{found} for {expected}");
        }
    }
}
