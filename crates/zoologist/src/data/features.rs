//! Features that were computed elsewhere: .npy, .npz, .safetensors.

use std::path::Path;

use super::Error;
use super::array::decode::{Cells, invalid};
use super::array::{self, Array, Wanted};
use crate::base::{Features, Values};

const WANTED: Wanted = Wanted { names: &["features", "X", "x", "embeddings"], dimensions: 2 };

/// Reads an n × d matrix: a .npy, or the array of a .npz or .safetensors that is called `features`, `X`, `x` or
/// `embeddings`, or the only one of two dimensions. Half precision becomes single, integers become double precision.
///
/// Any other shape, text, and a value that is NaN or infinite are errors.
pub fn read(path: &Path) -> Result<Features, Error> {
    let known = || array::extensions().map(|extension| format!(".{extension}")).collect::<Vec<_>>().join(", ");
    let array = array::read(path, &WANTED)
        .unwrap_or_else(|| Err(Error::Extension { path: path.to_path_buf(), known: known() }))?;
    let features = matrix(array).map_err(|problem| Error::reading(path)(invalid(problem)))?;
    match features.first_not_finite() {
        Some((row, column)) => Err(Error::NotFinite { path: path.to_path_buf(), row, column }),
        None => Ok(features),
    }
}

fn matrix(array: Array) -> Result<Features, &'static str> {
    let [_, dim] = array.shape[..] else {
        return Err(
            "has one dimension, but features are a table of rows and columns. If each row has a single number, \
                    save values.reshape(-1, 1); if it is a single row, more rows are needed",
        );
    };
    let values = match array.cells {
        Cells::F32(values) => Values::F32(values),
        Cells::F64(values) => Values::F64(values),
        Cells::Integers(values) => Values::F64(values.into_iter().map(|value| value as f64).collect()),
        Cells::Text(_) => return Err("holds text, but features are numbers. Were the labels given in their place?"),
    };
    Ok(Features::new(dim, values))
}
