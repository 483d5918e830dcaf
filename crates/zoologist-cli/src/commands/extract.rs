//! `zoologist extract`.

use zoologist::base::Seed;
use zoologist::extract::LayerSet;
use zoologist::rank::statistics::Worker;
use zoologist::rank::{Layers, Progress, export, shards};
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
    match (options.shard, &options.output) {
        (Some(worker), _) => {
            let done = shards::store(&part(global, options, worker)?, &access, &machinery, &progress)?;
            drop(progress);
            print(&if global.json { report::json::to_string(&done) } else { report::text::stored(&done) })?;
            Ok(outcome(global, !done.skipped.is_empty() || done.models.iter().any(|model| model.error.is_some())))
        }
        (None, Some(output)) => {
            let request = export::Request {
                model: options.model.clone(),
                data: options.data.clone(),
                table: options.table.table().map_err(Failure::usage)?,
                pooling: options.pooling.map(PoolingName::pooling),
                layers: layer_set(options)?,
                output: output.clone(),
            };
            let done = export::features(&request, &access, &machinery, &progress)?;
            drop(progress);
            print(&if global.json { report::json::to_string(&done) } else { report::text::exported(&done) })?;
            Ok(outcome(global, !done.skipped.is_empty()))
        }
        (None, None) => Err(Failure::usage("give --output FILE.npy, or --shard I/N")),
    }
}

/// A worker's part of what `rank` will need.
fn part(global: &Global, options: &Extract, worker: Worker) -> Result<shards::Request> {
    Ok(shards::Request {
        zoo: options.model.clone(),
        data: options.data.clone(),
        table: options.table.table().map_err(Failure::usage)?,
        samples: options.samples.map(|count| count as usize),
        layers: options.layers.layers(),
        pooling: options.pooling.map(PoolingName::pooling),
        seed: Seed(global.seed),
        worker,
    })
}

/// What can be written into one file: layers that are chosen by their scores can't.
fn layer_set(options: &Extract) -> Result<LayerSet> {
    match options.layers.layers() {
        Layers::Last => Ok(LayerSet::Last),
        Layers::All => Ok(LayerSet::All),
        Layers::Mean | Layers::Best => Err(Failure::usage("--layers mean and best need --shard: give last or all")),
    }
}
