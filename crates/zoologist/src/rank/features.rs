//! The features of one candidate: from the store, or from a worker that fills what is missing.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::Ordering;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::Error;
use super::layers::View;
use super::plan::Progress;
use super::samples::Job;
use crate::base::path_text::show;
use crate::base::{Fail, Fault, Features, Values};
use crate::extract::launch::Machinery;
use crate::extract::launch::{self, LaunchError, Listener};
use crate::extract::{Description, Extractor, OnnxRunner, Order, RuntimeChoice};
use crate::store::{self, About, JobFolder, JobLock, JobUse, Key, RowFailure, Sealed, StoredRows, Unsound};

/// The features of all samples, in their order.
pub struct Extracted {
    /// What the extractor says of itself.
    pub description: Description,
    /// n × d features or more, of which the first `count` rows were asked for; rows of failed samples are zeros.
    pub rows: StoredRows,
    /// How many rows were asked for.
    pub count: usize,
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

impl Extracted {
    /// Some rows, whose places rise, in memory, as far as they are looked at.
    pub fn features(&self, places: &[usize], view: &View) -> Result<Features, Error> {
        let mut values = Vec::with_capacity(places.len().saturating_mul(view.dim));
        self.rows.visit(places, |row| view.take(row, &mut values))?;
        Ok(Features::new(view.dim, Values::F32(values)))
    }
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

impl Failure {
    /// The same where there is no other candidate.
    pub fn of(self, model: &str) -> Error {
        match self {
            Self::Run(error) => error,
            Self::Candidate(Unusable { reason, fault }) => {
                Error::NoModel { path: model.to_owned(), reasons: reason, fault }
            }
        }
    }
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

    /// Because the user stopped the run before it had its features.
    pub fn interrupted() -> Self {
        Self { reason: "not done: the run was interrupted".to_owned(), fault: Fault::Interrupted }
    }

    /// Whether the user stopped the run.
    pub fn is_interrupted(&self) -> bool {
        self.fault == Fault::Interrupted
    }
}

/// Key of the entry of the sealed file that describes the extractor.
const DESCRIPTION: &str = "description";

/// What is wanted of one candidate.
#[derive(Clone, Copy)]
pub struct Wanted<'a> {
    /// Its name.
    pub name: &'a str,
    /// What makes its features.
    pub extractor: &'a Extractor,
    /// The samples.
    pub job: &'a Job,
    /// How many of them, from the first; they end where a block ends.
    pub rows: usize,
    /// Whether what is not in the store may be computed.
    pub compute: bool,
}

/// Gets the features of a candidate.
pub fn extract(wanted: Wanted, machinery: &Machinery, progress: &dyn Progress) -> Result<Extracted, Failure> {
    let key = key(wanted.extractor, wanted.job, &machinery.runtime);
    let folder = machinery.store.job(&key).map_err(stop)?;
    let pass = Pass { wanted, machinery, progress, folder, key };
    let (_lock, in_use) = pass.take()?;
    pass.warn_of_results().map_err(stop)?;
    let kept = pass.folder.sealed().map_err(stop)?;
    if let Some(unsound) = kept.unsound() {
        pass.warn("the features file", unsound);
    }
    let (sealed, from_store) = match kept.sound() {
        Some(sealed) => {
            // Whoever sealed them may have been killed before this.
            pass.folder.clear_blocks().map_err(stop)?;
            (sealed, true)
        }
        None => pass.compute()?,
    };
    pass.finished(sealed, from_store, in_use)
}

/// Fills the store with some blocks of a candidate's features, while other processes fill it with others.
pub fn extract_part(
    wanted: Wanted,
    part: &str,
    blocks: &[Range<usize>],
    machinery: &Machinery,
    progress: &dyn Progress,
) -> Result<Vec<RowFailure>, Failure> {
    let key = key(wanted.extractor, wanted.job, &machinery.runtime);
    let folder = machinery.store.job(&key).map_err(stop)?.part(part);
    let pass = Pass { wanted, machinery, progress, folder, key };
    let _in_use = pass.take()?;
    if let Some(sealed) = pass.folder.sealed().map_err(stop)?.sound() {
        let ours = |failure: &RowFailure| blocks.iter().any(|block| block.contains(&(failure.row as usize)));
        return Ok(sealed.failures.into_iter().filter(ours).collect());
    }
    let missing = pass.missing(blocks).map_err(stop)?;
    if !missing.is_empty() {
        pass.work(&missing)?;
    }
    let failures = blocks.iter().map(|block| Ok(pass.folder.sound_block(block)?.failures));
    Ok(failures.collect::<Result<Vec<_>, _>>().map_err(stop)?.concat())
}

/// One candidate's pass, and where it is kept.
struct Pass<'a> {
    wanted: Wanted<'a>,
    machinery: &'a Machinery,
    progress: &'a dyn Progress,
    folder: JobFolder,
    key: Key,
}

impl Pass<'_> {
    /// Takes the job for this process, as soon as no other one has it.
    fn take(&self) -> Result<(JobLock, JobUse), Failure> {
        let name = self.wanted.name;
        let waiting = || self.progress.say(&format!("{name}: another process is at it; waiting for its result"));
        let lock = self.folder.lock(waiting).map_err(stop)?;
        let in_use = self.folder.mark_used(&lock).map_err(stop)?;
        let about = About { model: name.to_owned(), data: show(&self.wanted.job.dataset.path) };
        self.folder.write_about(&about).map_err(stop)?;
        Ok((lock, in_use))
    }

    /// Lets a worker compute the blocks that are missing, and joins all; says too whether none was missing.
    fn compute(&self) -> Result<(Sealed, bool), Failure> {
        let Wanted { job, rows, .. } = self.wanted;
        let wanted: Vec<Range<usize>> = job.blocks.iter().filter(|block| block.end <= rows).cloned().collect();
        let missing = self.missing(&wanted).map_err(stop)?;
        let known: Option<Description> = self.folder.result(&description_key()).map_err(stop)?;
        let known = known.filter(|_| missing.is_empty());
        let from_store = known.is_some();
        let description = known.map_or_else(|| self.work_if_allowed(&missing, wanted.len()), Ok)?;
        let text = serde_json::to_string(&description)
            .map_err(|error| Failure::Candidate(Unusable::because(error.to_string())))?;
        let metadata = BTreeMap::from([(DESCRIPTION.to_owned(), text)]);
        let whole = rows == job.len();
        let joined = if whole { self.folder.seal(&wanted, metadata) } else { self.folder.join(&wanted, metadata) };
        let joined = joined.map_err(stop)?;
        self.make_room()?;
        Ok((joined, from_store))
    }

    fn work_if_allowed(&self, missing: &[Range<usize>], wanted: usize) -> Result<Description, Failure> {
        if self.wanted.compute {
            return self.work(missing);
        }
        let reason = format!(
            "{} of {wanted} blocks of its features are not in the store. Run `zoologist extract MODEL DATA --shard i/n` \
             with the same seed and options, or rank without --from-store",
            missing.len()
        );
        Err(Failure::Candidate(Unusable::because(reason)))
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
        if self.machinery.launcher.stop.load(Ordering::Relaxed) {
            return Err(Failure::Run(Error::Interrupted));
        }
        let (lacking, name) = (blocks.iter().map(ExactSizeIterator::len).sum::<usize>(), self.wanted.name);
        self.progress.begin(name, self.wanted.rows.saturating_sub(lacking), self.wanted.rows);
        let begun = Instant::now();
        let mut watch = Watch { progress: self.progress, name };
        let outcome = launch::run(self.machinery, &self.folder, &self.order(blocks), &mut watch);
        self.progress.end(name);
        let description = outcome.map_err(|error| match error {
            LaunchError::Interrupted => Failure::Run(Error::Interrupted),
            LaunchError::Start(_) | LaunchError::Refused(_) => Failure::Run(Error::Worker(error.to_string())),
            LaunchError::Store(error) => stop(error),
            LaunchError::Model(_) | LaunchError::Died(_) | LaunchError::Memory(_) | LaunchError::Time(_) => {
                Failure::Candidate(Unusable { reason: error.to_string(), fault: error.fault() })
            }
        })?;
        let _alone = self.folder.lock_results().map_err(stop)?;
        let before = self.timing()?;
        let seconds = before.seconds + begun.elapsed().as_secs_f64();
        let timing = PassTiming { seconds, rows: before.rows + lacking };
        self.folder.write_result(&timing_key(), &timing).map_err(stop)?;
        self.folder.write_result(&description_key(), &description).map_err(stop)?;
        Ok(description)
    }

    fn order(&self, blocks: &[Range<usize>]) -> Order {
        Order {
            samples: self.wanted.job.files.clone(),
            blocks: blocks.to_vec(),
            extractor: self.wanted.extractor.clone(),
            runtime: self.wanted.extractor.runtime(&self.machinery.runtime),
            threads: self.machinery.threads_per_worker(),
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
            let (name, count) = (self.wanted.name, unsound.len());
            let what = format!("scores and timings that were kept can't be used (the first {first})");
            self.progress.say(&format!("{name}: {count} {what}; scores are computed again"));
        }
        Ok(())
    }

    fn warn(&self, what: &str, unsound: Unsound) {
        self.progress.say(&format!("{}: {what} {unsound}; it is computed again", self.wanted.name));
    }

    fn finished(self, sealed: Sealed, from_store: bool, in_use: JobUse) -> Result<Extracted, Failure> {
        let description = sealed.metadata.get(DESCRIPTION).and_then(|text| serde_json::from_str(text).ok());
        let Some(description) =
            description.filter(|found: &Description| found.is_sound() && found.dim == sealed.rows.dim())
        else {
            let reason = "the kept features lack a description that fits them; delete the cache";
            return Err(Failure::Candidate(Unusable::because(reason)));
        };
        let timing = self.timing()?;
        // More rows may be kept than are asked for; what comes of these must not depend on that.
        let (rows, count) = (sealed.rows, self.wanted.rows);
        let failures = sealed.failures.into_iter().filter(|failure| failure.row < count as u64).collect();
        let truncated =
            sealed.truncated.iter().filter(|block| block.first < count as u64).map(|block| block.count).sum();
        let (folder, key) = (self.folder, self.key);
        Ok(Extracted {
            description,
            rows,
            count,
            failures,
            truncated,
            folder,
            key,
            timing,
            from_store,
            _in_use: in_use,
        })
    }
}

fn timing_key() -> Key {
    Key::of(&[("what", "timing")])
}

fn description_key() -> Key {
    Key::of(&[("what", DESCRIPTION)])
}

/// What the features depend on.
pub fn key(extractor: &Extractor, job: &Job, onnx: &OnnxRunner) -> Key {
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

/// Passes on how many rows a worker has done.
pub struct Watch<'a> {
    /// Who watches.
    pub progress: &'a dyn Progress,
    /// What the work is called.
    pub name: &'a str,
}

impl Listener for Watch<'_> {
    fn rows(&mut self, count: usize) {
        self.progress.advance(self.name, count);
    }
}

fn stop(error: store::Error) -> Failure {
    Failure::Run(error.into())
}
