//! To be written.

mod result;

pub use result::{Score, Status};
