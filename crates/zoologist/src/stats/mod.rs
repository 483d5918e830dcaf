//! Mergeable statistics of features and targets: all that most scores need of the rows.
//!
//! [`Moments`] is a commutative monoid: [`Moments::add`] takes a block of rows, [`Moments::merge`] joins two parts.
//! Everything is kept about the mean, never as raw products: with column means near 1e4 and unit spread the raw form
//! loses eight digits. Pure: no files, no clock, no randomness.
//!
//! The rows of a data set are cut into logical shards, and [`Shards`] keeps one [`Moments`] per shard. The total is
//! always merged in shard order, so it is bit-equal however the work was divided.

mod moments;
mod shards;

pub use moments::Moments;
pub use shards::Shards;
