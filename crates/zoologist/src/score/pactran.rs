//! `pactran_dirichlet`, `pactran_gamma`: PAC-Bayesian bounds on the loss of a classifier over the model's source classes.
//!
//! theta (n × z) are the model's probabilities of its source classes, s = theta + 1e-10, a0_c = n_c / n + 1e-10. From
//! q = theta, ten times:
//!
//! ```text
//! a[c, z]  = a0_c + sum of q_iz over the rows i of class c
//! ln q_iz  = ln s_iz + psi(a[y_i, z]) - psi(sum_c a[c, z])      less ln of the row's sum; without the second psi for gamma
//! dirichlet = -1/(n k) { sum_z [ lnG(sum a0) - sum_c lnG(a0_c) - lnG(sum_c a_cz) + sum_c lnG(a_cz) ] - divergence }
//! gamma     =  1/(n k) { sum_cz [ lnG(a0_c) - lnG(a_cz) ] + divergence + sum_i [ ln lambda_i - 1 ] } + 1
//! divergence = sum_iz q_iz (ln q_iz - ln s_iz)        lambda_i = sum_z theta_iz sum_c a_cz
//! ```
//!
//! Both are bounds, where less is better: the score is minus the bound. Classes only. Source: Ding et al., ECCV 2022
//! (arXiv 2203.05126), and its published code, whose numbers these are. Within a class q_iz is s_iz times a factor of z
//! alone, so no logarithm of a single entry is needed and q is never held: time 10 n z, memory k z where published code
//! takes n k z.

use rayon::prelude::*;

use super::gamma_function::{digamma, ln_gamma};
use super::{Evaluation, Rows, Status, groups, source};
use crate::base::{Classes, Features};

/// How often q is made anew.
const STEPS: usize = 10;
/// Keeps logarithms finite.
const FLOOR: f64 = 1e-10;
/// Target classes times source classes above which the score is refused: 400 MB a table.
const MAX_TABLE: usize = 50_000_000;

/// Which prior the weights have.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Prior {
    Dirichlet,
    Gamma,
}

/// The registry's entry for `pactran_dirichlet`.
pub fn evaluate_dirichlet(rows: &Rows) -> Evaluation {
    evaluate("pactran_dirichlet", rows, Prior::Dirichlet)
}

/// The registry's entry for `pactran_gamma`.
pub fn evaluate_gamma(rows: &Rows) -> Evaluation {
    evaluate("pactran_gamma", rows, Prior::Gamma)
}

fn evaluate(metric: &str, rows: &Rows, prior: Prior) -> Evaluation {
    source::evaluate(metric, rows, |classes, theta| {
        if classes.names().len() * theta.dim() > MAX_TABLE {
            return Evaluation::without_value(metric, Status::TooLarge, "too many classes times source classes");
        }
        Evaluation::with_value(metric, -bound(theta, classes, prior), vec![], None)
    })
}

/// The bound as published: less is better.
fn bound(theta: &Features, classes: &Classes, prior: Prior) -> f64 {
    let members = groups::rows_of_each(classes);
    let count = theta.rows() as f64;
    let start: Vec<f64> = members.iter().map(|members| members.len() as f64 / count + FLOOR).collect();
    let sum_of_rows = |members: &Vec<usize>| {
        let mut sum = vec![0.0; theta.dim()];
        members.iter().for_each(|&row| theta.visit(row..row + 1, |_, column, value| sum[column] += value));
        Assigned { sums: sum, divergence: 0.0 }
    };
    let mut assigned: Vec<Assigned> = members.par_iter().map(sum_of_rows).collect();
    let mut weights = Weights::new(&start, &assigned);
    for step in 0..STEPS {
        let one =
            |(members, table): (&Vec<usize>, &Vec<f64>)| assign(theta, members, &weights.logarithms(table, prior));
        assigned = members.par_iter().zip(&weights.table).map(one).collect();
        // The bound takes the weights that the last q was made from.
        if step + 1 < STEPS {
            weights = Weights::new(&start, &assigned);
        }
    }
    let divergence: f64 = assigned.iter().map(|assigned| assigned.divergence).sum();
    let entries = count * start.len() as f64;
    match prior {
        Prior::Dirichlet => (divergence - weights.log_normaliser(&start)) / entries,
        Prior::Gamma => (weights.log_gammas(&start) + divergence + weights.log_rates(theta) - count) / entries + 1.0,
    }
}

/// What the rows of one class add up to.
struct Assigned {
    /// z sums of q.
    sums: Vec<f64>,
    /// Sum of q (ln q - ln s).
    divergence: f64,
}

/// The k × z table a, and its sum over the classes.
struct Weights {
    table: Vec<Vec<f64>>,
    totals: Vec<f64>,
}

impl Weights {
    fn new(start: &[f64], assigned: &[Assigned]) -> Self {
        let row = |(start, assigned): (&f64, &Assigned)| assigned.sums.iter().map(|sum| start + sum).collect();
        let table: Vec<Vec<f64>> = start.iter().zip(assigned).map(row).collect();
        let mut totals = vec![0.0; table[0].len()];
        table.iter().for_each(|row| totals.iter_mut().zip(row).for_each(|(total, weight)| *total += weight));
        Self { table, totals }
    }

    /// ln of what s is multiplied by, for one class.
    fn logarithms(&self, row: &[f64], prior: Prior) -> Vec<f64> {
        let second = |total: f64| if prior == Prior::Dirichlet { digamma(total) } else { 0.0 };
        row.iter().zip(&self.totals).map(|(&weight, &total)| digamma(weight) - second(total)).collect()
    }

    /// sum_z [ lnG(sum a0) - sum_c lnG(a0_c) - lnG(sum_c a_cz) + sum_c lnG(a_cz) ]
    fn log_normaliser(&self, start: &[f64]) -> f64 {
        let totals: f64 = self.totals.iter().map(|&total| ln_gamma(start.iter().sum()) - ln_gamma(total)).sum();
        totals - self.log_gammas(start)
    }

    /// sum_cz [ lnG(a0_c) - lnG(a_cz) ]
    fn log_gammas(&self, start: &[f64]) -> f64 {
        let of_class = |(&start, row): (&f64, &Vec<f64>)| {
            let start = ln_gamma(start);
            row.iter().map(|&weight| start - ln_gamma(weight)).sum::<f64>()
        };
        start.iter().zip(&self.table).map(of_class).sum()
    }

    /// sum_i ln lambda_i
    fn log_rates(&self, theta: &Features) -> f64 {
        let mut rates = vec![0.0; theta.rows()];
        theta.visit(0..theta.rows(), |row, column, value| rates[row] += value * self.totals[column]);
        rates.iter().map(|rate| rate.ln()).sum()
    }
}

/// Makes q of one class's rows anew and adds it up.
fn assign(theta: &Features, members: &[usize], logarithms: &[f64]) -> Assigned {
    // Relative to the largest, for they may all be below the least exponent.
    let top = logarithms.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let factors: Vec<f64> = logarithms.iter().map(|logarithm| (logarithm - top).exp()).collect();
    let mut sums = vec![0.0; theta.dim()];
    let mut divergence = 0.0;
    for row in source::block(theta, members).chunks_exact(theta.dim()) {
        let total: f64 = row.iter().zip(&factors).map(|(theta, factor)| (theta + FLOOR) * factor).sum();
        let entries = row.iter().zip(&factors).map(|(theta, factor)| (theta + FLOOR) * factor / total);
        sums.iter_mut().zip(entries).for_each(|(sum, q)| *sum += q);
        divergence -= total.ln();
    }
    divergence += sums.iter().zip(logarithms).map(|(sum, logarithm)| sum * (logarithm - top)).sum::<f64>();
    Assigned { sums, divergence }
}
