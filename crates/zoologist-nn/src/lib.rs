//! The networks that zoologist owns, on burn: native encoders of text, read from the files of a Hugging Face folder.
//!
//! There is one definition of the network (`network.rs`), in burn's operations, so that gradients can
//! run through it. What burn's CPU backend does slowly is done by loops of our own on the same tensors; see
//! [`Operations`].
//!
//! ```text
//! config.json ─► Architecture ─► names and shapes ─┐
//!                                                  ├─► Network ─► Encoder: tokens ─► hidden states
//! model.safetensors ───────────────────► Weights ──┘
//! ```
//!
//! One forward pass is one thread: burn's CPU backend is built without its `rayon` feature, and with it goes every
//! place where it would start threads. Clones of an [`Encoder`] share their weights and run on as many threads as
//! there are clones; each pass gives the same bits whatever else runs.

mod activation;
mod architecture;
mod encoder;
mod error;
mod family;
mod kernels;
mod network;
mod operations;
mod relative;
mod runtime;
mod tokens;
mod weights;

#[cfg(test)]
mod reference;
#[cfg(test)]
mod tests;

pub use encoder::Encoder;
pub use error::{LoadError, RunError};
pub use operations::Operations;
pub use runtime::Native;
pub use tokens::Tokens;
