//! The features of one candidate: from the store, or from a worker that fills what is missing.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::Error;
use super::plan::Progress;
use super::samples::Job;
use crate::base::path_text::show;
use crate::base::{Fail, Fault, Features, Values};
use crate::extract::launch::Machinery;
use crate::extract::launch::{self, LaunchError, Listener};
use crate::extract::{Description, Extractor, OnnxRunner, Order, RuntimeChoice};
use crate::store::{self, About, JobFolder, JobUse, Key, RowFailure, Sealed, Unsound};

/// The features of all samples, in their order.
pub struct Extracted {
    /// What the extractor says of itself.
    pub description: Description,
    /// n × d features; rows of failed samples are zeros.
    pub features: Features,
    /// The samples that failed.
    pub failures: Vec<RowFailure>,
    /// How many texts were cut to the longest length that the model reads.
    pub truncated: u64,
    /// Where the job is kept.
    pub folder: JobFolder,
    /// The job's key.
    pub key: Key,
    /// How long the pass took when it was made.
    pub timing: PassTiming,
    /// Whether everything came from the store.
    pub from_store: bool,
    /// Keeps the job in the store as long as this lives: scores are written beside the features.
    _in_use: JobUse,
}

/// How long a feature pass took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct PassTiming {
    /// Wall-clock seconds, over all runs that contributed.
    pub seconds: f64,
    /// Rows that were computed in them.
    pub rows: usize,
}

/// Why one candidate has no features.
pub enum Failure {
    /// It failed; the others go on.
    Candidate(Unusable),
    /// Nothing can go on.
    Run(Error),
}

/// Why one candidate can't be used.
#[derive(Debug, Clone)]
pub struct Unusable {
    /// The reason.
    pub reason: String,
    /// Its kind.
    pub fault: Fault,
}

impl Unusable {
    /// For a reason that lies in the model or the data.
    pub fn because(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), fault: Fault::Input }
    }
}

/// Key of the entry of the sealed file that describes the extractor.
const DESCRIPTION: &str = "description";

/// Gets the features of a candidate for the first `rows` samples, which end where a block ends.
pub fn extract(
    name: &str,
    extractor: &Extractor,
    job: &Job,
    rows: usize,
    machinery: &Machinery,
    progress: &dyn Progress,
) -> Result<Extracted, Failure> {
    let key = key(extractor, job, &machinery.runtime);
    let folder = machinery.store.job(&key).map_err(stop)?;
    let pass = Pass { name, extractor, job, rows, machinery, progress, folder, key };
    let waiting = || progress.say(&format!("{name}: another process is at it; waiting for its result"));
    let lock = pass.folder.lock(waiting).map_err(stop)?;
    let in_use = pass.folder.mark_used(&lock).map_err(stop)?;
    let about = About { model: name.to_owned(), data: show(&job.dataset.path) };
    pass.folder.write_about(&about).map_err(stop)?;
    pass.warn_of_results().map_err(stop)?;
    let kept = pass.folder.sealed().map_err(stop)?;
    if let Some(unsound) = kept.unsound() {
        pass.warn("the features file", unsound);
    }
    let (sealed, from_store) = kept.sound().map_or_else(|| pass.compute(), |sealed| Ok((sealed, true)))?;
    pass.finished(sealed, from_store, in_use)
}

/// What is wanted of one candidate, and where it is kept.
struct Pass<'a> {
    name: &'a str,
    extractor: &'a Extractor,
    job: &'a Job,
    rows: usize,
    machinery: &'a Machinery,
    progress: &'a dyn Progress,
    folder: JobFolder,
    key: Key,
}

impl Pass<'_> {
    /// Lets a worker compute the blocks that are missing, and joins all; says too whether none was missing.
    fn compute(&self) -> Result<(Sealed, bool), Failure> {
        let wanted: Vec<Range<usize>> =
            self.job.blocks.iter().filter(|block| block.end <= self.rows).cloned().collect();
        let missing = self.missing(&wanted).map_err(stop)?;
        let known: Option<Description> = self.folder.result(&description_key()).map_err(stop)?;
        let known = known.filter(|_| missing.is_empty());
        let from_store = known.is_some();
        let description = known.map_or_else(|| self.work(&missing), Ok)?;
        let text = serde_json::to_string(&description)
            .map_err(|error| Failure::Candidate(Unusable::because(error.to_string())))?;
        let metadata = BTreeMap::from([(DESCRIPTION.to_owned(), text)]);
        let whole = self.rows == self.job.len();
        let joined = if whole { self.folder.seal(&wanted, metadata) } else { self.folder.join(&wanted, metadata) };
        let joined = joined.map_err(stop)?;
        self.make_room()?;
        Ok((joined, from_store))
    }

    /// The blocks that are to be computed.
    fn missing(&self, wanted: &[Range<usize>]) -> Result<Vec<Range<usize>>, store::Error> {
        let mut missing = vec![];
        for rows in wanted {
            let block = self.folder.block(rows)?;
            if let Some(unsound) = block.unsound() {
                self.warn("a block of features", unsound);
            }
            missing.extend(block.sound().is_none().then(|| rows.clone()));
        }
        Ok(missing)
    }

    /// Lets a worker compute some blocks, and keeps what it says of itself and how long it took.
    fn work(&self, blocks: &[Range<usize>]) -> Result<Description, Failure> {
        let lacking: usize = blocks.iter().map(ExactSizeIterator::len).sum();
        self.progress.begin(self.name, self.rows - lacking, self.rows);
        let begun = Instant::now();
        let outcome =
            launch::run(&self.machinery.launcher, &self.folder, &self.order(blocks), &mut Watch(self.progress));
        self.progress.end();
        let description = outcome.map_err(|error| match error {
            LaunchError::Interrupted => Failure::Run(Error::Interrupted),
            LaunchError::Start(_) | LaunchError::Refused(_) => Failure::Run(Error::Worker(error.to_string())),
            LaunchError::Store(error) => stop(error),
            LaunchError::Model(_) | LaunchError::Died(_) | LaunchError::Memory(_) | LaunchError::Time(_) => {
                Failure::Candidate(Unusable { reason: error.to_string(), fault: error.fault() })
            }
        })?;
        let before = self.timing()?;
        let seconds = before.seconds + begun.elapsed().as_secs_f64();
        let timing = PassTiming { seconds, rows: before.rows + lacking };
        self.folder.write_result(&timing_key(), &timing).map_err(stop)?;
        self.folder.write_result(&description_key(), &description).map_err(stop)?;
        Ok(description)
    }

    fn order(&self, blocks: &[Range<usize>]) -> Order {
        Order {
            samples: self.job.files.clone(),
            blocks: blocks.to_vec(),
            extractor: self.extractor.clone(),
            runtime: self.extractor.runtime(&self.machinery.runtime),
            threads: self.machinery.threads,
            store_root: self.machinery.store.root().to_owned(),
            key: self.key.clone(),
        }
    }

    fn timing(&self) -> Result<PassTiming, Failure> {
        Ok(self.folder.result(&timing_key()).map_err(stop)?.unwrap_or_default())
    }

    /// Lets go of features that were not used for long, if the cache has a limit.
    fn make_room(&self) -> Result<(), Failure> {
        let evicted = self.machinery.store.keep_within_limit().map_err(stop)?.len();
        if evicted > 0 {
            let limit = "the cache is full (ZOOLOGIST_CACHE_MAX)";
            self.progress
                .say(&format!("{limit}: features of {evicted} earlier jobs, used least recently, were removed"));
        }
        Ok(())
    }

    fn warn_of_results(&self) -> Result<(), store::Error> {
        let unsound = self.folder.clear_results()?;
        if let Some((_, first)) = unsound.first() {
            let (name, count) = (self.name, unsound.len());
            let what = format!("scores and timings that were kept can't be used (the first {first})");
            self.progress.say(&format!("{name}: {count} {what}; scores are computed again"));
        }
        Ok(())
    }

    fn warn(&self, what: &str, unsound: Unsound) {
        self.progress.say(&format!("{}: {what} {unsound}; it is computed again", self.name));
    }

    fn finished(self, sealed: Sealed, from_store: bool, in_use: JobUse) -> Result<Extracted, Failure> {
        let description = sealed.metadata.get(DESCRIPTION).and_then(|text| serde_json::from_str(text).ok());
        let Some(description) = description.filter(|found: &Description| found.is_sound() && found.dim == sealed.dim)
        else {
            let reason = "the kept features lack a description that fits them; delete the cache";
            return Err(Failure::Candidate(Unusable::because(reason)));
        };
        let timing = self.timing()?;
        let (truncated, mut values, mut failures) = (sealed.truncated, sealed.values, sealed.failures);
        // More rows may be kept than are asked for; what comes of these must not depend on that.
        values.truncate(self.rows.saturating_mul(sealed.dim));
        failures.retain(|failure| failure.row < self.rows as u64);
        let features = Features::new(sealed.dim, Values::F32(values));
        let (folder, key) = (self.folder, self.key);
        Ok(Extracted { description, features, failures, truncated, folder, key, timing, from_store, _in_use: in_use })
    }
}

fn timing_key() -> Key {
    Key::of(&[("what", "timing")])
}

fn description_key() -> Key {
    Key::of(&[("what", DESCRIPTION)])
}

/// What the features depend on.
fn key(extractor: &Extractor, job: &Job, onnx: &OnnxRunner) -> Key {
    let runtime = match extractor.runtime(onnx) {
        None => "none".to_owned(),
        Some(RuntimeChoice::Rten) => "rten".to_owned(),
        Some(RuntimeChoice::Native) => "native".to_owned(),
        Some(RuntimeChoice::OnnxRuntime(library)) => {
            library.file_name().unwrap_or_default().to_string_lossy().into_owned()
        }
    };
    let identity = extractor.identity();
    let parts = [
        ("extractor", identity.as_str()),
        ("data", &job.digest),
        ("runtime", &runtime),
        ("version", env!("CARGO_PKG_VERSION")),
    ];
    Key::of(&parts)
}

struct Watch<'a>(&'a dyn Progress);

impl Listener for Watch<'_> {
    fn rows(&mut self, count: usize) {
        self.0.advance(count);
    }
}

fn stop(error: store::Error) -> Failure {
    Failure::Run(error.into())
}
