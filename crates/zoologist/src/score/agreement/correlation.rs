//! Pearson's and Spearman's correlations.

use crate::score::ordinal::Places;

/// Pearson's correlation, sum (x - mean x)(y - mean y) over the root of both sums of squares; `None` where a list does
/// not vary. Numbers of any finite size.
///
/// ```
/// use zoologist::score::agreement::pearson;
/// assert!((pearson(&[1.0, 2.0, 3.0], &[3e300, 2e300, 1e300]).unwrap() + 1.0).abs() < 1e-15);
/// assert_eq!(pearson(&[0.1, 0.1, 0.1], &[1.0, 2.0, 3.0]), None);
/// ```
pub fn pearson(x: &[f64], y: &[f64]) -> Option<f64> {
    let (x, y) = (unit(x)?, unit(y)?);
    let product: f64 = x.iter().zip(&y).map(|(a, b)| a * b).sum();
    Some(product.clamp(-1.0, 1.0))
}

/// Spearman's correlation; `None` where a list does not vary.
pub fn spearman(x: &[f64], y: &[f64]) -> Option<f64> {
    pearson(&ranks(x), &ranks(y))
}

/// The rank of each number, from 1 for the least; equal numbers have the mean of theirs.
///
/// ```
/// use zoologist::score::agreement::ranks;
/// assert_eq!(ranks(&[0.7, 0.5, 0.7, 0.9]), [2.5, 1.0, 2.5, 4.0]);
/// ```
pub fn ranks(numbers: &[f64]) -> Vec<f64> {
    Places::of(numbers).ranks()
}

/// The deviations from the mean, divided by their length.
fn unit(numbers: &[f64]) -> Option<Vec<f64>> {
    let first = numbers.first()?;
    if !numbers.iter().any(|number| (number - first).abs() > 0.0) {
        return None;
    }
    // The mean of numbers far from 0 is rounded; the deviations are small, so theirs takes out the rest.
    let mut numbers = scaled(centred(scaled(centred(scaled(numbers.to_vec())))));
    let length = numbers.iter().map(|number| number * number).sum::<f64>().sqrt();
    numbers.iter_mut().for_each(|number| *number /= length);
    (length > 0.0).then_some(numbers)
}

fn centred(mut numbers: Vec<f64>) -> Vec<f64> {
    let mean = numbers.iter().sum::<f64>() / numbers.len() as f64;
    numbers.iter_mut().for_each(|number| *number -= mean);
    numbers
}

/// Brings the largest number near 1 by a power of two, so that nothing is rounded and squares can't overflow.
fn scaled(mut numbers: Vec<f64>) -> Vec<f64> {
    let largest = numbers.iter().fold(0.0_f64, |largest, number| largest.max(number.abs()));
    if largest > 0.0 {
        let factor = (-largest.log2().floor().clamp(-1000.0, 1000.0)).exp2();
        numbers.iter_mut().for_each(|number| *number *= factor);
    }
    numbers
}
