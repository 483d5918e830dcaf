//! `nleep`: LEEP over the components of a Gaussian mixture in place of source classes.
//!
//! Principal components of the features up to the first p that explain more than 80% of the variance; a mixture of
//! min(5 k, n / 2) Gaussians with full covariances fitted to them; theta (n × m) = the posteriors of the components;
//! the score is LEEP of theta, at most 0. Classes only; undefined for constant features. Not free of scale: the ridge
//! of the covariances is absolute. Source: Li et al., CVPR 2021 (arXiv 2011.11200), section 4.
//!
//! A mixture depends on where its fit starts: here at k-means++ centres drawn by the seed. The value is that of the
//! first start; the note says how far two more starts disagree, and a difference between models below that says
//! nothing. Time 300 n m p² at most.

use faer::Mat;

use super::leep::leep;
use super::linear::Basis;
use super::{Evaluation, Rows, Status, linear, mixture};
use crate::base::{Classes, Features, Targets, Values};

/// Share of the variance that the principal components explain.
const EXPLAINED: f64 = 0.8;
/// Components for each class.
const COMPONENTS: usize = 5;
/// Starts that are compared.
const STARTS: usize = 3;
/// Rows times components times squared dimensions (or 256, if more) above which the score is refused.
const MAX_COST: f64 = 1e9;

/// The registry's entry.
pub fn evaluate(rows: &Rows) -> Evaluation {
    let without = |status: Status, note: &str| Evaluation::without_value("nleep", status, note);
    let Targets::Classes(classes) = rows.targets else {
        return without(Status::NotApplicable, "it is defined for classes only");
    };
    let Some(points) = principal_components(rows.features) else {
        return without(Status::NotApplicable, "the features are constant, or have no eigenvectors to be found");
    };
    let components = (COMPONENTS * classes.names().len()).min(points.ncols() / 2);
    let entries = points.ncols() as f64 * components as f64;
    if entries * (points.nrows() as f64).powi(2).max(256.0) > MAX_COST {
        let note = format!("{components} Gaussians in {} dimensions are too many for these rows", points.nrows());
        return without(Status::TooLarge, &note);
    }
    let of_start = |start: usize| {
        let mut stream = rows.settings.seed.stream("nleep", &start.to_string());
        value(&points, classes, mixture::k_means_plus_plus(&points, components, &mut stream))
    };
    let Some(found) = (0..STARTS).map(of_start).collect::<Option<Vec<f64>>>() else {
        return without(Status::NotApplicable, "the covariance of a component can't be inverted");
    };
    let (least, most) = found.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), &v| (a.min(v), b.max(v)));
    let seed = rows.settings.seed.0;
    let note = format!("seed {seed}; {STARTS} starts of the mixture gave {least:.4} to {most:.4}");
    Evaluation::with_value("nleep", found[0], vec![], Some(note))
}

/// p × n scores of the first principal components; `None` where there are none.
fn principal_components(features: &Features) -> Option<Mat<f64>> {
    let basis = Basis::of(&linear::centred(features))?;
    let enough = EXPLAINED * basis.squares.iter().sum::<f64>();
    let mut explained = 0.0;
    let more = |square: &&f64| {
        let goes_on = explained <= enough;
        explained += **square;
        goes_on
    };
    let dim = basis.squares.iter().rev().take_while(more).count();
    let top = basis.squares.len().checked_sub(1)?;
    let score = |place: usize, row: usize| basis.vectors[(row, top - place)] * basis.squares[top - place].sqrt();
    Some(Mat::from_fn(dim, features.rows(), score))
}

fn value(points: &Mat<f64>, classes: &Classes, start: Mat<f64>) -> Option<f64> {
    let posteriors = mixture::fit(points, start)?.posteriors;
    let rows = (0..posteriors.nrows()).flat_map(|row| posteriors.row(row).iter().copied());
    let theta = Features::new(posteriors.ncols(), Values::F64(rows.collect()));
    Some(leep(&theta, classes, &[]).0)
}
