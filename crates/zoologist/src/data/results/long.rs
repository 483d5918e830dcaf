//! The long form: a line per model and data set.

use std::collections::HashMap;
use std::path::Path;

use super::table::{DATASET, MODEL, SIZE, TRUTH, Table, plain};
use super::{Names, OfDataset, OfModel, Results, accuracy, some_of};
use crate::base::path_text::escape;
use crate::data::Error;

/// Where things are in the table.
struct Columns {
    model: usize,
    dataset: Option<usize>,
    truth: usize,
    size: Option<usize>,
    scores: Vec<usize>,
}

/// Reads a table with the columns `model`, `dataset` (not needed for one data set), `accuracy`, scores, and perhaps a
/// `size`; other names that are understood are listed in docs/evaluating.md. Of the other columns those named in
/// `wanted` are scores, or, without it, all that hold numbers.
pub fn read(path: &Path, wanted: Option<&[String]>) -> Result<Results, Error> {
    let table = Table::read(path)?;
    let mut notes = Vec::new();
    let columns = columns(&table, wanted, &mut notes)?;
    let (mut models, mut datasets) = (Names::default(), Names::default());
    let mut found: Vec<OfDataset> = Vec::new();
    let mut lines = HashMap::new();
    for row in 0..table.rows.len() {
        let model = models.place(table.name(row, columns.model)?);
        let name = columns.dataset.map_or(Ok(ONLY), |column| table.name(row, column))?;
        let dataset = datasets.place(name);
        if let Some(first) = lines.insert((model, dataset), table.line(row)) {
            let model = escape(&models.names[model]);
            return Err(
                table.at(row, format!("repeats the model {model} on the same data set (line {first}). Keep one"))
            );
        }
        if dataset == found.len() {
            found.push(OfDataset { name: name.to_owned(), models: Vec::new() });
        }
        found[dataset].models.push(entry(&table, &columns, row, model)?);
    }
    let name = |&column: &usize| table.columns[column].clone();
    let mut results = Results {
        models: models.names,
        scores: columns.scores.iter().map(name).collect(),
        size: columns.size.as_ref().map(name),
        datasets: found,
        notes,
    };
    accuracy::to_fractions(&mut results);
    Ok(results)
}

/// What the only data set is called where no column names it.
const ONLY: &str = "all";

fn entry(table: &Table, columns: &Columns, row: usize, model: usize) -> Result<OfModel, Error> {
    let number = |&column: &usize| table.number(row, column);
    Ok(OfModel {
        model,
        accuracy: number(&columns.truth)?,
        scores: columns.scores.iter().map(number).collect::<Result<_, _>>()?,
        size: columns.size.as_ref().map_or(Ok(None), number)?,
    })
}

fn columns(table: &Table, wanted: Option<&[String]>, notes: &mut Vec<String>) -> Result<Columns, Error> {
    let missing = |meaning: &str, names: &[&str]| {
        let names = names.join(", ");
        table.malformed(format!("has no column of {meaning} ({names}). Name it so, or give accuracies with --truth"))
    };
    let model = table.column(MODEL, "the model", false)?.ok_or_else(|| missing("models", MODEL))?;
    let truth = table.column(TRUTH, "the truth", false)?.ok_or_else(|| missing("true accuracies", TRUTH))?;
    let dataset = table.column(DATASET, "the data set", false)?;
    let size = table.column(SIZE, "the size", true)?;
    let taken = [Some(model), Some(truth), dataset, size];
    let free: Vec<usize> = (0..table.columns.len()).filter(|&column| !taken.contains(&Some(column))).collect();
    let scores = match wanted {
        Some(wanted) => chosen(table, wanted)?,
        None => numeric(table, &free, notes),
    };
    if scores.is_empty() {
        return Err(table.malformed("has no column of scores: one with numbers beside the accuracies".into()));
    }
    let name = |column: usize| escape(&table.columns[column]);
    let dataset_name = dataset.map_or_else(|| "none (one data set)".to_owned(), name);
    let score_names: Vec<String> = scores.iter().map(|&column| name(column)).collect();
    let size_name = size.map_or_else(String::new, |size| format!(", size {}", name(size)));
    let (model_name, truth_name, score_names) = (name(model), name(truth), score_names.join(", "));
    let said = format!(
        "columns: models {model_name}, data sets {dataset_name}, truth {truth_name}, scores {score_names}{size_name}"
    );
    notes.insert(0, said);
    Ok(Columns { model, dataset, truth, size, scores })
}

fn chosen(table: &Table, wanted: &[String]) -> Result<Vec<usize>, Error> {
    let find = |name: &String| {
        let place = table.columns.iter().position(|column| column == name);
        place.ok_or_else(|| Error::NoSuchColumn {
            path: table.path.clone(),
            name: escape(name),
            known: table.columns.iter().map(|name| escape(name)).collect::<Vec<_>>().join(", "),
        })
    };
    let mut places: Vec<usize> = wanted.iter().map(find).collect::<Result<_, _>>()?;
    let mut seen = std::collections::HashSet::new();
    places.retain(|&place| seen.insert(place));
    Ok(places)
}

/// The free columns that are scores: those with a name that hold numbers, but no second size.
fn numeric(table: &Table, free: &[usize], notes: &mut Vec<String>) -> Vec<usize> {
    let is_score = |&&column: &&usize| {
        let name = plain(&table.columns[column]);
        table.has_number(column) && !name.is_empty() && !name.starts_with("unnamed:") && !SIZE.contains(&name.as_str())
    };
    let (scores, rest): (Vec<&usize>, Vec<&usize>) = free.iter().partition(is_score);
    let rest: Vec<String> = rest.into_iter().map(|&column| format!("\"{}\"", table.columns[column])).collect();
    notes.extend((!rest.is_empty()).then(|| format!("columns that are no scores: {}", some_of(&rest))));
    scores.into_iter().copied().collect()
}
