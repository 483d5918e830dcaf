//! To be written.

pub mod preprocessing;
