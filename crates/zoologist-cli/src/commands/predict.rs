//! `zoologist predict`.

use zoologist::rank::Progress;
use zoologist::rank::prediction::{self, Request};
use zoologist::report;
use zoologist::store::Store;

use super::{machinery, outcome};
use crate::end::{Failure, Outcome, Result, print};
use crate::options::{Global, PoolingName, Predict};
use crate::progress::Bars;

/// Runs the command.
pub fn run(global: &Global, options: &Predict) -> Result<Outcome> {
    let request = Request {
        model: options.model.clone(),
        data: options.data.clone(),
        table: options.table.table().map_err(Failure::usage)?,
        pooling: options.pooling.map(PoolingName::pooling),
    };
    let machinery = machinery::machinery(global, options.runtime, &options.limits, Store::from_environment()?)?;
    let progress = Bars::new(global.quiet);
    let say = |sentence: &str| progress.say(sentence);
    let found = prediction::run(&request, &machinery::access(global, &say), &machinery, &progress)?;
    drop(progress);
    print(&if global.json {
        report::json::to_string(&found)
    } else {
        report::tuning::predictions(&found, super::terminal_width())
    })?;
    Ok(outcome(global, !found.skipped.is_empty()))
}
