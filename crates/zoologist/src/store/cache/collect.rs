//! Removing what is of no use, and what was used least recently where the cache is to be smaller.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::hold::Hold;
use super::verify::{self, Verification};
use super::{JobEntry, JobState, OtherLayout, changed, others, total};
use crate::store::atomic::UNFINISHED;
use crate::store::job::{BLOCKS, SEALED, is_hidden};
use crate::store::{About, Error, JOBS, Key, Store, Unsound, folders, refused, texts};

/// How a job is called while it is removed.
const GOING: &str = ".gone-";
/// Unfinished files and texts of this age belong to nobody who still lives, unless a lock says otherwise.
const ABANDONED: Duration = Duration::from_hours(1);
/// Unfinished files of a job that nobody holds: the margin is for orders, which are written without a lock.
const UNHELD: Duration = Duration::from_mins(1);

/// What is to be removed.
#[derive(Debug, Clone, Copy, Default)]
pub struct Request {
    /// The bytes that the cache may have; `None` for those of the store's own limit, if it has one.
    pub limit: Option<u64>,
    /// Whether to remove what a newer zoologist wrote.
    pub newer_too: bool,
    /// Whether to say only what would be removed.
    pub dry_run: bool,
}

/// What was removed.
#[derive(Debug, Clone, PartialEq)]
pub struct Collected {
    /// The folder of the cache.
    pub path: PathBuf,
    /// What went, in the order of its going.
    pub removed: Vec<Removal>,
    /// The bytes before.
    pub before: u64,
    /// The bytes after.
    pub after: u64,
    /// What is above the limit nevertheless: in use, texts, or of a newer version.
    pub above_limit: u64,
    /// What a newer zoologist wrote, and was left.
    pub newer: Vec<OtherLayout>,
    /// Whether nothing was touched.
    pub dry_run: bool,
}

/// A file or folder that was removed.
#[derive(Debug, Clone, PartialEq)]
pub struct Removal {
    /// Where it was.
    pub path: PathBuf,
    /// Why it was removed.
    pub reason: Reason,
    /// The job that it was, if it was one and that is known.
    pub about: Option<About>,
    /// Its bytes.
    pub bytes: u64,
}

/// Why something was removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// A process left it unfinished, or it is not needed any more.
    Leftover,
    /// It is damaged.
    Damaged,
    /// Another version of zoologist wrote it.
    OtherVersion,
    /// The cache is to be smaller, and this was used least recently.
    LeastRecentlyUsed,
}

impl Store {
    /// Removes what the request says. A job that a process works on or uses is never touched.
    pub fn collect(&self, request: Request) -> Result<Collected, Error> {
        folders::require_own(self.folder())?;
        let before = total(self)?;
        let mut collector = Collector { store: self, request, removed: vec![], now: SystemTime::now() };
        collector.other_layouts()?;
        collector.leftovers()?;
        let limit = request.limit.or(self.limit);
        if let Some(limit) = limit {
            collector.evict(before, limit)?;
        }
        let after = collector.left_of(before);
        Ok(Collected {
            path: self.folder().to_owned(),
            removed: collector.removed,
            before,
            after,
            above_limit: limit.map_or(0, |limit| after.saturating_sub(limit)),
            newer: others(self)?.into_iter().filter(|other| other.is_newer() && !request.newer_too).collect(),
            dry_run: request.dry_run,
        })
    }

    /// Removes jobs, the least recently used first, until the cache is within its limit, if it has one.
    pub fn keep_within_limit(&self) -> Result<Vec<Removal>, Error> {
        let Some(limit) = self.limit else { return Ok(vec![]) };
        let request = Request::default();
        let mut collector = Collector { store: self, request, removed: vec![], now: SystemTime::now() };
        collector.evict(total(self)?, limit)?;
        Ok(collector.removed)
    }
}

struct Collector<'a> {
    store: &'a Store,
    request: Request,
    removed: Vec<Removal>,
    now: SystemTime,
}

impl Collector<'_> {
    /// Older layouts, and newer ones if asked for, unless a process is at work in them.
    fn other_layouts(&mut self) -> Result<(), Error> {
        let newer_too = self.request.newer_too;
        for other in others(self.store)?.into_iter().filter(|other| newer_too || !other.is_newer()) {
            let jobs = folders::entries(&other.path.join(JOBS))?;
            let holds = jobs.iter().map(|job| Hold::of(job)).collect::<Result<Option<Vec<Hold>>, _>>()?;
            if holds.is_some() {
                self.remove(&other.path, Reason::OtherVersion)?;
            }
        }
        Ok(())
    }

    /// What is of no use in jobs that nobody holds, and texts that no worker reads.
    fn leftovers(&mut self) -> Result<(), Error> {
        let mut in_use = false;
        for path in folders::entries(&self.store.root().join(JOBS))? {
            if is_hidden(&path) {
                self.remove(&path, Reason::Leftover)?;
            } else if let Some(hold) = Hold::of(&path)? {
                self.of_job(&path)?;
                drop(hold);
            } else {
                in_use = true;
            }
        }
        for path in folders::entries(&self.store.root().join(texts::FOLDER))? {
            // Ranking texts writes them again: they serve while workers run.
            let abandoned = !in_use && self.is_older(&path, ABANDONED)?;
            if abandoned {
                self.remove(&path, Reason::Leftover)?;
            } else if !is_hidden(&path) && !in_use && texts::verify(&path)?.is_some() {
                self.remove(&path, Reason::Damaged)?;
            }
        }
        Ok(())
    }

    /// What is of no use in one job that is held.
    fn of_job(&mut self, folder: &Path) -> Result<(), Error> {
        let Some(key) = Key::named(folder) else { return Ok(()) };
        let state = super::state_of(folder)?;
        if state == JobState::Empty && self.is_older(folder, ABANDONED)? {
            return self.remove(folder, Reason::Leftover);
        }
        self.damaged(&key, folder)?;
        let has_features = super::state_of(folder)? == JobState::Sealed && !self.is_removed(&folder.join(SEALED));
        for path in folders::files(folder)? {
            let sealed_since = has_features && path.starts_with(folder.join(BLOCKS));
            let unfinished = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(UNFINISHED));
            let of_no_use = sealed_since || unfinished && self.is_older(&path, UNHELD)?;
            if of_no_use && !self.is_removed(&path) {
                self.remove(&path, Reason::Leftover)?;
            }
        }
        Ok(())
    }

    /// Files that will not be used.
    fn damaged(&mut self, key: &Key, folder: &Path) -> Result<(), Error> {
        let mut found = Verification::default();
        verify::job(key, folder, &mut found)?;
        for fault in found.faults {
            match fault.unsound {
                Unsound::Damaged => self.remove(&fault.path, Reason::Damaged)?,
                Unsound::Newer(_) if self.request.newer_too => self.remove(&fault.path, Reason::OtherVersion)?,
                Unsound::Newer(_) => {}
            }
        }
        Ok(())
    }

    /// Jobs with features, finished or not, the least recently used first, until the cache is within the limit.
    fn evict(&mut self, before: u64, limit: u64) -> Result<(), Error> {
        let mut jobs = self.store.survey()?.jobs;
        while let Some(job) = jobs.pop().filter(|_| self.left_of(before) > limit) {
            if matches!(job.state, JobState::Sealed | JobState::Partial) && !self.is_removed(&job.path) {
                self.evict_job(&job)?;
            }
        }
        Ok(())
    }

    fn evict_job(&mut self, job: &JobEntry) -> Result<(), Error> {
        let Some(hold) = Hold::of(&job.path)? else { return Ok(()) };
        self.remove(&job.path, Reason::LeastRecentlyUsed)?;
        drop(hold);
        Ok(())
    }

    /// Removes a file or a folder, unless only asked what would go. A folder is renamed first: what is half removed
    /// must not look like a job.
    fn remove(&mut self, path: &Path, reason: Reason) -> Result<(), Error> {
        let inside: u64 = self.removed.iter().filter(|gone| gone.path.starts_with(path)).map(|gone| gone.bytes).sum();
        let bytes = folders::bytes(path)?.saturating_sub(if self.request.dry_run { inside } else { 0 });
        let about = super::about(path)?;
        if !self.request.dry_run {
            erase(path).map_err(refused("remove", path))?;
        }
        self.removed.push(Removal { path: path.to_owned(), reason, about, bytes });
        Ok(())
    }

    fn is_removed(&self, path: &Path) -> bool {
        self.removed.iter().any(|gone| gone.path == path)
    }

    fn left_of(&self, before: u64) -> u64 {
        before.saturating_sub(self.removed.iter().map(|gone| gone.bytes).sum())
    }

    /// Whether a file was changed that long ago. One from the future was not.
    fn is_older(&self, path: &Path, age: Duration) -> Result<bool, Error> {
        let changed = changed(path)?;
        Ok(changed.is_some_and(|changed| self.now.duration_since(changed).is_ok_and(|found| found > age)))
    }
}

/// Removes a file or a folder; fine if it is gone already.
fn erase(path: &Path) -> std::io::Result<()> {
    let removed = match (path.is_dir(), path.file_name().filter(|_| !is_hidden(path))) {
        (false, _) => fs::remove_file(path),
        (true, None) => fs::remove_dir_all(path),
        (true, Some(name)) => {
            let mut going = OsString::from(GOING);
            going.push(name);
            let going = path.with_file_name(going);
            fs::rename(path, &going).and_then(|()| fs::remove_dir_all(&going))
        }
    };
    folders::present(removed).map(drop)
}
