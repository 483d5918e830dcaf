//! What a worker is asked to do, and what it says of itself.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use super::SampleFiles;
use super::anatomy::LookOrder;
use super::behaviour::BehaviourOrder;
use super::limits::{LARGEST_FILE, bytes_of, bytes_of_vocabulary};
use super::training::{SupernetOrder, TrainingOrder};
use crate::base::{Seed, path_text};
use crate::store::Key;
use crate::zoo::{Form, Model, ModelInput, TextSettings};

/// What a worker is asked to do, and within which limits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Commission {
    /// Bytes of memory that it may use.
    pub memory: Option<u64>,
    /// The work.
    pub assignment: Assignment,
}

/// What a worker is asked to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Assignment {
    /// To compute features.
    Features(Box<Order>),
    /// To count tokens.
    Tokens(TokenOrder),
    /// To look at a model's files.
    Look(Box<LookOrder>),
    /// To see how a network behaves.
    Observe(Box<BehaviourOrder>),
    /// To write a graph anew with its batch norms in evaluation mode, into this file.
    Mend(Box<NetworkPlan>, PortablePath),
    /// To train a network.
    Train(Box<TrainingOrder>),
    /// To search among architectures that share their weights.
    Search(Box<SupernetOrder>),
    /// To write a graph anew with a head on its features.
    Attach {
        /// The model. Its layers decide which features stand side by side, in the order of [`Description::layers`].
        plan: Box<NetworkPlan>,
        /// What runs it once, to see the shapes of its values.
        runtime: RuntimeChoice,
        /// The file of the head, as [`super::Head::bytes`] makes it.
        head: PortablePath,
        /// The ONNX file to write. External data is named in it as in the model's own, relative to its folder.
        into: PortablePath,
    },
}

/// How many times the weights a checkpoint of a training is: the weights now and at their best, two moments of each; as
/// float32, where half precision may have been read.
const CHECKPOINT: u64 = 8;

impl Assignment {
    /// Bytes that its largest file may have.
    pub(super) fn largest_file(&self) -> u64 {
        match self {
            Self::Train(order) => LARGEST_FILE.saturating_add(order.plan.bytes().saturating_mul(CHECKPOINT)),
            Self::Attach { plan, .. } | Self::Mend(plan, _) => LARGEST_FILE.saturating_add(plan.bytes()),
            Self::Features(_) | Self::Tokens(_) | Self::Look(_) | Self::Observe(_) | Self::Search(_) => LARGEST_FILE,
        }
    }
}

/// What was written of a graph with a head. The names are the graph's own: whoever shows them escapes them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attached {
    /// The output of the head.
    pub logits: String,
    /// The value of the model's features, an output too.
    pub features: String,
}

/// Texts whose tokens are to be counted, by the tokenizer of a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TokenOrder {
    /// The model's folder.
    #[serde(with = "path_text")]
    pub folder: PathBuf,
    /// How the model reads texts.
    pub settings: TextSettings,
    /// The texts.
    pub samples: SampleFiles,
    /// Threads to use.
    pub threads: usize,
}

/// Some rows of one extractor's features.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Order {
    /// All samples of the job.
    pub samples: SampleFiles,
    /// The rows to compute, one range per block.
    pub blocks: Vec<Range<usize>>,
    /// What turns a picture into features.
    pub extractor: Extractor,
    /// What runs its network; `None` where no network runs.
    pub runtime: Option<RuntimeChoice>,
    /// Threads to use.
    pub threads: usize,
    /// The root of the store.
    #[serde(with = "path_text")]
    pub store_root: PathBuf,
    /// The job in the store.
    pub key: Key,
}

/// Something that turns a picture or a text into a feature vector.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Extractor {
    /// A pre-trained network.
    Network(NetworkPlan),
    /// The same network with the numbers of each weight tensor in random order: a baseline.
    PermutedNetwork(NetworkPlan, Seed),
    /// The same network with every weight rounded to a lower precision: what it would lose there.
    RoundedNetwork(NetworkPlan, Precision),
    /// The picture's own pixels, made small: a baseline.
    Pixels,
    /// A perceptual hash in four parts of 16 bits, whether there is one, and 8 × 8 grey values: what finds near copies.
    PerceptualHash,
    /// How often each colour occurs: a baseline.
    ColourHistogram,
    /// Which words and groups of letters occur, weighed by how rare they are in the texts of a file: a baseline.
    TfIdf {
        /// Those texts: a file of the store.
        #[serde(with = "path_text")]
        fitted_on: PathBuf,
        /// What that file holds, as digest.
        digest: String,
    },
    /// How long the text is: what betrays a leak if it predicts the labels.
    TextLength,
    /// The same number for every sample: what always naming the most frequent label achieves.
    Constant,
}

/// A model of the zoo, as far as running it goes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NetworkPlan {
    /// The folder that holds all files of the model.
    #[serde(with = "path_text")]
    pub folder: PathBuf,
    /// The file of weights, relative to the folder.
    #[serde(with = "path_text")]
    pub weights: PathBuf,
    /// Files that may hold external data, relative to the folder; no other is opened.
    pub external: Vec<PortablePath>,
    /// What the weights are.
    pub form: Form,
    /// What the model takes, and how that is prepared.
    pub input: ModelInput,
    /// The value of the graph that holds the features, where it is given.
    pub features: Option<String>,
    /// The value of the graph that holds the logits, where it is given.
    pub head: Option<String>,
    /// SHA-256 of the weights.
    pub digest: String,
    /// Which layers' features are wanted.
    pub layers: LayerSet,
}

/// Which layers' features are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LayerSet {
    /// Those of the last layer.
    Last,
    /// Those of every layer, side by side.
    All,
    /// What tells of the preprocessing of pictures, side by side: of some maps the mean of each channel and of its
    /// square; what the head gives, if there is one; the features of the last layer.
    Signals,
    /// What the model's own head gives, its logits, and nothing else.
    Head,
}

/// A precision that weights are rounded to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Precision {
    /// IEEE half precision.
    Half,
    /// The upper half of single precision.
    Bfloat,
}

/// What is done to a network's weights before it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disturbance {
    /// The numbers of each tensor in random order.
    Permuted(Seed),
    /// Rounded.
    Rounded(Precision),
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
    /// The one of native encoders.
    Native,
}

/// What runs ONNX models, found out when the first of them is met: looking for ONNX Runtime may take half a second.
pub type OnnxRunner = LazyLock<RuntimeChoice, Box<dyn FnOnce() -> RuntimeChoice + Send>>;

/// What a worker says of its extractor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    /// Numbers per feature vector.
    pub dim: usize,
    /// Where in the model the features are taken, in words.
    pub features_from: String,
    /// The runtime and its version; `None` where no network runs.
    pub runtime: Option<String>,
    /// Multiply-adds of one forward pass; `None` where they could not be counted. Of a text encoder: of 32 tokens.
    pub multiply_adds: Option<u64>,
    /// The layers whose features stand side by side, from the first to the last; there is always one.
    pub layers: Vec<LayerDescription>,
}

/// What a worker says of one layer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerDescription {
    /// Its name, for example `block 3`.
    pub name: String,
    /// Numbers of the feature vector that are this layer's.
    pub dim: usize,
    /// Multiply-adds of one forward pass up to this layer.
    pub multiply_adds: Option<u64>,
}

impl Description {
    /// What is said of something that has one layer.
    pub fn of_last(dim: usize, features_from: String, runtime: Option<String>, multiply_adds: Option<u64>) -> Self {
        let layers = vec![LayerDescription { name: "last".to_owned(), dim, multiply_adds }];
        Self { dim, features_from, runtime, multiply_adds, layers }
    }

    /// Whether its widths agree, as later work relies on.
    pub fn is_sound(&self) -> bool {
        let widths = self.layers.iter().try_fold(0_usize, |sum, layer| sum.checked_add(layer.dim));
        self.dim > 0 && widths == Some(self.dim)
    }

    /// The same with every text passed through this.
    #[must_use]
    pub fn mapped(mut self, text: &dyn Fn(&str) -> String) -> Self {
        self.features_from = text(&self.features_from);
        self.runtime = self.runtime.as_deref().map(text);
        self.layers.iter_mut().for_each(|layer| layer.name = text(&layer.name));
        self
    }
}

impl NetworkPlan {
    /// The size of its files, as far as there are any.
    pub fn bytes(&self) -> u64 {
        let vocabulary = if let ModelInput::Texts(settings) = &self.input { settings.vocabulary.path() } else { None };
        let external = self.external.iter().map(|path| path.0.as_path());
        let weights: Vec<PathBuf> =
            external.chain([self.weights.as_path()]).map(|path| self.folder.join(path)).collect();
        let vocabulary = vocabulary.map(|path| self.folder.join(path));
        bytes_of(weights.iter().map(PathBuf::as_path)).saturating_add(bytes_of_vocabulary(vocabulary.as_deref()))
    }

    /// A model of the zoo, asked for these layers.
    pub fn new(model: &Model, layers: LayerSet) -> Self {
        Self {
            folder: model.folder.clone(),
            weights: model.weights.clone(),
            external: model.external.iter().cloned().map(PortablePath).collect(),
            form: model.form.clone(),
            input: model.input.clone(),
            features: model.features.clone(),
            head: model.head.clone(),
            digest: model.digest.clone(),
            layers,
        }
    }
}

impl Extractor {
    /// The size of the files that it is read from.
    pub fn bytes(&self) -> u64 {
        match self {
            Self::Network(plan) | Self::PermutedNetwork(plan, _) | Self::RoundedNetwork(plan, _) => plan.bytes(),
            Self::TfIdf { fitted_on, .. } => bytes_of([fitted_on.as_path()]),
            Self::Pixels | Self::PerceptualHash | Self::ColourHistogram | Self::TextLength | Self::Constant => 0,
        }
    }

    /// What runs it, where `onnx` runs ONNX models; `None` where no network runs.
    pub fn runtime(&self, onnx: &OnnxRunner) -> Option<RuntimeChoice> {
        match self {
            Self::Network(plan) | Self::PermutedNetwork(plan, _) | Self::RoundedNetwork(plan, _) => match plan.form {
                Form::Onnx => Some(RuntimeChoice::clone(onnx)),
                Form::Native { .. } => Some(RuntimeChoice::Native),
                Form::Static => None,
            },
            Self::Pixels
            | Self::PerceptualHash
            | Self::ColourHistogram
            | Self::TfIdf { .. }
            | Self::TextLength
            | Self::Constant => None,
        }
    }

    /// Whether a runtime can run its network.
    pub fn can_run_on(&self, runtime: &RuntimeChoice) -> bool {
        match self {
            Self::Network(plan) | Self::PermutedNetwork(plan, _) | Self::RoundedNetwork(plan, _) => match plan.form {
                Form::Onnx => !matches!(runtime, RuntimeChoice::Native),
                Form::Native { .. } => matches!(runtime, RuntimeChoice::Native),
                Form::Static => false,
            },
            Self::Pixels
            | Self::PerceptualHash
            | Self::ColourHistogram
            | Self::TfIdf { .. }
            | Self::TextLength
            | Self::Constant => false,
        }
    }

    /// Whether it takes such samples, which are named in the plural; or why not.
    pub fn takes(&self, samples: &str) -> Result<(), String> {
        let taken = match self {
            Self::Network(plan) | Self::PermutedNetwork(plan, _) | Self::RoundedNetwork(plan, _) => plan.input.noun(),
            Self::Pixels | Self::PerceptualHash | Self::ColourHistogram => "pictures",
            Self::TfIdf { .. } | Self::TextLength => "texts",
            Self::Constant => return Ok(()),
        };
        if taken == samples { Ok(()) } else { Err(format!("it takes {taken}, and the samples are {samples}")) }
    }

    /// What the features depend on, for the key of a job: not where the files are, but what they hold.
    pub fn identity(&self) -> String {
        let network = |plan: &NetworkPlan| {
            let mut identity = serde_json::json!({
                "digest": plan.digest, "form": plan.form, "input": plan.input, "features": plan.features,
                "layers": plan.layers
            });
            if plan.layers == LayerSet::Head {
                identity["head"] = serde_json::json!(plan.head);
            }
            identity
        };
        match self {
            Self::Network(plan) => serde_json::json!({ "network": network(plan) }).to_string(),
            Self::PermutedNetwork(plan, seed) => {
                serde_json::json!({ "permuted network": network(plan), "seed": seed }).to_string()
            }
            Self::RoundedNetwork(plan, precision) => {
                serde_json::json!({ "rounded network": network(plan), "precision": precision }).to_string()
            }
            Self::Pixels => "pixels".to_owned(),
            Self::PerceptualHash => "perceptual hash".to_owned(),
            Self::ColourHistogram => "colour histogram".to_owned(),
            Self::TfIdf { digest, .. } => format!("tf-idf {digest}"),
            Self::TextLength => "text length".to_owned(),
            Self::Constant => "constant".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_logits_are_part_of_a_key_only_where_they_are_asked_for() {
        let identity = |layers: LayerSet, head: Option<&str>| {
            let preset = crate::zoo::Preset::named("imagenet").unwrap();
            let plan = NetworkPlan {
                folder: PathBuf::new(),
                weights: PathBuf::from("model.onnx"),
                external: vec![],
                form: Form::Onnx,
                input: ModelInput::Pictures(preset.preprocessing(None)),
                features: None,
                head: head.map(str::to_owned),
                digest: String::new(),
                layers,
            };
            Extractor::Network(plan).identity()
        };
        assert_eq!(identity(LayerSet::Last, Some("logits")), identity(LayerSet::Last, None));
        assert!(!identity(LayerSet::Last, None).contains("head"));
        assert_ne!(identity(LayerSet::Head, Some("logits")), identity(LayerSet::Head, None));
    }

    #[test]
    fn widths_that_do_not_agree_are_not_sound() {
        let sound = Description::of_last(3, String::new(), None, None);
        assert!(sound.is_sound());
        assert!(!Description { dim: 4, ..sound.clone() }.is_sound());
        assert!(!Description { dim: 0, layers: vec![], ..sound.clone() }.is_sound());
        let huge = LayerDescription { name: String::new(), dim: usize::MAX, multiply_adds: None };
        assert!(!Description { dim: 2, layers: vec![huge, sound.layers[0].clone()], ..sound }.is_sound());
    }
}
