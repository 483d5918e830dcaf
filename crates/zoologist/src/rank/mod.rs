//! To be written.

mod ranking;

pub use ranking::*;
