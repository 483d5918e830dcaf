//! A CSV table with a line of column names, and what its cells mean.

use std::path::{Path, PathBuf};

use csv::StringRecord;

use crate::base::path_text::{escape, show};
use crate::data::{Error, csv_file};

/// What stands where there is no value.
const MISSING: [&str; 9] = ["", "na", "n/a", "nan", "-", "–", "—", "none", "null"];

/// A table: column names and rows.
pub(super) struct Table {
    pub path: PathBuf,
    pub columns: Vec<String>,
    pub rows: Vec<StringRecord>,
}

/// The names that a column of some meaning may have, the first being the proper one.
pub(super) type Role = [&'static str];

pub(super) const MODEL: &Role = &["model", "model_name"];
pub(super) const DATASET: &Role = &["dataset", "data", "data_set", "target"];
pub(super) const TRUTH: &Role = &["accuracy", "truth", "true_accuracy", "acc", "finetune_accuracy"];
pub(super) const SIZE: &Role = &["size", "params", "parameters", "flops", "multiply_adds"];

impl Table {
    /// Reads a table; cells are separated by commas, or by semicolons or tabs where the first line has no comma.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let mut rows = read_rows(path, b',')?;
        for (delimiter, sign) in [(b';', ';'), (b'\t', '\t')] {
            let one_cell = rows.first().filter(|row| row.len() == 1);
            if one_cell.is_some_and(|row| row[0].contains(sign)) {
                rows = read_rows(path, delimiter)?;
            }
        }
        if rows.len() < 2 {
            let problem = "is empty: it needs a line of column names, and lines of results below it".into();
            return Err(Error::Malformed { path: path.to_path_buf(), problem });
        }
        let columns = rows.remove(0).iter().map(str::to_owned).collect();
        Ok(Self { path: path.to_path_buf(), columns, rows })
    }

    /// The column of that meaning. Two of them are refused unless the first may be `preferred`.
    pub fn column(&self, role: &Role, meaning: &str, preferred: bool) -> Result<Option<usize>, Error> {
        let places: Vec<usize> = role
            .iter()
            .flat_map(|name| (0..self.columns.len()).filter(|&at| plain(&self.columns[at]) == *name))
            .collect();
        if let (false, [first, second, ..]) = (preferred, places.as_slice()) {
            let (first, second) = (escape(&self.columns[*first]), escape(&self.columns[*second]));
            return Err(
                self.malformed(format!("has two columns that may be {meaning}: {first} and {second}. Rename one"))
            );
        }
        Ok(places.first().copied())
    }

    /// The name in a cell.
    pub fn name(&self, row: usize, column: usize) -> Result<&str, Error> {
        let name = &self.rows[row][column];
        if name.is_empty() {
            let column = escape(&self.columns[column]);
            return Err(self.at(row, format!("has nothing in the column {column}. Fill the cell or drop the line")));
        }
        Ok(name)
    }

    /// The number in a cell, `None` where it is missing.
    pub fn number(&self, row: usize, column: usize) -> Result<Option<f64>, Error> {
        let cell = &self.rows[row][column];
        match parse(cell) {
            Cell::Missing => Ok(None),
            Cell::Number(number) if number.is_finite() => Ok(Some(number)),
            Cell::Number(_) | Cell::Text => {
                let (cell, column) = (escape(cell), escape(&self.columns[column]));
                Err(self.at(row, format!("has \"{cell}\" in the column {column}, where a finite number is needed")))
            }
        }
    }

    /// Whether a column holds a number anywhere.
    pub fn has_number(&self, column: usize) -> bool {
        self.rows.iter().any(|row| matches!(parse(&row[column]), Cell::Number(_)))
    }

    /// What is wrong with a row, named by its line.
    pub fn at(&self, row: usize, problem: impl Into<String>) -> Error {
        Error::at_line(&self.path, self.line(row), problem)
    }

    pub fn line(&self, row: usize) -> u64 {
        csv_file::line(&self.rows[row])
    }

    pub fn malformed(&self, problem: String) -> Error {
        Error::Malformed { path: self.path.clone(), problem }
    }

    pub fn shown(&self) -> String {
        show(&self.path)
    }
}

fn read_rows(path: &Path, delimiter: u8) -> Result<Vec<StringRecord>, Error> {
    let mut reader = csv_file::open_separated(path, delimiter)?;
    let mut rows = Vec::new();
    while let Some(row) = csv_file::next(path, &mut reader)? {
        rows.push(row);
    }
    Ok(rows)
}

enum Cell {
    Missing,
    Number(f64),
    Text,
}

fn parse(cell: &str) -> Cell {
    if MISSING.contains(&cell.to_lowercase().as_str()) {
        return Cell::Missing;
    }
    let number = cell.strip_suffix('%').unwrap_or(cell).trim_end();
    number.parse().map_or(Cell::Text, Cell::Number)
}

/// A column's name as it is compared: lower case, with _ between words.
pub(super) fn plain(name: &str) -> String {
    name.to_lowercase().replace([' ', '-'], "_")
}
