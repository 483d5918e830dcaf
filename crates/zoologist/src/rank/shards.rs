//! `extract --shard i/n`: one worker's part of the features that a ranking needs, put into the store.
//!
//! Every worker reads the same data set and puts it into the same seeded order, so all agree on the shards. Each computes
//! the blocks of its own shards, for one model or for a whole zoo; which blocks are there already doesn't matter, nor who
//! made them. `rank --from-store` then finds all of them, and gives what `rank` gives.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;

use serde::Serialize;

use super::candidate::{self, Candidate};
use super::features::{self, Failure, Unusable, Wanted};
use super::samples::{self, Job, Samples};
use super::statistics::Worker;
use super::{Error, Layers, Progress, Skipped};
use crate::base::path_text::show;
use crate::base::{Fault, Seed, path_text};
use crate::data::TableOptions;
use crate::extract::launch::Machinery;
use crate::store::RowFailure;
use crate::zoo::{self, Access, TokenPooling, Zoo};

/// What is wanted; all but the worker as it is told to `rank`.
#[derive(Debug, Clone)]
pub struct Request {
    /// A zoo or one model.
    pub zoo: PathBuf,
    /// The data set.
    pub data: PathBuf,
    /// How to read it, where it is a table.
    pub table: TableOptions,
    /// A seeded stratified sample of so many.
    pub samples: Option<usize>,
    /// Which layers' features will be scored.
    pub layers: Layers,
    /// How the states of a text's tokens are pooled, if not as the models say.
    pub pooling: Option<TokenPooling>,
    /// Fixes the order.
    pub seed: Seed,
    /// Which of how many workers this is.
    pub worker: Worker,
}

/// What was put into the store.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Stored {
    /// Version of this form.
    pub schema: u32,
    /// The data set.
    #[serde(with = "path_text")]
    pub data: PathBuf,
    /// Samples in this worker's shards.
    pub n: usize,
    /// Samples in all.
    pub n_total: usize,
    /// This worker's shards.
    pub shards: Vec<usize>,
    /// How many shards there are in all.
    pub shard_count: usize,
    /// The models.
    pub models: Vec<StoredModel>,
    /// Samples and zoo entries that could not be used.
    pub skipped: Vec<Skipped>,
}

/// One model's part.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StoredModel {
    /// Its name.
    pub name: String,
    /// Why there are no features of it.
    pub error: Option<String>,
}

/// Fills the store with this worker's part.
pub fn store(
    request: &Request,
    access: &Access,
    machinery: &Machinery,
    progress: &dyn Progress,
) -> Result<Stored, Error> {
    let zoo = zoo::open(&request.zoo, access)?;
    let samples = samples::for_scoring(&request.data, &request.table, request.samples, request.seed, &machinery.store)?;
    let part = Part::of(&samples, request.worker);
    let candidates = candidate::models(&zoo, request.layers.set(), request.pooling);
    let outcomes: Vec<(String, Outcome)> = candidates
        .into_iter()
        .map(|candidate| {
            let outcome = part.fill(&candidate, request.worker, machinery, progress)?;
            Ok((candidate.name, outcome))
        })
        .collect::<Result<_, Error>>()?;
    require_one(&zoo, &outcomes)?;
    Ok(Stored {
        schema: 1,
        data: request.data.clone(),
        n: part.rows(),
        n_total: samples.job.len(),
        shard_count: samples.bounds().len(),
        skipped: skipped(&zoo, &samples, &outcomes),
        models: outcomes.into_iter().map(|(name, outcome)| StoredModel { name, error: reason(outcome) }).collect(),
        shards: part.shards,
    })
}

/// The rows that failed, or why the candidate did.
type Outcome = Result<Vec<RowFailure>, Unusable>;

fn reason(outcome: Outcome) -> Option<String> {
    outcome.err().map(|unusable| unusable.reason)
}

/// One worker's part of a job.
struct Part<'a> {
    job: &'a Job,
    shards: Vec<usize>,
    blocks: Vec<Range<usize>>,
}

impl<'a> Part<'a> {
    fn of(samples: &'a Samples, worker: Worker) -> Self {
        let (job, bounds) = (&samples.job, samples.bounds());
        let shard_of = |block: &Range<usize>| bounds.partition_point(|&end| end <= block.start);
        Self {
            job,
            shards: (0..bounds.len()).filter(|&shard| worker.takes(shard)).collect(),
            blocks: job.blocks.iter().filter(|block| worker.takes(shard_of(block))).cloned().collect(),
        }
    }

    fn rows(&self) -> usize {
        self.blocks.iter().map(ExactSizeIterator::len).sum()
    }

    fn fill(
        &self,
        candidate: &Candidate,
        worker: Worker,
        machinery: &Machinery,
        progress: &dyn Progress,
    ) -> Result<Outcome, Error> {
        let Candidate { name, extractor, .. } = candidate;
        if let Err(reason) = extractor.takes(self.job.dataset.inputs.noun()) {
            return Ok(Err(Unusable::because(reason)));
        }
        let wanted = Wanted { name, extractor, job: self.job, rows: self.rows(), compute: true };
        match features::extract_part(wanted, &worker.to_string(), &self.blocks, machinery, progress) {
            Ok(failures) => Ok(Ok(failures)),
            Err(Failure::Candidate(unusable)) => Ok(Err(unusable)),
            Err(Failure::Run(error)) => Err(error),
        }
    }
}

/// It is an error if there is no model that works.
fn require_one(zoo: &Zoo, outcomes: &[(String, Outcome)]) -> Result<(), Error> {
    if outcomes.iter().any(|(_, outcome)| outcome.is_ok()) {
        return Ok(());
    }
    let failed = outcomes.iter().filter_map(|(name, outcome)| Some((name, outcome.as_ref().err()?)));
    let fault = failed.clone().map(|(_, unusable)| unusable.fault).next().unwrap_or(Fault::Input);
    let failed = failed.map(|(name, unusable)| format!("{name}: {}", unusable.reason));
    let refused = zoo.refused.iter().map(|refused| format!("{}: {}", show(&refused.path), refused.reason));
    let reasons = failed.chain(refused).take(3).collect::<Vec<_>>().join("\n");
    Err(Error::NoModel { path: show(&zoo.path), reasons, fault })
}

fn skipped(zoo: &Zoo, samples: &Samples, outcomes: &[(String, Outcome)]) -> Vec<Skipped> {
    let dataset = &samples.job.dataset;
    let files = dataset.skipped.iter().map(|(path, reason)| Skipped { path: show(path), reason: reason.clone() });
    let models = zoo.refused.iter();
    let models = models.map(|refused| Skipped { path: show(&refused.path), reason: refused.reason.clone() });
    let rows: BTreeMap<u64, &String> = outcomes
        .iter()
        .filter_map(|(_, outcome)| outcome.as_ref().ok())
        .flatten()
        .map(|failure| (failure.row, &failure.reason))
        .collect();
    let rows = rows
        .into_iter()
        .map(|(row, reason)| Skipped { path: dataset.inputs.describe(row as usize), reason: reason.clone() });
    files.chain(rows).chain(models).collect()
}
