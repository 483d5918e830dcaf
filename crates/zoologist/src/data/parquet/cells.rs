//! The cells of one column of a Parquet file.

use ::parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use ::parquet::data_type::{ByteArray, DataType, FixedLenByteArray};
use ::parquet::errors::ParquetError;

use super::schema::{Column, Kind};
use crate::base::Interned;
use crate::base::path_text::escape;
use crate::data::array::decode::{Cells, half};

/// The cells of some rows.
pub(super) struct Batch {
    /// All values, those of a list one after the other; null has none.
    pub cells: Cells,
    /// How many values there are.
    pub values: usize,
    rows: usize,
    /// The definition level of a value that is not null.
    defined: i16,
    definitions: Vec<i16>,
    repetitions: Vec<i16>,
}

impl Batch {
    /// The first row, counted in the batch, that has not `width` values, and how many it has or which of them is null.
    pub fn first_uneven(&self, width: usize) -> Option<(usize, Uneven)> {
        if self.is_even(width) {
            return None;
        }
        let (mut row, mut length) = (0, 0);
        for level in 0..self.definitions.len().max(self.repetitions.len()) {
            if level > 0 && self.repetitions.get(level).is_none_or(|&repetition| repetition == 0) {
                if length != width {
                    return Some((row, Uneven::Length(length)));
                }
                (row, length) = (row + 1, 0);
            }
            if self.definitions.get(level).is_some_and(|&definition| definition != self.defined) {
                return Some((row, Uneven::Null(length)));
            }
            length += 1;
        }
        Some((row, Uneven::Length(length)))
    }

    /// How many values each row has; null has none.
    pub fn row_lengths(&self) -> Vec<usize> {
        let levels = self.definitions.len().max(self.repetitions.len());
        if levels == 0 {
            return vec![1; self.rows];
        }
        let mut lengths = vec![];
        for level in 0..levels {
            if self.repetitions.get(level).is_none_or(|&repetition| repetition == 0) {
                lengths.push(0);
            }
            let defined = self.definitions.get(level).is_none_or(|&definition| definition == self.defined);
            if let Some(last) = lengths.last_mut() {
                *last += usize::from(defined);
            }
        }
        lengths
    }

    /// The row, counted in the batch, of a value by its place among those that are not null.
    fn row_of(&self, place: usize) -> usize {
        let mut end = 0;
        let ends = self.row_lengths().into_iter().map(|length| {
            end += length;
            end
        });
        ends.take_while(|end| *end <= place).count()
    }

    /// Whether a cell is a list.
    pub fn are_lists(&self) -> bool {
        !self.repetitions.is_empty()
    }

    fn is_even(&self, width: usize) -> bool {
        let defined = self.definitions.iter().all(|&definition| definition == self.defined);
        let begins = |list: &[i16]| list.split_first().is_some_and(|(&first, rest)| first == 0 && !rest.contains(&0));
        let lists = if self.repetitions.is_empty() { width == 1 } else { self.repetitions.chunks(width).all(begins) };
        defined && lists && self.values == self.rows * width
    }
}

/// What is wrong with a row.
pub(super) enum Uneven {
    /// So many values.
    Length(usize),
    /// Null in that place.
    Null(usize),
}

impl Uneven {
    /// `width` is how many values were expected.
    pub fn in_words(&self, row: usize, name: &str, width: Option<usize>) -> String {
        let name = escape(name);
        match self {
            Self::Null(0) if width == Some(1) => {
                format!("row {row} (counted from 0) has no value in column {name}. Fill it in or drop the row")
            }
            Self::Null(place) => {
                format!(
                    "row {row}, place {place} (counted from 0) of column {name} is null. Fill it in or drop the row"
                )
            }
            Self::Length(length) => format!(
                "row {row} (counted from 0) has {length} values in column {name}, the rows before have {}",
                width.unwrap_or_default()
            ),
        }
    }
}

/// The next cells of a column, of which `first` is the row of the first.
pub(super) fn read(
    reader: &mut ColumnReader,
    column: &Column,
    first: usize,
    rows: usize,
) -> Result<Batch, ParquetError> {
    let mut batch = Batch {
        cells: Cells::F32(Vec::new()),
        values: 0,
        rows,
        defined: column.defined,
        definitions: Vec::new(),
        repetitions: Vec::new(),
    };
    batch.cells = match (reader, column.kind) {
        (ColumnReader::BoolColumnReader(reader), _) => {
            Cells::Integers(batch.numbers(reader, |&value| Ok(i64::from(value)))?)
        }
        (ColumnReader::Int32ColumnReader(reader), Kind::Unsigned) => {
            Cells::Integers(batch.numbers(reader, |value| Ok(i64::from(value.cast_unsigned())))?)
        }
        (ColumnReader::Int32ColumnReader(reader), _) => {
            Cells::Integers(batch.numbers(reader, |&value| Ok(i64::from(value)))?)
        }
        (ColumnReader::Int64ColumnReader(reader), Kind::Unsigned) => {
            Cells::Integers(batch.numbers(reader, |&value| unsigned(value))?)
        }
        (ColumnReader::Int64ColumnReader(reader), _) => Cells::Integers(batch.numbers(reader, |&value| Ok(value))?),
        (ColumnReader::FloatColumnReader(reader), _) => Cells::F32(batch.numbers(reader, |&value| Ok(value))?),
        (ColumnReader::DoubleColumnReader(reader), _) => Cells::F64(batch.numbers(reader, |&value| Ok(value))?),
        (ColumnReader::FixedLenByteArrayColumnReader(reader), _) => Cells::F32(batch.numbers(reader, from_half)?),
        (ColumnReader::ByteArrayColumnReader(reader), _) => {
            let values = batch.raw(reader)?;
            let found = texts(&values).map_err(|place| not_utf8(column, first + batch.row_of(place)))?;
            Cells::Text(found)
        }
        (ColumnReader::Int96ColumnReader(_), _) => return Err(ParquetError::General("holds times".into())),
    };
    Ok(batch)
}

impl Batch {
    fn raw<T: DataType>(&mut self, reader: &mut ColumnReaderImpl<T>) -> Result<Vec<T::T>, ParquetError> {
        let (mut values, mut rows) = (Vec::new(), 0);
        while rows < self.rows {
            let (definitions, repetitions) = (Some(&mut self.definitions), Some(&mut self.repetitions));
            match reader.read_records(self.rows - rows, definitions, repetitions, &mut values)? {
                (0, ..) => return Err(ParquetError::EOF("a column has fewer rows than the file says".into())),
                (more, ..) => rows += more,
            }
        }
        self.values = values.len();
        Ok(values)
    }

    fn numbers<T: DataType, N>(
        &mut self,
        reader: &mut ColumnReaderImpl<T>,
        convert: impl FnMut(&T::T) -> Result<N, ParquetError>,
    ) -> Result<Vec<N>, ParquetError> {
        self.raw(reader)?.iter().map(convert).collect()
    }
}

fn unsigned(value: i64) -> Result<i64, ParquetError> {
    if value < 0 {
        return Err(ParquetError::General(format!("it holds an integer above 2^63: {}", value.cast_unsigned())));
    }
    Ok(value)
}

fn from_half(value: &FixedLenByteArray) -> Result<f32, ParquetError> {
    let bytes = value.data().try_into();
    let bytes = bytes.map_err(|_| ParquetError::General("a number of half precision has not 2 bytes".into()))?;
    Ok(half(u16::from_le_bytes(bytes)))
}

/// The texts, or the place of the first that is none.
fn texts(values: &[ByteArray]) -> Result<Interned, usize> {
    let mut texts = Interned::default();
    for (place, value) in values.iter().enumerate() {
        texts.push(value.as_utf8().map_err(|_| place)?);
    }
    Ok(texts)
}

fn not_utf8(column: &Column, row: usize) -> ParquetError {
    let name = escape(&column.name);
    ParquetError::General(format!("row {row} (counted from 0) of column {name} is not valid UTF-8"))
}
