//! The folder of a tuned model: what others need to use it, put together beside its place and renamed at the end.
//!
//! Settings, tokenizer and licence come from the model's own folder; weights, the names of the labels, how pictures are
//! prepared and the card are new.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::frozen::Head;
use super::native::Weights;
use super::{Found, Product, Tuned, Work, card};
use crate::base::path_text::show;
use crate::base::{Enclosure, Fail, Task};
use crate::extract::launch::{self, LaunchError};
use crate::extract::{Attached, Dense, Head as NetworkHead};
use crate::rank::Error;
use crate::rank::copying::{copy, writing};
use crate::store::{self, Key};
use crate::zoo::{self, Form, Model, ModelInput, TokenPooling};

/// Files of settings, tokenizers and vocabularies that go into the new folder.
const KEPT: [&str; 5] = ["json", "txt", "model", "bpe", "vocab"];
/// Names of licences.
const LICENCES: [&str; 4] = ["LICENSE", "LICENCE", "NOTICE", "COPYING"];
/// What is written anew, and so not copied.
const WRITTEN: [&str; 4] = ["config.json", "preprocessor_config.json", "processor_config.json", "SHA256SUMS"];
/// What `config.json` may say of a network in our own object: its blocks, and what it was put together from.
const OF_NETWORK: [&str; 3] = ["blocks", "channels", "operations"];
/// Folders within folders that are copied.
const DEEPEST: usize = 2;

/// Refuses a place where something is already.
pub fn refuse_existing(output: Option<&Path>) -> Result<(), Error> {
    match output {
        Some(path) if fs::symlink_metadata(path).is_ok() => Err(Error::Exists(show(path))),
        _ => Ok(()),
    }
}

/// Writes the folder, and gives the names of its files.
pub fn write(output: &Path, work: &Work, found: &Found, tuned: &Tuned) -> Result<Vec<String>, Error> {
    refuse_existing(Some(output))?;
    let above = output.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(above).map_err(|error| writing(above, &error))?;
    let draft =
        tempfile::Builder::new().prefix(".unfinished-").tempdir_in(above).map_err(|error| writing(above, &error))?;
    let into = draft.path();
    let (model, input) = match &found.product {
        Product::Head(head) => (&head.model, &head.plan.input),
        Product::Weights(weights) => (&weights.model, &weights.plan.input),
    };
    if !work.plan.model.is_file() {
        let enclosure = Enclosure::new(&model.folder).map_err(|error| writing(&model.folder, &error))?;
        let keeps = |path: &Path, name: &Path, depth: usize| {
            if path.is_dir() { depth < DEEPEST && holds_kept(path) } else { is_kept(name, depth) }
        };
        copy(&model.folder, &enclosure, into, 0, &keeps)?;
    }
    let mut config = original_config(model);
    match &found.product {
        Product::Head(head) => attach(head, into, &mut config, work)?,
        Product::Weights(weights) => put_weights(weights, into, &mut config)?,
    }
    label(&mut config, tuned);
    write_json(&into.join("config.json"), &Value::Object(config))?;
    prepare(input, into)?;
    let card = card::text(tuned, model, &zoo::papers(&work.plan.model, work.access)?);
    put(&into.join("README.md"), card.as_bytes())?;
    let files = names(into, Path::new(""))?;
    // A temporary folder is for its owner alone; a model is like any other of the user's files.
    open_up(into)?;
    refuse_existing(Some(output))?;
    fs::rename(into, output).map_err(|error| writing(output, &error))?;
    Ok(files)
}

/// What our own object in `config.json` says of the network itself; names of values are those of a graph that is not there
/// any more.
fn of_network(config: &Map<String, Value>) -> Map<String, Value> {
    let own = config.get("zoologist").and_then(Value::as_object);
    let kept = own.into_iter().flatten().filter(|(key, _)| OF_NETWORK.contains(&key.as_str()));
    kept.map(|(key, value)| (key.clone(), value.clone())).collect()
}

fn original_config(model: &Model) -> Map<String, Value> {
    let text = fs::read_to_string(model.folder.join("config.json")).unwrap_or_default();
    serde_json::from_str(&text).unwrap_or_default()
}

/// The graph with the head, and the external data that it names.
fn attach(head: &Head, into: &Path, config: &mut Map<String, Value>, work: &Work) -> Result<(), Error> {
    let (columns, layers) = in_graph(head);
    let bytes = NetworkHead { columns, layers }.bytes().map_err(|error| Error::Worker(error.to_string()))?;
    let folder =
        work.machinery.store.job(&Key::of(&[("what", "attach"), ("head", blake3::hash(&bytes).to_hex().as_str())]))?;
    let (of_head, graph) = (folder.path().join("head.safetensors"), folder.path().join("attached.onnx"));
    store::write_whole(&of_head, |file| file.write_all(&bytes))?;
    let plan = head.plan.clone();
    let Attached { logits, features } =
        launch::attach(work.machinery, plan, &of_head, &graph).map_err(|error| refuse(&head.model.name, error))?;
    // A bare file may have any name; what it names beside itself stands where it stands.
    let bare = work.plan.model.is_file();
    let place = if bare { PathBuf::from("onnx/model.onnx") } else { head.model.weights.clone() };
    let home = into.join(place.parent().unwrap_or(Path::new("")));
    fs::create_dir_all(&home).map_err(|error| writing(&home, &error))?;
    move_file(&graph, &into.join(&place))?;
    for external in &head.model.external {
        let relative = external.strip_prefix(head.model.weights.parent().unwrap_or(Path::new(""))).unwrap_or(external);
        let target = home.join(relative);
        if let Some(folder) = target.parent() {
            fs::create_dir_all(folder).map_err(|error| writing(folder, &error))?;
        }
        let source = head.model.folder.join(external);
        fs::copy(&source, &target).map_err(|error| writing(&source, &error))?;
    }
    let _ = fs::remove_file(&of_head);
    let mut own = of_network(config);
    own.extend([("logits".to_owned(), json!(logits)), ("features".to_owned(), json!(features))]);
    config.insert("zoologist".to_owned(), Value::Object(own));
    Ok(())
}

/// The head as the graph takes it: a head on the last layer alone names no columns where only that layer is run.
fn in_graph(head: &Head) -> (Option<Vec<usize>>, Vec<Dense>) {
    let narrow = |values: &[f64]| values.iter().map(|&value| value as f32).collect();
    let dense = |layer: &crate::score::perceptron::Layer| Dense {
        into: layer.into,
        out: layer.out,
        weight: narrow(&layer.weight),
        bias: narrow(&layer.bias),
    };
    let all = head.columns.len() == head.last.end;
    ((!all).then(|| head.columns.clone()), head.layers.iter().map(dense).collect())
}

fn put_weights(weights: &Weights, into: &Path, config: &mut Map<String, Value>) -> Result<(), Error> {
    let place = into.join("model.safetensors");
    fs::copy(&weights.file, &place).map_err(|error| writing(&weights.file, &error))?;
    let is_text = matches!(weights.plan.input, ModelInput::Texts(_));
    let mut own = of_network(config);
    if is_text {
        own.insert("logits".to_owned(), json!("classifier"));
    }
    if let Some(blocks) = &weights.blocks {
        shorten(config, &mut own, blocks, is_text);
    }
    if let Some((graph, [logits, features])) = &weights.graph {
        let home = into.join("onnx");
        fs::create_dir_all(&home).map_err(|error| writing(&home, &error))?;
        fs::copy(graph, home.join("model.onnx")).map_err(|error| writing(graph, &error))?;
        own.extend([("logits".to_owned(), json!(logits)), ("features".to_owned(), json!(features))]);
    }
    if !own.is_empty() {
        config.insert("zoologist".to_owned(), Value::Object(own));
    }
    Ok(())
}

/// Says which blocks are left: of texts by the key that every program reads, of pictures by one of ours.
fn shorten(config: &mut Map<String, Value>, own: &mut Map<String, Value>, blocks: &[String], is_text: bool) {
    if !is_text {
        own.insert("blocks".to_owned(), json!(blocks));
        // It spoke of the whole network.
        config.remove("num_features");
        return;
    }
    let keys = ["num_hidden_layers", "n_layers"];
    let key = keys.into_iter().find(|key| config.contains_key(*key)).unwrap_or(keys[0]);
    config.insert(key.to_owned(), json!(blocks.len()));
}

/// The names of what is predicted, in Hugging Face's keys and in timm's, and where the model comes from.
fn label(config: &mut Map<String, Value>, tuned: &Tuned) {
    let names = &tuned.data.names;
    let by_number = names.iter().enumerate().map(|(id, name)| (id.to_string(), json!(name))).collect();
    let by_name = names.iter().enumerate().map(|(id, name)| (name.clone(), json!(id))).collect();
    let problem = match tuned.task {
        Task::Classification => "single_label_classification",
        Task::Multilabel => "multi_label_classification",
        Task::Regression => "regression",
    };
    let keys = [
        ("num_labels", json!(names.len())),
        ("id2label", Value::Object(by_number)),
        ("label2id", Value::Object(by_name)),
        ("problem_type", json!(problem)),
    ];
    config.extend(keys.map(|(key, value)| (key.to_owned(), value)));
    if config.contains_key("architecture") {
        config.insert("num_classes".to_owned(), json!(names.len()));
        config.insert("label_names".to_owned(), json!(names));
    }
}

/// How inputs are prepared, in full: the settings of this run, not only the model's.
fn prepare(input: &ModelInput, into: &Path) -> Result<(), Error> {
    match input {
        ModelInput::Pictures(how) => {
            let keys = zoo::preprocessor_config(how).ok_or_else(|| {
                Error::Worker(
                    "the way in which its pictures are prepared can't be written as a preprocessor_config.json"
                        .to_owned(),
                )
            })?;
            write_json(&into.join("preprocessor_config.json"), &keys)
        }
        ModelInput::Texts(settings) => {
            let modes = [
                ("pooling_mode_cls_token", TokenPooling::Cls),
                ("pooling_mode_mean_tokens", TokenPooling::Mean),
                ("pooling_mode_max_tokens", TokenPooling::Max),
                ("pooling_mode_lasttoken", TokenPooling::Last),
            ];
            let path = into.join("1_Pooling/config.json");
            let text = fs::read_to_string(&path).unwrap_or_else(|_| "{}".to_owned());
            let mut keys: Map<String, Value> = serde_json::from_str(&text).unwrap_or_default();
            keys.extend(modes.map(|(key, mode)| (key.to_owned(), json!(mode == settings.pooling))));
            fs::create_dir_all(into.join("1_Pooling")).map_err(|error| writing(&path, &error))?;
            write_json(&path, &Value::Object(keys))?;
            if let Some(length) = settings.max_tokens {
                let path = into.join("sentence_bert_config.json");
                let text = fs::read_to_string(&path).unwrap_or_else(|_| "{}".to_owned());
                let mut keys: Map<String, Value> = serde_json::from_str(&text).unwrap_or_default();
                keys.insert("max_seq_length".to_owned(), json!(length));
                write_json(&path, &Value::Object(keys))?;
            }
            Ok(())
        }
    }
}

fn holds_kept(folder: &Path) -> bool {
    fs::read_dir(folder).is_ok_and(|entries| entries.flatten().any(|entry| is_kept(Path::new(&entry.file_name()), 1)))
}

fn is_kept(name: &Path, depth: usize) -> bool {
    let text = name.to_string_lossy();
    let extension = name.extension().map(|extension| extension.to_string_lossy().to_lowercase());
    let settings = extension.is_some_and(|extension| KEPT.contains(&extension.as_str()));
    let licence = LICENCES.iter().any(|start| text.to_uppercase().starts_with(start));
    let written = depth == 0 && WRITTEN.contains(&&*text);
    (settings || licence) && !written && !text.starts_with('.')
}

/// The files beneath a folder, in order.
fn names(root: &Path, below: &Path) -> Result<Vec<String>, Error> {
    let folder = root.join(below);
    let mut entries: Vec<fs::DirEntry> =
        fs::read_dir(&folder).map_err(|error| writing(&folder, &error))?.flatten().collect();
    entries.sort_by_key(fs::DirEntry::file_name);
    let mut found = vec![];
    for entry in entries {
        let name = below.join(entry.file_name());
        if entry.path().is_dir() { found.extend(names(root, &name)?) } else { found.push(show(&name)) }
    }
    Ok(found)
}

/// Gives folder and files the rights that new ones of the user's have.
fn open_up(folder: &Path) -> Result<(), Error> {
    use std::os::unix::fs::PermissionsExt;
    let fail = |error: std::io::Error| writing(folder, &error);
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).map_err(fail)?;
    for entry in fs::read_dir(folder).map_err(fail)?.flatten() {
        if entry.path().is_dir() {
            open_up(&entry.path())?;
        } else {
            fs::set_permissions(entry.path(), fs::Permissions::from_mode(0o644)).map_err(fail)?;
        }
    }
    Ok(())
}

/// Moves a file, to another file system too.
fn move_file(from: &Path, into: &Path) -> Result<(), Error> {
    fs::copy(from, into).map_err(|error| writing(from, &error))?;
    fs::remove_file(from).map_err(|error| writing(from, &error))
}

fn write_json(path: &Path, value: &Value) -> Result<(), Error> {
    put(path, (serde_json::to_string_pretty(value).unwrap_or_default() + "\n").as_bytes())
}

fn put(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    fs::write(path, bytes).map_err(|error| writing(path, &error))
}

fn refuse(name: &str, error: LaunchError) -> Error {
    match error {
        LaunchError::Interrupted => Error::Interrupted,
        LaunchError::Store(error) => error.into(),
        other => Error::NoModel { path: name.to_owned(), fault: other.fault(), reasons: other.to_string() },
    }
}

/// Whether a model's head can be kept in its graph.
pub fn has_graph(model: &Model) -> bool {
    model.form == Form::Onnx
}
