//! What some scores need beside features and targets, and what the user may choose.

use crate::base::{Features, Seed};

/// Inputs that only some scores need; each is `None` or empty where it was not given. Rows stand in the order of the
/// features.
#[derive(Debug, Clone, Default)]
pub struct Inputs {
    /// n × z probabilities of the source classes, as [`crate::score::source`] checked them (`leep`, `nce`, `pactran_*`).
    pub source_probabilities: Option<Features>,
    /// m × d features of the source data set, the one that the model was trained on (`ped`).
    pub source_features: Option<Features>,
    /// n × e label embeddings, one matrix per embedding model (`emms`).
    pub label_embeddings: Vec<Features>,
}

/// What the user may choose about some scores.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Who wins a tied vote of the nearest neighbours.
    pub knn_ties: KnnTies,
    /// The absolute distortion of TransRate.
    pub transrate_eps: f64,
    /// Whether TransRate's features are scaled to unit trace first.
    pub transrate_unit_trace: bool,
    /// Fixes everything random.
    pub seed: Seed,
}

/// Who wins a tied vote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KnnTies {
    /// The tied class whose neighbour is nearest.
    Nearest,
    /// The tied class that stands first, as transformer-ranker does it.
    SmallestLabel,
}

impl Default for Settings {
    fn default() -> Self {
        Self { knn_ties: KnnTies::Nearest, transrate_eps: 1e-4, transrate_unit_trace: false, seed: Seed(0) }
    }
}
