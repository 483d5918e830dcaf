//! The global maximum of the profile evidence of one target column.
//!
//! l(t) can have two maxima (when column means dominate, one uses only the mean direction), can be largest at t = 0
//! (no noise) or at t = infinity (features unused). So its slope is evaluated on a grid of t, every maximum is refined,
//! and the largest of them and of the two limits wins.

use std::f64::consts::PI;

use super::reduction::{Factor, Reduction};

/// The maximum evidence of one target column.
#[derive(Debug, Clone, PartialEq)]
pub struct ColumnEvidence {
    /// Log evidence per row in nats; `None` if it has no upper bound.
    pub value: Option<f64>,
    /// Log evidence per row of using no features.
    pub without_features: f64,
    /// alpha / beta at the maximum; infinite where the features are unused.
    pub t: f64,
    /// Precision of the weights.
    pub alpha: f64,
    /// Precision of the noise.
    pub beta: f64,
    /// Effective number of parameters.
    pub gamma: f64,
    /// Whether the maximum lies at a limit.
    pub limit: Limit,
}

/// Where the maximum lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// At a finite t.
    Interior,
    /// At t = infinity: the features are unused.
    FeaturesUnused,
    /// At t = 0 with a finite value: as many independent rows as there are rows.
    NoiseFree,
    /// At t = 0, where the evidence grows without bound.
    Unbounded,
}

/// Steps of the refinement; the slope is smooth, and about eight are needed.
const MAX_STEPS: usize = 60;

/// Finds the maximum for one target column. `grid` holds the factors of [`grid`].
pub fn maximise(reduction: &Reduction, grid: &[Factor], column: usize) -> ColumnEvidence {
    let unused = without_features(reduction, column);
    let Some(lowest) = grid.first() else { return unused };
    let slopes: Vec<f64> = grid.iter().map(|factor| slope(reduction, factor, column)).collect();
    let can_fit_all = reduction.rank(lowest) as f64 >= reduction.rows;
    if !can_fit_all && (reduction.fit(lowest, column).penalised <= 0.0 || slopes[0] < 0.0) {
        return ColumnEvidence { value: None, limit: Limit::Unbounded, t: 0.0, ..unused };
    }
    let at_lowest = if can_fit_all { Limit::NoiseFree } else { Limit::Interior };
    let peaks = peaks(reduction, grid, &slopes, column).into_iter().map(|factor| (factor, Limit::Interior));
    let candidates = peaks.map(|(factor, limit)| evidence(reduction, &factor, column, limit));
    std::iter::once(evidence(reduction, lowest, column, at_lowest))
        .chain(candidates)
        .fold(unused, |best, found| if found.value > best.value { found } else { best })
}

/// The refined places where the slope turns from positive to negative.
fn peaks(reduction: &Reduction, grid: &[Factor], slopes: &[f64], column: usize) -> Vec<Factor> {
    let slope_at = |log_t: f64| slope(reduction, &reduction.factor(log_t.exp()), column);
    (1..grid.len())
        .filter(|&place| slopes[place - 1] > 0.0 && slopes[place] <= 0.0)
        .map(|place| [place - 1, place].map(|end| (grid[end].t.ln(), slopes[end])))
        .map(|bracket| reduction.factor(root(bracket, slope_at).exp()))
        .collect()
}

/// Values of t, two per decade, from far below the smallest eigenvalue that counts to far above the largest. Empty
/// when all features are 0.
pub fn grid(reduction: &Reduction) -> Vec<Factor> {
    let centred = if reduction.largest() > 0.0 { reduction.largest() } else { reduction.mean_trace() };
    if centred <= 0.0 {
        return vec![];
    }
    let (low, high) = (1e-12 * centred, 1e8 * (reduction.largest() + reduction.mean_trace()));
    let steps = (2.0 * (high / low).log10()).ceil();
    (0..=steps as usize).map(|step| reduction.factor(low * (high / low).powf(step as f64 / steps))).collect()
}

/// dl / d ln t = (gamma - n t |m|² / S) / 2.
fn slope(reduction: &Reduction, factor: &Factor, column: usize) -> f64 {
    let fit = reduction.fit(factor, column);
    (factor.gamma - reduction.rows * factor.t * fit.weight / fit.penalised.max(f64::MIN_POSITIVE)) / 2.0
}

/// l_inf = n/2 ln(n / (2 pi e y'y)).
fn without_features(reduction: &Reduction, column: usize) -> ColumnEvidence {
    let mean = reduction.target_mean[column];
    let total = reduction.target_scatter[column] + reduction.rows * mean * mean;
    let value = profile_of(reduction.rows, total);
    ColumnEvidence {
        value: Some(value),
        without_features: value,
        t: f64::INFINITY,
        alpha: f64::INFINITY,
        beta: reduction.rows / total,
        gamma: 0.0,
        limit: Limit::FeaturesUnused,
    }
}

/// The evidence per row at one t.
fn evidence(reduction: &Reduction, factor: &Factor, column: usize, limit: Limit) -> ColumnEvidence {
    let unused = without_features(reduction, column);
    let penalised = reduction.fit(factor, column).penalised;
    let value = profile_of(reduction.rows, penalised) - reduction.log_determinant(factor) / (2.0 * reduction.rows);
    let beta = reduction.rows / penalised;
    ColumnEvidence {
        value: Some(value),
        t: factor.t,
        alpha: factor.t * beta,
        beta,
        gamma: factor.gamma,
        limit,
        ..unused
    }
}

/// 1/2 ln( n / (2 pi e S) ): the log evidence per row but for the determinant.
fn profile_of(rows: f64, penalised: f64) -> f64 {
    0.5 * (rows / (2.0 * PI * penalised)).ln() - 0.5
}

/// The root of a falling function between two places (x, f(x)), by the Illinois form of the false position: an end
/// that stays twice counts half, so both ends close in.
fn root([mut left, mut right]: [(f64, f64); 2], f: impl Fn(f64) -> f64) -> f64 {
    let mut x = left.0;
    // Whether the last step moved the left end, if there was one.
    let mut moved_left = None;
    for _ in 0..MAX_STEPS {
        let before = x;
        x = right.0 - right.1 * (right.0 - left.0) / (right.1 - left.1);
        let y = f(x);
        if (x - before).abs() < 1e-10 || y == 0.0 {
            break;
        }
        if y > 0.0 {
            right.1 /= if moved_left == Some(true) { 2.0 } else { 1.0 };
            left = (x, y);
            moved_left = Some(true);
        } else {
            left.1 /= if moved_left == Some(false) { 2.0 } else { 1.0 };
            right = (x, y);
            moved_left = Some(false);
        }
    }
    x
}
