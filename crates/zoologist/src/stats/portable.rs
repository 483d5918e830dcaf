//! Moments as named arrays, the form in which they are kept in files.
//!
//! | array | shape | |
//! |---|---|---|
//! | `rows` | 1 | number of rows |
//! | `mean` | d | mean row |
//! | `scatter` | d (d + 1) / 2 | centred Gram matrix, the columns of its lower triangle |
//! | `third`, `fourth` | d, 1 | sums of \|f\|² f and \|f\|⁴ over the centred rows |
//! | `counts` | k | rows per class (classes only) |
//! | `target_mean`, `target_scatter` | k, k | means and centred sums of squares (columns only) |
//! | `cross` | responses × k × d | centred products of features and targets |

use std::collections::BTreeMap;

use faer::Mat;

use super::{Marginals, Moments};
use crate::base::{Array, Numbers};

/// Arrays that can't be moments: which one is missing or wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the array `{0}` is missing or does not fit the others")]
pub struct Damaged(pub &'static str);

impl Moments {
    /// The moments as arrays by name.
    pub fn to_arrays(&self) -> BTreeMap<&'static str, Array> {
        let (dim, width) = (self.dim(), self.width());
        let lower = (0..dim).flat_map(|column| self.scatter().col_as_slice(column)[column..].iter().copied());
        let cross =
            self.cross.iter().flat_map(|cross| (0..width).flat_map(|column| cross.col_as_slice(column).to_vec()));
        let mut arrays = BTreeMap::from([
            ("rows", counts(vec![1], vec![self.rows as u64])),
            ("mean", reals(vec![dim], self.mean.clone())),
            ("scatter", reals(vec![dim * (dim + 1) / 2], lower.collect())),
            ("third", reals(vec![dim], self.third.clone())),
            ("fourth", reals(vec![1], vec![self.fourth])),
            ("cross", reals(vec![self.cross.len(), width, dim], cross.collect())),
        ]);
        match &self.marginals {
            Marginals::Classes(numbers) => {
                arrays.insert("counts", counts(vec![width], numbers.clone()));
            }
            Marginals::Columns { mean, scatter } => {
                arrays.insert("target_mean", reals(vec![width], mean.clone()));
                arrays.insert("target_scatter", reals(vec![width], scatter.clone()));
            }
        }
        arrays
    }

    /// The moments that [`Moments::to_arrays`] wrote. Arrays from elsewhere are checked: their shapes must fit each
    /// other, and every number must be finite.
    pub fn from_arrays(arrays: &BTreeMap<String, Array>) -> Result<Self, Damaged> {
        let dim = array(arrays, "mean")?.shape.iter().product();
        let width = match (arrays.get("counts"), arrays.get("target_mean")) {
            (Some(counts), None) => counts.shape.iter().product(),
            (None, Some(mean)) => mean.shape.iter().product(),
            _ => return Err(Damaged("counts")),
        };
        let marginals = if arrays.contains_key("counts") {
            Marginals::Classes(whole(arrays, "counts", width)?)
        } else {
            let (mean, scatter) = (real(arrays, "target_mean", width)?, real(arrays, "target_scatter", width)?);
            Marginals::Columns { mean, scatter }
        };
        let rows = whole(arrays, "rows", 1)?[0];
        if let Marginals::Classes(counts) = &marginals {
            let total = counts.iter().try_fold(0_u64, |sum, count| sum.checked_add(*count));
            if total != Some(rows) {
                return Err(Damaged("counts"));
            }
        }
        let &[responses, _, _] = &array(arrays, "cross")?.shape[..] else { return Err(Damaged("cross")) };
        let each = width.checked_mul(dim).ok_or(Damaged("cross"))?;
        let cross = real(arrays, "cross", responses.checked_mul(each).ok_or(Damaged("cross"))?)?;
        if responses == 0 || each == 0 {
            return Err(Damaged("cross"));
        }
        let table = |part: &[f64]| Mat::from_fn(dim, width, |row, column| part[column * dim + row]);
        Ok(Self {
            rows: usize::try_from(rows).map_err(|_| Damaged("rows"))?,
            mean: real(arrays, "mean", dim)?,
            scatter: unpacked(&real(arrays, "scatter", dim * (dim + 1) / 2)?, dim),
            third: real(arrays, "third", dim)?,
            fourth: real(arrays, "fourth", 1)?[0],
            marginals,
            cross: cross.chunks_exact(each).map(table).collect(),
        })
    }

    /// The same rows without their features: all that depends on the targets alone.
    #[must_use]
    pub(super) fn without_features(&self) -> Self {
        Self { rows: self.rows, marginals: self.marginals.clone(), ..Self::empty(0, &self.marginals, 0) }
    }
}

fn counts(shape: Vec<usize>, numbers: Vec<u64>) -> Array {
    Array { shape, numbers: Numbers::Counts(numbers) }
}

fn reals(shape: Vec<usize>, numbers: Vec<f64>) -> Array {
    Array { shape, numbers: Numbers::Reals(numbers) }
}

fn array<'a>(arrays: &'a BTreeMap<String, Array>, name: &'static str) -> Result<&'a Array, Damaged> {
    arrays.get(name).ok_or(Damaged(name))
}

fn real(arrays: &BTreeMap<String, Array>, name: &'static str, count: usize) -> Result<Vec<f64>, Damaged> {
    match &array(arrays, name)?.numbers {
        Numbers::Reals(numbers) if numbers.len() == count && numbers.iter().all(|number| number.is_finite()) => {
            Ok(numbers.clone())
        }
        _ => Err(Damaged(name)),
    }
}

fn whole(arrays: &BTreeMap<String, Array>, name: &'static str, count: usize) -> Result<Vec<u64>, Damaged> {
    match &array(arrays, name)?.numbers {
        Numbers::Counts(numbers) if numbers.len() == count => Ok(numbers.clone()),
        _ => Err(Damaged(name)),
    }
}

fn unpacked(lower: &[f64], dim: usize) -> Mat<f64> {
    let mut matrix = Mat::zeros(dim, dim);
    let mut rest = lower;
    for column in 0..dim {
        let (below, after) = rest.split_at(dim - column);
        matrix.col_as_slice_mut(column)[column..].copy_from_slice(below);
        rest = after;
    }
    matrix
}
