//! What is ranked: the models of the zoo, and the baselines beside them.

use crate::base::Seed;
use crate::extract::{Extractor, NetworkPlan};
use crate::zoo::{Model, Zoo};

/// Something that is ranked.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// Its name in the table.
    pub name: String,
    /// Whether it is a trivial baseline.
    pub baseline: bool,
    /// What turns a picture into features.
    pub extractor: Extractor,
    /// What was assumed about it.
    pub notes: Vec<String>,
}

/// The models of a zoo.
pub fn models(zoo: &Zoo) -> Vec<Candidate> {
    let candidate = |model: &Model| Candidate {
        name: model.name.clone(),
        baseline: false,
        extractor: Extractor::Network(NetworkPlan::from(model)),
        notes: model.notes.clone(),
    };
    zoo.models.iter().map(candidate).collect()
}

/// The baselines that need no model.
pub fn without_model() -> Vec<Candidate> {
    let baseline =
        |name: &str, extractor| Candidate { name: name.to_owned(), baseline: true, extractor, notes: vec![] };
    vec![baseline("raw pixels", Extractor::Pixels), baseline("colour histogram", Extractor::ColourHistogram)]
}

/// The baseline that has a model's architecture, but nothing of what it learnt.
pub fn permuted(model: &Candidate, seed: Seed) -> Option<Candidate> {
    let Extractor::Network(plan) = &model.extractor else { return None };
    let extractor = Extractor::PermutedNetwork(plan.clone(), seed);
    Some(Candidate { name: format!("{} (permuted weights)", model.name), baseline: true, extractor, notes: vec![] })
}
