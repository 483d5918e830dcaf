//! `zoologist stats` and `zoologist merge`.

use zoologist::base::Seed;
use zoologist::rank::statistics::{self, Request, Written};
use zoologist::report;
use zoologist::score::PERMUTATIONS;

use crate::end::{Outcome, Result, print};
use crate::options::{Global, Merge, Stats};
use crate::progress::Bars;

/// Runs `stats`.
pub fn make(global: &Global, options: &Stats) -> Result<Outcome> {
    let request = Request {
        features: options.features.clone(),
        labels: options.labels.clone(),
        task: options.task.task(),
        worker: options.shard,
        permutations: if options.null { PERMUTATIONS } else { 0 },
        seed: Seed(global.seed),
        output: options.output.clone(),
    };
    finish(global, &statistics::make(&request, &Bars::new(global.quiet))?)
}

/// Runs `merge`.
pub fn merge(global: &Global, options: &Merge) -> Result<Outcome> {
    finish(global, &statistics::merge(&options.statistics, &options.output)?)
}

fn finish(global: &Global, written: &Written) -> Result<Outcome> {
    print(&if global.json { report::json::to_string(written) } else { report::text::statistics(written) })?;
    Ok(Outcome::Complete)
}
