//! CSV files, with errors that name the line.

use std::fs::File;
use std::path::Path;

use csv::{ErrorKind, Reader, ReaderBuilder, StringRecord, Trim};

use super::Error;
use super::files::open_regular;

/// Bytes that are read at a time.
const BUFFER: usize = 1 << 16;

/// A reader of comma-separated rows, all of one width, spaces around cells removed. The first row is a row like any
/// other.
pub(super) fn open(path: &Path) -> Result<Reader<File>, Error> {
    open_separated(path, b',')
}

/// The same with another sign than the comma.
pub(super) fn open_separated(path: &Path, delimiter: u8) -> Result<Reader<File>, Error> {
    let (file, _) = open_regular(path)?;
    Ok(ReaderBuilder::new().has_headers(false).trim(Trim::All).delimiter(delimiter).from_reader(file))
}

/// A reader that leaves cells as they are.
pub(super) fn open_untrimmed(path: &Path, delimiter: u8) -> Result<Reader<File>, Error> {
    let (file, _) = open_regular(path)?;
    Ok(ReaderBuilder::new().has_headers(false).delimiter(delimiter).buffer_capacity(BUFFER).from_reader(file))
}

/// Reads the next row into `row`; false at the end.
pub(super) fn next_into(path: &Path, reader: &mut Reader<File>, row: &mut StringRecord) -> Result<bool, Error> {
    reader.read_record(row).map_err(|error| convert(path, error))
}

/// The next row; `None` at the end.
pub(super) fn next(path: &Path, reader: &mut Reader<File>) -> Result<Option<StringRecord>, Error> {
    let mut row = StringRecord::new();
    let more = reader.read_record(&mut row).map_err(|error| convert(path, error))?;
    Ok(more.then_some(row))
}

/// The line that a row begins at, from 1.
pub(super) fn line(row: &StringRecord) -> u64 {
    row.position().map_or(0, csv::Position::line)
}

fn convert(path: &Path, error: csv::Error) -> Error {
    let line = error.position().map_or(0, csv::Position::line);
    match error.into_kind() {
        ErrorKind::Io(source) => Error::reading(path)(source),
        ErrorKind::Utf8 { .. } => Error::at_line(path, line, Error::NOT_UTF8),
        ErrorKind::UnequalLengths { expected_len, len, .. } => Error::at_line(
            path,
            line,
            format!("has {len} cells where the first line has {expected_len}. Quote cells that hold commas"),
        ),
        other => Error::at_line(path, line, format!("{other:?}")),
    }
}
