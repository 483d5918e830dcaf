//! Labels that stand in a file of their own, one entry per row of the features.
//!
//! What they are for is detected and said; a task that is asked for overrides it. Array files are read by
//! `array`, text files here, one file per format and one line in `FORMATS`.

mod csv_labels;
pub(super) mod detect;
mod text_labels;

use std::path::Path;

use super::array::decode::{Cells, invalid};
use super::array::{self, Array, Wanted};
use super::files::{counted, extension};
use super::{Error, features, parquet};
use crate::base::{Targets, Task};
use detect::Raw;

const FORMATS: &[Format] = &[text_labels::FORMAT, csv_labels::FORMAT];

pub(super) const WANTED: Wanted = Wanted { names: &["labels", "y", "targets", "label", "target"], dimensions: 1 };

/// The most values that labels may have, rows times columns: always, and where their packing makes that likely.
const FEW_VALUES: usize = 1 << 24;
const MOST_VALUES: usize = 1 << 27;

/// A text format that holds labels.
struct Format {
    extension: &'static str,
    read: fn(&Path) -> Result<Raw, Error>,
}

/// Labels, and what they were taken for.
#[derive(Debug, Clone, PartialEq)]
pub struct Labels {
    /// What is to be predicted, one entry per row.
    pub targets: Targets,
    /// What was detected, as a sentence to be said aloud.
    pub note: String,
}

/// Reads labels and detects what they are for, unless `task` says.
///
/// * .npy, .npz, .safetensors: one dimension of integers, truth values or text is classes, of fractions regression;
///   two dimensions of 0 and 1 are yes/no labels, others regression. In a .npz the array is called `labels`, `y` or
///   `targets`, or is the only one of one dimension, so that FEATURES and LABELS can be the same file.
/// * .parquet: the column called `labels`, `y`, `targets`, `label` or `target`, or the only one; several columns of
///   numbers are a table.
/// * .txt: one label a line. .csv: one column, the column `label`, `target` or `y`, or several columns of numbers.
///
/// Labels that can't serve the task, fewer than two rows, and a single class are errors.
pub fn read(path: &Path, task: Option<Task>) -> Result<Labels, Error> {
    let targets = raw(path)?.targets(path, task)?;
    let note = format!("Labels: {}, taken as {}.", counted(targets.len(), "row"), detect::in_words(&targets));
    Ok(Labels { targets, note })
}

fn raw(path: &Path) -> Result<Raw, Error> {
    if let Some(located) = array::locate(path, &WANTED) {
        let array = located?.array(FEW_VALUES, MOST_VALUES).map_err(Error::reading(path))?;
        return from_array(array).map_err(|problem| Error::reading(path)(invalid(problem)));
    }
    let extension = extension(path);
    if extension == parquet::EXTENSION {
        return parquet::labels(path);
    }
    match FORMATS.iter().find(|format| format.extension == extension) {
        Some(format) => (format.read)(path),
        None => Err(unknown(path)),
    }
}

fn unknown(path: &Path) -> Error {
    let own = FORMATS.iter().map(|format| format!(".{}", format.extension)).collect::<Vec<_>>().join(", ");
    let known = format!("{}, {own}", features::extensions());
    Error::Extension { path: path.to_path_buf(), known }
}

/// A single column is a single label; integers are names of classes until something says otherwise.
fn from_array(array: Array) -> Result<Raw, &'static str> {
    let columns = array.columns.unwrap_or(1);
    let names = (0..columns).map(|column| column.to_string()).collect();
    Ok(match array.cells {
        Cells::Text(_) if columns > 1 => return Err("holds several columns of text: one label per row is needed"),
        Cells::Text(texts) => Raw::Texts(texts),
        Cells::Integers(values) if columns == 1 => Raw::Integers(values),
        Cells::Integers(values) => {
            Raw::Numbers { names, values: values.into_iter().map(|value| value as f64).collect() }
        }
        Cells::F32(values) => Raw::Numbers { names, values: values.into_iter().map(f64::from).collect() },
        Cells::F64(values) => Raw::Numbers { names, values },
    })
}
