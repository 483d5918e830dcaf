//! `lfc`: label-feature correlation, whether rows of one class have like features.
//!
//! Pearson's correlation, over all n² pairs of rows, of the inner products F F' with 1 for a pair of one class and -1
//! for others. In closed form, with d_c the class mean less the mean mu and M2 the centred Gram matrix (d × d):
//!
//! ```text
//! m   = (2 sum n_c² - n²)/n²
//! LFC = 2 sum_c n_c² (|d_c|² + 2 mu'd_c) / sqrt( (|M2|_F² + 2 n mu'M2 mu) n² (1 - m²) )
//! ```
//!
//! Undefined but for classes, and for constant features. Source: Deshpande et al. 2021 (arXiv 2102.00084), eq. 4.
//! Cost d² + k d, instead of the n² of published code.
//!
//! ```
//! use zoologist::base::{Classes, Features, Targets, Values};
//! use zoologist::{score::{lfc, Prepared}, stats::Shards};
//! let features = Features::new(1, Values::F64(vec![-1.0, -1.0, 1.0, 1.0]));
//! let targets = Targets::Classes(Classes::from_names(&["cat", "cat", "dog", "dog"])?);
//! let moments = Shards::of(&features, &targets, &[0..4]).total();
//! assert!((lfc::evaluate(&Prepared::of(&moments).problem()).value.unwrap() - 1.0).abs() < 1e-12);
//! # Ok::<(), zoologist::base::TargetsError>(())
//! ```

use super::hscore::ONLY_CLASSES;
use super::hscore_regularized::TOO_SMALL;
use super::prepared::Problem;
use super::{Score, Status};

/// The registry's entry.
pub fn evaluate(problem: &Problem) -> Score {
    let Some(counts) = problem.counts() else {
        return Score::without_value("lfc", Status::NotApplicable).noted(Some(ONLY_CLASSES.to_owned()));
    };
    let rows = problem.rows() as f64;
    let pairs: f64 = counts.iter().map(|&count| (count as f64 / rows).powi(2)).sum();
    let label_mean = 2.0 * pairs - 1.0;
    // n_c² (|d_c|² + 2 mu'd_c) = |C_c|² + 2 n_c mu'C_c
    let (squares, along) = (problem.cross_squares(), problem.cross_along_mean());
    let terms = squares.iter().zip(along).zip(counts);
    let covariance: f64 = terms.map(|((square, along), &count)| square + 2.0 * count as f64 * along).sum();
    let spread = (problem.scatter_square() + 2.0 * rows * problem.mean_energy()) * (1.0 - label_mean * label_mean);
    if problem.trace() > 0.0 && !problem.scatter_square().is_normal() {
        return Score::without_value("lfc", Status::NotApplicable).noted(Some(TOO_SMALL.to_owned()));
    }
    if spread > 0.0 {
        Score::of("lfc", 2.0 * covariance / (rows * spread.sqrt()))
    } else {
        Score::without_value("lfc", Status::NotApplicable).noted(Some("the features are constant".to_owned()))
    }
}
