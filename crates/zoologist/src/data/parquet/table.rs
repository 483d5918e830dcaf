//! Parquet files as tables, a batch of rows at a time.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};

use super::cells::Batch;
use super::schema::{self, Column};
use super::{Cells, Scan};
use crate::data::Error;
use crate::data::table::{Cell, Place, TableReader};

/// Rows that are read at a time, and about how many bytes.
const BATCH: usize = 4096;
const BATCH_BYTES: usize = 16 << 20;

/// A table that is being read.
pub(in crate::data) struct Table {
    path: PathBuf,
    columns: Vec<Column>,
    names: Vec<String>,
    /// The columns that are being read, and the reader of them.
    scan: Option<(Vec<usize>, Scan)>,
    /// Rows that are read but not handed out.
    rows: VecDeque<Vec<Cell>>,
    next: u64,
}

impl Table {
    pub fn open(path: &Path) -> Result<Self, Error> {
        let mut columns = vec![];
        Scan::open(path, |found| {
            columns.clone_from(&found);
            Ok(found)
        })?;
        let names = columns.iter().map(|column| column.name.clone()).collect();
        if columns.is_empty() {
            return Err(schema::unclear(path, &columns, &["text", "label"]));
        }
        Ok(Self { path: path.to_path_buf(), columns, names, scan: None, rows: VecDeque::new(), next: 0 })
    }

    /// Reads the next batch of rows.
    fn fill(&mut self, wanted: &[usize]) -> Result<(), Error> {
        let begun = self.scan.as_ref().is_some_and(|(columns, _)| columns == wanted);
        if !begun {
            let chosen: Vec<Column> = wanted.iter().map(|&place| self.columns[place].clone()).collect();
            self.scan = Some((wanted.to_vec(), Scan::open(&self.path, |_| Ok(chosen))?));
        }
        let Some((_, scan)) = &mut self.scan else { return Ok(()) };
        scan.nulls = true;
        let mut columns: Vec<Vec<Cell>> = vec![];
        let most = (BATCH_BYTES / scan.row_bytes().max(1)).clamp(1, BATCH);
        scan.step(most, |_, batch| {
            columns.push(cells(batch));
            Ok(())
        })?;
        let count = columns.first().map_or(0, Vec::len);
        let mut columns: Vec<_> = columns.into_iter().map(Vec::into_iter).collect();
        let row = |_| columns.iter_mut().map(|column| column.next().unwrap_or(Cell::Absent)).collect();
        self.rows.extend((0..count).map(row));
        Ok(())
    }
}

impl TableReader for Table {
    fn columns(&self) -> &[String] {
        &self.names
    }

    fn next(&mut self, wanted: &[usize], cells: &mut Vec<Cell>) -> Result<Option<Place>, Error> {
        if self.rows.is_empty() {
            self.fill(wanted)?;
        }
        let Some(row) = self.rows.pop_front() else { return Ok(None) };
        *cells = row;
        self.next += 1;
        Ok(Some(Place::Row(self.next - 1)))
    }
}

/// The cells of a batch, one per row.
fn cells(batch: Batch) -> Vec<Cell> {
    let lengths = batch.row_lengths();
    let lists = batch.are_lists();
    let mut values: Box<dyn Iterator<Item = Cell>> = match batch.cells {
        Cells::Text(texts) => {
            Box::new(texts.each().map(|text| Cell::Text(text.to_owned())).collect::<Vec<_>>().into_iter())
        }
        Cells::Integers(values) => Box::new(values.into_iter().map(Cell::Integer)),
        Cells::F32(values) => Box::new(values.into_iter().map(|value| Cell::Number(f64::from(value)))),
        Cells::F64(values) => Box::new(values.into_iter().map(Cell::Number)),
    };
    let cell = |length: usize| {
        let mut found: Vec<Cell> = values.by_ref().take(length).collect();
        match (lists, found.pop()) {
            (true, last) => {
                found.extend(last);
                Cell::List(found)
            }
            (false, Some(cell)) => cell,
            (false, None) => Cell::Absent,
        }
    };
    lengths.into_iter().map(cell).collect()
}
