//! Labels in Parquet: a column of names or numbers, one of lists, or several of numbers.

use std::path::Path;

use super::cells::Batch;
use super::schema::{self, Column};
use super::{Cells, Scan};
use crate::base::{Interned, Values};
use crate::data::Error;
use crate::data::array::decode::numbers;
use crate::data::labels::WANTED;
use crate::data::labels::detect::Raw;

/// Rows that are read at a time.
const BLOCK: usize = 1 << 16;

/// Reads the column that is called like labels or is the only one, or several columns of numbers.
pub(in crate::data) fn labels(path: &Path) -> Result<Raw, Error> {
    let mut scan = Scan::open(path, |columns| chosen(path, columns))?;
    let width = scan.find_width()?;
    match &scan.columns[..] {
        [column] if column.list && column.is_number() => {
            table(scan, (0..width).map(|place| place.to_string()).collect())
        }
        [column] if column.list => Err(scan.refuse("holds lists of text: one label per row is needed")),
        [_] => one_column(scan),
        columns => {
            let names = columns.iter().map(|column| column.name.clone()).collect();
            table(scan, names)
        }
    }
}

fn chosen(path: &Path, columns: Vec<Column>) -> Result<Vec<Column>, Error> {
    let named = WANTED.names.iter().find_map(|name| columns.iter().find(|column| column.name == *name));
    let table = columns.len() > 1 && columns.iter().all(|column| column.is_number() && !column.list);
    match (named, &columns[..]) {
        (Some(column), _) | (None, [column]) => Ok(vec![column.clone()]),
        _ if table => Ok(columns),
        _ => Err(schema::unclear(path, &columns, WANTED.names)),
    }
}

fn one_column(mut scan: Scan) -> Result<Raw, Error> {
    let (mut texts, mut integers, mut fractions) = (Interned::default(), Vec::new(), Values::F64(Vec::new()));
    let mut take = |cells: Cells| match cells {
        Cells::Text(found) => found.each().for_each(|text| texts.push(text)),
        Cells::Integers(mut found) => integers.append(&mut found),
        found => {
            let found = numbers(found);
            fractions.add(&found, 0..found.len());
        }
    };
    let mut step = |_, batch: Batch| {
        take(batch.cells);
        Ok(())
    };
    while scan.step(BLOCK, &mut step)? > 0 {}
    let name = scan.columns.first().map(|column| column.name.clone()).unwrap_or_default();
    Ok(match fractions {
        Values::F64(values) if !values.is_empty() => Raw::Numbers { names: vec![name], values },
        _ if integers.is_empty() => Raw::Texts(texts),
        _ => Raw::Integers(integers),
    })
}

fn table(mut scan: Scan, names: Vec<String>) -> Result<Raw, Error> {
    let (mut values, width) = (Values::F64(Vec::new()), names.len());
    while scan.numbers(BLOCK, width, &mut values)? > 0 {}
    let values = if let Values::F64(values) = values { values } else { Vec::new() };
    Ok(Raw::Numbers { names, values })
}
