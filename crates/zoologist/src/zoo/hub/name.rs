//! A model's name in the hub: `name` or `org/name`, perhaps with `@revision`.

use std::path::Path;

use crate::zoo::files::extension;
use crate::zoo::weights::Kind;

/// The branch that is meant if none is given.
const MAIN: &str = "main";
/// The hub's own limit for each part of a name.
const LONGEST_PART: usize = 96;
/// The longest name of a file on common file systems.
const LONGEST_REVISION: usize = 255;
/// What has such an extension, where a path may stand, is a file that is missing.
const FILES: [&str; 14] =
    ["toml", "json", "jsonl", "csv", "tsv", "txt", "npy", "npz", "parquet", "gz", "zip", "tar", "png", "jpg"];

/// A name that is well formed: it can stand in an address and, its slashes replaced, in a file's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::zoo) struct Name {
    /// The name as it was given.
    pub text: String,
    /// `org/name`, or `name` alone.
    pub repository: String,
    /// A branch, a tag or a commit.
    pub revision: String,
}

impl Name {
    /// Reads a name; `None` if it is not one.
    pub fn parse(text: &str) -> Option<Self> {
        let (repository, revision) = text.split_once('@').unwrap_or((text, MAIN));
        let parts: Vec<&str> = repository.split('/').collect();
        let well_formed = parts.len() <= 2 && parts.iter().all(|part| is_part(part)) && is_revision(revision);
        // The cache writes `--` for a slash, so it can't stand for itself.
        let unambiguous = !repository.contains("--") && !repository.contains("..");
        (well_formed && unambiguous).then(|| Self {
            text: text.to_owned(),
            repository: repository.to_owned(),
            revision: revision.to_owned(),
        })
    }

    /// Reads a name that stands where a path may stand.
    pub fn of_path(path: &Path) -> Option<Self> {
        let name = Self::parse(path.to_str()?)?;
        let repository = Path::new(&name.repository);
        let is_file = Kind::of(repository) != Kind::Other || FILES.contains(&extension(repository).as_str());
        (!is_file).then_some(name)
    }

    /// The command of Hugging Face's own tool that fetches the model.
    pub fn fetch(&self) -> String {
        let revision = if self.revision == MAIN { String::new() } else { format!(" --revision {}", self.revision) };
        format!("hf download {}{revision}", self.repository)
    }
}

/// Letters, digits and `-_.`, the first and the last no `-` and no `.`.
fn is_part(part: &str) -> bool {
    let edge = |edge: Option<char>| edge.is_some_and(|edge| edge != '-' && edge != '.');
    part.len() <= LONGEST_PART && is_plain(part) && edge(part.chars().next()) && edge(part.chars().last())
}

fn is_revision(revision: &str) -> bool {
    let part = |part: &str| is_plain(part) && !part.starts_with(['.', '-']);
    revision.len() <= LONGEST_REVISION && revision.split('/').all(part)
}

/// Whether a text is made of letters, digits and `-_.`, and can so be part of a path and of an address.
pub(super) fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

/// Whether a text is a commit: hexadecimal digits.
pub(super) fn is_commit(text: &str) -> bool {
    !text.is_empty() && text.len() <= LONGEST_PART && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}
