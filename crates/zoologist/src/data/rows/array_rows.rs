//! Blocks of rows from an array of .npy, .npz or .safetensors.

use std::io::{self, Read};
use std::os::unix::fs::FileExt;

use super::is_finite;
use crate::base::Values;
use crate::data::array::decode::{add_numbers, expect_end, numbers};
use crate::data::array::located::Located;

/// Bytes read at a time; they and the numbers that they become fit into the caches.
const PIECE: usize = 1 << 17;
/// Values of an array that is unpacked whole: always, and where its packing makes that likely.
const FEW_UNPACKED: usize = 1 << 22;
const MOST_UNPACKED: usize = 1 << 27;
/// Bytes between two rows that are rather read than skipped: as cheap as another call of the system.
const GAP: usize = 4 << 10;

/// The rows of an array, and how they are come by.
pub(super) struct ArrayRows {
    located: Located,
    dim: usize,
    /// Bytes of a row in the file.
    row_bytes: usize,
    way: Way,
    piece: Vec<u8>,
}

enum Way {
    /// Any row can be read, from this place in the file on.
    Rows(u64),
    /// Rows can be read in order, and so that the checksum is compared; any row can be read from that place in the
    /// file on, if there is one.
    Stream(Option<Stream>, Option<u64>),
    /// Columns can be read in stripes, from that place in the file on, once the checksum has been compared.
    Columns(u64, Checksum),
    /// The array has to be read whole.
    Whole(Option<Values>),
}

/// The unpacked bytes, and the row that they stand at.
struct Stream {
    bytes: Box<dyn Read + Send>,
    next: usize,
}

#[derive(PartialEq)]
enum Checksum {
    Unread,
    Right,
}

impl ArrayRows {
    pub fn new(located: Located, dim: usize) -> Self {
        let layout = &located.layout;
        let row_bytes = layout.element.size() * dim;
        let way = match (layout.column_after_column, located.position()) {
            (false, Some(start)) if located.packing.is_none() => Way::Rows(start),
            (false, start) => Way::Stream(None, start),
            (true, Some(start)) => Way::Columns(start, Checksum::Unread),
            (true, None) => Way::Whole(None),
        };
        Self { located, dim, row_bytes, way, piece: Vec::new() }
    }

    pub fn seekable(&self) -> bool {
        matches!(self.way, Way::Rows(_) | Way::Stream(_, Some(_)))
    }

    /// Adds rows `begin..begin + count` to `values`; whether all of them are finite.
    pub fn append(&mut self, begin: usize, count: usize, values: &mut Values) -> io::Result<bool> {
        let before = values.len();
        match self.way {
            Way::Rows(start) => return self.adjoining(start, begin, count, values),
            Way::Stream(..) => return self.streamed(begin, count, values).map_err(|error| self.located.naming(error)),
            Way::Columns(start, _) => {
                self.verify().map_err(|error| self.located.naming(error))?;
                self.columns(start, begin, count, values)?;
            }
            Way::Whole(_) => self.copied(begin, count, values)?,
        }
        Ok(is_finite(values, before))
    }

    /// Adds some rows, in ascending order, of a seekable array; whether all of them are finite.
    pub fn read(&mut self, wanted: &[usize], values: &mut Values) -> io::Result<bool> {
        let (Way::Rows(start) | Way::Stream(_, Some(start))) = self.way else { return Ok(true) };
        let (mut rest, mut finite) = (wanted, true);
        while let Some(&first) = rest.first() {
            let (here, further) = rest.split_at(self.near(rest));
            self.fetch(start, first, here[here.len() - 1] + 1 - first)?;
            let before = values.len();
            for &row in here {
                let at = (row - first) * self.row_bytes;
                self.decode(at..at + self.row_bytes, values);
            }
            finite &= is_finite(values, before);
            rest = further;
        }
        Ok(finite)
    }

    /// How many of these rows, at least one, are best read at once.
    fn near(&self, rows: &[usize]) -> usize {
        let joined = |pair: &[usize]| {
            (pair[1] - pair[0] - 1) * self.row_bytes <= GAP && (pair[1] + 1 - rows[0]) * self.row_bytes <= PIECE
        };
        1 + rows.windows(2).take_while(|pair| joined(pair)).count()
    }

    /// Reads the bytes of adjoining rows into the piece.
    fn fetch(&mut self, start: u64, row: usize, count: usize) -> io::Result<()> {
        resize(&mut self.piece, count * self.row_bytes)?;
        self.located.file.read_exact_at(&mut self.piece, start + row as u64 * self.row_bytes as u64)
    }

    fn decode(&self, bytes: std::ops::Range<usize>, values: &mut Values) {
        add_numbers(values, &self.piece[bytes], self.located.layout.element, self.located.layout.order);
    }

    /// How many rows make a piece.
    fn rows_at_once(&self) -> usize {
        (PIECE / self.row_bytes).max(1)
    }

    fn adjoining(&mut self, start: u64, begin: usize, count: usize, values: &mut Values) -> io::Result<bool> {
        let mut finite = true;
        for first in (begin..begin + count).step_by(self.rows_at_once()) {
            let before = values.len();
            self.fetch(start, first, self.rows_at_once().min(begin + count - first))?;
            self.decode(0..self.piece.len(), values);
            finite &= is_finite(values, before);
        }
        Ok(finite)
    }

    fn streamed(&mut self, begin: usize, count: usize, values: &mut Values) -> io::Result<bool> {
        let Way::Stream(stream, _) = &mut self.way else { return Ok(true) };
        let mut stream = match stream.take() {
            Some(stream) if stream.next == begin => stream,
            _ => self.stream_at(begin)?,
        };
        let mut finite = true;
        for first in (0..count).step_by(self.rows_at_once()) {
            let before = values.len();
            let bytes = self.rows_at_once().min(count - first) * self.row_bytes;
            resize(&mut self.piece, bytes)?;
            stream.bytes.read_exact(&mut self.piece)?;
            self.decode(0..self.piece.len(), values);
            finite &= is_finite(values, before);
        }
        stream.next += count;
        if stream.next == self.located.layout.shape.rows {
            expect_end(&mut stream.bytes)?;
        } else if let Way::Stream(kept, _) = &mut self.way {
            *kept = Some(stream);
        }
        Ok(finite)
    }

    fn stream_at(&self, row: usize) -> io::Result<Stream> {
        let mut bytes = self.located.stream()?;
        io::copy(&mut (&mut bytes).take(row as u64 * self.row_bytes as u64), &mut io::sink())?;
        Ok(Stream { bytes, next: row })
    }

    /// Reads an archive's array once to compare its checksum.
    fn verify(&mut self) -> io::Result<()> {
        let Way::Columns(_, checksum) = &mut self.way else { return Ok(()) };
        if *checksum == Checksum::Unread && self.located.packing.is_some() {
            io::copy(&mut self.located.stream()?, &mut io::sink())?;
        }
        *checksum = Checksum::Right;
        Ok(())
    }

    fn columns(&mut self, start: u64, begin: usize, count: usize, values: &mut Values) -> io::Result<()> {
        let layout = &self.located.layout;
        let (size, rows) = (layout.element.size(), layout.shape.rows as u64);
        let (before, mut column) = (values.len(), values.no_values());
        values.fill_up(before + count * self.dim);
        resize(&mut self.piece, count * size)?;
        for place in 0..self.dim {
            let first = place as u64 * rows + begin as u64;
            self.located.file.read_exact_at(&mut self.piece, start + first * size as u64)?;
            column.clear();
            add_numbers(&mut column, &self.piece, layout.element, layout.order);
            values.put_column(&column, before + place, self.dim);
        }
        Ok(())
    }

    fn copied(&mut self, begin: usize, count: usize, values: &mut Values) -> io::Result<()> {
        let Way::Whole(whole) = &mut self.way else { return Ok(()) };
        let whole = match whole {
            Some(whole) => whole,
            None => whole.insert(numbers(self.located.array(FEW_UNPACKED, MOST_UNPACKED)?.cells)),
        };
        values.add(whole, begin * self.dim..(begin + count) * self.dim);
        Ok(())
    }
}

fn resize(piece: &mut Vec<u8>, bytes: usize) -> io::Result<()> {
    piece.try_reserve(bytes.saturating_sub(piece.len())).map_err(|_| io::ErrorKind::OutOfMemory)?;
    piece.resize(bytes, 0);
    Ok(())
}
