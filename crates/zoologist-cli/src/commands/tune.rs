//! `zoologist tune`.

use zoologist::base::Seed;
use zoologist::rank::Progress;
use zoologist::rank::tuning::{self, TunePlan};
use zoologist::report;
use zoologist::store::Store;

use super::{machinery, outcome};
use crate::end::{Failure, Outcome, Result, print};
use crate::options::{Global, PoolingName, Tune};
use crate::progress::Bars;

/// Runs the command.
pub fn run(global: &Global, options: &Tune) -> Result<Outcome> {
    let plan = TunePlan {
        model: options.model.clone(),
        data: options.data.clone(),
        table: options.table.table().map_err(Failure::usage)?,
        way: options.how,
        samples: options.samples.map(|count| count as usize),
        pooling: options.pooling.map(PoolingName::pooling),
        settings: options.training.settings(),
        alteration: None,
        teachers: options.teachers.clone(),
        output: options.output.clone(),
        graph: false,
        seed: Seed(global.seed),
        training_seed: None,
    };
    let machinery = machinery::machinery(global, options.runtime, &options.limits, Store::from_environment()?)?;
    let progress = Bars::new(global.quiet);
    let say = |sentence: &str| progress.say(sentence);
    let tuned = tuning::run(&plan, &machinery::access(global, &say), &machinery, &progress)?;
    drop(progress);
    print(&if global.json {
        report::json::to_string(&tuned)
    } else {
        report::tuning::tuned(&tuned, super::terminal_width())
    })?;
    Ok(outcome(global, !tuned.skipped.is_empty()))
}
