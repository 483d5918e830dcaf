//! Scores and baselines as columns of numbers, per data set.

use super::Kind;
use super::baselines;
use super::usable::Dataset;
use crate::data::results::Results;

/// One score or baseline.
pub(super) struct Column {
    pub name: String,
    pub kind: Kind,
    /// For each data set one number per model that counts, or why there are none.
    pub values: Vec<Result<Vec<f64>, String>>,
}

/// The scores, then the static list if there are two data sets, then the size if it is known.
pub(super) fn columns(results: &Results, datasets: &[Dataset]) -> Vec<Column> {
    let scores = (0..results.scores.len()).map(|score| Column {
        name: results.scores[score].clone(),
        kind: Kind::Score,
        values: datasets.iter().map(|dataset| of_score(dataset, score)).collect(),
    });
    let list = (datasets.len() > 1).then(|| Column {
        name: "static".to_owned(),
        kind: Kind::Static,
        values: (0..datasets.len()).map(|held_out| baselines::static_list(results, datasets, held_out)).collect(),
    });
    let size = results.size.as_ref().map(|name| Column {
        name: name.clone(),
        kind: Kind::Size,
        values: datasets.iter().map(baselines::sizes).collect(),
    });
    scores.chain(list).chain(size).collect()
}

fn of_score(dataset: &Dataset, score: usize) -> Result<Vec<f64>, String> {
    if !dataset.has_score[score] {
        return Err("the table has no value of this score here".to_owned());
    }
    Ok(dataset.models.iter().filter_map(|model| model.scores[score]).collect())
}
