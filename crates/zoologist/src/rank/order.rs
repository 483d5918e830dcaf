//! Who stands before whom, and how sure that is.

use std::cmp::Ordering;

use super::{ModelStatus, RankedModel};
use crate::score::{Evaluation, Status, jackknife};

/// A candidate's row of the table, with what comparisons need.
pub struct Entry {
    /// The row.
    pub model: RankedModel,
    /// The ordering metric, where the candidate was scored.
    pub evaluation: Option<Evaluation>,
}

/// Puts the entries in order, numbers them and compares neighbours.
pub fn arrange(mut entries: Vec<Entry>) -> Vec<Entry> {
    entries.sort_by(|a, b| compare(a, b).then_with(|| a.model.name.cmp(&b.model.name)));
    let best_baseline = entries.iter().find(|entry| entry.model.baseline && entry.evaluation.is_some());
    let best_baseline = best_baseline.and_then(|entry| Some((entry.model.n_seen, entry.model.score?)));
    for place in 0..entries.len() {
        let seen = entries[place].model.n_seen;
        let next = entries.get(place + 1).filter(|next| next.model.n_seen == seen);
        let next = next.and_then(|next| next.evaluation.clone());
        let entry = &mut entries[place];
        let ranked = entry.model.status != ModelStatus::Failed;
        entry.model.rank = ranked.then_some(place + 1);
        if let (Some(own), Some(next)) = (&entry.evaluation, next) {
            let difference = difference(own, &next);
            entry.model.beats_next = difference.as_ref().and_then(|found| found.probability);
            entry.model.ties_next = difference.is_some_and(|found| found.may_be_chance);
        }
        let below = best_baseline
            .is_some_and(|(n, baseline)| n == seen && entry.model.score.is_some_and(|score| score < baseline));
        if ranked && !entry.model.baseline && below {
            entry.model.flags.push("below a baseline".to_owned());
        }
    }
    entries
}

/// Who saw more stands before who was stopped earlier. Among equals higher scores first; unbounded before all, no score
/// after all, failed last.
fn compare(a: &Entry, b: &Entry) -> Ordering {
    let class = |entry: &Entry| match &entry.evaluation {
        Some(found) if found.score.status == Status::Unbounded => 0,
        Some(found) if found.score.value.is_some() => 1,
        Some(_) => 2,
        None => 3,
    };
    let value = |entry: &Entry| entry.model.score.unwrap_or(f64::NEG_INFINITY);
    let seen = |entry: &Entry| std::cmp::Reverse(entry.model.n_seen);
    let by_score = || class(a).cmp(&class(b)).then_with(|| value(b).total_cmp(&value(a)));
    seen(a).cmp(&seen(b)).then_with(by_score)
}

/// A comparison of two candidates.
pub struct Difference {
    /// The first one's value less the second one's.
    pub value: f64,
    /// The probability that the first is truly better.
    pub probability: Option<f64>,
    /// Whether the 95% interval of the difference contains 0.
    pub may_be_chance: bool,
}

/// Compares two candidates on the same shards; `None` where one has no value.
pub fn difference(a: &Evaluation, b: &Evaluation) -> Option<Difference> {
    let value = a.score.value? - b.score.value?;
    if a.replicates.len() != b.replicates.len() || a.replicates.is_empty() {
        return Some(Difference { value, probability: None, may_be_chance: false });
    }
    let paired: Vec<f64> = a.replicates.iter().zip(&b.replicates).map(|(a, b)| a - b).collect();
    let interval = jackknife::interval(value, &paired);
    let probability = jackknife::probability_better(value, &paired);
    Some(Difference {
        value,
        probability,
        may_be_chance: interval.is_some_and(|[low, high]| low <= 0.0 && high >= 0.0),
    })
}
