//! From runs to means.

use serde::Serialize;

use super::Run;

/// A mean over seeds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Mean {
    /// The mean.
    pub value: f64,
    /// Its standard error.
    pub error: f64,
}

/// What one method came to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MethodRow {
    /// The method.
    pub method: String,
    /// What the best that it saw is worth to the column that judges.
    pub best_seen: Mean,
    /// What the most probable one is worth; `None` where no distribution is learned.
    pub most_probable: Option<Mean>,
    /// What the better of the two is worth, better by the column that the search sees: one evaluation more.
    pub checked: Option<Mean>,
    /// Entropy of the distribution at the end, in nats per choice.
    pub entropy: Option<Mean>,
    /// The best seen less that of the method that all are compared with, seed by seed.
    pub difference: Mean,
    /// The sum of costs.
    pub cost: Mean,
}

/// Of the runs of a method, and of those that it is compared with.
pub fn of_runs(method: &str, runs: &[Run], against: &[Run], seen: &[f64], judging: &[f64], sign: f64) -> MethodRow {
    let worth = |row: usize| sign * judging[row];
    let of = |value: &dyn Fn(&Run) -> f64| mean(&runs.iter().map(value).collect::<Vec<f64>>());
    let of_some = |value: &dyn Fn(&Run) -> Option<f64>| {
        runs.iter().map(value).collect::<Option<Vec<f64>>>().map(|values| mean(&values))
    };
    let differences: Vec<f64> =
        runs.iter().zip(against).map(|(own, other)| worth(own.best) - worth(other.best)).collect();
    MethodRow {
        method: method.to_owned(),
        best_seen: of(&|run| worth(run.best)),
        most_probable: of_some(&|run| run.most_probable.map(worth)),
        checked: of_some(&|run| {
            let other = run.most_probable?;
            Some(worth(if seen[other] > seen[run.best] { other } else { run.best }))
        }),
        entropy: of_some(&|run| run.entropy),
        difference: mean(&differences),
        cost: of(&|run| run.cost),
    }
}

fn mean(values: &[f64]) -> Mean {
    let count = values.len() as f64;
    let value = values.iter().sum::<f64>() / count;
    let square: f64 = values.iter().map(|it| (it - value).powi(2)).sum();
    let error = if values.len() > 1 { (square / (count - 1.0) / count).sqrt() } else { 0.0 };
    Mean { value, error }
}
