//! What the formats share in which a table lists the pictures: the columns, the paths, the labels.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use crate::base::path_text::escape;
use crate::data::dataset::Sample;
use crate::data::files::{beneath, counted};
use crate::data::labels::detect::{self, Raw};
use crate::data::walk::walk;
use crate::data::{Dataset, Error, PictureSource, Split};

/// The names that the column of the pictures' paths may have.
const FILE: &[&str] = &["file_name", "path", "filename", "file", "image"];
/// The names that the column of the labels may have.
const LABEL: &[&str] = &["label", "class", "target"];
/// The name of the column of the splits, which may be absent.
const SPLIT: &[&str] = &["split"];

/// Where the columns are that matter.
pub(super) struct Columns {
    pub file: usize,
    pub label: usize,
    pub split: Option<usize>,
}

/// One picture as the table lists it.
pub(super) struct Row {
    /// The line of the table, from 1.
    pub line: u64,
    pub file: String,
    pub label: String,
    pub split: Option<String>,
}

/// What a row turns out to be.
enum Listed {
    /// A picture that is there, with its label.
    Usable(Sample, String),
    /// A path, and why it can't be used.
    LeftOut(PathBuf, String),
}

impl Columns {
    /// Finds the columns by their names; letter case does not matter. `line` is where the names stand.
    pub fn find<'n>(table: &Path, line: u64, names: impl Iterator<Item = &'n str>) -> Result<Self, Error> {
        let names: Vec<String> = names.map(str::to_ascii_lowercase).collect();
        let mut seen = HashSet::new();
        if let Some(double) = names.iter().find(|name| !seen.insert(name.as_str())) {
            return Err(Error::at_line(table, line, format!("has the column \"{}\" twice", escape(double))));
        }
        let place = |wanted: &[&str]| wanted.iter().find_map(|wanted| names.iter().position(|name| name == wanted));
        let missing = |wanted: &[&str]| {
            let (wanted, found) = (wanted.join(" or "), escape(&names.join(", ")));
            Error::at_line(table, line, format!("there is no column {wanted}. The columns are: {found}"))
        };
        Ok(Self {
            file: place(FILE).ok_or_else(|| missing(FILE))?,
            label: place(LABEL).ok_or_else(|| missing(LABEL))?,
            split: place(SPLIT),
        })
    }
}

/// The data set in the folder `path` whose pictures `table`, a file in it, lists.
pub(super) fn dataset(path: &Path, table: &'static str, rows: Vec<Row>) -> Result<Dataset, Error> {
    let table_path = path.join(table);
    let (mut samples, mut labels, mut skipped) = (Vec::new(), Vec::new(), Vec::new());
    for row in rows {
        match look_up(path, &table_path, row)? {
            Listed::Usable(sample, label) => {
                samples.push(sample);
                labels.push(label);
            }
            Listed::LeftOut(file, reason) => skipped.push((file, reason)),
        }
    }
    let targets = Raw::Texts(labels.iter().map(String::as_str).collect()).targets(&table_path, None)?;
    let mut notes = vec![format!("{table}: {}, {}.", counted(samples.len(), "picture"), detect::in_words(&targets))];
    let more_notes = repeated_and_unnamed(path, &samples)?;
    let (inputs, splits) = Sample::apart(samples);
    notes.extend(Dataset::splits_in_words(&splits));
    notes.extend(more_notes);
    let root = path.to_path_buf();
    Ok(Dataset { path: root.clone(), root, format: table, inputs, splits, targets: Some(targets), notes, skipped })
}

fn look_up(root: &Path, table: &Path, row: Row) -> Result<Listed, Error> {
    let outside = || format!("\"{}\" is not a path beneath the folder of the table", escape(&row.file));
    let file = beneath(Path::new(&row.file)).map_err(|_| Error::at_line(table, row.line, outside()))?;
    let split = split(table, &row)?;
    let reason = match std::fs::metadata(root.join(&file)) {
        _ if row.label.is_empty() => "has no label",
        Err(_) => "there is no such file",
        Ok(found) if !found.is_file() => "is not a regular file",
        Ok(_) => return Ok(Listed::Usable(Sample { picture: PictureSource::File(file), split }, row.label)),
    };
    Ok(Listed::LeftOut(file, format!("line {}: {reason}", row.line)))
}

fn split(table: &Path, row: &Row) -> Result<Option<Split>, Error> {
    let Some(name) = row.split.as_deref().filter(|name| !name.is_empty()) else { return Ok(None) };
    let unknown = || format!("the split \"{}\" is not known: use train, validation or test", escape(name));
    Split::named(name).map(Some).ok_or_else(|| Error::at_line(table, row.line, unknown()))
}

fn repeated_and_unnamed(root: &Path, samples: &[Sample]) -> Result<Vec<String>, Error> {
    let files = samples.iter().filter_map(|sample| match &sample.picture {
        PictureSource::File(file) => Some(file),
        PictureSource::Idx { .. } => None,
    });
    let named: HashSet<&PathBuf> = files.collect();
    let unnamed = walk(root, Path::new(""))?.pictures.iter().filter(|picture| !named.contains(picture)).count();
    let mut notes = Vec::new();
    if samples.len() > named.len() {
        notes.push(format!("Rows that name the picture of an earlier row: {}.", samples.len() - named.len()));
    }
    if unnamed > 0 {
        notes.push(format!("Left out: {} that no row names.", counted(unnamed, "picture")));
    }
    Ok(notes)
}
