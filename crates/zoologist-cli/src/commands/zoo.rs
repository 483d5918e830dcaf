//! `zoologist zoo list|add|verify`.

use std::path::Path;

use zoologist::base::path_text::show;
use zoologist::rank::Progress;
use zoologist::report;
use zoologist::zoo::{self, Addition, Preset, Verdict};

use super::{machinery, outcome};
use crate::end::{Failure, Outcome, Result, print};
use crate::options::{Global, Zoo};
use crate::progress::Bars;

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
    let progress = Bars::new(global.quiet);
    let say = |sentence: &str| progress.say(sentence);
    let zoo = zoo::open(path, &machinery::access(global, &say))?;
    print(&if global.json { report::json::to_string(&report::zoo::listed(&zoo)) } else { report::zoo::list(&zoo) })?;
    Ok(outcome(global, !zoo.refused.is_empty()))
}

fn verify(global: &Global, path: &Path) -> Result<Outcome> {
    let progress = Bars::new(global.quiet);
    let say = |sentence: &str| progress.say(sentence);
    let found = zoo::verify(path, &machinery::access(global, &say))?;
    print(&if global.json {
        report::json::to_string(&report::zoo::verified(&found))
    } else {
        report::zoo::verification(&found)
    })?;
    let bad = found.iter().any(|model| matches!(model.outcome, Verdict::Differs { .. } | Verdict::Refused(_)));
    Ok(outcome(global, bad))
}
