//! From a path to a model: find the weights, read the settings beside them, hash, compare with the pins.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::files::Root;
use super::hub::{self, Access};
use super::pins::{self, Digests, Pin};
use super::preparation::{Fields, Preparation};
use super::settings::{Settings, json};
use super::weights::{self, Kind};
use super::{Error, Model, Problem, hugging_face, sidecar, timm};
use crate::base::path_text::{escape, show};

/// Something that may be a model.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    /// Where it is.
    pub source: Source,
    /// The name that `zoo.toml` gives it.
    pub name: Option<String>,
    /// The digest that `zoo.toml` pins.
    pub sha256: Option<String>,
}

/// Where a model is.
#[derive(Debug, Clone)]
pub(super) enum Source {
    /// A folder or a bare file.
    Path(PathBuf),
    /// A name in the Hugging Face hub.
    Hub(String),
}

/// What was found of a model before its files are hashed.
struct Found {
    root: Root,
    weights: PathBuf,
    settings: Settings,
}

impl Candidate {
    /// A candidate at a path.
    pub fn at(path: &Path) -> Self {
        Self { source: Source::Path(path.to_path_buf()), name: None, sha256: None }
    }

    /// A candidate at a path, or, if nothing is there, of that name in the hub.
    pub fn named(path: &Path, access: &Access) -> Result<Self, Error> {
        let Some(name) = hub::named(path) else { return Ok(Self::at(path)) };
        let snapshot = hub::snapshot(access, &name).map_err(hub::nor_a_path)?;
        Ok(Self { name: Some(name.text), ..Self::at(&snapshot) })
    }

    /// What stands for it in messages.
    pub fn path(&self) -> &Path {
        match &self.source {
            Source::Path(path) => path,
            Source::Hub(hub) => Path::new(hub),
        }
    }

    /// Its name: the given one, else the hub's, the folder's, or the file's without its extension.
    pub fn name(&self) -> String {
        let path = match (&self.name, &self.source) {
            (Some(name), _) | (None, Source::Hub(name)) => return name.clone(),
            (None, Source::Path(path)) => path,
        };
        let real = if path.file_name().is_none() { path.canonicalize().unwrap_or_default() } else { path.clone() };
        let name = if Kind::of(path) == Kind::Onnx && path.is_file() { real.file_stem() } else { real.file_name() };
        escape(&name.unwrap_or_default().to_string_lossy())
    }

    /// Reads the model.
    pub fn load(&self, access: &Access) -> Result<Model, Error> {
        let path = match &self.source {
            Source::Path(path) => path.clone(),
            Source::Hub(name) => hub::fetched(access, name)?,
        };
        let found = if path.is_dir() { in_folder(&path)? } else { bare(&path)? };
        let external = weights::external(&found.root, &found.weights)?;
        let digests = Digests::of(&found.root, &found.weights, &external)?;
        let sums = pins::sums(&found.root)?;
        let pinned = self.pinned(&found, &digests, &sums).map_err(|problem| problem.at(&path))?;
        let Found { root, weights, settings: Settings { preparation, features, .. } } = found;
        let Preparation { preprocessing, notes } = preparation;
        let (name, folder, digest) = (self.name(), root.folder().to_path_buf(), digests.whole());
        Ok(Model { name, folder, weights, external, preprocessing, features, digest, pinned, notes })
    }

    /// Compares the files with every pin; tells whether there is one.
    fn pinned(&self, found: &Found, digests: &Digests, sums: &BTreeMap<PathBuf, String>) -> Result<bool, Problem> {
        let file = found.root.folder().join(&found.weights);
        let anew = format!("run `zoologist zoo add {} --preprocess … --force` to pin it anew", show(&file));
        let in_sidecar = found.settings.sha256.clone().map(|expected| Pin { expected, renew: anew });
        let in_list = self.sha256.clone().map(|expected| Pin { expected, renew: "correct sha256 in zoo.toml".into() });
        let mut pinned = digests.check_sums(&found.root, sums)?;
        for pin in in_sidecar.into_iter().chain(in_list) {
            digests.check_whole(pin)?;
            pinned = true;
        }
        Ok(pinned)
    }
}

/// The folder of a bare ONNX file, and its name there.
pub(super) fn bare_weights(file: &Path) -> Result<(Root, PathBuf), Error> {
    let name = PathBuf::from(file.file_name().unwrap_or_default());
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let nameless = PathBuf::new;
    let problem = match Kind::of(file) {
        _ if !file.exists() => Problem::Missing,
        Kind::Onnx => {
            let root = Root::new(folder)?;
            return root.find(&name).map(|_| (root, name));
        }
        Kind::Safetensors => Problem::OnlySafetensors { library: "transformers", path: folder.to_path_buf() },
        Kind::Pickle => Problem::Pickle { file: nameless() },
        Kind::Foreign => Problem::Foreign { file: nameless() },
        Kind::Other => Problem::NotAModel,
    };
    Err(problem.at(file))
}

fn bare(file: &Path) -> Result<Found, Error> {
    let (root, weights) = bare_weights(file)?;
    let without = || Problem::NoSidecar { file: file.to_path_buf() }.at(file);
    let settings = beside_weights(&root, &weights)?.ok_or_else(without)?;
    Ok(Found { root, weights, settings })
}

/// The settings in the sidecar of these weights.
fn beside_weights(root: &Root, weights: &Path) -> Result<Option<Settings>, Error> {
    let path = sidecar::beside(weights);
    let read = |text: String| sidecar::read(&text).map_err(|problem| problem.at(&root.folder().join(&path)));
    root.text(&path)?.map(read).transpose()
}

fn in_folder(folder: &Path) -> Result<Found, Error> {
    let root = Root::new(folder)?;
    let config = object(&root, "config.json")?.unwrap_or_default();
    let config = Fields(&config);
    let of_timm = timm::settings(config).is_some() || config.get("library_name").is_some_and(|name| name == "timm");
    let weights = weights::find(&root, if of_timm { "timm" } else { "transformers" })?;
    let settings = match beside_weights(&root, &weights)? {
        Some(settings) => settings,
        None => Settings {
            preparation: preparation(&root, &weights, config)?,
            features: features(config).map_err(|problem| problem.at(&folder.join("config.json")))?,
            sha256: None,
        },
    };
    Ok(Found { root, weights, settings })
}

/// The value of the graph that `config.json` names: `"zoologist": {"features": "…"}`.
fn features(config: Fields) -> Result<Option<String>, Problem> {
    let ours = config.object("zoologist").map(|ours| ours.text("features")).transpose()?;
    Ok(ours.flatten().map(str::to_owned))
}

/// How a folder says that pictures are prepared: Hugging Face's file first, then timm's.
fn preparation(root: &Root, weights: &Path, config: Fields) -> Result<Preparation, Error> {
    let named = |name: &str| {
        let path = root.folder().join(name);
        move |problem: Problem| problem.at(&path)
    };
    for name in ["preprocessor_config.json", "processor_config.json"] {
        let Some(object) = object(root, name)? else { continue };
        let Some(settings) = picture_settings(name, Fields(&object)) else { continue };
        return match timm::settings(settings) {
            Some(settings) => timm::read(settings),
            None => config.text("model_type").and_then(|model_type| hugging_face::read(settings, model_type)),
        }
        .map_err(named(name));
    }
    if let Some(settings) = timm::settings(config) {
        return timm::read(settings).map_err(named("config.json"));
    }
    let text = root.find(Path::new("tokenizer.json"))?.is_some();
    let weights = root.folder().join(weights);
    Err(if text { Problem::Text } else { Problem::NoPreprocessing { weights } }.at(root.folder()))
}

/// The part of a file that is about pictures: all of it, or what transformers 5 saves for pictures and text together.
fn picture_settings<'a>(name: &str, object: Fields<'a>) -> Option<Fields<'a>> {
    if name == "processor_config.json" { object.object("image_processor") } else { Some(object) }
}

fn object(root: &Root, name: &str) -> Result<Option<Map<String, Value>>, Error> {
    let text = root.text(Path::new(name))?;
    text.map(|text| json(&text).map_err(|problem| problem.at(&root.folder().join(name)))).transpose()
}
