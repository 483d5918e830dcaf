//! The features of one candidate: from the store, or from a worker that fills what is missing.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::Error;
use super::plan::Progress;
use super::samples::Job;
use crate::base::{Fail, Fault, Features, Values};
use crate::extract::launch::Machinery;
use crate::extract::launch::{self, LaunchError, Listener};
use crate::extract::{Description, Extractor, OnnxRunner, Order, RuntimeChoice};
use crate::store::{JobFolder, Key, RowFailure, Sealed};

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
    let timing_key = Key::of(&[("what", "timing")]);
    let waiting = || progress.say(&format!("{name}: another process is at it; waiting for its result"));
    let _lock = folder.lock(waiting).map_err(stop)?;
    if let Some(found) = sealed(&folder, progress, name) {
        let timing = folder.result(&timing_key).unwrap_or_default();
        return finished(found, rows, folder.clone(), key, timing, true);
    }
    let wanted: Vec<Range<usize>> = job.blocks.iter().filter(|block| block.end <= rows).cloned().collect();
    let missing: Vec<Range<usize>> = wanted.iter().filter(|block| folder.block(block).is_none()).cloned().collect();
    let lacking: usize = missing.iter().map(ExactSizeIterator::len).sum();
    let description_key = Key::of(&[("what", DESCRIPTION)]);
    let known: Option<Description> = folder.result(&description_key).filter(|_| missing.is_empty());
    let from_store = known.is_some();
    let description = if let Some(known) = known {
        known
    } else {
        progress.begin(name, rows - lacking, rows);
        let begun = Instant::now();
        let outcome = work(extractor, job, &missing, machinery, &folder, &key, progress);
        progress.end();
        let description = outcome?;
        let before: PassTiming = folder.result(&timing_key).unwrap_or_default();
        let seconds = before.seconds + begun.elapsed().as_secs_f64();
        let timing = PassTiming { seconds, rows: before.rows + lacking };
        folder.write_result(&timing_key, &timing).map_err(stop)?;
        folder.write_result(&description_key, &description).map_err(stop)?;
        description
    };
    let timing = folder.result(&timing_key).unwrap_or_default();
    let text = serde_json::to_string(&description)
        .map_err(|error| Failure::Candidate(Unusable::because(error.to_string())))?;
    let metadata = BTreeMap::from([(DESCRIPTION.to_owned(), text)]);
    let found = if rows == job.len() { folder.seal(&wanted, metadata) } else { folder.join(&wanted, metadata) };
    finished(found.map_err(stop)?, rows, folder.clone(), key, timing, from_store)
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

fn sealed(folder: &JobFolder, progress: &dyn Progress, name: &str) -> Option<Sealed> {
    let found = folder.sealed();
    if found.is_none() && folder.has_sealed() {
        progress.say(&format!("{name}: the kept features are damaged; they are computed again"));
    }
    found
}

fn finished(
    sealed: Sealed,
    rows: usize,
    folder: JobFolder,
    key: Key,
    timing: PassTiming,
    from_store: bool,
) -> Result<Extracted, Failure> {
    let description = sealed.metadata.get(DESCRIPTION).and_then(|text| serde_json::from_str(text).ok());
    let Some(description) = description.filter(|found: &Description| found.is_sound() && found.dim == sealed.dim)
    else {
        let reason = "the kept features lack a description that fits them; delete the cache";
        return Err(Failure::Candidate(Unusable::because(reason)));
    };
    let (truncated, mut values, mut failures) = (sealed.truncated, sealed.values, sealed.failures);
    // More rows may be kept than are asked for; what comes of these must not depend on that.
    values.truncate(rows.saturating_mul(sealed.dim));
    failures.retain(|failure| failure.row < rows as u64);
    let features = Features::new(sealed.dim, Values::F32(values));
    Ok(Extracted { description, features, failures, truncated, folder, key, timing, from_store })
}

/// Lets a worker compute some blocks.
fn work(
    extractor: &Extractor,
    job: &Job,
    blocks: &[Range<usize>],
    machinery: &Machinery,
    folder: &JobFolder,
    key: &Key,
    progress: &dyn Progress,
) -> Result<Description, Failure> {
    let order = Order {
        samples: job.files.clone(),
        blocks: blocks.to_vec(),
        extractor: extractor.clone(),
        runtime: extractor.runtime(&machinery.runtime),
        threads: machinery.threads,
        store_root: machinery.store.root().to_owned(),
        key: key.clone(),
    };
    launch::run(&machinery.launcher, folder, &order, &mut Watch(progress)).map_err(|error| match error {
        LaunchError::Interrupted => Failure::Run(Error::Interrupted),
        LaunchError::Start(_) | LaunchError::Refused(_) => Failure::Run(Error::Worker(error.to_string())),
        LaunchError::Store(error) => stop(error),
        LaunchError::Model(_) | LaunchError::Died(_) | LaunchError::Memory(_) | LaunchError::Time(_) => {
            Failure::Candidate(Unusable { reason: error.to_string(), fault: error.fault() })
        }
    })
}

struct Watch<'a>(&'a dyn Progress);

impl Listener for Watch<'_> {
    fn rows(&mut self, count: usize) {
        self.0.advance(count);
    }
}

fn stop(error: crate::store::Error) -> Failure {
    Failure::Run(error.into())
}
