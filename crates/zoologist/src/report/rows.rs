//! One row per model, as text: what the terminal and the HTML table both show.
//!
//! A value that is missing, or that means less than it seems, is said in words among the row's remarks.

use super::words::{self, NOTHING, Scale};
use crate::base::path_text::escape;
use crate::rank::{ModelStatus, RankedModel, Ranking};
use crate::score::Status;

/// What one metric says of one model.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reading {
    /// The value, where there is one.
    pub value: Option<f64>,
    /// Its 95% interval.
    pub interval: Option<[f64; 2]>,
    status: Option<Status>,
}

/// The value of one metric as text, and its interval.
pub struct Cell {
    /// The value, or a dash.
    pub value: String,
    /// The interval in brackets.
    pub interval: Option<String>,
}

/// One model's row.
pub struct Row {
    /// Its place, or a dash.
    pub place: String,
    /// Whether it may be no better than the model in the next row.
    pub ties_next: bool,
    /// Its name, escaped for one line.
    pub name: String,
    /// Whether it is a trivial baseline.
    pub baseline: bool,
    /// Whether it failed.
    pub failed: bool,
    /// The metrics of [`metrics`], in that order.
    pub cells: Vec<Cell>,
    /// The probability that it is better than the model in the next row.
    pub beats_next: String,
    /// Dimensions of its features.
    pub dim: String,
    /// Samples per second.
    pub rate: String,
    /// All that the numbers do not say.
    pub remarks: Vec<String>,
}

impl Reading {
    /// What `metric` says of `model`.
    pub fn of(ranking: &Ranking, model: &RankedModel, metric: &str) -> Self {
        let score = model.scores.iter().find(|score| score.metric == metric);
        let status = score.map(|score| score.status);
        if metric == ranking.metric {
            return Self { value: model.score, interval: model.interval, status };
        }
        Self { value: score.and_then(|score| score.value), interval: score.and_then(|score| score.interval), status }
    }

    /// Why there is no value, or what is unusual about it.
    pub fn remark(&self) -> Option<&'static str> {
        match self.status {
            None | Some(Status::Ok) => self.value.is_none().then_some("not computed"),
            Some(status) => Some(words::status(status)),
        }
    }

    fn cell(&self, scale: Scale) -> Cell {
        Cell {
            value: self.value.map_or_else(|| NOTHING.to_owned(), |value| scale.write(value)),
            interval: self.interval.map(|interval| scale.write_interval(interval)),
        }
    }
}

/// The metrics that a table shows: the one that orders, then ridge and kNN where any model has them.
pub fn metrics(ranking: &Ranking) -> Vec<&str> {
    let present =
        |metric: &str| ranking.models.iter().flat_map(|model| &model.scores).any(|score| score.metric == metric);
    let others = ["ridge", "knn"].into_iter().filter(|&metric| metric != ranking.metric && present(metric));
    std::iter::once(ranking.metric.as_str()).chain(others).collect()
}

/// The rows of a ranking, in its order.
pub fn rows(ranking: &Ranking) -> Vec<Row> {
    let metrics = metrics(ranking);
    ranking.models.iter().map(|model| row(ranking, model, &metrics)).collect()
}

fn row(ranking: &Ranking, model: &RankedModel, metrics: &[&str]) -> Row {
    let or_nothing = |text: Option<String>| text.unwrap_or_else(|| NOTHING.to_owned());
    let cell = |metric: &&str| Reading::of(ranking, model, metric).cell(Scale::of(metric, ranking.task));
    Row {
        place: or_nothing(model.rank.map(|rank| rank.to_string())),
        ties_next: model.ties_next,
        name: escape(&model.name),
        baseline: model.baseline,
        failed: model.status == ModelStatus::Failed,
        cells: metrics.iter().map(cell).collect(),
        beats_next: or_nothing(model.beats_next.map(words::probability)),
        dim: or_nothing(model.dim.map(|dim| dim.to_string())),
        rate: or_nothing(model.timing.items_per_second.map(words::rate)),
        remarks: remarks(ranking, model, metrics),
    }
}

fn remarks(ranking: &Ranking, model: &RankedModel, metrics: &[&str]) -> Vec<String> {
    if model.status == ModelStatus::Failed {
        return vec!["failed".to_owned()];
    }
    let (seen, all) = (words::count(model.n_seen), words::count(ranking.data.n));
    let stopped = (model.status == ModelStatus::Eliminated).then(|| format!("stopped at {seen} of {all}"));
    let readings = metrics.iter().filter_map(|metric| {
        let remark = Reading::of(ranking, model, metric).remark()?;
        Some(format!("{} {remark}", escape(words::metric_name(metric))))
    });
    stopped.into_iter().chain(readings).chain(model.flags.iter().map(|flag| escape(flag))).collect()
}

/// The names and reasons of the models that failed.
pub fn failures(ranking: &Ranking) -> Vec<(String, String)> {
    let failed = ranking.models.iter().filter(|model| model.status == ModelStatus::Failed);
    let reason = |model: &RankedModel| model.error.as_deref().map_or_else(|| "no reason given".to_owned(), escape);
    failed.map(|model| (escape(&model.name), reason(model))).collect()
}
