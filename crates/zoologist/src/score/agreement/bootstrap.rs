//! Seeded bootstrap intervals.

use crate::base::Seed;

/// How often items are drawn, and from which seed.
#[derive(Debug, Clone, Copy)]
pub struct Draws {
    /// The number of resamples.
    pub count: usize,
    /// Fixes them.
    pub seed: Seed,
}

/// K figures on resamples of n items, drawn with replacement. A figure that does not exist on a resample is skipped, so
/// the lists may be shorter than the number of draws. The same seed, name and n give the same resamples, whatever is
/// computed on them: differences of figures can be compared in pairs.
pub fn resample<const K: usize>(
    n: usize,
    draws: Draws,
    (purpose, name): (&str, &str),
    figures: impl Fn(&[usize]) -> [Option<f64>; K],
) -> [Vec<f64>; K] {
    let mut stream = draws.seed.stream(purpose, name);
    let mut found = [const { Vec::new() }; K];
    let mut items = vec![0; n];
    for _ in 0..draws.count {
        items.iter_mut().for_each(|item| *item = stream.below(n));
        for (values, value) in found.iter_mut().zip(figures(&items)) {
            values.extend(value);
        }
    }
    found
}

/// The 2.5% and 97.5% quantiles, interpolated linearly between neighbours; `None` for no values.
///
/// ```
/// use zoologist::score::agreement::interval;
/// let [low, high] = interval((0..=1000).map(f64::from).collect()).unwrap();
/// assert!((low - 25.0).abs() < 1e-9 && (high - 975.0).abs() < 1e-9);
/// ```
pub fn interval(mut values: Vec<f64>) -> Option<[f64; 2]> {
    values.sort_by(f64::total_cmp);
    let last = values.len().checked_sub(1)?;
    let quantile = |share: f64| {
        let place = share * last as f64;
        let below = place as usize;
        let (low, high) = (values[below], values[(below + 1).min(last)]);
        low + (high - low) * place.fract()
    };
    Some([quantile(0.025), quantile(0.975)])
}
