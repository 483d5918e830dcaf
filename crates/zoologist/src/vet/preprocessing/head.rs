//! The model's own head: how sure it is of each picture, and, where the user's classes are its own, how often it is right.
//!
//! Confidence is compared picture by picture. It is fooled by a scale that blows up the logits, so ways of an unusual
//! input don't count; and it says nothing of pictures that the head does not know.

use super::super::checks::answers_of;
use super::super::evidence::{Candidate, Evidence, Head, Sample};
use super::super::finding::{Confidence, Severity};
use super::super::measure::paired;
use super::statistics::divergence;
use super::{Objection, USUAL_DEVIATION, deviations};
use crate::extract::anatomy::Running;

/// The gain of confidence, and the times its standard error, that count.
const GAIN: f64 = 0.08;
const ERRORS: f64 = 3.0;
/// A head that is less sure than that of its best way does not know these pictures.
const KNOWN: f64 = 0.4;
/// Fewer classes are sure too easily; fewer pictures say too little.
const LEAST_CLASSES: usize = 20;
const LEAST_PICTURES: usize = 32;
/// The gain of accuracy that counts whatever else is said.
const ACCURACY: f64 = 0.15;
/// Ways within so many times the least distance to the batch-norm statistics may be compared by confidence.
const NEAR: f64 = 1.5;

/// Whether the head is far surer, or far more often right, with another way.
pub fn objections(evidence: &Evidence, sample: &Sample, running: Option<&[Running]>) -> Vec<Objection> {
    let candidates = &sample.candidates;
    let found = by_accuracy(evidence, sample).or_else(|| by_confidence(candidates, running));
    found.into_iter().collect()
}

fn by_accuracy(evidence: &Evidence, sample: &Sample) -> Option<Objection> {
    let accuracy = |candidate: &Candidate| {
        let answers = answers_of(evidence, sample, candidate.head.as_ref()?).ok()?;
        let right = answers.pairs.iter().filter(|(label, answer)| label == answer).count();
        Some((right as f64 / answers.pairs.len().max(1) as f64, answers.pairs.len() as f64))
    };
    let (declared, n) = accuracy(&sample.candidates[0])?;
    let others =
        sample.candidates.iter().enumerate().skip(1).filter_map(|(place, other)| Some((place, accuracy(other)?.0)));
    let (proposed, best) = others.max_by(|a, b| a.1.total_cmp(&b.1).then(b.0.cmp(&a.0)))?;
    let error = (best * (1.0 - best) / n).sqrt().max((declared * (1.0 - declared) / n).sqrt());
    let gain = best - declared;
    (gain > ACCURACY && gain > ERRORS * error).then(|| Objection {
        severity: Severity::High,
        confidence: Confidence::High,
        proposed,
        measured: (gain, ACCURACY),
        words: format!("its own head is right on {:.0}% instead of {:.0}%", 100.0 * best, 100.0 * declared),
    })
}

fn by_confidence(candidates: &[Candidate], running: Option<&[Running]>) -> Option<Objection> {
    let declared = candidates.first()?;
    let own = confidences(declared.head.as_ref()?);
    if own.len() < LEAST_PICTURES || running.is_none() && declared.head.as_ref()?.classes < LEAST_CLASSES {
        return None;
    }
    let near = near_statistics(candidates, running);
    let gain = |place: usize| {
        let other = confidences(candidates[place].head.as_ref()?);
        let (gain, error) = paired(&other, &own);
        let known = mean(&other).max(mean(&own)) >= KNOWN;
        (known && gain >= GAIN && gain >= ERRORS * error).then_some((place, gain, mean(&other)))
    };
    let usual = |place: &usize| {
        let (least, most) = USUAL_DEVIATION;
        near[*place] && deviations(&candidates[*place]).is_some_and(|(_, input)| (least..=most).contains(&input))
    };
    let best = (1..candidates.len()).filter(usual).filter_map(gain).max_by(|a, b| a.1.total_cmp(&b.1));
    best.map(|(proposed, gain, other)| Objection {
        severity: if running.is_some() { Severity::High } else { Severity::Medium },
        confidence: Confidence::Medium,
        proposed,
        measured: (gain, GAIN),
        words: format!(
            "its own head is surer, by {other:.2} instead of {:.2} in the mean, picture by picture",
            mean(&own)
        ),
    })
}

/// Whether each way is near to the batch-norm statistics of training; all are where there are none.
fn near_statistics(candidates: &[Candidate], running: Option<&[Running]>) -> Vec<bool> {
    let Some(running) = running else { return vec![true; candidates.len()] };
    let stems: Vec<f64> = candidates
        .iter()
        .map(|candidate| divergence(candidate, running).map_or(f64::INFINITY, |found| found.stem))
        .collect();
    let least = stems.iter().copied().fold(f64::INFINITY, f64::min);
    stems.into_iter().map(|stem| stem <= NEAR * least).collect()
}

/// The largest probability of each picture.
fn confidences(head: &Head) -> Vec<f64> {
    head.probabilities.chunks_exact(head.classes).map(|row| row.iter().copied().fold(0.0, f64::max)).collect()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}
