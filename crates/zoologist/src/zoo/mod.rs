//! The zoo: which models there are, and how each wants its pictures prepared.
//!
//! A model is a folder (its weights as ONNX, and a `preprocessor_config.json` or timm's `config.json`) or a bare
//! `.onnx` file with a sidecar `<name>.toml`. Nothing here parses or runs a model: settings beside it are read, and its
//! files are hashed. Folders are not trusted: only regular files beneath them are opened, and pickles never are.
//!
//! What can't be used is refused with the reason and the remedy; the rest of the zoo stays usable.

mod error;
mod preset;
pub mod preprocessing;

use std::path::{Path, PathBuf};

use crate::base::Fault;
use preprocessing::Preprocessing;

pub use error::{Error, Problem};
pub use preset::{PRESETS, Preset};

/// A model that can be run.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    /// The folder's name, the bare file's stem, or the name that `zoo.toml` gives. Unique within a zoo.
    pub name: String,
    /// All files of the model lie beneath it.
    pub folder: PathBuf,
    /// The ONNX file, relative to `folder`.
    pub weights: PathBuf,
    /// Files beside the weights that may hold their external data, relative to `folder`. The worker may open no other.
    pub external: Vec<PathBuf>,
    /// What is to be done to a picture.
    pub preprocessing: Preprocessing,
    /// The value of the graph that holds the features, if the model's settings name one.
    pub features: Option<String>,
    /// SHA-256 in hexadecimal: of the weights, or, if there is external data, of the text that `sha256sum` prints
    /// for the weights and the external files in order.
    pub digest: String,
    /// Whether a pin vouches for the digest.
    pub pinned: bool,
    /// What was assumed while reading the settings, one sentence each.
    pub notes: Vec<String>,
}

/// Something in a zoo that can't be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The model's folder or file, or its hub name.
    pub path: PathBuf,
    /// What is wrong, and what to do.
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

/// Reads the zoo at a path: a folder of model folders and bare `.onnx` files, a `zoo.toml` or the folder that holds one,
/// or one model. Hidden entries are ignored. It is an error only if there is neither a model nor anything to refuse.
pub fn open(path: &Path) -> Result<Zoo, Error> {
    Err(Problem::NoModel.at(path))
}

/// Reads one model: a folder or a bare `.onnx` file.
pub fn model(path: &Path) -> Result<Model, Error> {
    Err(Problem::NoModel.at(path))
}

/// Writes the sidecar of a bare `.onnx` file, with its digest pinned, and gives the sidecar's path.
pub fn add_file(file: &Path, addition: &Addition) -> Result<PathBuf, Error> {
    let _ = addition;
    Err(Problem::NoModel.at(file))
}

/// Pins the weights of a model folder in its `SHA256SUMS`, and gives that file's path.
pub fn pin(folder: &Path, force: bool) -> Result<PathBuf, Error> {
    let _ = force;
    Err(Problem::NoModel.at(folder))
}

/// Checks the pins of a model or of all models of a zoo.
pub fn verify(path: &Path) -> Result<Vec<Verified>, Error> {
    Err(Problem::NoModel.at(path))
}
