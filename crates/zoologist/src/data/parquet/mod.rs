//! Parquet files: which columns hold features and labels, and their cells in batches.
//!
//! The columns are read with the low level of the crate `parquet`, without Arrow: a column of numbers or of lists of
//! numbers needs no more. What a damaged file makes the crate panic at is caught, but the program's panic hook still
//! sees it.

mod cells;
mod labels;
mod rows;
mod schema;
mod table;

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use ::parquet::column::reader::ColumnReader;
use ::parquet::errors::ParquetError;
use ::parquet::file::metadata::RowGroupMetaData;
use ::parquet::file::reader::{FileReader, SerializedFileReader};

use super::Error;
use super::array::decode::{self, Cells, invalid};
use super::files::{MOST_COLUMNS, open_regular, too_wide};
use crate::base::Values;
use cells::Batch;
use schema::Column;

pub(super) use labels::labels;
pub(super) use rows::Rows;
pub(super) use table::Table;

pub(super) const EXTENSION: &str = "parquet";

/// Enough for tens of thousands of columns or groups of rows. While it is parsed, a footer takes many times its size.
const LARGEST_FOOTER: u32 = 16 << 20;

/// Some columns of a file, read from the first row to the last.
struct Scan {
    path: PathBuf,
    file: SerializedFileReader<File>,
    /// How many rows there are.
    rows: usize,
    columns: Vec<Column>,
    /// How many values a list holds, once that is known.
    width: Option<usize>,
    /// Whether cells may be missing, and lists of any length.
    nulls: bool,
    /// A reader of each column in this group of rows.
    readers: Vec<ColumnReader>,
    /// The next group of rows.
    group: usize,
    /// Rows of this group that are still to be read.
    left: usize,
    /// The next row.
    next: usize,
}

impl Scan {
    /// Opens a file to read the columns that `choose` finds among its own.
    fn open(path: &Path, choose: impl FnOnce(Vec<Column>) -> Result<Vec<Column>, Error>) -> Result<Self, Error> {
        let (file, length) = open_regular(path)?;
        check_footer(path, &file, length)?;
        let file = guarded(path, || SerializedFileReader::new(file))?;
        if file.metadata().file_metadata().schema_descr().num_columns() > MOST_COLUMNS {
            return Err(Error::reading(path)(invalid(too_wide())));
        }
        let mut groups = file.metadata().row_groups().iter();
        let rows = groups.try_fold(0_usize, |sum, group| sum.checked_add(usize::try_from(group.num_rows()).ok()?));
        let refuse = |problem| Error::reading(path)(invalid(problem));
        let rows = rows.ok_or_else(|| refuse("is damaged: it says to have a negative number of rows"))?;
        if rows == 0 {
            return Err(refuse("is empty: it holds no values"));
        }
        let columns = choose(schema::columns(file.metadata().file_metadata().schema_descr()))?;
        let path = path.to_path_buf();
        Ok(Self {
            path,
            file,
            rows,
            columns,
            width: None,
            nulls: false,
            readers: Vec::new(),
            group: 0,
            left: 0,
            next: 0,
        })
    }

    fn restart(&mut self) {
        (self.group, self.left, self.next) = (0, 0, 0);
    }

    /// Hands out the cells of each column, by its place, of the next rows: `most`, or fewer where a group of rows ends.
    /// Returns how many rows they are; 0 at the end.
    fn step(&mut self, most: usize, mut take: impl FnMut(usize, Batch) -> Result<(), Error>) -> Result<usize, Error> {
        while self.left == 0 && self.group < self.file.num_row_groups() {
            self.open_group()?;
        }
        let count = self.left.min(most);
        if count == 0 {
            return Ok(0);
        }
        for (place, (column, reader)) in self.columns.iter().zip(&mut self.readers).enumerate() {
            let batch = guarded(&self.path, || cells::read(reader, column, self.next, count))?;
            let width = if self.nulls || column.list && self.width.is_none() {
                None
            } else {
                self.width.filter(|_| column.list).or(Some(1))
            };
            if let Some((row, uneven)) = width.and_then(|width| batch.first_uneven(width)) {
                let problem = uneven.in_words(self.next + row, &column.name, width);
                return Err(Error::reading(&self.path)(invalid(problem)));
            }
            take(place, batch)?;
        }
        self.left -= count;
        self.next += count;
        Ok(count)
    }

    /// About how many bytes a row of these columns takes, as the file says.
    fn row_bytes(&self) -> usize {
        let groups = self.file.metadata().row_groups().iter();
        let bytes = |group: &RowGroupMetaData, column: &Column| group.column(column.leaf).uncompressed_size().max(0);
        let per_group = groups.map(|group| {
            let sum: i64 = self.columns.iter().map(|column| bytes(group, column)).fold(0, i64::saturating_add);
            sum / group.num_rows().max(1)
        });
        usize::try_from(per_group.max().unwrap_or_default()).unwrap_or(usize::MAX)
    }

    /// Takes the lists of the first row as the measure of all others, and begins anew.
    fn find_width(&mut self) -> Result<usize, Error> {
        let mut width = 1;
        self.step(1, |_, batch| {
            width = batch.values;
            Ok(())
        })?;
        self.restart();
        self.width = Some(width);
        if width == 0 { Err(self.refuse("has an empty list in row 0 (counted from 0)")) } else { Ok(width) }
    }

    fn open_group(&mut self) -> Result<(), Error> {
        let (file, columns, number) = (&self.file, &self.columns, self.group);
        self.readers = guarded(&self.path, || {
            let group = file.get_row_group(number)?;
            columns.iter().map(|column| group.get_column_reader(column.leaf)).collect()
        })?;
        self.left = self.file.metadata().row_group(number).num_rows() as usize;
        self.group += 1;
        Ok(())
    }

    /// Adds the numbers of the next rows, `most` or fewer, row after row of `dim` numbers. Returns how many rows they are.
    fn numbers(&mut self, most: usize, dim: usize, values: &mut Values) -> Result<usize, Error> {
        let (first, alone) = (values.len(), self.columns.len() == 1);
        self.step(most, |place, batch| {
            let cells = decode::numbers(batch.cells);
            if alone {
                values.add(&cells, 0..cells.len());
            } else {
                values.fill_up(first + cells.len() * dim);
                values.put_column(&cells, first + place, dim);
            }
            Ok(())
        })
    }

    fn refuse(&self, problem: impl Into<String>) -> Error {
        Error::reading(&self.path)(invalid(problem))
    }
}

/// Refuses a description of the file that is too large, before anything is made of it. The file's last eight bytes give
/// its length and a magic number; what is wrong with them otherwise is for the crate to say.
fn check_footer(path: &Path, file: &File, length: u64) -> Result<(), Error> {
    let mut end = [0; 8];
    let Some(place) = length.checked_sub(end.len() as u64) else { return Ok(()) };
    file.read_exact_at(&mut end, place).map_err(Error::reading(path))?;
    let [a, b, c, d, ..] = end;
    let footer = u32::from_le_bytes([a, b, c, d]);
    if footer <= LARGEST_FOOTER || u64::from(footer) > length {
        return Ok(());
    }
    let problem = format!("describes itself in {footer} bytes: more than {LARGEST_FOOTER} are not read");
    Err(Error::reading(path)(invalid(problem)))
}

/// Calls the crate; an error or panic of it becomes an error that names the file.
fn guarded<T>(path: &Path, call: impl FnOnce() -> Result<T, ParquetError>) -> Result<T, Error> {
    let problem = match catch_unwind(AssertUnwindSafe(call)) {
        Ok(Ok(value)) => return Ok(value),
        Ok(Err(error)) => error.to_string(),
        Err(_) => "its reader gave up".to_owned(),
    };
    Err(Error::reading(path)(invalid(format!("can't be read as Parquet: {problem}"))))
}
