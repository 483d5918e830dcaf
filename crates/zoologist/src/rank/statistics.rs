//! `stats` and `merge`: statistics in files, made anywhere and joined in any order.
//!
//! Every worker reads the same labels, so all agree on the shards; each takes some of them and writes their statistics
//! apart. Joining is putting the shards of several files into one. The scores of the joined file are the same to the
//! last bit however the shards were divided.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::matrix::{Layout, Matrix, PASS};
use super::scorecard::{self, ScoreTiming};
use super::{Error, Progress};
use crate::base::path_text::{self, show};
use crate::base::{Array, Seed, Targets, Task};
use crate::data::{Partition, shard_count};
use crate::score;
use crate::stats::{Moments, Responses, Shards};
use crate::store::statistics as files;

/// Numbers that the statistics of one worker may have.
const MOST_NUMBERS: usize = 1 << 29;
/// A shard's number is a byte.
const LARGEST_SHARD_COUNT: usize = 255;

/// Statistics to make.
#[derive(Debug, Clone)]
pub struct Request {
    /// n × d features.
    pub features: PathBuf,
    /// n labels; `None` where the file of the features holds them.
    pub labels: Option<PathBuf>,
    /// What is predicted, if it is not to be detected.
    pub task: Option<Task>,
    /// Which of how many workers this is.
    pub worker: Worker,
    /// Permutations of the labels to accumulate as well.
    pub permutations: usize,
    /// Fixes the shards and the permutations.
    pub seed: Seed,
    /// Where they go.
    pub output: PathBuf,
}

/// One of several workers: `i/n`. Workers may be counted from 0 or from 1: n/n is 0/n.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Worker {
    number: usize,
    count: usize,
}

impl Worker {
    /// The only worker.
    pub const ALONE: Self = Self { number: 0, count: 1 };

    /// Whether a shard is this worker's.
    pub(super) fn takes(self, shard: usize) -> bool {
        shard % self.count == self.number
    }
}

impl std::fmt::Display for Worker {
    /// As in the name of a file.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-of-{}", self.number, self.count)
    }
}

impl std::str::FromStr for Worker {
    type Err = String;

    /// ```
    /// use zoologist::rank::statistics::Worker;
    /// assert_eq!("3/3".parse::<Worker>(), "0/3".parse::<Worker>());
    /// assert!("4/3".parse::<Worker>().is_err());
    /// ```
    fn from_str(text: &str) -> Result<Self, String> {
        let whole = |text: &str| text.parse::<usize>().ok();
        let parts = text.split_once('/').and_then(|(number, count)| Some((whole(number)?, whole(count)?)));
        match parts {
            Some((number, count)) if count > 0 && number <= count => Ok(Self { number: number % count, count }),
            _ => Err("give the worker and how many there are, as in 2/8; count them from 0 or from 1".to_owned()),
        }
    }
}

/// What a file of statistics is about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Facts {
    task: Task,
    /// Names of the classes, labels or target columns.
    names: Vec<String>,
    dim: usize,
    /// Rows of all shards.
    rows: usize,
    /// How many shards there are in all.
    shard_count: usize,
    seed: Seed,
    permutations: usize,
    /// BLAKE3 of the targets of all rows.
    targets: String,
    /// How the features were multiplied: parts must agree for the result to be the same.
    single_precision: bool,
    absent_classes: u64,
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Written {
    /// Version of this form.
    pub schema: u32,
    /// The file.
    #[serde(with = "path_text")]
    pub output: PathBuf,
    /// What is predicted.
    pub task: Task,
    /// Rows in the shards of this file.
    pub n: usize,
    /// Rows in all.
    pub n_total: usize,
    /// Dimensions.
    pub dim: usize,
    /// Classes, labels or target columns.
    pub classes: usize,
    /// The shards of this file.
    pub shards: Vec<usize>,
    /// How many shards there are in all.
    pub shard_count: usize,
    /// Seconds.
    pub timing: ScoreTiming,
}

/// Statistics of some shards, as they stand in a file.
pub struct Kept {
    facts: Facts,
    parts: BTreeMap<usize, Moments>,
}

/// Makes the statistics of this worker's shards.
pub fn make(request: &Request, progress: &dyn Progress) -> Result<Written, Error> {
    let begun = Instant::now();
    let labels_path = scorecard::labels_path(&request.features, request.labels.as_ref())?;
    let mut matrix = Matrix::open(&request.features)?;
    let targets = scorecard::targets(labels_path, request.task, matrix.rows(), &request.features, progress)?;
    let count = shard_count(matrix.rows(), matrix.dim());
    let shard_of_row = Partition::shards_without_order(&targets, request.seed, count);
    let layout = Layout { shard_of_row: &shard_of_row, count };
    let permutations = score::permutations_of(layout.shard_of_row, count, request.permutations, request.seed);
    let responses = Responses::with_permutations(&targets, permutations);
    let precision = matrix.precision()?;
    let wanted: Vec<usize> = (0..count).filter(|&shard| request.worker.takes(shard)).collect();
    let numbers = scorecard::moments_numbers(matrix.dim(), targets.names().len(), request.permutations + 1);
    if numbers.saturating_mul(wanted.len()) > MOST_NUMBERS {
        return Err(Error::TooLarge { path: show(&request.features), shards: wanted.len(), numbers });
    }
    let facts = Facts {
        task: targets.task(),
        names: targets.names().to_vec(),
        dim: matrix.dim(),
        rows: matrix.rows(),
        shard_count: count,
        seed: request.seed,
        permutations: request.permutations,
        targets: digest(&targets),
        single_precision: precision.may_be_single(),
        absent_classes: crate::base::absent_numbers(&targets),
    };
    progress.begin(PASS, 0, matrix.rows());
    let parts = matrix.shards(&wanted, &layout, &responses, &precision, progress);
    progress.end(PASS);
    let kept = Kept { facts, parts: wanted.into_iter().zip(parts?).collect() };
    kept.write(&request.output)?;
    Ok(kept.written(&request.output, begun))
}

/// Joins files of statistics.
pub fn merge(inputs: &[PathBuf], output: &Path) -> Result<Written, Error> {
    let begun = Instant::now();
    let (first, rest) = inputs.split_first().ok_or(Error::NoRows)?;
    let mut joined = Kept::read(first)?;
    for path in rest {
        joined.join(Kept::read(path)?, first, path)?;
    }
    joined.write(output)?;
    Ok(joined.written(output, begun))
}

impl Kept {
    /// Reads a file.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let refuse = |source: files::Unreadable| Error::Statistics { path: show(path), problem: source.to_string() };
        let damaged = |what: String| refuse(files::Unreadable::Damaged(what));
        let (facts, arrays) = files::read::<Facts>(path).map_err(refuse)?;
        if !(1..=LARGEST_SHARD_COUNT).contains(&facts.shard_count) || facts.rows < 2 {
            return Err(damaged("what it says of itself makes no sense".to_owned()));
        }
        let mut by_shard: BTreeMap<usize, BTreeMap<String, Array>> = BTreeMap::new();
        for (name, array) in arrays {
            let parts = name.split_once('.').and_then(|(shard, name)| Some((shard.parse().ok()?, name.to_owned())));
            let (shard, name) = parts.ok_or_else(|| damaged(format!("it holds an array `{name}`")))?;
            if by_shard.entry(shard).or_default().insert(name, array).is_some() {
                return Err(damaged(format!("it holds an array of shard {shard} twice")));
            }
        }
        let mut parts = BTreeMap::new();
        for (shard, arrays) in by_shard {
            let moments = Moments::from_arrays(&arrays).map_err(|error| damaged(error.to_string()))?;
            let fits = shard < facts.shard_count
                && moments.dim() == facts.dim
                && moments.width() == facts.names.len()
                && facts.permutations.checked_add(1) == Some(moments.responses());
            if !fits {
                return Err(damaged(format!("shard {shard} does not fit what the file says of itself")));
            }
            parts.insert(shard, moments);
        }
        let kept = Self { facts, parts };
        kept.require_rows(path)?;
        Ok(kept)
    }

    /// There can't be more rows in the shards than in all.
    fn require_rows(&self, path: &Path) -> Result<(), Error> {
        let total = self.parts.values().try_fold(0_usize, |sum, part| sum.checked_add(part.rows()));
        if total.is_some_and(|total| total <= self.facts.rows) {
            return Ok(());
        }
        let problem = "holds more rows than it announces. Make it again".to_owned();
        Err(Error::Statistics { path: show(path), problem })
    }

    fn write(&self, path: &Path) -> Result<(), Error> {
        let name = |(shard, moments): (&usize, &Moments)| {
            let arrays = moments.to_arrays().into_iter();
            arrays.map(|(name, array)| (format!("{shard:03}.{name}"), array)).collect::<Vec<_>>()
        };
        let arrays: BTreeMap<String, Array> = self.parts.iter().flat_map(name).collect();
        Ok(files::write(path, &self.facts, &arrays)?)
    }

    /// Takes in the shards of another file. `first` is the file that this one began with.
    fn join(&mut self, other: Self, first: &Path, path: &Path) -> Result<(), Error> {
        let refuse = |problem: String| Error::Statistics { path: show(path), problem };
        if let Some(difference) = self.facts.difference(&other.facts) {
            return Err(refuse(format!(
                "is about something else than {}: {difference}. Make all parts with the same features, labels and seed",
                show(first)
            )));
        }
        for (shard, moments) in other.parts {
            if self.parts.insert(shard, moments).is_some() {
                return Err(refuse(format!(
                    "holds shard {shard}, which an earlier file holds too. Give every part once"
                )));
            }
        }
        let numbers = scorecard::moments_numbers(self.facts.dim, self.facts.names.len(), self.facts.permutations + 1);
        if numbers.saturating_mul(self.parts.len()) > MOST_NUMBERS {
            return Err(Error::TooLarge { path: show(path), shards: self.parts.len(), numbers });
        }
        self.require_rows(path)
    }

    /// The statistics of all rows, by shard. It is an error if a shard is missing.
    pub fn complete(self, path: &Path) -> Result<(Shards, Labels), Error> {
        let missing: Vec<String> = (0..self.facts.shard_count)
            .filter(|shard| !self.parts.contains_key(shard))
            .map(|shard| shard.to_string())
            .collect();
        let rows: usize = self.parts.values().map(Moments::rows).sum();
        let refuse = |problem: String| Error::Statistics { path: show(path), problem };
        if !missing.is_empty() {
            return Err(refuse(format!(
                "lacks {} of {} shards: {}. Make them with `zoologist stats --shard` and join them with `zoologist merge`",
                missing.len(),
                self.facts.shard_count,
                missing.join(", ")
            )));
        }
        if rows != self.facts.rows {
            return Err(refuse(format!("holds {rows} rows where {} were announced. Make it again", self.facts.rows)));
        }
        let Facts { task, names, dim, absent_classes, permutations, .. } = self.facts;
        let shards = Shards::from_parts(self.parts).ok_or(Error::NoRows)?;
        Ok((shards, Labels { task, names, rows, dim, absent_classes, permutations }))
    }

    fn written(&self, path: &Path, begun: Instant) -> Written {
        Written {
            schema: 1,
            output: path.to_owned(),
            task: self.facts.task,
            n: self.parts.values().map(Moments::rows).sum(),
            n_total: self.facts.rows,
            dim: self.facts.dim,
            classes: self.facts.names.len(),
            shards: self.parts.keys().copied().collect(),
            shard_count: self.facts.shard_count,
            timing: ScoreTiming { seconds: begun.elapsed().as_secs_f64() },
        }
    }
}

/// What complete statistics are about.
pub struct Labels {
    /// What is predicted.
    pub task: Task,
    /// Names of the classes, labels or target columns.
    pub names: Vec<String>,
    /// Rows.
    pub rows: usize,
    /// Dimensions.
    pub dim: usize,
    /// How many class numbers up to the largest never occur.
    pub absent_classes: u64,
    /// Permutations of the labels that were accumulated.
    pub permutations: usize,
}

impl Facts {
    /// What two files disagree about, in words.
    fn difference(&self, other: &Self) -> Option<String> {
        let pairs = [
            ("dimensions", self.dim.to_string(), other.dim.to_string()),
            ("rows in all", self.rows.to_string(), other.rows.to_string()),
            ("task", format!("{:?}", self.task), format!("{:?}", other.task)),
            ("classes", self.names.len().to_string(), other.names.len().to_string()),
            ("seed", self.seed.0.to_string(), other.seed.0.to_string()),
            ("permutations", self.permutations.to_string(), other.permutations.to_string()),
            ("single precision", self.single_precision.to_string(), other.single_precision.to_string()),
        ];
        let found = pairs.into_iter().find(|(_, own, other)| own != other);
        let found = found.map(|(what, own, other)| format!("{what}: {own} and {other}"));
        found.or_else(|| (self != other).then(|| "the labels differ".to_owned()))
    }
}

/// BLAKE3 of the targets of all rows.
pub(super) fn digest(targets: &Targets) -> String {
    let mut hasher = blake3::Hasher::new_derive_key("zoologist 2026 targets");
    match targets {
        Targets::Classes(classes) => {
            hasher.update(format!("{:?}", classes.names()).as_bytes());
            classes.index().chunks(1 << 16).for_each(|part| {
                hasher.update(&part.iter().flat_map(|class| class.to_le_bytes()).collect::<Vec<u8>>());
            });
        }
        Targets::Multilabel(columns) | Targets::Regression(columns) => {
            hasher.update(format!("{:?}", columns.names()).as_bytes());
            (0..targets.len()).for_each(|row| {
                hasher.update(&columns.row(row).iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>());
            });
        }
    }
    hasher.finalize().to_hex().to_string()
}
