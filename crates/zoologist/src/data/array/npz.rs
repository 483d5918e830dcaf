//! The .npz of `numpy`: a ZIP archive of .npy files.

#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::expect_used, clippy::panic)]

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use npyz::npz::{NpzArchive, file_name_from_array_name};

use super::decode::{LARGEST_DEFLATE_RATIO, invalid};
use super::npy::{self, Header};
use super::{Array, Entry, Format, Wanted};
use crate::data::Error;
use crate::data::files::open_regular;

pub(super) const FORMAT: Format = Format { extension: "npz", read };

struct Archive {
    zip: NpzArchive<BufReader<File>>,
    /// The archive's length in bytes.
    length: u64,
}

fn read(path: &Path, wanted: &Wanted) -> Result<Array, Error> {
    let fail = Error::reading(path);
    let (file, length) = open_regular(path)?;
    let zip = NpzArchive::new(BufReader::new(file)).map_err(&fail)?;
    let mut archive = Archive { zip, length };
    let entries = archive.entries();
    let name = wanted.pick(path, &entries)?;
    archive.with(name, npy::array).map_err(|source| fail(naming(name, source)))
}

/// Says in which array of the archive the content is wrong.
fn naming(name: &str, source: io::Error) -> io::Error {
    match source.kind() {
        io::ErrorKind::InvalidData => invalid(format!("its array {name} {source}")),
        _ => source,
    }
}

impl Archive {
    fn entries(&mut self) -> Vec<Entry> {
        let mut names: Vec<String> = self.zip.array_names().map(str::to_owned).collect();
        names.sort_unstable();
        let entry = |name: String| {
            let header = self.with(&name, |source, _| Header::read(source));
            Entry { name, shape: header.ok().map(|header| header.shape) }
        };
        names.into_iter().map(entry).collect()
    }

    /// Calls `read` with an array's unpacked bytes and how many there can be at most.
    fn with<T>(&mut self, name: &str, read: impl FnOnce(&mut dyn Read, u64) -> io::Result<T>) -> io::Result<T> {
        let file = self.zip.zip_archive().by_name(&file_name_from_array_name(name));
        let mut file = file.map_err(|error| invalid(error.to_string()))?;
        let most = file.size().min(self.length.saturating_mul(LARGEST_DEFLATE_RATIO));
        read(&mut BufReader::new(&mut file), most)
    }
}
