//! Opening files that are not trusted: regular ones only, and only beneath the data set.

use std::fs::{self, File};
use std::io::{self, BufRead, Read};
use std::path::{Component, Path, PathBuf};

use super::Error;

/// The longest row of a table, in bytes as it stands in the file.
pub(super) const LONGEST_RECORD: usize = 16 << 20;

/// The most columns of a table, and the most numbers of a row of features: as wide as anybody's, and not what fills the
/// memory.
pub(super) const MOST_COLUMNS: usize = 1 << 17;
pub(super) const WIDEST_ROW: usize = 1 << 20;

/// Says that a table has more columns than that.
pub(super) fn too_wide() -> String {
    format!("holds a row of more than {MOST_COLUMNS} cells")
}

/// Reads the next line with its end into an empty buffer, and a byte more than [`LONGEST_RECORD`] where it is longer.
/// Returns how many bytes there are; 0 at the end of the file.
pub(super) fn read_line(reader: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<usize> {
    line.clear();
    reader.by_ref().take(LONGEST_RECORD as u64 + 1).read_until(b'\n', line)
}

/// Says that a row, line or text is longer than that.
pub(super) fn too_long(what: &str) -> String {
    format!("holds {what} of more than {} MiB", LONGEST_RECORD >> 20)
}

/// A regular file, open for reading, and its length in bytes. It is looked at before it is opened, because opening a
/// pipe would wait for ever.
pub(super) fn open_regular(path: &Path) -> Result<(File, u64), Error> {
    let found = fs::metadata(path).map_err(Error::reading(path))?;
    if !found.is_file() {
        return Err(Error::NotRegular(path.to_path_buf()));
    }
    let file = File::open(path).map_err(Error::reading(path))?;
    Ok((file, found.len()))
}

/// The path without `.` components, if it names something beneath the folder it is relative to.
pub(super) fn beneath(path: &Path) -> Result<PathBuf, Error> {
    let inside = path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    let clean: PathBuf = path.components().filter(|part| *part != Component::CurDir).collect();
    if inside && !clean.as_os_str().is_empty() { Ok(clean) } else { Err(Error::Outside(path.to_path_buf())) }
}

/// The extension of a path in lower case, `""` if there is none.
pub(super) fn extension(path: &Path) -> String {
    path.extension().map(|extension| extension.to_string_lossy().to_ascii_lowercase()).unwrap_or_default()
}

/// A count with its noun: `1 row`, `2 rows`.
pub(super) fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}
