//! `zoologist extract`.

use zoologist::rank::{Progress, export};
use zoologist::report;
use zoologist::store::Store;

use super::{machinery, outcome};
use crate::end::{Outcome, Result, print};
use crate::options::{Extract, Global};
use crate::progress::Bars;

/// Runs the command.
pub fn run(global: &Global, options: &Extract) -> Result<Outcome> {
    let machinery = machinery::machinery(global, options.runtime, Store::from_environment()?)?;
    let progress = Bars::new(global.quiet);
    let say = |sentence: &str| progress.say(sentence);
    let access = machinery::access(global, &say);
    let done = export::features(&options.model, &access, &options.data, &options.output, &machinery, &progress)?;
    print(&if global.json { report::json::to_string(&done) } else { report::text::exported(&done) })?;
    Ok(outcome(global, !done.skipped.is_empty()))
}
