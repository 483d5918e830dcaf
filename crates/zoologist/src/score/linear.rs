//! The few dense operations that scores share. All sequential: the result must not depend on threads.

use faer::diag::{Diag, DiagRef};
use faer::dyn_stack::{MemBuffer, MemStack, StackReq};
use faer::linalg::evd::tridiag::{tridiag_in_place, tridiag_in_place_scratch};
use faer::linalg::evd::{ComputeEigenvectors, self_adjoint_evd_scratch, tridiagonal_self_adjoint_evd};
use faer::linalg::householder::{
    apply_block_householder_sequence_on_the_left_in_place_scratch as apply_scratch,
    apply_block_householder_sequence_on_the_left_in_place_with_conj as apply,
    apply_block_householder_sequence_transpose_on_the_left_in_place_scratch as apply_transposed_scratch,
    apply_block_householder_sequence_transpose_on_the_left_in_place_with_conj as apply_transposed,
};
use faer::linalg::matmul::triangular::{self, BlockStructure};
use faer::linalg::qr::no_pivoting::factor::recommended_block_size;
use faer::{Accum, Conj, Mat, MatMut, MatRef, Par, Spec};

use crate::base::{Features, Values};

/// Multiply-adds above which a score is refused, rather than run for many minutes on one core.
pub const MAX_COST: f64 = 5e12;

/// Features about their mean, as a d × n matrix: one column per row of data. This is a copy in double precision.
pub fn centred(features: &Features) -> Mat<f64> {
    let mut table = Mat::<f64>::zeros(features.dim(), features.rows());
    match features.values() {
        Values::F32(values) => fill(&mut table, values),
        Values::F64(values) => fill(&mut table, values),
    }
    // The second round takes away what rounding left of a large mean.
    for _ in 0..2 {
        centre(&mut table);
    }
    table
}

fn fill<T: Copy + Into<f64>>(table: &mut Mat<f64>, values: &[T]) {
    let dim = table.nrows();
    for (row, numbers) in values.chunks_exact(dim).enumerate() {
        table.col_as_slice_mut(row).iter_mut().zip(numbers).for_each(|(into, &number)| *into = number.into());
    }
}

fn centre(table: &mut Mat<f64>) {
    let mut mean = vec![0.0; table.nrows()];
    for row in 0..table.ncols() {
        mean.iter_mut().zip(table.col_as_slice(row)).for_each(|(sum, value)| *sum += value);
    }
    mean.iter_mut().for_each(|sum| *sum /= table.ncols() as f64);
    for row in 0..table.ncols() {
        table.col_as_slice_mut(row).iter_mut().zip(&mean).for_each(|(value, mean)| *value -= mean);
    }
}

/// The product of two matrices.
pub fn product(left: MatRef<'_, f64>, right: MatRef<'_, f64>) -> Mat<f64> {
    let mut result = Mat::zeros(left.nrows(), right.ncols());
    faer::linalg::matmul::matmul(&mut result, Accum::Replace, left, right, 1.0, Par::Seq);
    result
}

/// Adds the product of a matrix with its transpose, lower triangle only: half the time of a full product.
pub fn add_lower_square(into: &mut Mat<f64>, table: MatRef<'_, f64>) {
    let (lower, whole) = (BlockStructure::TriangularLower, BlockStructure::Rectangular);
    triangular::matmul(into, lower, Accum::Add, table, whole, table.transpose(), whole, 1.0, Par::Seq);
}

/// The smaller of the two Gram matrices of a table, lower triangle only.
fn smaller_gram(table: MatRef<'_, f64>) -> Mat<f64> {
    let (dim, rows) = table.shape();
    let mut gram = Mat::zeros(dim.min(rows), dim.min(rows));
    add_lower_square(&mut gram, if rows <= dim { table.transpose() } else { table });
    gram
}

/// The least eigenvalue that counts for a table of this shape (the rank rule).
pub fn rank_limit(shape: (usize, usize), largest: f64) -> f64 {
    shape.0.max(shape.1) as f64 * f64::EPSILON * largest
}

/// Squared singular values of a table that count by the rank rule, rising. Time d n min(d, n).
pub fn squared_singular_values(table: MatRef<'_, f64>) -> Vec<f64> {
    let mut values = Tridiagonal::of(&smaller_gram(table)).eigenvalues();
    let limit = rank_limit(table.shape(), values.last().copied().unwrap_or_default());
    values.retain(|&value| value > limit);
    values
}

/// A symmetric matrix A = Q T Q' with T tridiagonal and Q a product of Householder reflectors.
pub struct Tridiagonal {
    /// Diagonal of T, d.
    pub diagonal: Vec<f64>,
    /// Off-diagonal of T, d - 1.
    pub off_diagonal: Vec<f64>,
    /// Reflectors below the sub-diagonal.
    basis: Mat<f64>,
    /// Their factors, block after block.
    factors: Mat<f64>,
}

impl Tridiagonal {
    /// Reduces a matrix of which the lower triangle is given. Time 4/3 d³.
    pub fn of(matrix: &Mat<f64>) -> Self {
        let dim = matrix.nrows();
        let mut basis = matrix.clone();
        let block = recommended_block_size::<f64>(dim, dim);
        let mut factors = Mat::zeros(block, dim.saturating_sub(1));
        // Sequential on purpose: the parallel form sums per thread, and the last bits would depend on their number.
        let mut memory = MemBuffer::new(tridiag_in_place_scratch::<f64>(dim, Par::Seq, Spec::default()));
        tridiag_in_place(basis.as_mut(), factors.as_mut(), Par::Seq, MemStack::new(&mut memory), Spec::default());
        let mut diagonal: Vec<f64> = (0..dim).map(|place| basis[(place, place)]).collect();
        let mut off_diagonal: Vec<f64> = (1..dim).map(|place| basis[(place, place - 1)]).collect();
        // What is rounding noise beside the whole matrix counts as zero; else the iteration for the eigenvalues of a
        // rank-deficient matrix can chase noise without end.
        let noise = f64::EPSILON * largest(&diagonal).max(largest(&off_diagonal));
        diagonal
            .iter_mut()
            .chain(&mut off_diagonal)
            .filter(|value| value.abs() <= noise)
            .for_each(|value| *value = 0.0);
        Self { diagonal, off_diagonal, basis, factors }
    }

    /// Turns a matrix into Q' times it.
    pub fn turn(&self, matrix: &mut Mat<f64>) {
        self.reflect(matrix, apply_transposed_scratch::<f64>, apply_transposed::<f64>);
    }

    /// Eigenvalues of A, rising.
    pub fn eigenvalues(&self) -> Vec<f64> {
        self.decompose(None).unwrap_or_else(|| self.bisected())
    }

    /// Eigenvalues of A, rising, and its eigenvectors as columns; `None` where the iteration for them does not converge.
    pub fn eigen(&self) -> Option<(Vec<f64>, Mat<f64>)> {
        let dim = self.diagonal.len();
        let mut vectors = Mat::zeros(dim, dim);
        let values = self.decompose(Some(vectors.as_mut()))?;
        self.reflect(&mut vectors, apply_scratch::<f64>, apply::<f64>);
        Some((values, vectors))
    }

    fn decompose(&self, vectors: Option<MatMut<'_, f64>>) -> Option<Vec<f64>> {
        tridiagonal_eigen(&self.diagonal, &self.off_diagonal, vectors)
    }

    /// Eigenvalues by bisection on how many lie below a number: slow, but it can't fail. Time 60 d².
    fn bisected(&self) -> Vec<f64> {
        let reach = 2.0 * largest(&self.off_diagonal) + largest(&self.diagonal);
        let nth = |place: usize| {
            let (mut low, mut high) = (-reach, reach);
            for _ in 0..60 {
                let middle = f64::midpoint(low, high);
                if self.count_below(middle) <= place { low = middle } else { high = middle }
            }
            f64::midpoint(low, high)
        };
        (0..self.diagonal.len()).map(nth).collect()
    }

    /// How many eigenvalues are below a number: the negative pivots of T - number (Sylvester's law of inertia).
    fn count_below(&self, number: f64) -> usize {
        let before = std::iter::once(&0.0).chain(&self.off_diagonal);
        let mut pivot = 1.0;
        let negative = |(value, off): (&f64, &f64)| {
            pivot = value - number - off * off / pivot;
            if pivot.abs() < f64::MIN_POSITIVE {
                pivot = -f64::MIN_POSITIVE;
            }
            pivot < 0.0
        };
        self.diagonal.iter().zip(before).map(negative).filter(|&negative| negative).count()
    }

    fn reflect(&self, matrix: &mut Mat<f64>, scratch: fn(usize, usize, usize) -> StackReq, reflect: Reflect) {
        let dim = self.diagonal.len();
        if dim < 2 {
            return;
        }
        let mut memory = MemBuffer::new(scratch(dim - 1, self.factors.nrows(), matrix.ncols()));
        let below = self.basis.submatrix(1, 0, dim - 1, dim - 1);
        let into = matrix.subrows_mut(1, dim - 1);
        reflect(below, self.factors.as_ref(), Conj::No, into, Par::Seq, MemStack::new(&mut memory));
    }
}

/// Eigenvalues of a symmetric tridiagonal matrix, rising, and its eigenvectors where there is room for them; `None` where
/// the iteration does not converge.
pub fn tridiagonal_eigen(diagonal: &[f64], off_diagonal: &[f64], vectors: Option<MatMut<'_, f64>>) -> Option<Vec<f64>> {
    let dim = diagonal.len();
    // The solver has absolute thresholds: it gets numbers of the order of 1.
    let scale = largest(diagonal).max(largest(off_diagonal)).max(f64::MIN_POSITIVE);
    let diagonal: Vec<f64> = diagonal.iter().map(|value| value / scale).collect();
    let padded: Vec<f64> = off_diagonal.iter().map(|value| value / scale).chain([0.0]).collect();
    let mut values = Diag::<f64>::zeros(dim);
    let wanted = if vectors.is_some() { ComputeEigenvectors::Yes } else { ComputeEigenvectors::No };
    let mut memory = MemBuffer::new(self_adjoint_evd_scratch::<f64>(dim, wanted, Par::Seq, Spec::default()));
    let (diagonal, padded) = (DiagRef::from_slice(&diagonal), DiagRef::from_slice(&padded));
    let stack = MemStack::new(&mut memory);
    tridiagonal_self_adjoint_evd(diagonal, padded, values.as_mut(), vectors, Par::Seq, stack, Spec::default()).ok()?;
    Some(values.column_vector().iter().map(|value| value * scale).collect())
}

/// The part of centred features that matters: F = U diag(s) V', cut by the rank rule (an eigenvalue counts if it is
/// above max(n, d) machine epsilons of the largest). The scores of the k-th principal component are U_k s_k; the
/// largest stands last.
pub struct Basis {
    /// n × r, orthonormal columns.
    pub vectors: Mat<f64>,
    /// r squared singular values, all positive, rising.
    pub squares: Vec<f64>,
}

/// The eigenvectors of the smaller Gram matrix that count by the rank rule.
struct Decomposition {
    /// Squared singular values, rising.
    squares: Vec<f64>,
    /// Eigenvectors as columns: of n numbers each if `dual`, else of d.
    vectors: Mat<f64>,
    /// Whether the n × n Gram matrix was the smaller one.
    dual: bool,
}

impl Decomposition {
    fn of(table: &Mat<f64>) -> Option<Self> {
        let (values, vectors) = Tridiagonal::of(&smaller_gram(table.as_ref())).eigen()?;
        let limit = rank_limit(table.shape(), values.last().copied().unwrap_or_default());
        let first = values.partition_point(|&value| value <= limit);
        let vectors = vectors.subcols(first, values.len() - first).to_owned();
        Some(Self { squares: values[first..].to_vec(), vectors, dual: table.ncols() <= table.nrows() })
    }
}

impl Basis {
    /// From centred features, d × n, by the smaller of the two Gram matrices; `None` where no
    /// eigenvectors are found. Time n d min(n, d).
    pub fn of(table: &Mat<f64>) -> Option<Self> {
        let Decomposition { squares, vectors, dual } = Decomposition::of(table)?;
        if dual {
            return Some(Self { vectors, squares });
        }
        let mut vectors = product(table.transpose(), vectors.as_ref());
        for (column, square) in squares.iter().enumerate() {
            vectors.col_as_slice_mut(column).iter_mut().for_each(|value| *value /= square.sqrt());
        }
        Some(Self { vectors, squares })
    }
}

/// The scores of the first principal components. The sign of a component is arbitrary, and some scores depend on it:
/// here its largest loading is positive, as in scikit-learn.
pub struct Components {
    /// p × n, the largest component first.
    pub scores: Mat<f64>,
    /// p squared singular values, falling.
    pub squares: Vec<f64>,
}

/// Whether the largest loading is negative; the first of those that are equal but for rounding.
fn points_back(loadings: &[f64]) -> bool {
    let least = largest(loadings) * (1.0 - 1e-9);
    loadings.iter().find(|loading| loading.abs() >= least).is_some_and(|&loading| loading < 0.0)
}

impl Components {
    /// The first `most` components of centred features, d × n, or all that count by the rank rule; `None` where no
    /// eigenvectors are found. Time n d min(n, d).
    pub fn of(table: &Mat<f64>, most: usize) -> Option<Self> {
        let Decomposition { squares, vectors, dual } = Decomposition::of(table)?;
        let squares: Vec<f64> = squares.into_iter().rev().take(most).collect();
        let top = vectors.ncols() - squares.len();
        let falling = Mat::from_fn(vectors.nrows(), squares.len(), |row, column| {
            vectors[(row, top + squares.len() - 1 - column)]
        });
        let mut scores = if dual {
            Mat::from_fn(squares.len(), falling.nrows(), |place, row| falling[(row, place)] * squares[place].sqrt())
        } else {
            product(falling.transpose(), table.as_ref())
        };
        let loadings = if dual { product(table.as_ref(), falling.as_ref()) } else { falling };
        for place in (0..squares.len()).filter(|&place| points_back(loadings.col_as_slice(place))) {
            scores.row_mut(place).iter_mut().for_each(|score| *score = -*score);
        }
        Some(Self { scores, squares })
    }
}

fn largest(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |largest, value| value.abs().max(largest))
}

/// Applies a sequence of block reflectors.
type Reflect = fn(MatRef<'_, f64>, MatRef<'_, f64>, Conj, MatMut<'_, f64>, Par, &mut MemStack);

#[cfg(test)]
mod tests {
    use faer::Mat;

    use super::{Tridiagonal, product};
    use crate::base::Seed;

    fn check(table: &Mat<f64>, what: &str) {
        let gram = product(table.as_ref(), table.transpose());
        let reduced = Tridiagonal::of(&gram);
        let (values, vectors) = reduced.eigen().unwrap();
        let scaled = Mat::from_fn(values.len(), values.len(), |row, column| vectors[(row, column)] * values[column]);
        let back = product(scaled.as_ref(), vectors.transpose());
        assert!((back - &gram).norm_max() <= 1e-11 * gram.norm_max(), "{what}");
        assert!(values.is_sorted(), "{what}");
        let limit = 1e-11 * gram.norm_max() * gram.nrows() as f64;
        for other in [reduced.eigenvalues(), reduced.bisected()] {
            assert!(other.iter().zip(&values).all(|(a, b)| (a - b).abs() <= limit), "{what}");
        }
    }

    #[test]
    fn eigenvalues_come_for_every_kind_of_rank_deficiency() {
        let mut stream = Seed(5).stream("test", "eigen");
        for dim in [3, 40, 200, 512] {
            let mut random = |rows: usize, columns: usize| Mat::from_fn(rows, columns, |_, _| stream.unit() - 0.5);
            let full = random(dim, 300);
            let few = random(dim, 7);
            check(&full, "full");
            check(&few, "low rank");
            check(
                &Mat::from_fn(dim, 300, |row, column| if row % 60 == 1 { full[(row, column)] } else { 0.0 }),
                "zeros",
            );
            check(&Mat::from_fn(dim, 300, |row, column| full[(row / 3, column)]), "equal rows");
            check(&Mat::from_fn(dim, 300, |row, column| full[(row, column)] * 1e-30), "tiny");
            check(&Mat::from_fn(dim, 300, |row, column| full[(row, column)] * 0.1_f64.powf(row as f64)), "graded");
            check(&Mat::zeros(dim, 10), "nothing");
        }
    }
}
