//! The effective rank of features: how many directions they use.
//!
//! exp of the entropy of the singular values of the centred features, taken as shares of their sum (Roy and Vetterli
//! 2007, definition 1). Between 1 and min(n, d).

use super::linear::{self, Basis};
use crate::base::Features;

/// The effective rank; `None` where the features do not vary.
pub fn effective_rank(features: &Features) -> Option<f64> {
    let values: Vec<f64> = Basis::of(&linear::centred(features))?.squares.iter().map(|square| square.sqrt()).collect();
    let sum: f64 = values.iter().sum();
    let entropy: f64 = values.iter().map(|value| value / sum).map(|share| -share * share.ln()).sum();
    (sum > 0.0).then(|| entropy.exp())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Values;

    #[test]
    fn equal_directions_count_fully_and_a_missing_one_not_at_all() {
        let features = |scale: f64| {
            let rows = [[1.0, 0.0, 0.0], [-1.0, 0.0, 0.0], [0.0, scale, 0.0], [0.0, -scale, 0.0]];
            Features::new(3, Values::F64(rows.concat()))
        };
        assert!((effective_rank(&features(1.0)).unwrap() - 2.0).abs() < 1e-9);
        // Singular values in the ratio 3 : 1.
        let entropy = -(0.75_f64 * 0.75_f64.ln() + 0.25 * 0.25_f64.ln());
        assert!((effective_rank(&features(3.0)).unwrap() - entropy.exp()).abs() < 1e-9);
        assert_eq!(effective_rank(&Features::new(1, Values::F64(vec![2.0; 5]))), None);
    }
}
