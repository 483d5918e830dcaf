//! Features that were computed elsewhere: .npy, .npz, .safetensors, .parquet.

use std::path::Path;

use super::{Error, array, parquet, rows};
use crate::base::Features;

/// Bytes that are read at a time.
const BLOCK: usize = 1 << 22;

/// Reads an n × d matrix whole: what [`rows::open`] finds. Half precision becomes single, integers become double
/// precision.
///
/// Any other shape, text, and a value that is NaN or infinite are errors.
pub fn read(path: &Path) -> Result<Features, Error> {
    let mut reader = rows::open(path)?;
    let most = (BLOCK / reader.row_bytes()).max(1);
    let mut values = reader.room()?;
    while reader.append(most, &mut values)? > 0 {}
    Ok(Features::new(reader.dim(), values))
}

/// The extensions of files that can hold features, as a list in words.
pub(super) fn extensions() -> String {
    let known = array::extensions().chain([parquet::EXTENSION]).map(|extension| format!(".{extension}"));
    known.collect::<Vec<_>>().join(", ")
}
