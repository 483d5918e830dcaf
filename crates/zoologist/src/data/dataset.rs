//! What a data set is, whatever form it came in.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::table::TextRows;
use crate::base::{Targets, path_text};

/// Samples in a fixed order, and what is to be predicted for each.
#[derive(Debug, Clone, PartialEq)]
pub struct Dataset {
    /// The path as the user gave it.
    pub path: PathBuf,
    /// The folder that all sample paths are relative to.
    pub root: PathBuf,
    /// What the path was taken for, for example `folder per class`.
    pub format: &'static str,
    /// What a model sees of each sample: sorted by the bytes of the paths, or by row where a table lists them.
    pub inputs: Inputs,
    /// The split that the data set puts each sample in, where it says.
    pub splits: Vec<Option<Split>>,
    /// What is to be predicted, one entry per sample; `None` for pictures without labels.
    pub targets: Option<Targets>,
    /// What was detected, one sentence each, to be said aloud.
    pub notes: Vec<String>,
    /// What was left out, with the reason.
    pub skipped: Vec<(PathBuf, String)>,
}

/// What a model sees, one entry per sample.
#[derive(Debug, Clone, PartialEq)]
pub enum Inputs {
    /// Pictures.
    Pictures(Vec<PictureSource>),
    /// Texts, or pairs of texts, that stand in a table.
    Texts(TextRows),
}

/// One picture of a data set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sample {
    /// Where its bytes are.
    pub picture: PictureSource,
    /// The split that the data set puts it in, where it says.
    pub split: Option<Split>,
}

/// A part of a data set with a purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Split {
    /// For training.
    Train,
    /// For choosing between models.
    Validation,
    /// For the final judgement only.
    Test,
}

/// Where a picture's bytes are, beneath the root of its data set.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PictureSource {
    /// An encoded picture in a file of its own.
    File(
        /// Its path, relative to the root.
        #[serde(with = "path_text")]
        PathBuf,
    ),
    /// One picture of an IDX file.
    Idx {
        /// The IDX file, relative to the root.
        #[serde(with = "path_text")]
        file: PathBuf,
        /// Its place in that file, from 0.
        row: u32,
    },
}

impl std::fmt::Display for PictureSource {
    /// The file, and the row in it where it holds several pictures; control characters escaped.
    fn fmt(&self, into: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => into.write_str(&path_text::show(path)),
            Self::Idx { file, row } => write!(into, "{} row {row}", path_text::show(file)),
        }
    }
}

impl Split {
    /// The split that folders and tables call by this name, in any case.
    ///
    /// ```
    /// use zoologist::data::Split;
    /// assert_eq!(Split::named("Valid"), Some(Split::Validation));
    /// assert_eq!(Split::named("cats"), None);
    /// ```
    pub fn named(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().as_str() {
            "train" => Some(Self::Train),
            "val" | "valid" | "validation" | "dev" => Some(Self::Validation),
            "test" => Some(Self::Test),
            _ => None,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Validation => "validation",
            Self::Test => "test",
        }
    }
}

impl Inputs {
    /// How many samples there are.
    pub fn len(&self) -> usize {
        match self {
            Self::Pictures(sources) => sources.len(),
            Self::Texts(texts) => texts.rows.len(),
        }
    }

    /// Whether there are no samples.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// These samples, in this order.
    #[must_use]
    pub fn select(&self, places: &[usize]) -> Self {
        match self {
            Self::Pictures(sources) => Self::Pictures(places.iter().map(|&place| sources[place].clone()).collect()),
            Self::Texts(texts) => Self::Texts(texts.select(places)),
        }
    }

    /// Where a sample stands, for messages: a file, or a file and the row in it.
    pub fn describe(&self, place: usize) -> String {
        match self {
            Self::Pictures(sources) => sources[place].to_string(),
            Self::Texts(texts) => texts.describe(place),
        }
    }

    /// What the samples are, in the plural: `pictures` or `texts`.
    pub fn noun(&self) -> &'static str {
        match self {
            Self::Pictures(_) => "pictures",
            Self::Texts(_) => "texts",
        }
    }
}

impl Sample {
    /// Pictures and their splits.
    pub fn apart(samples: Vec<Self>) -> (Inputs, Vec<Option<Split>>) {
        let (pictures, splits) = samples.into_iter().map(|sample| (sample.picture, sample.split)).unzip();
        (Inputs::Pictures(pictures), splits)
    }
}

impl Dataset {
    /// How the samples spread over the splits, as a sentence; `None` where the data set has no splits.
    pub(super) fn splits_in_words(splits: &[Option<Split>]) -> Option<String> {
        let counts = [Split::Train, Split::Validation, Split::Test].map(|split| {
            let count = splits.iter().filter(|found| **found == Some(split)).count();
            (split, count)
        });
        let parts: Vec<String> = counts
            .iter()
            .filter(|(_, count)| *count > 0)
            .map(|(split, count)| format!("{} {count}", split.word()))
            .collect();
        (!parts.is_empty()).then(|| format!("Splits: {}.", parts.join(", ")))
    }
}
