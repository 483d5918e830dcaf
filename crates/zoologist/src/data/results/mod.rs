//! Tables of scores and true accuracies, models × data sets, as people already have them.
//!
//! The long form is one CSV file with a line per model and data set ([`read`]); the wide form is one file of true
//! accuracies and one file per score, each with a line per model and a column per data set, as papers print them
//! ([`read_wide`]). What was taken for what is said in [`Results::notes`].

mod accuracy;
mod long;
mod table;
mod wide;

use std::collections::HashMap;

pub use long::read;
pub use wide::read_wide;

/// Scores and true accuracies of models on data sets.
#[derive(Debug, Clone, PartialEq)]
pub struct Results {
    /// The models, in the order in which the file names them.
    pub models: Vec<String>,
    /// The scores, in the order of the columns.
    pub scores: Vec<String>,
    /// What the size is called, where there is one.
    pub size: Option<String>,
    /// The data sets, in the order in which the file names them.
    pub datasets: Vec<OfDataset>,
    /// What was detected, and what was left out.
    pub notes: Vec<String>,
}

/// The results of one data set.
#[derive(Debug, Clone, PartialEq)]
pub struct OfDataset {
    /// Its name.
    pub name: String,
    /// One entry per model that the file has for it.
    pub models: Vec<OfModel>,
}

/// The results of one model on one data set; `None` where the file has no value.
#[derive(Debug, Clone, PartialEq)]
pub struct OfModel {
    /// Its place in [`Results::models`].
    pub model: usize,
    /// The true accuracy, a fraction wherever it looks like one or like a percentage.
    pub accuracy: Option<f64>,
    /// One entry per score.
    pub scores: Vec<Option<f64>>,
    /// Its size: parameters, multiply-adds or the like.
    pub size: Option<f64>,
}

/// Names in the order in which they are first seen.
#[derive(Default)]
struct Names {
    names: Vec<String>,
    places: HashMap<String, usize>,
}

impl Names {
    fn place(&mut self, name: &str) -> usize {
        if let Some(&place) = self.places.get(name) {
            return place;
        }
        self.places.insert(name.to_owned(), self.names.len());
        self.names.push(name.to_owned());
        self.names.len() - 1
    }

    fn find(&self, name: &str) -> Option<usize> {
        self.places.get(name).copied()
    }
}

/// Names in a sentence, the first few of them.
fn some_of(names: &[String]) -> String {
    const FIRST: usize = 5;
    let shown: Vec<String> = names.iter().take(FIRST).map(|name| crate::base::path_text::escape(name)).collect();
    let rest = names.len().saturating_sub(FIRST);
    let more = if rest > 0 { format!(" and {rest} more") } else { String::new() };
    shown.join(", ") + &more
}

#[cfg(test)]
mod tests;
