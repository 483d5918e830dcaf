//! Features in a file, read in blocks of rows: never mapped, and never whole unless a packing leaves no other way.
//!
//! Memory is one block, and besides it:
//!
//! * .npy, .safetensors: a buffer of 128 KiB, or of one row where rows are longer; column after column
//!   (`fortran_order`), one column of the block;
//! * .npz: the same; column after column and deflated, the whole array, because it can be unpacked in order alone;
//! * .parquet: a page and a dictionary of every column.
//!
//! Every value that is read is compared with NaN and infinity.

mod array_rows;

use std::path::{Path, PathBuf};

use super::Error;
use super::array::decode::{Element, invalid};
use super::array::{self, Wanted};
use super::files::{WIDEST_ROW, extension};
use super::parquet;
use crate::base::{Features, Values};
use array_rows::ArrayRows;

const WANTED: Wanted = Wanted { names: &["features", "X", "x", "embeddings"], dimensions: 2 };
/// Rows that are passed over at a time where the next row that is wanted stands further on.
const PASSED: usize = 1024;

/// The precision that features are kept in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    /// `f32`: half and single precision in the file.
    Single,
    /// `f64`: double precision and integers in the file.
    Double,
}

/// A feature matrix in a file, read in blocks of rows.
pub struct RowReader {
    path: PathBuf,
    rows: usize,
    dim: usize,
    precision: Precision,
    /// The next row in file order.
    next: usize,
    source: Source,
}

enum Source {
    Array(ArrayRows),
    Parquet(Box<parquet::Rows>),
}

/// Opens an n × d matrix: a .npy, or the array of a .npz or .safetensors that is called `features`, `X`, `x` or
/// `embeddings`, or the only one of two dimensions; or a .parquet with a column of lists of one length, or with one
/// column for each dimension.
///
/// Any other shape, text, and a file whose size does not fit its shape are errors.
pub fn open(path: &Path) -> Result<RowReader, Error> {
    if extension(path) == parquet::EXTENSION {
        let rows = parquet::Rows::open(path)?;
        let (count, dim, precision) = (rows.count(), rows.dim(), rows.precision());
        check_width(path, dim)?;
        return Ok(RowReader::new(path, count, dim, precision, Source::Parquet(Box::new(rows))));
    }
    let unknown = || Err(Error::Extension { path: path.to_path_buf(), known: super::features::extensions() });
    let located = array::locate(path, &WANTED).unwrap_or_else(unknown)?;
    let refuse = |problem: &str| Error::reading(path)(invalid(problem));
    let dim = located.layout.shape.columns.ok_or_else(|| {
        refuse(
            "has one dimension, but features are a table of rows and columns. If each row has a single number, \
             save values.reshape(-1, 1); if it is a single row, more rows are needed",
        )
    })?;
    check_width(path, dim)?;
    let precision = match located.layout.element {
        Element::Characters(_) | Element::Bytes(_) => {
            return Err(refuse("holds text, but features are numbers. Were the labels given in their place?"));
        }
        Element::F16 | Element::BF16 | Element::F32 => Precision::Single,
        _ => Precision::Double,
    };
    let rows = located.layout.shape.rows;
    Ok(RowReader::new(path, rows, dim, precision, Source::Array(ArrayRows::new(located, dim))))
}

fn check_width(path: &Path, dim: usize) -> Result<(), Error> {
    if dim <= WIDEST_ROW {
        return Ok(());
    }
    let problem =
        format!("has rows of {dim} numbers: more than {WIDEST_ROW} are not read. Are rows and columns swapped?");
    Err(Error::reading(path)(invalid(problem)))
}

impl Precision {
    /// Room for numbers of this precision.
    pub fn no_values(self) -> Values {
        match self {
            Self::Single => Values::F32(Vec::new()),
            Self::Double => Values::F64(Vec::new()),
        }
    }
}

impl RowReader {
    fn new(path: &Path, rows: usize, dim: usize, precision: Precision, source: Source) -> Self {
        Self { path: path.to_path_buf(), rows, dim, precision, next: 0, source }
    }

    /// How many rows there are, at least 1.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// How many numbers a row has, at least 1.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// The precision that the rows are read in.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// How many bytes a row takes in memory.
    pub fn row_bytes(&self) -> usize {
        let number = match self.precision {
            Precision::Single => size_of::<f32>(),
            Precision::Double => size_of::<f64>(),
        };
        self.dim.saturating_mul(number)
    }

    /// Whether any row can be read without those before it: not so in .parquet, in a deflated .npz, and column after
    /// column.
    pub fn seekable(&self) -> bool {
        matches!(&self.source, Source::Array(array) if array.seekable())
    }

    /// A block without rows, to be filled.
    pub fn no_rows(&self) -> Features {
        Features::new(self.dim, self.precision.no_values())
    }

    /// Begins at the first row again.
    pub fn rewind(&mut self) {
        self.next = 0;
    }

    /// The next rows in file order, `most` of them or those that are left; `None` at the end.
    pub fn next_block(&mut self, most: usize) -> Result<Option<Features>, Error> {
        let mut block = self.no_rows();
        Ok((self.next_into(most, &mut block)? > 0).then_some(block))
    }

    /// Fills a block, whose memory is used again, with what [`RowReader::next_block`] would return. Returns how many
    /// rows there are; 0 at the end.
    pub fn next_into(&mut self, most: usize, block: &mut Features) -> Result<usize, Error> {
        let mut values = self.emptied(block);
        let count = self.append(most, &mut values)?;
        *block = Features::new(self.dim, values);
        Ok(count)
    }

    /// Fills a block, whose memory is used again, with some rows, given as ascending places. Where the file is
    /// seekable, the rows between them are not read and [`RowReader::next_block`] goes on where it was; elsewhere the
    /// file is read forward from its next row, or from its beginning if that is too far.
    ///
    /// # Panics
    /// If the places do not ascend, or lead beyond the last row.
    pub fn read(&mut self, wanted: &[usize], block: &mut Features) -> Result<(), Error> {
        let ascending = wanted.is_sorted_by(|a, b| a < b) && wanted.last().is_none_or(|&last| last < self.rows);
        assert!(ascending, "rows are read in ascending order, and there are {} of them", self.rows);
        let mut values = self.emptied(block);
        self.reserve(wanted.len(), &mut values)?;
        match &mut self.source {
            Source::Array(array) if array.seekable() => {
                let finite = array.read(wanted, &mut values);
                self.require(finite, &values, |row| wanted[row])?;
            }
            _ => self.pass(wanted, &mut values)?,
        }
        *block = Features::new(self.dim, values);
        Ok(())
    }

    /// Memory for all numbers, or the error that there is too little.
    pub(super) fn room(&self) -> Result<Values, Error> {
        let mut values = self.precision.no_values();
        self.reserve(self.rows, &mut values)?;
        Ok(values)
    }

    /// Adds the next rows in file order to `values`, and returns how many they are.
    pub(super) fn append(&mut self, most: usize, values: &mut Values) -> Result<usize, Error> {
        let (begin, count) = (self.next, most.min(self.rows - self.next));
        if count == 0 {
            return Ok(0);
        }
        self.reserve(count, values)?;
        let before = values.len() / self.dim;
        let finite = match &mut self.source {
            Source::Array(array) => array.append(begin, count, values),
            Source::Parquet(rows) => {
                rows.append(begin, count, values)?;
                Ok(is_finite(values, before * self.dim))
            }
        };
        self.require(finite, values, |row| begin + row - before)?;
        self.next += count;
        Ok(count)
    }

    /// Reads on to each row that is wanted and keeps it.
    fn pass(&mut self, wanted: &[usize], values: &mut Values) -> Result<(), Error> {
        let Some((&first, &last)) = wanted.first().zip(wanted.last()) else { return Ok(()) };
        if first < self.next {
            self.rewind();
        }
        let (mut rest, mut passed) = (wanted, self.no_rows());
        while !rest.is_empty() {
            let begin = self.next;
            let count = self.next_into(PASSED.min(last + 1 - begin), &mut passed)?;
            let (here, further) = rest.split_at(rest.partition_point(|&row| row < begin + count));
            let here: Vec<usize> = here.iter().map(|row| row - begin).collect();
            let kept = passed.select(&here).into_values();
            values.add(&kept, 0..kept.len());
            rest = further;
        }
        Ok(())
    }

    fn emptied(&self, block: &mut Features) -> Values {
        let mut values = std::mem::replace(block, self.no_rows()).into_values();
        values.clear();
        if std::mem::discriminant(&values) == std::mem::discriminant(&self.precision.no_values()) {
            values
        } else {
            self.precision.no_values()
        }
    }

    fn reserve(&self, rows: usize, values: &mut Values) -> Result<(), Error> {
        let more = rows.checked_mul(self.dim);
        let reserved = more.is_some_and(|more| match values {
            Values::F32(values) => values.try_reserve(more).is_ok(),
            Values::F64(values) => values.try_reserve(more).is_ok(),
        });
        if reserved { Ok(()) } else { Err(Error::TooLarge(self.path.clone())) }
    }

    /// Reports what failed, or the first value that is not finite, given the place in the file of a row of `values`.
    fn require(
        &self,
        finite: std::io::Result<bool>,
        values: &Values,
        row: impl Fn(usize) -> usize,
    ) -> Result<(), Error> {
        if finite.map_err(Error::reading(&self.path))? {
            return Ok(());
        }
        let place = first_not_finite(values).unwrap_or_default();
        Err(Error::NotFinite { path: self.path.clone(), row: row(place / self.dim), column: place % self.dim })
    }
}

/// Whether all values from this place on are finite. Without branches, so that it costs little beside reading.
fn is_finite(values: &Values, from: usize) -> bool {
    const SINGLE: u32 = f32::INFINITY.to_bits();
    const DOUBLE: u64 = f64::INFINITY.to_bits();
    match values {
        Values::F32(values) => {
            !values[from..].iter().fold(false, |found, value| found | (value.to_bits() & SINGLE == SINGLE))
        }
        Values::F64(values) => {
            !values[from..].iter().fold(false, |found, value| found | (value.to_bits() & DOUBLE == DOUBLE))
        }
    }
}

fn first_not_finite(values: &Values) -> Option<usize> {
    match values {
        Values::F32(values) => values.iter().position(|value| !value.is_finite()),
        Values::F64(values) => values.iter().position(|value| !value.is_finite()),
    }
}
