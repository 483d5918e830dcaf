//! A search among architectures that share their weights: what is ordered, and what comes of it.
//!
//! The shared network has the parameters of every operation of every place. A step trains one architecture, a path through
//! it; the searcher asks for paths, is told how well each does on validation samples, and learns where to sample from.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Answers;
use crate::base::{Seed, path_text};
use crate::extract::SampleFiles;
use crate::search::{Architecture, Distribution, History, Method, Space};
use crate::zoo::preprocessing::Preprocessing;

/// What is searched: a kind of network, and how wide it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skeleton {
    /// How places are connected.
    pub kind: SkeletonKind,
    /// Channels of the first maps.
    pub channels: usize,
}

/// How the places of a network are connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SkeletonKind {
    /// Six layers one after the other, each of one of five operations that cost the same.
    Chain,
    /// Six cells of two kinds, each of four nodes that sum what comes to them: the space of MdeNAS and DARTS.
    Cells,
}

impl fmt::Display for SkeletonKind {
    fn fmt(&self, into: &mut fmt::Formatter<'_>) -> fmt::Result {
        into.write_str(match self {
            Self::Chain => "chain",
            Self::Cells => "cells",
        })
    }
}

impl FromStr for SkeletonKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = [Self::Chain, Self::Cells].into_iter().find(|kind| kind.to_string() == text);
        found.ok_or_else(|| "give chain or cells".to_owned())
    }
}

/// How long one path is trained before the next one is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PathPer {
    /// One step.
    Step,
    /// One pass through the samples, after which this path is evaluated: as in the paper.
    Epoch,
}

/// A search to be done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SupernetOrder {
    /// What is searched.
    pub skeleton: Skeleton,
    /// The most parameters that an architecture may have, its classifier aside.
    pub most_parameters: Option<f64>,
    /// The most multiply-adds for one picture.
    pub most_multiply_adds: Option<f64>,
    /// The edge of the pictures.
    pub edge: usize,
    /// How pictures are prepared.
    pub preprocessing: Preprocessing,
    /// All samples.
    pub samples: SampleFiles,
    /// What is right for each.
    pub answers: Answers,
    /// Rows that the shared weights learn from.
    pub training: Vec<usize>,
    /// Rows that paths are compared on.
    pub validation: Vec<usize>,
    /// How to search.
    pub method: Method,
    /// How long one path is trained.
    pub path_per: PathPer,
    /// Steps of the shared weights.
    pub steps: usize,
    /// The share of the steps in which paths are drawn evenly and nothing is learned of them.
    pub warm_up: f64,
    /// Samples of a step.
    pub batch: usize,
    /// The learning rate, which falls to 0 on a half cosine.
    pub learning_rate: f64,
    /// Decay of weights, times the learning rate, per step.
    pub weight_decay: f64,
    /// Validation rows of one evaluation.
    pub evaluated_on: usize,
    /// Architectures that are drawn evenly, evaluated with the shared weights in the end, and written to be trained alone.
    pub drawn: usize,
    /// Architectures among which the final choice is made, with all validation rows: drawn from what was learned, beside
    /// the most probable and the best that was seen.
    pub short_list: usize,
    /// Fixes everything random but what follows.
    pub seed: Seed,
    /// Fixes which architectures are drawn evenly: the same ones can be had from several searches.
    pub drawn_seed: Seed,
    /// Threads to use; the result does not depend on them.
    pub threads: usize,
    /// Where checkpoints and architectures go: a folder of the store.
    #[serde(with = "path_text")]
    pub folder: PathBuf,
}

/// An architecture, and how well it did with the shared weights in the end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OneShot {
    /// The architecture as it is built.
    pub architecture: Architecture,
    /// The share of right validation rows.
    pub accuracy: f64,
    /// Parameters, its classifier aside.
    pub parameters: f64,
    /// Multiply-adds for one picture.
    pub multiply_adds: f64,
    /// `config.json` of the network.
    pub config: String,
}

/// The numbers of an architecture's options, as its folder is called.
pub fn name_of(architecture: &[u8]) -> String {
    architecture.iter().map(ToString::to_string).collect::<Vec<_>>().join("-")
}

/// Where the folder of an architecture stands in the folder of a search: `config.json` and weights that nobody has trained.
pub fn folder_of(architecture: &[u8]) -> PathBuf {
    PathBuf::from("architectures").join(name_of(architecture))
}

/// What came of a search.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SupernetOutcome {
    /// What was searched.
    pub space: Space,
    /// What was evaluated during the search, with the weights of the time.
    pub history: History,
    /// What was learned, if the method learns a distribution.
    pub distribution: Option<Distribution>,
    /// After each evaluation the entropy of each choice, in nats.
    pub entropies: Vec<Vec<f64>>,
    /// What the distribution says alone.
    pub most_probable: Option<OneShot>,
    /// The best of the short list: what the search found.
    pub found: OneShot,
    /// The short list, in its order.
    pub short_list: Vec<OneShot>,
    /// The architecture of the costliest option everywhere, as far as limits allow.
    pub largest: OneShot,
    /// Architectures that were drawn evenly.
    pub drawn: Vec<OneShot>,
    /// The mean loss of each twentieth of the steps.
    pub losses: Vec<f64>,
    /// Multiply-adds of all steps and evaluations, a step counted three times its forward pass.
    pub multiply_adds: f64,
    /// Rows that can't be read, with the reason.
    pub unreadable: Vec<(usize, String)>,
    /// Seconds of wall-clock time, over all runs that contributed.
    pub seconds: f64,
}
