//! From cells of labels to targets, row by row.

use std::path::Path;

use super::cell::{Cell, Place, Sniffed};
use super::roles::Roles;
use crate::base::path_text::escape;
use crate::base::{Interned, Targets, Task};
use crate::data::Error;
use crate::data::labels::detect::Raw;

/// More different whole numbers than that, and than a tenth of the rows, are numbers to predict.
const MANY_CLASSES: usize = 50;

/// The labels that were read so far.
pub(super) enum Collector {
    /// No labels are wanted.
    None,
    /// One name or number per row.
    Texts(Interned),
    /// Numbers, row after row.
    Numbers { names: Vec<String>, values: Vec<f64> },
    /// Several names per row: the names, and where each row's end.
    Lists { names: Interned, ends: Vec<usize> },
}

impl Collector {
    /// A collector for the columns of labels, by what they look like and what they are for.
    pub fn new(roles: &Roles, table: &Sniffed, task: Option<Task>) -> Self {
        let column = |place: &usize| &table.columns[*place];
        let names = || roles.labels.iter().map(|place| column(place).name.clone()).collect();
        match &roles.labels[..] {
            [] => Self::None,
            [only] if column(only).lists > 0 => Self::Lists { names: Interned::default(), ends: vec![] },
            [only] => {
                let fractions = column(only).fractions > 0 && column(only).words == 0 && task.is_none();
                if fractions || task == Some(Task::Regression) {
                    Self::Numbers { names: names(), values: vec![] }
                } else {
                    Self::Texts(Interned::default())
                }
            }
            _ => Self::Numbers { names: names(), values: vec![] },
        }
    }

    /// Takes in the labels of a row.
    pub fn take(&mut self, table: &Path, place: &Place, cells: &[Cell]) -> Result<(), Error> {
        match self {
            Self::None => {}
            Self::Texts(texts) => {
                let Some(label) = cells[0].label() else {
                    return Err(mixed(table, *place, &cells[0], "a label"));
                };
                texts.push(&label);
            }
            Self::Numbers { values, .. } => {
                for cell in cells {
                    let number = cell.number().filter(|number| number.is_finite());
                    values.push(number.ok_or_else(|| mixed(table, *place, cell, "a number"))?);
                }
            }
            Self::Lists { names, ends } => {
                let Cell::List(list) = &cells[0] else {
                    return Err(mixed(table, *place, &cells[0], "a list of labels, as the rows before have"));
                };
                for cell in list {
                    names.push(&cell.label().ok_or_else(|| mixed(table, *place, cell, "a label"))?);
                }
                ends.push(names.index().len());
            }
        }
        Ok(())
    }

    /// The targets.
    pub fn targets(self, path: &Path, task: Option<Task>, notes: &mut Vec<String>) -> Result<Targets, Error> {
        let raw = match self {
            Self::None => Raw::Texts(Interned::default()),
            Self::Texts(texts) => {
                let whole = || texts.names().iter().all(|name| name.parse::<i64>().is_ok());
                let count = texts.names().len();
                if task.is_none() && count > MANY_CLASSES.max(texts.index().len() / 10) && whole() {
                    notes.push(format!(
                        "{count} different whole numbers are taken as numbers to predict (regression); --task \
                         classification takes them as classes."
                    ));
                    return Raw::Texts(texts).targets(path, Some(Task::Regression));
                }
                Raw::Texts(texts)
            }
            Self::Numbers { names, values } => Raw::Numbers { names, values },
            Self::Lists { names, ends } => yes_or_no(&names, &ends),
        };
        raw.targets(path, task)
    }
}

/// A column of 0 and 1 for each name that occurs, in the order of the names.
fn yes_or_no(found: &Interned, ends: &[usize]) -> Raw {
    let mut names: Vec<String> = found.names().to_vec();
    names.sort();
    let column: Vec<usize> = found.names().iter().map(|name| names.binary_search(name).unwrap_or_default()).collect();
    let mut values = vec![0.0; names.len() * ends.len()];
    let mut start = 0;
    for (row, &end) in ends.iter().enumerate() {
        for &name in &found.index()[start..end] {
            values[row * names.len() + column[name as usize]] = 1.0;
        }
        start = end;
    }
    Raw::Numbers { names, values }
}

fn mixed(table: &Path, place: Place, cell: &Cell, wanted: &str) -> Error {
    let shown: String = match cell {
        Cell::Text(text) => format!("\"{}\"", escape(text).chars().take(40).collect::<String>()),
        other => other.kind().to_owned(),
    };
    place.error(
        table,
        format!("has {shown} where {wanted} is needed. Mend the row, or choose another --label or --task"),
    )
}
