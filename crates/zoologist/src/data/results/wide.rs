//! The wide form: a table of true accuracies and one per score, a line per model and a column per data set.

use std::collections::HashMap;
use std::path::Path;

use super::table::{MODEL, SIZE, Table, plain};
use super::{Names, OfDataset, OfModel, Results, accuracy, some_of};
use crate::base::path_text::escape;
use crate::data::Error;

/// Columns of published tables that are no data set.
const MEANS: [&str; 4] = ["mean", "average", "avg", "avg."];

/// One table with its names looked up.
struct Grid {
    table: Table,
    /// The row of each model.
    rows: Names,
    /// The column of each data set.
    datasets: Vec<(String, usize)>,
    size: Option<usize>,
}

/// Reads one table per score and one of true accuracies. Models and data sets that not every table has are left out,
/// and said. A score is called like its file, without folder and extension.
pub fn read_wide(scores: &[impl AsRef<Path>], truth: &Path) -> Result<Results, Error> {
    let truth = Grid::read(truth)?;
    let grids: Vec<Grid> = scores.iter().map(|path| Grid::read(path.as_ref())).collect::<Result<_, _>>()?;
    let mut notes = vec![format!("rows are models, columns are data sets; the truth is {}", truth.table.shown())];
    for grid in &grids {
        compare(&truth, grid, &mut notes)?;
    }
    let sized = std::iter::once(&truth).chain(&grids).find(|grid| grid.size.is_some());
    let mut found = Vec::new();
    for (name, column) in &truth.datasets {
        let columns: Option<Vec<usize>> = grids.iter().map(|grid| grid.dataset(name)).collect();
        if let Some(columns) = columns {
            let models = of_dataset(&truth, *column, &grids, &columns, sized)?;
            found.push(OfDataset { name: name.clone(), models });
        }
    }
    let size = sized.and_then(|grid| Some(grid.table.columns[grid.size?].clone()));
    let names = grids.iter().map(Grid::score).collect();
    let mut results = Results { models: truth.rows.names, scores: names, size, datasets: found, notes };
    accuracy::to_fractions(&mut results);
    Ok(results)
}

fn of_dataset(
    truth: &Grid,
    column: usize,
    grids: &[Grid],
    columns: &[usize],
    sized: Option<&Grid>,
) -> Result<Vec<OfModel>, Error> {
    let one = |(model, name): (usize, &String)| {
        let score = |(grid, &column): (&Grid, &usize)| grid.number(name, column);
        Ok(OfModel {
            model,
            accuracy: truth.table.number(model, column)?,
            scores: grids.iter().zip(columns).map(score).collect::<Result<_, _>>()?,
            size: sized.map_or(Ok(None), |grid| grid.size.map_or(Ok(None), |column| grid.number(name, column)))?,
        })
    };
    truth.rows.names.iter().enumerate().map(one).collect()
}

/// Says what one table has and the other has not.
fn compare(truth: &Grid, grid: &Grid, notes: &mut Vec<String>) -> Result<(), Error> {
    let shown = grid.table.shown();
    let names = |grid: &Grid| -> Vec<String> { grid.datasets.iter().map(|(name, _)| name.clone()).collect() };
    let lacks = |has: &[String], other: &dyn Fn(&str) -> bool| -> Vec<String> {
        has.iter().filter(|name| !other(name)).cloned().collect()
    };
    let models = lacks(&truth.rows.names, &|name| grid.rows.find(name).is_some());
    let datasets = lacks(&names(truth), &|name| grid.dataset(name).is_some());
    if models.len() == truth.rows.names.len() || datasets.len() == truth.datasets.len() {
        let what = if models.len() == truth.rows.names.len() { "model (first column)" } else { "data set (column)" };
        let truth = truth.table.shown();
        return Err(grid.table.malformed(format!("has no {what} of {truth}. Rows are models, columns are data sets")));
    }
    let extra_models = lacks(&grid.rows.names, &|name| truth.rows.find(name).is_some());
    let extra_datasets = lacks(&names(grid), &|name| truth.dataset(name).is_some());
    let mut say = |names: &[String], what: &str| {
        notes.extend((!names.is_empty()).then(|| format!("{shown} {what}: {}", some_of(names))));
    };
    say(&models, "lacks models of the truth");
    say(&datasets, "lacks data sets of the truth, which are left out");
    say(&extra_models, "has models without truth, which are left out");
    say(&extra_datasets, "has data sets without truth, which are left out");
    Ok(())
}

impl Grid {
    fn read(path: &Path) -> Result<Self, Error> {
        let table = Table::read(path)?;
        let model = table.column(MODEL, "the model", false)?.unwrap_or(0);
        let size = table.column(SIZE, "the size", true)?;
        let (mut rows, mut seen) = (Names::default(), HashMap::new());
        for row in 0..table.rows.len() {
            let name = table.name(row, model)?;
            if let Some(first) = seen.insert(name.to_owned(), table.line(row)) {
                return Err(table.at(row, format!("repeats the model {} (line {first}). Keep one", escape(name))));
            }
            rows.place(name);
        }
        let is_dataset = |&column: &usize| {
            let name = plain(&table.columns[column]);
            column != model && !SIZE.contains(&name.as_str()) && !MEANS.contains(&name.as_str())
        };
        let datasets: Vec<(String, usize)> =
            (0..table.columns.len()).filter(is_dataset).map(|column| (table.columns[column].clone(), column)).collect();
        for (place, (name, _)) in datasets.iter().enumerate() {
            if name.is_empty() || datasets[..place].iter().any(|(other, _)| other == name) {
                let name = escape(name);
                return Err(
                    table.malformed(format!("has no name or twice the name \"{name}\" for a data set's column"))
                );
            }
        }
        Ok(Self { table, rows, datasets, size })
    }

    fn dataset(&self, name: &str) -> Option<usize> {
        self.datasets.iter().find(|(other, _)| other == name).map(|(_, column)| *column)
    }

    /// The number of a model, `None` where there is none.
    fn number(&self, model: &str, column: usize) -> Result<Option<f64>, Error> {
        self.rows.find(model).map_or(Ok(None), |row| self.table.number(row, column))
    }

    fn score(&self) -> String {
        self.table.path.file_stem().map_or_else(|| "score".to_owned(), |stem| stem.to_string_lossy().into_owned())
    }
}
