//! The layout of the Hugging Face cache, as `huggingface_hub` writes and reads it.
//!
//! ```text
//! models--org--name/refs/main                         the commit that a branch or tag stood at
//! models--org--name/snapshots/<commit>/onnx/model.onnx  -> ../../../blobs/<tag>
//! models--org--name/blobs/<tag>                       the content, named by the tag that the hub gives it
//! ```
//!
//! A file is written under a name of its own and renamed when it is whole, so an interruption leaves at most a file that
//! ends in `.incomplete`, and two programs that fetch the same file do not disturb each other.

use std::ffi::OsString;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::download::is_needed;
use super::name::{Name, is_commit};
use crate::zoo::files::{entries, settings_text};
use crate::zoo::weights::Kind;
use crate::zoo::{Error, sidecar};

/// Files that say how the input of a model is prepared.
const PREPARATIONS: [&str; 3] = ["preprocessor_config.json", "processor_config.json", "tokenizer.json"];
/// What timm's settings are named in `config.json`.
const OF_TIMM: &str = "\"pretrained_cfg\"";

/// The folder of the cache, given what the environment's variables hold.
pub(super) fn folder(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let set = |name| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let home = || Some(set("HOME")?.join(".cache"));
    let hugging_face = || Some(set("XDG_CACHE_HOME").or_else(home)?.join("huggingface"));
    set("HF_HUB_CACHE").or_else(|| Some(set("HF_HOME").or_else(hugging_face)?.join("hub")))
}

/// The part of the cache that belongs to one model.
pub(super) struct Repository {
    folder: PathBuf,
}

impl Repository {
    /// That part, whether or not it is there.
    pub fn new(cache: &Path, name: &Name) -> Self {
        Self { folder: cache.join(format!("models--{}", name.repository.replace('/', "--"))) }
    }

    /// The commit of a revision and the folder of its files; `None` if it was never fetched.
    pub fn snapshot(&self, revision: &str) -> Result<Option<(String, PathBuf)>, Error> {
        let reference = self.reference(revision);
        let commit = if reference.is_file() { settings_text(&reference)? } else { revision.to_owned() };
        let commit = commit.trim();
        let folder = self.files_of(commit);
        Ok((is_commit(commit) && folder.is_dir()).then(|| (commit.to_owned(), folder)))
    }

    /// The folder of a commit's files.
    pub fn files_of(&self, commit: &str) -> PathBuf {
        self.folder.join("snapshots").join(commit)
    }

    /// The content that has this tag.
    pub fn blob(&self, tag: &str) -> PathBuf {
        self.folder.join("blobs").join(tag)
    }

    /// An empty file that [`Self::keep`] makes the content of this tag. Dropped, it is deleted.
    pub fn begin(&self, tag: &str) -> Result<NamedTempFile, Error> {
        begin(&self.blob(tag), ".incomplete")
    }

    /// Makes a whole file the content of a tag.
    pub fn keep(&self, file: NamedTempFile, tag: &str) -> Result<(), Error> {
        keep(file, &self.blob(tag))
    }

    /// Lets a file of a commit have the content of a tag.
    pub fn link(&self, commit: &str, file: &str, tag: &str) -> Result<(), Error> {
        let link = self.files_of(commit).join(file);
        let fail = Error::writing(&link);
        fs::create_dir_all(link.parent().unwrap_or(&self.folder)).map_err(&fail)?;
        if link.symlink_metadata().is_ok() {
            fs::remove_file(&link).map_err(&fail)?;
        }
        let up = "../".repeat(file.split('/').count() + 1);
        symlink(format!("{up}blobs/{tag}"), &link).map_err(&fail)
    }

    /// Writes down which commit a branch or tag stands at. A commit stands for itself.
    pub fn remember(&self, revision: &str, commit: &str) -> Result<(), Error> {
        if revision == commit {
            return Ok(());
        }
        let reference = self.reference(revision);
        let file = begin(&reference, ".tmp")?;
        fs::write(file.path(), commit).map_err(Error::writing(&reference))?;
        keep(file, &reference)
    }

    fn reference(&self, revision: &str) -> PathBuf {
        self.folder.join("refs").join(revision)
    }
}

/// An empty file beside the place where it will stand, as readable as other new files.
fn begin(place: &Path, suffix: &str) -> Result<NamedTempFile, Error> {
    let fail = Error::writing(place);
    let folder = place.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(&fail)?;
    let prefix = format!("{}.", place.file_name().unwrap_or_default().to_string_lossy());
    let mut builder = tempfile::Builder::new();
    builder.prefix(&prefix).suffix(suffix).permissions(Permissions::from_mode(0o666));
    builder.tempfile_in(folder).map_err(fail)
}

fn keep(file: NamedTempFile, place: &Path) -> Result<(), Error> {
    let fail = Error::writing(place);
    file.as_file().sync_all().map_err(&fail)?;
    file.persist(place).map(drop).map_err(|refused| fail(refused.error))
}

/// What a snapshot lacks.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Lacking {
    /// A file without which nothing can be run, in words.
    File(String),
    /// Only what says how the input is prepared. The hub may have no such file either.
    Settings,
}

/// What a snapshot lacks to be run, judged by the names in it. Tools that fetch single files leave such snapshots.
pub(super) fn lacking(snapshot: &Path) -> Result<Option<Lacking>, Error> {
    let mut names = entries(snapshot)?;
    for below in names.clone().iter().filter(|name| snapshot.join(name).is_dir()) {
        names.extend(entries(&snapshot.join(below))?.iter().map(|name| below.join(name)));
    }
    let there = |name: &Path| snapshot.join(name).exists();
    if let Some(broken) = names.iter().find(|name| is_needed(&name.to_string_lossy()) && !there(name)) {
        return Ok(Some(Lacking::File(format!("the content of {}", broken.display()))));
    }
    let weights = |name: &&PathBuf| Kind::of(name) == Kind::Onnx || name.as_path() == Path::new("model.safetensors");
    let Some(weights) = names.iter().find(weights) else {
        return Ok(Some(Lacking::File("weights that can be run".to_owned())));
    };
    let prepared = PREPARATIONS.iter().any(|name| there(Path::new(name))) || there(&sidecar::beside(weights));
    Ok((!prepared && !is_of_timm(snapshot)?).then_some(Lacking::Settings))
}

fn is_of_timm(snapshot: &Path) -> Result<bool, Error> {
    let config = snapshot.join("config.json");
    Ok(config.is_file() && settings_text(&config)?.contains(OF_TIMM))
}
