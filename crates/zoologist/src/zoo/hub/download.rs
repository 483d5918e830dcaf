//! Fetching what a model is run from, and no more: its settings, and one form of its weights.
//!
//! The hub is not trusted with the places of files. Names from its listing are taken only if they are on the list here,
//! tags and commits only if they are plain words, and content only if it has the size and, where the tag is one, the
//! SHA-256 that the hub states.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::cache::Repository;
use super::http::{Answer, Client};
use super::name::{Name, is_commit, is_plain};
use super::{Access, Remote, Trouble};
use crate::zoo::Error;
use crate::zoo::files::hexadecimal;
use crate::zoo::weights::Kind;

/// Files of settings, where a model has them.
const SETTINGS: [&str; 8] = [
    "config.json",
    "preprocessor_config.json",
    "processor_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "sentence_bert_config.json",
    "modules.json",
];
/// The forms of weights, the best first. An ONNX file may have its data in further files beside it.
const WEIGHTS: [&str; 3] = ["onnx/model.onnx", "model.onnx", "model.safetensors"];
/// No model is run from more files.
const MOST_FILES: usize = 1000;
/// A transfer that is slower for longer than [`GRACE`] is given up: bytes per second.
const SLOWEST: u64 = 8 << 10;
/// How long any transfer may take.
const GRACE: Duration = Duration::from_mins(1);
/// How much is received at a time.
const RECEIVED_AT_ONCE: usize = 1 << 16;

/// What the hub says of a model. Everything else in its answer is ignored.
#[derive(Deserialize)]
struct Listing {
    /// The commit.
    sha: String,
    siblings: Vec<Sibling>,
    library_name: Option<String>,
}

#[derive(Deserialize)]
struct Sibling {
    rfilename: String,
}

/// Fetches what a snapshot lacks, and gives its folder. What is there already is not fetched again.
pub(super) fn snapshot(
    repository: &Repository,
    name: &Name,
    revision: &str,
    remote: &Remote,
    access: &Access,
) -> Result<PathBuf, Error> {
    let client = Client::new(remote);
    let listing = listing(&client, name, revision).map_err(|trouble| trouble.of(name))?;
    let files = chosen(&listing, name).map_err(|trouble| trouble.of(name))?;
    let fetch = Fetch { repository, name, commit: &listing.sha, client: &client, access };
    for file in files {
        fetch.file(file)?;
    }
    repository.remember(revision, &listing.sha)?;
    Ok(repository.files_of(&listing.sha))
}

fn listing(client: &Client, name: &Name, revision: &str) -> Result<Listing, Trouble> {
    let text = client.listing(&name.repository, revision)?;
    let listing: Listing =
        serde_json::from_slice(&text).map_err(|error| Trouble::Strange(format!("its listing: {error}")))?;
    if is_commit(&listing.sha) { Ok(listing) } else { Err(Trouble::Strange(format!("commit {}", listing.sha))) }
}

/// The files to fetch: settings, then the best form of the weights with its data.
fn chosen<'a>(listing: &'a Listing, name: &Name) -> Result<Vec<&'a str>, Trouble> {
    let names = || listing.siblings.iter().map(|sibling| sibling.rfilename.as_str());
    let Some(weights) = WEIGHTS.iter().find(|weights| names().any(|name| name == **weights)) else {
        let library = if listing.library_name.as_deref() == Some("timm") { "timm" } else { "transformers" };
        let pickle = names().find(|name| Kind::of(Path::new(name)) == Kind::Pickle).map(str::to_owned);
        return Err(Trouble::NoWeights { library, repository: name.repository.clone(), pickle });
    };
    let belongs = |name: &&str| name == weights || is_data_of(weights, name);
    let files: Vec<_> = names().filter(|name| is_setting(name)).chain(names().filter(belongs)).collect();
    if files.len() > MOST_FILES { Err(Trouble::Strange(format!("{} files to fetch", files.len()))) } else { Ok(files) }
}

/// Whether a file of a model is one of those that it is run from.
pub(super) fn is_needed(file: &str) -> bool {
    is_setting(file) || WEIGHTS.iter().any(|weights| file == *weights || is_data_of(weights, file))
}

fn is_setting(file: &str) -> bool {
    let pooling = |folder: &str| folder.ends_with("_Pooling") && is_plain(folder);
    SETTINGS.contains(&file) || file.strip_suffix("/config.json").is_some_and(pooling)
}

/// Whether a file holds data of an ONNX file: `model.onnx_data`, `model.onnx_data_1`, `model.onnx.data`.
fn is_data_of(weights: &str, file: &str) -> bool {
    let kind = |file: &str| Kind::of(Path::new(file));
    let rest = file.strip_prefix(weights).filter(|rest| rest.starts_with(['_', '.']) && is_plain(rest));
    rest.is_some() && kind(weights) == Kind::Onnx && kind(file) == Kind::Other
}

/// What fetching the files of one commit needs.
struct Fetch<'a> {
    repository: &'a Repository,
    name: &'a Name,
    commit: &'a str,
    client: &'a Client<'a>,
    access: &'a Access<'a>,
}

impl Fetch<'_> {
    /// Fetches a file, unless it is there.
    fn file(&self, file: &str) -> Result<(), Error> {
        if self.repository.files_of(self.commit).join(file).is_file() {
            return Ok(());
        }
        let answer =
            self.client.file(&self.name.repository, self.commit, file).map_err(|trouble| self.refuse(trouble))?;
        let tag = self.tag(file, answer.tag.as_deref())?;
        let whole = |found: std::fs::Metadata| found.is_file() && answer.size == Some(found.len());
        if !self.repository.blob(&tag).metadata().is_ok_and(whole) {
            self.announce(file, answer.size);
            self.content(file, &tag, answer)?;
        }
        self.repository.link(self.commit, file, &tag)
    }

    /// This trouble with the model, unless it is the user who wants no more.
    fn refuse(&self, trouble: Trouble) -> Error {
        let stopped = self.access.stop.load(Ordering::Relaxed);
        if stopped { Trouble::Interrupted } else { trouble }.of(self.name)
    }

    /// The tag of a file, which will be the name of its content.
    fn tag(&self, file: &str, tag: Option<&str>) -> Result<String, Error> {
        match tag {
            Some(tag) if is_plain(tag) && !tag.starts_with('.') && tag.len() <= 128 => Ok(tag.to_owned()),
            Some(tag) => Err(self.refuse(Trouble::Strange(format!("{file} has the tag {tag}")))),
            None => Err(self.refuse(Trouble::Strange(format!("{file} has no tag")))),
        }
    }

    /// Says what is coming. Settings come too fast to be worth a word.
    fn announce(&self, file: &str, size: Option<u64>) {
        if !is_setting(file) {
            let size = size.map(|size| format!(" ({})", in_words(size))).unwrap_or_default();
            (self.access.say)(&format!("downloading {}: {file}{size}", self.name.text));
        }
    }

    fn content(&self, file: &str, tag: &str, answer: Answer) -> Result<(), Error> {
        let broken = |reason: String| self.refuse(Trouble::Broken { file: file.to_owned(), reason });
        let size = answer.size;
        let mut kept = self.repository.begin(tag)?;
        let (received, digest) = self.receive(answer, &mut kept, &broken)?;
        if let Some(size) = size.filter(|size| *size != received) {
            return Err(broken(format!("the hub states {size} bytes, {received} came")));
        }
        if is_sha256(tag) && !tag.eq_ignore_ascii_case(&digest) {
            return Err(broken(format!("the hub states sha256 {tag}, it is {digest}")));
        }
        self.repository.keep(kept, tag)
    }

    /// Writes what comes to a file; gives its bytes and its SHA-256.
    fn receive(
        &self,
        answer: Answer,
        into: &mut impl Write,
        broken: &impl Fn(String) -> Error,
    ) -> Result<(u64, String), Error> {
        let Answer { size, body, .. } = answer;
        let (mut body, begun) = (body.into_reader(), Instant::now());
        let (mut received, mut hasher, mut buffer) = (0, Sha256::new(), vec![0; RECEIVED_AT_ONCE]);
        while size.is_none_or(|size| received <= size) {
            let read = body.read(&mut buffer);
            if self.access.stop.load(Ordering::Relaxed) {
                return Err(self.refuse(Trouble::Interrupted));
            }
            let length = read.map_err(|error| broken(in_plain_words(error)))?;
            let Some(part) = buffer.get(..length).filter(|part| !part.is_empty()) else { break };
            hasher.update(part);
            into.write_all(part).map_err(Error::writing(&self.repository.files_of(self.commit)))?;
            received += length as u64;
            if begun.elapsed() > GRACE + Duration::from_secs(received / SLOWEST) {
                return Err(broken(format!("less than {} a second come", in_words(SLOWEST))));
            }
        }
        Ok((received, hexadecimal(hasher)))
    }
}

fn is_sha256(tag: &str) -> bool {
    tag.len() == 64 && is_commit(tag)
}

fn in_plain_words(error: std::io::Error) -> String {
    match ureq::Error::from(error) {
        ureq::Error::Timeout(_) => "nothing more comes".to_owned(),
        other => other.to_string(),
    }
}

/// Bytes as people say them: `90 MB`.
fn in_words(bytes: u64) -> String {
    let units = [("GB", 1_000_000_000), ("MB", 1_000_000), ("kB", 1000)];
    let unit = units.into_iter().find(|(_, unit)| bytes >= *unit);
    unit.map_or(format!("{bytes} bytes"), |(name, unit)| format!("{} {name}", (bytes + unit / 2) / unit))
}
