//! JSONL tables: one object a line. The columns are the fields of the first object, and of later ones.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::cell::{Cell, Place, TableReader};
use crate::data::Error;
use crate::data::files::open_regular;

/// The longest line, in bytes.
const LONGEST_LINE: u64 = 64 << 20;
/// Lines whose fields make the columns.
const LOOKED_AT: usize = 100;

/// A table that is being read.
pub(super) struct Jsonl {
    path: PathBuf,
    reader: BufReader<File>,
    columns: Vec<String>,
    line: u64,
    buffer: Vec<u8>,
}

impl Jsonl {
    pub fn open(path: &Path) -> Result<Self, Error> {
        let mut table = Self::at_start(path, vec![])?;
        let mut columns: Vec<String> = vec![];
        for _ in 0..LOOKED_AT {
            let Some(object) = table.object()? else { break };
            let new: Vec<String> = object.keys().filter(|name| !columns.contains(name)).cloned().collect();
            columns.extend(new);
        }
        if columns.is_empty() {
            return Err(Error::Malformed { path: path.to_path_buf(), problem: "holds no JSON objects".into() });
        }
        Self::at_start(path, columns)
    }

    fn at_start(path: &Path, columns: Vec<String>) -> Result<Self, Error> {
        let (file, _) = open_regular(path)?;
        Ok(Self { path: path.to_path_buf(), reader: BufReader::new(file), columns, line: 0, buffer: vec![] })
    }

    /// The next line that is not blank.
    fn object(&mut self) -> Result<Option<Map<String, Value>>, Error> {
        loop {
            self.buffer.clear();
            let mut limited = self.reader.by_ref().take(LONGEST_LINE);
            if limited.read_until(b'\n', &mut self.buffer).map_err(Error::reading(&self.path))? == 0 {
                return Ok(None);
            }
            self.line += 1;
            let refuse = |problem: String| Error::at_line(&self.path, self.line, problem);
            if self.buffer.len() as u64 == LONGEST_LINE {
                return Err(refuse("is longer than 64 MiB. Is this one JSON object a line?".into()));
            }
            let text = std::str::from_utf8(&self.buffer).map_err(|_| refuse(Error::NOT_UTF8.into()))?;
            let text = text.trim_start_matches('\u{feff}').trim();
            if text.is_empty() {
                continue;
            }
            return match serde_json::from_str(text) {
                Ok(Value::Object(object)) => Ok(Some(object)),
                Ok(_) => Err(refuse("is not a JSON object".into())),
                Err(error) => Err(refuse(format!("is not a JSON object ({error})"))),
            };
        }
    }
}

impl TableReader for Jsonl {
    fn columns(&self) -> &[String] {
        &self.columns
    }

    fn next(&mut self, wanted: &[usize], cells: &mut Vec<Cell>) -> Result<Option<Place>, Error> {
        let Some(mut object) = self.object()? else { return Ok(None) };
        cells.clear();
        cells.extend(wanted.iter().map(|&column| object.remove(&self.columns[column]).map_or(Cell::Absent, cell)));
        Ok(Some(Place::Line(self.line)))
    }
}

fn cell(value: Value) -> Cell {
    match value {
        Value::Null => Cell::Absent,
        Value::Bool(value) => Cell::Integer(i64::from(value)),
        Value::Number(number) => {
            number.as_i64().map_or_else(|| Cell::Number(number.as_f64().unwrap_or(f64::NAN)), Cell::Integer)
        }
        Value::String(text) => Cell::Text(text),
        Value::Array(list) => Cell::List(list.into_iter().map(cell).collect()),
        Value::Object(_) => Cell::Other("an object"),
    }
}
