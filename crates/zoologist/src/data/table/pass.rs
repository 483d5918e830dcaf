//! One pass over the rows of tables: which can be samples, and what stands in them.

use std::path::{Path, PathBuf};

use super::cell::{Cell, Place};
use super::open_table;
use super::roles::{Roles, Subject};
use super::targets::Collector;
use crate::base::path_text::escape;
use crate::data::dataset::Sample;
use crate::data::files::{LONGEST_RECORD, beneath, too_long};
use crate::data::{Error, PictureSource, Split};

/// How many rows without a label or text are named.
const NAMED: usize = 20;

/// What one pass over some tables found.
#[derive(Default)]
pub(super) struct Pass {
    /// The row of each sample, counted from 0 over all tables.
    pub rows: Vec<u32>,
    /// Its split.
    pub splits: Vec<Option<Split>>,
    /// Its picture, where the samples are pictures.
    pub pictures: Vec<PictureSource>,
    /// The first rows that can't be samples, and why.
    pub skipped: Vec<(PathBuf, String)>,
    /// How many more of them there are.
    pub more_skipped: usize,
    /// How many rows there are.
    pub total: u32,
}

impl Pass {
    /// Takes in the rows of a table.
    pub fn read(
        &mut self,
        table: &Path,
        split: Option<Split>,
        roles: &Roles,
        no_header: bool,
        collector: &mut Collector,
    ) -> Result<(), Error> {
        let mut reader = open_table(table, no_header)?;
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
            if collector.lacks_a_number(labels) {
                self.skip(table, &place, "its label is no number");
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
            Cell::Text(text) if text.len() > LONGEST_RECORD => {
                return Err(place.error(table, format!("{}. Cut it or drop the row", too_long("a text"))));
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
