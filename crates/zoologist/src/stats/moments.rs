//! First and second moments of features and targets about their means, and what shrinkage needs of the higher ones.

use faer::Mat;

use super::kernels::{add_scaled, dot};
use crate::base::Targets;

/// Sufficient statistics of n rows of d features F and k classes or target columns.
///
/// Memory: d² + d·k numbers per response, whatever n. With f the row less the mean: merge rules of the second moments
/// from Chan, Golub and LeVeque (1983), eq. 2.1; those of the third and fourth follow by expanding the powers.
#[derive(Debug, Clone)]
pub struct Moments {
    pub(super) rows: usize,
    /// Mean row, d.
    pub(super) mean: Vec<f64>,
    /// Centred Gram matrix (F - 1 mean')' (F - 1 mean'), d × d, lower triangle only.
    pub(super) scatter: Mat<f64>,
    /// sum |f|² f, d.
    pub(super) third: Vec<f64>,
    /// sum |f|⁴.
    pub(super) fourth: f64,
    pub(super) marginals: Marginals,
    /// (F - 1 mean')' (Y - 1 target_mean'), d × k, one per response. For classes the sum of f over each class.
    pub(super) cross: Vec<Mat<f64>>,
}

/// What is known of the targets alone: the same for every response.
#[derive(Debug, Clone, PartialEq)]
pub enum Marginals {
    /// How many rows each class has, k.
    Classes(Vec<u64>),
    /// Target columns.
    Columns {
        /// Their means, k.
        mean: Vec<f64>,
        /// Their centred sums of squares, k.
        scatter: Vec<f64>,
    },
}

impl Marginals {
    /// Nothing of nothing, of the same kind.
    #[must_use]
    pub fn emptied(&self) -> Self {
        match self {
            Self::Classes(counts) => Self::Classes(vec![0; counts.len()]),
            Self::Columns { mean, .. } => Self::Columns { mean: vec![0.0; mean.len()], scatter: vec![0.0; mean.len()] },
        }
    }

    /// How many classes or columns there are.
    pub fn width(&self) -> usize {
        match self {
            Self::Classes(counts) => counts.len(),
            Self::Columns { mean, .. } => mean.len(),
        }
    }

    /// Rows per class; `None` unless the targets are classes.
    pub fn counts(&self) -> Option<&[u64]> {
        match self {
            Self::Classes(counts) => Some(counts),
            Self::Columns { .. } => None,
        }
    }

    /// Column means of the targets of so many rows, k; for classes their shares.
    pub fn means(&self, rows: usize) -> Vec<f64> {
        match self {
            Self::Classes(counts) => counts.iter().map(|&count| count as f64 / rows.max(1) as f64).collect(),
            Self::Columns { mean, .. } => mean.clone(),
        }
    }

    /// Centred sums of squares of the target columns of so many rows, k.
    pub fn scatters(&self, rows: usize) -> Vec<f64> {
        match self {
            Self::Classes(counts) => {
                let share = |count: u64| count as f64 / rows.max(1) as f64;
                counts.iter().map(|&count| count as f64 * (1.0 - share(count))).collect()
            }
            Self::Columns { scatter, .. } => scatter.clone(),
        }
    }

    /// Whether each target column of so many rows varies. A column of equal numbers may be off its mean by rounding.
    pub fn varying(&self, rows: usize) -> Vec<bool> {
        match self {
            Self::Classes(counts) => counts.iter().map(|&count| count > 0 && count < rows as u64).collect(),
            Self::Columns { mean, scatter } => {
                let above = |(mean, scatter): (&f64, &f64)| *scatter > 1e-28 * rows as f64 * mean * mean;
                mean.iter().zip(scatter).map(above).collect()
            }
        }
    }

    /// Those of some rows.
    pub fn of(targets: &Targets, rows: &[usize]) -> Self {
        match targets {
            Targets::Classes(classes) => {
                let mut counts = vec![0; classes.names().len()];
                rows.iter().for_each(|&row| counts[classes.index()[row] as usize] += 1);
                Self::Classes(counts)
            }
            Targets::Multilabel(columns) | Targets::Regression(columns) => {
                let count = rows.len().max(1) as f64;
                let sum = |value: &dyn Fn(usize) -> f64| rows.iter().map(|&row| value(row)).sum::<f64>();
                let mean: Vec<f64> =
                    (0..columns.width()).map(|column| sum(&|row| columns.row(row)[column]) / count).collect();
                let scatter = mean.iter().enumerate();
                let scatter = scatter.map(|(column, mean)| sum(&|row| (columns.row(row)[column] - mean).powi(2)));
                Self::Columns { scatter: scatter.collect(), mean }
            }
        }
    }

    fn merge(&mut self, other: &Self, shift: &[f64], weight: f64, share: f64) {
        match (self, other) {
            (Self::Classes(counts), Self::Classes(others)) => {
                counts.iter_mut().zip(others).for_each(|(count, other)| *count += other);
            }
            (Self::Columns { mean, scatter }, Self::Columns { scatter: others, .. }) => {
                for (place, &shift) in shift.iter().enumerate() {
                    scatter[place] += others[place] + weight * shift * shift;
                    mean[place] += share * shift;
                }
            }
            // Shards are compared before they are merged.
            (Self::Classes(_), Self::Columns { .. }) | (Self::Columns { .. }, Self::Classes(_)) => {
                unreachable!("classes are never merged with columns")
            }
        }
    }
}

impl Moments {
    /// Statistics of no rows, for the same features, targets and number of responses.
    #[must_use]
    pub fn emptied(&self) -> Self {
        Self::empty(self.dim(), &self.marginals, self.cross.len())
    }

    /// Statistics of no rows of `dim` features.
    pub fn empty(dim: usize, marginals: &Marginals, responses: usize) -> Self {
        let cross = vec![Mat::zeros(dim, marginals.width()); responses];
        Self {
            rows: 0,
            mean: vec![0.0; dim],
            scatter: Mat::zeros(dim, dim),
            third: vec![0.0; dim],
            fourth: 0.0,
            marginals: marginals.emptied(),
            cross,
        }
    }

    /// Whether another part describes the same features and targets under as many responses.
    pub fn fits(&self, other: &Self) -> bool {
        let kind = |moments: &Self| {
            (std::mem::discriminant(&moments.marginals), moments.dim(), moments.width(), moments.cross.len())
        };
        kind(self) == kind(other)
    }

    /// Joins the statistics of other rows.
    ///
    /// # Panics
    /// If they do not [fit](Moments::fits).
    pub fn merge(&mut self, other: &Self) {
        assert!(self.fits(other), "parts of the same features and targets");
        if other.rows == 0 {
            return;
        }
        if self.rows == 0 {
            self.clone_from(other);
            return;
        }
        let rows = self.rows + other.rows;
        let share = other.rows as f64 / rows as f64;
        let weight = self.rows as f64 * share;
        let shift = difference(&other.mean, &self.mean);
        let target_shift = difference(&other.marginals.means(other.rows), &self.marginals.means(self.rows));
        self.merge_higher(other, &shift, share);
        rank_one_update(&mut self.scatter, &other.scatter, &shift, weight);
        for (into, from) in self.cross.iter_mut().zip(&other.cross) {
            merge_cross(into, from, &shift, &target_shift, weight);
        }
        self.marginals.merge(&other.marginals, &target_shift, weight, share);
        self.mean.iter_mut().zip(&shift).for_each(|(mean, shift)| *mean += share * shift);
        self.rows = rows;
    }

    /// The third and fourth moments, while the second ones are still apart.
    fn merge_higher(&mut self, other: &Self, shift: &[f64], share: f64) {
        // Each part's mean is off the common one by a multiple of the shift.
        let own: Vec<f64> = shift.iter().map(|shift| -share * shift).collect();
        let others: Vec<f64> = shift.iter().map(|shift| (1.0 - share) * shift).collect();
        let (third, fourth) = self.higher_about(&own);
        let (other_third, other_fourth) = other.higher_about(&others);
        self.third = third.iter().zip(&other_third).map(|(a, b)| a + b).collect();
        self.fourth = fourth + other_fourth;
    }

    /// The third and fourth moments about a point that this part's mean is `offset` away from.
    fn higher_about(&self, offset: &[f64]) -> (Vec<f64>, f64) {
        let rows = self.rows as f64;
        let trace = self.trace();
        let square = dot(offset, offset);
        let turned = lower_times(&self.scatter, offset);
        let third = (0..offset.len()).map(|place| {
            self.third[place] + trace * offset[place] + 2.0 * turned[place] + rows * square * offset[place]
        });
        let fourth = self.fourth
            + 4.0 * dot(offset, &turned)
            + rows * square * square
            + 4.0 * dot(offset, &self.third)
            + 2.0 * square * trace;
        (third.collect(), fourth)
    }

    /// How many rows went in.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// How many features a row has.
    pub fn dim(&self) -> usize {
        self.mean.len()
    }

    /// How many classes or target columns there are.
    pub fn width(&self) -> usize {
        self.marginals.width()
    }

    /// How many responses were accumulated: the targets, and each permutation of them.
    pub fn responses(&self) -> usize {
        self.cross.len()
    }

    /// The mean row, d.
    pub fn mean(&self) -> &[f64] {
        &self.mean
    }

    /// The centred Gram matrix, d × d; only its lower triangle is filled.
    pub fn scatter(&self) -> &Mat<f64> {
        &self.scatter
    }

    /// Trace of the centred Gram matrix.
    pub fn trace(&self) -> f64 {
        (0..self.dim()).map(|place| self.scatter[(place, place)]).sum()
    }

    /// sum |f|⁴ over the centred rows f.
    pub fn fourth(&self) -> f64 {
        self.fourth
    }

    /// What is known of the targets alone.
    pub fn marginals(&self) -> &Marginals {
        &self.marginals
    }

    /// Centred products of features and targets, d × k, under a response.
    pub fn cross(&self, response: usize) -> &Mat<f64> {
        &self.cross[response]
    }

    /// mean' (centred Gram matrix) mean.
    pub fn mean_energy(&self) -> f64 {
        dot(&self.mean, &lower_times(&self.scatter, &self.mean))
    }

    /// Squared Frobenius norm of the centred Gram matrix.
    pub fn scatter_square(&self) -> f64 {
        let column = |place: usize| {
            let below = &self.scatter.col_as_slice(place)[place..];
            2.0 * dot(below, below) - below[0] * below[0]
        };
        (0..self.dim()).map(column).sum()
    }
}

/// into += from + weight shift shift', lower triangles.
pub(super) fn rank_one_update(into: &mut Mat<f64>, from: &Mat<f64>, shift: &[f64], weight: f64) {
    for column in 0..shift.len() {
        let pull = weight * shift[column];
        let (into, from) = (&mut into.col_as_slice_mut(column)[column..], &from.col_as_slice(column)[column..]);
        for ((into, from), shift) in into.iter_mut().zip(from).zip(&shift[column..]) {
            *into += from + pull * shift;
        }
    }
}

fn merge_cross(into: &mut Mat<f64>, from: &Mat<f64>, shift: &[f64], target_shift: &[f64], weight: f64) {
    for (column, &target) in target_shift.iter().enumerate() {
        let pull = weight * target;
        let pairs = into.col_as_slice_mut(column).iter_mut().zip(from.col_as_slice(column));
        pairs.zip(shift).for_each(|((into, from), shift)| *into += from + pull * shift);
    }
}

/// The product of a symmetric matrix, given by its lower triangle, and a vector.
pub(super) fn lower_times(matrix: &Mat<f64>, vector: &[f64]) -> Vec<f64> {
    let mut product = vec![0.0; vector.len()];
    for column in 0..vector.len() {
        let below = &matrix.col_as_slice(column)[column + 1..];
        let diagonal = matrix[(column, column)] * vector[column];
        product[column] += diagonal + dot(below, &vector[column + 1..]);
        add_scaled(&mut product[column + 1..], vector[column], below);
    }
    product
}

fn difference(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a - b).collect()
}
