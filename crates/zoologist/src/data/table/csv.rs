//! CSV and TSV tables. The first row names the columns; cells are texts.

use std::fs::File;
use std::path::{Path, PathBuf};

use csv::{Reader, StringRecord};

use super::cell::{Cell, Place, TableReader};
use crate::data::{Error, csv_file};

/// A table that is being read.
pub(super) struct Csv {
    path: PathBuf,
    reader: Reader<File>,
    columns: Vec<String>,
    row: StringRecord,
}

impl Csv {
    pub fn open(path: &Path, delimiter: u8) -> Result<Self, Error> {
        let mut reader = csv_file::open_untrimmed(path, delimiter)?;
        let mut row = StringRecord::new();
        if !csv_file::next_into(path, &mut reader, &mut row)? {
            return Err(Error::Malformed {
                path: path.to_path_buf(),
                problem: "is empty. Give a table with a row of column names".into(),
            });
        }
        let columns = row.iter().map(|name| name.trim().trim_start_matches('\u{feff}').to_owned()).collect();
        Ok(Self { path: path.to_path_buf(), reader, columns, row })
    }
}

impl TableReader for Csv {
    fn columns(&self) -> &[String] {
        &self.columns
    }

    fn next(&mut self, wanted: &[usize], cells: &mut Vec<Cell>) -> Result<Option<Place>, Error> {
        if !csv_file::next_into(&self.path, &mut self.reader, &mut self.row)? {
            return Ok(None);
        }
        cells.clear();
        cells.extend(wanted.iter().map(|&column| match self.row.get(column) {
            None | Some("") => Cell::Absent,
            Some(text) => Cell::Text(text.to_owned()),
        }));
        Ok(Some(Place::Line(csv_file::line(&self.row))))
    }

    fn notes(&self) -> Vec<String> {
        let data = self.columns.iter().filter(|name| name.parse::<f64>().is_ok() || name.len() > 60).count();
        if data > 0 {
            vec!["The first row looks like data: it was taken for the names of the columns.".to_owned()]
        } else {
            vec![]
        }
    }
}
