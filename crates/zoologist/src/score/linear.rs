//! The few dense operations that scores of raw rows share. All sequential: the result must not depend on threads.

use faer::diag::Diag;
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::evd::{ComputeEigenvectors, self_adjoint_evd, self_adjoint_evd_scratch};
use faer::{Accum, Mat, MatRef, Par};

use crate::base::Features;

/// Features about their mean, as a d × n matrix: one column per row of data.
pub fn centred(features: &Features) -> Mat<f64> {
    let mut table = Mat::<f64>::zeros(features.dim(), features.rows());
    features.visit(0..features.rows(), |row, column, value| table[(column, row)] = value);
    let mut mean = vec![0.0; table.nrows()];
    for row in 0..table.ncols() {
        mean.iter_mut().zip(table.col_as_slice(row)).for_each(|(sum, value)| *sum += value);
    }
    mean.iter_mut().for_each(|sum| *sum /= features.rows() as f64);
    for row in 0..table.ncols() {
        table.col_as_slice_mut(row).iter_mut().zip(&mean).for_each(|(value, mean)| *value -= mean);
    }
    table
}

/// The product of two matrices.
pub fn product(left: MatRef<'_, f64>, right: MatRef<'_, f64>) -> Mat<f64> {
    let mut result = Mat::zeros(left.nrows(), right.ncols());
    faer::linalg::matmul::matmul(&mut result, Accum::Replace, left, right, 1.0, Par::Seq);
    result
}

/// Eigenvalues, rising, and eigenvectors (as columns) of a symmetric matrix with finite entries.
pub fn eigen(matrix: MatRef<'_, f64>) -> (Vec<f64>, Mat<f64>) {
    let size = matrix.nrows();
    let mut values = Diag::<f64>::zeros(size);
    let mut vectors = Mat::zeros(size, size);
    let scratch = self_adjoint_evd_scratch::<f64>(size, ComputeEigenvectors::Yes, Par::Seq, faer::Spec::default());
    let mut memory = MemBuffer::new(scratch);
    let stack = MemStack::new(&mut memory);
    self_adjoint_evd(matrix, values.as_mut(), Some(vectors.as_mut()), Par::Seq, stack, faer::Spec::default())
        .expect("the QR iteration converges on finite numbers, and features are checked to be finite");
    (values.column_vector().iter().copied().collect(), vectors)
}
