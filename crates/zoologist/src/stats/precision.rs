//! Whether rows of single precision may be multiplied in single precision, which is twice as fast.
//!
//! The products of a block of b rows then carry errors of about sqrt(b) 6e-8 relative to the columns' spreads, and
//! their sum over n/b blocks about sqrt(n b) 6e-8. That is harmless where no direction of the features is much
//! weaker than the columns, and ruins scores where some direction is: rounding noise would count as features. So a
//! pilot of evenly spread rows decides, before the pass, and every block is held to the pilot's spreads. Whatever is
//! refused is multiplied in double precision. Admitted features change an entry of the Gram
//! matrix by less than 1e-6 of its columns' lengths (tested), and the scores by about as much of their range; a score
//! that is itself a small difference, such as the regularised H-score of pure noise, by more of its own value. The
//! decision depends on the data alone.

use faer::linalg::matmul::triangular::{BlockStructure, matmul};
use faer::{Accum, Mat, MatRef, Par, Side};

use super::kernels;
use crate::base::{Features, Values};

/// With fewer rows per dimension the pilot would cost more than it saves.
const LEAST_ROWS_PER_DIMENSION: usize = 4;
/// Least eigenvalue that the correlation matrix of the pilot must have.
const LEAST_EIGENVALUE: f64 = 1.0 / 32.0;
/// How much larger than in the pilot the mean square of a column may be in a block.
const LARGEST_GROWTH: f64 = 16.0;
/// Spreads beyond which squares come near the limits of single precision.
const SPREADS: std::ops::Range<f64> = 1e-12..1e12;

/// How rows of single precision are multiplied.
#[derive(Debug, Clone, PartialEq)]
pub enum Precision {
    /// In double precision.
    Double,
    /// In single precision, in every block whose columns have mean squares about the origin of at most these, d.
    Single(Vec<f64>),
}

/// How many rows the pilot of n rows with d features needs; `None` where it is not worth while.
pub fn pilot_rows(rows: usize, dim: usize) -> Option<usize> {
    (rows >= LEAST_ROWS_PER_DIMENSION * dim.max(128)).then(|| (2 * dim).max(512))
}

impl Precision {
    /// Decides by a pilot: [`pilot_rows`] rows, evenly spread over the data where they can be had.
    pub fn of_pilot(pilot: &Features) -> Self {
        let Values::F32(values) = pilot.values() else { return Self::Double };
        let (rows, dim) = (pilot.rows(), pilot.dim());
        let values = &laid_out(values, dim);
        let mut mean = vec![0.0; dim];
        kernels::add_rows(values, &mut mean);
        mean.iter_mut().for_each(|sum| *sum /= rows as f64);
        let squares = kernels::column_squares(values, &mean);
        let spreads: Vec<f64> = squares.iter().map(|square| (square / rows as f64).sqrt()).collect();
        if !spreads.iter().all(|spread| SPREADS.contains(spread)) || !is_well_conditioned(values, &mean, &squares) {
            return Self::Double;
        }
        Self::Single(spreads.iter().map(|spread| LARGEST_GROWTH * spread * spread).collect())
    }

    /// Whether some block may be multiplied in single precision.
    pub fn may_be_single(&self) -> bool {
        matches!(self, Self::Single(_))
    }

    /// Whether a block with these sums of squares of its columns may be multiplied in single precision.
    pub fn allows(&self, squares: &[f64], rows: usize) -> bool {
        match self {
            Self::Double => false,
            Self::Single(limits) => squares.iter().zip(limits).all(|(square, limit)| *square <= limit * rows as f64),
        }
    }
}

/// Whether the correlation matrix less the least eigenvalue is still positive definite.
fn is_well_conditioned(values: &[f32], mean: &[f64], squares: &[f64]) -> bool {
    let dim = mean.len();
    let scale: Vec<f64> = squares.iter().map(|square| square.sqrt().recip()).collect();
    let stride = kernels::stride(dim);
    let mut table = values.to_vec();
    for row in table.chunks_exact_mut(stride) {
        for ((value, mean), scale) in row.iter_mut().zip(mean).zip(&scale) {
            *value = ((f64::from(*value) - mean) * scale) as f32;
        }
    }
    let table = MatRef::from_column_major_slice_with_stride(&table, dim, values.len() / stride, stride);
    let mut correlation = Mat::<f32>::zeros(dim, dim);
    let (lower, full) = (BlockStructure::TriangularLower, BlockStructure::Rectangular);
    matmul(correlation.as_mut(), lower, Accum::Replace, table, full, table.transpose(), full, 1.0, Par::Seq);
    for place in 0..dim {
        correlation[(place, place)] -= LEAST_EIGENVALUE as f32;
    }
    correlation.llt(Side::Lower).is_ok()
}

/// Rows as far apart as products want them.
fn laid_out(values: &[f32], dim: usize) -> Vec<f32> {
    let stride = kernels::stride(dim);
    let mut table = vec![0.0; values.len() / dim * stride];
    table
        .chunks_exact_mut(stride)
        .zip(values.chunks_exact(dim))
        .for_each(|(into, row)| into[..dim].copy_from_slice(row));
    table
}
