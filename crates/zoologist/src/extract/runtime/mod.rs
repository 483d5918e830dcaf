//! What runs a network: one trait, one file per runtime.
//!
//! A runtime gets a model as bytes and gives sessions, one per thread, each with one thread of its own: so features
//! can't depend on the number of threads, and decoding on one thread overlaps inference on another.

mod onnxruntime;
mod rten;

pub use onnxruntime::{OnnxRuntime, find_library};
pub use rten::Rten;

use std::fmt;

use super::onnx::{ModelBytes, ModelError};
use super::order::LayerDescription;
use super::training::Trainer;

/// A dense float32 tensor.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    /// The length of each axis; the first is the batch.
    pub shape: Vec<usize>,
    /// The numbers, last axis fastest.
    pub values: Vec<f32>,
}

/// What a network is fed with.
#[derive(Debug, Clone, Copy)]
pub enum Input<'a> {
    /// Numbers.
    Floats(&'a Tensor),
    /// Token ids, masks or types: rows × length.
    Integers {
        /// How many sequences there are, and how long each is.
        shape: [usize; 2],
        /// The numbers, row after row; none is negative or beyond 2^31.
        values: &'a [i64],
    },
}

/// A network as it stands in its files.
#[derive(Debug, Clone)]
pub enum NetworkBytes {
    /// An ONNX graph.
    Onnx(ModelBytes),
    /// The safetensors of a network that is built in. The inputs of an encoder are called `input_ids`, `attention_mask`
    /// and `token_type_ids`, its outputs `hidden_0` (the embeddings) to `hidden_L`; for those of networks for pictures see
    /// [`Runtime::pictures`].
    Native(NativeBytes),
}

/// The files of a network that is built in.
#[derive(Clone)]
pub struct NativeBytes {
    /// The text of `config.json`.
    pub config: String,
    /// `model.safetensors`.
    pub weights: Vec<u8>,
}

impl fmt::Debug for NativeBytes {
    fn fmt(&self, into: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(into, "{} bytes of safetensors", self.weights.len())
    }
}

/// What a native encoder says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncoderFacts {
    /// How many token ids it knows.
    pub vocabulary: usize,
    /// The longest sequence that it can read, special tokens included.
    pub positions: usize,
    /// Numbers per token state.
    pub dim: usize,
    /// Multiply-adds of one sequence of the length that was asked for, up to each hidden state; the last is the whole.
    pub multiply_adds: Vec<u64>,
}

/// Something that can run networks.
pub trait Runtime: Sync {
    /// Its name and version, for example `rten 0.27.0`.
    fn name(&self) -> String;

    /// Loads a network for several threads: as many sessions, each fed with the inputs named and giving the outputs
    /// named.
    fn load(
        &self,
        network: &NetworkBytes,
        inputs: &[&str],
        outputs: &[&str],
        sessions: usize,
    ) -> Result<Vec<Box<dyn Session>>, ModelError>;

    /// The layers of a network for pictures that is built in, from the first to the last, with the cost of a picture of
    /// this height and width, and then `logits` where it has a classifier. Their names are its outputs; its input is called
    /// `input`. Only a runtime of such networks knows.
    fn pictures(&self, _network: &NativeBytes, _size: [usize; 2]) -> Result<Vec<LayerDescription>, ModelError> {
        Err(ModelError::Unfit(format!("{} runs ONNX models only", self.name())))
    }

    /// What trains networks, if it does.
    fn trainer(&self) -> Option<&dyn Trainer> {
        None
    }

    /// What a native encoder is, with the cost of a sequence of this length. Only a runtime of native encoders knows.
    fn encoder(&self, _network: &NativeBytes, _length: usize) -> Result<EncoderFacts, ModelError> {
        Err(ModelError::Unfit(format!("{} runs ONNX models only", self.name())))
    }
}

/// A loaded network on one thread.
pub trait Session: Send {
    /// One forward pass. Inputs and results stand in the order of the names that were given.
    fn run(&mut self, inputs: &[Input]) -> Result<Vec<Tensor>, ModelError>;
}

/// The graph, for a runtime that knows nothing else.
fn graph<'a>(network: &'a NetworkBytes, runtime: &'static str) -> Result<&'a ModelBytes, ModelError> {
    match network {
        NetworkBytes::Onnx(model) => Ok(model),
        NetworkBytes::Native(_) => Err(ModelError::Runtime { runtime, reason: "it runs ONNX models only".to_owned() }),
    }
}
