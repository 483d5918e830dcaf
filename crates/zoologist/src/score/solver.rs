//! Many tridiagonal solves side by side: (T + tI)^-1 for some columns, each at its own t.
//!
//! T + tI = L D L' has recurrences that run along the d rows one after the other; what can run at once are the
//! columns. So a [`Panel`] holds [`LANES`] of them interleaved, and every step is an operation on all lanes. Each lane
//! also solves for the one vector that all columns share, because its t is its own. Compiled for the vector units of
//! the machine that runs it; no sum depends on their width.

use crate::base::vectorised;

/// Columns solved at once.
pub const LANES: usize = 16;
/// One number per column.
pub type Lanes = [f64; LANES];

/// Pivots below this are rounding noise of a singular matrix.
const LEAST_PIVOT: f64 = 1e-300;

/// Columns of right-hand sides, interleaved.
pub struct Panel {
    /// d rows of one number per column.
    rows: Vec<Lanes>,
    /// Means of the target columns.
    pub mean: Lanes,
    /// Centred sums of squares of the target columns.
    pub scatter: Lanes,
}

/// Inner products of the solutions, for each lane with right-hand side x, shared vector s, and M = T + tI.
pub struct Solved {
    /// x' M^-1 x.
    pub energy: Lanes,
    /// s' M^-1 x.
    pub coupling: Lanes,
    /// |M^-1 x|².
    pub norm: Lanes,
    /// (M^-1 s)' (M^-1 x).
    pub overlap: Lanes,
    /// s' M^-1 s.
    pub shared_energy: Lanes,
    /// |M^-1 s|².
    pub shared_norm: Lanes,
}

impl Panel {
    /// Columns of zeros.
    pub fn new(dim: usize) -> Self {
        Self { rows: vec![[0.0; LANES]; dim], mean: [0.0; LANES], scatter: [0.0; LANES] }
    }

    /// Puts a right-hand side into a lane.
    pub fn set(&mut self, lane: usize, column: &[f64], mean: f64, scatter: f64) {
        self.rows.iter_mut().zip(column).for_each(|(row, value)| row[lane] = *value);
        self.mean[lane] = mean;
        self.scatter[lane] = scatter;
    }

    /// A panel of some lanes of this one, in the order given.
    pub fn pick(&self, lanes: &[usize]) -> Self {
        let mut picked = Self::new(self.rows.len());
        for (into, &from) in lanes.iter().enumerate() {
            picked.rows.iter_mut().zip(&self.rows).for_each(|(row, old)| row[into] = old[from]);
            picked.mean[into] = self.mean[from];
            picked.scatter[into] = self.scatter[from];
        }
        picked
    }
}

/// One row of the forward substitution, kept for the backward one.
#[derive(Clone, Copy)]
struct Step {
    /// Sub-diagonal of L below this row.
    ratio: Lanes,
    /// D^-1 L^-1 s.
    shared: Lanes,
    /// D^-1 L^-1 x.
    column: Lanes,
}

/// Solves for every lane of a panel at its own t. Time O(d).
pub fn solve(diagonal: &[f64], off_diagonal: &[f64], shared: &[f64], panel: &Panel, t: &Lanes) -> Solved {
    let zero = [0.0; LANES];
    let mut steps = vec![Step { ratio: zero, shared: zero, column: zero }; diagonal.len()];
    let mut solved =
        Solved { energy: zero, coupling: zero, norm: zero, overlap: zero, shared_energy: zero, shared_norm: zero };
    vectorised(
        #[inline(always)]
        || {
            forward(diagonal, off_diagonal, shared, panel, t, &mut steps, &mut solved);
            backward(&steps, &mut solved);
        },
    );
    solved
}

#[inline(always)]
fn forward(
    diagonal: &[f64],
    off_diagonal: &[f64],
    shared: &[f64],
    panel: &Panel,
    t: &Lanes,
    steps: &mut [Step],
    solved: &mut Solved,
) {
    let (mut ratio, mut carried, mut half_shared, mut half_column) =
        ([0.0; LANES], [0.0; LANES], [0.0; LANES], [0.0; LANES]);
    let (mut energy, mut coupling, mut shared_energy) = ([0.0; LANES], [0.0; LANES], [0.0; LANES]);
    for (place, step) in steps.iter_mut().enumerate() {
        let off = off_diagonal.get(place).copied().unwrap_or_default();
        let (value, right, column) = (diagonal[place], shared[place], &panel.rows[place]);
        for lane in 0..LANES {
            let pivot = value + t[lane] - carried[lane];
            let inverse = 1.0 / if pivot < LEAST_PIVOT { LEAST_PIVOT } else { pivot };
            half_shared[lane] = right - ratio[lane] * half_shared[lane];
            half_column[lane] = column[lane] - ratio[lane] * half_column[lane];
            step.shared[lane] = half_shared[lane] * inverse;
            step.column[lane] = half_column[lane] * inverse;
            ratio[lane] = off * inverse;
            step.ratio[lane] = ratio[lane];
            carried[lane] = off * ratio[lane];
            energy[lane] += half_column[lane] * step.column[lane];
            coupling[lane] += half_shared[lane] * step.column[lane];
            shared_energy[lane] += half_shared[lane] * step.shared[lane];
        }
    }
    (solved.energy, solved.coupling, solved.shared_energy) = (energy, coupling, shared_energy);
}

#[inline(always)]
fn backward(steps: &[Step], solved: &mut Solved) {
    let (mut shared, mut column) = ([0.0; LANES], [0.0; LANES]);
    let (mut norm, mut overlap, mut shared_norm) = ([0.0; LANES], [0.0; LANES], [0.0; LANES]);
    for step in steps.iter().rev() {
        for lane in 0..LANES {
            shared[lane] = step.shared[lane] - step.ratio[lane] * shared[lane];
            column[lane] = step.column[lane] - step.ratio[lane] * column[lane];
            norm[lane] += column[lane] * column[lane];
            overlap[lane] += shared[lane] * column[lane];
            shared_norm[lane] += shared[lane] * shared[lane];
        }
    }
    (solved.norm, solved.overlap, solved.shared_norm) = (norm, overlap, shared_norm);
}

/// sum_i lambda_i / (lambda_i + t), for each t.
pub fn traces(eigenvalues: &[f64], t: &Lanes) -> Lanes {
    let mut sums = [0.0; LANES];
    vectorised(
        #[inline(always)]
        || {
            for &value in eigenvalues {
                for lane in 0..LANES {
                    sums[lane] += value / (value + t[lane]);
                }
            }
        },
    );
    sums
}

/// sum_i ln(1 + lambda_i / t), for each t.
pub fn log_sums(eigenvalues: &[f64], t: &Lanes) -> Lanes {
    let inverse = t.map(f64::recip);
    // A logarithm of the product of a few factors instead of a few logarithms, where the product can't overflow.
    let largest = eigenvalues.iter().copied().fold(0.0, f64::max) * inverse.iter().copied().fold(0.0, f64::max);
    let factors = if largest < 1e18 { 16 } else { 1 };
    let mut sums = [0.0; LANES];
    for values in eigenvalues.chunks(factors) {
        let mut product = [1.0; LANES];
        for &value in values {
            for lane in 0..LANES {
                product[lane] *= 1.0 + value * inverse[lane];
            }
        }
        sums.iter_mut().zip(product).for_each(|(sum, product)| *sum += product.ln());
    }
    sums
}

#[cfg(test)]
mod tests {
    use faer::Mat;
    use faer::linalg::solvers::Solve;

    use super::{LANES, Panel, solve};
    use crate::base::Seed;

    #[test]
    fn every_lane_agrees_with_a_dense_solve_at_its_own_t() {
        let mut stream = Seed(5).stream("test", "solver");
        for dim in [1, 2, 7, 40] {
            let diagonal: Vec<f64> = (0..dim).map(|_| 2.0 + stream.unit()).collect();
            let off: Vec<f64> = (1..dim).map(|_| stream.unit() - 0.5).collect();
            let shared: Vec<f64> = (0..dim).map(|_| stream.unit()).collect();
            let columns: Vec<Vec<f64>> = (0..LANES).map(|_| (0..dim).map(|_| stream.unit()).collect()).collect();
            let t: [f64; LANES] = std::array::from_fn(|lane| 1e-3 * 10_f64.powf((lane % 7) as f64));
            let mut panel = Panel::new(dim);
            columns.iter().enumerate().for_each(|(lane, column)| panel.set(lane, column, 0.0, 0.0));
            let found = solve(&diagonal, &off, &shared, &panel, &t);
            for lane in 0..LANES {
                let dense = Mat::from_fn(dim, dim, |row, column| match row.abs_diff(column) {
                    0 => diagonal[row] + t[lane],
                    1 => off[row.min(column)],
                    _ => 0.0,
                });
                let sides = Mat::from_fn(dim, 2, |row, side| if side == 0 { columns[lane][row] } else { shared[row] });
                let solution = dense.partial_piv_lu().solve(&sides);
                let product = |a: &Mat<f64>, i: usize, b: &Mat<f64>, j: usize| a.col(i).transpose() * b.col(j);
                let expected = [
                    (found.energy[lane], product(&sides, 0, &solution, 0)),
                    (found.coupling[lane], product(&sides, 1, &solution, 0)),
                    (found.norm[lane], product(&solution, 0, &solution, 0)),
                    (found.overlap[lane], product(&solution, 1, &solution, 0)),
                    (found.shared_energy[lane], product(&sides, 1, &solution, 1)),
                    (found.shared_norm[lane], product(&solution, 1, &solution, 1)),
                ];
                for (found, expected) in expected {
                    assert!((found - expected).abs() <= 1e-12 * expected.abs().max(1e-3), "{dim} {lane}");
                }
            }
        }
    }
}
