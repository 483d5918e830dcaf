//! Which pre-trained model should I use for my data? Answered in minutes, without fine-tuning, with the evidence shown.
//!
//! Data flow, and the floors that enforce it (a module uses lower floors only; `tests/floors.rs` checks):
//!
//! ```text
//! floor 5  report    renders plain results
//! floor 4  rank, inspect, evaluate, tabular    the pipeline: data and zoo to a ranking; what a path is; scores against the
//!          truth; searches of tables
//! floor 3  layers, vet    what a model's layers are worth; what is wrong or risky about a model
//! floor 2  score, extract     pure maths over statistics; the worker that runs models
//! floor 1  stats, data, zoo, store, search    the ground: each knows none of the others
//! floor 0  base      the few values everybody speaks of
//! ```

pub mod base;
pub mod data;
pub mod evaluate;
pub mod extract;
pub mod inspect;
pub mod layers;
pub mod rank;
pub mod report;
pub mod score;
pub mod search;
pub mod stats;
pub mod store;
pub mod tabular;
pub mod vet;
pub mod zoo;
