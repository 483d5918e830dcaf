//! `sfda`: linear discriminant analysis after each row was moved towards the other classes, the more the less sure it is.
//!
//! With the posteriors of a first discriminant, p_i = softmax(posteriors of row i) at its true class; the row becomes
//! p_i f_i + (1 - p_i) (mean of the other classes' means). A second discriminant with the same shrinkage is fitted to
//! these; the score is its mean posterior of the true class. Source: Shao et al., ECCV 2022, eq. 9 and 10, and
//! TencentARC's code. The discriminant, its cost and when it is undefined: the module `discriminant`. `saturated` with as
//! many dimensions as rows.

use super::discriminant::{self, Discriminant, Space};
use super::{Evaluation, Rows};
use crate::base::Classes;

/// The registry's entry.
pub fn evaluate(rows: &Rows) -> Evaluation {
    discriminant::evaluation("sfda", rows, sfda)
}

/// The score itself; `None` where the classes have no spread.
pub fn sfda(mut space: Space, classes: &Classes) -> Option<f64> {
    let first = Discriminant::fit(&space, classes, None)?;
    first.mix(&mut space, classes);
    let second = Discriminant::fit(&space, classes, Some(first.shrinkage()))?;
    Some(second.mean_posterior(&space.table, classes))
}
