//! Cells of a table, where they stand, and a first look at its columns.

use std::fmt;
use std::path::Path;

use crate::base::path_text::escape;
use crate::data::Error;

/// Rows that are looked at to learn what the columns hold.
const LOOKED_AT: usize = 200;

/// One cell.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::data) enum Cell {
    /// Nothing: null, or an empty cell of a CSV file.
    Absent,
    /// A text. Cells of CSV files are texts whatever they say.
    Text(String),
    /// A whole number or a truth value.
    Integer(i64),
    /// Another number.
    Number(f64),
    /// Several values.
    List(Vec<Cell>),
    /// Something that can't be used, in words.
    Other(&'static str),
}

/// Where a row stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::data) enum Place {
    /// A line, from 1.
    Line(u64),
    /// A row, from 0.
    Row(u64),
}

/// A table that is read from its first row to its last.
pub(in crate::data) trait TableReader {
    /// The names of the columns.
    fn columns(&self) -> &[String];
    /// The cells of these columns in the next row, and where it stands; `None` at the end.
    fn next(&mut self, wanted: &[usize], cells: &mut Vec<Cell>) -> Result<Option<Place>, Error>;
    /// What is odd about the table, in sentences.
    fn notes(&self) -> Vec<String> {
        vec![]
    }
}

/// What the first rows of a table look like.
pub(in crate::data) struct Sniffed {
    /// One entry per column.
    pub columns: Vec<Column>,
    /// What is odd about the table, in sentences.
    pub notes: Vec<String>,
}

/// What the first cells of a column look like.
#[derive(Debug, Clone, Default)]
pub(in crate::data) struct Column {
    pub name: String,
    /// Cells that are texts and not numbers.
    pub words: usize,
    /// Cells that are whole numbers, as text or not.
    pub integers: usize,
    /// Cells that are other numbers.
    pub fractions: usize,
    pub lists: usize,
    /// Mean length of the texts, in bytes.
    pub length: f64,
    /// How many different texts there are, as a share of all cells.
    pub distinct: f64,
    /// Cells that end like names of pictures.
    pub pictures: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, into: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(line) => write!(into, "line {line}"),
            Self::Row(row) => write!(into, "row {row} (counted from 0)"),
        }
    }
}

impl Place {
    /// What is wrong there.
    pub fn error(self, table: &Path, problem: impl Into<String>) -> Error {
        match self {
            Self::Line(line) => Error::at_line(table, line, problem),
            Self::Row(_) => {
                Error::Malformed { path: table.to_path_buf(), problem: format!("{self} {}", problem.into()) }
            }
        }
    }
}

impl Cell {
    /// The text of a cell that is one.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Whether there is nothing in it.
    pub fn is_missing(&self) -> bool {
        match self {
            Self::Absent => true,
            Self::Text(text) => text.trim().is_empty(),
            _ => false,
        }
    }

    /// What it is, in words.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Absent => "nothing",
            Self::Text(_) => "a text",
            Self::Integer(_) | Self::Number(_) => "a number",
            Self::List(_) => "a list",
            Self::Other(what) => what,
        }
    }

    /// The number that it is or says.
    pub fn number(&self) -> Option<f64> {
        match self {
            Self::Integer(value) => Some(*value as f64),
            Self::Number(value) => Some(*value),
            Self::Text(text) => text.trim().parse().ok(),
            _ => None,
        }
    }

    /// A single value as a label.
    pub fn label(&self) -> Option<String> {
        match self {
            Self::Text(text) => Some(text.trim().to_owned()),
            Self::Integer(value) => Some(value.to_string()),
            Self::Number(value) => Some(value.to_string()),
            Self::Absent | Self::List(_) | Self::Other(_) => None,
        }
    }
}

impl Sniffed {
    /// Reads the first rows.
    pub fn of(path: &Path, mut reader: Box<dyn TableReader>) -> Result<Self, Error> {
        let names = reader.columns().to_vec();
        let mut columns: Vec<Column> =
            names.iter().map(|name| Column { name: name.clone(), ..Column::default() }).collect();
        if let Some(double) = names.iter().enumerate().find(|(place, name)| names[..*place].contains(name)) {
            let problem = format!("has the column \"{}\" twice. Rename one of them", escape(double.1));
            return Err(Error::at_line(path, 1, problem));
        }
        let all: Vec<usize> = (0..names.len()).collect();
        let mut seen: Vec<Vec<Cell>> = vec![vec![]; names.len()];
        let mut cells = vec![];
        for _ in 0..LOOKED_AT {
            if reader.next(&all, &mut cells)?.is_none() {
                break;
            }
            seen.iter_mut().zip(&cells).for_each(|(seen, cell)| seen.push(cell.clone()));
        }
        columns.iter_mut().zip(seen).for_each(|(column, cells)| column.learn(&cells));
        Ok(Self { columns, notes: reader.notes() })
    }

    /// The columns and their kinds, for messages.
    pub fn in_words(&self) -> String {
        let column = |column: &Column| format!("{} ({})", escape(&column.name), column.kind());
        self.columns.iter().take(12).map(column).collect::<Vec<_>>().join(", ")
    }
}

impl Column {
    fn learn(&mut self, cells: &[Cell]) {
        const PICTURES: [&str; 8] = [".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"];
        let (mut length, mut texts) = (0, vec![]);
        for cell in cells {
            match cell {
                Cell::List(_) => self.lists += 1,
                cell if cell.is_missing() => {}
                cell => match cell.number() {
                    Some(number) if number.fract() == 0.0 => self.integers += 1,
                    Some(_) => self.fractions += 1,
                    None => self.words += usize::from(cell.text().is_some()),
                },
            }
            if let Some(text) = cell.text() {
                length += text.len();
                let lower = text.trim().to_ascii_lowercase();
                self.pictures += usize::from(PICTURES.iter().any(|end| lower.ends_with(end)));
                texts.push(text);
            }
        }
        let count = texts.len().max(1) as f64;
        self.length = length as f64 / count;
        texts.sort_unstable();
        texts.dedup();
        self.distinct = texts.len() as f64 / count;
    }

    /// What most of its cells are, in words.
    pub fn kind(&self) -> &'static str {
        if self.lists > 0 {
            "lists"
        } else if self.words > 0 {
            "text"
        } else if self.fractions > 0 {
            "numbers"
        } else if self.integers > 0 {
            "whole numbers"
        } else {
            "empty"
        }
    }
}
