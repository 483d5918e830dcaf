//! The store: every file that zoologist writes for itself, under `$ZOOLOGIST_CACHE` or the XDG cache folder.
//!
//! One folder per job. While it runs it holds checksummed block files, each written whole or not at all; when all rows
//! are there they are sealed into one `features.safetensors`. Resuming is listing and verifying: there is no index that
//! could disagree. Scores are cached beside the features. Everything here can be deleted without loss but time.
//!
//! ```text
//! $ZOOLOGIST_CACHE/v1/jobs/<key>/.lock
//!                               blocks/000000000000.blk       header, failures, float32 rows
//!                               features.safetensors          sealed: all rows, with what made them
//!                               results/<key>.json          scores and timings
//! $ZOOLOGIST_CACHE/v1/texts/<digest>                          the texts of a job, by number
//! ```

mod atomic;
mod block;
mod job;
mod sealed;
pub mod statistics;
mod texts;

pub use atomic::write as write_whole;

use std::path::{Path, PathBuf};

pub use block::{Block, RowFailure};
pub use job::{JobFolder, JobLock};
pub use sealed::Sealed;
pub use texts::{Text, Texts, TextsWriter};

use crate::base::path_text::show;
use crate::base::{Fail, Fault};

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
}

impl Fail for Error {
    fn fault(&self) -> Fault {
        Fault::Environment
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
}

/// The root of the store.
#[derive(Debug, Clone)]
pub struct Store {
    root: PathBuf,
}

impl Store {
    /// The store that the environment names: `$ZOOLOGIST_CACHE`, `$XDG_CACHE_HOME/zoologist` or `~/.cache/zoologist`.
    pub fn from_environment() -> Result<Self, Error> {
        let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let root = variable("ZOOLOGIST_CACHE")
            .or_else(|| variable("XDG_CACHE_HOME").map(|folder| folder.join("zoologist")))
            .or_else(|| variable("HOME").map(|folder| folder.join(".cache/zoologist")))
            .ok_or(Error::NoFolder)?;
        Ok(Self::at(&root))
    }

    /// A store in this folder, which is made when first written.
    pub fn at(root: &Path) -> Self {
        Self { root: root.join("v1") }
    }

    /// The store that a worker is told to write to.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The store whose [`Store::root`] this is.
    pub fn with_root(root: PathBuf) -> Self {
        Self { root }
    }

    /// The folder of a job, made if need be.
    pub fn job(&self, key: &Key) -> Result<JobFolder, Error> {
        JobFolder::open(self.root.join("jobs").join(key.as_str()), key)
    }
}
