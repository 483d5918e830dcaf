//! The forms that a data set can have: tables first, then pictures.
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
use super::{Dataset, Error, TableOptions, table};

const FORMATS: &[Format] =
    &[idx::FORMAT, listed_csv::LABELS, listed_csv::METADATA, listed_jsonl::METADATA, folder_per_class::FORMAT];

/// Tables that list the pictures of a folder.
const LISTS: [&str; 3] = ["labels.csv", "metadata.csv", "metadata.jsonl"];

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
pub fn open(path: &Path, options: &TableOptions) -> Result<Dataset, Error> {
    let found = std::fs::metadata(path).map_err(Error::reading(path))?;
    if let Some(dataset) = of_tables(path, options, true) {
        return dataset;
    }
    match FORMATS.iter().find(|format| (format.recognises)(path)) {
        Some(format) => (format.open)(path),
        None if !found.is_dir() => Err(Error::NotADataset(path.to_path_buf())),
        None if walk(path, Path::new(""))?.pictures.is_empty() => Err(Error::NoPictures(path.to_path_buf())),
        None => Err(Error::Unlabelled(path.to_path_buf())),
    }
}

/// The samples of a data set, whatever labels there may be: enough to extract features, not to rank.
pub fn open_unlabelled(path: &Path, options: &TableOptions) -> Result<Dataset, Error> {
    if let Some(dataset) = of_tables(path, options, false) {
        return dataset;
    }
    if (idx::FORMAT.recognises)(path) {
        return Ok(Dataset { targets: None, ..(idx::FORMAT.open)(path)? });
    }
    unlabelled::open(path)
}

/// The data set of a table, of a folder with a table per split, or of a folder whose list of pictures is to be read in a
/// way that was asked for; `None` for other paths.
fn of_tables(path: &Path, options: &TableOptions, labelled: bool) -> Option<Result<Dataset, Error>> {
    if table::is_table(path) {
        return Some(table::open(path, options, labelled));
    }
    let asked = !options.label.is_empty() || options.task.is_some() || options.split.is_some() || options.no_header;
    let listed = LISTS.iter().map(|name| path.join(name)).find(|list| asked && list.is_file());
    if let Some(list) = listed {
        return Some(table::open(&list, options, labelled));
    }
    let tables = table::split_tables(path);
    (!tables.is_empty()).then(|| table::open_splits(path, tables, options, labelled))
}
