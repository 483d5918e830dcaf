//! Labels in a CSV file, with or without a line of column names.

use std::path::Path;

use csv::StringRecord;

use super::detect::Raw;
use super::{Error, Format, WANTED};
use crate::base::Interned;
use crate::data::csv_file;

pub(super) const FORMAT: Format = Format { extension: "csv", read };

/// The rows of a table that are not its first.
struct Rest<'p> {
    path: &'p Path,
    reader: csv_file::Rows,
}

fn read(path: &Path) -> Result<Raw, Error> {
    let mut reader = csv_file::open(path)?;
    let Some(first) = csv_file::next(path, &mut reader)? else { return Ok(Raw::Texts(Interned::default())) };
    let mut rest = Rest { path, reader };
    match label_column(&first) {
        Some(column) => rest.texts(column).map(Raw::Texts),
        None if first.len() == 1 => rest.only_column(&first),
        None => rest.table(&first),
    }
}

fn label_column(header: &StringRecord) -> Option<usize> {
    WANTED.names.iter().find_map(|name| header.iter().position(|cell| cell.eq_ignore_ascii_case(name)))
}

fn is_number(text: &str) -> bool {
    text.parse::<f64>().is_ok()
}

impl Rest<'_> {
    fn texts(&mut self, column: usize) -> Result<Interned, Error> {
        let mut texts = Interned::default();
        while let Some(row) = csv_file::next(self.path, &mut self.reader)? {
            let cell = row.get(column).filter(|cell| !cell.is_empty());
            let cell = cell.ok_or_else(|| {
                Error::at_line(self.path, csv_file::line(&row), "has no label. Add it or drop the line")
            })?;
            texts.push(cell);
        }
        Ok(texts)
    }

    /// Without a known name on top, the first cell is a heading only if it is the only cell that is no number.
    fn only_column(&mut self, first: &StringRecord) -> Result<Raw, Error> {
        let mut texts = self.texts(0)?;
        let names = texts.names();
        let is_heading = !first.iter().all(is_number) && !names.is_empty() && names.iter().all(|name| is_number(name));
        if !is_heading {
            first.iter().for_each(|cell| texts.push_first(cell));
        }
        Ok(Raw::Texts(texts))
    }

    fn table(&mut self, first: &StringRecord) -> Result<Raw, Error> {
        let has_heading = !first.iter().all(is_number);
        let mut values = Vec::new();
        if has_heading && first.iter().any(str::is_empty) {
            return Err(Error::at_line(self.path, 1, "has a column without a name (an index?). Name it or drop it"));
        } else if !has_heading {
            values.extend(self.numbers(first)?);
        }
        while let Some(row) = csv_file::next(self.path, &mut self.reader)? {
            values.extend(self.numbers(&row)?);
        }
        let number = |column: usize| column.to_string();
        let names = if has_heading {
            first.iter().map(str::to_owned).collect()
        } else {
            (0..first.len()).map(number).collect()
        };
        Ok(Raw::Numbers { names, values })
    }

    fn numbers(&self, row: &StringRecord) -> Result<Vec<f64>, Error> {
        let number = |cell: &str| {
            let shown = crate::base::path_text::escape(cell);
            let problem = format!("has \"{shown}\" where a number is needed. Call the column of the labels `label`");
            cell.parse().map_err(|_| Error::at_line(self.path, csv_file::line(row), problem))
        };
        row.iter().map(number).collect()
    }
}
