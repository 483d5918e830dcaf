//! A feature matrix in memory: n rows of d numbers, in the precision of its source.

use std::ops::Range;

/// The numbers of a feature matrix, row after row.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// Single precision, as networks give it.
    F32(Vec<f32>),
    /// Double precision.
    F64(Vec<f64>),
}

/// n × d features, one row per sample.
#[derive(Debug, Clone, PartialEq)]
pub struct Features {
    dim: usize,
    values: Values,
}

impl Values {
    /// How many numbers there are.
    pub fn len(&self) -> usize {
        match self {
            Self::F32(values) => values.len(),
            Self::F64(values) => values.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Room for numbers of the same precision.
    #[must_use]
    pub fn no_values(&self) -> Self {
        match self {
            Self::F32(_) => Self::F32(Vec::new()),
            Self::F64(_) => Self::F64(Vec::new()),
        }
    }

    /// Removes all numbers and keeps their memory.
    pub fn clear(&mut self) {
        match self {
            Self::F32(values) => values.clear(),
            Self::F64(values) => values.clear(),
        }
    }

    /// Adds zeros until there are `count` numbers.
    pub fn fill_up(&mut self, count: usize) {
        match self {
            Self::F32(values) => values.resize(count, 0.0),
            Self::F64(values) => values.resize(count, 0.0),
        }
    }

    /// Adds some of the `other` numbers.
    pub fn add(&mut self, other: &Self, span: Range<usize>) {
        match (self, other) {
            (Self::F32(values), Self::F32(others)) => values.extend_from_slice(&others[span]),
            (Self::F64(values), Self::F64(others)) => values.extend_from_slice(&others[span]),
            (Self::F64(values), Self::F32(others)) => values.extend(others[span].iter().map(|&other| f64::from(other))),
            (Self::F32(values), Self::F64(others)) => values.extend(others[span].iter().map(|&other| other as f32)),
        }
    }

    /// Puts the `others` into the places `first`, `first + step` and so on.
    pub fn put_column(&mut self, others: &Self, first: usize, step: usize) {
        fn put<T, U: Copy>(values: &mut [T], others: &[U], step: usize, convert: impl Fn(U) -> T) {
            values.iter_mut().step_by(step).zip(others).for_each(|(value, &other)| *value = convert(other));
        }
        match (self, others) {
            (Self::F32(values), Self::F32(others)) => put(&mut values[first..], others, step, |other| other),
            (Self::F64(values), Self::F64(others)) => put(&mut values[first..], others, step, |other| other),
            (Self::F64(values), Self::F32(others)) => put(&mut values[first..], others, step, f64::from),
            (Self::F32(values), Self::F64(others)) => put(&mut values[first..], others, step, |other| other as f32),
        }
    }
}

impl Features {
    /// A matrix of rows of `dim` numbers.
    ///
    /// # Panics
    /// If `dim` is 0 or does not divide the number of values: the reader that built them has checked.
    pub fn new(dim: usize, values: Values) -> Self {
        assert!(dim > 0 && values.len().is_multiple_of(dim), "values are not a whole number of rows");
        Self { dim, values }
    }

    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.values.len() / self.dim
    }

    /// How many numbers a row has.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// The numbers, row after row.
    pub fn values(&self) -> &Values {
        &self.values
    }

    /// The numbers, row after row, without the matrix: to fill their memory anew.
    pub fn into_values(self) -> Values {
        self.values
    }

    /// Calls `each` with the place (row, column) and value of every number of these rows, as f64.
    pub fn visit(&self, rows: Range<usize>, mut each: impl FnMut(usize, usize, f64)) {
        let dim = self.dim;
        let span = rows.start * dim..rows.end * dim;
        let place = |offset: usize| (rows.start + offset / dim, offset % dim);
        match &self.values {
            Values::F32(values) => {
                for (offset, &value) in values[span].iter().enumerate() {
                    let (row, column) = place(offset);
                    each(row, column, f64::from(value));
                }
            }
            Values::F64(values) => {
                for (offset, &value) in values[span].iter().enumerate() {
                    let (row, column) = place(offset);
                    each(row, column, value);
                }
            }
        }
    }

    /// The place (row, column) of the first number that is NaN or infinite.
    pub fn first_not_finite(&self) -> Option<(usize, usize)> {
        let place = match &self.values {
            Values::F32(values) => values.iter().position(|value| !value.is_finite()),
            Values::F64(values) => values.iter().position(|value| !value.is_finite()),
        }?;
        Some((place / self.dim, place % self.dim))
    }

    /// The rows at these places, in the order given.
    #[must_use]
    pub fn select(&self, rows: &[usize]) -> Self {
        fn pick<T: Copy>(values: &[T], dim: usize, rows: &[usize]) -> Vec<T> {
            rows.iter().flat_map(|&row| values[row * dim..(row + 1) * dim].iter().copied()).collect()
        }
        let values = match &self.values {
            Values::F32(values) => Values::F32(pick(values, self.dim, rows)),
            Values::F64(values) => Values::F64(pick(values, self.dim, rows)),
        };
        Self { dim: self.dim, values }
    }
}
