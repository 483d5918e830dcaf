//! Models by their names in the Hugging Face hub.
//!
//! `org/name` or `org/name@revision` stands for a snapshot in the cache that Hugging Face's own tools fill and read
//! too. A snapshot that holds what a model is run from is used as it is, without a network. What is missing is fetched
//! where a network is allowed: the settings and one form of the weights, nothing else.

mod cache;
mod download;
mod http;
mod name;
mod trouble;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use super::{Error, Problem};
use cache::{Lacking, Repository};

pub(super) use name::Name;
pub use trouble::Trouble;

/// Where the hub is, if `HF_ENDPOINT` does not say otherwise.
const ENDPOINT: &str = "https://huggingface.co";
/// How long a silent hub is waited for, if `HF_HUB_DOWNLOAD_TIMEOUT` does not say otherwise.
const PATIENCE: Duration = Duration::from_secs(10);

/// How names of the hub are resolved: which cache, whether a network may be used, and who hears of it.
pub struct Access<'a> {
    /// The folder of the Hugging Face cache; `None` if the environment names none.
    pub cache: Option<PathBuf>,
    /// The hub that missing files are fetched from; `None`: no network is used.
    pub remote: Option<Remote>,
    /// Hears what is being fetched, one sentence at a time.
    pub say: &'a (dyn Fn(&str) + Sync),
    /// Set when the user asks to stop.
    pub stop: &'a AtomicBool,
}

/// A hub that files can be fetched from.
pub struct Remote {
    /// Its address without a slash at the end, such as `https://huggingface.co`.
    pub endpoint: String,
    /// What private and gated models ask for. It is sent to the endpoint only.
    pub token: Option<String>,
    /// How long a hub that sends nothing is waited for.
    pub patience: Duration,
}

impl<'a> Access<'a> {
    /// What the environment says, as Hugging Face's own tools read it: the cache is at `HF_HUB_CACHE`, else
    /// `$HF_HOME/hub`, else `$XDG_CACHE_HOME/huggingface/hub`, else `~/.cache/huggingface/hub`; the hub at
    /// `HF_ENDPOINT`, asked with `HF_TOKEN`. No network is used if `offline`, or if `HF_HUB_OFFLINE` says so.
    pub fn from_environment(offline: bool, say: &'a (dyn Fn(&str) + Sync), stop: &'a AtomicBool) -> Self {
        Self::of(offline, |name| std::env::var_os(name), say, stop)
    }

    fn of(
        offline: bool,
        variable: impl Fn(&str) -> Option<OsString>,
        say: &'a (dyn Fn(&str) + Sync),
        stop: &'a AtomicBool,
    ) -> Self {
        let text = |name| variable(name).and_then(|value| value.into_string().ok()).filter(|value| !value.is_empty());
        let offline = offline || text("HF_HUB_OFFLINE").is_some_and(|value| is_true(&value));
        let seconds = || text("HF_HUB_DOWNLOAD_TIMEOUT")?.parse().ok().filter(|&seconds: &u64| seconds > 0);
        let remote = || Remote {
            endpoint: text("HF_ENDPOINT").unwrap_or(ENDPOINT.to_owned()).trim_end_matches('/').to_owned(),
            token: text("HF_TOKEN").map(|token| token.trim().to_owned()),
            patience: seconds().map_or(PATIENCE, Duration::from_secs),
        };
        Self { cache: cache::folder(&variable), remote: (!offline).then(remote), say, stop }
    }
}

fn is_true(value: &str) -> bool {
    ["1", "true", "yes", "on"].iter().any(|word| value.eq_ignore_ascii_case(word))
}

/// The folder of the files of a model that is listed by name, after fetching what is missing.
pub(super) fn fetched(access: &Access, name: &str) -> Result<PathBuf, Error> {
    let name = Name::parse(name).ok_or_else(|| Trouble::Malformed.at(name))?;
    snapshot(access, &name)
}

/// The folder of a model's files in the cache, after fetching what is missing.
pub(super) fn snapshot(access: &Access, name: &Name) -> Result<PathBuf, Error> {
    let refuse = |trouble: Trouble| trouble.of(name);
    let cache = access.cache.as_deref().ok_or_else(|| refuse(Trouble::NoCache))?;
    let repository = Repository::new(cache, name);
    let (found, lacking) = match repository.snapshot(&name.revision)? {
        Some((commit, folder)) => {
            let lacking = cache::lacking(&folder)?;
            (Some((commit, folder)), lacking)
        }
        None => (None, None),
    };
    match (found, lacking, &access.remote) {
        (Some((_, folder)), None, _) | (Some((_, folder)), Some(Lacking::Settings), None) => Ok(folder),
        (Some(_), Some(Lacking::File(file)), None) => {
            Err(refuse(Trouble::Incomplete { lacking: file, fetch: name.fetch() }))
        }
        (None, _, None) => Err(refuse(Trouble::NotCached { fetch: name.fetch() })),
        (found, _, Some(remote)) => {
            let revision = found.map_or(name.revision.clone(), |(commit, _)| commit);
            download::snapshot(&repository, name, &revision, remote, access)
        }
    }
}

/// The name of a hub's model that stands where a path may stand. A path that exists is a path, and so is what has the
/// look of a file.
pub(super) fn named(path: &Path) -> Option<Name> {
    let absent = path.symlink_metadata().is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound);
    if absent { Name::of_path(path) } else { None }
}

/// Says of a name that was not found that there is no such path either.
pub(super) fn nor_a_path(error: Error) -> Error {
    match error.problem {
        Problem::Hub { trouble, .. } => Error { problem: Problem::Hub { trouble, nor_a_path: true }, ..error },
        _ => error,
    }
}

#[cfg(test)]
mod tests;
