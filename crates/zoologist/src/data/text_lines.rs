//! Text files with one entry a line.

use std::io::{BufRead, BufReader};
use std::path::Path;

use super::Error;
use super::files::open_regular;

/// The lines of a file, spaces around them and a byte-order mark removed. A blank line is an error, except at the end.
pub(super) fn read(path: &Path) -> Result<Vec<String>, Error> {
    let (file, _) = open_regular(path)?;
    let mut lines = Vec::new();
    for line in BufReader::new(file).lines() {
        let line = line.map_err(|source| unreadable(path, lines.len(), source))?;
        let line = if lines.is_empty() { line.trim_start_matches('\u{feff}') } else { &line };
        lines.push(line.trim().to_owned());
    }
    while lines.last().is_some_and(String::is_empty) {
        lines.pop();
    }
    match lines.iter().position(String::is_empty) {
        Some(blank) => Err(Error::at_line(path, blank as u64 + 1, "is empty. Each line needs one entry")),
        None => Ok(lines),
    }
}

fn unreadable(path: &Path, lines_before: usize, source: std::io::Error) -> Error {
    match source.kind() {
        std::io::ErrorKind::InvalidData => Error::at_line(path, lines_before as u64 + 1, Error::NOT_UTF8),
        _ => Error::reading(path)(source),
    }
}
