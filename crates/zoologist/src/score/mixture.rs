//! Gaussian mixtures with full covariances, fitted by expectation and maximisation.
//!
//! Points x_i (p numbers each), m components with weight w, mean mu and covariance S (plus a ridge of 1e-6):
//!
//! ```text
//! maximise:  n_j = sum_i r_ij,  w = n_j / n,  mu = sum_i r_ij x_i / n_j,  S = sum_i r_ij (x_i - mu)(x_i - mu)' / n_j + 1e-6 I
//! expect:    ln r_ij = ln w - 1/2 ln det(2 pi S) - 1/2 (x_i - mu)' S^-1 (x_i - mu),  less ln of the row's sum
//! ```
//!
//! until the mean of ln of the row's sum changes by less than 1e-3, or 100 times. Source: Dempster, Laird and Rubin
//! (1977); the constants are scikit-learn's. Time per step n m p².

use faer::linalg::triangular_solve::solve_lower_triangular_in_place;
use faer::{Mat, MatRef, Par, Side};
use rayon::prelude::*;

use super::linear;
use crate::base::Stream;

/// Added to the diagonal of each covariance.
const RIDGE: f64 = 1e-6;
/// Change of the mean log-likelihood at which the fit stops.
const TOLERANCE: f64 = 1e-3;
/// Steps after which the fit stops anyway.
const MAX_STEPS: usize = 100;

/// A fitted mixture.
pub struct Fit {
    /// n × m probabilities of the components, given each point.
    pub posteriors: Mat<f64>,
    /// Mean ln of the density at the points, at the last step.
    pub mean_log_density: f64,
    /// Whether the fit converged.
    pub converged: bool,
}

/// Fits a mixture to p × n points, from n × m first responsibilities; `None` where a covariance can't be inverted.
pub fn fit(points: &Mat<f64>, start: Mat<f64>) -> Option<Fit> {
    let mut fit = Fit { posteriors: start, mean_log_density: f64::NEG_INFINITY, converged: false };
    for _ in 0..MAX_STEPS {
        let one = |component: usize| log_densities(points, fit.posteriors.col_as_slice(component));
        let columns: Option<Vec<Vec<f64>>> = (0..fit.posteriors.ncols()).into_par_iter().map(one).collect();
        let before = fit.mean_log_density;
        fit.mean_log_density = normalise(&columns?, &mut fit.posteriors);
        fit.converged = (fit.mean_log_density - before).abs() < TOLERANCE;
        if fit.converged {
            break;
        }
    }
    Some(fit)
}

/// One component's weighted ln density at every point, after it was fitted to its responsibilities.
fn log_densities(points: &Mat<f64>, responsibilities: &[f64]) -> Option<Vec<f64>> {
    let (dim, count) = points.shape();
    // An empty component keeps a weight, of no account.
    let total = responsibilities.iter().sum::<f64>() + 10.0 * f64::EPSILON;
    let column = MatRef::from_column_major_slice(responsibilities, count, 1);
    let mean = linear::product(points.as_ref(), column) * faer::Scale(1.0 / total);
    let mut about = Mat::from_fn(dim, count, |place, point| points[(place, point)] - mean[(place, 0)]);
    let weighted = Mat::from_fn(dim, count, |place, point| about[(place, point)] * responsibilities[point] / total);
    let mut covariance = linear::product(about.as_ref(), weighted.transpose());
    let largest = (0..dim).fold(0.0, |largest: f64, place| largest.max(covariance[(place, place)]));
    // Features of enormous size have rounding errors beyond the ridge.
    let ridge = RIDGE.max(largest * 4.0 * (dim + count) as f64 * f64::EPSILON);
    (0..dim).for_each(|place| covariance[(place, place)] += ridge);
    let factor = covariance.llt(Side::Lower).ok()?;
    solve_lower_triangular_in_place(factor.L(), about.as_mut(), Par::Seq);
    let half_determinant: f64 = (0..dim).map(|place| factor.L()[(place, place)].ln()).sum();
    let constant = (total / count as f64).ln() - half_determinant - 0.5 * dim as f64 * std::f64::consts::TAU.ln();
    Some((0..count).map(|point| constant - 0.5 * about.col(point).squared_norm_l2()).collect())
}

/// Turns log densities into probabilities, and gives the mean ln of the rows' sums.
fn normalise(columns: &[Vec<f64>], into: &mut Mat<f64>) -> f64 {
    let mut tops = vec![f64::NEG_INFINITY; into.nrows()];
    columns.iter().for_each(|column| tops.iter_mut().zip(column).for_each(|(top, value)| *top = top.max(*value)));
    let mut sums = vec![0.0; into.nrows()];
    for (place, column) in columns.iter().enumerate() {
        for (row, value) in column.iter().enumerate() {
            into[(row, place)] = (value - tops[row]).exp();
            sums[row] += into[(row, place)];
        }
    }
    for place in 0..columns.len() {
        into.col_as_slice_mut(place).iter_mut().zip(&sums).for_each(|(value, sum)| *value /= sum);
    }
    tops.iter().zip(&sums).map(|(top, sum)| top + sum.ln()).sum::<f64>() / into.nrows() as f64
}

/// First responsibilities, n × m: every point belongs to the nearest of m points, the first drawn evenly, each next
/// with a chance in proportion to its squared distance from the nearest so far. Source: Arthur and Vassilvitskii
/// (2007), k-means++. Time n m p.
pub fn k_means_plus_plus(points: &Mat<f64>, components: usize, stream: &mut Stream) -> Mat<f64> {
    let count = points.ncols();
    let mut nearest = vec![(0, f64::INFINITY); count];
    let mut centre = stream.below(count);
    for component in 0..components {
        for (point, nearest) in nearest.iter_mut().enumerate() {
            let pairs = points.col_as_slice(point).iter().zip(points.col_as_slice(centre));
            let distance = pairs.map(|(a, b)| (a - b).powi(2)).sum();
            if distance < nearest.1 {
                *nearest = (component, distance);
            }
        }
        let mut left = stream.unit() * nearest.iter().map(|nearest| nearest.1).sum::<f64>();
        let reached = |nearest: &(usize, f64)| {
            left -= nearest.1;
            left < 0.0
        };
        centre = nearest.iter().position(reached).unwrap_or(count - 1);
    }
    Mat::from_fn(count, components, |point, component| f64::from(nearest[point].0 == component))
}
