//! The main job: data and a zoo in, an order of models with its evidence out.
//!
//! ```text
//! plan ─► samples in one order ─► candidates ─► features of each (worker, store) ─► scores ─► ranking ─► verdict
//! ```
//!
//! Trivial baselines are candidates like any other. A candidate that fails is named and the others go on. Everything
//! above the store is computed again from it in seconds, and scores are kept too.

mod brute_force;
mod candidate;
mod copying;
mod error;
pub mod export;
mod features;
mod field;
mod latency;
pub mod layer_study;
mod layers;
mod matrix;
mod order;
mod pipeline;
mod plan;
mod pool;
pub mod prediction;
pub mod race;
mod ranking;
pub mod recipes;
pub mod retraining;
mod samples;
pub mod scorecard;
mod scoring;
pub mod searching;
pub mod shards;
mod side_by_side;
pub mod statistics;
mod times;
mod trained;
mod truth;
pub mod tuning;
pub mod usage;
mod verdict;
pub mod vetting;

pub use error::Error;
pub use layers::Layers;
pub use pipeline::run;
pub use plan::{Budget, Plan, Progress, Silent, TruthKind};
pub use ranking::*;
