//! The folder of one job: its lock, its blocks, its sealed features, its small results.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::ops::Range;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{Block, Error, Kept, Key, Sealed, Unsound, atomic, checked, folders, refused};

/// Where blocks are.
pub(super) const BLOCKS: &str = "blocks";
/// Where small results are.
pub(super) const RESULTS: &str = "results";
/// The sealed features.
pub(super) const SEALED: &str = "features.safetensors";
/// Held by the one who computes.
pub(super) const LOCK: &str = ".lock";
/// Held by all who use the features; its time of change is that of the last use.
pub(super) const USED: &str = ".used";
/// What the worker is asked to do; of one that does a part, the part comes before the dot.
pub(super) const ORDER: &str = "order";
/// What the job is.
pub(super) const ABOUT: &str = "about.json";

/// The folder of one job.
#[derive(Debug, Clone)]
pub struct JobFolder {
    pub(super) path: PathBuf,
    pub(super) key: Key,
    /// What this process does of the job, if others do the rest at the same time.
    pub(super) part: Option<String>,
}

/// Holds a job for one process; the kernel frees it when that process dies.
#[derive(Debug)]
pub struct JobLock {
    _files: Vec<File>,
}

/// Keeps a job from being removed while its features are used.
#[derive(Debug)]
pub struct JobUse {
    _file: File,
}

/// What a job is, in the user's words. No result depends on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// The model or baseline.
    pub model: String,
    /// The data set.
    pub data: String,
}

impl JobFolder {
    pub(super) fn open(path: PathBuf, key: &Key) -> Result<Self, Error> {
        let job = Self { path, key: key.clone(), part: None };
        job.make()?;
        Ok(job)
    }

    fn make(&self) -> Result<(), Error> {
        folders::make(&self.path.join(BLOCKS))?;
        folders::make(&self.path.join(RESULTS))
    }

    /// The same job for a process that does a part of it, while others do the rest.
    #[must_use]
    pub fn part(self, name: &str) -> Self {
        Self { part: Some(name.to_owned()), ..self }
    }

    /// Takes the job for this process, or its part of it. Calls `waiting` once if another process has it, and waits.
    pub fn lock(&self, waiting: impl FnOnce()) -> Result<JobLock, Error> {
        let mut waiting = Some(waiting);
        let mut files = vec![self.locked(LOCK, self.part.is_some(), &mut waiting)?];
        if let Some(part) = &self.part {
            files.push(self.locked(&format!("{LOCK}-{part}"), false, &mut waiting)?);
        }
        Ok(JobLock { _files: files })
    }

    /// Keeps other processes from the small results for a moment, so that one can be read and replaced.
    pub fn lock_results(&self) -> Result<JobLock, Error> {
        let file = self.locked(&format!("{LOCK}-results"), false, &mut None::<fn()>)?;
        Ok(JobLock { _files: vec![file] })
    }

    /// A locked file; other processes may share the lock with us or not.
    fn locked(&self, name: &str, shared: bool, waiting: &mut Option<impl FnOnce()>) -> Result<File, Error> {
        let path = self.path.join(name);
        loop {
            let file =
                File::options().create(true).append(true).open(&path).map_err(refused("open the lock", &path))?;
            match if shared { file.try_lock_shared() } else { file.try_lock() } {
                Ok(()) => {}
                Err(fs::TryLockError::WouldBlock) => {
                    waiting.take().into_iter().for_each(|waiting| waiting());
                    let locked = if shared { file.lock_shared() } else { file.lock() };
                    locked.map_err(refused("lock", &path))?;
                }
                Err(fs::TryLockError::Error(error)) => return Err(refused("lock", &path)(error)),
            }
            if is_at(&file, &path).map_err(refused("lock", &path))? {
                return Ok(file);
            }
            // Whoever held the lock has removed the whole job.
            self.make()?;
        }
    }

    /// Marks the job as used now, and keeps it from being removed as long as the result lives. To be called by
    /// whoever holds the lock: then nobody is about to remove the job.
    pub fn mark_used(&self, _lock: &JobLock) -> Result<JobUse, Error> {
        let path = self.path.join(USED);
        let file = File::options().create(true).append(true).open(&path).map_err(refused("open", &path))?;
        file.lock_shared().map_err(refused("lock", &path))?;
        file.set_modified(SystemTime::now()).map_err(refused("mark as used", &path))?;
        Ok(JobUse { _file: file })
    }

    /// Keeps what the job is, for whoever lists the cache.
    pub fn write_about(&self, about: &About) -> Result<(), Error> {
        if self.about()?.sound().as_ref() == Some(about) {
            return Ok(());
        }
        checked::write(&self.path.join(ABOUT), ABOUT, about)
    }

    /// What the job is.
    pub fn about(&self) -> Result<Kept<About>, Error> {
        Ok(Kept::of(folders::read(&self.path.join(ABOUT))?, |bytes| checked::read(ABOUT, bytes)))
    }

    /// Writes a block, whole or not at all.
    pub fn write_block(&self, block: &Block) -> Result<(), Error> {
        atomic::write(&self.block_path(block.first), |into| block.write(&self.key, into))
    }

    /// The block that covers exactly these rows.
    pub fn block(&self, rows: &Range<usize>) -> Result<Kept<Block>, Error> {
        let bytes = folders::read(&self.block_path(rows.start as u64))?;
        Ok(Kept::of(bytes, |bytes| {
            let block = Block::read(&self.key, bytes)?;
            let covers = block.first == rows.start as u64 && block.rows() == rows.len();
            if covers { Ok(block) } else { Err(Unsound::Damaged) }
        }))
    }

    /// The block of these rows, which must be there and sound.
    pub fn sound_block(&self, rows: &Range<usize>) -> Result<Block, Error> {
        let path = self.block_path(rows.start as u64);
        let damaged = Error::Damaged { path, what: "the block is missing or damaged" };
        self.block(rows)?.sound().ok_or(damaged)
    }

    /// Joins the blocks of these ranges into the sealed features, and removes them.
    pub fn seal(&self, ranges: &[Range<usize>], metadata: BTreeMap<String, String>) -> Result<Sealed, Error> {
        let path = self.path.join(SEALED);
        let (joined, numbers) = Sealed::of_blocks(self, ranges, metadata)?;
        joined.write(&self.key, numbers, &path)?;
        let damaged = Error::Damaged { path, what: "it is not what was written" };
        let sealed = self.sealed()?.sound().ok_or(damaged)?;
        self.clear_blocks()?;
        Ok(sealed)
    }

    /// Removes the blocks, which are of no use once the features are sealed.
    pub fn clear_blocks(&self) -> Result<(), Error> {
        let blocks = self.path.join(BLOCKS);
        if folders::entries(&blocks)?.is_empty() {
            return Ok(());
        }
        fs::remove_dir_all(&blocks).map_err(refused("clear", &blocks))?;
        folders::make(&blocks)
    }

    /// Joins the blocks of these ranges, which stay as they are.
    pub fn join(&self, ranges: &[Range<usize>], metadata: BTreeMap<String, String>) -> Result<Sealed, Error> {
        Sealed::of_blocks(self, ranges, metadata).map(|(joined, _)| joined)
    }

    /// The sealed features.
    pub fn sealed(&self) -> Result<Kept<Sealed>, Error> {
        Sealed::open(&self.key, &self.path.join(SEALED))
    }

    /// Keeps a small result beside the features.
    pub fn write_result<T: Serialize>(&self, key: &Key, value: &T) -> Result<(), Error> {
        checked::write(&self.result_path(key), key.as_str(), value)
    }

    /// A small result that was kept, if it is there and sound.
    pub fn result<T: DeserializeOwned>(&self, key: &Key) -> Result<Option<T>, Error> {
        Ok(Kept::of(folders::read(&self.result_path(key))?, |bytes| checked::read(key.as_str(), bytes)).sound())
    }

    /// Removes the small results that are damaged, and gives all that will not be used, and why. Not every one that is
    /// missing is made again: that of a finished job's timing, for one, is lost.
    pub fn clear_results(&self) -> Result<Vec<(PathBuf, Unsound)>, Error> {
        let unsound = self.unsound_results()?;
        for (path, _) in unsound.iter().filter(|(_, unsound)| *unsound == Unsound::Damaged) {
            folders::present(fs::remove_file(path)).map_err(refused("remove", path))?;
        }
        Ok(unsound)
    }

    /// The small results that will not be used, and why.
    pub fn unsound_results(&self) -> Result<Vec<(PathBuf, Unsound)>, Error> {
        let mut found = vec![];
        for path in folders::entries(&self.path.join(RESULTS))?.into_iter().filter(|path| !is_hidden(path)) {
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let kept = Kept::of(folders::read(&path)?, |bytes| checked::verify(&name, bytes));
            found.extend(kept.unsound().map(|unsound| (path, unsound)));
        }
        Ok(found)
    }

    /// Where the folder is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes the description of the work for a worker, and gives its path.
    pub fn write_order<T: Serialize>(&self, order: &T) -> Result<PathBuf, Error> {
        let part = self.part.as_ref().map_or(String::new(), |part| format!("-{part}"));
        let path = self.path.join(format!("{ORDER}{part}.json"));
        checked::write(&path, ORDER, order)?;
        Ok(path)
    }

    fn block_path(&self, first: u64) -> PathBuf {
        self.path.join(BLOCKS).join(block_name(first))
    }

    fn result_path(&self, key: &Key) -> PathBuf {
        self.path.join(RESULTS).join(format!("{}.json", key.as_str()))
    }
}

/// Reads what [`JobFolder::write_order`] wrote.
pub fn read_order<T: DeserializeOwned>(path: &Path) -> Result<T, Error> {
    let order = Kept::of(folders::read(path)?, |bytes| checked::read(ORDER, bytes)).sound();
    order.ok_or_else(|| Error::Damaged { path: path.to_owned(), what: "the worker's order is missing or damaged" })
}

/// The file of the block that begins with this row.
pub(super) fn block_name(first: u64) -> String {
    format!("{first:012}.blk")
}

/// Whether a file is a lock or unfinished.
pub(super) fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
}

/// Whether an open file still stands at its path.
fn is_at(file: &File, path: &Path) -> std::io::Result<bool> {
    let identity = |found: fs::Metadata| (found.dev(), found.ino());
    match fs::metadata(path) {
        Ok(found) => Ok(identity(found) == identity(file.metadata()?)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store;

    #[test]
    fn a_lock_that_was_removed_with_its_job_is_taken_anew() {
        let folder = tempfile::tempdir().unwrap();
        let job = Store::at(folder.path()).job(&Key::of(&[("model", "a")])).unwrap();
        let held = job.lock(|| ()).unwrap();
        let lock = job.path().join(LOCK);
        std::thread::scope(|scope| {
            let (said, heard) = std::sync::mpsc::channel();
            let waiter = scope.spawn(|| job.lock(move || said.send(()).unwrap()));
            heard.recv().unwrap();
            fs::remove_dir_all(job.path()).unwrap();
            drop(held);
            let taken = waiter.join().unwrap().unwrap();
            assert!(lock.exists() && job.path().join(BLOCKS).is_dir());
            assert!(File::open(&lock).unwrap().try_lock().is_err(), "the new file is the one that is locked");
            drop(taken);
        });
    }

    #[test]
    fn a_damaged_result_is_named_and_not_used() {
        let folder = tempfile::tempdir().unwrap();
        let job = Store::at(folder.path()).job(&Key::of(&[("model", "a")])).unwrap();
        let key = Key::of(&[("metric", "logme")]);
        job.write_result(&key, &1.5).unwrap();
        assert_eq!((job.result::<f64>(&key).unwrap(), job.unsound_results().unwrap()), (Some(1.5), vec![]));
        let path = job.result_path(&key);
        fs::write(&path, fs::read_to_string(&path).unwrap().replace("1.5", "2.5")).unwrap();
        assert_eq!(job.result::<f64>(&key).unwrap(), None);
        assert_eq!(job.unsound_results().unwrap(), [(path.clone(), Unsound::Damaged)]);
        assert_eq!(job.clear_results().unwrap(), [(path.clone(), Unsound::Damaged)]);
        assert!(!path.exists() && job.clear_results().unwrap().is_empty());
    }
}
