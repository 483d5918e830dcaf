//! The loops over the numbers of a block, compiled for the vector units of the machine that runs them.
//!
//! Every sum has a fixed number of partial sums, so the result does not depend on the width of the vectors.

use crate::base::vectorised;

/// Partial sums of a sum over a row.
const LANES: usize = 8;

/// How far apart rows of a block are laid in memory: an odd number of cache lines, because rows a power of two apart
/// would share the same few places of the cache, and halve the speed of their products.
pub fn stride(dim: usize) -> usize {
    const NUMBERS: usize = 16;
    (dim.div_ceil(NUMBERS) | 1) * NUMBERS
}

/// A number of a feature matrix, as it is stored or multiplied.
pub trait Real: Copy + Send + Sync {
    /// As double precision.
    fn wide(self) -> f64;
    /// From double precision, rounded.
    fn narrow(value: f64) -> Self;
}

impl Real for f32 {
    #[inline(always)]
    fn wide(self) -> f64 {
        f64::from(self)
    }
    #[inline(always)]
    fn narrow(value: f64) -> Self {
        value as Self
    }
}

impl Real for f64 {
    #[inline(always)]
    fn wide(self) -> f64 {
        self
    }
    #[inline(always)]
    fn narrow(value: f64) -> Self {
        value
    }
}

/// sums += the rows of a block, which stand [`stride`] apart.
pub fn add_rows<T: Real>(rows: &[T], sums: &mut [f64]) {
    vectorised(
        #[inline(always)]
        || {
            for row in rows.chunks_exact(stride(sums.len())) {
                for (sum, value) in sums.iter_mut().zip(row) {
                    *sum += value.wide();
                }
            }
        },
    );
}

/// The sums of squares of the columns of a block about an origin; rows stand [`stride`] apart.
pub fn column_squares<T: Real>(rows: &[T], origin: &[f64]) -> Vec<f64> {
    let mut squares = vec![0.0; origin.len()];
    vectorised(
        #[inline(always)]
        || {
            for row in rows.chunks_exact(stride(origin.len())) {
                for ((square, value), origin) in squares.iter_mut().zip(row).zip(origin) {
                    let value = value.wide() - origin;
                    *square += value * value;
                }
            }
        },
    );
    squares
}

/// Sums over the rows of a shard, about its origin.
pub struct Sums<'a> {
    /// The origin, d.
    pub origin: &'a [f64],
    /// sum f, d.
    pub first: &'a mut [f64],
    /// sum |f|² f, d.
    pub third: &'a mut [f64],
    /// sum |f|⁴.
    pub fourth: &'a mut f64,
}

/// Moves one row to the origin, adds it to the sums and writes it, rounded, into `out`.
pub fn take_row<T: Real, O: Real>(row: &[T], out: &mut [O], sums: &mut Sums) {
    vectorised(
        #[inline(always)]
        || {
            let mut lanes = [0.0; LANES];
            let (chunks, rest) = row.as_chunks::<LANES>();
            let (outs, out_rest) = out.as_chunks_mut::<LANES>();
            let (origins, origin_rest) = sums.origin.as_chunks::<LANES>();
            let (firsts, first_rest) = sums.first.as_chunks_mut::<LANES>();
            for (((chunk, out), origin), first) in chunks.iter().zip(outs).zip(origins).zip(firsts) {
                for lane in 0..LANES {
                    let value = chunk[lane].wide() - origin[lane];
                    first[lane] += value;
                    lanes[lane] += value * value;
                    out[lane] = O::narrow(value);
                }
            }
            for (((value, out), origin), first) in rest.iter().zip(out_rest).zip(origin_rest).zip(first_rest) {
                let value = value.wide() - origin;
                *first += value;
                lanes[0] += value * value;
                *out = O::narrow(value);
            }
            let square: f64 = lanes.iter().sum();
            *sums.fourth += square * square;
            for (third, (value, origin)) in sums.third.iter_mut().zip(row.iter().zip(sums.origin)) {
                *third += square * (value.wide() - origin);
            }
        },
    );
}

/// into += row - origin.
pub fn add_row<T: Real>(row: &[T], origin: &[f64], into: &mut [f64]) {
    vectorised(
        #[inline(always)]
        || {
            for ((into, value), origin) in into.iter_mut().zip(row).zip(origin) {
                *into += value.wide() - origin;
            }
        },
    );
}

/// into += from, column by column of a lower triangle.
pub fn add_lower(into: &mut faer::Mat<f64>, from: &faer::Mat<f32>) {
    for column in 0..into.ncols() {
        let (into, from) = (&mut into.col_as_slice_mut(column)[column..], &from.col_as_slice(column)[column..]);
        vectorised(
            #[inline(always)]
            || {
                for (into, from) in into.iter_mut().zip(from) {
                    *into += f64::from(*from);
                }
            },
        );
    }
}

/// The inner product of two vectors.
pub fn dot(a: &[f64], b: &[f64]) -> f64 {
    vectorised(
        #[inline(always)]
        || {
            let mut lanes = [0.0; LANES];
            let ((chunks, rest), (others, other_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
            for (chunk, other) in chunks.iter().zip(others) {
                for lane in 0..LANES {
                    lanes[lane] += chunk[lane] * other[lane];
                }
            }
            lanes.iter().sum::<f64>() + rest.iter().zip(other_rest).map(|(a, b)| a * b).sum::<f64>()
        },
    )
}

/// into += factor * values.
pub fn add_scaled(into: &mut [f64], factor: f64, values: &[f64]) {
    vectorised(
        #[inline(always)]
        || {
            for (into, value) in into.iter_mut().zip(values) {
                *into += factor * value;
            }
        },
    );
}
