//! From texts to features: tokens, batches of like length, a network or a table of vectors, pooling.
//!
//! A block of texts is taken whole, so that its texts can be sorted by length; what comes out for one text depends on
//! the texts beside it by rounding alone.

mod batch;
mod count;
mod embeddings;
mod encoder;
mod native;
mod onnx;
mod pooling;
mod rows;
pub mod tfidf;
mod tokens;

pub use count::{TokenCounts, count};
pub use embeddings::{Embeddings, numbers};
pub use encoder::{Encoder, load as load_encoder};
pub use native::{disturb_weights as disturb_native, read as read_native};
pub use onnx::parts;
#[cfg(test)]
pub use pooling::pooled;
pub use pooling::shares_of;
pub use rows::{Rows, rows_of, words_of};
pub use tokens::{TokenIds, Tokens};

/// What came of a block of texts.
pub struct BlockFeatures {
    /// One vector per text.
    pub features: Vec<Vec<f32>>,
    /// How many texts were cut to the longest length that the model reads.
    pub truncated: usize,
}
