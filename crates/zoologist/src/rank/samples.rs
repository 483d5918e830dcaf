//! The samples of a ranking in their one order: which are scored, and which judge.

use std::ops::Range;
use std::path::Path;

use super::Error;
use crate::base::path_text::show;
use crate::base::{Seed, Targets};
use crate::data::{self, Dataset, Partition, Split};

/// Largest number of rows in a block of the store.
const BLOCK_ROWS: usize = 128;
/// Shards that blocks never cross; every coarser cut falls on their bounds.
const FINE_SHARDS: usize = 20;

/// Pictures in the order in which features are computed.
pub struct Pictures {
    /// The data set, reduced to these samples and in their order.
    pub dataset: Dataset,
    /// BLAKE3 of the contents in order.
    pub digest: String,
    /// The rows of each block of the store.
    pub blocks: Vec<Range<usize>>,
}

/// Labelled samples in their one order.
pub struct Samples {
    /// The pictures.
    pub pictures: Pictures,
    /// What is to be predicted, in that order.
    pub targets: Targets,
    /// The one order, cut to the sample; its places are the rows of `pictures`.
    pub partition: Partition,
    /// How many samples could have been used.
    pub available: usize,
    /// The splits that were used, in words.
    pub split: String,
}

/// Reads a data set and puts it into order: train and validation samples for scoring.
pub fn for_scoring(path: &Path, limit: Option<usize>, seed: Seed) -> Result<Samples, Error> {
    let dataset = data::open(path)?;
    let chosen: Vec<usize> =
        (0..dataset.samples.len()).filter(|&place| dataset.samples[place].split != Some(Split::Test)).collect();
    in_order(&dataset, &chosen, limit, seed)
}

/// The test samples of a data set in order; `None` where it has no such split.
pub fn for_judging(path: &Path, seed: Seed) -> Result<Option<Samples>, Error> {
    let dataset = data::open(path)?;
    let chosen: Vec<usize> =
        (0..dataset.samples.len()).filter(|&place| dataset.samples[place].split == Some(Split::Test)).collect();
    if chosen.is_empty() { Ok(None) } else { in_order(&dataset, &chosen, None, seed).map(Some) }
}

/// All pictures of a data set as they stand, labelled or not.
pub fn as_they_stand(path: &Path) -> Result<Pictures, Error> {
    let dataset = data::open_unlabelled(path)?;
    let count = dataset.samples.len();
    Ok(Pictures { digest: digest(&dataset), blocks: cut(0..count).collect(), dataset })
}

fn in_order(dataset: &Dataset, chosen: &[usize], limit: Option<usize>, seed: Seed) -> Result<Samples, Error> {
    let path = show(&dataset.path);
    let targets = dataset.targets.as_ref().ok_or_else(|| Error::NoLabels(path.clone()))?;
    let refuse = |source| Error::Targets { path: path.clone(), source };
    let whole = Partition::new(&targets.select(chosen).map_err(refuse)?, None, seed);
    let partition = limit.map_or_else(|| whole.clone(), |limit| whole.sample(limit));
    let rows: Vec<usize> = partition.order().iter().map(|&place| chosen[place]).collect();
    let dataset = Dataset {
        samples: rows.iter().map(|&row| dataset.samples[row].clone()).collect(),
        targets: None,
        ..dataset.clone()
    };
    let blocks = partition.shards(FINE_SHARDS).into_iter().flat_map(cut).collect();
    Ok(Samples {
        targets: targets.select(&rows).map_err(refuse)?,
        available: chosen.len(),
        split: split_in_words(&dataset),
        pictures: Pictures { digest: digest(&dataset), blocks, dataset },
        partition,
    })
}

fn split_in_words(dataset: &Dataset) -> String {
    let used = |split| dataset.samples.iter().any(|sample| sample.split == Some(split));
    let names = [(Split::Train, "train"), (Split::Validation, "val"), (Split::Test, "test")];
    let names: Vec<&str> = names.into_iter().filter(|&(split, _)| used(split)).map(|(_, name)| name).collect();
    if names.is_empty() { "all".to_owned() } else { names.join("+") }
}

fn digest(dataset: &Dataset) -> String {
    let mut hasher = blake3::Hasher::new();
    data::content_digests(dataset).iter().for_each(|digest| {
        hasher.update(digest);
    });
    hasher.finalize().to_hex().to_string()
}

/// Blocks of a range of rows.
fn cut(rows: Range<usize>) -> impl Iterator<Item = Range<usize>> {
    let end = rows.end;
    rows.step_by(BLOCK_ROWS).map(move |start| start..end.min(start + BLOCK_ROWS))
}
