//! From pictures and texts to features: the worker, and how the parent runs it.
//!
//! A worker turns one [`Order`] (an extractor and some samples) into feature blocks in the store, and does nothing
//! else. It runs as a child process: only it loads, parses or runs a model or decodes a picture, so what a hostile or
//! broken file can do ends with that process. [`launch::run`] starts one and listens; [`worker::run`] is one.
//!
//! Each thread has its own session. It takes one picture at a time through reading, decoding, resizing, the network and
//! pooling, or one block of texts through tokens, batches of like length, the network and pooling. So features do not
//! depend on the number of threads, and decoding on one thread overlaps inference on another.

pub mod anatomy;
mod attach;
mod baseline;
pub mod behaviour;
pub mod confined;
mod ending;
mod files;
mod head;
pub mod launch;
mod limits;
pub mod network;
pub mod onnx;
mod order;
pub mod perceptual;
pub mod picture;
pub mod preprocess;
mod queue;
pub mod runtime;
mod sample_files;
pub mod text;
pub mod training;
pub mod worker;

pub use head::{Dense, Head};
pub use limits::{Bounds, Limits};
pub use order::{
    Assignment, Attached, Commission, Description, Disturbance, Extractor, LayerDescription, LayerSet, NetworkPlan,
    OnnxRunner, Order, PortablePath, Precision, RuntimeChoice, TokenOrder,
};
pub use sample_files::{SampleFiles, SamplesError};
