//! How sure a score is, from the shards: the delete-one-shard jackknife.
//!
//! `SE² = (s-1)/s sum_j (theta_(-j) - mean)²`, with theta_(-j) the score of all shards but j. Two models are compared
//! by the same formula on their paired differences: the same rows are left out of both, so what is common cancels.
//! It is about the draw of the user's rows alone, and says nothing about accuracy after fine-tuning.

use std::f64::consts::{FRAC_PI_2, PI};

/// The 95% interval of a value, from its leave-one-shard-out values. `None` for fewer than two of them.
pub fn interval(value: f64, replicates: &[f64]) -> Option<[f64; 2]> {
    let error = standard_error(replicates)?;
    let reach = student_quantile(0.975, replicates.len() - 1) * error;
    Some([value - reach, value + reach])
}

/// The probability that the first of two models is truly the better, from the difference of their values and of
/// their leave-one-shard-out values, over the same shards.
pub fn probability_better(difference: f64, replicates: &[f64]) -> Option<f64> {
    let error = standard_error(replicates)?;
    if error == 0.0 {
        return Some(if difference == 0.0 { 0.5 } else { f64::from(difference > 0.0) });
    }
    Some(student_cdf(difference / error, replicates.len() - 1))
}

/// The standard error of a value, from its leave-one-shard-out values. `None` for fewer than two of them.
pub fn standard_error(replicates: &[f64]) -> Option<f64> {
    let count = replicates.len() as f64;
    let mean = replicates.iter().sum::<f64>() / count;
    let spread: f64 = replicates.iter().map(|value| (value - mean).powi(2)).sum();
    (replicates.len() >= 2 && spread.is_finite()).then(|| ((count - 1.0) / count * spread).sqrt())
}

/// Distribution function of Student's t with a whole number of degrees of freedom, one or more, as a finite sum.
/// Source: Abramowitz and Stegun, 26.7.3 and 26.7.4.
///
/// ```
/// use zoologist::score::jackknife::student_cdf;
/// assert!((student_cdf(2.093_024_054, 19) - 0.975).abs() < 1e-9);
/// assert!((student_cdf(-1.812_461_123, 10) - 0.05).abs() < 1e-9);
/// ```
pub fn student_cdf(t: f64, freedom: usize) -> f64 {
    let angle = (t / (freedom as f64).sqrt()).atan();
    let (sine, cosine) = angle.sin_cos();
    let odd = freedom % 2 == 1;
    let mut term = if odd { cosine } else { 1.0 };
    let mut sum = if freedom == 1 { 0.0 } else { term };
    let mut place = if odd { 3 } else { 2 };
    while place < freedom {
        term *= cosine * cosine * (place as f64 - 1.0) / place as f64;
        sum += term;
        place += 2;
    }
    let both_sides = if odd { (angle + sine * sum) / FRAC_PI_2 } else { sine * sum };
    f64::midpoint(1.0, both_sides)
}

/// The t that [`student_cdf`] takes to a probability between one half and one.
pub fn student_quantile(probability: f64, freedom: usize) -> f64 {
    // In the angle atan(t / sqrt(freedom)) the search is bounded whatever the degrees of freedom.
    let t_of = |angle: f64| angle.tan() * (freedom as f64).sqrt();
    let (mut low, mut high) = (0.0, PI / 2.0);
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if student_cdf(t_of(middle), freedom) < probability { low = middle } else { high = middle }
    }
    t_of(low)
}

#[cfg(test)]
mod tests {
    use super::{interval, probability_better, student_cdf, student_quantile};

    #[test]
    fn quantiles_agree_with_published_tables() {
        let cases =
            [(1, 12.706_204_74), (2, 4.302_652_73), (9, 2.262_157_163), (19, 2.093_024_054), (100, 1.983_971_519)];
        for (freedom, expected) in cases {
            assert!((student_quantile(0.975, freedom) - expected).abs() < 1e-7, "{freedom}");
        }
    }

    #[test]
    fn a_difference_of_zero_is_a_coin_toss() {
        assert_eq!(probability_better(0.0, &[0.1, -0.1, 0.0]), Some(0.5));
        assert_eq!(probability_better(0.0, &[0.0, 0.0]), Some(0.5));
        assert!((student_cdf(0.0, 7) - 0.5).abs() < 1e-15);
    }

    #[test]
    fn the_interval_of_a_mean_is_the_textbook_one() {
        // Leaving out one of n values changes the mean by (mean - value) / (n - 1), so the jackknife is exact.
        let values = [1.0, 2.0, 3.0, 6.0];
        let mean = 3.0;
        let replicates: Vec<f64> = values.iter().map(|value| (12.0 - value) / 3.0).collect();
        let error = (values.iter().map(|v: &f64| (v - mean).powi(2)).sum::<f64>() / 12.0).sqrt();
        let [low, high] = interval(mean, &replicates).unwrap();
        assert!((high - low - 2.0 * 3.182_446_305 * error).abs() < 1e-8);
    }
}
