//! Renders results: each format is one file with pure functions from a result to text.
//!
//! A result is a plain value, defined with the part that makes it; a writer here turns it into one text and does
//! nothing else: no file, no clock, no terminal. Equal results give equal bytes. What is said in several formats
//! (names of metrics, numbers, remarks) is put into words once, in `words` and `rows`.
//!
//! Names that come from the user's files are data: control characters are escaped, and HTML is escaped again.

pub mod architecture;
pub mod cache;
pub mod evaluation;
pub mod html;
pub mod json;
pub mod layers;
pub mod table;
pub mod text;
pub mod tuning;
pub mod vet;
pub mod zoo;

mod chart;
mod curves;
mod drawing;
pub mod recipe;
mod rows;
#[cfg(test)]
mod sample;
pub mod search;
mod studies;
mod words;
