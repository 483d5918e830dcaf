//! `zoologist inspect`.

use std::io::Write;
use std::path::Path;
use std::process::Command;

use zoologist::extract::confined;
use zoologist::extract::launch::Launcher;
use zoologist::inspect;
use zoologist::rank::Progress;
use zoologist::report;
use zoologist::store::Store;

use super::{machinery, worker};
use crate::end::{Failure, Outcome, Result, print};
use crate::options::{Global, Inspect};
use crate::progress::Bars;

/// Runs the command. What a model says of itself is not kept: the store is a folder that goes away.
pub fn run(global: &Global, options: &Inspect) -> Result<Outcome> {
    let is_confined = confined::bind().map_err(Failure::internal)?;
    if is_confined {
        worker::begin();
    }
    let folder = tempfile::tempdir().map_err(|error| Failure::writing(&std::env::temp_dir(), &error))?;
    let machinery = machinery::machinery(global, options.runtime, &options.limits, Store::at(folder.path()))?;
    if !is_confined && options.tokenizer.is_none() && inspect::is_parsed(&options.path) {
        return elsewhere(options, &machinery.launcher, folder.path());
    }
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

/// Lets a child with this process's own arguments do it, and passes on how that ended. What it leaves behind where it is
/// stopped goes with the folder.
fn elsewhere(options: &Inspect, launcher: &Launcher, folder: &Path) -> Result<Outcome> {
    let mut command = Command::new(&launcher.program);
    command.args(std::env::args_os().skip(1)).env("TMPDIR", folder);
    let ended = inspect::confined(&mut command, &options.path, launcher)?;
    // Nothing can be told to somebody whose error output is closed.
    let _ = anstream::stderr().write_all(ended.words.as_bytes());
    Ok(Outcome::Elsewhere(ended.code))
}
