//! Statistics made ready for every score that needs nothing else of the rows.
//!
//! [`Prepared`] holds what is computed once for a feature matrix: its moments, or the inner products of its rows where
//! these are fewer than their dimensions and at hand; and, when the first score asks for it, their reduction to
//! tridiagonal form. A score sees a [`Problem`]: the prepared statistics and which response is to be explained. It does
//! not see which of the two forms they have.

use std::sync::OnceLock;

use faer::{Mat, Side};

use super::linear;
use super::reduction::Reduction;
use super::wide::{Part, WideRows};
use crate::stats::{Marginals, Moments};

/// The statistics of one feature matrix, and what scores share of them.
pub struct Prepared<'a> {
    source: Source<'a>,
    /// Which target columns are counted; those that vary unless said otherwise.
    counted: Vec<bool>,
    /// How many class numbers up to the largest never occur.
    absent: u64,
    reduction: OnceLock<Reduction>,
}

/// Where the statistics come from.
enum Source<'a> {
    Moments(&'a Moments),
    /// Rows of so many dimensions, and how many responses they have.
    Rows {
        part: Part,
        dim: usize,
        responses: usize,
    },
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
        Self::new(Source::Moments(moments))
    }

    /// Of some rows that are fewer than their dimensions.
    pub(super) fn of_rows(wide: &WideRows, rows: &[usize]) -> Self {
        Self::new(Source::Rows { part: wide.part(rows), dim: wide.dim(), responses: wide.responses() })
    }

    fn new(source: Source<'a>) -> Self {
        let counted = source.marginals().varying(source.rows());
        Self { source, counted, absent: 0, reduction: OnceLock::new() }
    }

    /// Only these target columns are counted, of those that vary.
    #[must_use]
    pub fn counting(mut self, columns: &[bool]) -> Self {
        self.counted.iter_mut().zip(columns).for_each(|(counted, column)| *counted &= column);
        self
    }

    /// So many class numbers up to the largest never occur: the published LogME counts them as targets.
    #[must_use]
    pub fn with_absent_classes(self, absent: u64) -> Self {
        Self { absent, ..self }
    }

    /// The targets as they are.
    pub fn problem(&'a self) -> Problem<'a> {
        Problem { prepared: self, response: 0 }
    }

    /// The targets under each permutation that was accumulated.
    pub fn permuted(&'a self) -> impl Iterator<Item = Problem<'a>> {
        let responses = match &self.source {
            Source::Moments(moments) => moments.responses(),
            Source::Rows { responses, .. } => *responses,
        };
        (1..responses).map(|response| Problem { prepared: self, response })
    }
}

impl Source<'_> {
    fn rows(&self) -> usize {
        match self {
            Self::Moments(moments) => moments.rows(),
            Self::Rows { part, .. } => part.gram.nrows(),
        }
    }

    fn marginals(&self) -> &Marginals {
        match self {
            Self::Moments(moments) => moments.marginals(),
            Self::Rows { part, .. } => &part.marginals,
        }
    }
}

impl<'a> Problem<'a> {
    /// Rows, n.
    pub fn rows(&self) -> usize {
        self.prepared.source.rows()
    }

    /// Dimensions, d.
    pub fn dim(&self) -> usize {
        match &self.prepared.source {
            Source::Moments(moments) => moments.dim(),
            Source::Rows { dim, .. } => *dim,
        }
    }

    /// Rows per class; `None` unless the targets are classes.
    pub fn counts(&self) -> Option<&'a [u64]> {
        self.prepared.source.marginals().counts()
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

    /// Trace of the centred Gram matrix M2.
    pub fn trace(&self) -> f64 {
        match &self.prepared.source {
            Source::Moments(moments) => moments.trace(),
            Source::Rows { part, .. } => squares(&part.gram).sum(),
        }
    }

    /// Squared Frobenius norm of M2.
    pub fn scatter_square(&self) -> f64 {
        match &self.prepared.source {
            Source::Moments(moments) => moments.scatter_square(),
            Source::Rows { part, .. } => part.gram.squared_norm_l2(),
        }
    }

    /// mean' M2 mean.
    pub fn mean_energy(&self) -> f64 {
        match &self.prepared.source {
            Source::Moments(moments) => moments.mean_energy(),
            Source::Rows { part, .. } => part.along_mean.iter().map(|value| value * value).sum(),
        }
    }

    /// sum |f|⁴ over the centred rows f.
    pub fn fourth(&self) -> f64 {
        match &self.prepared.source {
            Source::Moments(moments) => moments.fourth(),
            Source::Rows { part, .. } => squares(&part.gram).map(|square| square * square).sum(),
        }
    }

    /// For each target column the product of C_j, the products of the centred features with it, and the mean.
    pub fn cross_along_mean(&self) -> Vec<f64> {
        let (table, along) = match &self.prepared.source {
            Source::Moments(moments) => (moments.cross(self.response), moments.mean()),
            Source::Rows { part, .. } => (&part.targets[self.response], &part.along_mean[..]),
        };
        let product = |column| table.col_as_slice(column).iter().zip(along).map(|(a, b)| a * b).sum();
        (0..table.ncols()).map(product).collect()
    }

    /// |C_j|² for each target column.
    pub fn cross_squares(&self) -> Vec<f64> {
        match &self.prepared.source {
            Source::Moments(moments) => {
                let cross = moments.cross(self.response);
                (0..cross.ncols()).map(|column| cross.col(column).squared_norm_l2()).collect()
            }
            Source::Rows { part, .. } => {
                let targets = &part.targets[self.response];
                let turned = linear::product(part.gram.as_ref(), targets.as_ref());
                (0..targets.ncols()).map(|column| targets.col(column).transpose() * turned.col(column)).collect()
            }
        }
    }

    /// The products C_i'C_j over the root of the columns' weights, or, if that is smaller, the matrix with the same
    /// eigenvalues but for zeros.
    pub fn weighted_cross_gram(&self, weights: &[f64]) -> Mat<f64> {
        let scaled = |table: &Mat<f64>| {
            Mat::from_fn(table.nrows(), table.ncols(), |row, column| table[(row, column)] / weights[column].sqrt())
        };
        match &self.prepared.source {
            Source::Moments(moments) => {
                let table = scaled(moments.cross(self.response));
                if table.ncols() <= table.nrows() {
                    linear::product(table.transpose(), table.as_ref())
                } else {
                    linear::product(table.as_ref(), table.transpose())
                }
            }
            Source::Rows { part, .. } => {
                let table = scaled(&part.targets[self.response]);
                linear::product(table.transpose(), linear::product(part.gram.as_ref(), table.as_ref()).as_ref())
            }
        }
    }

    /// C_j' M2^+ C_j for each target column, with the pseudo-inverse by the rank rule. Where some eigenvalues are tiny but
    /// count, and the columns of the features are of unlike size, dividing each by its length first keeps the digits:
    /// the value is the same for any scale of the columns.
    pub fn cross_energies(&self) -> Vec<f64> {
        let reduction = self.reduction();
        let smallest = reduction.eigenvalues.first().copied().unwrap_or_default();
        let uneven = reduction.eigenvalues.len() == self.dim() && smallest < UNEVEN * reduction.largest();
        let even = match &self.prepared.source {
            Source::Moments(moments) if uneven => even_energies(moments, self.response),
            _ => None,
        };
        even.unwrap_or_else(|| reduction.energies(self.response, 0.0))
    }

    /// The tridiagonal form, made at the first call.
    pub fn reduction(&self) -> &'a Reduction {
        self.prepared.reduction.get_or_init(|| match &self.prepared.source {
            Source::Moments(moments) => Reduction::of(moments),
            Source::Rows { part, dim, .. } => Reduction::of_wide(part, *dim),
        })
    }
}

/// The smallest eigenvalue over the largest, below which the tridiagonal form loses digits that count.
const UNEVEN: f64 = 1e-8;

/// C_j' M2^-1 C_j by way of the correlation matrix; `None` where that is singular to within rounding.
fn even_energies(moments: &Moments, response: usize) -> Option<Vec<f64>> {
    let dim = moments.dim();
    let scale: Vec<f64> = (0..dim).map(|place| moments.scatter()[(place, place)].sqrt().recip()).collect();
    let even =
        |row: usize, column: usize| moments.scatter()[(row.max(column), row.min(column))] * scale[row] * scale[column];
    let root = Mat::from_fn(dim, dim, even).llt(Side::Lower).ok()?;
    let cross = moments.cross(response);
    let mut solved = Mat::from_fn(dim, cross.ncols(), |row, column| cross[(row, column)] * scale[row]);
    root.L().solve_lower_triangular_in_place(&mut solved);
    let energies: Vec<f64> = (0..solved.ncols()).map(|column| solved.col(column).squared_norm_l2()).collect();
    energies.iter().all(|energy| energy.is_finite()).then_some(energies)
}

/// The squared lengths of rows, from their inner products.
fn squares(gram: &Mat<f64>) -> impl Iterator<Item = f64> {
    (0..gram.nrows()).map(|row| gram[(row, row)])
}
