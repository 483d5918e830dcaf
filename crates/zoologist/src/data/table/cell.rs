//! Cells of a table, and where they stand.

use std::fmt;
use std::path::Path;

use crate::data::Error;

/// One cell.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::data) enum Cell {
    /// Nothing: null, or an empty cell of a CSV file.
    Absent,
    /// A text. Cells of CSV files are texts whatever they say.
    Text(String),
    /// True or false, where the file tells them from 1 and 0.
    Truth(bool),
    /// A whole number.
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
    /// Whether the names stand in a first row of their own, that may as well be data.
    fn has_heading(&self) -> bool {
        false
    }
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

    /// Whether there is nothing in it. NaN is how pandas says so.
    pub fn is_missing(&self) -> bool {
        match self {
            Self::Absent => true,
            Self::Number(number) => number.is_nan(),
            Self::Text(text) => text.trim().is_empty(),
            _ => false,
        }
    }

    /// Whether it is, or says, NaN or infinity.
    pub fn is_not_finite(&self) -> bool {
        self.number().is_some_and(|number| !number.is_finite())
    }

    /// What it is, in words.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Absent => "nothing",
            Self::Text(_) => "a text",
            Self::Truth(_) => "true or false",
            Self::Integer(_) | Self::Number(_) => "a number",
            Self::List(_) => "a list",
            Self::Other(what) => what,
        }
    }

    /// The number that it is or says.
    pub fn number(&self) -> Option<f64> {
        match self {
            Self::Truth(value) => Some(f64::from(u8::from(*value))),
            Self::Integer(value) => Some(*value as f64),
            Self::Number(value) => Some(*value),
            Self::Text(text) => text.trim().parse().ok(),
            _ => None,
        }
    }

    /// The first bytes of a single value, to tell it from others.
    pub fn short_label(&self, most: usize) -> Option<String> {
        match self {
            Self::Text(text) => {
                let text = text.trim();
                Some(text[..text.floor_char_boundary(most)].to_owned())
            }
            other => other.label(),
        }
    }

    /// A single value as a label.
    pub fn label(&self) -> Option<String> {
        match self {
            Self::Text(text) => Some(text.trim().to_owned()),
            Self::Truth(value) => Some(i64::from(*value).to_string()),
            Self::Integer(value) => Some(value.to_string()),
            Self::Number(value) => Some(value.to_string()),
            Self::Absent | Self::List(_) | Self::Other(_) => None,
        }
    }
}
