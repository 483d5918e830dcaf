//! Malformed files of every format that is read, and odd ones that are valid, given to the program.
//!
//! Each format has its own file with its cases. A case is run as a user would; what must not happen is in `judge`. A
//! program that refuses all, or accepts all, fails as well (`self_test`).
#![allow(clippy::unwrap_used, reason = "a test that can't be set up fails")]
#![allow(
    clippy::assigning_clones,
    clippy::case_sensitive_file_extension_comparisons,
    clippy::format_collect,
    clippy::trivially_copy_pass_by_ref,
    clippy::type_complexity,
    reason = "what is written once per case may be written simply"
)]

#[path = "../common/mod.rs"]
mod common;

mod csv;
mod idx;
mod jsonl;
mod judge;
mod npy;
mod npz;
mod onnx;
mod parquet;
mod pictures;
mod safetensors;
mod seeds;
mod self_test;
mod settings;
mod text_models;
mod watch;
mod zip;
