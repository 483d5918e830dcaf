//! `zoologist zoo list|add|verify`.

use std::path::Path;

use zoologist::base::path_text::show;
use zoologist::report;
use zoologist::zoo::{self, Addition, Preset, Verdict};

use super::outcome;
use crate::end::{Failure, Outcome, Result, print};
use crate::options::{Global, Zoo};

/// Runs the command.
pub fn run(global: &Global, options: &Zoo) -> Result<Outcome> {
    match options {
        Zoo::List { zoo } => list(global, zoo),
        Zoo::Verify { zoo } => verify(global, zoo),
        Zoo::Add { model, preprocess, size, features, force } => {
            let written = match preprocess.as_deref().and_then(Preset::named) {
                Some(preset) => zoo::add_file(
                    model,
                    &Addition { preset, edge: *size, features: features.as_deref(), force: *force },
                )?,
                None if model.is_dir() => zoo::pin(model, *force)?,
                None => {
                    return Err(Failure::usage(
                        "an .onnx file needs --preprocess: how does it want its pictures prepared?",
                    ));
                }
            };
            print(&format!("{}\n", show(&written)))?;
            Ok(Outcome::Complete)
        }
    }
}

fn list(global: &Global, path: &Path) -> Result<Outcome> {
    let zoo = zoo::open(path)?;
    print(&if global.json { report::json::to_string(&report::zoo::listed(&zoo)) } else { report::zoo::list(&zoo) })?;
    Ok(outcome(global, !zoo.refused.is_empty()))
}

fn verify(global: &Global, path: &Path) -> Result<Outcome> {
    let found = zoo::verify(path)?;
    print(&if global.json {
        report::json::to_string(&report::zoo::verified(&found))
    } else {
        report::zoo::verification(&found)
    })?;
    let bad = found.iter().any(|model| matches!(model.outcome, Verdict::Differs { .. } | Verdict::Refused(_)));
    Ok(outcome(global, bad))
}
