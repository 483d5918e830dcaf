//! From cells of labels to targets, row by row.

use std::path::Path;

use super::cell::{Cell, Place};
use super::roles::Roles;
use super::sniff::Sniffed;
use crate::base::path_text::escape;
use crate::base::{Interned, Targets, Task};
use crate::data::Error;
use crate::data::labels::detect::Raw;

/// More different whole numbers than that, and than a tenth of the rows, are numbers to predict.
const MANY_CLASSES: usize = 50;

/// The most values, rows times labels, that lists of labels may become.
const MOST_VALUES: usize = 1 << 27;

/// The labels that were read so far.
pub(super) struct Collector {
    found: Found,
    /// What a single value must be, as the first one was; unset where any will do.
    kind: Option<&'static str>,
    /// Whether names and numbers may stand side by side.
    any_kind: bool,
    /// Whether the columns hold nothing but numbers, as far as the first rows tell.
    numeric: bool,
}

enum Found {
    /// No labels are wanted.
    None,
    /// One name or number per row, in a column of that name.
    Texts { column: String, texts: Interned },
    /// Numbers, row after row, perhaps of 0 and 1 only.
    Numbers { names: Vec<String>, values: Vec<f64>, yes_or_no: bool },
    /// Several names per row: the names, and where each row's end.
    Lists { names: Interned, ends: Vec<usize> },
}

impl Collector {
    /// A collector for the columns of labels, by what they look like and what they are for. `guessed`: nobody named them.
    pub fn new(roles: &Roles, table: &Sniffed, task: Option<Task>, guessed: bool) -> Self {
        let column = |place: usize| &table.columns[place];
        let names: Vec<String> = roles.labels.iter().map(|&place| column(place).name.clone()).collect();
        let numbers = |yes_or_no| Found::Numbers { names: names.clone(), values: vec![], yes_or_no };
        let found = match (&roles.labels[..], task) {
            ([], _) => Found::None,
            ([only], _) if column(*only).lists > 0 => Found::Lists { names: Interned::default(), ends: vec![] },
            (_, Some(Task::Multilabel)) => numbers(true),
            ([_], Some(Task::Regression)) => numbers(false),
            ([only], None) if column(*only).fractions > 0 && column(*only).words == 0 => numbers(false),
            ([_], _) => Found::Texts { column: names.concat(), texts: Interned::default() },
            _ => numbers(guessed && task.is_none()),
        };
        let numeric = roles.labels.iter().all(|&place| column(place).is_numbers());
        Self { found, kind: None, any_kind: task.is_some(), numeric }
    }

    /// Whether a number is missing: NaN or infinity stands in its place.
    pub fn lacks_a_number(&self, cells: &[Cell]) -> bool {
        self.numeric && cells.iter().any(Cell::is_not_finite)
    }

    /// Takes in the labels of a row.
    pub fn take(&mut self, table: &Path, place: &Place, cells: &[Cell]) -> Result<(), Error> {
        let Self { found, kind, any_kind, .. } = self;
        let mut name = |cell: &Cell| {
            let label = cell.label().ok_or_else(|| mixed(table, *place, cell, "a label"))?;
            let first = *kind.get_or_insert(cell.kind());
            if first == cell.kind() || *any_kind { Ok(label) } else { Err(of_two_kinds(table, *place, cell, first)) }
        };
        match found {
            Found::None => {}
            Found::Texts { texts, .. } => texts.push(&name(&cells[0])?),
            Found::Numbers { values, yes_or_no, .. } => {
                for cell in cells {
                    values.push(number(table, *place, cell, *yes_or_no)?);
                }
            }
            Found::Lists { names, ends } => {
                let Cell::List(list) = &cells[0] else {
                    return Err(mixed(table, *place, &cells[0], "a list of labels"));
                };
                for cell in list {
                    names.push(&name(cell)?);
                }
                ends.push(names.index().len());
            }
        }
        Ok(())
    }

    /// The targets.
    pub fn targets(self, path: &Path, task: Option<Task>, notes: &mut Vec<String>) -> Result<Targets, Error> {
        let raw = match self.found {
            Found::None => Raw::Texts(Interned::default()),
            Found::Texts { column, texts } => numbers_or_names(column, texts, task, notes),
            Found::Numbers { names, values, .. } => Raw::Numbers { names, values },
            Found::Lists { names, ends } => yes_or_no(&names, &ends).ok_or_else(|| Error::TooLarge(path.to_owned()))?,
        };
        raw.targets(path, task)
    }
}

/// Fractions, and very many different whole numbers, are numbers to predict, unless they were asked for as classes.
fn numbers_or_names(column: String, texts: Interned, task: Option<Task>, notes: &mut Vec<String>) -> Raw {
    let parsed: Option<Vec<f64>> =
        texts.names().iter().map(|name| name.parse().ok().filter(|x: &f64| x.is_finite())).collect();
    let (count, rows) = (texts.names().len(), texts.index().len());
    let Some(numbers) = parsed.filter(|_| task.is_none()) else { return Raw::Texts(texts) };
    let whole = numbers.iter().all(|number| number.fract() == 0.0);
    if whole && count <= MANY_CLASSES.max(rows / 10) {
        return Raw::Texts(texts);
    }
    if whole {
        notes.push(format!(
            "{count} different whole numbers are taken as numbers to predict (regression); --task classification takes \
             them as classes."
        ));
    }
    let values = texts.index().iter().map(|&place| numbers[place as usize]).collect();
    Raw::Numbers { names: vec![column], values }
}

fn number(table: &Path, place: Place, cell: &Cell, yes_or_no: bool) -> Result<f64, Error> {
    let wanted = if yes_or_no { "0 or 1" } else { "a number" };
    let fits = |number: &f64| if yes_or_no { matches!(*number, 0.0 | 1.0) } else { number.is_finite() };
    cell.number().filter(fits).ok_or_else(|| mixed(table, place, cell, wanted))
}

/// A column of 0 and 1 for each name that occurs, in the order of the names; `None` if these are too many for so many
/// rows.
fn yes_or_no(found: &Interned, ends: &[usize]) -> Option<Raw> {
    let mut names: Vec<String> = found.names().to_vec();
    names.sort();
    let column: Vec<usize> = found.names().iter().map(|name| names.binary_search(name).unwrap_or_default()).collect();
    let count = names.len().checked_mul(ends.len()).filter(|count| *count <= MOST_VALUES)?;
    let mut values = vec![0.0; count];
    let mut start = 0;
    for (row, &end) in ends.iter().enumerate() {
        for &name in &found.index()[start..end] {
            values[row * names.len() + column[name as usize]] = 1.0;
        }
        start = end;
    }
    Some(Raw::Numbers { names, values })
}

fn of_two_kinds(table: &Path, place: Place, cell: &Cell, first: &str) -> Error {
    let shown = shown(cell);
    let problem =
        format!("has {shown} as a label where the first label is {first}. Mend it; --task classification takes");
    place.error(table, format!("{problem} all labels as names"))
}

fn mixed(table: &Path, place: Place, cell: &Cell, wanted: &str) -> Error {
    let shown = shown(cell);
    place.error(
        table,
        format!("has {shown} where {wanted} is needed. Mend the row, or choose another --label or --task"),
    )
}

/// A cell, cut to what fits a message.
fn shown(cell: &Cell) -> String {
    match cell {
        Cell::Text(text) => {
            format!("\"{}\"", text.chars().take(40).map(|c| escape(&c.to_string())).collect::<String>())
        }
        Cell::Integer(number) => format!("the number {number}"),
        Cell::Number(number) => format!("the number {number}"),
        other => other.kind().to_owned(),
    }
}
