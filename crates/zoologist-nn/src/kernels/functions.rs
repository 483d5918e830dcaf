//! Elementary functions as polynomials without branches, so that a loop over them becomes vector instructions.

#![allow(clippy::excessive_precision, reason = "constants keep the digits of their sources")]

use std::f32::consts::{FRAC_1_SQRT_2, LOG2_E};

use crate::activation::Activation;

/// exp(x): relative error below 3e-7, from exp(-87) to exp(88), which stand for everything beyond.
#[inline(always)]
pub fn exponential(x: f32) -> f32 {
    // Adding this rounds to a whole number, which then stands in the last bits.
    const ROUND: f32 = 12_582_912.0;
    // log 2 in two parts, of which the first has few bits, so that its multiples are exact.
    const LOG_2: [f32; 2] = [0.693_359_375, -2.121_944_4e-4];
    // Cephes, expf.c.
    const TERMS: [f32; 6] = [1.987_569_2e-4, 1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 5e-1];
    // Comparisons, not `clamp`: what is not a number stays so.
    let x = if x < -87.0 { -87.0 } else { x };
    let x = if x > 88.0 { 88.0 } else { x };
    let shifted = x.mul_add(LOG2_E, ROUND);
    let whole = shifted - ROUND;
    let rest = whole.mul_add(-LOG_2[1], whole.mul_add(-LOG_2[0], x));
    let power = polynomial(rest, &TERMS).mul_add(rest * rest, rest) + 1.0;
    f32::from_bits(power.to_bits().wrapping_add(shifted.to_bits() << 23))
}

/// The error function: absolute error below 5e-7. Rational approximation of Eigen (`erf` in its generic packet math).
#[inline(always)]
pub fn error_function(x: f32) -> f32 {
    const ABOVE: [f32; 7] = [
        -2.726_142_3e-10,
        2.770_681_4e-8,
        -2.101_024e-6,
        -5.692_506_3e-5,
        -7.349_906_3e-4,
        -2.954_599_8e-3,
        -1.609_603_3e-2,
    ];
    const BELOW: [f32; 5] = [-1.456_607_2e-5, -2.133_740_6e-4, -1.682_827e-3, -7.373_329e-3, -1.426_473_9e-2];
    let x = if x < -4.0 { -4.0 } else { x };
    let x = if x > 4.0 { 4.0 } else { x };
    let square = x * x;
    x * polynomial(square, &ABOVE) / polynomial(square, &BELOW)
}

/// 1 / (1 + exp(-x)).
#[inline(always)]
fn logistic(x: f32) -> f32 {
    1.0 / (1.0 + exponential(-x))
}

/// A polynomial, highest term first.
#[inline(always)]
fn polynomial<const N: usize>(x: f32, terms: &[f32; N]) -> f32 {
    let mut sum = terms[0];
    for term in &terms[1..] {
        sum = sum.mul_add(x, *term);
    }
    sum
}

impl Activation {
    /// Applies it to each of some numbers.
    #[inline(always)]
    pub fn apply(self, values: &mut [f32]) {
        match self {
            Self::Gelu => each(values, |x| 0.5 * x * (1.0 + error_function(x * FRAC_1_SQRT_2))),
            Self::GeluTanh => each(values, |x| x * logistic(twice_tanh_argument(x))),
            Self::Relu => each(values, |x| if x < 0.0 { 0.0 } else { x }),
            Self::Silu => each(values, |x| x * logistic(x)),
        }
    }
}

/// Replaces each of some numbers. A loop, not `for_each`, which is a function of its own that need not be inlined.
#[inline(always)]
fn each(values: &mut [f32], function: impl Fn(f32) -> f32) {
    for value in values {
        *value = function(*value);
    }
}

/// 2 sqrt(2/pi) (x + 0.044715 x³): half of 1 + tanh(u) is the logistic function of 2u.
#[inline(always)]
fn twice_tanh_argument(x: f32) -> f32 {
    const TWICE_SQRT_2_OVER_PI: f32 = 1.595_769_1;
    TWICE_SQRT_2_OVER_PI * x * (0.044_715 * x).mul_add(x, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference;

    fn grid(from: f32, to: f32) -> impl Iterator<Item = f32> {
        (0..=20_000).map(move |step| from + (to - from) * step as f32 / 20_000.0)
    }

    #[test]
    fn exponential_is_right_to_three_in_ten_million() {
        for x in grid(-87.0, 88.0) {
            let (ours, exact) = (f64::from(exponential(x)), f64::from(x).exp());
            assert!((ours / exact - 1.0).abs() < 3e-7, "exp({x}) = {ours}, not {exact}");
        }
        assert!(exponential(f32::NEG_INFINITY) < 1e-37);
        assert!(exponential(f32::NAN).is_nan());
    }

    #[test]
    fn error_function_is_right_to_five_in_ten_million() {
        for x in grid(-6.0, 6.0) {
            let (ours, exact) = (f64::from(error_function(x)), reference::erf(f64::from(x)));
            assert!((ours - exact).abs() < 5e-7, "erf({x}) = {ours}, not {exact}");
        }
        assert!(error_function(f32::NAN).is_nan());
    }

    #[test]
    fn activations_are_right_to_one_in_a_million() {
        for activation in [Activation::Gelu, Activation::GeluTanh, Activation::Relu, Activation::Silu] {
            for x in grid(-12.0, 12.0) {
                let mut ours = [x];
                activation.apply(&mut ours);
                let exact = reference::activate(activation, f64::from(x));
                let error = (f64::from(ours[0]) - exact).abs();
                assert!(error < 1e-6 * exact.abs().max(1.0), "{activation:?}({x}) = {}, not {exact}", ours[0]);
            }
        }
    }
}
