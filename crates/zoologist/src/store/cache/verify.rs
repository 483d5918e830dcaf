//! Verifying every file of the cache.

use std::path::{Path, PathBuf};

use super::{OtherLayout, jobs, others, texts_of};
use crate::store::job::{ABOUT, BLOCKS, ORDER, RESULTS, SEALED, block_name, is_hidden};
use crate::store::{Block, Error, Kept, Key, Sealed, Store, Unsound, checked, folders, texts};

/// What verifying found.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Verification {
    /// The folder of the cache.
    pub path: PathBuf,
    /// How many files were verified.
    pub files: usize,
    /// Their bytes.
    pub bytes: u64,
    /// Those that will not be used.
    pub faults: Vec<FileFault>,
    /// What other versions of zoologist wrote: it is not verified.
    pub others: Vec<OtherLayout>,
}

/// A file that will not be used.
#[derive(Debug, Clone, PartialEq)]
pub struct FileFault {
    /// The file.
    pub path: PathBuf,
    /// What it is.
    pub kind: &'static str,
    /// Why it is not used.
    pub unsound: Unsound,
}

impl Store {
    /// Verifies every file: its checksum, and that it stands where it belongs.
    pub fn verify(&self) -> Result<Verification, Error> {
        let folder = self.folder();
        folders::require_own(folder)?;
        let mut found = Verification { path: folder.to_owned(), others: others(self)?, ..Verification::default() };
        for (key, path) in jobs(self)? {
            job(&key, &path, &mut found)?;
        }
        for entry in texts_of(self)? {
            // It may be gone by now.
            if entry.path.exists() {
                found.count(&entry.path, "texts file", entry.bytes, texts::verify(&entry.path)?);
            }
        }
        Ok(found)
    }
}

impl Verification {
    fn count(&mut self, path: &Path, kind: &'static str, bytes: u64, unsound: Option<Unsound>) {
        self.files += 1;
        self.bytes += bytes;
        self.faults.extend(unsound.map(|unsound| FileFault { path: path.to_owned(), kind, unsound }));
    }

    /// Verifies a file of sealed features, if it is there, without reading all of it at once.
    fn features(&mut self, key: &Key, path: &Path) -> Result<(), Error> {
        let kept = Sealed::open(key, path)?;
        if !matches!(kept, Kept::Absent) {
            self.count(path, "features file", folders::bytes(path)?, kept.unsound());
        }
        Ok(())
    }

    /// Reads a file, if it is there, and verifies it.
    fn read<T>(
        &mut self,
        path: &Path,
        kind: &'static str,
        verify: impl FnOnce(&[u8]) -> Result<T, Unsound>,
    ) -> Result<(), Error> {
        let bytes = folders::read(path)?;
        let Some(count) = bytes.as_ref().map(Vec::len) else { return Ok(()) };
        self.count(path, kind, count as u64, Kept::of(bytes, verify).unsound());
        Ok(())
    }
}

/// Verifies the files of one job.
pub(super) fn job(key: &Key, folder: &Path, found: &mut Verification) -> Result<(), Error> {
    let listed = |name| Ok(folders::entries(&folder.join(name))?.into_iter().filter(|path| !is_hidden(path)));
    for path in listed(BLOCKS)? {
        found.read(&path, "block", |bytes| block(key, &path, bytes))?;
    }
    found.features(key, &folder.join(SEALED))?;
    for path in listed(RESULTS)? {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        found.read(&path, "result", |bytes| checked::verify(&name, bytes))?;
    }
    for path in folders::entries(folder)?.into_iter().filter(|path| is_order(path)) {
        found.read(&path, "order", |bytes| checked::verify(ORDER, bytes))?;
    }
    found.read(&folder.join(ABOUT), "description", |bytes| checked::verify(ABOUT, bytes))
}

fn is_order(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(ORDER.as_bytes()))
}

/// A block in the place of its rows.
fn block(key: &Key, path: &Path, bytes: &[u8]) -> Result<(), Unsound> {
    let block = Block::read(key, bytes)?;
    let in_place = path.file_name().is_some_and(|name| name == block_name(block.first).as_str());
    if in_place { Ok(()) } else { Err(Unsound::Damaged) }
}
