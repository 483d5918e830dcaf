//! The posterior of LogME's linear model (You et al., ICML 2021, §4): weights w ~ N(0, 1/alpha), noise of variance 1/beta,
//! both set to maximise the evidence; features as they stand, without intercept.
//!
//! For each response y: m = beta A⁻¹ F'y, A = alpha + beta F'F. With the eigenvectors u_i of F F' and eigenvalues s_i²,
//! z = u'y: |m|² = Σ (beta s z / (alpha + beta s²))², and the fixed point of MacKay gives alpha and beta.

use faer::Mat;

use super::linear::{self, Basis};
use crate::base::Features;

/// Rounds of the fixed point.
const ROUNDS: usize = 100;
/// Relative change of alpha / beta that ends it.
const TOLERANCE: f64 = 1e-9;
/// Bounds of alpha and beta, for responses that are met exactly or not at all.
const BOUNDS: [f64; 2] = [1e-10, 1e10];

/// Posterior means of several responses, and the mean log evidence.
#[derive(Debug, Clone, PartialEq)]
pub struct Posterior {
    /// Dimensions of the features.
    pub dim: usize,
    /// dim × responses, row after row.
    pub means: Vec<f64>,
    /// The log evidence per sample, averaged over the responses.
    pub evidence: f64,
    responses: usize,
}

/// Fits it. `None` where features are all zero.
pub fn fit(features: &Features, responses: &[Vec<f64>]) -> Option<Posterior> {
    let (rows, dim) = (features.rows(), features.dim());
    let mut table = Mat::zeros(dim, rows);
    features.visit(0..rows, |row, column, value| table[(column, row)] = value);
    let basis = Basis::of(&table)?;
    if basis.squares.is_empty() || responses.is_empty() {
        return None;
    }
    let mut coefficients = Mat::zeros(basis.squares.len(), responses.len());
    let mut evidence = 0.0;
    for (place, response) in responses.iter().enumerate() {
        let projected: Vec<f64> = (0..basis.squares.len())
            .map(|vector| response.iter().enumerate().map(|(row, y)| basis.vectors[(row, vector)] * y).sum())
            .collect();
        let total: f64 = response.iter().map(|y| y * y).sum();
        let found = maximum(&basis.squares, &projected, total, [rows, dim]);
        evidence += found.evidence / (rows * responses.len()) as f64;
        // m = F' U diag(beta / (alpha + beta s²)) z
        for (vector, (square, z)) in basis.squares.iter().zip(&projected).enumerate() {
            coefficients[(vector, place)] = found.beta * z / (found.alpha + found.beta * square);
        }
    }
    let means =
        linear::product(table.as_ref(), linear::product(basis.vectors.as_ref(), coefficients.as_ref()).as_ref());
    let places = (0..dim).flat_map(|row| (0..responses.len()).map(move |column| (row, column)));
    let means = places.map(|place| means[place]).collect();
    Some(Posterior { dim, means, evidence, responses: responses.len() })
}

impl Posterior {
    /// features · means, row after row.
    pub fn predict(&self, features: &Features) -> Vec<f64> {
        let mut found = vec![0.0; features.rows() * self.responses];
        features.visit(0..features.rows(), |row, column, value| {
            let means = &self.means[column * self.responses..][..self.responses];
            let into = &mut found[row * self.responses..][..self.responses];
            into.iter_mut().zip(means).for_each(|(into, mean)| *into += value * mean);
        });
        found
    }

    /// The means as responses × dim, row after row.
    pub fn transposed(&self) -> Vec<f64> {
        (0..self.responses)
            .flat_map(|response| {
                self.means.iter().skip(response).step_by(self.responses).copied().collect::<Vec<f64>>()
            })
            .collect()
    }
}

struct Maximum {
    alpha: f64,
    beta: f64,
    evidence: f64,
}

/// The fixed point, and the log evidence there.
fn maximum(squares: &[f64], projected: &[f64], total: f64, [rows, dim]: [usize; 2]) -> Maximum {
    let count = rows as f64;
    let inside: f64 = projected.iter().map(|z| z * z).sum();
    let outside = (total - inside).max(0.0);
    let (mut alpha, mut beta) = (1.0, 1.0);
    let parts = |alpha: f64, beta: f64| {
        let each = || squares.iter().zip(projected);
        let effective: f64 = squares.iter().map(|square| beta * square / (alpha + beta * square)).sum();
        let length: f64 =
            each().map(|(square, z)| beta * beta * square * z * z / (alpha + beta * square).powi(2)).sum();
        let missed: f64 =
            each().map(|(square, z)| (alpha * z / (alpha + beta * square)).powi(2)).sum::<f64>() + outside;
        (effective, length, missed)
    };
    for _ in 0..ROUNDS {
        let (effective, length, missed) = parts(alpha, beta);
        let next_alpha = (effective / length).clamp(BOUNDS[0], BOUNDS[1]);
        let next_beta = ((count - effective) / missed).clamp(BOUNDS[0], BOUNDS[1]);
        let change = ((next_alpha / next_beta) / (alpha / beta) - 1.0).abs();
        (alpha, beta) = (next_alpha, next_beta);
        if change < TOLERANCE {
            break;
        }
    }
    let (_, length, missed) = parts(alpha, beta);
    let determinant: f64 = squares.iter().map(|square| (alpha + beta * square).ln()).sum::<f64>()
        + (dim - squares.len().min(dim)) as f64 * alpha.ln();
    let evidence = 0.5
        * (dim as f64 * alpha.ln() + count * beta.ln()
            - count * std::f64::consts::TAU.ln()
            - beta * missed
            - alpha * length
            - determinant);
    Maximum { alpha, beta, evidence }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Seed, Values};

    #[test]
    fn means_solve_the_normal_equations_at_the_fixed_point() {
        let mut stream = Seed(3).stream("test", "posterior");
        let (rows, dim) = (40, 5);
        let values: Vec<f64> = (0..rows * dim).map(|_| stream.unit() - 0.5).collect();
        let response: Vec<f64> =
            values.chunks(dim).map(|row| row[0] - 2.0 * row[3] + 0.1 * (stream.unit() - 0.5)).collect();
        let features = Features::new(dim, Values::F64(values.clone()));
        let found = fit(&features, std::slice::from_ref(&response)).unwrap();
        // (F'F + alpha/beta) m = F'y for one ratio in every row of the equations.
        let column = |column: usize| values.iter().skip(column).step_by(dim).copied().collect::<Vec<f64>>();
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let ratio = |row: usize| {
            let left: f64 = (0..dim).map(|other| dot(&column(row), &column(other)) * found.means[other]).sum();
            (dot(&column(row), &response) - left) / found.means[row]
        };
        let ratios: Vec<f64> = (0..dim).map(ratio).collect();
        assert!(ratios.iter().all(|ratio| (ratio / ratios[0] - 1.0).abs() < 1e-5 && *ratio > 0.0), "{ratios:?}");
        assert!((found.means[0] - 1.0).abs() < 0.1 && (found.means[3] + 2.0).abs() < 0.1, "{:?}", found.means);
        let missed: f64 = found.predict(&features).iter().zip(&response).map(|(a, b)| (a - b).powi(2)).sum();
        assert!(missed < 0.2, "{missed}");
    }
}
