//! JSONL tables: one object a line. The columns are the fields of the first object, and of later ones.

use std::cell::Cell as Counter;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::cell::{Cell, Place, TableReader};
use crate::data::Error;
use crate::data::files::{LONGEST_RECORD, MOST_COLUMNS, open_regular, read_line, too_long};

/// Lines whose fields make the columns.
const LOOKED_AT: usize = 100;
/// The most values that a line may hold, fields and what stands in their lists: as many labels as anybody has, and not
/// what fills the memory.
const MOST_VALUES: usize = 1 << 17;

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
            if columns.len() > MOST_COLUMNS {
                let problem = format!("brings the fields to more than {MOST_COLUMNS}. Give every line the same fields");
                return Err(Error::at_line(path, table.line, problem));
            }
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
            if read_line(&mut self.reader, &mut self.buffer).map_err(Error::reading(&self.path))? == 0 {
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
    if text.is_empty() {
        return Ok(None);
    }
    let mut parser = serde_json::Deserializer::from_str(text);
    let fields = parser.deserialize_map(FieldsVisitor(Room(Counter::new(MOST_VALUES))));
    match fields.and_then(|fields| parser.end().map(|()| fields)) {
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

/// How many more values a line may hold.
struct Room(Counter<usize>);

impl Room {
    /// Makes room for one more.
    fn one<E: serde::de::Error>(&self) -> Result<(), E> {
        let left = self.0.get().checked_sub(1);
        self.0.set(left.ok_or_else(|| E::custom(format!("it holds more than {MOST_VALUES} values")))?);
        Ok(())
    }
}

struct FieldsVisitor(Room);

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Fields;

    fn expecting(&self, into: &mut fmt::Formatter<'_>) -> fmt::Result {
        into.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
        let (mut fields, mut known) = (vec![], HashSet::new());
        while let Some(name) = map.next_key::<String>()? {
            self.0.one()?;
            let cell = map.next_value_seed(CellVisitor { room: &self.0, in_list: false })?;
            if !known.insert(name.clone()) {
                return Err(A::Error::custom(format!("the field \"{}\" stands there twice", name.escape_debug())));
            }
            fields.push((name, cell));
        }
        Ok(Fields(fields))
    }
}

/// Reads a value; a list in a list is no value that can be used.
#[derive(Clone, Copy)]
struct CellVisitor<'r> {
    room: &'r Room,
    in_list: bool,
}

impl<'de> DeserializeSeed<'de> for CellVisitor<'_> {
    type Value = Cell;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Cell, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for CellVisitor<'_> {
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
        while let Some(cell) = list.next_element_seed(Self { in_list: true, ..self })? {
            self.room.one()?;
            cells.push(cell);
        }
        Ok(Cell::List(cells))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Cell, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Cell::Other("an object"))
    }
}
