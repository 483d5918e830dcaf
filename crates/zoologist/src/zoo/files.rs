//! Opening the files of a model that is not trusted: regular files only, and only beneath its folder.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Component, Path, PathBuf};

use sha2::{Digest, Sha256};

use super::{Error, Problem};
use crate::base::Enclosure;

/// No file of settings is larger: while it is parsed, it takes many times its size.
const LARGEST_SETTINGS: u64 = 4 << 20;
/// How much of a file is hashed at a time.
const HASHED_AT_ONCE: usize = 1 << 20;
/// How a placeholder of Git LFS begins.
const PLACEHOLDER: &[u8] = b"version https://git-lfs";

/// The folder that all files of a model lie beneath.
#[derive(Debug)]
pub(super) struct Root {
    folder: PathBuf,
    enclosure: Enclosure,
}

impl Root {
    /// That folder. It may itself be a link: the user chose it.
    pub fn new(folder: &Path) -> Result<Self, Error> {
        let enclosure = Enclosure::new(folder).map_err(Error::reading(folder))?;
        Ok(Self { folder: folder.to_path_buf(), enclosure })
    }

    /// The folder, as it was given.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The full path of a regular file beneath the folder; `None` if nothing has that name.
    pub fn find(&self, relative: &Path) -> Result<Option<PathBuf>, Error> {
        let path = self.folder.join(relative);
        if !relative.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir)) {
            return Err(Problem::Outside.at(&path));
        }
        if fs::symlink_metadata(&path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
            return Ok(None);
        }
        if !self.enclosure.holds(&path).map_err(Error::reading(&path))? {
            return Err(Problem::Outside.at(&path));
        }
        regular(&path).map(|()| Some(path))
    }

    /// The text of a file of settings; `None` if nothing has that name.
    pub fn text(&self, relative: &Path) -> Result<Option<String>, Error> {
        self.find(relative)?.map(|path| settings_text(&path)).transpose()
    }

    /// The SHA-256 of a file in hexadecimal.
    pub fn sha256(&self, relative: &Path) -> Result<String, Error> {
        match self.find(relative)? {
            Some(path) => sha256(&path),
            None => Err(Problem::Missing.at(&self.folder.join(relative))),
        }
    }

    /// The names in a folder of the model, in the order of their bytes, hidden ones left out; none if there is no such
    /// folder.
    pub fn names(&self, relative: &Path) -> Result<Vec<PathBuf>, Error> {
        let folder = self.folder.join(relative);
        if folder.is_dir() { entries(&folder) } else { Ok(Vec::new()) }
    }
}

/// The names in a folder, in the order of their bytes, hidden ones left out.
pub(super) fn entries(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(Error::reading(folder))? {
        let name = PathBuf::from(entry.map_err(Error::reading(folder))?.file_name());
        if !name.to_string_lossy().starts_with('.') {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// The extension of a path in lower case, `""` if there is none.
pub(super) fn extension(path: &Path) -> String {
    path.extension().map(|extension| extension.to_string_lossy().to_ascii_lowercase()).unwrap_or_default()
}

/// The text of a file of settings, which must be small.
pub(super) fn settings_text(path: &Path) -> Result<String, Error> {
    let mut text = String::new();
    let read = open(path)?.take(LARGEST_SETTINGS + 1).read_to_string(&mut text);
    match read {
        Ok(length) if length as u64 > LARGEST_SETTINGS => Err(Problem::TooLarge.at(path)),
        Ok(_) => Ok(text),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            Err(Problem::malformed("is not valid UTF-8. Save the file as UTF-8").at(path))
        }
        Err(error) => Err(Error::reading(path)(error)),
    }
}

/// The SHA-256 of a file of weights in hexadecimal. A placeholder of Git LFS is refused.
pub(super) fn sha256(path: &Path) -> Result<String, Error> {
    let mut file = open(path)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; HASHED_AT_ONCE];
    loop {
        let length = match file.read(&mut buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read.map_err(Error::reading(path))?,
        };
        let part = buffer.get(..length).unwrap_or_default();
        if part.starts_with(PLACEHOLDER) {
            return Err(Problem::Placeholder.at(path));
        }
        if part.is_empty() {
            return Ok(hexadecimal(hasher));
        }
        hasher.update(part);
    }
}

/// The SHA-256 of a text in hexadecimal.
pub(super) fn sha256_of_text(text: &str) -> String {
    hexadecimal(Sha256::new_with_prefix(text))
}

/// Writes a new file; an old one is replaced only with `force`, and a link is replaced, not followed.
pub(super) fn write(path: &Path, text: &str, force: bool) -> Result<PathBuf, Error> {
    let fail = Error::writing(path);
    if force && fs::symlink_metadata(path).is_ok() {
        fs::remove_file(path).map_err(&fail)?;
    }
    let mut file = File::create_new(path).map_err(&fail)?;
    file.write_all(text.as_bytes()).map_err(&fail)?;
    Ok(path.to_path_buf())
}

/// A finished SHA-256 in hexadecimal.
pub(super) fn hexadecimal(hasher: Sha256) -> String {
    format!("{:x}", hasher.finalize())
}

/// Opens a regular file. It is looked at first, because opening a pipe would wait for ever.
fn open(path: &Path) -> Result<File, Error> {
    regular(path)?;
    File::open(path).map_err(Error::reading(path))
}

fn regular(path: &Path) -> Result<(), Error> {
    let found = fs::metadata(path).map_err(Error::reading(path))?;
    if found.is_file() { Ok(()) } else { Err(Problem::NotRegular.at(path)) }
}
