//! JSONL tables: one object a line. The columns are the fields of the first object, and of later ones.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::cell::{Cell, Place, TableReader};
use crate::data::Error;
use crate::data::files::{LONGEST_RECORD, open_regular, too_long};

/// Lines whose fields make the columns.
const LOOKED_AT: usize = 100;
/// The most values that a list may hold: as many labels as anybody has, and not what fills the memory.
const LONGEST_LIST: usize = 100_000;

/// A table that is being read.
pub(super) struct Jsonl {
    path: PathBuf,
    reader: BufReader<File>,
    columns: Vec<String>,
    line: u64,
    buffer: Vec<u8>,
}

/// The fields of a line in their order, none of them twice.
#[derive(Debug, Default)]
struct Fields(Vec<(String, Cell)>);

impl Jsonl {
    pub fn open(path: &Path) -> Result<Self, Error> {
        let mut table = Self::at_start(path, vec![])?;
        let (mut columns, mut known) = (vec![], HashSet::new());
        for _ in 0..LOOKED_AT {
            let Some(Fields(fields)) = table.object()? else { break };
            columns.extend(fields.into_iter().map(|(name, _)| name).filter(|name| known.insert(name.clone())));
        }
        if columns.is_empty() {
            return Err(Error::Malformed {
                path: path.to_path_buf(),
                problem: "holds no rows: no JSON objects".into(),
            });
        }
        Self::at_start(path, columns)
    }

    fn at_start(path: &Path, columns: Vec<String>) -> Result<Self, Error> {
        let (file, _) = open_regular(path)?;
        Ok(Self { path: path.to_path_buf(), reader: BufReader::new(file), columns, line: 0, buffer: vec![] })
    }

    /// The next line that is not blank.
    fn object(&mut self) -> Result<Option<Fields>, Error> {
        loop {
            self.buffer.clear();
            let mut limited = self.reader.by_ref().take(LONGEST_RECORD as u64 + 1);
            if limited.read_until(b'\n', &mut self.buffer).map_err(Error::reading(&self.path))? == 0 {
                return Ok(None);
            }
            self.line += 1;
            if let Some(fields) =
                fields(&self.buffer).map_err(|problem| Error::at_line(&self.path, self.line, problem))?
            {
                return Ok(Some(fields));
            }
        }
    }
}

/// The fields of a line; `None` if it is blank.
fn fields(line: &[u8]) -> Result<Option<Fields>, String> {
    if line.len() > LONGEST_RECORD {
        return Err(format!("{}. Give one JSON object a line, or cut its texts", too_long("a line")));
    }
    let text = std::str::from_utf8(line).map_err(|_| Error::NOT_UTF8)?;
    let text = text.trim_start_matches('\u{feff}').trim();
    match serde_json::from_str(text) {
        _ if text.is_empty() => Ok(None),
        Ok(fields) => Ok(Some(fields)),
        Err(error) => Err(format!("is not a JSON object that can be read ({})", without_place(&error.to_string()))),
    }
}

/// The message of the parser without its own count of lines, which is 1 for every line.
fn without_place(message: &str) -> String {
    message.replace(" at line 1 column ", " at column ")
}

impl TableReader for Jsonl {
    fn columns(&self) -> &[String] {
        &self.columns
    }

    fn next(&mut self, wanted: &[usize], cells: &mut Vec<Cell>) -> Result<Option<Place>, Error> {
        let Some(Fields(fields)) = self.object()? else { return Ok(None) };
        let mut fields: HashMap<String, Cell> = fields.into_iter().collect();
        cells.clear();
        cells.extend(wanted.iter().map(|&column| fields.remove(&self.columns[column]).unwrap_or(Cell::Absent)));
        Ok(Some(Place::Line(self.line)))
    }
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FieldsVisitor)
    }
}

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Fields;

    fn expecting(&self, into: &mut fmt::Formatter<'_>) -> fmt::Result {
        into.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
        let (mut fields, mut known) = (vec![], HashSet::new());
        while let Some((name, cell)) = map.next_entry::<String, Cell>()? {
            if !known.insert(name.clone()) {
                return Err(A::Error::custom(format!("the field \"{}\" stands there twice", name.escape_debug())));
            }
            fields.push((name, cell));
        }
        Ok(Fields(fields))
    }
}

impl<'de> Deserialize<'de> for Cell {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CellVisitor { in_list: false })
    }
}

/// Reads a value; a list in a list is no value that can be used.
struct CellVisitor {
    in_list: bool,
}

impl<'de> DeserializeSeed<'de> for CellVisitor {
    type Value = Cell;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Cell, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for CellVisitor {
    type Value = Cell;

    fn expecting(&self, into: &mut fmt::Formatter<'_>) -> fmt::Result {
        into.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Cell, E> {
        Ok(Cell::Absent)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Cell, E> {
        Ok(Cell::Truth(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Cell, E> {
        Ok(Cell::Integer(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Cell, E> {
        Ok(i64::try_from(value).map_or(Cell::Number(value as f64), Cell::Integer))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Cell, E> {
        Ok(Cell::Number(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Cell, E> {
        Ok(Cell::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Cell, A::Error> {
        let mut cells = vec![];
        if self.in_list {
            while list.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(Cell::Other("a list of lists"));
        }
        while let Some(cell) = list.next_element_seed(Self { in_list: true })? {
            if cells.len() == LONGEST_LIST {
                return Err(A::Error::custom(format!("a list holds more than {LONGEST_LIST} values")));
            }
            cells.push(cell);
        }
        Ok(Cell::List(cells))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Cell, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Cell::Other("an object"))
    }
}
