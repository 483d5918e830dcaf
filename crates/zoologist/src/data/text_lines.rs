//! Text files with one entry a line.

use std::io::{BufRead, BufReader};
use std::path::Path;

use super::Error;
use super::files::open_regular;

/// The lines of a file, spaces around them and a byte-order mark removed. A blank line is an error, except at the end.
pub(super) fn read(path: &Path) -> Result<Vec<String>, Error> {
    let mut lines = Vec::new();
    each(path, |line| lines.push(line.to_owned()))?;
    Ok(lines)
}

/// Calls `take` with every line that [`read`] would return.
pub(super) fn each(path: &Path, mut take: impl FnMut(&str)) -> Result<(), Error> {
    let (file, _) = open_regular(path)?;
    let mut blank = None;
    for (number, line) in BufReader::new(file).lines().enumerate() {
        let line = line.map_err(|source| unreadable(path, number, source))?;
        let line = if number == 0 { line.trim_start_matches('\u{feff}') } else { &line };
        match (line.trim(), blank) {
            ("", _) => blank = blank.or(Some(number)),
            (_, Some(blank)) => {
                return Err(Error::at_line(path, blank as u64 + 1, "is empty. Each line needs one entry"));
            }
            (entry, None) => take(entry),
        }
    }
    Ok(())
}

fn unreadable(path: &Path, lines_before: usize, source: std::io::Error) -> Error {
    match source.kind() {
        std::io::ErrorKind::InvalidData => Error::at_line(path, lines_before as u64 + 1, Error::NOT_UTF8),
        _ => Error::reading(path)(source),
    }
}
