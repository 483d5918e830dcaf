//! What a worker is asked to do, and what it says of itself.

use std::ops::Range;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::base::{Seed, path_text};
use crate::data::PictureSource;
use crate::store::Key;
use crate::zoo::Model;
use crate::zoo::preprocessing::Preprocessing;

/// One worker's task: some rows of one extractor's features.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Order {
    /// All samples of the job.
    pub samples: SampleFiles,
    /// The rows to compute, one range per block.
    pub blocks: Vec<Range<usize>>,
    /// What turns a picture into features.
    pub extractor: Extractor,
    /// What runs networks.
    pub runtime: RuntimeChoice,
    /// Threads to use.
    pub threads: usize,
    /// The root of the store.
    #[serde(with = "path_text")]
    pub store_root: PathBuf,
    /// The job in the store.
    pub key: Key,
}

/// Where a worker finds the samples of its job. A sample's place is its row of the features.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum SampleFiles {
    /// Pictures.
    Pictures {
        /// The folder that their paths are relative to.
        #[serde(with = "path_text")]
        root: PathBuf,
        /// The pictures, in the order of the rows.
        pictures: Vec<PictureSource>,
    },
    /// Texts.
    Texts {
        /// A file of texts in the store.
        #[serde(with = "path_text")]
        file: PathBuf,
        /// What it holds, as digest.
        digest: String,
        /// The table that they were read from, for messages.
        origin: String,
    },
}

/// Something that turns a picture into a feature vector.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Extractor {
    /// A pre-trained network.
    Network(NetworkPlan),
    /// The same network with the numbers of each weight tensor in random order: a baseline.
    PermutedNetwork(NetworkPlan, Seed),
    /// The picture's own pixels, made small: a baseline.
    Pixels,
    /// How often each colour occurs: a baseline.
    ColourHistogram,
}

/// A model of the zoo, as far as running it goes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NetworkPlan {
    /// The folder that holds all files of the model.
    #[serde(with = "path_text")]
    pub folder: PathBuf,
    /// The ONNX file, relative to the folder.
    #[serde(with = "path_text")]
    pub weights: PathBuf,
    /// Files that may hold external data, relative to the folder; no other is opened.
    pub external: Vec<PortablePath>,
    /// What is done to a picture first.
    pub preprocessing: Preprocessing,
    /// The value of the graph that holds the features, where it is given.
    pub features: Option<String>,
    /// SHA-256 of the weights.
    pub digest: String,
}

/// A path that survives JSON whatever its bytes are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PortablePath(
    /// The path.
    #[serde(with = "path_text")]
    pub PathBuf,
);

/// Which runtime runs networks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum RuntimeChoice {
    /// The built-in one.
    Rten,
    /// ONNX Runtime, from this library.
    OnnxRuntime(#[serde(with = "path_text")] PathBuf),
}

/// What a worker says of its extractor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    /// Numbers per feature vector.
    pub dim: usize,
    /// Where in the model the features are taken, in words.
    pub features_from: String,
    /// The runtime and its version; `None` where no network runs.
    pub runtime: Option<String>,
    /// Multiply-adds of one forward pass; `None` where they could not be counted.
    pub multiply_adds: Option<u64>,
}

impl From<&Model> for NetworkPlan {
    fn from(model: &Model) -> Self {
        Self {
            folder: model.folder.clone(),
            weights: model.weights.clone(),
            external: model.external.iter().cloned().map(PortablePath).collect(),
            preprocessing: model.preprocessing.clone(),
            features: model.features.clone(),
            digest: model.digest.clone(),
        }
    }
}

impl Extractor {
    /// What the features depend on, for the key of a job: not where the files are, but what they hold.
    pub fn identity(&self) -> String {
        let network = |plan: &NetworkPlan| serde_json::json!({ "digest": plan.digest, "preprocessing": plan.preprocessing, "features": plan.features });
        match self {
            Self::Network(plan) => serde_json::json!({ "network": network(plan) }).to_string(),
            Self::PermutedNetwork(plan, seed) => {
                serde_json::json!({ "permuted network": network(plan), "seed": seed }).to_string()
            }
            Self::Pixels => "pixels".to_owned(),
            Self::ColourHistogram => "colour histogram".to_owned(),
        }
    }
}
