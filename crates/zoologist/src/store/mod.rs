//! The store: every file that zoologist writes for itself, under `$ZOOLOGIST_CACHE` or the XDG cache folder.
//!
//! One folder per job. While it runs it holds checksummed block files, each written whole or not at all; when all rows
//! are there they are sealed into one `features.safetensors`. Resuming is listing and verifying: there is no index that
//! could disagree. Scores are cached beside the features. Everything here can be deleted without loss but time. Every
//! file has a checksum over all that matters in it, which is verified before use: see [`Kept`].
//!
//! ```text
//! $ZOOLOGIST_CACHE/v1/jobs/<key>/.lock                        held by the one who computes
//!                               .used                         held by those who use it; when it was used last
//!                               about.json                    which model, which data
//!                               order.json                    what the worker is asked to do; order-3-of-8.json and
//!                                                             .lock-3-of-8 where several share the job
//!                               blocks/000000000000.blk       header, failures, float32 rows
//!                               features.safetensors          sealed: all rows, with what made them
//!                               results/<key>.json            scores and timings
//! $ZOOLOGIST_CACHE/v1/texts/<digest>                          the texts of a job, by number
//! ```
//!
//! `v1` is the form of this layout. What another version wrote stands beside it and is not used.

mod atomic;
mod block;
pub mod cache;
mod checked;
mod folders;
mod job;
mod kept;
mod rows;
mod sealed;
pub mod statistics;
mod texts;

pub use atomic::write as write_whole;

use std::path::{Path, PathBuf};

pub use block::{Block, RowFailure};
pub use job::{About, JobFolder, JobLock, JobUse, read_order};
pub use kept::{Kept, Unsound};
pub use rows::StoredRows;
pub use sealed::{Sealed, Truncated};
pub use texts::{Text, Texts, TextsWriter};

use crate::base::path_text::{escape, show};
use crate::base::{Fail, Fault, parse_size};

/// The layout that this program reads and writes.
const LAYOUT: u32 = 1;
/// Where jobs are.
const JOBS: &str = "jobs";

/// What the machine or the files refuse.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no home folder and no `ZOOLOGIST_CACHE`.
    #[error("no folder for the cache: set ZOOLOGIST_CACHE to a folder that can be written")]
    NoFolder,
    /// The operating system refused.
    #[error("can't {action} {}: {source}. Free space or mend the permission, or point ZOOLOGIST_CACHE elsewhere; what was finished is kept", show(.path))]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The reason.
        source: std::io::Error,
    },
    /// A file of ours is damaged.
    #[error("{}: {what}. Delete it and run again", show(.path))]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The cache is somebody else's.
    #[error(
        "{} belongs to another user (id {owner}), who could change what is believed. Point ZOOLOGIST_CACHE at a folder of your own",
        show(.path)
    )]
    Foreign {
        /// The folder.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
    },
    /// The environment names no size.
    #[error("ZOOLOGIST_CACHE_MAX: {}", escape(.0))]
    Limit(String),
}

impl Fail for Error {
    fn fault(&self) -> Fault {
        match self {
            Self::Limit(_) => Fault::Usage,
            Self::NoFolder | Self::Io { .. } | Self::Damaged { .. } | Self::Foreign { .. } => Fault::Environment,
        }
    }
}

/// The error of an operation on a path.
fn refused(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::Io { action, path, source }
}

/// The names of the things that a job or a score depends on, hashed.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Key(String);

impl Key {
    /// The key of some named parts. Any change of a name, a value or their number changes the key.
    ///
    /// ```
    /// use zoologist::store::Key;
    /// assert_ne!(Key::of(&[("model", "a"), ("data", "b")]), Key::of(&[("model", "ab"), ("data", "")]));
    /// ```
    pub fn of(parts: &[(&str, &str)]) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("zoologist 2026 store key");
        for text in parts.iter().flat_map(|(name, value)| [name, value]) {
            hasher.update(&(text.len() as u64).to_le_bytes());
            hasher.update(text.as_bytes());
        }
        Self(hasher.finalize().to_hex().to_string())
    }

    /// 64 hexadecimal digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The key that a folder of a job is named by.
    fn named(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_str()?;
        let digits = name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        (digits && name.len() == 2 * blake3::OUT_LEN).then(|| Self(name.to_owned()))
    }
}

/// The root of the store.
#[derive(Debug, Clone)]
pub struct Store {
    root: PathBuf,
    limit: Option<u64>,
}

impl Store {
    /// The store that the environment names: `$ZOOLOGIST_CACHE`, `$XDG_CACHE_HOME/zoologist` or `~/.cache/zoologist`;
    /// it is kept below the size `$ZOOLOGIST_CACHE_MAX` if that is set.
    pub fn from_environment() -> Result<Self, Error> {
        let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        let folder = |name| variable(name).map(PathBuf::from);
        let root = folder("ZOOLOGIST_CACHE")
            .or_else(|| folder("XDG_CACHE_HOME").map(|folder| folder.join("zoologist")))
            .or_else(|| folder("HOME").map(|folder| folder.join(".cache/zoologist")))
            .ok_or(Error::NoFolder)?;
        let limit = variable("ZOOLOGIST_CACHE_MAX").map(|size| parse_size(&size.to_string_lossy()));
        Ok(Self { limit: limit.transpose().map_err(Error::Limit)?, ..Self::at(&root) })
    }

    /// A store in this folder, which is made when first written.
    pub fn at(root: &Path) -> Self {
        Self::with_root(root.join(format!("v{LAYOUT}")))
    }

    /// The store that a worker is told to write to.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The store whose [`Store::root`] this is.
    pub fn with_root(root: PathBuf) -> Self {
        Self { root, limit: None }
    }

    /// The same store, kept below this many bytes.
    #[must_use]
    pub fn limited(self, bytes: u64) -> Self {
        Self { limit: Some(bytes), ..self }
    }

    /// The folder of a job, made if need be.
    pub fn job(&self, key: &Key) -> Result<JobFolder, Error> {
        JobFolder::open(self.prepared()?.join(JOBS).join(key.as_str()), key)
    }

    /// The folder that holds this layout and those of other versions.
    fn folder(&self) -> &Path {
        self.root.parent().unwrap_or(&self.root)
    }

    /// The root, made if need be, and ours.
    fn prepared(&self) -> Result<&Path, Error> {
        folders::require_own(self.folder())?;
        folders::make(&self.root)?;
        folders::require_own(&self.root)?;
        Ok(&self.root)
    }
}
