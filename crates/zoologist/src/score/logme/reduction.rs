//! The statistics of a feature matrix turned so that every ridge solve costs O(d): A = Q T Q' with T tridiagonal.
//!
//! A is the centred Gram matrix. The Householder reflectors of Q are applied once to the targets' cross products and
//! to the mean; Q is never formed and no eigenvector is computed. The uncentred Gram matrix A + n mean mean' enters as
//! a rank-one update, in a form whose terms are all positive, so column means of 1e4 cost no digits.

use faer::Mat;

use crate::score::linear::Tridiagonal;
use crate::stats::Moments;

/// Statistics in the basis in which the centred Gram matrix is tridiagonal.
pub struct Reduction {
    /// Rows of data, n.
    pub rows: f64,
    /// Diagonal of T, d.
    pub diagonal: Vec<f64>,
    /// Off-diagonal of T, d - 1.
    pub off_diagonal: Vec<f64>,
    /// Eigenvalues of T that are not rounding noise; the others count as 0 and are left out.
    pub eigenvalues: Vec<f64>,
    /// Q'(F - mean)'(Y - target mean), d × t.
    pub cross: Mat<f64>,
    /// Q' mean, d.
    pub mean: Vec<f64>,
    /// Column means of the targets, t.
    pub target_mean: Vec<f64>,
    /// Centred sums of squares of the targets, t.
    pub target_scatter: Vec<f64>,
}

/// Everything about one t = alpha/beta that the target columns share.
pub struct Factor {
    /// The ratio of the precisions.
    pub t: f64,
    /// Pivots of L D L' = T + tI, d.
    pivots: Vec<f64>,
    /// Sub-diagonal of L, d - 1.
    ratios: Vec<f64>,
    /// L^-1 mean.
    half_mean: Vec<f64>,
    /// (T + tI)^-1 mean.
    solved_mean: Vec<f64>,
    /// mean' (T + tI)^-1 mean.
    mean_energy: f64,
    /// Effective number of parameters: sum of sigma / (sigma + t).
    pub gamma: f64,
}

/// What one target column says at one t.
pub struct Fit {
    /// S(t) = |y - F m|² + t |m|².
    pub penalised: f64,
    /// |m|², the squared length of the posterior mean weights.
    pub weight: f64,
}

impl Reduction {
    /// Reduces the statistics. Time 4/3 d³.
    pub fn of(moments: &Moments) -> Self {
        let dim = moments.dim();
        let reduced = Tridiagonal::of(moments.scatter());
        let mut turned = Mat::from_fn(dim, moments.cross().ncols() + 1, |row, column| match column {
            0 => moments.mean()[row],
            _ => moments.cross()[(row, column - 1)],
        });
        reduced.turn(&mut turned);
        let eigenvalues = clipped(reduced.eigenvalues(), moments.rows().max(dim));
        Self {
            rows: moments.rows() as f64,
            eigenvalues,
            diagonal: reduced.diagonal,
            off_diagonal: reduced.off_diagonal,
            mean: turned.col_as_slice(0).to_vec(),
            cross: turned.get(.., 1..).to_owned(),
            target_mean: moments.target_mean().to_vec(),
            target_scatter: moments.target_scatter().to_vec(),
        }
    }

    /// Factors T + tI and solves for the mean.
    pub fn factor(&self, t: f64) -> Factor {
        let dim = self.diagonal.len();
        let mut pivots = Vec::with_capacity(dim);
        let mut ratios = Vec::with_capacity(dim);
        let mut carried = 0.0;
        for place in 0..dim {
            let pivot = (self.diagonal[place] + t - carried).max(1e-300);
            if let Some(off) = self.off_diagonal.get(place) {
                ratios.push(off / pivot);
                carried = off * (off / pivot);
            }
            pivots.push(pivot);
        }
        let mut factor =
            Factor { t, pivots, ratios, half_mean: vec![], solved_mean: vec![], mean_energy: 0.0, gamma: 0.0 };
        factor.half_mean = factor.forward(&self.mean);
        factor.mean_energy = factor.energy(&factor.half_mean, &factor.half_mean);
        factor.solved_mean = factor.backward(&factor.half_mean);
        let solved_norm: f64 = dot(&factor.solved_mean, &factor.solved_mean);
        factor.gamma = self.eigenvalues.iter().map(|value| value / (value + t)).sum::<f64>()
            + t * self.rows * solved_norm / (1.0 + self.rows * factor.mean_energy);
        factor
    }

    /// The fit of one target column at the factor's t, by the Sherman-Morrison form of the rank-one update.
    pub fn fit(&self, factor: &Factor, column: usize) -> Fit {
        let half = factor.forward(self.cross.col_as_slice(column));
        let spread = 1.0 + self.rows * factor.mean_energy;
        let offset = self.target_mean[column] - factor.energy(&factor.half_mean, &half);
        let pull = self.rows * offset / spread;
        let weights = factor.backward(&half);
        let weight = weights.iter().zip(&factor.solved_mean).map(|(w, v)| (w + pull * v).powi(2)).sum();
        let explained = factor.energy(&half, &half);
        Fit { penalised: self.target_scatter[column] - explained + pull * offset, weight }
    }

    /// sum_i ln(1 + sigma_i / t) over the eigenvalues sigma of F'F.
    pub fn log_determinant(&self, factor: &Factor) -> f64 {
        // A logarithm of the product of a few factors, each at most 1e13: sixteen stay below 1e308.
        let product = |chunk: &[f64]| chunk.iter().map(|value| 1.0 + value / factor.t).product::<f64>().ln();
        self.eigenvalues.chunks(16).map(product).sum::<f64>() + (self.rows * factor.mean_energy).ln_1p()
    }

    /// The largest eigenvalue of the centred Gram matrix; 0 for constant features.
    pub fn largest(&self) -> f64 {
        self.eigenvalues.iter().copied().fold(0.0, f64::max)
    }

    /// n |mean|², what the mean adds to the trace of F'F.
    pub fn mean_trace(&self) -> f64 {
        self.rows * dot(&self.mean, &self.mean)
    }

    /// The rank of F at a t far below its non-zero eigenvalues: the mean may lie outside the span of the centred rows.
    pub fn rank(&self, smallest: &Factor) -> usize {
        let outside = self.rows * smallest.t.powi(2) * dot(&smallest.solved_mean, &smallest.solved_mean);
        let top = self.largest() + self.mean_trace();
        let limit = self.rows.max(self.diagonal.len() as f64) * f64::EPSILON * top;
        self.eigenvalues.len() + usize::from(outside > limit)
    }
}

impl Factor {
    /// L^-1 x.
    fn forward(&self, x: &[f64]) -> Vec<f64> {
        let mut carried = 0.0;
        let steps = x.iter().zip(std::iter::once(&0.0).chain(&self.ratios));
        let step = |(x, ratio): (&f64, &f64)| {
            carried = x - ratio * carried;
            carried
        };
        steps.map(step).collect()
    }

    /// L'^-1 D^-1 x.
    fn backward(&self, x: &[f64]) -> Vec<f64> {
        let mut solved: Vec<f64> = x.iter().zip(&self.pivots).map(|(x, pivot)| x / pivot).collect();
        for place in (1..solved.len()).rev() {
            solved[place - 1] -= self.ratios[place - 1] * solved[place];
        }
        solved
    }

    /// x' D^-1 y for x and y that [`Factor::forward`] gave: the product a' (T + tI)^-1 b.
    fn energy(&self, x: &[f64], y: &[f64]) -> f64 {
        x.iter().zip(y).zip(&self.pivots).map(|((x, y), pivot)| x * y / pivot).sum()
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Drops the eigenvalues that are zero to within rounding: at most max(n, d) machine epsilons of the largest.
fn clipped(mut values: Vec<f64>, size: usize) -> Vec<f64> {
    let limit = values.iter().copied().fold(0.0, f64::max) * size as f64 * f64::EPSILON;
    values.retain(|&value| value > limit);
    values
}
