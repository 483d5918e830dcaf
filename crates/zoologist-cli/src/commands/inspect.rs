//! `zoologist inspect`.

use zoologist::inspect;
use zoologist::report;
use zoologist::store::Store;

use super::machinery;
use crate::end::{Failure, Outcome, Result, print};
use crate::options::{Global, Inspect};

/// Runs the command. What a model says of itself is not kept: the store is a folder that goes away.
pub fn run(global: &Global, options: &Inspect) -> Result<Outcome> {
    let folder = tempfile::tempdir().map_err(|error| Failure::writing(&std::env::temp_dir(), &error))?;
    let machinery = machinery::machinery(global, options.runtime, Store::at(folder.path()))?;
    let found = inspect::inspect(&options.path, &machinery)?;
    print(&if global.json { report::json::to_string(&found) } else { report::text::inspection(&found) })?;
    Ok(Outcome::Complete)
}
