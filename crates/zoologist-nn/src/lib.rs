//! The networks that zoologist owns, on burn: encoders of texts and of pictures, read from the files of a Hugging Face
//! or timm folder, run, and trained.
//!
//! There is one definition of each network (`network.rs`, `image/`), in burn's operations, so that gradients can run
//! through it. What burn's CPU backend does slowly is done by loops of our own on the same tensors: [`Operations`] without
//! a tape, `operation.rs` on it.
//!
//! ```text
//! config.json ─► Design ─► names and shapes ─┐              ┌─► Encoder: tokens ─► hidden states
//!                                            ├─► a network ─┼─► PictureEncoder: pictures ─► layers, logits
//! model.safetensors ─────────────► Weights ──┘              └─► training: samples ─► trained weights
//! ```
//!
//! One forward pass is one thread: burn's CPU backend is built without its `rayon` feature, and with it goes every
//! place where it would start threads. Clones of an [`Encoder`] share their weights and run on as many threads as
//! there are clones; each pass gives the same bits whatever else runs.

mod activation;
mod architecture;
mod design;
mod encoder;
mod error;
mod family;
mod graphs;
mod image;
mod kernels;
mod network;
mod operation;
mod operations;
mod pictures;
mod relative;
mod runtime;
mod scope;
mod tokens;
mod training;
mod weights;

#[cfg(test)]
mod gradients;
#[cfg(test)]
mod reference;
#[cfg(test)]
mod tests;

pub use encoder::Encoder;
pub use error::{LoadError, RunError};
pub use operations::Operations;
pub use pictures::PictureEncoder;
pub use runtime::Native;
pub use tokens::Tokens;
