//! Tables: one row per sample, with a column of texts (or two, for pairs) or of picture paths, and columns of labels.
//!
//! CSV, TSV, JSONL and Parquet are read from the first row to the last, twice: once for the labels and splits, once
//! for the texts, which go where the caller wants them. What stays in memory is a few numbers per row, so a table may be
//! larger than memory. Columns are found by their names and by what they hold; what was found is said.

mod cell;
mod csv;
mod jsonl;
mod roles;
mod targets;

use std::path::{Path, PathBuf};

use crate::base::path_text::{escape, show};
use crate::base::{Targets, Task};

use super::dataset::Sample;
use super::files::{beneath, counted, extension};
use super::labels::detect;
use super::{Dataset, Error, Inputs, PictureSource, Split, parquet};
use cell::Sniffed;
pub(in crate::data) use cell::{Cell, Place, TableReader};
use roles::{Roles, Subject};
use targets::Collector;

/// The formats of tables, by extension.
const EXTENSIONS: [&str; 5] = ["csv", "tsv", "jsonl", "ndjson", "parquet"];
/// The longest text that is read, in bytes.
const LONGEST_TEXT: usize = 16 << 20;
/// How many rows without a label or text are named.
const NAMED: usize = 20;

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
            let mut reader = open_table(&file.path)?;
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

/// Whether a file is a table of texts or pictures, and not one of numbers or labels alone: whether a column of texts or
/// of picture paths can be found.
pub fn is_dataset(path: &Path, options: &TableOptions) -> bool {
    let found = || -> Result<bool, Error> {
        let sniffed = Sniffed::of(path, open_table(path)?)?;
        Ok(sniffed.columns.len() > 1 && Roles::find(path, &sniffed, options, false).is_ok())
    };
    is_table(path) && found().unwrap_or(false)
}

fn open_table(path: &Path) -> Result<Box<dyn TableReader>, Error> {
    Ok(match extension(path).as_str() {
        "csv" => Box::new(csv::Csv::open(path, b',')?),
        "tsv" => Box::new(csv::Csv::open(path, b'\t')?),
        "parquet" => Box::new(parquet::Table::open(path)?),
        _ => Box::new(jsonl::Jsonl::open(path)?),
    })
}

/// What one pass over some tables found.
struct Pass {
    rows: Vec<u32>,
    splits: Vec<Option<Split>>,
    pictures: Vec<PictureSource>,
    skipped: Vec<(PathBuf, String)>,
    more_skipped: usize,
    total: u32,
}

/// The data set of one table.
pub(super) fn open(path: &Path, options: &TableOptions, labelled: bool) -> Result<Dataset, Error> {
    of_files(path, &[(path.to_path_buf(), None)], options, labelled)
}

/// The data set of several tables, each a split.
pub(super) fn open_splits(
    folder: &Path,
    tables: Vec<(PathBuf, Split)>,
    options: &TableOptions,
    labelled: bool,
) -> Result<Dataset, Error> {
    let tables: Vec<_> = tables.into_iter().map(|(path, split)| (path, Some(split))).collect();
    of_files(folder, &tables, options, labelled)
}

fn of_files(
    path: &Path,
    tables: &[(PathBuf, Option<Split>)],
    options: &TableOptions,
    labelled: bool,
) -> Result<Dataset, Error> {
    let mut pass = Pass { rows: vec![], splits: vec![], pictures: vec![], skipped: vec![], more_skipped: 0, total: 0 };
    let mut collector: Option<Collector> = None;
    let (mut files, mut notes, mut subject) = (vec![], vec![], None);
    for (table, split) in tables {
        let reader = open_table(table)?;
        let sniffed = Sniffed::of(table, reader)?;
        let roles = Roles::find(table, &sniffed, options, labelled)?;
        if files.is_empty() {
            notes.extend(roles.notes(table, &sniffed));
            notes.extend(sniffed.notes.iter().cloned());
        }
        let collector = collector.get_or_insert_with(|| Collector::new(&roles, &sniffed, options.task));
        let before = pass.total;
        pass.read(table, *split, &roles, collector)?;
        subject = Some(roles.subject.clone());
        files.push(TextFile { path: table.clone(), columns: roles.columns(), count: pass.total - before });
    }
    let inputs = match subject {
        Some(Subject::Picture(_)) => Inputs::Pictures(std::mem::take(&mut pass.pictures)),
        _ => Inputs::Texts(TextRows { files, rows: std::mem::take(&mut pass.rows) }),
    };
    if inputs.is_empty() {
        let problem = "holds no row with a label and a text or picture";
        return Err(Error::Malformed { path: path.to_path_buf(), problem: problem.into() });
    }
    let targets = match collector.filter(|_| labelled) {
        Some(collector) => Some(collector.targets(path, options.task, &mut notes)?),
        None => None,
    };
    Ok(dataset(path, inputs, targets, notes, pass))
}

fn dataset(path: &Path, inputs: Inputs, targets: Option<Targets>, mut notes: Vec<String>, pass: Pass) -> Dataset {
    let words = targets.as_ref().map_or("no labels".to_owned(), detect::in_words);
    let count = counted(inputs.len(), inputs.noun().trim_end_matches('s'));
    notes.insert(0, format!("Table: {count}, {words}."));
    notes.extend(targets.iter().filter_map(seldom));
    notes.extend(Dataset::splits_in_words(&pass.splits));
    if pass.more_skipped > 0 {
        notes.push(format!("{} more rows were left out for the same reasons.", pass.more_skipped));
    }
    let root = if path.is_dir() { path } else { path.parent().unwrap_or(Path::new("")) };
    let root = if root.as_os_str().is_empty() { Path::new(".") } else { root };
    Dataset {
        path: path.to_path_buf(),
        root: root.to_path_buf(),
        format: "table",
        inputs,
        splits: pass.splits,
        targets,
        notes,
        skipped: pass.skipped,
    }
}

/// A remark on classes that have a single sample.
fn seldom(targets: &Targets) -> Option<String> {
    let Targets::Classes(classes) = targets else { return None };
    let counts = classes.counts();
    let single: Vec<&String> =
        classes.names().iter().zip(&counts).filter(|(_, count)| **count == 1).map(|(name, _)| name).collect();
    let first = single.first()?;
    let others = if single.len() > 1 { format!(" and {} others", single.len() - 1) } else { String::new() };
    Some(format!("The class {}{others} has a single sample: nothing can be learnt about it.", escape(first)))
}

impl Pass {
    fn read(
        &mut self,
        table: &Path,
        split: Option<Split>,
        roles: &Roles,
        collector: &mut Collector,
    ) -> Result<(), Error> {
        let mut reader = open_table(table)?;
        let mut cells = vec![];
        while let Some(place) = reader.next(&roles.all(), &mut cells)? {
            let row = self.total;
            self.total = self.total.checked_add(1).ok_or_else(|| Error::TooLarge(table.to_path_buf()))?;
            let (subject, rest) = cells.split_at(roles.columns().len());
            let (labels, of_split) = rest.split_at(roles.labels.len());
            if let Some(reason) = unusable(table, &place, subject, labels)? {
                self.skip(table, &place, reason);
                continue;
            }
            let own = of_split.first().map(|cell| split_named(table, &place, cell)).transpose()?.flatten();
            if let Subject::Picture(_) = roles.subject {
                match picture(table, &place, &subject[0])? {
                    Ok(found) => self.pictures.push(found),
                    Err(reason) => {
                        self.skip(table, &place, reason);
                        continue;
                    }
                }
            }
            collector.take(table, &place, labels)?;
            self.rows.push(row);
            self.splits.push(own.or(split));
        }
        Ok(())
    }

    fn skip(&mut self, table: &Path, place: &Place, reason: &str) {
        if self.skipped.len() < NAMED {
            self.skipped.push((table.to_path_buf(), format!("{place}: {reason}")));
        } else {
            self.more_skipped += 1;
        }
    }
}

/// Why a row can't be a sample.
fn unusable(table: &Path, place: &Place, subject: &[Cell], labels: &[Cell]) -> Result<Option<&'static str>, Error> {
    for cell in subject {
        match cell {
            Cell::Absent => return Ok(Some("has no text")),
            Cell::Text(text) if text.trim().is_empty() => return Ok(Some("its text is empty")),
            Cell::Text(text) if text.len() > LONGEST_TEXT => {
                return Err(place.error(table, "has a text of more than 16 MiB. Cut it or drop the row"));
            }
            Cell::Text(_) => {}
            other => {
                let problem = format!(
                    "has {} where a text is needed. Make it text, or choose another column with --text",
                    other.kind()
                );
                return Err(place.error(table, problem));
            }
        }
    }
    Ok(labels.iter().any(Cell::is_missing).then_some("has no label"))
}

fn split_named(table: &Path, place: &Place, cell: &Cell) -> Result<Option<Split>, Error> {
    let Some(name) = cell.text().map(str::trim).filter(|name| !name.is_empty()) else { return Ok(None) };
    let unknown = || format!("the split \"{}\" is not known: use train, validation or test", escape(name));
    Split::named(name).map(Some).ok_or_else(|| place.error(table, unknown()))
}

/// A picture that is there, beneath the table's folder.
fn picture(table: &Path, place: &Place, cell: &Cell) -> Result<Result<PictureSource, &'static str>, Error> {
    let name = cell.text().unwrap_or_default();
    let outside = || format!("\"{}\" is not a path beneath the folder of the table", escape(name));
    let file = beneath(Path::new(name)).map_err(|_| place.error(table, outside()))?;
    let found = std::fs::metadata(table.parent().unwrap_or(Path::new("")).join(&file));
    Ok(match found {
        Err(_) => Err("there is no such picture"),
        Ok(found) if !found.is_file() => Err("its picture is not a regular file"),
        Ok(_) => Ok(Sample { picture: PictureSource::File(file), split: None }.picture),
    })
}
