//! The few values that every floor speaks of: faults, seeds, targets, features, paths as text; and loops for vector units.
//!
//! Nothing here reads a file's content, knows a format or computes a score. It stands below the ground floor so that
//! `stats`, `data`, `zoo` and `store` can share these types without knowing each other.

mod array;
mod enclosure;
mod fault;
mod features;
pub mod path_text;
mod seed;
mod size;
mod targets;
mod vector;

pub use array::{Array, Numbers};
pub use enclosure::Enclosure;
pub use fault::{Fail, Fault};
pub use features::{Features, Values};
pub use seed::{Seed, Stream};
pub use size::parse_size;
pub use targets::{Classes, Columns, Interned, Targets, TargetsError, Task, absent_numbers};
pub use vector::vectorised;
