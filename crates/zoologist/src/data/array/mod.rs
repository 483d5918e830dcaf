//! Arrays in files: which one is meant, and its values row after row.
//!
//! One file per format, and one line in [`FORMATS`].

pub(super) mod decode;
mod npy;
mod npz;
mod safetensors;

use std::path::Path;

use super::Error;
use super::files::extension;
use decode::Cells;

const FORMATS: &[Format] = &[npy::FORMAT, npz::FORMAT, safetensors::FORMAT];

/// A file format that holds arrays.
struct Format {
    extension: &'static str,
    read: fn(&Path, &Wanted) -> Result<Array, Error>,
}

/// An array of one or two dimensions, row after row.
#[derive(Debug)]
pub(super) struct Array {
    /// Rows, and columns where there are two dimensions.
    pub shape: Vec<usize>,
    /// `shape[0] * shape[1]` values.
    pub cells: Cells,
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

/// Reads the wanted array; `None` if no format has this file's extension.
pub(super) fn read(path: &Path, wanted: &Wanted) -> Option<Result<Array, Error>> {
    let extension = extension(path);
    FORMATS.iter().find(|format| format.extension == extension).map(|format| (format.read)(path, wanted))
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
