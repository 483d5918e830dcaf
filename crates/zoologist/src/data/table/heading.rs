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

/// What makes a name look like data.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sign {
    /// A number above numbers.
    Number,
    /// One of the values that stand below it, and not all of these are different.
    Value,
    /// A name of many words.
    Sentence,
}

/// Refuses a table whose first row is data for certain, and remarks on one whose first row may be.
pub(super) fn check(path: &Path, table: &Sniffed, options: &TableOptions) -> Result<Option<String>, Error> {
    if !table.heading || table.rows == 0 || names_are_sure(table, options) {
        return Ok(None);
    }
    let signs: Vec<(Sign, &Column)> = table.columns.iter().filter_map(|column| Some((sign(column)?, column))).collect();
    let has = |wanted| signs.iter().any(|(sign, _)| *sign == wanted);
    let Some((_, first)) = signs.first() else { return Ok(None) };
    let name: String = escape(&first.name).chars().take(SHOWN).collect();
    if has(Sign::Number) && !are_places(table) || has(Sign::Value) && has(Sign::Sentence) {
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

fn sign(column: &Column) -> Option<Sign> {
    let name = column.name.trim();
    if column.is_numbers() && name.parse::<f64>().is_ok() {
        Some(Sign::Number)
    } else if column.values.contains(name) && !name.is_empty() {
        Some(Sign::Value)
    } else if name.split_whitespace().count() > WORDS && column.words > 0 {
        Some(Sign::Sentence)
    } else {
        None
    }
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
