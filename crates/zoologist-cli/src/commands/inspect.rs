//! `zoologist inspect`.

use zoologist::inspect;
use zoologist::rank::Progress;
use zoologist::report;
use zoologist::store::Store;

use super::machinery;
use crate::end::{Failure, Outcome, Result, print};
use crate::options::{Global, Inspect};
use crate::progress::Bars;

/// Runs the command. What a model says of itself is not kept: the store is a folder that goes away.
pub fn run(global: &Global, options: &Inspect) -> Result<Outcome> {
    let folder = tempfile::tempdir().map_err(|error| Failure::writing(&std::env::temp_dir(), &error))?;
    let machinery = machinery::machinery(global, options.runtime, &options.limits, Store::at(folder.path()))?;
    let progress = Bars::new(global.quiet);
    let say = |sentence: &str| progress.say(sentence);
    let table = options.table.table().map_err(Failure::usage)?;
    let access = machinery::access(global, &say);
    let found = match &options.tokenizer {
        Some(model) => inspect::with_tokenizer(&options.path, &table, model, &access, &machinery)?,
        None => inspect::inspect(&options.path, &table, &access, &machinery)?,
    };
    print(&if global.json { report::json::to_string(&found) } else { report::text::inspection(&found) })?;
    Ok(Outcome::Complete)
}
