//! ONNX models as bytes: reading them, finding where the features and the layers are, naming outputs, pooling within the
//! graph, appending heads, permuting weights.
//!
//! No runtime opens a file: the model and its external data are read here, beneath the model's own folder, and handed
//! over as bytes.

mod composed;
mod cost;
mod graph;
mod headed;
mod pooled;
#[cfg(test)]
pub(super) mod sketch;
mod weights;
mod wire;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ops::Range;
use std::path::{Component, Path, PathBuf};

pub use composed::{Composed, Composer};
pub use cost::CostPlan;
pub use graph::{
    Batchnorm, FeatureSource, Graph, LayerValue, Names, PictureInput, Pooling, Role, Signal, Stem, TextInput,
    TextInputs, TrainingNode,
};
pub use headed::{HeadedGraph, Part, VectorFrom};
pub use pooled::{PooledAs, PooledOutputs};
pub use weights::{Content, Weight};
pub use wire::{Added, AddedAttribute, AddedNode, AddedTensor};

use super::files;
use super::order::{Disturbance, NetworkPlan, Precision};
use crate::base::path_text::{escape, show};
use crate::base::{Fail, Fault};

/// Why a model can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// The file can't be read.
    #[error("{}: {source}", show(.path))]
    Read {
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// The bytes are not an ONNX model.
    #[error("not a whole ONNX model: the file is damaged, cut off or of another format. Export or download it again")]
    Damaged,
    /// External data outside the folder, or not pinned with the model.
    #[error("the weights name an external file `{}` that is not one of the model's own: refused. Put it beside the weights", escape(.0))]
    Escapes(String),
    /// A graph that pictures or texts can't be fed to, or that has no such value.
    #[error("{0}")]
    Unfit(String),
    /// Training was asked to stop; what it needs to go on is kept.
    #[error("stopped before its work was done")]
    Stopped,
    /// The runtime refused the model or failed on it.
    #[error("{runtime} can't run this model: {reason}")]
    Runtime {
        /// The runtime's name.
        runtime: &'static str,
        /// What it said.
        reason: String,
    },
}

impl Fail for ModelError {
    fn fault(&self) -> Fault {
        match self {
            Self::Read { source, .. } => Fault::of_reading(source),
            Self::Stopped => Fault::Interrupted,
            _ => Fault::Input,
        }
    }
}

/// A model in memory.
#[derive(Debug, Clone)]
pub struct ModelBytes {
    /// The ONNX file.
    pub model: Vec<u8>,
    /// External data files by the name that the model gives them.
    pub external: BTreeMap<String, Vec<u8>>,
}

impl ModelBytes {
    /// Reads a model and the external data that it names, all from beneath `folder`. External data may come from the
    /// files of `allowed` only, whose digests were checked with the model's.
    pub fn read(folder: &Path, weights: &Path, allowed: &[PathBuf]) -> Result<Self, ModelError> {
        let model = read_file(folder, weights)?;
        let home = weights.parent().unwrap_or_else(|| Path::new(""));
        let mut external = BTreeMap::new();
        for tensor in wire::tensors(&model)? {
            let wire::Place::Outside { file, .. } = tensor.place else { continue };
            if let Entry::Vacant(place) = external.entry(file) {
                let path = plain(home, place.key()).filter(|path| allowed.contains(path));
                let path = path.ok_or_else(|| ModelError::Escapes(place.key().clone()))?;
                place.insert(read_file(folder, &path)?);
            }
        }
        Ok(Self { model, external })
    }

    /// Reads the graph of a model of the zoo and its external data.
    pub fn of(plan: &NetworkPlan) -> Result<Self, ModelError> {
        let external: Vec<PathBuf> = plan.external.iter().map(|path| path.0.clone()).collect();
        Self::read(&plan.folder, &plan.weights, &external)
    }

    /// The same model with more outputs.
    pub fn with_outputs(&self, names: &[&str]) -> Result<Self, ModelError> {
        Ok(Self { model: wire::with_outputs(&self.model, names)?, external: self.external.clone() })
    }

    /// The same model with nodes, constants, inputs and outputs appended to its graph.
    pub fn with_added(&self, added: &Added) -> Result<Self, ModelError> {
        Ok(Self { model: self.file_with(added)?, external: self.external.clone() })
    }

    /// The ONNX file of [`Self::with_added`]; external data is named in it as before.
    pub fn file_with(&self, added: &Added) -> Result<Vec<u8>, ModelError> {
        wire::with_added(&self.model, added)
    }

    /// The ONNX file with its batch norms in evaluation mode: no attribute `training_mode`, one output.
    pub fn in_evaluation_mode(&self) -> Result<Vec<u8>, ModelError> {
        wire::in_evaluation_mode(&self.model)
    }

    /// Permutes or rounds the numbers of each floating-point tensor.
    pub fn disturb(&mut self, disturbance: Disturbance) -> Result<(), ModelError> {
        for (place, tensor) in wire::tensors(&self.model)?.into_iter().enumerate() {
            let Some(width) = tensor.float_width else { continue };
            let bytes = match tensor.place {
                wire::Place::Inside(range) => self.model.get_mut(range),
                wire::Place::Outside { file, offset, length } => self.external.get_mut(&file).and_then(|bytes| {
                    let range = span(bytes.len(), offset, length)?;
                    bytes.get_mut(range)
                }),
            };
            disturb(bytes.ok_or(ModelError::Damaged)?, width, disturbance, &format!("{place} {}", tensor.name));
        }
        Ok(())
    }
}

/// The bytes of an external tensor within its file of `size` bytes, if they lie in it.
fn span(size: usize, offset: u64, length: Option<u64>) -> Option<Range<usize>> {
    let start = usize::try_from(offset).ok()?;
    let end = match length {
        Some(length) => start.checked_add(usize::try_from(length).ok()?)?,
        None => size,
    };
    (start <= end && end <= size).then_some(start..end)
}

/// Permutes or rounds numbers of `width` bytes. Only single precision is rounded: the others are not wider.
pub(super) fn disturb(bytes: &mut [u8], width: usize, disturbance: Disturbance, name: &str) {
    match disturbance {
        Disturbance::Permuted(seed) => permute(bytes, width, seed.stream("permuted weights", name)),
        Disturbance::Rounded(precision) if width == 4 => {
            for number in bytes.as_chunks_mut::<4>().0 {
                *number = rounded(f32::from_le_bytes(*number), precision).to_le_bytes();
            }
        }
        Disturbance::Rounded(_) => {}
    }
}

/// The nearest number of a lower precision.
pub(super) fn rounded(value: f32, precision: Precision) -> f32 {
    match precision {
        Precision::Half => {
            // Half precision has 10 bits behind the leading one; below 2^-14 the step stays that of 2^-14.
            let exponent = value.abs().log2().floor().clamp(-14.0, 15.0);
            let step = f64::from(exponent - 10.0).exp2();
            let near = (f64::from(value) / step).round_ties_even() * step;
            // Converters cut what is too large, so that masks don't become infinite.
            if value.is_finite() { near.clamp(-65_504.0, 65_504.0) as f32 } else { value }
        }
        Precision::Bfloat => {
            let bits = value.to_bits();
            let up = 0x7fff + (bits >> 16 & 1);
            let near = f32::from_bits(bits.saturating_add(up) & 0xffff_0000);
            if near.is_finite() { near } else { f32::from_bits(bits & 0xffff_0000) }
        }
    }
}

/// Puts groups of `width` entries into random order.
pub(super) fn permute<T>(entries: &mut [T], width: usize, mut stream: crate::base::Stream) {
    let count = entries.len() / width;
    for last in (1..count).rev() {
        let other = stream.below(last + 1);
        for entry in 0..width {
            entries.swap(last * width + entry, other * width + entry);
        }
    }
}

/// The path of an external file beneath the model's folder; `None` if it climbs or starts at the root.
fn plain(home: &Path, file: &str) -> Option<PathBuf> {
    let mut path = home.to_owned();
    for part in Path::new(file).components() {
        match part {
            Component::Normal(name) => path.push(name),
            Component::CurDir => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(path)
}

fn read_file(folder: &Path, file: &Path) -> Result<Vec<u8>, ModelError> {
    let path = files::checked(folder, file)?;
    std::fs::read(&path).map_err(|source| ModelError::Read { path, source })
}
