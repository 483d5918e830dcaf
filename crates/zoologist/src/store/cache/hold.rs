//! Whether a job is at work or in use, and keeping others away while it is removed.

use std::fs::{File, TryLockError};
use std::path::Path;

use crate::store::job::{LOCK, USED};
use crate::store::{Error, folders, refused};

/// Keeps a job that nobody works on or uses from being taken.
pub struct Hold {
    _locks: [Option<File>; 2],
}

impl Hold {
    /// Holds a job; `None` if a process works on it or uses it.
    pub fn of(job: &Path) -> Result<Option<Self>, Error> {
        let Attempt::Taken(lock) = exclusively(&job.join(LOCK))? else { return Ok(None) };
        let Attempt::Taken(used) = exclusively(&job.join(USED))? else { return Ok(None) };
        Ok(Some(Self { _locks: [lock, used] }))
    }
}

/// Whether a process holds a lock.
pub fn is_held(path: &Path) -> Result<bool, Error> {
    Ok(matches!(exclusively(path)?, Attempt::Held))
}

enum Attempt {
    /// Nobody had it. A file that isn't there is nobody's.
    Taken(Option<File>),
    Held,
}

fn exclusively(path: &Path) -> Result<Attempt, Error> {
    // For writing, as some network file systems want it.
    let opened = folders::present(File::options().append(true).open(path)).map_err(refused("open the lock", path))?;
    match opened.as_ref().map(File::try_lock) {
        None | Some(Ok(())) => Ok(Attempt::Taken(opened)),
        Some(Err(TryLockError::WouldBlock)) => Ok(Attempt::Held),
        Some(Err(TryLockError::Error(error))) => Err(refused("lock", path)(error)),
    }
}
