//! Tables: one row per sample, with a column of texts (or two, for pairs) or of picture paths, and columns of labels.
//!
//! CSV, TSV, JSONL and Parquet are read from the first row to the last, twice: once for the labels and splits, once
//! for the texts, which go where the caller wants them. What stays in memory is a few numbers per row, so a table may be
//! larger than memory. Columns are found by their names and by what they hold; what was found is said.

mod cell;
mod csv;
mod heading;
mod jsonl;
mod pass;
mod roles;
mod samples;
mod sniff;
mod targets;

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::files::extension;
use super::{Error, Split, parquet};
use crate::base::Task;
use crate::base::path_text::show;
pub(in crate::data) use cell::{Cell, Place, TableReader};
use roles::Roles;
pub(super) use samples::{open, open_splits};
use sniff::Sniffed;

/// The formats of tables, by extension.
const EXTENSIONS: [&str; 5] = ["csv", "tsv", "jsonl", "ndjson", "parquet"];

/// How a table is to be read, where that is not to be detected.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TableOptions {
    /// The column of the texts, or the two of pairs.
    pub text: Vec<String>,
    /// The column of the labels, or several of them.
    pub label: Vec<String>,
    /// What is predicted.
    pub task: Option<Task>,
    /// The column of the splits.
    pub split: Option<String>,
    /// Whether the first row of a CSV or TSV file is data; its columns are then called `0`, `1` and so on.
    pub no_header: bool,
}

/// A column of a table, as far as its first rows tell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TableColumn {
    /// Its name.
    pub name: String,
    /// What it holds: `text`, `paths of pictures`, `lists`, `numbers`, `whole numbers` or `empty`.
    pub holds: &'static str,
    /// How many different values there are among the rows that were looked at, lists and missing values not counted.
    pub distinct: usize,
    /// What it is used as: `text`, `picture`, `label` or `split`.
    pub role: Option<&'static str>,
}

/// The texts of some rows of one or several tables. The texts stay in their files.
#[derive(Debug, Clone, PartialEq)]
pub struct TextRows {
    files: Vec<TextFile>,
    /// The row of each sample, counted from 0 over all files, without headings.
    pub(super) rows: Vec<u32>,
}

/// One table and its columns of texts.
#[derive(Debug, Clone, PartialEq)]
struct TextFile {
    path: PathBuf,
    /// Places of the columns: one, or two for pairs.
    columns: Vec<usize>,
    /// How many rows it has.
    count: u32,
    /// Whether its first row is data.
    no_header: bool,
}

/// What is done with each text: its sample's place, the text, and the second text of a pair.
pub type TakeText<'a, E> = &'a mut dyn FnMut(usize, &str, Option<&str>) -> Result<(), E>;

impl TextRows {
    pub(super) fn select(&self, places: &[usize]) -> Self {
        Self { files: self.files.clone(), rows: places.iter().map(|&place| self.rows[place]).collect() }
    }

    pub(super) fn describe(&self, place: usize) -> String {
        let mut row = self.rows[place];
        for file in &self.files {
            if row < file.count {
                return format!("{} row {row} (counted from 0)", show(&file.path));
            }
            row -= file.count;
        }
        format!("row {row}")
    }

    /// Hands out the texts in the order of the tables.
    pub fn each<E: From<Error>>(&self, take: TakeText<E>) -> Result<(), E> {
        let total: u32 = self.files.iter().map(|file| file.count).sum();
        let mut place_of = vec![u32::MAX; total as usize];
        for (place, &row) in self.rows.iter().enumerate() {
            place_of[row as usize] = place as u32;
        }
        let mut row = 0;
        for file in &self.files {
            let mut reader = open_table(&file.path, file.no_header)?;
            let mut cells = vec![];
            for _ in 0..file.count {
                if reader.next(&file.columns, &mut cells)?.is_none() {
                    return Err(changed(&file.path).into());
                }
                let place = place_of[row];
                row += 1;
                if place != u32::MAX {
                    let text = |cell: &Cell| cell.text().unwrap_or_default().to_owned();
                    let texts: Vec<String> = cells.iter().map(text).collect();
                    take(place as usize, &texts[0], texts.get(1).map(String::as_str))?;
                }
            }
        }
        Ok(())
    }
}

fn changed(path: &Path) -> Error {
    Error::Malformed { path: path.to_path_buf(), problem: "was changed while it was read. Run it again".into() }
}

/// Whether a path is a table by its extension.
pub(super) fn is_table(path: &Path) -> bool {
    path.is_file() && EXTENSIONS.contains(&extension(path).as_str())
}

/// The tables of the splits in a folder: `train.csv`, `test.csv` and the like, also as Hugging Face names them
/// (`train-00000-of-00001.parquet`, in the folder itself or in `data`).
pub(super) fn split_tables(folder: &Path) -> Vec<(PathBuf, Split)> {
    for home in [folder.to_path_buf(), folder.join("data")] {
        let entries = std::fs::read_dir(&home).into_iter().flatten().flatten();
        let mut found: Vec<(PathBuf, Split)> =
            entries.filter_map(|entry| Some((entry.path(), split_of(&entry.path())?))).collect();
        found.sort();
        if found.iter().any(|(_, split)| *split == Split::Train) {
            return found;
        }
    }
    vec![]
}

fn split_of(path: &Path) -> Option<Split> {
    let stem = path.file_stem()?.to_str()?;
    let name = stem.split_once("-0").map_or(stem, |(name, _)| name);
    if is_table(path) { Split::named(name) } else { None }
}

/// The table that tells for all which columns there are: the first for training.
fn leading(tables: &[(PathBuf, Option<Split>)]) -> usize {
    tables.iter().position(|(_, split)| matches!(split, None | Some(Split::Train))).unwrap_or(0)
}

/// Whether a file is a table of texts or pictures, and not one of numbers or labels alone: whether its columns were named,
/// or a column of texts or of picture paths can be found. One without rows, with a name twice, or with rows that can't be
/// read goes by its names.
pub fn is_dataset(path: &Path, options: &TableOptions) -> bool {
    let asked = options.no_header || !options.text.is_empty() || !options.label.is_empty() || options.split.is_some();
    let found = || -> Result<bool, Error> {
        let sniffed = Sniffed::of(open_table(path, false)?)?;
        if sniffed.rows == 0 || sniffed.check_names(path).is_err() {
            return Ok(sniffed.columns.iter().any(|column| roles::names_a_subject(&column.name)));
        }
        Ok(sniffed.columns.len() > 1 && Roles::find(path, &sniffed, options, false).is_ok())
    };
    let named = || open_table(path, false).is_ok_and(|it| it.columns().iter().any(|name| roles::names_a_subject(name)));
    is_table(path) && (asked || found().unwrap_or_else(|_| named()))
}

/// The columns of a table, or of the table for training in a folder with one per split; none of other data sets.
pub fn columns(path: &Path, options: &TableOptions) -> Result<Vec<TableColumn>, Error> {
    let mut tables: Vec<_> = split_tables(path).into_iter().map(|(path, split)| (path, Some(split))).collect();
    if is_table(path) {
        tables.push((path.to_path_buf(), None));
    }
    let Some((path, _)) = tables.get(leading(&tables)) else { return Ok(vec![]) };
    let sniffed = Sniffed::of(open_table(path, options.no_header)?)?;
    let roles = Roles::find(path, &sniffed, options, true)?;
    let described = |(place, column): (usize, &sniff::Column)| TableColumn {
        name: column.name.clone(),
        holds: column.kind(),
        distinct: column.values.len(),
        role: roles.of(place),
    };
    Ok(sniffed.columns.iter().enumerate().map(described).collect())
}

fn open_table(path: &Path, no_header: bool) -> Result<Box<dyn TableReader>, Error> {
    Ok(match extension(path).as_str() {
        "csv" => Box::new(csv::Csv::open(path, b',', !no_header)?),
        "tsv" => Box::new(csv::Csv::open(path, b'\t', !no_header)?),
        _ if no_header => {
            let problem = "names its columns itself. --no-header is for CSV and TSV only".into();
            return Err(Error::Unclear { path: path.to_path_buf(), problem });
        }
        "parquet" => Box::new(parquet::Table::open(path)?),
        _ => Box::new(jsonl::Jsonl::open(path)?),
    })
}
