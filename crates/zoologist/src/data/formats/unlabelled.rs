//! Pictures without labels: a folder of them, or a single one. Enough to extract features, not to rank.

use std::path::{Path, PathBuf};

use crate::data::dataset::Sample;
use crate::data::files::{counted, open_regular};
use crate::data::walk::walk;
use crate::data::{Dataset, Error, PictureSource};

const NAME: &str = "pictures without labels";

/// All pictures in a folder and in the folders inside it, whatever labels there may be, or the one picture at `path`.
pub fn open(path: &Path) -> Result<Dataset, Error> {
    let found = std::fs::metadata(path).map_err(Error::reading(path))?;
    if found.is_dir() { folder(path) } else { single(path) }
}

fn folder(path: &Path) -> Result<Dataset, Error> {
    let found = walk(path, Path::new(""))?;
    if found.pictures.is_empty() {
        return Err(Error::NoPictures(path.to_path_buf()));
    }
    let mut notes = vec![format!("{}, no labels.", counted(found.pictures.len(), "picture"))];
    notes.extend(found.left_out());
    let samples = found.pictures.into_iter().map(sample).collect();
    Ok(dataset(path, path.to_path_buf(), samples, notes, found.skipped))
}

fn single(path: &Path) -> Result<Dataset, Error> {
    open_regular(path)?;
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(Error::NotADataset(path.to_path_buf()));
    };
    let root = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
    let samples = vec![sample(PathBuf::from(name))];
    Ok(dataset(path, root.to_path_buf(), samples, vec!["1 picture, no labels.".into()], Vec::new()))
}

fn sample(file: PathBuf) -> Sample {
    Sample { picture: PictureSource::File(file), split: None }
}

fn dataset(
    path: &Path,
    root: PathBuf,
    samples: Vec<Sample>,
    notes: Vec<String>,
    skipped: Vec<(PathBuf, String)>,
) -> Dataset {
    let (inputs, splits) = Sample::apart(samples);
    Dataset { path: path.to_path_buf(), root, format: NAME, inputs, splits, targets: None, notes, skipped }
}
