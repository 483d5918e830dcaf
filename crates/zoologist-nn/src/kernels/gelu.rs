//! The Gaussian error linear unit with its gradient: burn's takes the error function of C, number by number.

use std::f32::consts::FRAC_1_SQRT_2;

use zoologist::base::vectorised;

use super::functions::{error_function, exponential};
use crate::activation::Activation;
use crate::operation::Operation;

/// x Φ(x), Φ being the distribution function of the standard normal (Hendrycks and Gimpel, arXiv:1606.08415, §2).
#[derive(Debug, Clone, Copy)]
pub struct Gelu;

impl Operation<1> for Gelu {
    fn forward(&self, [values]: [&[f32]; 1]) -> Vec<f32> {
        let mut result = values.to_vec();
        vectorised(
            #[inline(always)]
            || Activation::Gelu.apply(&mut result),
        );
        result
    }

    fn backward(&self, [values]: [&[f32]; 1], _: &[f32], gradient: &[f32], _: [bool; 1]) -> [Vec<f32>; 1] {
        // 1 / sqrt(2 pi).
        const PEAK: f32 = 0.398_942_3;
        let mut found = gradient.to_vec();
        vectorised(
            #[inline(always)]
            || {
                for (found, &x) in found.iter_mut().zip(values) {
                    let below = 0.5 * (1.0 + error_function(x * FRAC_1_SQRT_2));
                    *found *= (x * PEAK).mul_add(exponential(-0.5 * x * x), below);
                }
            },
        );
        [found]
    }
}
