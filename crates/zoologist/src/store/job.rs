//! The folder of one job: its lock, its blocks, its sealed features, its small results.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Block, Error, Key, RowFailure, Sealed, atomic, refused};

/// The folder of one job.
#[derive(Debug, Clone)]
pub struct JobFolder {
    path: PathBuf,
    key: Key,
}

/// Holds a job for one process; the kernel frees it when that process dies.
#[derive(Debug)]
pub struct JobLock {
    _file: File,
}

impl JobFolder {
    pub(super) fn open(path: PathBuf, key: &Key) -> Result<Self, Error> {
        for folder in [path.join("blocks"), path.join("results")] {
            fs::create_dir_all(&folder).map_err(refused("make the folder", &folder))?;
        }
        Ok(Self { path, key: key.clone() })
    }

    /// Takes the job for this process. Calls `waiting` once if another process has it, and waits.
    pub fn lock(&self, waiting: impl FnOnce()) -> Result<JobLock, Error> {
        let path = self.path.join(".lock");
        let file = File::options().create(true).append(true).open(&path).map_err(refused("open the lock", &path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => {
                waiting();
                file.lock().map_err(refused("lock", &path))?;
            }
            Err(fs::TryLockError::Error(error)) => return Err(refused("lock", &path)(error)),
        }
        Ok(JobLock { _file: file })
    }

    /// Writes a block, whole or not at all.
    pub fn write_block(&self, block: &Block) -> Result<(), Error> {
        atomic::write(&self.block_path(block.first), |into| block.write(&self.key, into))
    }

    /// The block that covers exactly these rows, if it is there and sound.
    pub fn block(&self, rows: &Range<usize>) -> Option<Block> {
        let bytes = fs::read(self.block_path(rows.start as u64)).ok()?;
        Block::read(&self.key, &bytes).filter(|block| block.first == rows.start as u64 && block.rows() == rows.len())
    }

    /// Joins the blocks of these ranges into the sealed features, and removes them.
    pub fn seal(&self, ranges: &[Range<usize>], metadata: BTreeMap<String, String>) -> Result<Sealed, Error> {
        let sealed = self.join(ranges, metadata)?;
        sealed.write(&self.key, &self.sealed_path())?;
        let blocks = self.path.join("blocks");
        fs::remove_dir_all(&blocks).and_then(|()| fs::create_dir(&blocks)).map_err(refused("clear", &blocks))?;
        Ok(sealed)
    }

    /// Joins the blocks of these ranges, in memory only.
    pub fn join(&self, ranges: &[Range<usize>], metadata: BTreeMap<String, String>) -> Result<Sealed, Error> {
        let mut values = vec![];
        let mut failures: Vec<RowFailure> = vec![];
        let (mut dim, mut truncated) = (0, 0);
        for rows in ranges {
            let path = self.block_path(rows.start as u64);
            let block = self.block(rows).ok_or(Error::Damaged { path, what: "the block is missing or damaged" })?;
            dim = block.dim;
            values.extend(block.values);
            failures.extend(block.failures);
            truncated += block.truncated;
        }
        Ok(Sealed { dim, values, failures, truncated, metadata })
    }

    /// The sealed features, if they are there and sound. A damaged file counts as absent: the work is done again.
    pub fn sealed(&self) -> Option<Sealed> {
        Sealed::read(&self.key, &fs::read(self.sealed_path()).ok()?)
    }

    /// Whether there is a sealed file, sound or not.
    pub fn has_sealed(&self) -> bool {
        self.sealed_path().exists()
    }

    /// Keeps a small result beside the features.
    pub fn write_result<T: Serialize>(&self, key: &Key, value: &T) -> Result<(), Error> {
        atomic::write(&self.result_path(key), |into| Ok(serde_json::to_writer(into, value)?))
    }

    /// A small result that was kept, if it is there and sound.
    pub fn result<T: DeserializeOwned>(&self, key: &Key) -> Option<T> {
        serde_json::from_slice(&fs::read(self.result_path(key)).ok()?).ok()
    }

    /// Where the folder is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes the description of the work for a worker, and gives its path.
    pub fn write_order<T: Serialize>(&self, order: &T) -> Result<PathBuf, Error> {
        let path = self.path.join("order.json");
        atomic::write(&path, |into| Ok(serde_json::to_writer(into, order)?))?;
        Ok(path)
    }

    fn block_path(&self, first: u64) -> PathBuf {
        self.path.join("blocks").join(format!("{first:012}.blk"))
    }

    fn sealed_path(&self) -> PathBuf {
        self.path.join("features.safetensors")
    }

    fn result_path(&self, key: &Key) -> PathBuf {
        self.path.join("results").join(format!("{}.json", key.as_str()))
    }
}
