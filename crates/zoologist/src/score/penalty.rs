//! A softmax regression whose penalty is chosen by rows that are then learned from too.
//!
//! Lambda, in units of the features' root mean square, is one of 1, 0.1, … 1e-5: the one most often right on the validation
//! rows (ties: the stronger) after a fit on the others; the search goes from strong to weak and ends where two in a row are
//! no better. The classifier is then fitted again, on all rows or on those others.

use faer::Mat;

use super::softmax::{Problem, largest};

/// Penalties tried, strongest first, so that each fit starts from the one before.
const LAMBDAS: [f64; 6] = [1.0, 1e-1, 1e-2, 1e-3, 1e-4, 1e-5];
/// Length of the gradient at which a fit has converged that only serves to choose lambda.
const ROUGH_TOLERANCE: f64 = 1e-4;
/// Length of the gradient at which the fit that is kept has converged.
const TOLERANCE: f64 = 1e-7;
/// Steps after which a fit stops anyway.
const MAX_STEPS: usize = 200;
/// Penalties in a row that may be no better before the search ends.
const PATIENCE: usize = 2;

/// Points and their classes.
#[derive(Clone, Copy)]
pub struct Points<'a> {
    /// r × n, a point a column; rotated or not.
    pub table: &'a Mat<f64>,
    /// Dimensions of the features that they were made of.
    pub dim: usize,
    /// The class of each point.
    pub labels: &'a [u32],
    /// How many classes there are.
    pub classes: usize,
}

/// A fitted classifier.
pub struct Chosen {
    /// What it was fitted to.
    pub problem: Problem,
    /// Its weights and biases.
    pub place: Vec<f64>,
    /// The penalty.
    pub lambda: f64,
    /// Whether the last fit converged.
    pub converged: bool,
    /// How many validation rows were right when the penalty was chosen.
    pub right: usize,
}

/// What the last fit learns from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Last {
    /// All rows.
    WithValidation,
    /// Not those that chose: they are to judge once more.
    WithoutValidation,
}

/// Fits a classifier to some rows, with the penalty that others choose.
pub fn fit(points: Points, learned: &[usize], validation: &[usize], last: Last) -> Chosen {
    let Points { table, dim, labels, classes } = points;
    let problem = Problem::new(table, labels, classes, learned);
    let mut best: Option<(usize, f64, Vec<f64>)> = None;
    let (mut place, mut no_better) = (problem.start(), 0);
    for lambda in LAMBDAS {
        let unit = problem.mean_square() / dim as f64;
        place = problem.fit(&place, lambda * unit, ROUGH_TOLERANCE, MAX_STEPS).place;
        let logits = problem.logits_of(&place, table, validation);
        let hit = |(column, row): &(usize, &usize)| largest(logits.col_as_slice(*column)) == labels[**row] as usize;
        let right = validation.iter().enumerate().filter(hit).count();
        if best.as_ref().is_none_or(|(most, ..)| right > *most) {
            (best, no_better) = (Some((right, lambda, place.clone())), 0);
        } else {
            no_better += 1;
        }
        if no_better == PATIENCE || right == validation.len() {
            break;
        }
    }
    let (right, lambda, start) = best.unwrap_or((0, 1.0, place));
    let more = if last == Last::WithValidation { validation } else { &[] };
    let all: Vec<usize> = learned.iter().chain(more).copied().collect();
    let problem = Problem::new(table, labels, classes, &all);
    let unit = problem.mean_square() / dim as f64;
    let minimum = problem.fit(&start, lambda * unit, TOLERANCE, MAX_STEPS);
    Chosen { problem, place: minimum.place, lambda, converged: minimum.converged, right }
}
