//! Whether the first row of a CSV table names its columns, or is data of which one sample would be lost.

use std::path::Path;

use super::TableOptions;
use super::roles::is_known;
use super::sniff::{Column, Sniffed};
use crate::base::path_text::escape;
use crate::data::Error;

/// Words that a name of a column has at most.
const WORDS: usize = 3;
/// Bytes of it that a message shows.
const SHOWN: usize = 40;

/// Refuses a table whose first row is data for certain, and remarks on one whose first row may be.
pub(super) fn check(path: &Path, table: &Sniffed, options: &TableOptions) -> Result<Option<String>, Error> {
    if !table.heading || table.rows == 0 || names_are_sure(table, options) {
        return Ok(None);
    }
    let like_data = |column: &&Column| is_number(column) || is_value(column) || is_sentence(column);
    let Some(first) = table.columns.iter().find(like_data) else { return Ok(None) };
    let name: String = escape(&first.name).chars().take(SHOWN).collect();
    let has = |sign: fn(&Column) -> bool| table.columns.iter().any(sign);
    if has(is_number) && !are_places(table) || has(is_value) && has(is_sentence) {
        let problem = format!(
            "is data, not names of columns (\"{name}\"), and would be lost. Give --no-header, with the columns by \
             number (--text 0 --label 1), or add a row of names"
        );
        return Err(Error::at_line(path, 1, problem));
    }
    Ok(Some(format!(
        "The first row looks like data (\"{name}\"): it was taken for the names of the columns. If it is data, give \
         --no-header."
    )))
}

/// A number above numbers.
fn is_number(column: &Column) -> bool {
    column.is_numbers() && column.name.parse::<f64>().is_ok()
}

/// One of the values that stand below it.
fn is_value(column: &Column) -> bool {
    !column.name.is_empty() && column.values.contains(&column.name)
}

/// A name of many words above texts.
fn is_sentence(column: &Column) -> bool {
    column.words > 0 && column.name.split_whitespace().count() > WORDS
}

/// Whether a column was asked for by its name, or has a name that tells its role and stands nowhere below it.
fn names_are_sure(table: &Sniffed, options: &TableOptions) -> bool {
    let asked = options.text.iter().chain(&options.label).chain(&options.split);
    let mut asked = asked.filter(|name| name.parse::<f64>().is_err());
    let known =
        |column: &Column| !column.name.is_empty() && is_known(&column.name) && !column.values.contains(&column.name);
    asked.any(|name| table.columns.iter().any(|column| column.name == *name)) || table.columns.iter().any(known)
}

/// Whether the names are numbers from 0 on, as pandas writes them for columns without names.
fn are_places(table: &Sniffed) -> bool {
    let names = table.columns.iter().map(|column| column.name.as_str()).filter(|name| !name.is_empty());
    names.enumerate().all(|(place, name)| name == place.to_string())
}
