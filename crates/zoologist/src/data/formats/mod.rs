//! The forms that a data set of pictures can have.
//!
//! One file per format, and one line in [`FORMATS`]: the first that recognises the path opens it
//! (docs/adding-a-format.md).

mod folder_per_class;
mod idx;
mod listed;
mod listed_csv;
mod listed_jsonl;
mod unlabelled;

use std::path::Path;

use super::walk::walk;
use super::{Dataset, Error};

pub use unlabelled::open as open_unlabelled;

const FORMATS: &[Format] =
    &[idx::FORMAT, listed_csv::LABELS, listed_csv::METADATA, listed_jsonl::METADATA, folder_per_class::FORMAT];

/// A form of data set.
struct Format {
    /// Whether the path looks like this format: a glance at names, no file is opened.
    recognises: fn(&Path) -> bool,
    /// Reads what there is.
    open: fn(&Path) -> Result<Dataset, Error>,
}

/// Detects the format of a labelled data set and reads what samples it has. No picture is opened.
///
/// An error says what is missing: labels, pictures, the path itself, or a second class.
pub fn open(path: &Path) -> Result<Dataset, Error> {
    let found = std::fs::metadata(path).map_err(Error::reading(path))?;
    match FORMATS.iter().find(|format| (format.recognises)(path)) {
        Some(format) => (format.open)(path),
        None if !found.is_dir() => Err(Error::NotADataset(path.to_path_buf())),
        None if walk(path, Path::new(""))?.pictures.is_empty() => Err(Error::NoPictures(path.to_path_buf())),
        None => Err(Error::Unlabelled(path.to_path_buf())),
    }
}
