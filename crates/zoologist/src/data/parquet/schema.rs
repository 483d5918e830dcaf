//! What the columns of a Parquet file hold.

use std::path::Path;

use ::parquet::basic::{ConvertedType, LogicalType, Type};
use ::parquet::schema::types::{ColumnDescriptor, SchemaDescriptor};

use crate::base::path_text::escape;
use crate::data::Error;

/// A column whose cells can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Column {
    pub name: String,
    /// Its place among the columns of the file.
    pub leaf: usize,
    pub kind: Kind,
    /// Whether a cell is a list.
    pub list: bool,
    /// The definition level of a value that is not null.
    pub defined: i16,
}

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Bool,
    Signed,
    Unsigned,
    Half,
    Single,
    Double,
    Text,
}

impl Column {
    pub fn is_number(&self) -> bool {
        self.kind != Kind::Text
    }
}

/// The columns that can be used: numbers, texts and lists of them, but no dates, decimals, structs or maps, and no
/// index that pandas wrote.
pub(super) fn columns(schema: &SchemaDescriptor) -> Vec<Column> {
    let root = |leaf: usize| schema.get_column_root_idx(leaf);
    let alone = |leaf: usize| (0..schema.num_columns()).skip(leaf + 1).take(1).all(|next| root(next) != root(leaf));
    let first = |leaf: usize| leaf == 0 || root(leaf - 1) != root(leaf);
    let column = |leaf: usize| {
        let (field, described) = (schema.get_column_root(leaf), schema.column(leaf));
        let (kind, list) = (kind(&described)?, described.max_rep_level() == 1);
        let usable = list || field.is_primitive() && described.max_rep_level() == 0;
        let name = field.name().to_owned();
        let kept = usable && alone(leaf) && first(leaf) && !name.starts_with("__index_level_");
        kept.then(|| Column { name, leaf, kind, list, defined: described.max_def_level() })
    };
    (0..schema.num_columns()).filter_map(column).collect()
}

fn kind(described: &ColumnDescriptor) -> Option<Kind> {
    let logical = described.logical_type_ref();
    let whole = matches!(logical, None | Some(LogicalType::Integer(_)));
    let text = matches!(logical, None | Some(LogicalType::String | LogicalType::Enum));
    match (described.physical_type(), described.converted_type()) {
        (Type::BOOLEAN, _) => Some(Kind::Bool),
        (Type::FLOAT, _) => Some(Kind::Single),
        (Type::DOUBLE, _) => Some(Kind::Double),
        (Type::FIXED_LEN_BYTE_ARRAY, _) if logical == Some(&LogicalType::Float16) => Some(Kind::Half),
        (Type::BYTE_ARRAY, ConvertedType::NONE | ConvertedType::UTF8 | ConvertedType::ENUM) if text => Some(Kind::Text),
        (
            Type::INT32 | Type::INT64,
            ConvertedType::NONE
            | ConvertedType::INT_8
            | ConvertedType::INT_16
            | ConvertedType::INT_32
            | ConvertedType::INT_64,
        ) if whole => Some(Kind::Signed),
        (
            Type::INT32 | Type::INT64,
            ConvertedType::UINT_8 | ConvertedType::UINT_16 | ConvertedType::UINT_32 | ConvertedType::UINT_64,
        ) if whole => Some(Kind::Unsigned),
        _ => None,
    }
}

/// Says that no column is named as expected.
pub(super) fn unclear(path: &Path, columns: &[Column], wanted: &[&str]) -> Error {
    const SHOWN: usize = 8;
    let in_words = |column: &Column| {
        let (list, kind) =
            (if column.list { "lists of " } else { "" }, if column.is_number() { "numbers" } else { "text" });
        format!("{} ({list}{kind})", escape(&column.name))
    };
    let mut found: Vec<String> = columns.iter().take(SHOWN).map(in_words).collect();
    match columns.len() {
        0 => found.push("no columns of numbers or text".into()),
        more if more > SHOWN => found.push("…".into()),
        _ => {}
    }
    Error::WhichArray { path: path.to_path_buf(), found: found.join(", "), wanted: wanted.join(", ") }
}
