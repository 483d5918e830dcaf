//! Batch-norm statistics: the mean and variance of each channel that training left behind, against those of the user's
//! pictures, as the Kullback-Leibler divergence of two normal distributions. The median over channels counts.
//!
//! A large divergence of every way means that the user's pictures are others, not that they are prepared wrongly: only
//! ways are compared with each other, never one value with a limit.

use super::super::evidence::{Candidate, Channels};
use super::super::finding::{Confidence, Severity};
use super::super::measure::median;
use super::Objection;
use crate::extract::anatomy::Running;

/// Less divergence at the first norm is no reason to look further.
const LEAST: f64 = 0.1;
/// A way must be so many times nearer.
const TIMES: f64 = 4.0;
/// Above this, for every way and more with depth, the weights are to be suspected.
const SCRAMBLED: f64 = 1.0;

/// The divergence at the first norm, and the mean over all.
#[derive(Clone, Copy)]
pub struct Divergence {
    /// At the first norm.
    pub stem: f64,
    /// The mean over all norms that are looked at.
    pub all: f64,
    /// Whether the second half of the norms diverges more than the first.
    pub grows: bool,
}

/// The divergence of one way; `None` where the maps could not be looked at.
pub fn divergence(candidate: &Candidate, running: &[Running]) -> Option<Divergence> {
    let of = |running: &Running| {
        let map = candidate.maps.iter().find(|map| map.value == running.value)?;
        Some(at_norm(map, running))
    };
    let found: Vec<f64> = running.iter().filter_map(of).collect();
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len().max(1) as f64;
    let (early, late) = found.split_at(found.len() / 2);
    Some(Divergence { stem: *found.first()?, all: mean(&found), grows: mean(late) > mean(early) })
}

fn at_norm(map: &Channels, running: &Running) -> f64 {
    let channels = map.mean.iter().zip(map.variances()).zip(running.mean.iter().zip(&running.variance));
    let of = |((mean, variance), (running_mean, running_variance)): ((&f64, f64), (&f32, &f32))| {
        let (mean0, variance0) = (f64::from(*running_mean), f64::from(*running_variance).max(1e-12));
        let variance = variance.max(1e-12);
        0.5 * ((variance + (mean - mean0).powi(2)) / variance0 - 1.0 - (variance / variance0).ln())
    };
    median(channels.map(of).collect())
}

/// Whether another way is far nearer to what the network was trained on.
pub fn objections(candidates: &[Candidate], running: &[Running]) -> Vec<Objection> {
    let divergences: Vec<Option<Divergence>> =
        candidates.iter().map(|candidate| divergence(candidate, running)).collect();
    let Some(Some(declared)) = divergences.first().copied() else { return vec![] };
    if declared.stem < LEAST {
        return vec![];
    }
    let nearer = |found: &Divergence| found.stem <= declared.stem / TIMES && found.all <= declared.all;
    let others = divergences.iter().enumerate().skip(1).filter_map(|(place, found)| Some((place, (*found)?)));
    let best = others.filter(|(_, found)| nearer(found)).min_by(|a, b| a.1.stem.total_cmp(&b.1.stem));
    let objection = |(proposed, found): (usize, Divergence)| Objection {
        severity: Severity::High,
        confidence: Confidence::High,
        proposed,
        measured: (declared.stem, LEAST),
        words: format!(
            "the distance to the batch-norm statistics of training falls from {:.3} to {:.3} at the first norm, from {:.3} \
             to {:.3} over all",
            declared.stem, found.stem, declared.all, found.all
        ),
    };
    best.map(objection).into_iter().collect()
}

/// Statistics that no way agrees with, less and less with depth.
pub fn scrambled(candidates: &[Candidate], running: &[Running]) -> Option<String> {
    let found: Vec<Divergence> = candidates.iter().filter_map(|candidate| divergence(candidate, running)).collect();
    let all = found.len() > 2 && found.iter().all(|found| found.all > SCRAMBLED && found.grows);
    all.then(|| {
        let least = found.iter().map(|found| found.all).fold(f64::INFINITY, f64::min);
        format!(
            "no way to prepare the pictures agrees with the batch-norm statistics of training (least distance {least:.2}), \
             and less with depth: the weights may be scrambled."
        )
    })
}
