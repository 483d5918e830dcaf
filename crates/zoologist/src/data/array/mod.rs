//! Arrays in files: which one is meant, and its values row after row.
//!
//! One file per format, and one line in [`FORMATS`].

pub(super) mod decode;
pub(super) mod located;
mod npy;
mod npz;
pub(super) mod safetensors;

use std::io;
use std::path::Path;

use super::Error;
use super::files::extension;
use decode::{Cells, Element, invalid};
use located::Located;

const FORMATS: &[Format] = &[npy::FORMAT, npz::FORMAT, safetensors::FORMAT];

/// A file format that holds arrays.
struct Format {
    extension: &'static str,
    locate: fn(&Path, &Wanted) -> Result<Located, Error>,
}

/// All values of an array of one or two dimensions, row after row.
#[derive(Debug)]
pub(super) struct Array {
    /// `None` where there is one dimension.
    pub columns: Option<usize>,
    /// As many as rows times columns.
    pub cells: Cells,
}

/// The size of an array of one or two dimensions that holds values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shape {
    pub rows: usize,
    /// `None` where there is one dimension.
    pub columns: Option<usize>,
    /// Rows times columns.
    pub count: usize,
}

/// Which array of a file is wanted: the first of these names, else the only one of so many dimensions.
pub(super) struct Wanted {
    pub names: &'static [&'static str],
    pub dimensions: usize,
}

/// An array that a file holds.
struct Entry {
    name: String,
    /// `None` where its header can't be read.
    shape: Option<Vec<usize>>,
}

/// Finds the wanted array; `None` if no format has this file's extension.
pub(super) fn locate(path: &Path, wanted: &Wanted) -> Option<Result<Located, Error>> {
    let extension = extension(path);
    FORMATS.iter().find(|format| format.extension == extension).map(|format| (format.locate)(path, wanted))
}

impl Shape {
    /// The shape of an array, if `most` bytes can hold it and it has one or two dimensions.
    fn new(sizes: &[usize], element: Element, most: u64) -> io::Result<Self> {
        let count = decode::checked_count(sizes, element, most)?;
        match *sizes {
            [rows] => Ok(Self { rows, columns: None, count }),
            [rows, columns] => Ok(Self { rows, columns: Some(columns), count }),
            _ => Err(invalid(format!("has the shape {sizes:?}: one or two dimensions are needed"))),
        }
    }
}

/// The extensions of array files.
pub(super) fn extensions() -> impl Iterator<Item = &'static str> {
    FORMATS.iter().map(|format| format.extension)
}

impl Wanted {
    fn pick<'e>(&self, path: &Path, entries: &'e [Entry]) -> Result<&'e str, Error> {
        let named = self.names.iter().find_map(|name| entries.iter().find(|entry| entry.name == *name));
        let mut fitting = entries.iter().filter(|entry| entry.dimensions() == Some(self.dimensions));
        match (named, fitting.next(), fitting.next()) {
            (Some(entry), ..) | (None, Some(entry), None) => Ok(&entry.name),
            _ => Err(self.unclear(path, entries)),
        }
    }

    fn unclear(&self, path: &Path, entries: &[Entry]) -> Error {
        const SHOWN: usize = 8;
        let mut found: Vec<String> = entries.iter().take(SHOWN).map(Entry::in_words).collect();
        match entries.len() {
            0 => found.push("no arrays".into()),
            more if more > SHOWN => found.push("…".into()),
            _ => {}
        }
        Error::WhichArray { path: path.to_path_buf(), found: found.join(", "), wanted: self.names.join(", ") }
    }
}

impl Entry {
    fn dimensions(&self) -> Option<usize> {
        self.shape.as_ref().map(Vec::len)
    }

    fn in_words(&self) -> String {
        let name = crate::base::path_text::escape(&self.name);
        self.shape.as_ref().map_or(format!("{name} (unreadable)"), |shape| format!("{name} {shape:?}"))
    }
}
