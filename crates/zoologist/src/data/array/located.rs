//! Where an array lies in its file, and its values from there on, unpacked if need be.
//!
//! Files are read with positioned reads and never mapped: a mapped file that is cut kills the process.

#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::expect_used, clippy::panic)]

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use flate2::Crc;
use flate2::bufread::DeflateDecoder;

use super::decode::{self, ByteOrder, Cells, Element, invalid};
use super::{Array, Shape};

/// So many values may a packed byte become where there are many.
const VALUES_PER_BYTE: u64 = 64;
/// Bytes that a stream reads at a time.
const AHEAD: usize = 1 << 17;

/// An array in a file whose size agrees with the array's shape.
#[derive(Debug)]
pub(in crate::data) struct Located {
    pub file: Arc<File>,
    /// Where the first value stands, in the file or in the unpacked member.
    pub start: u64,
    pub layout: Layout,
    pub packing: Option<Member>,
}

/// What the values of an array are, and how they stand in a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::data) struct Layout {
    pub shape: Shape,
    pub element: Element,
    pub order: ByteOrder,
    pub column_after_column: bool,
}

/// A file in an archive.
#[derive(Debug, Clone)]
pub(in crate::data) struct Member {
    /// The array's name.
    pub name: String,
    /// Where its bytes begin in the archive.
    pub start: u64,
    /// How many bytes it takes there.
    pub packed: u64,
    /// How it is packed.
    pub deflated: bool,
    /// The checksum of its unpacked bytes.
    pub checksum: u32,
}

/// Some bytes of a file, read with positioned reads.
struct Section {
    file: Arc<File>,
    place: u64,
    end: u64,
}

/// Compares the checksum of all bytes at the end.
struct Checked<R> {
    inner: R,
    sum: Crc,
    expected: u32,
}

impl Read for Section {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let left = self.end.saturating_sub(self.place).min(into.len() as u64) as usize;
        let read = self.file.read_at(into.get_mut(..left).unwrap_or_default(), self.place)?;
        if read == 0 && left > 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.place = self.place.saturating_add(read as u64);
        Ok(read)
    }
}

impl<R: Read> Read for Checked<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(into)?;
        self.sum.update(into.get(..read).unwrap_or_default());
        if read == 0 && !into.is_empty() && self.sum.sum() != self.expected {
            return Err(invalid("is damaged: its checksum is wrong"));
        }
        Ok(read)
    }
}

impl Member {
    /// The unpacked bytes; their checksum is compared where they end.
    pub fn stream(&self, file: &Arc<File>) -> Box<dyn Read + Send> {
        let bytes = section(file, self.start, self.packed);
        if self.deflated { self.checked(DeflateDecoder::new(bytes)) } else { self.checked(bytes) }
    }

    fn checked(&self, inner: impl Read + Send + 'static) -> Box<dyn Read + Send> {
        Box::new(Checked { inner, sum: Crc::new(), expected: self.checksum })
    }

    /// Says in which array of the archive the content is wrong.
    pub fn naming(&self, source: io::Error) -> io::Error {
        match source.kind() {
            io::ErrorKind::InvalidData => invalid(format!("its array {} {source}", self.name)),
            _ => source,
        }
    }
}

fn section(file: &Arc<File>, start: u64, length: u64) -> BufReader<Section> {
    let end = start.saturating_add(length);
    BufReader::with_capacity(AHEAD, Section { file: Arc::clone(file), place: start, end })
}

impl Layout {
    /// How many bytes the values take.
    pub fn bytes(&self) -> u64 {
        (self.shape.count as u64).saturating_mul(self.element.size() as u64)
    }

    /// Compares the bytes that the values take with those there are.
    pub fn expect_bytes(&self, there: u64) -> io::Result<()> {
        match self.bytes().cmp(&there) {
            std::cmp::Ordering::Less => Err(invalid(decode::MORE_VALUES)),
            std::cmp::Ordering::Equal => Ok(()),
            std::cmp::Ordering::Greater => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

impl Located {
    /// The values' bytes in file order, to the end. The end must be read, because a checksum is compared there.
    pub fn stream(&self) -> io::Result<Box<dyn Read + Send>> {
        let Some(member) = &self.packing else {
            return Ok(Box::new(section(&self.file, self.start, self.layout.bytes())));
        };
        let mut stream = member.stream(&self.file);
        io::copy(&mut (&mut stream).take(self.start), &mut io::sink())?;
        Ok(stream)
    }

    /// Where the first value stands in the file, if values stand there as they are.
    pub fn position(&self) -> Option<u64> {
        match &self.packing {
            None => Some(self.start),
            Some(member) => (!member.deflated).then(|| member.start.saturating_add(self.start)),
        }
    }

    /// All values, row after row, if they are no more than `most`, nor more than `few` and far more than the bytes that
    /// they are packed in.
    pub fn array(&self, few: usize, most: usize) -> io::Result<Array> {
        let Layout { shape, element, order, column_after_column } = &self.layout;
        let packed = self.packing.as_ref().filter(|member| member.deflated).map(|member| member.packed);
        let believed = packed.map_or(most, |bytes| few.max(bytes.saturating_mul(VALUES_PER_BYTE) as usize).min(most));
        if shape.count > believed {
            let problem = format!("holds {} values: more than {believed} are not read at once here", shape.count);
            return Err(self.naming(invalid(problem)));
        }
        let mut source = self.stream()?;
        let cells = decode::cells(&mut source, *element, *order, shape.count).map_err(|error| self.naming(error))?;
        decode::expect_end(&mut source).map_err(|error| self.naming(error))?;
        let cells = if *column_after_column { row_after_row(cells, shape.rows) } else { cells };
        Ok(Array { columns: shape.columns, cells })
    }

    /// Says in which array the content is wrong, where there are several.
    pub fn naming(&self, source: io::Error) -> io::Error {
        match &self.packing {
            Some(member) => member.naming(source),
            None => source,
        }
    }
}

/// Texts stay as they are: a table of them is refused, and a single column stands in order.
fn row_after_row(cells: Cells, rows: usize) -> Cells {
    match cells {
        Cells::F32(values) => Cells::F32(transposed(&values, rows)),
        Cells::F64(values) => Cells::F64(transposed(&values, rows)),
        Cells::Integers(values) => Cells::Integers(transposed(&values, rows)),
        Cells::Text(texts) => Cells::Text(texts),
    }
}

fn transposed<T: Clone>(columns: &[T], rows: usize) -> Vec<T> {
    (0..rows).flat_map(|row| columns.iter().skip(row).step_by(rows.max(1)).cloned()).collect()
}
