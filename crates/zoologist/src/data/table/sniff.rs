//! A first look at a table: what its columns hold, as far as the first rows tell.

use std::collections::BTreeSet;
use std::path::Path;

use super::cell::{Cell, TableReader};
use crate::base::path_text::escape;
use crate::data::Error;

/// Rows that are looked at, and cells: a table of very many columns shows fewer rows.
const ROWS: usize = 200;
const CELLS: usize = 1 << 20;
/// Bytes of a text by which it is told from others.
const TOLD_APART: usize = 100;
/// Columns that a message names.
const SHOWN: usize = 12;

/// What the first rows of a table look like.
pub(super) struct Sniffed {
    /// One entry per column.
    pub columns: Vec<Column>,
    /// Whether the names of the columns stand in a first row, that may as well be data.
    pub heading: bool,
    /// How many rows were looked at.
    pub rows: usize,
}

/// What the first cells of a column look like.
#[derive(Debug, Clone, Default)]
pub(super) struct Column {
    pub name: String,
    /// Cells that are texts and not numbers.
    pub words: usize,
    /// Cells that are whole numbers, as text or not.
    pub integers: usize,
    /// Cells that are other numbers.
    pub fractions: usize,
    pub lists: usize,
    /// Cells that end like names of pictures.
    pub pictures: usize,
    /// Cells that are texts, numbers or not.
    texts: usize,
    /// Length of the texts, in bytes.
    bytes: usize,
    /// The different single values, long ones cut.
    pub values: BTreeSet<String>,
}

impl Sniffed {
    /// Reads the first rows.
    pub fn of(mut reader: Box<dyn TableReader>) -> Result<Self, Error> {
        let named = |name: &String| Column { name: name.clone(), ..Column::default() };
        let mut columns: Vec<Column> = reader.columns().iter().map(named).collect();
        let all: Vec<usize> = (0..columns.len()).collect();
        let (mut rows, mut cells) = (0, vec![]);
        while rows < ROWS && rows * columns.len() < CELLS && reader.next(&all, &mut cells)?.is_some() {
            columns.iter_mut().zip(&cells).for_each(|(column, cell)| column.learn(cell));
            rows += 1;
        }
        Ok(Self { columns, heading: reader.has_heading(), rows })
    }

    /// Refuses a table with two columns of one name.
    pub fn check_names(&self, path: &Path) -> Result<(), Error> {
        let mut seen = BTreeSet::new();
        match self.columns.iter().find(|column| !seen.insert(&column.name)) {
            None => Ok(()),
            Some(double) => {
                let problem = format!("has the column \"{}\" twice. Rename one of them", escape(&double.name));
                Err(Error::Malformed { path: path.to_path_buf(), problem })
            }
        }
    }

    /// The columns and their kinds, for messages.
    pub fn in_words(&self) -> String {
        let column = |column: &Column| format!("{} ({})", escape(&column.name), column.kind());
        let mut columns: Vec<String> = self.columns.iter().take(SHOWN).map(column).collect();
        if self.columns.len() > SHOWN {
            columns.push(format!("and {} more", self.columns.len() - SHOWN));
        }
        columns.join(", ")
    }
}

impl Column {
    fn learn(&mut self, cell: &Cell) {
        match cell {
            Cell::List(_) => self.lists += 1,
            // Among words it is one; among numbers it is how NumPy writes that there is none.
            cell if cell.is_missing() || cell.is_not_finite() => {}
            cell => match cell.number() {
                Some(number) if number.fract() == 0.0 => self.integers += 1,
                Some(_) => self.fractions += 1,
                None => self.words += usize::from(cell.text().is_some()),
            },
        }
        if let Some(text) = cell.text() {
            self.texts += 1;
            self.bytes += text.len();
            self.pictures += usize::from(names_a_picture(text));
        }
        if let Some(value) = cell.short_label(TOLD_APART) {
            self.values.insert(value);
        }
    }

    /// Mean length of the texts, in bytes.
    pub fn length(&self) -> f64 {
        self.bytes as f64 / self.texts.max(1) as f64
    }

    /// How many different texts there are, as a share of all.
    pub fn distinct(&self) -> f64 {
        self.values.len() as f64 / self.texts.max(1) as f64
    }

    /// Whether there are numbers and nothing else.
    pub fn is_numbers(&self) -> bool {
        self.integers + self.fractions > 0 && self.words == 0 && self.lists == 0
    }

    /// Whether there are 0 and 1 and nothing else.
    pub fn is_yes_or_no(&self) -> bool {
        let is_one = |value: &String| value.is_empty() || matches!(value.parse(), Ok(0.0 | 1.0));
        self.is_numbers() && self.values.iter().all(is_one)
    }

    /// Whether most of its texts end like names of pictures.
    pub fn is_pictures(&self) -> bool {
        self.pictures * 2 > self.words
    }

    /// What its cells are, in words.
    pub fn kind(&self) -> &'static str {
        if self.lists > 0 {
            "lists"
        } else if self.is_pictures() {
            "paths of pictures"
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

fn names_a_picture(text: &str) -> bool {
    const ENDS: [&str; 8] = [".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"];
    let text = text.trim().as_bytes();
    let ends_in =
        |end: &str| text.len() >= end.len() && text[text.len() - end.len()..].eq_ignore_ascii_case(end.as_bytes());
    ENDS.into_iter().any(ends_in)
}
