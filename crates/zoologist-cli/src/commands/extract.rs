//! `zoologist extract`.

use zoologist::rank::Progress;
use zoologist::rank::export::{self, Request};
use zoologist::report;
use zoologist::store::Store;

use super::{machinery, outcome};
use crate::end::{Failure, Outcome, Result, print};
use crate::options::{Extract, Global, PoolingName};
use crate::progress::Bars;

/// Runs the command.
pub fn run(global: &Global, options: &Extract) -> Result<Outcome> {
    let machinery = machinery::machinery(global, options.runtime, &options.limits, Store::from_environment()?)?;
    let progress = Bars::new(global.quiet);
    let say = |sentence: &str| progress.say(sentence);
    let access = machinery::access(global, &say);
    let request = Request {
        model: options.model.clone(),
        data: options.data.clone(),
        table: options.table.table().map_err(Failure::usage)?,
        pooling: options.pooling.map(PoolingName::pooling),
        layers: options.layers.set(),
        output: options.output.clone(),
    };
    let done = export::features(&request, &access, &machinery, &progress)?;
    print(&if global.json { report::json::to_string(&done) } else { report::text::exported(&done) })?;
    Ok(outcome(global, !done.skipped.is_empty()))
}
