//! Texts in one file, any of which can be read by its number.
//!
//! A table is read from its beginning to its end; samples are wanted in another order. So the texts of a job are
//! written once, as they come, and the place of each is kept at the end of the file. The file is named by the BLAKE3 of
//! all its bytes, which is compared when it is opened. Memory: 16 bytes per text while it is written, nothing while it
//! is read.
//!
//! ```text
//! texts, one after the other │ per sample: offset u64, bytes of the first text u32, of the second u32 │ magic, count u64
//! ```
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::expect_used, clippy::panic)]

use std::fs::File;
use std::io::{BufWriter, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::atomic::UNFINISHED;
use super::kept::Unsound;
use super::{Error, Store, folders, refused};

/// Where these files are in the store.
pub(super) const FOLDER: &str = "texts";
const MAGIC: &[u8; 8] = b"ZOOTEXT1";
const ENTRY: usize = 16;
const FOOTER: u64 = 16;
/// Stands for a second text that is not there.
const NONE: u32 = u32::MAX;

/// What a model reads of one sample.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Text {
    /// The text, or the first of a pair.
    pub first: String,
    /// The second text of a pair.
    pub second: Option<String>,
}

/// A file of texts that is being written.
pub struct TextsWriter {
    folder: PathBuf,
    temporary: BufWriter<tempfile::NamedTempFile>,
    index: Vec<[u8; ENTRY]>,
    offset: u64,
    digest: blake3::Hasher,
}

/// A whole file of texts.
#[derive(Debug)]
pub struct Texts {
    file: File,
    path: PathBuf,
    count: u64,
    /// Where the index begins.
    index: u64,
}

impl Store {
    /// Begins a file for so many texts.
    pub fn write_texts(&self, count: usize) -> Result<TextsWriter, Error> {
        let folder = self.prepared()?.join(FOLDER);
        folders::make(&folder)?;
        let temporary = tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(&folder);
        let temporary = BufWriter::new(temporary.map_err(refused("write in", &folder))?);
        Ok(TextsWriter { folder, temporary, index: vec![[0; ENTRY]; count], offset: 0, digest: blake3::Hasher::new() })
    }
}

impl TextsWriter {
    /// Adds the text of the sample at this place, and the second one of a pair. Each place is given once.
    pub fn put(&mut self, place: usize, first: &str, second: Option<&str>) -> Result<(), Error> {
        let length = |text: &str| u32::try_from(text.len()).ok().filter(|&length| length < NONE);
        let lengths = length(first).zip(second.map_or(Some(NONE), length));
        let path = self.folder.clone();
        let too_long = || Error::Damaged { path, what: "a text of 4 GiB or more can't be kept" };
        let (first_length, second_length) = lengths.ok_or_else(too_long)?;
        let parts = [&self.offset.to_le_bytes()[..], &first_length.to_le_bytes(), &second_length.to_le_bytes()];
        let entry: [u8; ENTRY] = parts.concat().try_into().unwrap_or([0; ENTRY]);
        if let Some(slot) = self.index.get_mut(place) {
            *slot = entry;
        }
        for text in std::iter::once(first).chain(second) {
            self.write(text.as_bytes())?;
            self.offset = self.offset.saturating_add(text.len() as u64);
        }
        Ok(())
    }

    /// Ends the file, names it by its digest, and gives its path and the digest.
    pub fn finish(mut self) -> Result<(PathBuf, String), Error> {
        let index = std::mem::take(&mut self.index);
        index.iter().try_for_each(|entry| self.write(entry))?;
        self.write(MAGIC)?;
        self.write(&(index.len() as u64).to_le_bytes())?;
        let digest = self.digest.finalize().to_hex().to_string();
        let path = self.folder.join(&digest);
        let temporary = self.temporary.into_inner().map_err(std::io::IntoInnerError::into_error);
        let temporary = temporary.map_err(refused("write in", &self.folder))?;
        temporary.as_file().sync_data().map_err(refused("write", &path))?;
        temporary.persist(&path).map_err(|error| error.error).map_err(refused("write", &path))?;
        folders::sync(&self.folder)?;
        Ok((path, digest))
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.digest.update(bytes);
        self.temporary.write_all(bytes).map_err(refused("write in", &self.folder))
    }
}

/// Compares a file of texts with its name.
pub(super) fn verify(path: &Path) -> Result<Option<Unsound>, Error> {
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(File::open(path).map_err(refused("read", path))?).map_err(refused("read", path))?;
    let named = path.file_name().is_some_and(|name| name == hasher.finalize().to_hex().as_str());
    Ok((!named).then_some(Unsound::Damaged))
}

impl Texts {
    /// Opens a file that [`TextsWriter`] wrote, and verifies it.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let damaged = || Error::Damaged { path: path.to_owned(), what: "the file of texts is cut off or damaged" };
        if verify(path)?.is_some() {
            return Err(damaged());
        }
        let file = File::open(path).map_err(refused("read", path))?;
        let length = file.metadata().map_err(refused("read", path))?.len();
        let footer = length.checked_sub(FOOTER).ok_or_else(damaged)?;
        let mut end = [0; FOOTER as usize];
        file.read_exact_at(&mut end, footer).map_err(refused("read", path))?;
        let count = end.strip_prefix(MAGIC).and_then(|count| Some(u64::from_le_bytes(count.try_into().ok()?)));
        let count = count.ok_or_else(damaged)?;
        let index = count.checked_mul(ENTRY as u64).and_then(|bytes| footer.checked_sub(bytes)).ok_or_else(damaged)?;
        Ok(Self { file, path: path.to_owned(), count, index })
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How many texts there are.
    pub fn len(&self) -> usize {
        self.count as usize
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The text of the sample at this place.
    pub fn read(&self, place: usize) -> Result<Text, Error> {
        let damaged = || Error::Damaged { path: self.path.clone(), what: "the file of texts is damaged" };
        let at = (place as u64).checked_mul(ENTRY as u64).and_then(|bytes| bytes.checked_add(self.index));
        let at = at.filter(|_| (place as u64) < self.count).ok_or_else(damaged)?;
        let mut entry = [0; ENTRY];
        self.file.read_exact_at(&mut entry, at).map_err(refused("read", &self.path))?;
        let (offset, first, second) = parse(entry).ok_or_else(damaged)?;
        let (first, second) = (first as usize, if second == NONE { None } else { Some(second as usize) });
        let total = first.saturating_add(second.unwrap_or(0));
        if offset.checked_add(total as u64).is_none_or(|end| end > self.index) {
            return Err(damaged());
        }
        let mut bytes = vec![0; total];
        self.file.read_exact_at(&mut bytes, offset).map_err(refused("read", &self.path))?;
        let rest = bytes.split_off(first.min(bytes.len()));
        let text = |bytes| String::from_utf8(bytes).map_err(|_| damaged());
        Ok(Text { first: text(bytes)?, second: second.map(|_| text(rest)).transpose()? })
    }
}

fn parse(entry: [u8; ENTRY]) -> Option<(u64, u32, u32)> {
    let (offset, lengths) = entry.split_at_checked(8)?;
    let (first, second) = lengths.split_at_checked(4)?;
    let number = |bytes: &[u8]| Some(u32::from_le_bytes(bytes.try_into().ok()?));
    Some((u64::from_le_bytes(offset.try_into().ok()?), number(first)?, number(second)?))
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "tests may panic")]
mod tests {
    use super::*;

    #[test]
    fn texts_come_back_by_their_place_whatever_the_order_they_were_written_in() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::at(folder.path());
        let mut writer = store.write_texts(3).unwrap();
        writer.put(2, "naïve", Some("")).unwrap();
        writer.put(0, "", None).unwrap();
        writer.put(1, "a", Some("b\n")).unwrap();
        let (path, digest) = writer.finish().unwrap();
        let texts = Texts::open(&path).unwrap();
        let text = |first: &str, second: Option<&str>| Text { first: first.into(), second: second.map(str::to_owned) };
        assert_eq!(texts.len(), 3);
        assert_eq!(texts.read(0).unwrap(), text("", None));
        assert_eq!(texts.read(1).unwrap(), text("a", Some("b\n")));
        assert_eq!(texts.read(2).unwrap(), text("naïve", Some("")));
        assert!(texts.read(3).is_err());
        let mut other = store.write_texts(3).unwrap();
        other.put(2, "naïve", None).unwrap();
        assert_ne!(other.finish().unwrap().1, digest);
    }

    #[test]
    fn a_file_that_is_cut_or_has_a_flipped_bit_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = Store::at(folder.path()).write_texts(1).unwrap();
        writer.put(0, "text", None).unwrap();
        let (path, _) = writer.finish().unwrap();
        let bytes = std::fs::read(&path).unwrap();
        for length in 0..bytes.len() {
            std::fs::write(&path, &bytes[..length]).unwrap();
            assert!(Texts::open(&path).is_err());
        }
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            std::fs::write(&path, damaged).unwrap();
            assert!(Texts::open(&path).is_err(), "bit {bit}");
        }
    }
}
