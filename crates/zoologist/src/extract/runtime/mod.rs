//! What runs a network: one trait, one file per runtime.
//!
//! A runtime gets a model as bytes and gives sessions, one per thread, each with one thread of its own: so features
//! can't depend on the number of threads, and decoding on one thread overlaps inference on another.

mod onnxruntime;
mod rten;

pub use onnxruntime::{OnnxRuntime, find_library};
pub use rten::Rten;

use super::onnx::{ModelBytes, ModelError};

/// A dense float32 tensor.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    /// The length of each axis; the first is the batch.
    pub shape: Vec<usize>,
    /// The numbers, last axis fastest.
    pub values: Vec<f32>,
}

/// Something that can run models.
pub trait Runtime: Sync {
    /// Its name and version, for example `rten 0.27.0`.
    fn name(&self) -> String;

    /// Loads a model for several threads: as many sessions, each giving the outputs named.
    fn load(
        &self,
        model: &ModelBytes,
        input: &str,
        outputs: &[&str],
        sessions: usize,
    ) -> Result<Vec<Box<dyn Session>>, ModelError>;
}

/// A loaded model on one thread.
pub trait Session: Send {
    /// One forward pass. The results stand in the order of the outputs that were asked for.
    fn run(&mut self, input: &Tensor) -> Result<Vec<Tensor>, ModelError>;
}
