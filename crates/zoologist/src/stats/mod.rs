//! Mergeable statistics of features and targets: all that most scores need of the rows.
//!
//! ```text
//! rows of one shard ─► Builder (blocks about one origin) ─► Moments (about the mean) ─► Shards ─► total, all but one
//! ```
//!
//! [`Moments`] is a commutative monoid: [`Moments::merge`] joins two parts. Everything is kept about a mean, never as
//! raw products: with column means near 1e4 and unit spread the raw form loses eight digits. Pure: no files, no clock,
//! no randomness.
//!
//! The rows of a data set are cut into logical shards, and [`Shards`] keeps one [`Moments`] per shard. The total is
//! always merged in shard order, so it is bit-equal however the work was divided.

mod builder;
mod kernels;
mod moments;
mod portable;
mod precision;
mod responses;
mod shards;
#[cfg(test)]
mod tests;

pub use builder::{Builder, Scratch, ScratchPool};
pub use moments::{Marginals, Moments};
pub use portable::Damaged;
pub use precision::{Precision, pilot_rows};
pub use responses::Responses;
pub use shards::Shards;
