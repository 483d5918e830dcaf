//! The loops that stand in for burn's operations where its CPU backend is slow, compiled for the vector units of the
//! machine that runs them.
//!
//! They work on rows of float32 numbers. Every sum has a fixed number of partial sums, so that a result does not depend
//! on the width of the vectors.

mod attention;
mod channels;
mod depthwise;
mod framed;
mod functions;
mod gelu;
mod rows;
mod sample_norm;

pub use attention::Attention;
pub use channels::{BiasClamp, Clamp};
pub use depthwise::Depthwise;
pub use gelu::Gelu;
pub use rows::{Norm, activate, add_norm};
pub use sample_norm::SampleNorm;

/// Partial sums of a sum over a row, and the multiple that the rows of attention are filled up to.
const LANES: usize = 16;
