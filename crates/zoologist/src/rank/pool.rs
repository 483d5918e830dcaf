//! Scores that only a pool of models gives: `ncti` compares the parts of each with those of all others.

use super::order::Entry;
use crate::score::{Score, Status, ncti};

/// The metric that needs the pool.
pub const METRIC: &str = "ncti";

/// Combines the parts of all candidates that have them. With fewer than three the score stays without value.
pub fn combine(entries: &mut [Entry], ordering: &str) {
    let parts_of =
        |entry: &Entry| entry.model.scores.iter().find(|score| score.metric == METRIC).and_then(ncti::Parts::of);
    let found: Vec<(usize, ncti::Parts)> =
        entries.iter().enumerate().filter_map(|(place, entry)| Some((place, parts_of(entry)?))).collect();
    let (places, parts): (Vec<usize>, Vec<ncti::Parts>) = found.into_iter().unzip();
    let Some(values) = ncti::pool_scores(&parts) else { return };
    for (place, value) in places.into_iter().zip(values) {
        let entry = &mut entries[place];
        let scores = entry.model.scores.iter_mut().filter(|score| score.metric == METRIC);
        let evaluations = entry.evaluation.iter_mut().map(|evaluation| &mut evaluation.score);
        scores.chain(evaluations.filter(|score| score.metric == METRIC)).for_each(|score| fill(score, value));
        if ordering == METRIC {
            entry.model.score = Some(value);
        }
    }
}

fn fill(score: &mut Score, value: f64) {
    score.value = Some(value);
    score.status = Status::Ok;
    score.interval_status = Some(Status::NotApplicable);
    score.note = Some("relative to the candidates of this ranking; no interval".to_owned());
}
