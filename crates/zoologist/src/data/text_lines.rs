//! Text files with one entry a line.

use std::io::BufReader;
use std::path::Path;

use super::Error;
use super::files::{LONGEST_RECORD, open_regular, read_line, too_long};

/// The lines of a file, spaces around them and a byte-order mark removed. A blank line is an error, except at the end.
pub(super) fn read(path: &Path) -> Result<Vec<String>, Error> {
    let mut lines = Vec::new();
    each(path, |line| lines.push(line.to_owned()))?;
    Ok(lines)
}

/// Calls `take` with every line that [`read`] would return.
pub(super) fn each(path: &Path, mut take: impl FnMut(&str)) -> Result<(), Error> {
    let (file, _) = open_regular(path)?;
    let (mut reader, mut bytes) = (BufReader::new(file), vec![]);
    let (mut number, mut blank) = (0, None);
    while read_line(&mut reader, &mut bytes).map_err(Error::reading(path))? > 0 {
        number += 1;
        let line = text(&bytes).map_err(|problem| Error::at_line(path, number, problem))?;
        let line = if number == 1 { line.trim_start_matches('\u{feff}') } else { line };
        match (line.trim(), blank) {
            ("", _) => blank = blank.or(Some(number)),
            (_, Some(blank)) => return Err(Error::at_line(path, blank, "is empty. Each line needs one entry")),
            (entry, None) => take(entry),
        }
    }
    Ok(())
}

fn text(line: &[u8]) -> Result<&str, String> {
    if line.len() > LONGEST_RECORD {
        return Err(format!("{}. Give one entry a line", too_long("a line")));
    }
    std::str::from_utf8(line).map_err(|_| Error::NOT_UTF8.to_owned())
}
