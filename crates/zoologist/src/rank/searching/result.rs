//! What a search for an architecture comes to.

use std::path::PathBuf;

use serde::Serialize;

use crate::base::{Seed, path_text};
use crate::extract::training::Skeleton;
use crate::rank::Skipped;
use crate::search::{self, Choice, Distribution};

/// The result of `search`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ArchitectureSearch {
    /// Version of this form.
    pub schema: u32,
    /// What was searched.
    pub skeleton: Skeleton,
    /// The edge of the pictures.
    pub edge: usize,
    /// Steps of each search.
    pub steps: usize,
    /// Steps of each training alone.
    pub training_steps: usize,
    /// What was chosen, and from what.
    pub choices: Vec<Choice>,
    /// The samples.
    pub data: SearchedData,
    /// Every search, method by method.
    pub searches: Vec<Search>,
    /// The same with shuffled labels: the first method's.
    pub control: Vec<Control>,
    /// What was trained alone: found ones, the largest, drawn ones.
    pub networks: Vec<Network>,
    /// How the found ones compare.
    pub comparisons: Vec<Against>,
    /// In words.
    pub answer: Vec<String>,
    /// The seed that fixes everything random.
    pub seed: Seed,
    /// The folder that was written.
    pub output: Option<String>,
    /// The files in it.
    pub files: Vec<String>,
    /// Samples that could not be used.
    pub skipped: Vec<Skipped>,
    /// Seconds; the only field that differs between two equal runs.
    pub timing: SearchTiming,
}

/// The samples of a search.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SearchedData {
    /// Where they are.
    #[serde(with = "path_text")]
    pub path: PathBuf,
    /// How many were learned from.
    pub learned: usize,
    /// How many paths were compared on.
    pub validation: usize,
    /// How many judged networks that were trained alone.
    pub judged: usize,
    /// Which these are, in words.
    pub judged_on: String,
    /// The names of the classes.
    pub classes: Vec<String>,
}

/// One search.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Search {
    /// The method.
    pub method: String,
    /// Its seed.
    pub seed: u64,
    /// What it found.
    pub found: Architecture,
    /// What the distribution says alone, if there is one.
    pub most_probable: Option<Architecture>,
    /// Evaluations of paths.
    pub evaluations: usize,
    /// The distribution in the end.
    pub distribution: Option<Distribution>,
    /// The entropy of each choice after each evaluation, in nats.
    pub entropies: Vec<Vec<f64>>,
    /// The mean loss of each twentieth of the steps.
    pub losses: Vec<f64>,
    /// Kendall's tau-b between the accuracy with shared weights and that of the drawn ones trained alone; `None` of fewer
    /// than three.
    pub kendall: Option<f64>,
    /// Its 95% interval, from a bootstrap over architectures.
    pub kendall_interval: Option<[f64; 2]>,
    /// Multiply-adds of the search.
    pub multiply_adds: f64,
    /// The mean accuracy of what was found, trained alone.
    pub alone: Option<f64>,
}

/// An architecture.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Architecture {
    /// The option of each choice, by name.
    pub operations: Vec<String>,
    /// The share of right validation rows with the shared weights.
    pub one_shot: f64,
    /// Parameters, the classifier's aside.
    pub parameters: f64,
    /// Multiply-adds for one picture.
    pub multiply_adds: f64,
}

impl Architecture {
    /// The number of the option of each choice.
    pub fn options(&self, choices: &[Choice]) -> search::Architecture {
        let named = self.operations.iter().zip(choices);
        named
            .filter_map(|(name, choice)| choice.options.iter().position(|option| option == name))
            .map(|it| it as u8)
            .collect()
    }
}

/// A network that was trained alone.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Network {
    /// `found`, `largest` or `drawn`.
    pub role: &'static str,
    /// The architecture.
    pub architecture: Architecture,
    /// How it did.
    pub alone: Alone,
}

/// How an architecture does when it is trained alone, training by training.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Alone {
    /// The accuracy on the judged samples.
    pub values: Vec<Option<f64>>,
    /// The accuracy on the validation samples.
    pub validation: Vec<f64>,
}

/// The control with shuffled labels.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Control {
    /// Its seed.
    pub seed: u64,
    /// Kendall's tau-b as in [`Search::kendall`].
    pub kendall: Option<f64>,
    /// Its interval.
    pub kendall_interval: Option<[f64; 2]>,
    /// The mean entropy in the end, in nats.
    pub entropy: Option<f64>,
    /// The mean accuracy of what was found, trained alone with the right labels.
    pub alone: Option<f64>,
}

/// What a method found against something else: differences of accuracy.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Against {
    /// The method, or `shuffled labels`.
    pub method: String,
    /// What it is compared with.
    pub with: String,
    /// The mean difference.
    pub difference: f64,
    /// Its 95% interval by Student's t over what is paired; `None` of a single pair.
    pub interval: Option<[f64; 2]>,
    /// What a pair is: `searches` or `trainings`; `searches and drawn ones` of a comparison that is not in pairs, whose
    /// interval is Welch's.
    pub over: &'static str,
    /// How many pairs; of a comparison that is not in pairs, how many values there are on both sides.
    pub pairs: usize,
}

/// Seconds.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct SearchTiming {
    /// Of the whole command.
    pub seconds: f64,
    /// Of each search, when it was made.
    pub searching_seconds: Vec<f64>,
    /// Milliseconds per picture, measured on this machine, of each of [`ArchitectureSearch::networks`]; `None` of too few
    /// pictures to time.
    pub milliseconds: Vec<Option<f64>>,
}
