//! The statistics of a feature matrix turned so that every ridge solve costs O(d): A = Q T Q' with T tridiagonal.
//!
//! A is the centred Gram matrix M2. The Householder reflectors of Q are applied once to the targets' cross products and
//! to the mean; Q is never formed and no eigenvector is computed. The uncentred Gram matrix A + n mean mean' enters as
//! a rank-one update, in a form whose terms are all positive, so column means of 1e4 cost no digits.
//!
//! Where there are fewer rows than dimensions, and the rows are at hand, A is the n × n matrix of their inner products
//! instead, and the same solves give the same functions of t in other terms: [`Form`].

use faer::Mat;

use super::linear::{self, Tridiagonal};
use super::solver::{self, LANES, Lanes, Panel, Solved};
use super::wide::Part;
use crate::stats::{Marginals, Moments};

/// Which matrix was reduced.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Form {
    /// M2 = F~'F~, d × d; columns are Q'F~'(Y - target mean), the shared vector is Q' mean.
    Primal,
    /// F~ F~', n × n; columns are Q'(Y - target mean), the shared vector is Q'F~ mean.
    Dual {
        /// |mean|².
        mean_square: f64,
    },
}

/// Statistics in the basis in which the centred Gram matrix is tridiagonal. Its size is d or n.
pub struct Reduction {
    form: Form,
    /// Rows of data, n.
    pub rows: f64,
    /// Dimensions of the features, d.
    pub dim: usize,
    diagonal: Vec<f64>,
    off_diagonal: Vec<f64>,
    /// Eigenvalues of T that are not rounding noise, rising; the others count as 0 and are left out.
    pub eigenvalues: Vec<f64>,
    /// Largest eigenvalue that counts as rounding noise.
    noise: f64,
    shared: Vec<f64>,
    /// size × k, one per response.
    columns: Vec<Mat<f64>>,
    /// n |mean|², what the mean adds to the trace of F'F.
    pub mean_trace: f64,
    /// Column means of the targets, k.
    pub target_mean: Vec<f64>,
    /// Centred sums of squares of the targets, k.
    pub target_scatter: Vec<f64>,
}

/// What some target columns say, each at its own t = alpha/beta.
pub struct Fit {
    /// S(t) = |y - F m|² + t |m|², m the posterior mean weights.
    pub penalised: Lanes,
    /// |m|².
    pub weight: Lanes,
    /// gamma, the effective number of parameters: sum of sigma / (sigma + t) over the eigenvalues sigma of F'F.
    pub gamma: Lanes,
    /// n mean' (M2 + tI)^-1 mean: F'F has the determinant of M2 + tI times one more than this.
    pub mean_energy: Lanes,
    /// n t² |(M2 + tI)^-1 mean|²: what of the mean lies outside the span of M2, where t is small.
    pub mean_outside: Lanes,
}

impl Reduction {
    /// Reduces the statistics. Time 4/3 d³ + 2 d² k.
    pub fn of(moments: &Moments) -> Self {
        let columns = (0..moments.responses()).map(|response| moments.cross(response).clone()).collect();
        let mean_square = moments.mean().iter().map(|value| value * value).sum();
        let size = (moments.rows(), moments.dim());
        Self::new(Form::Primal, size, moments.marginals(), moments.scatter(), moments.mean(), columns, mean_square)
    }

    /// Reduces the inner products of rows with `dim` features. Time 4/3 n³ + 2 n² k.
    pub fn of_wide(part: &Part, dim: usize) -> Self {
        let form = Form::Dual { mean_square: part.mean_square };
        let size = (part.gram.nrows(), dim);
        let columns = part.targets.clone();
        Self::new(form, size, &part.marginals, &part.gram, &part.along_mean, columns, part.mean_square)
    }

    fn new(
        form: Form,
        (rows, dim): (usize, usize),
        marginals: &Marginals,
        gram: &Mat<f64>,
        shared: &[f64],
        mut columns: Vec<Mat<f64>>,
        mean_square: f64,
    ) -> Self {
        let reduced = Tridiagonal::of(gram);
        let mut turned = Mat::from_fn(shared.len(), 1, |row, _| shared[row]);
        reduced.turn(&mut turned);
        columns.iter_mut().for_each(|columns| reduced.turn(columns));
        let eigenvalues = reduced.eigenvalues();
        let size = rows.max(dim) as f64;
        let noise = eigenvalues.last().copied().unwrap_or_default().max(0.0) * size * f64::EPSILON;
        Self {
            form,
            rows: rows as f64,
            dim,
            columns,
            eigenvalues: eigenvalues.into_iter().filter(|&value| value > noise).collect(),
            noise,
            shared: turned.col_as_slice(0).to_vec(),
            mean_trace: rows as f64 * mean_square,
            diagonal: reduced.diagonal,
            off_diagonal: reduced.off_diagonal,
            target_mean: marginals.means(rows),
            target_scatter: marginals.scatters(rows),
        }
    }

    /// Some target columns of a response, side by side; as many as a panel has lanes at the most. `None` stands for a
    /// column of zeros.
    pub fn panel(&self, response: usize, columns: &[Option<usize>]) -> Panel {
        let table = &self.columns[response];
        let mut panel = Panel::new(self.diagonal.len());
        for (lane, column) in columns.iter().enumerate().take(LANES) {
            if let Some(column) = *column {
                panel.set(lane, table.col_as_slice(column), self.target_mean[column], self.target_scatter[column]);
            }
        }
        panel
    }

    fn solve(&self, panel: &Panel, t: &Lanes) -> Solved {
        solver::solve(&self.diagonal, &self.off_diagonal, &self.shared, panel, t)
    }

    /// Solves for the columns of a panel, each at its own t, by the Sherman-Morrison form of the rank-one update.
    /// `traces` are those of [`Reduction::traces`].
    pub fn fit(&self, panel: &Panel, t: &Lanes, traces: &Lanes) -> Fit {
        let solved = self.solve(panel, t);
        let zero = [0.0; LANES];
        let mut fit = Fit { penalised: zero, weight: zero, gamma: zero, mean_energy: zero, mean_outside: zero };
        for lane in 0..LANES {
            self.fit_lane(&solved, panel, t[lane], lane, &mut fit);
            fit.gamma[lane] += traces[lane];
        }
        fit
    }

    fn fit_lane(&self, solved: &Solved, panel: &Panel, t: f64, lane: usize, fit: &mut Fit) {
        let (energy, norm) = (solved.energy[lane], solved.norm[lane]);
        let (shared_energy, shared_norm) = (solved.shared_energy[lane], solved.shared_norm[lane]);
        // mean'(M2 + tI)^-1 mean, |(M2 + tI)^-1 mean|², the centred residual and the centred weights.
        let (mean_energy, mean_norm, residual, weight) = match self.form {
            Form::Primal => (shared_energy, shared_norm, panel.scatter[lane] - energy, norm),
            Form::Dual { mean_square } => (
                (mean_square - shared_energy).max(0.0) / t,
                (mean_square - shared_energy - t * shared_norm).max(0.0) / (t * t),
                t * energy,
                energy - t * norm,
            ),
        };
        let spread = 1.0 + self.rows * mean_energy;
        let offset = panel.mean[lane] - solved.coupling[lane];
        let pull = self.rows * offset / spread;
        fit.penalised[lane] = residual + pull * offset;
        fit.weight[lane] = weight + 2.0 * pull * solved.overlap[lane] + pull * pull * mean_norm;
        fit.gamma[lane] = t * self.rows * mean_norm / spread;
        fit.mean_energy[lane] = self.rows * mean_energy;
        fit.mean_outside[lane] = self.rows * t * t * mean_norm;
    }

    /// sum_i lambda_i / (lambda_i + t) over the eigenvalues of the centred Gram matrix, for each t.
    pub fn traces(&self, t: &Lanes) -> Lanes {
        solver::traces(&self.eigenvalues, t)
    }

    /// sum_i ln(1 + sigma_i / t) over the eigenvalues of F'F, for each t.
    pub fn log_determinants(&self, t: &Lanes, mean_energy: &Lanes) -> Lanes {
        let mut sums = solver::log_sums(&self.eigenvalues, t);
        sums.iter_mut().zip(mean_energy).for_each(|(sum, energy)| *sum += energy.ln_1p());
        sums
    }

    /// C_j' (M2 + tI)^-1 C_j for each target column, C_j = F~'(y_j - mean); with t = 0 the pseudo-inverse.
    pub fn energies(&self, response: usize, t: f64) -> Vec<f64> {
        if t == 0.0 && self.form != Form::Primal {
            return self.projections(response);
        }
        let width = self.target_mean.len();
        let blocks = (0..width).step_by(LANES).flat_map(|start| {
            let columns: Vec<Option<usize>> = (start..width.min(start + LANES)).map(Some).collect();
            let panel = self.panel(response, &columns);
            let at = |t: f64| self.solve(&panel, &[t; LANES]).energy;
            let found: Lanes = match self.form {
                Form::Primal if t == 0.0 => self.limit_at_zero(at),
                Form::Primal => at(t),
                Form::Dual { .. } => {
                    let energy = at(t);
                    std::array::from_fn(|lane| panel.scatter[lane] - t * energy[lane])
                }
            };
            found[..columns.len()].to_vec()
        });
        blocks.collect()
    }

    /// The limit of f(t) = sum p²/(lambda + t) for t to 0 over the eigenvalues that count: the polynomial through the
    /// values at t, t/2, t/4 and so on, at 0. With t a thirty-second of the least of these eigenvalues its error is below
    /// 1e-13 of their part, and what lies in the null space is weighed by 1/t instead of its own inverse.
    fn limit_at_zero(&self, at: impl Fn(f64) -> Lanes) -> Lanes {
        const POINTS: i32 = 6;
        let mut limit = [0.0; LANES];
        let Some(least) = self.eigenvalues.first() else { return limit };
        for point in 0..POINTS {
            let place = 0.5_f64.powi(point);
            let others = (0..POINTS).filter(|&other| other != point).map(|other| 0.5_f64.powi(other));
            let weight: f64 = others.map(|other| other / (other - place)).product();
            let found = at(least / 32.0 * place);
            limit.iter_mut().zip(found).for_each(|(limit, found)| *limit += weight * found);
        }
        limit
    }

    /// Squared lengths of the target columns' projections on the span of the centred features (dual form).
    fn projections(&self, response: usize) -> Vec<f64> {
        // Centred targets have no part along the constant vector, the only one that is always missing.
        if self.eigenvalues.len() as f64 >= self.rows - 1.0 {
            return self.target_scatter.clone();
        }
        let size = self.diagonal.len();
        let mut vectors = Mat::zeros(size, size);
        let found = linear::tridiagonal_eigen(&self.diagonal, &self.off_diagonal, Some(vectors.as_mut()));
        // A value that can't be found must not look like one.
        let Some(values) = found else { return vec![f64::NAN; self.target_mean.len()] };
        let first = values.partition_point(|&value| value <= self.noise);
        let inside = linear::product(vectors.subcols(first, size - first).transpose(), self.columns[response].as_ref());
        (0..inside.ncols()).map(|column| inside.col(column).squared_norm_l2()).collect()
    }

    /// The largest eigenvalue of the centred Gram matrix; 0 for constant features.
    pub fn largest(&self) -> f64 {
        self.eigenvalues.last().copied().unwrap_or_default()
    }

    /// A t below which nothing is to be learnt: 1e-12 of the largest eigenvalue, or further down where the smallest that
    /// counts is (one outlier is enough for that), as far as rounding leaves anything. Where as many dimensions as rows fit
    /// the targets exactly, the d × d form loses the residual to rounding below a hundred-millionth of the smallest
    /// eigenvalue, and the limit is reached.
    pub fn lowest_t(&self) -> f64 {
        let top = if self.largest() > 0.0 { self.largest() } else { self.mean_trace };
        let smallest = self.eigenvalues.first().copied().unwrap_or(top);
        if self.eigenvalues.len() < self.diagonal.len() && (self.eigenvalues.len() as f64) < self.rows - 1.0 {
            // Noise below the eigenvalues that count would make the pivots negative.
            return 1e-12 * top;
        }
        if self.form == Form::Primal && self.eigenvalues.len() as f64 >= self.rows - 1.0 {
            return (1e-8 * smallest).max(1e-12 * top);
        }
        (1e-3 * smallest).clamp(1e-14 * top, 1e-12 * top)
    }

    /// The rank of F: the mean may lie outside the span of the centred rows. `mean_outside` at a t far below the
    /// eigenvalues that count.
    pub fn rank(&self, mean_outside: f64) -> usize {
        let top = self.largest() + self.mean_trace;
        let limit = self.rows.max(self.dim as f64) * f64::EPSILON * top;
        self.eigenvalues.len() + usize::from(mean_outside > limit)
    }
}
