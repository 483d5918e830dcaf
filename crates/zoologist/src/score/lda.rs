//! `lda`: the mean posterior of the true class under linear discriminant analysis, on the rows that it was fitted to.
//!
//! The discriminant, its source, its cost and when it is undefined: the module `discriminant`. It is what ETran (ICCV
//! 2023) means by its classification part. Not invariant to the scale of the features, through the shrinkage. Near 1
//! whatever the labels when there are as many dimensions as rows: then the status is `saturated`.

use super::discriminant::{self, Discriminant};
use super::{Evaluation, Rows};

/// The registry's entry.
pub fn evaluate(rows: &Rows) -> Evaluation {
    discriminant::evaluation("lda", rows, |space, classes| {
        Some(Discriminant::fit(&space, classes, None)?.mean_posterior(&space.table, classes))
    })
}
