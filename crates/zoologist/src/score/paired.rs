//! Differences of runs that share everything but one thing.

use super::jackknife::student_quantile;

/// The mean of paired differences and how sure it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Paired {
    /// The mean.
    pub mean: f64,
    /// Its 95% interval by Student's t, with n - 1 degrees of freedom; `None` of a single difference.
    pub interval: Option<[f64; 2]>,
}

/// The mean of some differences; `None` if there are none.
///
/// ```
/// let found = zoologist::score::paired::mean(&[0.01, 0.02, 0.03]).unwrap();
/// // 4.303 · .01 / √3
/// assert!((found.mean - 0.02).abs() < 1e-12 && (found.interval.unwrap()[1] - 0.04484).abs() < 1e-4);
/// ```
pub fn mean(differences: &[f64]) -> Option<Paired> {
    let count = differences.len() as f64;
    let mean = (!differences.is_empty()).then(|| differences.iter().sum::<f64>() / count)?;
    let interval = (differences.len() > 1).then(|| {
        let variance = differences.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (count - 1.0);
        let half = student_quantile(0.975, differences.len() - 1) * (variance / count).sqrt();
        [mean - half, mean + half]
    });
    Some(Paired { mean, interval })
}
