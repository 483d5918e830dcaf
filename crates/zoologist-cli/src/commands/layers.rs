//! `zoologist layers`.

use zoologist::base::Seed;
use zoologist::extract::training::Mode;
use zoologist::layers::LayerStudy;
use zoologist::rank::Progress;
use zoologist::rank::layer_study::{self, StudyPlan};
use zoologist::rank::tuning::Settings;
use zoologist::report;
use zoologist::store::Store;

use super::{machinery, outcome};
use crate::end::{Failure, Outcome, Result, print};
use crate::options::{Global, LayersOptions, PoolingName};
use crate::progress::Bars;

/// Runs the command.
pub fn run(global: &Global, options: &LayersOptions) -> Result<Outcome> {
    let Some(data) = &options.data else { return list(global, options) };
    let (retraining, training) = (options.retraining.retraining(), options.retraining.training.settings());
    if retraining.is_none() && training != Settings::default() {
        return Err(Failure::usage("--steps and the other settings of a training need --finetune"));
    }
    if options.retraining.export.is_some() && !options.retraining.mode.contains(&Mode::Drop) {
        return Err(Failure::usage(
            "--export writes a model without its last blocks: give --mode drop, or normal,drop",
        ));
    }
    if training.patience.is_some() {
        return Err(Failure::usage("--patience: the runs of a study are compared after the same number of steps"));
    }
    let plan = StudyPlan {
        model: options.model.clone(),
        data: data.clone(),
        table: options.table.table().map_err(Failure::usage)?,
        pooling: options.pooling.map(PoolingName::pooling),
        probe: options.probe.metric(),
        samples: options.samples.map(|count| count as usize),
        seed: Seed(global.seed),
        retraining,
    };
    let machinery = machinery::machinery(global, options.runtime, &options.limits, Store::from_environment()?)?;
    let progress = Bars::new(global.quiet);
    let say = |sentence: &str| progress.say(sentence);
    let study = layer_study::study(&plan, &machinery::access(global, &say), &machinery, &progress)?;
    drop(progress);
    write_report(options, &study)?;
    print(&if global.json {
        report::json::to_string(&study)
    } else {
        report::layers::study(&study, super::terminal_width())
    })?;
    Ok(outcome(global, !study.skipped.is_empty()))
}

fn write_report(options: &LayersOptions, study: &LayerStudy) -> Result<()> {
    let Some(path) = &options.report else { return Ok(()) };
    let page = report::layers::page(study).map_err(Failure::internal)?;
    std::fs::write(path, page).map_err(|error| Failure::writing(path, &error))
}

/// The layers alone. What a model says of itself is not kept: the store is a folder that goes away.
fn list(global: &Global, options: &LayersOptions) -> Result<Outcome> {
    let folder = tempfile::tempdir().map_err(|error| Failure::writing(&std::env::temp_dir(), &error))?;
    let machinery = machinery::machinery(global, options.runtime, &options.limits, Store::at(folder.path()))?;
    let progress = Bars::new(global.quiet);
    let say = |sentence: &str| progress.say(sentence);
    let pooling = options.pooling.map(PoolingName::pooling);
    let found = layer_study::list(&options.model, pooling, &machinery::access(global, &say), &machinery)?;
    drop(progress);
    print(&if global.json {
        report::json::to_string(&found)
    } else {
        report::layers::list_of(&found, super::terminal_width())
    })?;
    Ok(Outcome::Complete)
}
