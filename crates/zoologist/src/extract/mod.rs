//! The worker's side: pictures to tensors.

pub mod picture;
pub mod preprocess;
