//! `logme_compat`, `logme_compat_icml`: LogME as its authors' code computes it, so that published numbers can be
//! reproduced.
//!
//! A fixed point on alpha and beta from alpha = beta = 1, with t = alpha/beta:
//!
//! ```text
//! alpha <- gamma / (|m|² + 1e-5)        beta <- (n - gamma) / (|y - F m|² + 1e-5)        at most 11 times
//! ```
//!
//! The default method (thuml/LogME, arXiv 2110.10545) stops at a relative change of t of 1e-3, puts the new alpha and
//! beta beside the m of the old t, and sums ln(alpha + beta sigma) over min(n, d) eigenvalues only; the method of the
//! ICML paper stops at 1e-2, keeps the 1e-5 in the evidence, and sums over all d. Both count class numbers that never
//! occur, which raises the mean. What that does to the number is in docs/scores.md: use `logme` to choose a model.

use super::super::prepared::Problem;
use super::super::reduction::Reduction;
use super::super::solver::{LANES, Lanes, Panel};
use super::super::{Score, Status};

/// What keeps the published code from dividing by zero, and makes it depend on the scale of the features.
const EPSILON: f64 = 1e-5;
const MAX_STEPS: usize = 11;

/// One of the two published methods.
struct Method {
    name: &'static str,
    /// Relative change of t at which it stops.
    tolerance: f64,
    /// What is added to the residual and to the weights inside the evidence.
    inside: f64,
    /// Whether eigenvalues beyond the n-th are left out where there are more dimensions than rows.
    truncated: bool,
}

const DEFAULT: Method = Method { name: "logme_compat", tolerance: 1e-3, inside: 0.0, truncated: true };
const ICML: Method = Method { name: "logme_compat_icml", tolerance: 1e-2, inside: EPSILON, truncated: false };

/// The registry's entry for the default method.
pub fn evaluate(problem: &Problem) -> Score {
    DEFAULT.evaluate(problem)
}

/// The registry's entry for the method of the ICML paper.
pub fn evaluate_icml(problem: &Problem) -> Score {
    ICML.evaluate(problem)
}

impl Method {
    fn evaluate(&self, problem: &Problem) -> Score {
        let reduction = problem.reduction();
        let width = reduction.target_mean.len();
        let absent = problem.absent_classes() as f64;
        let present: Vec<Option<usize>> = (0..width).map(Some).collect();
        let mut sum = 0.0;
        for columns in present.chunks(LANES) {
            let values = self.evidences(problem, &reduction.panel(problem.response(), columns));
            sum += values[..columns.len()].iter().sum::<f64>();
        }
        if absent > 0.0 {
            sum += absent * self.evidences(problem, &reduction.panel(0, &[None]))[0];
        }
        let value = sum / (width as f64 + absent);
        if !value.is_finite() {
            return Score::without_value(self.name, Status::NotApplicable)
                .noted(Some("the published code ends in a division by zero here".to_owned()));
        }
        Score::of(self.name, value).noted(self.warning(reduction, absent))
    }

    fn warning(&self, reduction: &Reduction, absent: f64) -> Option<String> {
        let dropped = self.truncated && reduction.rows < reduction.dim as f64;
        let dropped = dropped.then(|| "fewer rows than dimensions: the published code drops terms here".to_owned());
        let counted = (absent > 0.0).then(|| format!("{absent} class numbers that never occur are counted"));
        let parts: Vec<String> = dropped.into_iter().chain(counted).collect();
        (!parts.is_empty()).then(|| parts.join("; "))
    }

    /// The evidence per row of every lane.
    fn evidences(&self, problem: &Problem, panel: &Panel) -> Lanes {
        let reduction = problem.reduction();
        let rows = reduction.rows;
        let (mut alpha, mut beta) = ([1.0; LANES], [1.0; LANES]);
        let (mut weight, mut residual) = ([0.0; LANES], [0.0; LANES]);
        let mut stopped = [false; LANES];
        for _ in 0..MAX_STEPS {
            let t: Lanes = std::array::from_fn(|lane| alpha[lane] / beta[lane]);
            let fit = reduction.fit(panel, &t, &reduction.traces(&t));
            for lane in 0..LANES {
                if stopped[lane] {
                    continue;
                }
                weight[lane] = fit.weight[lane];
                residual[lane] = (fit.penalised[lane] - t[lane] * weight[lane]).max(0.0);
                alpha[lane] = fit.gamma[lane] / (weight[lane] + EPSILON);
                beta[lane] = (rows - fit.gamma[lane]) / (residual[lane] + EPSILON);
                stopped[lane] = (alpha[lane] / beta[lane] - t[lane]).abs() <= self.tolerance * t[lane];
            }
            if stopped.iter().all(|&stopped| stopped) {
                break;
            }
        }
        self.evidence(problem, panel, &alpha, &beta, &weight, &residual)
    }

    fn evidence(
        &self,
        problem: &Problem,
        panel: &Panel,
        alpha: &Lanes,
        beta: &Lanes,
        weight: &Lanes,
        residual: &Lanes,
    ) -> Lanes {
        let reduction = problem.reduction();
        let (rows, dim) = (reduction.rows, reduction.dim as f64);
        let t: Lanes = std::array::from_fn(|lane| alpha[lane] / beta[lane]);
        let fit = reduction.fit(panel, &t, &[0.0; LANES]);
        let determinants = reduction.log_determinants(&t, &fit.mean_energy);
        let terms = self.terms(problem);
        std::array::from_fn(|lane| {
            let logs = terms * alpha[lane].ln() + determinants[lane];
            let (a, b) = (alpha[lane], beta[lane]);
            let evidence = dim / 2.0 * a.ln() + rows / 2.0 * b.ln()
                - 0.5 * logs
                - b / 2.0 * (residual[lane] + self.inside)
                - a / 2.0 * (weight[lane] + self.inside)
                - rows / 2.0 * (2.0 * std::f64::consts::PI).ln();
            evidence / rows
        })
    }

    /// How many eigenvalues the published code sums over. Its own cut lies below the rounding of zeros.
    fn terms(&self, problem: &Problem) -> f64 {
        let (rows, dim) = (problem.rows(), problem.dim());
        if self.truncated { rows.min(dim) as f64 } else { dim as f64 }
    }
}
