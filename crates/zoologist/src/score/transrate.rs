//! `transrate`, `transrate_unweighted`: how many bits the features hold beyond those that they hold within a class.
//!
//! With Z the n × d features about their overall mean, Z_c the n_c rows of class c (about the same mean) and the
//! coding rate R(Z; n) = 1/2 ln det(I + Z'Z / (n eps)): `transrate` = R(Z; n) - sum_c n_c/n R(Z_c; n_c), and
//! `transrate_unweighted` = R(Z; n) - mean_c R(Z_c; n_c), as thuml's Transfer-Learning-Library has it. Source: Huang et
//! al., ICML 2022, eq. 4 (the entropies are rates); eps is absolute, 1e-4 by default, so the score depends on the scale
//! of the features. On request Z is scaled first to tr(Z'Z)/n = 1.
//!
//! A rate is 1/2 sum ln(1 + l / (n eps)) over the eigenvalues l of the smaller Gram matrix that count by the rank rule:
//! where the two terms nearly cancel, a determinant loses digits. Time n d min(n, d) for the whole and
//! n_c d min(n_c, d) per class.

use faer::{Mat, MatRef, Scale};
use rayon::prelude::*;

use super::{Evaluation, Rows, Status, groups, linear};
use crate::base::Targets;

/// The registry's entry of `transrate`.
pub fn evaluate(rows: &Rows) -> Evaluation {
    let weighted = |rates: &Rates| {
        let total: usize = rates.counts.iter().sum();
        let share = |(rate, &count): (&f64, &usize)| rate * count as f64 / total as f64;
        rates.classes.iter().zip(&rates.counts).map(share).sum()
    };
    evaluation("transrate", rows, weighted)
}

/// The registry's entry of `transrate_unweighted`.
pub fn evaluate_unweighted(rows: &Rows) -> Evaluation {
    evaluation("transrate_unweighted", rows, |rates| rates.classes.iter().sum::<f64>() / rates.classes.len() as f64)
}

fn evaluation(metric: &str, rows: &Rows, mean: impl Fn(&Rates) -> f64) -> Evaluation {
    let Targets::Classes(_) = rows.targets else { return groups::classes_only(metric) };
    let (count, dim) = (rows.features.rows() as f64, rows.features.dim() as f64);
    if count * dim * count.min(dim) > linear::MAX_COST {
        let note = "it takes more than 5e12 multiply-adds: rows times dimensions times the smaller of both";
        return Evaluation::without_value(metric, Status::TooLarge, note);
    }
    match Rates::of(rows) {
        Some(rates) => Evaluation::with_value(metric, rates.whole - mean(&rates), vec![], None),
        None => Evaluation::without_value(metric, Status::NotApplicable, "eps must be a positive number"),
    }
}

/// What both forms are made of.
struct Rates {
    whole: f64,
    /// Per class.
    classes: Vec<f64>,
    /// Rows per class.
    counts: Vec<usize>,
}

impl Rates {
    /// `None` where eps makes no sense.
    fn of(rows: &Rows) -> Option<Self> {
        let Targets::Classes(classes) = rows.targets else { return None };
        let eps = rows.settings.transrate_eps;
        if !(eps > 0.0 && eps.is_finite()) {
            return None;
        }
        let mut table = linear::centred(rows.features);
        if rows.settings.transrate_unit_trace {
            to_unit_trace(&mut table);
        }
        let of_class = |places: &Vec<usize>| rate(groups::columns(table.as_ref(), places).as_ref(), eps);
        let each = groups::rows_of_each(classes);
        let rates = each.par_iter().map(of_class).collect();
        Some(Self { whole: rate(table.as_ref(), eps), classes: rates, counts: classes.counts() })
    }
}

/// Scales features, d × n, so that the trace of their covariance is 1; constant features stay as they are.
fn to_unit_trace(table: &mut Mat<f64>) {
    let trace = table.squared_norm_l2() / table.ncols() as f64;
    if trace > 0.0 {
        *table *= Scale(1.0 / trace.sqrt());
    }
}

/// R(Z; n) of features d × n.
fn rate(table: MatRef<'_, f64>, eps: f64) -> f64 {
    let distortion = table.ncols() as f64 * eps;
    linear::squared_singular_values(table).iter().map(|square| (square / distortion).ln_1p()).sum::<f64>() / 2.0
}
