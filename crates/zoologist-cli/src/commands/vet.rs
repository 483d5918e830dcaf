//! `zoologist vet`.

use zoologist::base::Seed;
use zoologist::base::path_text::show;
use zoologist::extract::RuntimeChoice;
use zoologist::extract::runtime::find_library;
use zoologist::rank::Progress;
use zoologist::rank::vetting::{self, VetPlan, Vetted};
use zoologist::report;
use zoologist::store::{Store, write_whole};
use zoologist::vet::{CheckList, Selection, Vetting};

use super::{machinery, terminal_width};
use crate::end::{Failure, Outcome, Result, print};
use crate::options::{Global, PoolingName, RuntimeName, Vet};
use crate::progress::Bars;

/// The exit code of a model that was refused.
const REFUSED: u8 = 3;

/// Runs the command.
pub fn run(global: &Global, options: &Vet) -> Result<Outcome> {
    let Some(model) = options.model.as_ref().filter(|_| !options.list) else { return list(global) };
    let selection = Selection { only: options.only.clone(), skip: options.skip.clone() };
    if let Some(name) = selection.unknown() {
        return Err(Failure::usage(format!("there is no check `{name}`. See `zoologist vet --list`")));
    }
    let plan = VetPlan {
        model: model.clone(),
        data: options.data.clone(),
        table: options.table.table().map_err(Failure::usage)?,
        pooling: options.pooling.map(PoolingName::pooling),
        samples: options.samples as usize,
        seed: Seed(global.seed),
        selection,
        other: other(options.runtime),
    };
    let machinery = machinery::machinery(global, options.runtime, &options.limits, Store::from_environment()?)?;
    let progress = Bars::new(global.quiet);
    let say = |sentence: &str| progress.say(sentence);
    let Vetted { vetting, evidence } = vetting::vet(&plan, &machinery::access(global, &say), &machinery, &progress)?;
    if let Some(folder) = &options.write_fixed {
        let mended = vetting::write_fixed(&evidence, &vetting.findings, folder, &machinery)?;
        match &mended[..] {
            [] => progress.say("nothing can be mended mechanically: no copy was written"),
            mended => progress.say(&format!("{}: {}", show(folder), mended.join("; "))),
        }
    }
    drop(progress);
    if let Some(path) = &options.report {
        let page = report::vet::page(&vetting).map_err(Failure::internal)?;
        write_whole(path, |into| into.write_all(page.as_bytes()))?;
    }
    print(&if global.json {
        report::json::to_string(&vetting)
    } else {
        report::vet::vetting(&vetting, terminal_width())
    })?;
    Ok(outcome(options, &vetting))
}

/// What is checked.
fn list(global: &Global) -> Result<Outcome> {
    print(&if global.json { report::json::to_string(&CheckList::default()) } else { report::vet::checks() })?;
    Ok(Outcome::Complete)
}

/// The runtime that the chosen one is compared with.
fn other(chosen: RuntimeName) -> Option<RuntimeChoice> {
    match chosen {
        RuntimeName::Rten => find_library().map(RuntimeChoice::OnnxRuntime),
        RuntimeName::Auto | RuntimeName::Onnxruntime => Some(RuntimeChoice::Rten),
    }
}

fn outcome(options: &Vet, vetting: &Vetting) -> Outcome {
    let fails = vetting.findings.iter().any(|finding| finding.severity >= options.fail_on.severity());
    match (vetting.refused, fails) {
        (true, _) => Outcome::Elsewhere(REFUSED),
        (false, true) => Outcome::WithFailures,
        (false, false) => Outcome::Complete,
    }
}
