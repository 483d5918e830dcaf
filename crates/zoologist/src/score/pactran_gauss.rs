//! `pactran_gauss`: a PAC-Bayesian bound on the loss of a linear classifier of the features.
//!
//! With centred features x_i (d numbers each), weights W (k × d) and biases b of the least
//! loss = mean cross-entropy + |W|² / (2 l n), and p_ic its probabilities:
//!
//! ```text
//! h     = sum_ic (|x_i|² + 1) (p_ic - p_ic²) + k d / (l n)                  the diagonal of the curvature, added up
//! bound = loss + k f / (2 l n) ln( h l n / (k d) + 1e-10 )                  l = 1, f = 10
//! ```
//!
//! A bound, where less is better: the score is minus it. The parts `loss` and `log_curvature` (the logarithm) give it for
//! any f: published code also takes l = 10 and 0.1, and f = 10 l or 100 l. The curvature is not divided by n though the
//! loss is, as published. Classes only; neither free of scale nor bounded by 0. Source: Ding et al., ECCV 2022
//! (arXiv 2203.05126), and its published code.
//!
//! Published code starts from unseeded noise and stops after a given number of steps; here the search starts from
//! weights of zero and goes on until it has converged, so the value is that of the one minimum. Time some hundred to thousand steps
//! × 4 n min(n, d) k.

use super::softmax::{Problem, coordinates, softmax};
use super::{Evaluation, Rows, Status};
use crate::base::Targets;

/// Variance of the prior, in units of 1 / n: l.
const PRIOR: f64 = 1.0;
/// Weight of the curvature: f.
const FACTOR: f64 = 10.0;
/// Keeps the logarithm finite.
const FLOOR: f64 = 1e-10;
/// Length of the gradient at which the search has converged.
const TOLERANCE: f64 = 1e-9;
/// Steps after which the search stops anyway.
const MAX_STEPS: usize = 2000;
/// Rows times classes times dimensions (or 32, if more) above which the score is refused.
const MAX_COST: f64 = 3e8;

/// The registry's entry.
pub fn evaluate(rows: &Rows) -> Evaluation {
    let without = |status: Status, note: &str| Evaluation::without_value("pactran_gauss", status, note);
    let Targets::Classes(classes) = rows.targets else {
        return without(Status::NotApplicable, "it is defined for classes only");
    };
    let (count, dim, width) = (rows.features.rows(), rows.features.dim(), classes.names().len());
    if count as f64 * width as f64 * (dim.min(count) as f64).max(32.0) > MAX_COST {
        return without(Status::TooLarge, "too many rows times classes times dimensions");
    }
    let table = coordinates(rows.features);
    let all: Vec<usize> = (0..count).collect();
    let problem = Problem::new(&table, classes.index(), width, &all);
    let (lambda, entries) = (1.0 / (PRIOR * count as f64), (width * dim) as f64);
    let minimum = problem.fit(&problem.start(), lambda, TOLERANCE, MAX_STEPS);
    let loss = problem.loss(&minimum.place, lambda, &mut vec![0.0; minimum.place.len()]);
    let mut logits = problem.logits_of(&minimum.place, &table, &all);
    let curvature = |row: usize| {
        let probabilities = logits.col_as_slice_mut(row);
        softmax(probabilities, 0);
        let spread: f64 = probabilities.iter().map(|p| p * (1.0 - p)).sum();
        spread * (table.col(row).squared_norm_l2() + 1.0)
    };
    let curvature = all.iter().copied().map(curvature).sum::<f64>() + entries * lambda;
    let log_curvature = (curvature / (lambda * entries) + FLOOR).ln();
    let note = (!minimum.converged).then(|| format!("the search did not converge in {MAX_STEPS} steps"));
    let bound = loss + 0.5 * width as f64 * FACTOR * lambda * log_curvature;
    let mut evaluation = Evaluation::with_value("pactran_gauss", -bound, vec![], note);
    let parts = [("loss", loss), ("log_curvature", log_curvature)];
    evaluation.score.parts.extend(parts.map(|(name, value)| (name.to_owned(), value)));
    evaluation
}
