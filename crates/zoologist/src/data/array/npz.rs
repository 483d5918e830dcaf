//! The .npz of `numpy`: a ZIP archive of .npy files.

#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::expect_used, clippy::panic)]

use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use npyz::npz::{NpzArchive, file_name_from_array_name};

use super::decode::{LARGEST_DEFLATE_RATIO, invalid};
use super::located::{Located, Member};
use super::npy::{self, Header};
use super::{Entry, Format, Wanted};
use crate::data::Error;
use crate::data::files::open_regular;

pub(super) const FORMAT: Format = Format { extension: "npz", locate };

/// Bytes that are read to find out what an archive holds: enough for a hundred thousand files.
const LARGEST_DIRECTORY: u64 = 8 << 20;
/// The most arrays that are looked at.
const MOST_ARRAYS: usize = 10_000;

/// A file of which a number of bytes may be read, wherever they stand.
struct Bounded {
    file: File,
    left: Rc<Cell<u64>>,
}

impl Read for Bounded {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let most = into.len().min(self.left.get() as usize);
        if most == 0 && !into.is_empty() {
            return Err(invalid("holds too many files: save fewer arrays together"));
        }
        let count = self.file.read(into.get_mut(..most).unwrap_or_default())?;
        self.left.set(self.left.get().saturating_sub(count as u64));
        Ok(count)
    }
}

impl Seek for Bounded {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}

struct Archive {
    zip: NpzArchive<BufReader<Bounded>>,
    file: Arc<File>,
    /// The archive's length in bytes.
    length: u64,
}

fn locate(path: &Path, wanted: &Wanted) -> Result<Located, Error> {
    let fail = Error::reading(path);
    let (file, length) = open_regular(path)?;
    let left = Rc::new(Cell::new(LARGEST_DIRECTORY));
    let bounded = Bounded { file: file.try_clone().map_err(&fail)?, left: Rc::clone(&left) };
    let zip = NpzArchive::new(BufReader::new(bounded)).map_err(&fail)?;
    // What is read from here on is a header of each array.
    left.set(u64::MAX);
    let mut archive = Archive { zip, file: Arc::new(file), length };
    if archive.zip.array_names().count() > MOST_ARRAYS {
        return Err(fail(invalid(format!("holds more than {MOST_ARRAYS} arrays: save fewer of them together"))));
    }
    let entries = archive.entries();
    let name = wanted.pick(path, &entries)?;
    archive.locate(name).map_err(fail)
}

impl Archive {
    fn entries(&mut self) -> Vec<Entry> {
        let mut names: Vec<String> = self.zip.array_names().map(str::to_owned).collect();
        names.sort_unstable();
        let entry = |name: String| {
            let header = self.member(&name).and_then(|(member, _)| Header::read(&mut member.stream(&self.file)));
            Entry { name, shape: header.ok().map(|(header, _)| header.shape) }
        };
        names.into_iter().map(entry).collect()
    }

    /// Where an array's file stands, and how many bytes it says to have when unpacked.
    fn member(&mut self, name: &str) -> io::Result<(Member, u64)> {
        let file = self.zip.zip_archive().by_name(&file_name_from_array_name(name));
        let file = file.map_err(|error| invalid(error.to_string()))?;
        let deflated = match file.compression().to_string().as_str() {
            "Stored" => false,
            "Deflated" => true,
            other => return Err(invalid(format!("is packed in a way ({other}) that numpy does not know"))),
        };
        let (start, packed, checksum) = (file.data_start(), file.compressed_size(), file.crc32());
        Ok((Member { name: name.to_owned(), start, packed, deflated, checksum }, file.size()))
    }

    fn locate(&mut self, name: &str) -> io::Result<Located> {
        let (member, length) = self.member(name)?;
        let most = length.min(self.length.saturating_mul(LARGEST_DEFLATE_RATIO));
        let found = npy::layout(&mut member.stream(&self.file), length, most);
        let (layout, start) = found.map_err(|source| member.naming(source))?;
        if !member.deflated && member.packed != length {
            return Err(invalid("is damaged: an array takes more or fewer bytes than it has"));
        }
        Ok(Located { file: Arc::clone(&self.file), start, layout, packing: Some(member) })
    }
}
