//! Differences of runs that share everything but one thing, and of two groups of runs that share nothing.

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

/// The difference between the means of two groups of values that are not paired, with Welch's interval (1947), its degrees
/// of freedom rounded down; `None` unless each has two values and one of them spreads.
///
/// ```
/// let found = zoologist::score::paired::apart(&[3.0, 4.0, 5.0], &[0.0, 1.0, 2.0, 3.0]).unwrap();
/// // 4.96 degrees of freedom, so 4: 2.776 · √(1/3 + 5/12)
/// assert!((found.mean - 2.5).abs() < 1e-12 && (found.interval.unwrap()[1] - 4.9045).abs() < 1e-3);
/// ```
pub fn apart(a: &[f64], b: &[f64]) -> Option<Paired> {
    let of = |values: &[f64]| {
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (count - 1.0);
        (values.len() > 1).then_some((mean, variance / count))
    };
    let ((mean, own), (other, others)) = of(a).zip(of(b))?;
    let (sum, each) = (own + others, |part: f64, values: &[f64]| part * part / (values.len() - 1) as f64);
    let freedom = (sum * sum / (each(own, a) + each(others, b))).floor();
    let half = (sum > 0.0).then(|| student_quantile(0.975, (freedom as usize).max(1)) * sum.sqrt())?;
    let mean = mean - other;
    Some(Paired { mean, interval: Some([mean - half, mean + half]) })
}
