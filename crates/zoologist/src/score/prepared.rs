//! Statistics made ready for every score that needs nothing else of the rows.
//!
//! [`Prepared`] holds what is computed once for a feature matrix: its moments, and, when the first score asks for it,
//! their reduction to tridiagonal form: of the Gram matrix, or of the rows' inner products where the rows are fewer than
//! their dimensions and at hand. A score sees a [`Problem`]: the prepared statistics and which response is to
//! be explained.

use std::sync::OnceLock;

use super::reduction::Reduction;
use super::wide::WideRows;
use crate::stats::Moments;

/// The statistics of one feature matrix, and what scores share of them.
pub struct Prepared<'a> {
    moments: &'a Moments,
    /// Which target columns are counted; those that vary unless said otherwise.
    counted: Vec<bool>,
    /// How many class numbers up to the largest never occur.
    absent: u64,
    /// The rows that the moments are of, where they are fewer than their dimensions and at hand.
    wide: Option<(&'a WideRows<'a>, Vec<usize>)>,
    reduction: OnceLock<Reduction>,
}

/// What a score from statistics is computed from.
#[derive(Clone, Copy)]
pub struct Problem<'a> {
    prepared: &'a Prepared<'a>,
    response: usize,
}

impl<'a> Prepared<'a> {
    /// Every target column that varies is counted.
    pub fn of(moments: &'a Moments) -> Self {
        Self { moments, counted: moments.varying(), absent: 0, wide: None, reduction: OnceLock::new() }
    }

    /// Only these target columns are counted, of those that vary.
    pub fn counting(moments: &'a Moments, columns: &[bool]) -> Self {
        let counted = moments.varying().iter().zip(columns).map(|(varies, counts)| *varies && *counts).collect();
        Self { moments, counted, absent: 0, wide: None, reduction: OnceLock::new() }
    }

    /// So many class numbers up to the largest never occur: the published LogME counts them as targets.
    #[must_use]
    pub fn with_absent_classes(self, absent: u64) -> Self {
        Self { absent, ..self }
    }

    /// The moments are of these rows.
    #[must_use]
    pub fn with_wide_rows(self, rows: Option<(&'a WideRows<'a>, Vec<usize>)>) -> Self {
        Self { wide: rows, ..self }
    }

    /// The targets as they are.
    pub fn problem(&'a self) -> Problem<'a> {
        Problem { prepared: self, response: 0 }
    }

    /// The targets under each permutation that was accumulated.
    pub fn permuted(&'a self) -> impl Iterator<Item = Problem<'a>> {
        (1..self.moments.responses()).map(|response| Problem { prepared: self, response })
    }
}

impl<'a> Problem<'a> {
    /// The moments.
    pub fn moments(&self) -> &'a Moments {
        self.prepared.moments
    }

    /// Which response is explained: 0 for the targets, above it for their permutations.
    pub fn response(&self) -> usize {
        self.response
    }

    /// Which target columns are counted in a mean over columns.
    pub fn counted(&self) -> &'a [bool] {
        &self.prepared.counted
    }

    /// How many class numbers up to the largest never occur.
    pub fn absent_classes(&self) -> u64 {
        self.prepared.absent
    }

    /// The tridiagonal form, made at the first call.
    pub fn reduction(&self) -> &'a Reduction {
        let moments = self.prepared.moments;
        self.prepared.reduction.get_or_init(|| match &self.prepared.wide {
            Some((wide, rows)) => Reduction::of_wide(wide.part(rows), moments),
            None => Reduction::of(moments),
        })
    }
}
