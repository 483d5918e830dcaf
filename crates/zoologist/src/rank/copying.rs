//! Copies of the files of a model's folder.

use std::fs;
use std::path::{Path, PathBuf};

use super::Error;
use crate::base::Enclosure;
use crate::base::path_text::show;

/// Which entries of a folder are copied: by their path, their name, and how deep they stand.
pub type Keeps<'a> = &'a dyn Fn(&Path, &Path, usize) -> bool;

/// Copies the files of a folder, and those that links in it lead to as far as these are the model's own. Folders within are
/// entered where they are kept; links to folders are not.
pub fn copy(from: &Path, enclosure: &Enclosure, into: &Path, depth: usize, keeps: Keeps) -> Result<(), Error> {
    fs::create_dir_all(into).map_err(|error| writing(into, &error))?;
    let entries = fs::read_dir(from).map_err(|error| writing(from, &error))?;
    for entry in entries.flatten() {
        let (path, name) = (entry.path(), PathBuf::from(entry.file_name()));
        let Ok(kind) = fs::metadata(&path) else { continue };
        let is_link = entry.file_type().is_ok_and(|found| found.is_symlink());
        if !keeps(&path, &name, depth) {
            continue;
        }
        if kind.is_dir() && !is_link {
            copy(&path, enclosure, &into.join(&name), depth + 1, keeps)?;
        } else if kind.is_file() && enclosure.holds(&path).is_ok_and(|own| own) {
            fs::copy(&path, into.join(&name)).map_err(|error| writing(&path, &error))?;
        }
    }
    Ok(())
}

/// Why a file or folder can't be written.
pub fn writing(path: &Path, error: &std::io::Error) -> Error {
    Error::Worker(format!("{}: {error}", show(path)))
}
