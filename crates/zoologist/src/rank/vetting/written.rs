//! `--write-fixed`: a copy of the model's folder in which what can be mended mechanically is: batch norms in training
//! mode, keys of the preprocessing, the order of the names of classes, the pooling.

use std::fs;
use std::path::Path;

use serde_json::{Map, Value, json};

use super::super::Error;
use super::super::copying::{copy, writing};
use crate::base::Enclosure;
use crate::extract::launch::{self, Machinery};
use crate::extract::{LayerSet, NetworkPlan};
use crate::store;
use crate::vet::{self, Evidence, Finding};
use crate::zoo::preprocessing::{ChannelOrder, Preprocessing};
use crate::zoo::{Form, Model, TokenPooling};

/// Folders within folders that are copied.
const DEEPEST: usize = 4;

/// Writes the mended copy to a folder that must not exist, and says what was mended. Nothing is written where nothing can
/// be mended.
pub fn write_fixed(
    evidence: &Evidence,
    findings: &[Finding],
    into: &Path,
    machinery: &Machinery,
) -> Result<Vec<String>, Error> {
    let Some(model) = &evidence.model else { return Ok(vec![]) };
    let root = |id: &str| findings.iter().any(|finding| finding.check == id && finding.caused_by.is_none());
    let mut mends: Vec<Mend> = vec![];
    let training = evidence.anatomy.as_ref().map_or(&[][..], |anatomy| &anatomy.training[..]);
    if root("train-mode-graph") && training.iter().all(|node| node.by_batch) && model.form == Form::Onnx {
        mends.push(Mend::Graph);
    }
    if let Some(proposed) = Some(evidence)
        .filter(|_| root("preprocessing-mismatch") && !has_sidecar(model))
        .and_then(vet::proposed_preprocessing)
    {
        mends.push(Mend::Preprocessing(proposed));
    }
    if let Some(names) = Some(evidence).filter(|_| root("label-permutation")).and_then(vet::proposed_names) {
        mends.push(Mend::Names(names));
    }
    if let Some(pooling) = Some(evidence).filter(|_| root("pooling-mismatch")).and_then(vet::proposed_pooling) {
        mends.push(Mend::Pooling(pooling));
    }
    if mends.is_empty() {
        return Ok(vec![]);
    }
    if fs::symlink_metadata(into).is_ok() {
        return Err(Error::Exists(crate::base::path_text::show(into)));
    }
    let enclosure = Enclosure::new(&model.folder).map_err(|error| writing(&model.folder, &error))?;
    // Digests would be wrong in the copy.
    let keeps = |path: &Path, name: &Path, depth: usize| {
        if path.is_dir() { depth < DEEPEST } else { name != Path::new("SHA256SUMS") }
    };
    copy(&model.folder, &enclosure, into, 0, &keeps)?;
    mends.into_iter().map(|mend| mend.make(model, into, machinery)).collect()
}

/// Whether a sidecar beside the weights says how pictures are prepared.
fn has_sidecar(model: &Model) -> bool {
    model.folder.join(model.weights.with_extension("toml")).is_file()
}

/// What is mended.
enum Mend {
    Graph,
    Preprocessing(Preprocessing),
    Names(Vec<String>),
    Pooling(TokenPooling),
}

impl Mend {
    fn make(self, model: &Model, into: &Path, machinery: &Machinery) -> Result<String, Error> {
        match self {
            Self::Graph => {
                let plan = NetworkPlan::new(model, LayerSet::Last);
                let key = store::Key::of(&[("what", "vet"), ("model", &model.digest), ("data", "mended")]);
                let folder = machinery.store.job(&key)?.part("mend");
                let mended =
                    launch::mend(machinery, &folder, plan).map_err(|error| Error::Worker(error.to_string()))?;
                let bytes = fs::read(&mended).map_err(|error| writing(&mended, &error))?;
                store::write_whole(&into.join(&model.weights), |file| file.write_all(&bytes))?;
                unpin(&into.join(model.weights.with_extension("toml")))?;
                Ok("batch norms use their running statistics".to_owned())
            }
            Self::Preprocessing(how) => edit(&into.join("preprocessor_config.json"), |keys| {
                let three = |values: [f32; 3]| json!(values);
                let order = if how.channel_order == ChannelOrder::Rgb { "RGB" } else { "BGR" };
                keys.insert("do_rescale".to_owned(), json!(true));
                keys.insert("rescale_factor".to_owned(), json!(how.scale));
                keys.insert("do_normalize".to_owned(), json!(true));
                keys.insert("image_mean".to_owned(), three(how.mean));
                keys.insert("image_std".to_owned(), three(how.std));
                keys.insert("channel_order".to_owned(), json!(order));
                "preprocessor_config.json has other keys of scale and order".to_owned()
            }),
            Self::Names(names) => edit(&into.join("config.json"), |keys| {
                let named = names.iter().enumerate();
                let ids: Map<String, Value> = named.clone().map(|(id, name)| (id.to_string(), json!(name))).collect();
                let labels: Map<String, Value> = named.map(|(id, name)| (name.clone(), json!(id))).collect();
                keys.insert("id2label".to_owned(), Value::Object(ids));
                if keys.contains_key("label2id") {
                    keys.insert("label2id".to_owned(), Value::Object(labels));
                }
                "config.json names the classes in the order of the outputs".to_owned()
            }),
            Self::Pooling(pooling) => edit(&into.join("1_Pooling/config.json"), |keys| {
                let modes = [
                    ("pooling_mode_cls_token", TokenPooling::Cls),
                    ("pooling_mode_mean_tokens", TokenPooling::Mean),
                    ("pooling_mode_max_tokens", TokenPooling::Max),
                    ("pooling_mode_lasttoken", TokenPooling::Last),
                ];
                for (key, mode) in modes {
                    keys.insert(key.to_owned(), json!(mode == pooling));
                }
                format!("1_Pooling/config.json asks for {} pooling", pooling.word())
            }),
        }
    }
}

/// Changes a file of settings, which is made where there is none.
fn edit(path: &Path, change: impl FnOnce(&mut Map<String, Value>) -> String) -> Result<String, Error> {
    let text = fs::read_to_string(path).unwrap_or_else(|_| "{}".to_owned());
    let mut keys: Map<String, Value> = serde_json::from_str(&text).unwrap_or_default();
    let said = change(&mut keys);
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(|error| writing(folder, &error))?;
    }
    let text = serde_json::to_string_pretty(&keys).unwrap_or_default() + "\n";
    store::write_whole(path, |file| file.write_all(text.as_bytes()))?;
    Ok(said)
}

/// Takes the digest out of a sidecar: the weights are others now.
fn unpin(sidecar: &Path) -> Result<(), Error> {
    let Ok(text) = fs::read_to_string(sidecar) else { return Ok(()) };
    let kept: String = text.split_inclusive('\n').filter(|line| !line.trim_start().starts_with("sha256")).collect();
    Ok(store::write_whole(sidecar, |file| file.write_all(kept.as_bytes()))?)
}
