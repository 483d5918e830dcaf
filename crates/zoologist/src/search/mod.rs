//! Searching a categorical space: sample, compare, update. Nothing here trains, reads a file or knows the time; whoever
//! can evaluate an architecture drives it by asking and telling.
//!
//! ```text
//!            ┌──────────────── tell(value) ◄───────────────┐
//!            ▼                                             │
//!  Space ─► Searcher ─► ask() ─► Trial (architecture, fidelity) ─► any runner
//!            │
//!            └─ Distribution ─► Rule: paper, mean, transfer, transfer:last, duel   (MdeNAS and its kin)
//! ```
//!
//! A searcher is fixed by its space, its method, its seed and its budget; what it does next depends on these and on what it
//! was told. So a run is its [`History`]: told once more, a new searcher stands where the old one was, bit by bit.
//!
//! ```
//! use zoologist::base::Seed;
//! use zoologist::search::{History, Method, Space};
//!
//! let space = Space::of_sizes(&[3, 3, 3, 3]);
//! let method: Method = "duel".parse().unwrap();
//! let mut history = History::default();
//! let mut searcher = method.searcher(&space, Seed(0), 200.0);
//! // The more often option 2 is chosen, the better.
//! let value = |architecture: &[u8]| architecture.iter().filter(|&&option| option == 2).count() as f64;
//! while let Some(trial) = searcher.ask() {
//!     let value = value(&trial.architecture);
//!     searcher.tell(&trial, value);
//!     history.push(trial, value);
//! }
//! assert_eq!(history.best().unwrap().0[..], [2, 2, 2, 2]);
//! assert_eq!(searcher.distribution().unwrap().most_probable(&space), [2, 2, 2, 2]);
//! ```

mod distribution;
mod history;
mod method;
mod rules;
mod space;

pub use distribution::Distribution;
pub use history::{History, Told};
pub use method::{METHODS, Method, Searcher, Trial};
pub use rules::{Learning, Rule, RuleKind};
pub use space::{Choice, Limit, Space, SpaceError};

/// One option of each choice, by number: a point of the space.
pub type Architecture = Vec<u8>;
