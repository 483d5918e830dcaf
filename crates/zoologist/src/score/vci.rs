//! `vci`: the variability collapse index, 1 - H / rank(S_B), at least 0.
//!
//! H is the H-score, S_B = sum_c n_c d_c d_c' the scatter between the classes. 0 where each class has collapsed to its
//! mean. Undefined but for classes, and where all class means are equal. Its direction for ranking is not settled, so
//! it is computed on request and never orders. Source: Xu and Liu 2023 (arXiv 2306.03440). Cost: as `hscore`, and the
//! eigenvalues of the lesser of a k × k and a d × d matrix.

use super::hscore::{ONLY_CLASSES, between_over_total};
use super::linear::Tridiagonal;
use super::prepared::Problem;
use super::{Score, Status};

/// Above this many classes and dimensions the rank would cost more than a score should.
const LARGEST: usize = 8192;

/// The registry's entry.
pub fn evaluate(problem: &Problem) -> Score {
    let none = |status, note: &str| Score::without_value("vci", status).noted(Some(note.to_owned()));
    let Some(counts) = problem.counts() else { return none(Status::NotApplicable, ONLY_CLASSES) };
    if counts.len().min(problem.dim()) > LARGEST {
        return none(Status::TooLarge, "more than 8192 classes and dimensions");
    }
    match (between_over_total(problem, 0.0), rank_between(problem, counts)) {
        (Some(between), rank) if rank > 0 => Score::of("vci", (1.0 - between / rank as f64).max(0.0)),
        _ => none(Status::NotApplicable, "all class means are equal"),
    }
}

/// The rank of the scatter between the classes.
fn rank_between(problem: &Problem, counts: &[u64]) -> usize {
    let weights: Vec<f64> = counts.iter().map(|&count| count.max(1) as f64).collect();
    let eigenvalues = Tridiagonal::of(&problem.weighted_cross_gram(&weights)).eigenvalues();
    let size = problem.rows().max(problem.dim()) as f64;
    // Class means about the common mean sum to zero but for the rounding of sums over n rows.
    let limit = eigenvalues.last().copied().unwrap_or_default() * size * f64::EPSILON;
    eigenvalues.iter().filter(|&&value| value > limit).count()
}
