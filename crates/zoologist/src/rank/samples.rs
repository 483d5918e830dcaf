//! The samples of a ranking in their one order: which are scored, and which judge.

use std::ops::Range;
use std::path::Path;

use super::Error;
use crate::base::path_text::show;
use crate::base::{Seed, Targets};
use crate::data::{self, Dataset, Partition, Split, TableOptions};
use crate::extract::SampleFiles;
use crate::store::Store;

/// Largest number of rows in a block of the store.
const BLOCK_ROWS: usize = 128;
/// Shards that blocks never cross; every coarser cut falls on their bounds.
const FINE_SHARDS: usize = 20;

/// Samples in the order in which features are computed.
#[derive(Clone)]
pub struct Job {
    /// The data set, reduced to these samples and in their order.
    pub dataset: Dataset,
    /// Where a worker finds them.
    pub files: SampleFiles,
    /// BLAKE3 of the contents in order.
    pub digest: String,
    /// The rows of each block of the store.
    pub blocks: Vec<Range<usize>>,
}

/// Labelled samples in their one order.
pub struct Samples {
    /// What models see.
    pub job: Job,
    /// What is to be predicted, in that order.
    pub targets: Targets,
    /// The one order, cut to the sample; its places are the rows of `job`.
    pub partition: Partition,
    /// How many samples could have been used.
    pub available: usize,
    /// The splits that were used, in words.
    pub split: String,
}

/// Reads a data set and puts it into order: train and validation samples for scoring.
pub fn for_scoring(
    path: &Path,
    table: &TableOptions,
    limit: Option<usize>,
    seed: Seed,
    store: &Store,
) -> Result<Samples, Error> {
    let dataset = data::open(path, table)?;
    let chosen = places(&dataset, |split| split != Some(Split::Test));
    in_order(&dataset, &chosen, limit, seed, store)
}

/// The test samples of a data set in order; `None` where it has no such split.
pub fn for_judging(path: &Path, table: &TableOptions, seed: Seed, store: &Store) -> Result<Option<Samples>, Error> {
    let dataset = data::open(path, table)?;
    let chosen = places(&dataset, |split| split == Some(Split::Test));
    if chosen.is_empty() { Ok(None) } else { in_order(&dataset, &chosen, None, seed, store).map(Some) }
}

/// Labelled samples cut for a tuning: those to learn from, those that validate, and those that judge.
pub struct TuningSamples {
    /// What models see: all of them.
    pub job: Job,
    /// What is to be predicted, in that order.
    pub targets: Targets,
    /// Rows to learn from.
    pub learned: Vec<usize>,
    /// Rows that choose among candidates and say when to stop: the last fifth of what may be learned from.
    pub validation: Vec<usize>,
    /// Rows that judge.
    pub judged: Vec<usize>,
    /// Which rows judge, in words.
    pub judged_on: String,
}

/// How many samples a tuning takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Take {
    /// All.
    All,
    /// So many, beside a test split if there is one.
    Sample(usize),
    /// So many to learn from and validate on, at most; those that judge are none the fewer for it.
    ToLearnFrom(usize),
}

impl Take {
    /// So many, or all.
    pub fn up_to(limit: Option<usize>) -> Self {
        limit.map_or(Self::All, Self::Sample)
    }
}

/// The samples of [`for_scoring`], and those that judge: the test split, else the last fifth.
pub fn for_tuning(
    path: &Path,
    table: &TableOptions,
    take: Take,
    seed: Seed,
    store: &Store,
) -> Result<TuningSamples, Error> {
    let dataset = data::open(path, table)?;
    let name = show(&dataset.path);
    let all = dataset.targets.as_ref().ok_or_else(|| Error::NoLabels(name.clone()))?;
    let refuse = |source| Error::Targets { path: name.clone(), source };
    let ordered = |chosen: Vec<usize>| -> Result<Vec<usize>, Error> {
        let partition = Partition::new(&all.select(&chosen).map_err(refuse)?, None, seed);
        Ok(partition.order().iter().map(|&place| chosen[place]).collect())
    };
    let mut rows = ordered(places(&dataset, |split| split != Some(Split::Test)))?;
    if let Take::Sample(count) = take {
        rows.truncate(count);
    }
    let tests = places(&dataset, |split| split == Some(Split::Test));
    let (judging, judged_on) = if tests.is_empty() {
        (rows.split_off(rows.len() * 4 / 5), "a seeded, stratified fifth that was not learned from")
    } else {
        (ordered(tests)?, "the test split")
    };
    if let Take::ToLearnFrom(count) = take {
        rows.truncate(count);
    }
    let may_learn = rows.len();
    rows.extend(judging);
    let middle = may_learn * 4 / 5;
    Ok(TuningSamples {
        targets: all.select(&rows).map_err(refuse)?,
        job: selected(&dataset, &rows, store)?,
        learned: (0..middle).collect(),
        validation: (middle..may_learn).collect(),
        judged: (may_learn..rows.len()).collect(),
        judged_on: judged_on.to_owned(),
    })
}

/// All samples of a data set as they stand, labelled or not.
pub fn as_they_stand(path: &Path, table: &TableOptions, store: &Store) -> Result<Job, Error> {
    let dataset = data::open_unlabelled(path, table)?;
    let blocks = cut(0..dataset.inputs.len()).collect();
    Job::new(dataset, blocks, store)
}

/// Some samples without regard to labels, in a seeded order.
pub fn unlabelled(path: &Path, table: &TableOptions, limit: usize, seed: Seed, store: &Store) -> Result<Job, Error> {
    let dataset = data::open_unlabelled(path, table)?;
    let mut order: Vec<usize> = (0..dataset.inputs.len()).collect();
    seed.stream("samples", "unlabelled").shuffle(&mut order);
    order.truncate(limit);
    selected(&dataset, &order, store)
}

/// Some samples of a data set, without their labels.
pub fn selected(dataset: &Dataset, rows: &[usize], store: &Store) -> Result<Job, Error> {
    let dataset = Dataset {
        inputs: dataset.inputs.select(rows),
        splits: rows.iter().map(|&row| dataset.splits[row]).collect(),
        targets: None,
        ..dataset.clone()
    };
    let blocks = cut(0..dataset.inputs.len()).collect();
    Job::new(dataset, blocks, store)
}

fn places(dataset: &Dataset, wanted: impl Fn(Option<Split>) -> bool) -> Vec<usize> {
    (0..dataset.inputs.len()).filter(|&place| wanted(dataset.splits[place])).collect()
}

fn in_order(
    dataset: &Dataset,
    chosen: &[usize],
    limit: Option<usize>,
    seed: Seed,
    store: &Store,
) -> Result<Samples, Error> {
    let path = show(&dataset.path);
    let targets = dataset.targets.as_ref().ok_or_else(|| Error::NoLabels(path.clone()))?;
    let refuse = |source| Error::Targets { path: path.clone(), source };
    let whole = Partition::new(&targets.select(chosen).map_err(refuse)?, None, seed);
    let partition = limit.map_or_else(|| whole.clone(), |limit| whole.sample(limit));
    let rows: Vec<usize> = partition.order().iter().map(|&place| chosen[place]).collect();
    let dataset = Dataset {
        inputs: dataset.inputs.select(&rows),
        splits: rows.iter().map(|&row| dataset.splits[row]).collect(),
        targets: None,
        path: dataset.path.clone(),
        root: dataset.root.clone(),
        notes: dataset.notes.clone(),
        skipped: dataset.skipped.clone(),
        format: dataset.format,
    };
    let blocks = partition.shards(FINE_SHARDS).into_iter().flat_map(cut).collect();
    Ok(Samples {
        targets: targets.select(&rows).map_err(refuse)?,
        available: chosen.len(),
        split: split_in_words(&dataset),
        job: Job::new(dataset, blocks, store)?,
        partition,
    })
}

impl Samples {
    /// Where the finest shards end; blocks end there too.
    pub fn bounds(&self) -> Vec<usize> {
        self.partition.shards(FINE_SHARDS).into_iter().map(|shard| shard.end).collect()
    }
}

impl Job {
    fn new(dataset: Dataset, blocks: Vec<Range<usize>>, store: &Store) -> Result<Self, Error> {
        let (files, digest) = SampleFiles::of(&dataset, store)?;
        Ok(Self { dataset, files, digest, blocks })
    }

    /// How many samples there are.
    pub fn len(&self) -> usize {
        self.dataset.inputs.len()
    }

    /// The first samples, as a job of their own.
    pub fn first(&self, count: usize, store: &Store) -> Result<Self, Error> {
        selected(&self.dataset, &(0..count.min(self.len())).collect::<Vec<_>>(), store)
    }
}

fn split_in_words(dataset: &Dataset) -> String {
    let used = |split| dataset.splits.contains(&Some(split));
    let names = [(Split::Train, "train"), (Split::Validation, "val"), (Split::Test, "test")];
    let names: Vec<&str> = names.into_iter().filter(|&(split, _)| used(split)).map(|(_, name)| name).collect();
    if names.is_empty() { "all".to_owned() } else { names.join("+") }
}

/// Blocks of a range of rows.
fn cut(rows: Range<usize>) -> impl Iterator<Item = Range<usize>> {
    let end = rows.end;
    rows.step_by(BLOCK_ROWS).map(move |start| start..end.min(start + BLOCK_ROWS))
}
