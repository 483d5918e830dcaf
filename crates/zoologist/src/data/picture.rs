//! The bytes of pictures, and their digests. Decoding them is not done here.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rayon::prelude::*;

use super::files::{beneath, open_regular};
use super::idx_file::{self, Pictures};
use super::{Error, PictureSource};
use crate::base::Enclosure;

/// No encoded picture is this large; what is, is a trap.
const LARGEST_FILE: u64 = 1 << 30;
/// Stands for the bytes of a picture that can't be read, so that a digest still exists.
const UNREADABLE: &[u8] = b"zoologist: this picture could not be read";

/// A picture as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RawPicture {
    /// A file's bytes, in one of the picture formats.
    Encoded(Vec<u8>),
    /// Pixels row after row, 8 bits per channel, channels of a pixel side by side.
    Pixels {
        /// Pixels from left to right.
        width: u32,
        /// Pixels from top to bottom.
        height: u32,
        /// 1 for grey, 3 for red, green, blue.
        channels: u8,
        /// `height * width * channels` bytes.
        bytes: Vec<u8>,
    },
}

/// Hands out the bytes of a data set's pictures, to several threads at once.
#[derive(Debug)]
pub struct PictureReader {
    root: PathBuf,
    /// `None` for a root that does not exist: then no picture does.
    enclosure: Option<Enclosure>,
    /// IDX files, unpacked once; `None` for one that can't be, so that not every row tries again.
    unpacked: Mutex<BTreeMap<PathBuf, Option<Arc<Pictures>>>>,
}

impl PictureReader {
    /// A reader of pictures beneath this folder.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        let root = root.into();
        let enclosure = Enclosure::new(&root).ok();
        Self { root, enclosure, unpacked: Mutex::default() }
    }

    /// The bytes of one picture. A path or link that leads out of the root is refused.
    pub fn read(&self, source: &PictureSource) -> Result<RawPicture, Error> {
        match source {
            PictureSource::File(file) => read_whole(&self.inside(file)?).map(RawPicture::Encoded),
            PictureSource::Idx { file, row } => {
                let path = self.inside(file)?;
                let picture = self.unpacked(&path)?.picture(*row);
                picture
                    .ok_or_else(|| Error::Malformed { path, problem: format!("has no picture {row} (counted from 0)") })
            }
        }
    }

    /// The full path of a file that lies beneath the root, links followed.
    fn inside(&self, file: &Path) -> Result<PathBuf, Error> {
        let path = self.root.join(beneath(file)?);
        let held = self.enclosure.as_ref().map(|enclosure| enclosure.holds(&path)).transpose();
        if held.map_err(Error::reading(&path))? == Some(false) {
            return Err(Error::Outside(path));
        }
        Ok(path)
    }

    fn unpacked(&self, path: &Path) -> Result<Arc<Pictures>, Error> {
        // A panic while the lock was held can't have left a half-made entry: they are inserted whole.
        let mut unpacked = self.unpacked.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = unpacked.get(path) {
            let failed = || Error::Malformed { path: path.to_path_buf(), problem: "could not be read".into() };
            return known.clone().ok_or_else(failed);
        }
        let pictures = idx_file::pictures(path).map(Arc::new);
        unpacked.insert(path.to_path_buf(), pictures.as_ref().ok().cloned());
        pictures
    }
}

impl RawPicture {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Encoded(bytes) | Self::Pixels { bytes, .. } => bytes,
        }
    }
}

/// The BLAKE3 digest of each picture's bytes, in their order. A picture that can't be read gets the
/// digest of a fixed text: that it is missing is part of what the data set is.
pub fn content_digests(root: &Path, pictures: &[PictureSource]) -> Vec<[u8; 32]> {
    let reader = PictureReader::new(root);
    let digest = |source| match reader.read(source) {
        Ok(picture) => *blake3::hash(picture.bytes()).as_bytes(),
        Err(_) => *blake3::hash(UNREADABLE).as_bytes(),
    };
    pictures.par_iter().map(digest).collect()
}

fn read_whole(path: &Path) -> Result<Vec<u8>, Error> {
    let (file, length) = open_regular(path)?;
    if length > LARGEST_FILE {
        return Err(Error::TooLarge(path.to_path_buf()));
    }
    let mut bytes = Vec::with_capacity(length as usize);
    file.take(LARGEST_FILE).read_to_end(&mut bytes).map_err(Error::reading(path))?;
    Ok(bytes)
}
