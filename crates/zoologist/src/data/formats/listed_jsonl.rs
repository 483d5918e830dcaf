//! A folder with `metadata.jsonl`: one JSON object a line, with `file_name` and `label`, and `split` where there is one.

use std::fmt;
use std::path::Path;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;

use super::Format;
use super::listed::{Columns, Row, dataset};
use crate::data::{Dataset, Error, text_lines};

const TABLE: &str = "metadata.jsonl";

pub(super) const METADATA: Format = Format { recognises: |path| path.join(TABLE).exists(), open };

/// A JSON object that keeps a field that stands twice, so that it can be refused.
struct Fields(Vec<(String, Value)>);

fn open(path: &Path) -> Result<Dataset, Error> {
    let table = path.join(TABLE);
    let lines = text_lines::read(&table)?;
    let rows = lines.iter().zip(1..).map(|(text, line)| row(&table, line, text));
    dataset(path, TABLE, rows.collect::<Result<_, _>>()?)
}

fn row(table: &Path, line: u64, text: &str) -> Result<Row, Error> {
    let unclear = |error| Error::at_line(table, line, format!("is not a JSON object ({error})"));
    let Fields(fields) = serde_json::from_str(text).map_err(unclear)?;
    let columns = Columns::find(table, line, fields.iter().map(|(name, _)| name.as_str()))?;
    let cell = |column: usize| {
        let (name, value) = &fields[column];
        in_text(value).ok_or_else(|| Error::at_line(table, line, format!("{name} is neither text nor a number")))
    };
    Ok(Row {
        line,
        file: cell(columns.file)?,
        label: cell(columns.label)?,
        split: columns.split.map(cell).transpose()?,
    })
}

/// A single value as a CSV file would hold it.
fn in_text(value: &Value) -> Option<String> {
    match value {
        Value::Null => Some(String::new()),
        Value::Bool(value) => Some(value.to_string()),
        Value::Number(value) => Some(value.to_string()),
        Value::String(value) => Some(value.clone()),
        Value::Array(_) | Value::Object(_) => None,
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

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
        let mut fields = Vec::new();
        while let Some(field) = map.next_entry()? {
            fields.push(field);
        }
        Ok(Fields(fields))
    }
}
