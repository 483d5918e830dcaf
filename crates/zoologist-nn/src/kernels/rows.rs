//! What happens to each row by itself: bias, activation, residual, norm.

use zoologist::base::vectorised;

use super::LANES;
use crate::activation::Activation;

/// rows = activation(rows + bias), in place.
pub fn activate(rows: &mut [f32], bias: &[f32], activation: Activation) {
    vectorised(
        #[inline(always)]
        || {
            for row in rows.chunks_exact_mut(bias.len()) {
                for (value, bias) in row.iter_mut().zip(bias) {
                    *value += bias;
                }
                activation.apply(row);
            }
        },
    );
}

/// The vectors of a norm, and what it adds to the variance.
#[derive(Debug, Clone, Copy)]
pub struct Norm<'a> {
    /// Factors, d.
    pub weight: &'a [f32],
    /// Summands, d.
    pub bias: &'a [f32],
    /// What is added to the variance.
    pub epsilon: f32,
}

/// rows = norm(rows + bias + residual), in place; each row is brought to mean 0 and variance 1 first
/// (Ba et al., arXiv:1607.06450).
pub fn add_norm(rows: &mut [f32], bias: &[f32], residual: &[f32], norm: Norm) {
    let dim = bias.len();
    vectorised(
        #[inline(always)]
        || {
            for (row, residual) in rows.chunks_exact_mut(dim).zip(residual.chunks_exact(dim)) {
                for ((value, residual), bias) in row.iter_mut().zip(residual).zip(bias) {
                    *value += residual + bias;
                }
                let mean = sum(row, |value| value) / dim as f32;
                let variance = sum(row, |value| (value - mean) * (value - mean)) / dim as f32;
                let scale = 1.0 / (variance + norm.epsilon).sqrt();
                for ((value, weight), bias) in row.iter_mut().zip(norm.weight).zip(norm.bias) {
                    *value = ((*value - mean) * scale).mul_add(*weight, *bias);
                }
            }
        },
    );
}

/// The sum of a function of the values.
#[inline(always)]
pub fn sum(values: &[f32], term: impl Fn(f32) -> f32) -> f32 {
    let mut lanes = [0.0; LANES];
    let (chunks, rest) = values.as_chunks::<LANES>();
    for chunk in chunks {
        for lane in 0..LANES {
            lanes[lane] += term(chunk[lane]);
        }
    }
    rest.iter().fold(fold(lanes, |a, b| a + b), |sum, value| sum + term(*value))
}

/// All lanes put together, halves first.
#[inline(always)]
pub fn fold(mut lanes: [f32; LANES], join: impl Fn(f32, f32) -> f32) -> f32 {
    let mut width = LANES / 2;
    while width > 0 {
        for lane in 0..width {
            lanes[lane] = join(lanes[lane], lanes[lane + width]);
        }
        width /= 2;
    }
    lanes[0]
}
