//! What a training needs to go on: one file, replaced as a whole.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use safetensors::SafeTensors;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use zoologist::extract::onnx::ModelError;
use zoologist::extract::training::Checkup;
use zoologist::store;

use super::optimizer::Moments;
use super::parameters::{Parameters, file};
use crate::design::Filled;

const FILE: &str = "checkpoint.safetensors";
const STATE: &str = "state";
const DIGEST: &str = "digest";

/// Where a training stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Checkpoint<S> {
    /// What stands beside the tensors.
    pub state: S,
    /// The parameters now.
    pub parameters: Parameters,
    /// The parameters of the checkup that is kept.
    pub kept: Vec<Filled>,
    /// The optimizer's moments.
    pub moments: Moments,
}

/// The numbers beside the tensors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// Steps that were made.
    pub step: usize,
    /// The step of the checkup that is kept.
    pub kept_step: usize,
    /// Checkups in a row without progress.
    pub without_progress: usize,
    /// Loss and samples since the last checkup.
    pub since: [f64; 2],
    /// The checkups.
    pub curve: Vec<Checkup>,
    /// Seconds so far.
    pub seconds: f64,
}

impl<S: Clone + Serialize + DeserializeOwned> Checkpoint<S> {
    /// Writes it to a folder, in place of the one that is there.
    pub fn write(&self, folder: &Path) -> Result<(), ModelError> {
        let state = serde_json::to_string(&self.state).map_err(|error| ModelError::Unfit(error.to_string()))?;
        let metadata = [(DIGEST.to_owned(), self.digest(&state)), (STATE.to_owned(), state)];
        write(&folder.join(FILE), &file(self.tensors().into_iter(), Some(HashMap::from(metadata)))?)
    }

    /// Every tensor by its name in the file: parameters now and those that are kept, and the moments of those that learn.
    fn tensors(&self) -> Vec<(String, Vec<usize>, &[f32])> {
        let lists = [("now", &self.parameters.list), ("kept", &self.kept)];
        let parameters = lists.into_iter().flat_map(|(part, list)| {
            list.iter().map(move |it| (format!("{part}.{}", it.name), it.shape.clone(), it.values.as_slice()))
        });
        let lists = [("first", &self.moments.first), ("second", &self.moments.second)];
        let moments = lists.into_iter().flat_map(|(part, list)| {
            let kept = self.parameters.list.iter().zip(list).filter(|(_, values)| !values.is_empty());
            kept.map(move |(it, values)| (format!("{part}.{}", it.name), vec![values.len()], values.as_slice()))
        });
        parameters.chain(moments).collect()
    }

    /// The BLAKE3 of all numbers and of the state.
    fn digest(&self, state: &str) -> String {
        let mut hasher = blake3::Hasher::new();
        hasher.update(state.as_bytes());
        for (_, _, values) in self.tensors() {
            let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
            hasher.update(&bytes);
        }
        hasher.finalize().to_hex().to_string()
    }

    /// Goes on from the one in a folder, if there is a whole one that fits; else from this.
    pub fn or_resumed(self, folder: &Path) -> Self {
        let bytes = std::fs::read(place(folder)).ok();
        bytes.and_then(|bytes| self.read(&bytes)).unwrap_or(self)
    }

    fn read(&self, bytes: &[u8]) -> Option<Self> {
        let (_, metadata) = SafeTensors::read_metadata(bytes).ok()?;
        let stated = |key: &str| metadata.metadata().as_ref()?.get(key).cloned();
        let text = stated(STATE)?;
        let tensors = SafeTensors::deserialize(bytes).ok()?;
        let values = |part: &str, name: &str, count: usize| -> Option<Vec<f32>> {
            let tensor = tensors.tensor(&format!("{part}.{name}")).ok()?;
            let values = tensor.data().as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes));
            Some(values.collect::<Vec<f32>>()).filter(|values| values.len() == count)
        };
        let mut resumed = self.clone();
        resumed.state = serde_json::from_str(&text).ok()?;
        for (part, list) in [("now", &mut resumed.parameters.list), ("kept", &mut resumed.kept)] {
            for it in list {
                it.values = values(part, &it.name, it.values.len())?;
            }
        }
        for (part, moments) in [("first", &mut resumed.moments.first), ("second", &mut resumed.moments.second)] {
            for (it, moments) in self.parameters.list.iter().zip(moments).filter(|(_, moments)| !moments.is_empty()) {
                *moments = values(part, &it.name, moments.len())?;
            }
        }
        (resumed.digest(&text) == stated(DIGEST)?).then_some(resumed)
    }
}

/// Removes the one in a folder: the training is over.
pub fn remove(folder: &Path) {
    // What stays costs room only.
    let _ = std::fs::remove_file(place(folder));
}

fn place(folder: &Path) -> PathBuf {
    folder.join(FILE)
}

/// Writes a file as a whole or not at all.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), ModelError> {
    let written = store::write_whole(path, |file| file.write_all(bytes));
    written.map_err(|error| ModelError::Unfit(error.to_string()))
}
