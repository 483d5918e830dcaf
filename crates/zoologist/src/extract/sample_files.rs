//! Where a worker finds the samples of its job, written down by the parent.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::picture::{self, Rgb};
use crate::base::path_text::show;
use crate::base::{Fail, Fault, path_text};
use crate::data::{self, Dataset, Inputs, PictureReader, PictureSource, RawPicture, TextRows};
use crate::store::{self, Store};

/// Where a worker finds the samples of its job. A sample's place is its row of the features.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum SampleFiles {
    /// Pictures.
    Pictures {
        /// The folder that their paths are relative to.
        #[serde(with = "path_text")]
        root: PathBuf,
        /// The pictures, in the order of the rows.
        pictures: Vec<PictureSource>,
    },
    /// Texts.
    Texts {
        /// A file of texts in the store.
        #[serde(with = "path_text")]
        file: PathBuf,
        /// What it holds, as digest.
        digest: String,
        /// The table that they were read from, for messages.
        origin: String,
    },
}

impl SampleFiles {
    /// No samples: for what is to be named without them.
    pub fn none() -> Self {
        Self::Pictures { root: PathBuf::new(), pictures: vec![] }
    }
}

/// Why samples could not be written down.
#[derive(Debug, thiserror::Error)]
pub enum SamplesError {
    /// The data set.
    #[error(transparent)]
    Data(#[from] data::Error),
    /// The store.
    #[error(transparent)]
    Store(#[from] store::Error),
}

impl Fail for SamplesError {
    fn fault(&self) -> Fault {
        match self {
            Self::Data(error) => error.fault(),
            Self::Store(error) => error.fault(),
        }
    }
}

impl SampleFiles {
    /// The samples of a data set, and the BLAKE3 of their contents in order. Texts are put into one file of the store,
    /// from which a worker reads any of them by its place.
    pub fn of(dataset: &Dataset, store: &Store) -> Result<(Self, String), SamplesError> {
        match &dataset.inputs {
            Inputs::Pictures(pictures) => {
                let files = Self::Pictures { root: dataset.root.clone(), pictures: pictures.clone() };
                Ok((files, digest(&dataset.root, pictures)))
            }
            Inputs::Texts(texts) => write_texts(dataset, texts, store),
        }
    }
}

fn write_texts(dataset: &Dataset, texts: &TextRows, store: &Store) -> Result<(SampleFiles, String), SamplesError> {
    let mut writer = store.write_texts(dataset.inputs.len())?;
    texts.each(&mut |place, first, second| Ok::<(), SamplesError>(writer.put(place, first, second)?))?;
    let (file, digest) = writer.finish()?;
    Ok((SampleFiles::Texts { file, digest: digest.clone(), origin: show(&dataset.path) }, digest))
}

fn digest(root: &Path, pictures: &[PictureSource]) -> String {
    let mut hasher = blake3::Hasher::new();
    data::content_digests(root, pictures).iter().for_each(|digest| {
        hasher.update(digest);
    });
    hasher.finalize().to_hex().to_string()
}

/// Reads and decodes a picture.
pub(super) fn decoded(reader: &PictureReader, sample: &PictureSource) -> Result<Rgb, String> {
    match reader.read(sample).map_err(|error| error.to_string())? {
        RawPicture::Encoded(bytes) => picture::decode(&bytes).map_err(|error| error.to_string()),
        RawPicture::Pixels { width, height, channels, bytes } => {
            let picture =
                if channels == 1 { Rgb::from_grey(width, height, &bytes) } else { Rgb::new(width, height, bytes) };
            picture.ok_or_else(|| "no pixels".to_owned())
        }
    }
}
