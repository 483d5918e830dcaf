//! What was measured of a model, for checks to judge.

use crate::base::{Features, Targets};
use crate::extract::anatomy::{Anatomy, PickleFacts};
use crate::extract::behaviour::Behaviour;
use crate::score::Evaluation;
use crate::zoo::preprocessing::Preprocessing;
use crate::zoo::{Model, Papers};

/// What was measured. What is `None` was not, and the checks that need it say so.
#[derive(Default)]
pub struct Evidence {
    /// The model, as far as the zoo could read it.
    pub model: Option<Model>,
    /// What its folder says of it.
    pub papers: Option<Papers>,
    /// What the pickles in it would import, in the order of their files.
    pub pickles: Vec<PickleFacts>,
    /// Why it can't be used, if it can't.
    pub refusal: Option<Refusal>,
    /// What its files hold.
    pub anatomy: Option<Anatomy>,
    /// How it behaves on a few inputs.
    pub behaviour: Option<Behaviour>,
    /// Whether a data set was given.
    pub has_data: bool,
    /// What it gives for the user's samples.
    pub sample: Option<Sample>,
    /// Samples of the data set that can't be told apart, and how its classes spread over the splits.
    pub duplicates: Option<Duplicates>,
    /// The share of pictures that EXIF turns, of those that were looked at.
    pub turned: Option<(usize, usize)>,
}

/// Why a model can't be used at all.
#[derive(Debug, Clone, PartialEq)]
pub enum Refusal {
    /// Its weights are pickles only.
    Pickles,
    /// Its graph names a file outside its folder, or one that may not be opened.
    External(String),
    /// Its tensors are not those that the network needs, or the runtime refuses it.
    Tensors(String),
}

/// What a model gives for the user's samples. Rows stand in the seeded order; those that could not be read are left out.
pub struct Sample {
    /// What the samples are, in the plural.
    pub noun: &'static str,
    /// Where each row stands in the user's data, for messages.
    pub names: Vec<String>,
    /// Features: n × d.
    pub features: Features,
    /// What is to be predicted, if there are labels.
    pub targets: Option<Targets>,
    /// The probe on these features.
    pub probe: Option<Probe>,
    /// Probes on features that nobody trained.
    pub baselines: Vec<Baseline>,
    /// A probe on the length of the text or the size of the file alone.
    pub length: Option<Probe>,
    /// What the model's own classifier says of each row.
    pub head: Option<Head>,
    /// The same pictures prepared otherwise, the declared preprocessing first.
    pub candidates: Vec<Candidate>,
    /// The same pictures resized otherwise.
    pub resized: Vec<Resized>,
    /// Whether every picture already has the size that is resized to.
    pub is_of_size: bool,
    /// The same network in lower precision.
    pub rounded: Vec<Rounded>,
    /// The same token states pooled otherwise.
    pub poolings: Vec<ProbedPooling>,
}

/// How well the labels are predicted.
#[derive(Debug, Clone)]
pub struct Probe(
    /// The leave-one-out ridge, with its values without each shard in turn.
    pub Evaluation,
);

/// A probe on features that nobody trained.
pub struct Baseline {
    /// What they are.
    pub name: String,
    /// The probe.
    pub probe: Probe,
}

/// What a classifier says.
pub struct Head {
    /// Numbers per row.
    pub classes: usize,
    /// n × classes probabilities.
    pub probabilities: Vec<f64>,
}

/// Signals of one way to prepare the pictures.
pub struct Candidate {
    /// In words, for example `0..255`.
    pub name: String,
    /// The way.
    pub preprocessing: Preprocessing,
    /// The channels of the network's input.
    pub input: Channels,
    /// The maps that are looked at; the network's input is not among them.
    pub maps: Vec<Channels>,
    /// What the head says.
    pub head: Option<Head>,
    /// The probe, shown and never decisive.
    pub probe: Option<Probe>,
    /// The features.
    pub features: Features,
}

/// What is seen of the channels of a map, over all pictures.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Channels {
    /// The value of the graph.
    pub value: String,
    /// The mean of each channel; empty where it is not looked at.
    pub mean: Vec<f64>,
    /// The mean of each channel's square; empty where it is not looked at.
    pub square: Vec<f64>,
    /// The mean of each channel's sign; empty where it is not looked at.
    pub sign: Vec<f64>,
}

impl Channels {
    /// The variance of each channel.
    pub fn variances(&self) -> Vec<f64> {
        self.mean.iter().zip(&self.square).map(|(mean, square)| (square - mean * mean).max(0.0)).collect()
    }

    /// The share of positive numbers of each channel.
    pub fn positive(&self) -> Vec<f64> {
        self.sign.iter().map(|sign| f64::midpoint(1.0, *sign)).collect()
    }
}

/// The same pictures resized otherwise.
pub struct Resized {
    /// In words.
    pub name: String,
    /// The features of the first rows.
    pub features: Features,
    /// The probe on them.
    pub probe: Option<Probe>,
}

/// The same network in lower precision.
pub struct Rounded {
    /// The precision, in words.
    pub name: String,
    /// The features of the first rows, or why there are none.
    pub features: Result<Features, String>,
    /// The probe on them.
    pub probe: Option<Probe>,
}

/// Token states pooled in one way.
pub struct ProbedPooling {
    /// The pooling.
    pub pooling: crate::zoo::TokenPooling,
    /// The probe on what comes of it.
    pub probe: Probe,
}

/// Samples that can't be told apart.
#[derive(Debug, Clone, Default)]
pub struct Duplicates {
    /// How many samples were compared.
    pub samples: usize,
    /// How many of these are for evaluation.
    pub compared_evaluation: usize,
    /// Samples of the same content.
    pub exact: Copies,
    /// Samples that look alike, exact ones not counted.
    pub near: Copies,
    /// Groups of the same content with different labels, each as `a, b: label / label`.
    pub contradictions: Vec<String>,
    /// How many such groups there are.
    pub contradicting: usize,
    /// How the data set is split, if it is.
    pub splits: SplitFacts,
}

/// Samples that have copies.
#[derive(Debug, Clone, Default)]
pub struct Copies {
    /// Evaluation samples that occur in training too; all that have a copy where there are no splits.
    pub count: usize,
    /// Some of them, by name.
    pub examples: Vec<String>,
}

/// How a data set is split.
#[derive(Debug, Clone, Default)]
pub struct SplitFacts {
    /// How many evaluation samples there are; `None` where the data set has no splits.
    pub evaluation: Option<usize>,
    /// Classes that one split has and another lacks, in words.
    pub missing: Vec<String>,
}

impl Probe {
    /// The value: accuracy for classes, R² for numbers.
    pub fn value(&self) -> Option<f64> {
        self.0.score.value
    }

    /// The difference to another probe of the same shards, and its standard error.
    pub fn above(&self, other: &Self) -> Option<(f64, f64)> {
        let difference = self.value()? - other.value()?;
        let pairs: Vec<f64> = self.0.replicates.iter().zip(&other.0.replicates).map(|(a, b)| a - b).collect();
        let same = self.0.replicates.len() == other.0.replicates.len();
        let error = if same { crate::score::jackknife::standard_error(&pairs) } else { None };
        Some((difference, error.unwrap_or(0.0)))
    }
}
