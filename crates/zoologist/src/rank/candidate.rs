//! What is ranked: the models of the zoo, and the baselines beside them.

use crate::base::Seed;
use crate::extract::{Extractor, LayerSet, NetworkPlan, SampleFiles};
use crate::zoo::{Model, ModelInput, TokenPooling, Zoo};

/// The baseline whose success betrays a leak.
pub const TEXT_LENGTH: &str = "text length";
/// The baseline that always names the most frequent label, or the mean.
pub const NO_FEATURES: &str = "most frequent label";

/// Something that is ranked.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// Its name in the table.
    pub name: String,
    /// Whether it is a trivial baseline.
    pub baseline: bool,
    /// What turns a picture or a text into features.
    pub extractor: Extractor,
    /// What was assumed about it.
    pub notes: Vec<String>,
}

/// The models of a zoo, asked for these layers; `pooling` overrides how they say that token states are pooled.
pub fn models(zoo: &Zoo, layers: LayerSet, pooling: Option<TokenPooling>) -> Vec<Candidate> {
    let candidate = |model: &Model| Candidate {
        name: model.name.clone(),
        baseline: false,
        extractor: Extractor::Network(plan(model, layers, pooling)),
        notes: model.notes.clone(),
    };
    zoo.models.iter().map(candidate).collect()
}

/// How a model is run.
pub fn plan(model: &Model, layers: LayerSet, pooling: Option<TokenPooling>) -> NetworkPlan {
    let mut plan = NetworkPlan::new(model, layers);
    if let (ModelInput::Texts(settings), Some(pooling)) = (&mut plan.input, pooling) {
        settings.pooling = pooling;
    }
    plan
}

/// The baselines that need no model.
pub fn without_model(files: &SampleFiles) -> Vec<Candidate> {
    let baseline =
        |name: &str, extractor| Candidate { name: name.to_owned(), baseline: true, extractor, notes: vec![] };
    match files {
        SampleFiles::Pictures { .. } => {
            vec![baseline("raw pixels", Extractor::Pixels), baseline("colour histogram", Extractor::ColourHistogram)]
        }
        SampleFiles::Texts { file, digest, .. } => vec![
            baseline("TF-IDF", Extractor::TfIdf { fitted_on: file.clone(), digest: digest.clone() }),
            baseline(TEXT_LENGTH, Extractor::TextLength),
            baseline(NO_FEATURES, Extractor::Constant),
        ],
    }
}

/// The baseline that has a model's architecture, but nothing of what it learnt.
pub fn permuted(model: &Candidate, seed: Seed) -> Option<Candidate> {
    let Extractor::Network(plan) = &model.extractor else { return None };
    let extractor = Extractor::PermutedNetwork(plan.clone(), seed);
    Some(Candidate { name: format!("{} (permuted weights)", model.name), baseline: true, extractor, notes: vec![] })
}
