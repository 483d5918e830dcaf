//! What a training needs to go on: one file, replaced as a whole.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use safetensors::SafeTensors;
use serde::{Deserialize, Serialize};
use zoologist::extract::onnx::ModelError;
use zoologist::extract::training::Checkup;
use zoologist::store;

use super::optimizer::Moments;
use super::parameters::{Parameters, file};
use crate::design::Filled;

const FILE: &str = "checkpoint.safetensors";
const STATE: &str = "state";

/// Where a training stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Checkpoint {
    /// The numbers beside the tensors.
    pub state: State,
    /// The parameters now.
    pub parameters: Parameters,
    /// The parameters at the best checkup.
    pub best: Vec<Filled>,
    /// The optimizer's moments.
    pub moments: Moments,
}

/// The numbers beside the tensors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// Steps that were made.
    pub step: usize,
    /// The step of the best checkup.
    pub best_step: usize,
    /// Checkups in a row without a better one.
    pub without_better: usize,
    /// Loss and samples since the last checkup.
    pub since: [f64; 2],
    /// The checkups.
    pub curve: Vec<Checkup>,
    /// Seconds so far.
    pub seconds: f64,
}

impl Checkpoint {
    /// Writes it to a folder, in place of the one that is there.
    pub fn write(&self, folder: &Path) -> Result<(), ModelError> {
        let named = |part: &str, values: &[Vec<f32>]| -> Vec<(String, Vec<usize>, Vec<f32>)> {
            let all = self.parameters.list.iter().zip(values).filter(|(_, values)| !values.is_empty());
            all.map(|(it, values)| (format!("{part}.{}", it.name), vec![values.len()], values.clone())).collect()
        };
        let moments = [named("first", &self.moments.first), named("second", &self.moments.second)].concat();
        let lists = [("now", &self.parameters.list), ("best", &self.best)];
        let parameters = lists.into_iter().flat_map(|(part, list)| {
            list.iter().map(move |it| (format!("{part}.{}", it.name), it.shape.clone(), it.values.as_slice()))
        });
        let moments = moments.iter().map(|(name, shape, values)| (name.clone(), shape.clone(), values.as_slice()));
        let state = serde_json::to_string(&self.state).map_err(|error| ModelError::Unfit(error.to_string()))?;
        let bytes = file(parameters.chain(moments), Some(HashMap::from([(STATE.to_owned(), state)])))?;
        write(&folder.join(FILE), &bytes)
    }

    /// Goes on from the one in a folder, if there is a whole one that fits; else from this.
    pub fn or_resumed(self, folder: &Path) -> Self {
        let bytes = std::fs::read(place(folder)).ok();
        bytes.and_then(|bytes| self.read(&bytes)).unwrap_or(self)
    }

    fn read(&self, bytes: &[u8]) -> Option<Self> {
        let (_, metadata) = SafeTensors::read_metadata(bytes).ok()?;
        let state: State = serde_json::from_str(metadata.metadata().as_ref()?.get(STATE)?).ok()?;
        let tensors = SafeTensors::deserialize(bytes).ok()?;
        let values = |part: &str, name: &str, count: usize| -> Option<Vec<f32>> {
            let tensor = tensors.tensor(&format!("{part}.{name}")).ok()?;
            let values = tensor.data().as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes));
            Some(values.collect::<Vec<f32>>()).filter(|values| values.len() == count)
        };
        let mut resumed = self.clone();
        resumed.state = state;
        for (part, list) in [("now", &mut resumed.parameters.list), ("best", &mut resumed.best)] {
            for it in list {
                it.values = values(part, &it.name, it.values.len())?;
            }
        }
        for (part, moments) in [("first", &mut resumed.moments.first), ("second", &mut resumed.moments.second)] {
            for (it, moments) in self.parameters.list.iter().zip(moments).filter(|(_, moments)| !moments.is_empty()) {
                *moments = values(part, &it.name, moments.len())?;
            }
        }
        Some(resumed)
    }

    /// Removes the one in a folder: the training is over.
    pub fn remove(folder: &Path) {
        // What stays costs room only.
        let _ = std::fs::remove_file(place(folder));
    }
}

fn place(folder: &Path) -> PathBuf {
    folder.join(FILE)
}

/// Writes a file as a whole or not at all.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), ModelError> {
    let written = store::write_whole(path, |file| file.write_all(bytes));
    written.map_err(|error| ModelError::Unfit(error.to_string()))
}
