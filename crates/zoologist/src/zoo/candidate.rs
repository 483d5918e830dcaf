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
use super::{Error, Form, Model, ModelInput, Problem, hugging_face, sidecar, text, timm};
use crate::base::path_text::{escape, show};

/// Files that say how pictures are prepared.
const PICTURE_SETTINGS: [&str; 2] = ["preprocessor_config.json", "processor_config.json"];
/// Encoders whose safetensors are read natively, by `model_type`.
const NATIVE_FAMILIES: [&str; 6] = ["bert", "mpnet", "distilbert", "roberta", "xlm-roberta", "camembert"];
/// How the names of networks for pictures begin whose safetensors are read natively, as timm calls them.
const NATIVE_ARCHITECTURES: [&str; 7] =
    ["tf_efficientnet_lite", "efficientnet_lite", "tf_mobilenetv2_", "mobilenetv2_", "resnet", "vit_", "zoologist_"];
/// The file of weights that is read natively.
const NATIVE_WEIGHTS: &str = "model.safetensors";
/// What tables of static embeddings call themselves.
const STATIC_FAMILIES: [&str; 4] = ["static", "model2vec", "wordllama", "glove"];

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

/// Which form of a model is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    /// Whatever can be run.
    Any,
    /// One whose network is built in.
    Native,
}

/// What was found of a model before its files are hashed.
struct Found {
    root: Root,
    weights: PathBuf,
    form: Form,
    input: ModelInput,
    /// The value of the graph that holds the features.
    features: Option<String>,
    /// The value of the graph that holds the logits.
    head: Option<String>,
    /// The digest that is pinned beside the weights.
    sha256: Option<String>,
    notes: Vec<String>,
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

    /// Reads the model: an ONNX graph if there is one.
    pub fn load(&self, access: &Access) -> Result<Model, Error> {
        self.load_as(access, Wanted::Any)
    }

    /// Reads the model's safetensors, whether there is an ONNX graph or not.
    pub fn load_native(&self, access: &Access) -> Result<Model, Error> {
        self.load_as(access, Wanted::Native)
    }

    fn load_as(&self, access: &Access, wanted: Wanted) -> Result<Model, Error> {
        let path = match &self.source {
            Source::Path(path) => path.clone(),
            Source::Hub(name) => hub::fetched(access, name)?,
        };
        let found = match wanted {
            Wanted::Any if path.is_dir() => in_folder(&path)?,
            Wanted::Any => bare(&path)?,
            Wanted::Native => native_in_folder(&path)?,
        };
        let external = match found.form {
            Form::Onnx => weights::external(&found.root, &found.weights)?,
            Form::Native { .. } | Form::Static => vec![],
        };
        let digests = Digests::of(&found.root, &found.weights, &external)?;
        let sums = pins::sums(&found.root)?;
        let pinned = self.pinned(&found, &digests, &sums).map_err(|problem| problem.at(&path))?;
        let Found { root, weights, form, input, features, head, notes, .. } = found;
        let (name, folder, digest) = (self.name(), root.folder().to_path_buf(), digests.whole());
        Ok(Model { name, folder, weights, external, form, input, features, head, digest, pinned, notes })
    }

    /// Compares the files with every pin; tells whether there is one.
    fn pinned(&self, found: &Found, digests: &Digests, sums: &BTreeMap<PathBuf, String>) -> Result<bool, Problem> {
        let file = found.root.folder().join(&found.weights);
        let anew = format!("run `zoologist zoo add {} --preprocess … --force` to pin it anew", show(&file));
        let in_sidecar = found.sha256.clone().map(|expected| Pin { expected, renew: anew });
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
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let nameless = PathBuf::new;
    let problem = match Kind::of(file) {
        _ if !file.exists() => Problem::Missing,
        Kind::Onnx => return weights::home_of(file),
        Kind::Safetensors => Problem::OnlySafetensors { library: "transformers", path: folder.to_path_buf() },
        Kind::Pickle => Problem::Pickle { file: nameless() },
        Kind::Foreign => Problem::Foreign { file: nameless() },
        Kind::Words | Kind::Array | Kind::Other => Problem::NotAModel,
    };
    Err(problem.at(file))
}

fn bare(file: &Path) -> Result<Found, Error> {
    if Kind::of(file) == Kind::Words {
        return bare_words(file);
    }
    let (root, weights) = bare_weights(file)?;
    let without = || Problem::NoSidecar { file: file.to_path_buf() }.at(file);
    let settings = beside_weights(&root, &weights)?.ok_or_else(without)?;
    Ok(Found::of_sidecar(root, weights, settings))
}

/// A file of words and their vectors needs nothing beside it.
fn bare_words(file: &Path) -> Result<Found, Error> {
    let (root, weights) = weights::home_of(file)?;
    let read = text::embeddings(&root, Fields(&Map::new()), Path::new(""), true)?;
    Ok(Found::of_text(root, weights, Form::Static, read, None))
}

impl Found {
    fn of_sidecar(root: Root, weights: PathBuf, settings: Settings) -> Self {
        let Settings { preparation: Preparation { preprocessing, notes }, features, sha256 } = settings;
        let input = ModelInput::Pictures(preprocessing);
        Self { root, weights, form: Form::Onnx, input, features, head: None, sha256, notes }
    }

    fn of_text(root: Root, weights: PathBuf, form: Form, read: text::Read, features: Option<String>) -> Self {
        let (input, notes) = (ModelInput::Texts(read.settings), read.notes);
        Self { root, weights, form, input, features, head: None, sha256: None, notes }
    }
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
    let head = of_ours(config, "logits").map_err(|problem| problem.at(&folder.join("config.json")))?;
    Ok(Found { head, ..with_settings(folder, root, config)? })
}

/// The model of a folder, as the files beside the weights describe it.
fn with_settings(folder: &Path, root: Root, config: Fields) -> Result<Found, Error> {
    let features = of_ours(config, "features").map_err(|problem| problem.at(&folder.join("config.json")))?;
    if !is_for_pictures(&root, config)?
        && let Some(found) = text_model(folder, config, features.clone())?
    {
        return Ok(found);
    }
    if !weights::has_onnx(&root)?
        && let Some(found) = native_for_pictures(folder, config, features.clone())?
    {
        return Ok(found);
    }
    let weights = weights::find(&root, library(config))?;
    if let Some(settings) = beside_weights(&root, &weights)? {
        return Ok(Found::of_sidecar(root, weights, settings));
    }
    let without = || Problem::NoPreprocessing { weights: folder.join(&weights) }.at(folder);
    let preparation = preparation(&root, config)?.ok_or_else(without)?;
    Ok(Found::of_sidecar(root, weights, Settings { preparation, features, sha256: None }))
}

/// The model in a folder as one whose network is built in.
fn native_in_folder(folder: &Path) -> Result<Found, Error> {
    let root = Root::new(folder)?;
    let config = object(&root, "config.json")?.unwrap_or_default();
    let config = Fields(&config);
    if is_for_pictures(&root, config)? {
        let found = native_for_pictures(folder, config, None)?;
        return found.ok_or_else(|| Problem::NotNative.at(folder));
    }
    let form = native_encoder(&root, config)?.ok_or_else(|| Problem::NotNative.at(folder))?;
    let read = text::encoder(&root, config)?;
    Ok(Found::of_text(root, NATIVE_WEIGHTS.into(), form, read, None))
}

/// The network for pictures in a folder, if it is one that is built in and its safetensors are there.
fn native_for_pictures(folder: &Path, config: Fields, features: Option<String>) -> Result<Option<Found>, Error> {
    let root = Root::new(folder)?;
    let named = |problem: Problem| problem.at(&folder.join("config.json"));
    let architecture = config.text("architecture").map_err(named)?.unwrap_or_default();
    let known = NATIVE_ARCHITECTURES.iter().any(|start| architecture.starts_with(start));
    if !known || root.find(Path::new(NATIVE_WEIGHTS))?.is_none() {
        return Ok(None);
    }
    let without = || Problem::NoPreprocessing { weights: folder.join(NATIVE_WEIGHTS) }.at(folder);
    let preparation = preparation(&root, config)?.ok_or_else(without)?;
    let form = Form::Native { config_sha256: root.sha256(Path::new("config.json"))? };
    let settings = Settings { preparation, features, sha256: None };
    Ok(Some(Found { form, ..Found::of_sidecar(root, NATIVE_WEIGHTS.into(), settings) }))
}

/// Whether a file says how pictures are prepared. Models for pictures and texts together count.
fn is_for_pictures(root: &Root, config: Fields) -> Result<bool, Error> {
    if timm::settings(config).is_some() || weights::has_sidecar(root)? {
        return Ok(true);
    }
    for name in PICTURE_SETTINGS {
        if object(root, name)?.is_some_and(|object| picture_settings(name, Fields(&object)).is_some()) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The text encoder or the table of static embeddings in a folder, if it holds one.
fn text_model(folder: &Path, config: Fields, features: Option<String>) -> Result<Option<Found>, Error> {
    let root = Root::new(folder)?;
    if let Some((weights, read)) = static_embeddings(&root, config)? {
        return Ok(Some(Found::of_text(root, weights, Form::Static, read, None)));
    }
    if !text::is_text(&root, Path::new(""))? {
        return Ok(None);
    }
    let (weights, form) = encoder(&root, config)?;
    let read = text::encoder(&root, config)?;
    Ok(Some(Found::of_text(root, weights, form, read, features)))
}

/// The library that exports the model.
fn library(config: Fields) -> &'static str {
    let of_timm = timm::settings(config).is_some() || config.get("library_name").is_some_and(|name| name == "timm");
    if of_timm { "timm" } else { "transformers" }
}

/// The weights of a text encoder: an ONNX file first, else safetensors of a family that is read natively.
fn encoder(root: &Root, config: Fields) -> Result<(PathBuf, Form), Error> {
    if weights::has_onnx(root)? {
        return Ok((weights::find(root, "transformers")?, Form::Onnx));
    }
    match native_encoder(root, config)? {
        Some(form) => Ok((NATIVE_WEIGHTS.into(), form)),
        None => weights::find(root, "transformers").map(|weights| (weights, Form::Onnx)),
    }
}

/// The form of an encoder whose network is built in, if its safetensors are there.
fn native_encoder(root: &Root, config: Fields) -> Result<Option<Form>, Error> {
    let named = |problem: Problem| problem.at(&root.folder().join("config.json"));
    let family = config.text("model_type").map_err(named)?;
    let known = family.is_some_and(|family| NATIVE_FAMILIES.contains(&family));
    if !known || root.find(Path::new(NATIVE_WEIGHTS))?.is_none() {
        return Ok(None);
    }
    Ok(Some(Form::Native { config_sha256: root.sha256(Path::new("config.json"))? }))
}

/// A table of static embeddings and how its texts are read, if the folder holds one: `modules.json` names it, or
/// `config.json` calls the model static, or has no type and there is a table beside a tokenizer and no other weights.
fn static_embeddings(root: &Root, config: Fields) -> Result<Option<(PathBuf, text::Read)>, Error> {
    let named = |problem: Problem| problem.at(&root.folder().join("config.json"));
    let family = config.text("model_type").map_err(named)?;
    let home = text::static_module(root)?;
    let stated = home.is_some() || family.is_some_and(|family| STATIC_FAMILIES.contains(&family));
    if !stated && (family.is_some() || weights::has_onnx(root)?) {
        return Ok(None);
    }
    let home = home.unwrap_or_default();
    let Some(weights) = weights::table(root, &home)? else { return Ok(None) };
    let in_weights = Kind::of(&weights) == Kind::Words;
    if !stated && !in_weights && !text::is_text(root, &home)? {
        return Ok(None);
    }
    let read = text::embeddings(root, config, &home, in_weights)?;
    Ok(Some((weights, read)))
}

/// A value of the graph that `config.json` names: `"zoologist": {"features": "…", "logits": "…"}`.
fn of_ours(config: Fields, key: &str) -> Result<Option<String>, Problem> {
    let ours = config.object("zoologist").map(|ours| ours.text(key)).transpose()?;
    Ok(ours.flatten().map(str::to_owned))
}

/// How a folder says that pictures are prepared: Hugging Face's file first, then timm's. `None` if it doesn't.
fn preparation(root: &Root, config: Fields) -> Result<Option<Preparation>, Error> {
    let named = |name: &str| {
        let path = root.folder().join(name);
        move |problem: Problem| problem.at(&path)
    };
    for name in PICTURE_SETTINGS {
        let Some(object) = object(root, name)? else { continue };
        let Some(settings) = picture_settings(name, Fields(&object)) else { continue };
        return match timm::settings(settings) {
            Some(settings) => timm::read(settings),
            None => config.text("model_type").and_then(|model_type| hugging_face::read(settings, model_type)),
        }
        .map(Some)
        .map_err(named(name));
    }
    timm::settings(config).map(|settings| timm::read(settings).map_err(named("config.json"))).transpose()
}

/// The part of a file that is about pictures: all of it, or what transformers 5 saves for pictures and text together.
fn picture_settings<'a>(name: &str, object: Fields<'a>) -> Option<Fields<'a>> {
    if name == "processor_config.json" { object.object("image_processor") } else { Some(object) }
}

fn object(root: &Root, name: &str) -> Result<Option<Map<String, Value>>, Error> {
    let text = root.text(Path::new(name))?;
    text.map(|text| json(&text).map_err(|problem| problem.at(&root.folder().join(name)))).transpose()
}
