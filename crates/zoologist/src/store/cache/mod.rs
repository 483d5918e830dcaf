//! The cache as its owner sees it: what is in it, whether it is sound, and what can go.

mod collect;
mod hold;
mod verify;

pub use collect::{Collected, Reason, Removal, Request};
pub use verify::{FileFault, Verification};

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::job::{BLOCKS, LOCK, SEALED, USED, is_hidden};
use super::{About, Error, JOBS, JobFolder, Key, LAYOUT, Store, folders, refused, texts};

/// What the cache holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Survey {
    /// The folder of the cache.
    pub path: PathBuf,
    /// The jobs, the one used last first.
    pub jobs: Vec<JobEntry>,
    /// The files of texts, in the order of their names.
    pub texts: Vec<TextsEntry>,
    /// What other versions of zoologist wrote.
    pub others: Vec<OtherLayout>,
    /// Bytes of all files, those that are not listed above too.
    pub bytes: u64,
    /// The size that the cache is kept below.
    pub limit: Option<u64>,
}

/// A job.
#[derive(Debug, Clone, PartialEq)]
pub struct JobEntry {
    /// Its key.
    pub key: Key,
    /// Its folder.
    pub path: PathBuf,
    /// What it is, if that is known.
    pub about: Option<About>,
    /// How far it is.
    pub state: JobState,
    /// Whether a process works on it or uses its features: then it is never removed.
    pub in_use: bool,
    /// Bytes of its files.
    pub bytes: u64,
    /// When a process worked on it or used it last.
    pub last_used: SystemTime,
}

/// How far a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobState {
    /// A process works on it.
    Running,
    /// All features are there.
    Sealed,
    /// Some blocks of features are there.
    Partial,
    /// There are no features.
    Empty,
}

/// A file of texts.
#[derive(Debug, Clone, PartialEq)]
pub struct TextsEntry {
    /// The file.
    pub path: PathBuf,
    /// Its bytes.
    pub bytes: u64,
    /// When it was written last.
    pub written: SystemTime,
}

/// A folder that another version of zoologist made.
#[derive(Debug, Clone, PartialEq)]
pub struct OtherLayout {
    /// The folder.
    pub path: PathBuf,
    /// Its number.
    pub layout: u32,
    /// Bytes of its files.
    pub bytes: u64,
}

impl OtherLayout {
    /// Whether a newer zoologist made it.
    pub fn is_newer(&self) -> bool {
        self.layout > LAYOUT
    }
}

impl Store {
    /// What the cache holds.
    pub fn survey(&self) -> Result<Survey, Error> {
        let folder = self.folder();
        folders::require_own(folder)?;
        let mut jobs = jobs(self)?.iter().map(|(key, path)| entry(key, path)).collect::<Result<Vec<_>, _>>()?;
        jobs.sort_by(|a, b| b.last_used.cmp(&a.last_used).then_with(|| a.path.cmp(&b.path)));
        Ok(Survey {
            path: folder.to_owned(),
            jobs,
            texts: texts_of(self)?,
            others: others(self)?,
            bytes: total(self)?,
            limit: self.limit,
        })
    }
}

/// Bytes of all files of all layouts. Other files in the folder are not ours.
fn total(store: &Store) -> Result<u64, Error> {
    let others: u64 = others(store)?.iter().map(|other| other.bytes).sum();
    Ok(others + folders::bytes(store.root())?)
}

/// The folders of jobs and their keys.
fn jobs(store: &Store) -> Result<Vec<(Key, PathBuf)>, Error> {
    let paths = folders::entries(&store.root().join(JOBS))?;
    Ok(paths.into_iter().filter_map(|path| Some((Key::named(&path)?, path))).collect())
}

fn entry(key: &Key, path: &Path) -> Result<JobEntry, Error> {
    let running = hold::is_held(&path.join(LOCK))?;
    Ok(JobEntry {
        key: key.clone(),
        path: path.to_owned(),
        about: about(path)?,
        state: if running { JobState::Running } else { state_of(path)? },
        in_use: running || hold::is_held(&path.join(USED))?,
        bytes: folders::bytes(path)?,
        last_used: last_used(path)?,
    })
}

/// How far a job is, as far as its files say.
fn state_of(job: &Path) -> Result<JobState, Error> {
    if job.join(SEALED).exists() {
        return Ok(JobState::Sealed);
    }
    let blocks = folders::entries(&job.join(BLOCKS))?;
    Ok(if blocks.iter().all(|block| is_hidden(block)) { JobState::Empty } else { JobState::Partial })
}

/// What a job is; `None` if that is not known, or it is none.
fn about(path: &Path) -> Result<Option<About>, Error> {
    let Some(key) = Key::named(path) else { return Ok(None) };
    Ok(JobFolder { path: path.to_owned(), key, part: None }.about()?.sound())
}

/// When a job was used last; one that never was, when it was worked on.
fn last_used(job: &Path) -> Result<SystemTime, Error> {
    for name in [USED, SEALED, BLOCKS, ""] {
        if let Some(changed) = changed(&job.join(name))? {
            return Ok(changed);
        }
    }
    Ok(SystemTime::UNIX_EPOCH)
}

/// When a file was changed last; `None` if there is none.
fn changed(path: &Path) -> Result<Option<SystemTime>, Error> {
    let time = fs::metadata(path).and_then(|found| found.modified());
    folders::present(time).map_err(refused("look at", path))
}

fn texts_of(store: &Store) -> Result<Vec<TextsEntry>, Error> {
    let mut found = vec![];
    for path in folders::entries(&store.root().join(texts::FOLDER))?.into_iter().filter(|path| !is_hidden(path)) {
        if let Some(written) = changed(&path)? {
            found.push(TextsEntry { bytes: folders::bytes(&path)?, path, written });
        }
    }
    Ok(found)
}

/// The folders of other layouts: those named `v` and a number.
fn others(store: &Store) -> Result<Vec<OtherLayout>, Error> {
    let mut found = vec![];
    for path in folders::entries(store.folder())? {
        let number = path.file_name().and_then(|name| name.to_str()?.strip_prefix('v')?.parse().ok());
        if let Some(layout) = number.filter(|&number| number != LAYOUT && path.is_dir()) {
            found.push(OtherLayout { bytes: folders::bytes(&path)?, path, layout });
        }
    }
    Ok(found)
}
