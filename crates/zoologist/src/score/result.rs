//! What a score says: a value or the reason why there is none.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Whether and why a value exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// An ordinary value.
    Ok,
    /// The best use of these features is not to use them; the value is that of no features.
    FeaturesUnused,
    /// The features fit the targets to within rounding: the evidence has no upper bound. No value; sorts first.
    Unbounded,
    /// The best noise level is 0, which is a finite limit because there are no more rows than dimensions.
    NoiseFreeLimit,
    /// The value can't tell models apart any more (more dimensions than rows).
    Saturated,
    /// The definition does not cover this task.
    NotApplicable,
    /// An input that the definition needs was not given.
    NeedsInput,
    /// It would cost more memory or time than the stated bound.
    TooLarge,
}

/// One score of one feature matrix.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// The metric's name, as on the command line.
    pub metric: String,
    /// The value; higher is better. `None` when the status says why.
    pub value: Option<f64>,
    /// Whether and why a value exists.
    pub status: Status,
    /// A 95% interval for the value under another draw of the user's rows (a jackknife over the shards).
    pub interval: Option<[f64; 2]>,
    /// Whether and why the interval exists; `None` where it was not asked for.
    pub interval_status: Option<Status>,
    /// Nats per sample gained over using no features (`logme` only).
    pub gain: Option<f64>,
    /// The same score under permuted labels, where it was asked for.
    pub null: Option<Null>,
    /// The numbers that the value is made of, by name, for scores that a whole pool of models combines.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parts: BTreeMap<String, f64>,
    /// What the reader should know: why there is no value or interval, or what chance would give.
    pub note: Option<String>,
}

/// A score under seeded permutations of the labels: what it says where there is nothing to say.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Null {
    /// Mean over the permutations.
    pub mean: f64,
    /// Standard deviation over the permutations (divisor: one less than their number).
    pub deviation: f64,
    /// How many permutations gave a value.
    pub permutations: usize,
}

impl Score {
    /// An ordinary value.
    pub fn of(metric: &str, value: f64) -> Self {
        Self { value: Some(value), ..Self::without_value(metric, Status::Ok) }
    }

    /// No value; the status says why.
    pub fn without_value(metric: &str, status: Status) -> Self {
        Self {
            metric: metric.to_owned(),
            value: None,
            status,
            interval: None,
            interval_status: None,
            gain: None,
            null: None,
            parts: BTreeMap::new(),
            note: None,
        }
    }

    /// With a remark for the reader.
    #[must_use]
    pub fn noted(self, note: Option<String>) -> Self {
        Self { note, ..self }
    }

    /// Adds a remark to those that are there.
    pub fn add_note(&mut self, remark: &str) {
        self.note = Some(match self.note.take() {
            Some(note) => format!("{note}; {remark}"),
            None => remark.to_owned(),
        });
    }
}
