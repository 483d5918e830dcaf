//! `zoo.toml`: a zoo as a list of paths and of names in the Hugging Face hub.
//!
//! ```toml
//! [[model]]
//! path = "resnet50"            # relative to this file
//! [[model]]
//! hub = "org/name@revision"    # in the Hugging Face hub; the revision may be left out
//! name = "the good one"        # both may have a name
//! sha256 = "…"                 # and a pin
//! ```

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::candidate::{Candidate, Source};
use super::settings::{digest, toml};
use super::{Error, Problem, files};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default)]
    model: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    path: Option<PathBuf>,
    hub: Option<String>,
    name: Option<String>,
    sha256: Option<String>,
}

/// The models that a `zoo.toml` lists.
pub(super) fn read(file: &Path) -> Result<Vec<Candidate>, Error> {
    let text = files::settings_text(file)?;
    listed(file, &text).map_err(|problem| problem.at(file))
}

fn listed(file: &Path, text: &str) -> Result<Vec<Candidate>, Problem> {
    let Written { model } = toml(text)?;
    model.into_iter().enumerate().map(|(place, entry)| candidate(file, place, entry)).collect()
}

fn candidate(file: &Path, place: usize, entry: Entry) -> Result<Candidate, Problem> {
    let Entry { path, hub, name, sha256 } = entry;
    let source = match (path, hub) {
        (Some(path), None) => Source::Path(file.parent().unwrap_or(Path::new("")).join(path)),
        (None, Some(hub)) => Source::Hub(hub),
        _ => return Err(Problem::Malformed(format!("model {} needs either a path or a hub", place + 1))),
    };
    let expected = sha256.as_deref().map(digest).transpose()?;
    Ok(Candidate { source, name, sha256: expected })
}
