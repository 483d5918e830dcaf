//! Logarithm and logarithmic derivative of the gamma function, for positive numbers.
//!
//! Both go up by the recurrence gamma(x + 1) = x gamma(x) until Stirling's series is exact to rounding. Source:
//! Abramowitz and Stegun, 6.1.40, 6.3.5 and 6.3.18.

/// From here on the series are exact to rounding.
const LARGE: f64 = 10.0;
/// Bernoulli numbers B_2, B_4, ….
const BERNOULLI: [f64; 8] =
    [1.0 / 6.0, -1.0 / 30.0, 1.0 / 42.0, -1.0 / 30.0, 5.0 / 66.0, -691.0 / 2730.0, 7.0 / 6.0, -3617.0 / 510.0];

/// ln gamma(x), x > 0.
pub fn ln_gamma(x: f64) -> f64 {
    let (mut x, mut product) = (x, 1.0);
    while x < LARGE {
        product *= x;
        x += 1.0;
    }
    // sum of B_2k / (2k (2k - 1) x^(2k-1))
    let series = horner(x, |k| 2.0 * k * (2.0 * k - 1.0)) * x;
    (x - 0.5) * x.ln() - x + 0.5 * std::f64::consts::TAU.ln() + series - product.ln()
}

/// The derivative of ln gamma(x), x > 0.
pub fn digamma(x: f64) -> f64 {
    let (mut x, mut sum) = (x, 0.0);
    while x < LARGE {
        sum += 1.0 / x;
        x += 1.0;
    }
    // sum of B_2k / (2k x^2k)
    x.ln() - 0.5 / x - horner(x, |k| 2.0 * k) - sum
}

/// sum over k of B_2k / (divisor(k) x^2k), smallest terms first.
fn horner(x: f64, divisor: impl Fn(f64) -> f64) -> f64 {
    let square = 1.0 / (x * x);
    let terms = BERNOULLI.iter().enumerate().rev();
    terms.fold(0.0, |sum, (place, number)| (sum + number / divisor(place as f64 + 1.0)) * square)
}

#[cfg(test)]
mod tests {
    use super::{digamma, ln_gamma};

    // x, ln gamma(x), digamma(x), to 17 digits (scipy).
    const KNOWN: &[(f64, f64, f64)] = &[
        (1e-10, 23.025_850_929_882_733, -10_000_000_000.577_215),
        (0.001, 6.907_178_885_383_853, -1_000.575_571_931_810_3),
        (0.1, 2.252_712_651_734_206, -10.423_754_940_411_076),
        (0.5, 0.572_364_942_924_7, -1.963_510_026_021_423_5),
        (1.0, 0.0, -0.577_215_664_901_532_9),
        (1.461_632_144_968_362_2, -0.121_486_290_535_849_7, -9.241_265_521_729_427e-17),
        (2.0, 0.0, 0.422_784_335_098_467_13),
        (2.5, 0.284_682_870_472_919_2, 0.703_156_640_645_243_2),
        (9.999, 12.799_575_780_077_413, 2.251_647_417_205_735),
        (10.0, 12.801_827_480_081_469, 2.251_752_589_066_721),
        (33.25, 82.429_238_345_909_04, 3.488_941_803_520_938_7),
        (1000.0, 5_905.220_423_209_181, 6.907_255_195_648_812),
        (1_000_000.0, 12_815_504.569_147_611, 13.815_510_057_964_19),
        (1_000_000_000_000.0, 26_631_021_115_915.65, 27.631_021_115_928_046),
    ];

    #[test]
    fn both_agree_with_known_values() {
        for &(x, expected_logarithm, expected_derivative) in KNOWN {
            for (found, expected) in [(ln_gamma(x), expected_logarithm), (digamma(x), expected_derivative)] {
                assert!((found - expected).abs() <= 1e-13 * expected.abs().max(0.1), "{x}: {found} for {expected}");
            }
        }
    }
}
