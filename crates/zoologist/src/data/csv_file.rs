//! CSV files, with errors that name the line.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use csv::{ErrorKind, Reader, ReaderBuilder, StringRecord, Trim};

use super::Error;
use super::csv_lines::{FollowedRows, Lines};
use super::files::{LONGEST_RECORD, open_regular, too_long, too_wide};

/// Bytes that are read at a time.
const BUFFER: usize = 1 << 16;

/// Rows of a CSV file.
pub(super) type Rows = Reader<Bounded>;

/// A file that refuses rows of more than [`LONGEST_RECORD`], or of too many cells, while they are read, and sees quotes
/// that are not closed.
///
/// A line break is handed out after the last byte. It ends a row that is whole, so only a row whose quote is never closed
/// asks for more.
pub(super) struct Bounded {
    file: File,
    rows: FollowedRows,
    /// Bytes that may still be read for this row, and what is read ahead of it.
    left: usize,
    /// Whether the line break after the last byte was handed out.
    closed: bool,
    /// Whether more was asked for after that.
    exhausted: bool,
}

impl Bounded {
    const ALLOWED: usize = LONGEST_RECORD + BUFFER;

    fn open(path: &Path, delimiter: u8) -> Result<Self, Error> {
        let (file, _) = open_regular(path)?;
        Ok(Self { file, rows: FollowedRows::new(delimiter), left: Self::ALLOWED, closed: false, exhausted: false })
    }
}

impl Read for Bounded {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, too_long("a row")));
        }
        let most = into.len().min(self.left);
        let count = self.file.read(&mut into[..most])?;
        self.left -= count;
        self.rows.follow(&into[..count]);
        if self.rows.too_wide() {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, too_wide()));
        }
        if count > 0 || most == 0 {
            return Ok(count);
        }
        self.exhausted = self.closed;
        if self.closed {
            return Ok(0);
        }
        self.closed = true;
        into[0] = b'\n';
        Ok(1)
    }
}

/// A reader of comma-separated rows, all of one width, spaces around cells removed. The first row is a row like any
/// other.
pub(super) fn open(path: &Path) -> Result<Rows, Error> {
    open_separated(path, b',')
}

/// The same with another sign than the comma.
pub(super) fn open_separated(path: &Path, delimiter: u8) -> Result<Rows, Error> {
    reader(path, delimiter, Trim::All)
}

/// A reader that leaves cells as they are.
pub(super) fn open_untrimmed(path: &Path, delimiter: u8) -> Result<Rows, Error> {
    reader(path, delimiter, Trim::None)
}

fn reader(path: &Path, delimiter: u8, trim: Trim) -> Result<Rows, Error> {
    let file = Bounded::open(path, delimiter)?;
    let mut builder = ReaderBuilder::new();
    builder.has_headers(false).trim(trim).delimiter(delimiter).buffer_capacity(BUFFER);
    Ok(builder.from_reader(file))
}

/// Reads the next row into `row`; false at the end.
pub(super) fn next_into(path: &Path, reader: &mut Rows, row: &mut StringRecord) -> Result<bool, Error> {
    reader.get_mut().left = Bounded::ALLOWED;
    let begin = reader.position().byte();
    let more = reader.read_record(row);
    let exhausted = reader.get_ref().exhausted;
    let Some(lines) = reader.get_mut().rows.from(begin) else {
        return more.map_err(|error| convert(path, error, None));
    };
    let refuse = |problem: &str| Err(Error::at_line(path, lines.first, format!("{problem}. Close it, or double it")));
    match (more, lines.closed) {
        (Ok(false), _) => Ok(false),
        _ if exhausted => refuse("opens a quote that is never closed"),
        (Ok(true), Some(closed)) => refuse(&format!("opens a quote that is closed on line {closed}, within a cell")),
        (Ok(true), None) => {
            let mut position = csv::Position::new();
            position.set_line(lines.first);
            row.set_position(Some(position));
            Ok(true)
        }
        (Err(error), _) => Err(convert(path, error, Some(lines))),
    }
}

/// The next row; `None` at the end.
pub(super) fn next(path: &Path, reader: &mut Rows) -> Result<Option<StringRecord>, Error> {
    let mut row = StringRecord::new();
    Ok(next_into(path, reader, &mut row)?.then_some(row))
}

/// The line that a row begins at, from 1.
pub(super) fn line(row: &StringRecord) -> u64 {
    row.position().map_or(0, csv::Position::line)
}

/// `lines` is where the row stands.
fn convert(path: &Path, error: csv::Error, lines: Option<Lines>) -> Error {
    let Lines { first, last, .. } = lines.unwrap_or_default();
    let at = |problem: String| Error::at_line(path, first, problem);
    match error.into_kind() {
        ErrorKind::Io(source) if source.kind() == io::ErrorKind::FileTooLarge => {
            at(format!("{source}: perhaps a quote is not closed. Close it, or cut the row"))
        }
        ErrorKind::Io(source) => Error::reading(path)(source),
        ErrorKind::Utf8 { .. } => at(Error::NOT_UTF8.to_owned()),
        ErrorKind::UnequalLengths { expected_len, len, .. } => {
            let advice = if last > first {
                format!("It runs to line {last}: perhaps a quote is not closed")
            } else {
                "Quote cells that hold commas".to_owned()
            };
            at(format!("has {len} cells where the first line has {expected_len}. {advice}"))
        }
        other => at(format!("{other:?}")),
    }
}
