//! Linear discriminant analysis with a shrunk within-class covariance: what `lda`, `sfda` and `ped` are made of.
//!
//! Features F about any point, d × n. W = S_W / n is the covariance about the class means. The shrinkage is
//! lambda = max(exp(-5 sigma), 1e-10), where sigma = x' W y after three rounds of y = Wx/|Wx|, x = Wy/|Wy| from the row
//! sums of W. W_s = (1 - lambda) W + lambda tr(W)/d I. Logit of class c:
//! f' W_s^-1 m_c - 1/2 m_c' W_s^-1 m_c + ln(n_c/n); the posterior is the softmax. Source: Shao et al. (SFDA), ECCV 2022,
//! eq. 4 to 8; their code uses all generalised eigenvectors V, and V V' = W_s^-1. Where W_s is singular by the rank
//! rule, the pseudo-inverse stands for the inverse. Not defined where no two rows of a class differ.
//!
//! Time n d² + d³ + n d k. Where n <= d, the same runs in coordinates of the n-dimensional span of the rows.

use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::cholesky::llt::{factor, solve};
use faer::{Mat, Par, Spec};

use super::linear::{self, Basis, Tridiagonal};
use super::{Evaluation, Rows, Status, groups};
use crate::base::{Classes, Targets};

/// Least shrinkage.
const LEAST_SHRINKAGE: f64 = 1e-10;
/// Rows that are centred and multiplied at once.
const BLOCK: usize = 512;
/// Posteriors that are held at once.
const HELD: usize = 1 << 22;
/// Rounds of inverse iteration for the least eigenvalue.
const ROUNDS: usize = 10;

/// The evaluation of a score that is a mean posterior; `None` from `value` says that there is no spread to compare with.
pub fn evaluation(metric: &str, rows: &Rows, value: impl Fn(Space, &Classes) -> Option<f64>) -> Evaluation {
    let Targets::Classes(classes) = rows.targets else { return groups::classes_only(metric) };
    if let Some(refusal) = refusal(metric, rows, classes) {
        return refusal;
    }
    of_table(metric, linear::centred(rows.features), classes, value)
}

/// The same from features that stand ready, d × n.
pub fn of_table(
    metric: &str,
    table: Mat<f64>,
    classes: &Classes,
    value: impl Fn(Space, &Classes) -> Option<f64>,
) -> Evaluation {
    let saturated = table.nrows() >= table.ncols();
    let Some(value) = Space::of(table).and_then(|space| value(space, classes)) else {
        let note =
            "no two rows of a class differ (or no eigenvectors are found): no spread to compare the classes with";
        return Evaluation::without_value(metric, Status::NotApplicable, note);
    };
    let mut evaluation = Evaluation::with_value(metric, value, vec![], None);
    if saturated {
        evaluation.score.status = Status::Saturated;
        evaluation.score.note = Some("as many dimensions as rows: any labels can be told apart".to_owned());
    }
    evaluation
}

/// Refuses what would take too long.
pub fn refusal(metric: &str, rows: &Rows, classes: &Classes) -> Option<Evaluation> {
    let (count, dim) = (rows.features.rows() as f64, rows.features.dim() as f64);
    // An exponential per row and class counts as 500 multiply-adds of a matrix product.
    let cost = count * dim * count.min(dim) + count * classes.names().len() as f64 * (count.min(dim) + 500.0);
    let note = "it takes more than 5e12 multiply-adds: too many rows times dimensions squared, or rows times classes";
    (cost > linear::MAX_COST).then(|| Evaluation::without_value(metric, Status::TooLarge, note))
}

/// Features in coordinates that are cheap to work in.
pub struct Space {
    /// r × n.
    pub table: Mat<f64>,
    /// d, which may be more than r.
    dim: usize,
    /// The vector of d ones in these coordinates.
    ones: Mat<f64>,
}

impl Space {
    /// From features d × n; `None` where no eigenvectors are found.
    pub fn of(table: Mat<f64>) -> Option<Self> {
        let (dim, count) = table.shape();
        if count > dim {
            return Some(Self { table, dim, ones: Mat::full(dim, 1, 1.0) });
        }
        let Basis { vectors, squares } = Basis::of(&table)?;
        let sums = Mat::from_fn(count, 1, |row, _| table.col_as_slice(row).iter().sum());
        let mut ones = linear::product(vectors.transpose(), sums.as_ref());
        squares.iter().enumerate().for_each(|(place, square)| ones[(place, 0)] /= square.sqrt());
        let table = Mat::from_fn(squares.len(), count, |place, row| vectors[(row, place)] * squares[place].sqrt());
        Some(Self { table, dim, ones })
    }

    /// W, r × r, both triangles; `None` where it is nothing but rounding.
    fn within(&self, classes: &Classes, means: &Mat<f64>) -> Option<Mat<f64>> {
        let (dim, count) = self.table.shape();
        let mut within = Mat::<f64>::zeros(dim, dim);
        for start in (0..count).step_by(BLOCK) {
            let block = Mat::from_fn(dim, BLOCK.min(count - start), |place, row| {
                self.table[(place, start + row)] - means[(place, classes.index()[start + row] as usize)]
            });
            linear::add_lower_square(&mut within, block.as_ref());
        }
        let noise = (count.max(self.dim) as f64 * f64::EPSILON).powi(2) * self.table.squared_norm_l2();
        if trace(&within) <= noise {
            return None;
        }
        let scale = 1.0 / count as f64;
        Some(Mat::from_fn(dim, dim, |row, column| scale * within[(row.max(column), row.min(column))]))
    }

    /// How much to shrink.
    fn shrinkage(&self, within: &Mat<f64>) -> f64 {
        let mut x = linear::product(within.as_ref(), self.ones.as_ref());
        let mut y = x.clone();
        for _ in 0..3 {
            y = direction(within, &x);
            x = direction(within, &y);
        }
        let sigma = linear::product(x.transpose(), linear::product(within.as_ref(), y.as_ref()).as_ref())[(0, 0)];
        (-5.0 * sigma).exp().max(LEAST_SHRINKAGE)
    }
}

/// The direction of W x; nothing where that is nothing.
fn direction(within: &Mat<f64>, x: &Mat<f64>) -> Mat<f64> {
    let found = linear::product(within.as_ref(), x.as_ref());
    let norm = found.norm_l2();
    if norm > 0.0 { found * faer::Scale(1.0 / norm) } else { found }
}

fn trace(matrix: &Mat<f64>) -> f64 {
    (0..matrix.nrows()).map(|place| matrix[(place, place)]).sum()
}

/// Posteriors of the classes.
pub struct Discriminant {
    /// W_s^-1 m_c, r × k.
    coefficients: Mat<f64>,
    /// The constant of each class's logit.
    offsets: Vec<f64>,
    /// Class means, r × k.
    means: Mat<f64>,
    /// lambda.
    shrinkage: f64,
}

impl Discriminant {
    /// Fits all rows, with this shrinkage or else one from the data; `None` where the classes have no spread.
    pub fn fit(space: &Space, classes: &Classes, shrinkage: Option<f64>) -> Option<Self> {
        let means = groups::means(&space.table, classes);
        let mut within = space.within(classes, &means)?;
        let shrinkage = shrinkage.unwrap_or_else(|| space.shrinkage(&within));
        let floor = shrinkage * trace(&within) / space.dim as f64;
        within *= faer::Scale(1.0 - shrinkage);
        (0..within.nrows()).for_each(|place| within[(place, place)] += floor);
        let coefficients = solve(&within, floor, (space.dim, space.table.ncols()), &means)?;
        Some(Self { offsets: offsets(&coefficients, &means, classes), coefficients, means, shrinkage })
    }

    /// Calls `each` with every row and its posteriors, in order.
    pub fn posteriors(&self, table: &Mat<f64>, each: impl FnMut(usize, &[f64])) {
        posteriors(&self.coefficients, &self.offsets, table, each);
    }

    /// Mean posterior of the true class.
    pub fn mean_posterior(&self, table: &Mat<f64>, classes: &Classes) -> f64 {
        let mut sum = 0.0;
        self.posteriors(table, |row, posterior| sum += posterior[classes.index()[row] as usize]);
        sum / table.ncols() as f64
    }

    /// Moves each row towards the mean of the other classes, the more the less sure its own class is: the softmax of
    /// the posteriors (once more) is the weight of the row.
    pub fn mix(&self, space: &mut Space, classes: &Classes) {
        let mut weights = vec![0.0; space.table.ncols()];
        self.posteriors(&space.table, |row, posterior| {
            let own = posterior[classes.index()[row] as usize];
            weights[row] = 1.0 / posterior.iter().map(|other| (other - own).exp()).sum::<f64>();
        });
        let count = self.means.ncols() as f64;
        let total: Vec<f64> = (0..self.means.nrows()).map(|place| self.means.row(place).sum()).collect();
        for (row, weight) in weights.into_iter().enumerate() {
            let mean = self.means.col_as_slice(classes.index()[row] as usize);
            let others = total.iter().zip(mean).map(|(total, mean)| (total - mean) / (count - 1.0));
            let values = space.table.col_as_slice_mut(row).iter_mut();
            values.zip(others).for_each(|(value, other)| *value = weight * *value + (1.0 - weight) * other);
        }
    }

    /// The shrinkage that was used.
    pub fn shrinkage(&self) -> f64 {
        self.shrinkage
    }
}

/// The constants of the logits: -1/2 m_c' W_s^-1 m_c + ln(n_c/n).
pub fn offsets(coefficients: &Mat<f64>, means: &Mat<f64>, classes: &Classes) -> Vec<f64> {
    let total = classes.index().len() as f64;
    let offset = |(class, count): (usize, usize)| {
        let pairs = coefficients.col_as_slice(class).iter().zip(means.col_as_slice(class));
        (count as f64 / total).ln() - 0.5 * pairs.map(|(a, b)| a * b).sum::<f64>()
    };
    classes.counts().into_iter().enumerate().map(offset).collect()
}

/// Calls `each` with every row of features r × n and its posteriors, in order. Memory: some blocks of rows.
pub fn posteriors(coefficients: &Mat<f64>, offsets: &[f64], table: &Mat<f64>, mut each: impl FnMut(usize, &[f64])) {
    let block = (HELD / offsets.len()).clamp(1, BLOCK);
    for start in (0..table.ncols()).step_by(block) {
        let rows = table.subcols(start, block.min(table.ncols() - start));
        let mut logits = linear::product(coefficients.transpose(), rows);
        for row in 0..logits.ncols() {
            let values = logits.col_as_slice_mut(row);
            values.iter_mut().zip(offsets).for_each(|(logit, offset)| *logit += offset);
            softmax(values);
            each(start + row, values);
        }
    }
}

fn softmax(values: &mut [f64]) {
    let largest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    values.iter_mut().for_each(|value| *value = (*value - largest).exp());
    let sum: f64 = values.iter().sum();
    values.iter_mut().for_each(|value| *value /= sum);
}

/// A^+ B for a symmetric A whose eigenvalues are `floor` or more; `None` where no eigenvectors are found.
fn solve(matrix: &Mat<f64>, floor: f64, shape: (usize, usize), right: &Mat<f64>) -> Option<Mat<f64>> {
    // The Frobenius norm bounds the largest eigenvalue.
    let limit = linear::rank_limit(shape, matrix.norm_l2());
    if let Some(factor) = cholesky(matrix)
        && (floor > limit || least_eigenvalue(&factor) > 10.0 * limit)
    {
        return Some(solved(&factor, right.clone()));
    }
    let (values, vectors) = Tridiagonal::of(matrix).eigen()?;
    let limit = linear::rank_limit(shape, values.last().copied().unwrap_or_default());
    let mut turned = linear::product(vectors.transpose(), right.as_ref());
    for column in 0..turned.ncols() {
        let inverse = |&value: &f64| if value > limit { 1.0 / value } else { 0.0 };
        turned.col_as_slice_mut(column).iter_mut().zip(&values).for_each(|(turned, value)| *turned *= inverse(value));
    }
    Some(linear::product(vectors.as_ref(), turned.as_ref()))
}

/// The lower factor L of L L'; `None` where a pivot is not positive.
fn cholesky(matrix: &Mat<f64>) -> Option<Mat<f64>> {
    let mut lower = matrix.clone();
    let mut memory =
        MemBuffer::new(factor::cholesky_in_place_scratch::<f64>(matrix.nrows(), Par::Seq, Spec::default()));
    let stack = MemStack::new(&mut memory);
    factor::cholesky_in_place(lower.as_mut(), factor::LltRegularization::default(), Par::Seq, stack, Spec::default())
        .ok()?;
    Some(lower)
}

/// (L L')^-1 B.
fn solved(lower: &Mat<f64>, mut right: Mat<f64>) -> Mat<f64> {
    let scratch = solve::solve_in_place_scratch::<f64>(lower.nrows(), right.ncols(), Par::Seq);
    let mut memory = MemBuffer::new(scratch);
    solve::solve_in_place(lower.as_ref(), right.as_mut(), Par::Seq, MemStack::new(&mut memory));
    right
}

/// The least eigenvalue of L L' by inverse iteration, from above.
fn least_eigenvalue(lower: &Mat<f64>) -> f64 {
    // Any start will do that is not orthogonal to what is sought; multiples of the golden ratio look like noise.
    let mut vector = Mat::from_fn(lower.nrows(), 1, |place, _| (place as f64 * 0.618_033_988_749_895).fract() - 0.5);
    let mut growth = 0.0;
    for _ in 0..ROUNDS {
        let norm = vector.norm_l2();
        vector *= faer::Scale(1.0 / norm);
        vector = solved(lower, vector);
        growth = vector.norm_l2();
    }
    1.0 / growth
}
