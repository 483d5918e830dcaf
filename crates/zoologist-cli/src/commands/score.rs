//! `zoologist score`.

use zoologist::base::Seed;
use zoologist::rank::scorecard::{self, Request};
use zoologist::report;

use crate::end::{Outcome, Result, print};
use crate::options::{Global, Score};
use crate::progress::Bars;

/// Runs the command.
pub fn run(global: &Global, options: &Score) -> Result<Outcome> {
    let request = Request {
        features: options.features.clone(),
        labels: options.labels.clone(),
        metrics: options.metrics.split(',').map(|name| name.trim().to_owned()).collect(),
        task: options.task.task(),
        interval: options.interval,
        seed: Seed(global.seed),
    };
    let card = scorecard::score(&request, &Bars::new(global.quiet))?;
    print(&if global.json {
        report::json::to_string(&card)
    } else {
        report::table::scores(&card.scores, card.task, super::terminal_width())
    })?;
    Ok(Outcome::Complete)
}
