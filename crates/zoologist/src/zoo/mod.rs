//! The zoo: which models there are, and how each wants its pictures or texts prepared.
//!
//! A model is a folder (its weights, and a `preprocessor_config.json`, timm's `config.json` or a `tokenizer.json`), a bare
//! `.onnx` file with a sidecar `<name>.toml`, or a file of word vectors. Weights are ONNX; of text encoders also the
//! safetensors of a few families, and tables of static embeddings. Nothing here parses or runs a model: settings beside it are read, and its
//! files are hashed. Folders are not trusted: only regular files beneath them are opened, and pickles never are.
//!
//! Where a path may stand, a name of the Hugging Face hub may stand too, as `org/name` or `org/name@revision`; a path
//! that exists wins. [`Access`] says where such names are looked for and whether a network may be used.
//!
//! What can't be used is refused with the reason and the remedy; the rest of the zoo stays usable.

mod candidate;
mod error;
mod files;
mod hub;
mod hugging_face;
mod papers;
mod pins;
mod preparation;
pub mod preprocessing;
mod preset;
mod settings;
mod sidecar;
mod text;
mod timm;
mod weights;
mod written;
mod zoo_file;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::base::path_text::show;
use crate::base::{Fail, Fault};
use candidate::{Candidate, bare_weights};
use files::Root;
use pins::{Digests, SUMS};
use preparation::Preparation;
use preprocessing::Preprocessing;
use weights::Kind;

pub use error::{Error, Problem};
pub use hub::{Access, Remote, Trouble};
pub use papers::{Papers, Published, Variant, papers, variant};
pub use preset::{PRESETS, Preset};
pub use text::{TextFile, TextSettings, TokenPooling, Vocabulary};
pub use written::preprocessor_config;

/// The list of a zoo's models.
const ZOO_FILE: &str = "zoo.toml";
/// A folder with one of these is a model, not a zoo.
const MARKS_OF_A_MODEL: [&str; 3] = ["config.json", "preprocessor_config.json", "onnx"];

/// A model that can be run.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    /// The folder's name, the bare file's stem, or the name that `zoo.toml` gives. Unique within a zoo.
    pub name: String,
    /// All files of the model lie beneath it.
    pub folder: PathBuf,
    /// The file of weights, relative to `folder`.
    pub weights: PathBuf,
    /// Files beside the weights that may hold their external data, relative to `folder`. The worker may open no other.
    pub external: Vec<PathBuf>,
    /// What the weights are.
    pub form: Form,
    /// What the model takes, and how that is prepared.
    pub input: ModelInput,
    /// The value of the graph that holds the features, if the model's settings name one.
    pub features: Option<String>,
    /// The value of the graph that holds the output of the model's own head, its logits, if `config.json` names one.
    pub head: Option<String>,
    /// SHA-256 in hexadecimal: of the weights, or, if there is external data, of the text that `sha256sum` prints
    /// for the weights and the external files in order.
    pub digest: String,
    /// Whether a pin vouches for the digest.
    pub pinned: bool,
    /// What was assumed while reading the settings, one sentence each.
    pub notes: Vec<String>,
}

impl Model {
    /// Where it stands: its folder, or, of one of several files in a folder, the file.
    pub fn path(&self) -> PathBuf {
        let has = |name: &str| self.folder.join(name).is_file();
        if has("config.json") || has("preprocessor_config.json") {
            self.folder.clone()
        } else {
            self.folder.join(&self.weights)
        }
    }
}

/// What a file of weights is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// An ONNX graph.
    Onnx,
    /// The safetensors of a family of networks that are built in; `config.json` says which and how large.
    Native {
        /// SHA-256 of `config.json`.
        config_sha256: String,
    },
    /// A table with one vector per token or word.
    Static,
}

/// What a model takes, and how that is prepared.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum ModelInput {
    /// Pictures.
    #[serde(rename = "preprocessing")]
    Pictures(Preprocessing),
    /// Texts.
    #[serde(rename = "text")]
    Texts(TextSettings),
}

impl ModelInput {
    /// What it takes, in the plural.
    pub fn noun(&self) -> &'static str {
        match self {
            Self::Pictures(_) => "pictures",
            Self::Texts(_) => "texts",
        }
    }
}

/// Something in a zoo that can't be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The model's folder or file, or its hub name.
    pub path: PathBuf,
    /// What is wrong, and what to do: a sentence that the path begins, without full stop.
    pub reason: String,
    /// The kind of the fault.
    pub fault: Fault,
}

/// The models at a path.
#[derive(Debug, Clone, PartialEq)]
pub struct Zoo {
    /// Where they were looked for.
    pub path: PathBuf,
    /// The models, in the order of their names.
    pub models: Vec<Model>,
    /// What can't be used, in the order of the paths.
    pub refused: Vec<Refused>,
}

/// What `zoologist zoo add` was asked for.
#[derive(Debug, Clone, Copy)]
pub struct Addition<'a> {
    /// How pictures are prepared.
    pub preset: &'static Preset,
    /// The edge of the pictures in pixels, 224 if not given.
    pub edge: Option<u32>,
    /// The value of the graph that holds the features.
    pub features: Option<&'a str>,
    /// Whether an existing sidecar is overwritten.
    pub force: bool,
}

/// What the check of a pin found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The files are those that were pinned.
    Equal,
    /// Nothing is pinned.
    NoPin,
    /// The files are others.
    Differs {
        /// The digest that is pinned.
        expected: String,
        /// The digest of the files.
        found: String,
    },
    /// The model can't be used at all, with the reason.
    Refused(String),
}

/// A model and what the check of its pin found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// The model's name.
    pub name: String,
    /// Its folder, or its bare file.
    pub path: PathBuf,
    /// What was found.
    pub outcome: Verdict,
}

/// What a path holds, by the look of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Looks {
    /// One model: a folder with a model's files, or a file of weights.
    Model,
    /// Several: a `zoo.toml`, or a folder of models.
    Zoo,
}

/// Whether a path looks like a model or a zoo, without reading any model. A name of the hub looks like a model.
pub fn looks(path: &Path) -> Option<Looks> {
    if hub::named(path).is_some() {
        return Some(Looks::Model);
    }
    let candidates = candidates(path).ok()?;
    match &candidates[..] {
        [only] if only.path() == path => (path.is_dir() || Kind::of(path) != Kind::Other).then_some(Looks::Model),
        [] => None,
        _ => Some(Looks::Zoo),
    }
}

/// Reads the zoo at a path: a folder of model folders and bare `.onnx` files, a `zoo.toml` or the folder that holds one,
/// or one model, which may be a name of the hub. Hidden entries are ignored. It is an error only if there is neither a
/// model nor anything to refuse, or if the user asked to stop.
pub fn open(path: &Path, access: &Access) -> Result<Zoo, Error> {
    let mut zoo = Zoo { path: path.to_path_buf(), models: Vec::new(), refused: Vec::new() };
    for attempt in attempts(path, access)? {
        match attempt.result {
            Ok(model) => zoo.models.push(model),
            Err(error) => zoo.refused.push(Refused::new(attempt.path, &error)),
        }
    }
    zoo.models.sort_by(|a, b| a.name.cmp(&b.name));
    zoo.refused.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(zoo)
}

/// Reads one model: a folder, a bare `.onnx` file, or a name of the hub.
pub fn model(path: &Path, access: &Access) -> Result<Model, Error> {
    Candidate::named(path, access)?.load(access)
}

/// Reads one model by its safetensors, as one whose network is built in and can be trained; an ONNX graph beside them is
/// not looked at.
pub fn native(path: &Path, access: &Access) -> Result<Model, Error> {
    Candidate::named(path, access)?.load_native(access)
}

/// Writes the sidecar of a bare `.onnx` file, with its digest pinned, and gives the sidecar's path.
pub fn add_file(file: &Path, addition: &Addition) -> Result<PathBuf, Error> {
    let preprocessing = addition.preset.preprocessing(addition.edge);
    if addition.edge.is_some() && !addition.preset.resizes() {
        return Err(Problem::SizeOfNone.at(file));
    }
    Preparation { preprocessing, notes: Vec::new() }.checked().map_err(|problem| problem.at(file))?;
    let (root, weights) = bare_weights(file)?;
    let digests = Digests::of(&root, &weights, &weights::external(&root, &weights)?)?;
    files::write(&sidecar::beside(file), &sidecar::text(file, addition, &digests.whole()), addition.force)
}

/// Pins the weights of a model folder in its `SHA256SUMS`, and gives that file's path.
pub fn pin(folder: &Path, force: bool) -> Result<PathBuf, Error> {
    let root = Root::new(folder)?;
    let weights = weights::find(&root, "transformers")?;
    let digests = Digests::of(&root, &weights, &weights::external(&root, &weights)?)?;
    files::write(&folder.join(SUMS), &digests.lines(), force)
}

/// Checks the pins of a model, or of all models of a zoo.
pub fn verify(path: &Path, access: &Access) -> Result<Vec<Verified>, Error> {
    let verified = |Attempt { path, name, result }| Verified {
        name,
        outcome: match result {
            Ok(model) if model.pinned => Verdict::Equal,
            Ok(_) => Verdict::NoPin,
            Err(Error { problem: Problem::Differs { expected, found, .. }, .. }) => {
                Verdict::Differs { expected, found }
            }
            Err(error) => Verdict::Refused(Refused::new(path.clone(), &error).reason),
        },
        path,
    };
    Ok(attempts(path, access)?.into_iter().map(verified).collect())
}

impl Refused {
    fn new(path: PathBuf, error: &Error) -> Self {
        let within = error.path.strip_prefix(&path).unwrap_or(&error.path);
        let place = if within.as_os_str().is_empty() { String::new() } else { format!("{}: ", show(within)) };
        Self { reason: format!("{place}{}", error.problem), fault: error.fault(), path }
    }
}

/// What came of one candidate.
struct Attempt {
    path: PathBuf,
    name: String,
    result: Result<Model, Error>,
}

/// Loads every candidate at a path, several at a time, because hashing takes long.
fn attempts(path: &Path, access: &Access) -> Result<Vec<Attempt>, Error> {
    let candidates = if hub::named(path).is_some() { vec![Candidate::named(path, access)?] } else { candidates(path)? };
    if candidates.is_empty() {
        return Err(Problem::NoModel.at(path));
    }
    let attempt = |candidate: &Candidate| match candidate.load(access) {
        Err(error) if error.fault() == Fault::Interrupted => Err(error),
        result => Ok(Attempt { path: candidate.path().to_path_buf(), name: candidate.name(), result }),
    };
    let mut attempts: Vec<Attempt> = candidates.par_iter().map(attempt).collect::<Result<_, _>>()?;
    refuse_doubles(&mut attempts);
    Ok(attempts)
}

/// A model whose name is taken by an earlier one is refused.
fn refuse_doubles(attempts: &mut [Attempt]) {
    let mut taken: BTreeMap<String, PathBuf> = BTreeMap::new();
    for Attempt { path, name, result } in attempts.iter_mut().filter(|attempt| attempt.result.is_ok()) {
        if let Some(first) = taken.get(name).cloned() {
            *result = Err(Problem::Doubled { name: name.clone(), first }.at(path));
        } else {
            taken.insert(name.clone(), path.clone());
        }
    }
}

/// What may be a model at a path.
fn candidates(path: &Path) -> Result<Vec<Candidate>, Error> {
    let found = std::fs::metadata(path).map_err(Error::reading(path))?;
    if !found.is_dir() {
        let listed = files::extension(path) == "toml";
        return if listed { zoo_file::read(path) } else { Ok(vec![Candidate::at(path)]) };
    }
    let names = files::entries(path)?;
    if names.iter().any(|name| name == Path::new(ZOO_FILE)) {
        return zoo_file::read(&path.join(ZOO_FILE));
    }
    if names.iter().any(|name| MARKS_OF_A_MODEL.map(Path::new).contains(&name.as_path())) {
        return Ok(vec![Candidate::at(path)]);
    }
    let belongs =
        |name: &&PathBuf| if path.join(name).is_dir() { is_model(&path.join(name)) } else { is_weights(name, &names) };
    Ok(names.iter().filter(belongs).map(|name| Candidate::at(&path.join(name))).collect())
}

/// Whether a folder in a zoo is, or tries to be, a model. One that can't be read counts, so that this is said.
fn is_model(folder: &Path) -> bool {
    let marks = MARKS_OF_A_MODEL.map(Path::new);
    let mark = |name: &PathBuf| marks.contains(&name.as_path()) || Kind::of(name) != Kind::Other;
    files::entries(folder).map_or(true, |names| names.iter().any(mark))
}

/// Whether a file in a zoo holds weights, rather than the external data of another file.
fn is_weights(name: &Path, names: &[PathBuf]) -> bool {
    match Kind::of(name) {
        Kind::Onnx | Kind::Words => true,
        Kind::Array | Kind::Other => false,
        _ => !names.contains(&name.with_extension("onnx")),
    }
}

#[cfg(test)]
mod tests;
