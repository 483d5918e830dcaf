//! `hscore_regularized`: the H-score with the covariance shrunk towards a multiple of the identity.
//!
//! ```text
//! S = M2/n    tau = tr(S)/d    s2 = |S|_F²    b = (t4/n - s2)/(d n)    g = (s2 - d tau²)/d
//! a = min(b, g)/g between 0 and 1 (0 if g <= 0)
//! H = (1 - a)/(n - 1) sum_c n_c d_c' [(1 - a) S + a tau I]^+ d_c
//! ```
//!
//! with t4 the sum of the fourth powers of the centred rows' lengths: a is the shrinkage of Ledoit and Wolf. Undefined
//! but for classes; 0 for constant features. Source: Ibrahim et al., NeurIPS 2021 (arXiv 2110.06893), eq. 5. Cost: as
//! `hscore`.

use super::hscore::{ONLY_CLASSES, between_over_total};
use super::prepared::Problem;
use super::{Score, Status};

const NAME: &str = "hscore_regularized";
/// Why there is no value for features whose squares underflow.
pub(super) const TOO_SMALL: &str = "the features are too small or too large for it: scale them";

/// The registry's entry.
pub fn evaluate(problem: &Problem) -> Score {
    if problem.counts().is_none() {
        return Score::without_value(NAME, Status::NotApplicable).noted(Some(ONLY_CLASSES.to_owned()));
    }
    let rows = problem.rows() as f64;
    let level = problem.trace() / (rows * problem.dim() as f64);
    let shrinkage = shrinkage(problem);
    if level > 0.0 && !problem.scatter_square().is_normal() {
        return Score::without_value(NAME, Status::NotApplicable).noted(Some(TOO_SMALL.to_owned()));
    }
    // Constant features say nothing, and where the identity takes all, nothing of the classes is left.
    if level <= 0.0 || shrinkage >= 1.0 {
        return Score::of(NAME, 0.0);
    }
    // (1 - a) S + a tau I = (1 - a)/n (M2 + tI)
    let t = shrinkage * level * rows / (1.0 - shrinkage);
    match between_over_total(problem, t) {
        Some(sum) => Score::of(NAME, sum * rows / (rows - 1.0)),
        None => Score::without_value(NAME, Status::NotApplicable).noted(Some(ONLY_CLASSES.to_owned())),
    }
}

/// The share of the identity, a.
fn shrinkage(problem: &Problem) -> f64 {
    let (rows, dim) = (problem.rows() as f64, problem.dim() as f64);
    let level = problem.trace() / (rows * dim);
    let square = problem.scatter_square() / (rows * rows);
    let noise = (problem.fourth() / rows - square) / (dim * rows);
    let spread = (square - dim * level * level) / dim;
    if spread <= 0.0 { 0.0 } else { (noise.min(spread) / spread).clamp(0.0, 1.0) }
}
