//! `ncti`: how near the features are to neural collapse, in three numbers that only mean something within a pool.
//!
//! X: scores on p = min(64, rank) principal components. Shrinkage lambda = max(exp(-sum of the first 32 variances),
//! 1e-10), and 0 where that is 1e-10. W = covariance about the class means, T = covariance (divisor n), both shrunk:
//! (1 - lambda) A + lambda tr(A)/p I. V: generalised eigenvectors of (T_s - W_s, W_s), V' W_s V = I, those of the largest
//! min(k - 1, p) eigenvalues; Z = X V. P: posteriors of the linear discriminant W_s^-1 with priors n_c/n. The parts:
//! the nuclear norm of Z about its mean; the mean posterior of the true class; ln sum_c (nuclear norm of the rows of P of
//! class c). Over a pool of models, each part is scaled to 0..1 from the least to the largest; first + second - third.
//! Source: Wang et al., ICCV 2023, eq. 9 to 12, and their code, which takes its discriminant from scikit-learn; where
//! W_s is singular by the rank rule, the pseudo-inverse stands for the inverse. Not defined where no two rows of a class
//! differ. Time n d min(n, d), and n k p and n_c k min(n_c, k) per class.

use faer::Mat;
use rayon::prelude::*;

use super::linear::{self, Components, Tridiagonal};
use super::{Evaluation, Rows, Score, Status, discriminant, groups};
use crate::base::{Classes, Targets};

/// Principal components that are kept.
const COMPONENTS: usize = 64;
/// Principal components whose variances decide how much to shrink.
const VARIANCES: usize = 32;
/// A shrinkage of this or less is none.
const LEAST_SHRINKAGE: f64 = 1e-10;
/// Names of the parts in a score.
const NAMES: [&str; 3] = ["nuclear_norm", "mean_posterior", "log_class_nuclear_norm"];
/// Models below which a pool has no scores.
const LEAST_POOL: usize = 3;

/// What a pool of models is compared by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Parts {
    /// Nuclear norm of the discriminant scores about their mean.
    pub nuclear_norm: f64,
    /// Mean posterior of the true class.
    pub mean_posterior: f64,
    /// Logarithm of the sum over the classes of the nuclear norm of their posteriors.
    pub log_class_nuclear_norm: f64,
}

impl Parts {
    /// The parts that a score of `ncti` carries.
    pub fn of(score: &Score) -> Option<Self> {
        let [nuclear_norm, mean_posterior, log_class_nuclear_norm] = NAMES.map(|name| score.parts.get(name).copied());
        Some(Self {
            nuclear_norm: nuclear_norm?,
            mean_posterior: mean_posterior?,
            log_class_nuclear_norm: log_class_nuclear_norm?,
        })
    }
}

/// The scores of a pool of models, in their order; higher is better. `None` for fewer than three models. A part that is
/// the same for all counts 0.
///
/// ```
/// use zoologist::score::ncti::{Parts, pool_scores};
/// let of = |nuclear_norm| Parts { nuclear_norm, mean_posterior: 0.5, log_class_nuclear_norm: 1.0 };
/// assert_eq!(pool_scores(&[of(1.0), of(2.0), of(5.0)]), Some(vec![0.0, 0.25, 1.0]));
/// assert_eq!(pool_scores(&[of(1.0), of(2.0)]), None);
/// ```
pub fn pool_scores(pool: &[Parts]) -> Option<Vec<f64>> {
    if pool.len() < LEAST_POOL {
        return None;
    }
    let scaled = |part: fn(&Parts) -> f64| {
        let values: Vec<f64> = pool.iter().map(part).collect();
        let least = values.iter().copied().fold(f64::INFINITY, f64::min);
        let range = values.iter().copied().fold(f64::NEG_INFINITY, f64::max) - least;
        values
            .into_iter()
            .map(move |value| if range > 0.0 { (value - least) / range } else { 0.0 })
            .collect::<Vec<f64>>()
    };
    let norms = scaled(|parts| parts.nuclear_norm);
    let posteriors = scaled(|parts| parts.mean_posterior);
    let classes = scaled(|parts| parts.log_class_nuclear_norm);
    Some((0..pool.len()).map(|model| norms[model] + posteriors[model] - classes[model]).collect())
}

/// The registry's entry: the parts, and no value.
pub fn evaluate(rows: &Rows) -> Evaluation {
    let Targets::Classes(classes) = rows.targets else { return groups::classes_only("ncti") };
    if let Some(refusal) = discriminant::refusal("ncti", rows, classes) {
        return refusal;
    }
    let Some(parts) = parts(rows, classes) else {
        let note =
            "no two rows of a class differ (or no eigenvectors are found): no spread to compare the classes with";
        return Evaluation::without_value("ncti", Status::NotApplicable, note);
    };
    let note = "compares a pool: use `rank --metric ncti` with three or more models";
    let mut evaluation = Evaluation::without_value("ncti", Status::NeedsInput, note);
    let values = [parts.nuclear_norm, parts.mean_posterior, parts.log_class_nuclear_norm];
    evaluation.score.parts = NAMES.map(str::to_owned).into_iter().zip(values).collect();
    evaluation
}

fn parts(rows: &Rows, classes: &Classes) -> Option<Parts> {
    let Components { scores, squares } = Components::of(&linear::centred(rows.features), COMPONENTS)?;
    let count = scores.ncols() as f64;
    let variance: f64 = squares.iter().take(VARIANCES).map(|square| square / (count - 1.0)).sum();
    let shrinkage = if (-variance).exp() > LEAST_SHRINKAGE { (-variance).exp() } else { 0.0 };
    let means = groups::means(&scores, classes);
    let about = Mat::from_fn(scores.nrows(), scores.ncols(), |place, row| {
        scores[(place, row)] - means[(place, classes.index()[row] as usize)]
    });
    let within = linear::product(about.as_ref(), about.transpose()) * faer::Scale(1.0 / count);
    let noise = (count.max(rows.features.dim() as f64) * f64::EPSILON).powi(2) * squares.iter().sum::<f64>();
    if about.squared_norm_l2() <= noise {
        return None;
    }
    let total = Mat::from_fn(squares.len(), squares.len(), |a, b| if a == b { squares[a] / count } else { 0.0 });
    let (within, total) = (shrunk(within, shrinkage), shrunk(total, shrinkage));
    let whitening = whitening(&within, scores.ncols())?;
    let nuclear_norm = spread(&whitening, &(total - within), &scores, classes.names().len() - 1)?;
    let whitened = linear::product(whitening.transpose(), means.as_ref());
    let coefficients = linear::product(whitening.as_ref(), whitened.as_ref());
    let offsets = discriminant::offsets(&coefficients, &means, classes);
    let (mean_posterior, sum) = posterior_parts(&coefficients, &offsets, &scores, classes);
    Some(Parts { nuclear_norm, mean_posterior, log_class_nuclear_norm: sum.ln() })
}

/// (1 - lambda) A + lambda tr(A)/p I.
fn shrunk(matrix: Mat<f64>, shrinkage: f64) -> Mat<f64> {
    let dim = matrix.nrows();
    let floor = shrinkage * (0..dim).map(|place| matrix[(place, place)]).sum::<f64>() / dim as f64;
    let mut matrix = matrix * faer::Scale(1.0 - shrinkage);
    (0..dim).for_each(|place| matrix[(place, place)] += floor);
    matrix
}

/// H with H H' the pseudo-inverse of a matrix, p × r.
fn whitening(matrix: &Mat<f64>, rows: usize) -> Option<Mat<f64>> {
    let (values, vectors) = Tridiagonal::of(matrix).eigen()?;
    let limit = linear::rank_limit((rows, values.len()), values.last().copied().unwrap_or_default());
    let first = values.partition_point(|&value| value <= limit);
    Some(Mat::from_fn(values.len(), values.len() - first, |row, column| {
        vectors[(row, first + column)] / values[first + column].sqrt()
    }))
}

/// Nuclear norm of the scores, about their mean, along the `most` directions in which the classes differ most.
fn spread(whitening: &Mat<f64>, between: &Mat<f64>, scores: &Mat<f64>, most: usize) -> Option<f64> {
    let turned = linear::product(whitening.transpose(), linear::product(between.as_ref(), whitening.as_ref()).as_ref());
    let (_, vectors) = Tridiagonal::of(&turned).eigen()?;
    let kept = vectors.ncols().min(most);
    let axes = linear::product(whitening.as_ref(), vectors.subcols(vectors.ncols() - kept, kept));
    // The components have mean 0, so the scores along these axes do too.
    Some(nuclear_norm(&linear::product(axes.transpose(), scores.as_ref())))
}

/// Mean posterior of the true class, and the sum over the classes of the nuclear norm of their posteriors.
fn posterior_parts(coefficients: &Mat<f64>, offsets: &[f64], scores: &Mat<f64>, classes: &Classes) -> (f64, f64) {
    let of_class = |(class, places): (usize, &Vec<usize>)| {
        let own = groups::columns(scores.as_ref(), places);
        let mut table = Mat::<f64>::zeros(offsets.len(), places.len());
        discriminant::posteriors(coefficients, offsets, &own, |row, posterior| {
            table.col_as_slice_mut(row).copy_from_slice(posterior);
        });
        (table.row(class).sum(), nuclear_norm(&table))
    };
    let found: Vec<(f64, f64)> = groups::rows_of_each(classes).par_iter().enumerate().map(of_class).collect();
    let (posteriors, norms): (Vec<f64>, Vec<f64>) = found.into_iter().unzip();
    (posteriors.iter().sum::<f64>() / scores.ncols() as f64, norms.iter().sum())
}

/// Sum of the singular values.
fn nuclear_norm(table: &Mat<f64>) -> f64 {
    linear::squared_singular_values(table.as_ref()).into_iter().map(f64::sqrt).sum()
}
