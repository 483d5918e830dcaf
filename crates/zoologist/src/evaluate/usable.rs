//! Which models count on which data set.

use crate::base::path_text::escape;
use crate::data::results::{OfDataset, OfModel, Results};

/// The models of a data set that have all that is needed.
pub(super) struct Dataset<'a> {
    pub name: String,
    /// The models that count.
    pub models: Vec<&'a OfModel>,
    /// Their accuracies.
    pub accuracies: Vec<f64>,
    /// For each score, whether the data set has it at all.
    pub has_score: Vec<bool>,
}

/// The data sets of a table. Models that are left out are noted.
pub(super) fn datasets<'a>(results: &'a Results, notes: &mut Vec<String>) -> Vec<Dataset<'a>> {
    results.datasets.iter().map(|dataset| of(results, dataset, notes)).collect()
}

fn of<'a>(results: &'a Results, dataset: &'a OfDataset, notes: &mut Vec<String>) -> Dataset<'a> {
    let has = |score: usize| dataset.models.iter().any(|model| model.scores[score].is_some());
    let has_score: Vec<bool> = (0..results.scores.len()).map(has).collect();
    let lacks = |model: &OfModel| -> Vec<&str> {
        let scores = (0..has_score.len()).filter(|&score| has_score[score] && model.scores[score].is_none());
        let scores = scores.map(|score| results.scores[score].as_str());
        model.accuracy.is_none().then_some("accuracy").into_iter().chain(scores).collect()
    };
    let (mut models, mut accuracies, mut left_out) = (Vec::new(), Vec::new(), Vec::new());
    for model in &dataset.models {
        match (model.accuracy, lacks(model)) {
            (Some(accuracy), missing) if missing.is_empty() => {
                models.push(model);
                accuracies.push(accuracy);
            }
            (_, missing) => left_out.push((results.models[model.model].as_str(), missing)),
        }
    }
    notes.extend(note(dataset, &left_out));
    Dataset { name: dataset.name.clone(), models, accuracies, has_score }
}

fn note(dataset: &OfDataset, left_out: &[(&str, Vec<&str>)]) -> Option<String> {
    const FIRST: usize = 5;
    let shown: Vec<String> = left_out
        .iter()
        .take(FIRST)
        .map(|(model, missing)| format!("{} (no {})", escape(model), escape(&missing.join(", "))))
        .collect();
    let more = if left_out.len() > FIRST { ", …" } else { "" };
    let (count, all) = (left_out.len(), dataset.models.len());
    let text = format!("{}: {count} of {all} models left out: {}{more}", escape(&dataset.name), shown.join(", "));
    (count > 0).then_some(text)
}
