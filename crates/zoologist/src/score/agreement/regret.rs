//! What a choice by score costs.

use std::cmp::Ordering;

/// The best accuracy of all less the best accuracy among the k best by score, in the unit of the accuracies; `None` for
/// no models. Where models tie for the last places, the mean over all ways to fill these from the tie: for k = 1 that is
/// the mean accuracy of the models that share the highest score. With k >= n it is 0.
///
/// ```
/// use zoologist::score::agreement::regret;
/// assert_eq!(regret(&[1.0, 2.0, 3.0], &[0.75, 0.5, 0.25], 1), Some(0.5));
/// assert_eq!(regret(&[1.0, 3.0, 3.0], &[0.75, 0.5, 0.25], 1), Some(0.375));
/// assert_eq!(regret(&[1.0, 2.0, 3.0], &[0.75, 0.5, 0.25], 3), Some(0.0));
/// ```
pub fn regret(scores: &[f64], accuracies: &[f64], k: usize) -> Option<f64> {
    let best = accuracies.iter().copied().max_by(f64::total_cmp)?;
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
    let last = scores[order[k.min(order.len()) - 1]];
    let of = |wanted: Ordering| -> Vec<f64> {
        let chosen = order.iter().filter(|&&item| scores[item].partial_cmp(&last) == Some(wanted));
        chosen.map(|&item| accuracies[item]).collect()
    };
    let (sure, tied) = (of(Ordering::Greater), of(Ordering::Equal));
    Some(best - expected_best(&sure, tied, k.min(order.len())))
}

/// The expected maximum of the sure ones and of `k - sure` drawn from the tied ones without replacement.
///
/// The j-th best of t tied ones is the best of r drawn ones with probability C(t-j, r-1) / C(t, r), here from the one
/// before it: p_1 = r/t, p_{j+1} = p_j (t-j-r+1) / (t-j).
fn expected_best(sure: &[f64], mut tied: Vec<f64>, k: usize) -> f64 {
    tied.sort_by(|a, b| b.total_cmp(a));
    let floor = sure.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let (all, drawn) = (tied.len() as f64, (k - sure.len()) as f64);
    let (mut probability, mut lost) = (drawn / all, 0.0);
    let top = tied[0].max(floor);
    for (place, accuracy) in (1..).zip(&tied) {
        lost += probability * (top - accuracy.max(floor));
        let rest = all - f64::from(place);
        if rest < drawn {
            break;
        }
        probability *= (rest - drawn + 1.0) / rest;
    }
    top - lost
}
