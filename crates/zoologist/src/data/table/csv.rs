//! CSV and TSV tables. The first row names the columns, unless it is said not to; cells are texts.

use std::path::{Path, PathBuf};

use csv::StringRecord;

use super::cell::{Cell, Place, TableReader};
use crate::data::{Error, csv_file};

/// A table that is being read.
pub(super) struct Csv {
    path: PathBuf,
    reader: csv_file::Rows,
    columns: Vec<String>,
    row: StringRecord,
    /// Whether `row`, the first, is data and still to be handed out.
    waiting: bool,
    heading: bool,
}

impl Csv {
    /// Opens a table; without `heading` its columns are called 0, 1 and so on.
    pub fn open(path: &Path, delimiter: u8, heading: bool) -> Result<Self, Error> {
        let mut reader = csv_file::open_untrimmed(path, delimiter)?;
        let mut row = StringRecord::new();
        if !csv_file::next_into(path, &mut reader, &mut row)? {
            let problem = "holds no rows. Give a table with a row of column names".into();
            return Err(Error::Malformed { path: path.to_path_buf(), problem });
        }
        let columns = if heading {
            row.iter().map(|name| name.trim().trim_start_matches('\u{feff}').to_owned()).collect()
        } else {
            (0..row.len()).map(|place| place.to_string()).collect()
        };
        Ok(Self { path: path.to_path_buf(), reader, columns, row, waiting: !heading, heading })
    }
}

impl TableReader for Csv {
    fn columns(&self) -> &[String] {
        &self.columns
    }

    fn next(&mut self, wanted: &[usize], cells: &mut Vec<Cell>) -> Result<Option<Place>, Error> {
        let waiting = std::mem::take(&mut self.waiting);
        if !waiting && !csv_file::next_into(&self.path, &mut self.reader, &mut self.row)? {
            return Ok(None);
        }
        cells.clear();
        cells.extend(wanted.iter().map(|&column| match self.row.get(column) {
            None | Some("") => Cell::Absent,
            Some(text) => Cell::Text(text.to_owned()),
        }));
        Ok(Some(Place::Line(csv_file::line(&self.row))))
    }

    fn has_heading(&self) -> bool {
        self.heading
    }
}
