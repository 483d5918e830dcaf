//! Whether a file that is not trusted lies beneath the folder that it belongs to.
//!
//! Links are followed first and judged by where they end. A snapshot in the Hugging Face cache is made of links into
//! the cache's own `blobs` folder beside `snapshots`: those are allowed. Newer tools keep there links into one store of
//! the whole cache, which is marked as such: those are allowed too.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The file by which `huggingface_hub` knows the store of a cache.
const MARK_OF_SHARED: &str = ".huggingface-shared-blobs";
/// How the folder of a repository in the cache begins.
const REPOSITORIES: [&str; 2] = ["models--", "datasets--"];

/// A folder, and where else its files may lie.
#[derive(Debug, Clone)]
pub struct Enclosure {
    allowed: Vec<PathBuf>,
}

impl Enclosure {
    /// That folder. It may itself be a link: the user chose it.
    pub fn new(folder: &Path) -> io::Result<Self> {
        let here = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        let real = fs::canonicalize(here)?;
        let mut allowed = content_of_snapshot(&real);
        allowed.push(real);
        Ok(Self { allowed })
    }

    /// Whether this path ends inside.
    pub fn holds(&self, path: &Path) -> io::Result<bool> {
        let real = fs::canonicalize(path)?;
        Ok(self.allowed.iter().any(|folder| real.starts_with(folder)))
    }
}

/// Where the content lies of the cached repository that a folder is a snapshot of, or part of a snapshot: its own
/// `blobs` folder, and the store that all repositories of the cache share, if there is one.
fn content_of_snapshot(real: &Path) -> Vec<PathBuf> {
    let snapshots = real.ancestors().find(|above| above.file_name() == Some(OsStr::new("snapshots")));
    let Some(repository) = snapshots.and_then(Path::parent) else { return Vec::new() };
    let name = repository.file_name().unwrap_or_default().to_string_lossy();
    if !REPOSITORIES.iter().any(|begin| name.starts_with(begin)) {
        return Vec::new();
    }
    let shared = repository.with_file_name("blobs");
    let shared = Some(shared).filter(|store| store.join(MARK_OF_SHARED).is_file());
    [Some(repository.join("blobs")), shared].into_iter().flatten().collect()
}
