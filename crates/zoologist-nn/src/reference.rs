//! What the fast functions should give, in double precision and the plainest form: for tests.

use crate::activation::Activation;

/// The error function, as the integral that defines it (Simpson's rule).
pub fn erf(x: f64) -> f64 {
    const STEPS: i32 = 1000;
    let width = x / f64::from(STEPS);
    let value = |step: i32| (-(width * f64::from(step)).powi(2)).exp();
    let sum: f64 = (0..STEPS).step_by(2).map(|step| value(step) + 4.0 * value(step + 1) + value(step + 2)).sum();
    2.0 / std::f64::consts::PI.sqrt() * sum * width / 3.0
}

/// An activation.
pub fn activate(activation: Activation, x: f64) -> f64 {
    match activation {
        Activation::Gelu => x / 2.0 * (1.0 + erf(x / 2.0_f64.sqrt())),
        Activation::GeluTanh => {
            x / 2.0 * (1.0 + ((2.0 / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x.powi(3))).tanh())
        }
        Activation::Relu => x.max(0.0),
        Activation::Silu => x / (1.0 + (-x).exp()),
    }
}
