//! What a search of a recipe comes to.

use serde::Serialize;

use crate::base::Seed;
use crate::rank::Skipped;
use crate::rank::searching::SearchedData;
use crate::rank::tuning::Judgement;

/// The result of `search recipe`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RecipeSearch {
    /// Version of this form.
    pub schema: u32,
    /// The samples.
    pub data: SearchedData,
    /// How it was searched.
    pub method: String,
    /// Full evaluations that it might cost.
    pub budget: f64,
    /// What it cost.
    pub spent: f64,
    /// The models, and how probable each was before anything was tried.
    pub prior: Vec<ModelPrior>,
    /// What was found.
    pub found: RecipeFound,
    /// What mattered, and how sure that is.
    pub mattered: Vec<Factor>,
    /// What was tried, in its order.
    pub tried: Vec<Tried>,
    /// The methods against each other, if that was asked for.
    pub race: Option<Race>,
    /// In words.
    pub answer: Vec<String>,
    /// The seed that fixes everything random.
    pub seed: Seed,
    /// Models and samples that could not be used.
    pub skipped: Vec<Skipped>,
    /// Seconds; the only field that differs between two equal runs.
    pub timing: RecipeTiming,
}

/// A model before anything was tried.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ModelPrior {
    /// Its name.
    pub model: String,
    /// LogME of its last layer on the samples that are learned from.
    pub logme: Option<f64>,
    /// Its probability.
    pub probability: f64,
}

/// A recipe and what it is worth.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RecipeFound {
    /// The option of each factor.
    pub recipe: Vec<String>,
    /// The share of right validation samples, by which it was chosen.
    pub validation: f64,
    /// On the judged samples, after training on all others.
    pub judgement: Judgement,
}

/// A factor.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Factor {
    /// Its name.
    pub name: String,
    /// Its options.
    pub options: Vec<OptionOfFactor>,
}

/// What one option of a factor came to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OptionOfFactor {
    /// Its name.
    pub name: String,
    /// How often it was tried.
    pub tried: usize,
    /// The mean of what was tried with it, less the mean of all that was tried at the same fidelity.
    pub gain: Option<f64>,
    /// Its 95% interval by Student's t.
    pub interval: Option<[f64; 2]>,
    /// Its probability in the end, if the method learns a distribution.
    pub probability: Option<f64>,
}

/// One evaluation.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Tried {
    /// The option of each factor.
    pub recipe: Vec<String>,
    /// The share of the samples that was learned from.
    pub fidelity: f64,
    /// The share of right validation samples.
    pub validation: f64,
}

/// The methods against each other, on a table of every recipe.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Race {
    /// How many recipes there are.
    pub recipes: usize,
    /// The accuracy of the best on the judged samples.
    pub best: f64,
    /// The mean accuracy.
    pub mean: f64,
    /// The standard error of one accuracy, the judged samples being few.
    pub error: f64,
    /// How many seeds.
    pub seeds: usize,
    /// Each method with each budget.
    pub standings: Vec<Standing>,
}

/// What a method loses.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Standing {
    /// The method; `LogME` takes the model of highest LogME, its last layer and a usual head.
    pub method: String,
    /// `LogME` or `even`.
    pub prior: &'static str,
    /// Full evaluations.
    pub budget: f64,
    /// What it spent on average.
    pub spent: f64,
    /// The mean difference between the best recipe's accuracy and that of the one found, on the judged samples.
    pub regret: f64,
    /// Its standard error over the seeds.
    pub error: f64,
}

/// Seconds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RecipeTiming {
    /// Of the whole command.
    pub seconds: f64,
}
