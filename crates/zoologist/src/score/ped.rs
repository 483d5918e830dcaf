//! `ped`: `sfda` after the classes pushed each other apart.
//!
//! Features are measured in the source set's means and deviations (divisor: its number of rows; at least 1e-3). Class
//! means m_c, radii R_c = sqrt(sum_j var_cj) (divisor n_c). One step: every two classes whose distance is less than
//! 0.6 (R_i + R_j) move apart along their line, each by min(dt²/2 o, o), with o what is missing and dt = 0.1; the moves
//! of a class add up. Up to six steps, while the sum of the absolute moves is more than half that of the first step; a
//! step below that is not taken. Rows move with their class, and `sfda` is computed from them in their own units.
//! Source: Li et al., ICCV 2023, eq. 5 to 9, and their code. Classes whose means coincide have no line and do not push
//! each other (their code divides by zero); where none overlap the value is that of `sfda`. Undefined where that is.
//!
//! A rigid move leaves the spread of a class alone, so the steps need the means only. Time k² d per step, and `sfda`'s.

use faer::Mat;

use super::sfda::sfda;
use super::{Evaluation, Rows, Status, discriminant, groups, linear};
use crate::base::{Classes, Features, Targets};

/// Share of the two radii that two classes want between them.
const MARGIN: f64 = 0.6;
/// Share of what is missing that a class moves in a step: half the square of the time step 0.1.
const PACE: f64 = 0.005;
/// Steps at most.
const STEPS: usize = 6;
/// Share of the first step's moves below which the classes have come to rest.
const REST: f64 = 0.5;
/// Least deviation of a source feature.
const LEAST_DEVIATION: f64 = 1e-3;

/// The registry's entry.
pub fn evaluate(rows: &Rows) -> Evaluation {
    let Targets::Classes(classes) = rows.targets else { return groups::classes_only("ped") };
    let Some(source) = rows.inputs.source_features.as_ref().filter(|source| source.rows() > 0) else {
        let note = "it needs features of the data set that the model was trained on";
        return Evaluation::without_value("ped", Status::NeedsInput, note);
    };
    if source.dim() != rows.features.dim() {
        let note = format!("source features have {} dimensions, features {}", source.dim(), rows.features.dim());
        return Evaluation::without_value("ped", Status::NeedsInput, &note);
    }
    let width = classes.names().len() as f64;
    // A pair is not a matrix product: it takes ten times as long.
    if 10.0 * width * width * rows.features.dim() as f64 * STEPS as f64 > linear::MAX_COST {
        return Evaluation::without_value("ped", Status::TooLarge, "too many pairs of classes times dimensions");
    }
    if let Some(refusal) = discriminant::refusal("ped", rows, classes) {
        return refusal;
    }
    let mut table = linear::centred(rows.features);
    push_apart(&mut table, classes, &deviations(source));
    discriminant::of_table("ped", table, classes, sfda)
}

/// Deviations of the columns.
fn deviations(source: &Features) -> Vec<f64> {
    let table = linear::centred(source);
    let deviation = |column: usize| (table.row(column).squared_norm_l2() / table.ncols() as f64).sqrt();
    (0..table.nrows()).map(|column| deviation(column).max(LEAST_DEVIATION)).collect()
}

/// Moves the classes of features d × n. The source's means shift all alike and so do not matter.
fn push_apart(table: &mut Mat<f64>, classes: &Classes, units: &[f64]) {
    let start = groups::means(table, classes);
    let radii = radii(table, classes, &start, units);
    let mut means = Mat::from_fn(start.nrows(), start.ncols(), |place, class| start[(place, class)] / units[place]);
    let mut first = 0.0;
    for step in 0..STEPS {
        let moves = moves(&means, &radii);
        let change = moves.norm_l1();
        if step == 0 {
            first = change;
        }
        if change <= REST * first {
            break;
        }
        means += moves;
    }
    for (row, &class) in classes.index().iter().enumerate() {
        for (place, value) in table.col_as_slice_mut(row).iter_mut().enumerate() {
            *value += means[(place, class as usize)] * units[place] - start[(place, class as usize)];
        }
    }
}

/// The radius of each class, in these units.
fn radii(table: &Mat<f64>, classes: &Classes, means: &Mat<f64>, units: &[f64]) -> Vec<f64> {
    let mut squares = vec![0.0; means.ncols()];
    for (row, &class) in classes.index().iter().enumerate() {
        let pairs = table.col_as_slice(row).iter().zip(means.col_as_slice(class as usize)).zip(units);
        squares[class as usize] += pairs.map(|((value, mean), unit)| ((value - mean) / unit).powi(2)).sum::<f64>();
    }
    squares.iter().zip(classes.counts()).map(|(sum, count)| (sum / count as f64).sqrt()).collect()
}

/// How each class moves in one step, d × k.
fn moves(means: &Mat<f64>, radii: &[f64]) -> Mat<f64> {
    let mut moves = Mat::<f64>::zeros(means.nrows(), means.ncols());
    for first in 0..radii.len() {
        for second in first + 1..radii.len() {
            let pairs = means.col_as_slice(first).iter().zip(means.col_as_slice(second));
            let distance = pairs.map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt();
            let missing = MARGIN * (radii[first] + radii[second]) - distance;
            if missing <= 0.0 || distance == 0.0 {
                continue;
            }
            let pace = PACE * missing / distance;
            for place in 0..means.nrows() {
                let way = pace * (means[(place, first)] - means[(place, second)]);
                moves[(place, first)] += way;
                moves[(place, second)] -= way;
            }
        }
    }
    moves
}
