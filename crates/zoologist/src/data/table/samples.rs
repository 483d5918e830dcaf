//! From tables to a data set: the columns are settled, the rows are read, the labels become targets.

use std::path::{Path, PathBuf};

use super::pass::Pass;
use super::roles::{Roles, Subject};
use super::sniff::Sniffed;
use super::targets::Collector;
use super::{TableOptions, TextFile, TextRows, heading, leading, open_table};
use crate::base::Targets;
use crate::base::path_text::{escape, show};
use crate::data::files::counted;
use crate::data::labels::detect;
use crate::data::{Dataset, Error, Inputs, Split};

/// The data set of one table.
pub(in crate::data) fn open(path: &Path, options: &TableOptions, labelled: bool) -> Result<Dataset, Error> {
    of_files(path, &[(path.to_path_buf(), None)], options, labelled)
}

/// The data set of several tables, each a split.
pub(in crate::data) fn open_splits(
    folder: &Path,
    tables: Vec<(PathBuf, Split)>,
    options: &TableOptions,
    labelled: bool,
) -> Result<Dataset, Error> {
    let tables: Vec<_> = tables.into_iter().map(|(path, split)| (path, Some(split))).collect();
    of_files(folder, &tables, options, labelled)
}

/// What the leading table settles for all.
struct Plan<'o> {
    options: &'o TableOptions,
    sniffed: Sniffed,
    roles: Roles,
    notes: Vec<String>,
}

impl<'o> Plan<'o> {
    fn of(path: &Path, options: &'o TableOptions, labelled: bool) -> Result<Self, Error> {
        let sniffed = Sniffed::of(open_table(path, options.no_header)?)?;
        if sniffed.rows == 0 {
            let problem = "holds no rows beneath the names of its columns".to_owned();
            return Err(Error::Malformed { path: path.to_path_buf(), problem });
        }
        let odd = heading::check(path, &sniffed, options)?;
        let roles = Roles::find(path, &sniffed, options, labelled)?;
        let mut notes = roles.notes(path, &sniffed);
        notes.extend(odd);
        if options.label.is_empty() && roles.labels.len() > 1 {
            notes.push(format!(
                "{} columns of 0 and 1 are taken as yes/no labels (multi-label); --label chooses others.",
                roles.labels.len()
            ));
        }
        Ok(Self { options, sniffed, roles, notes })
    }

    /// The columns of another table; `None` if it has no labels and may do without, which is noted.
    fn roles_of(&mut self, path: &Path, split: Option<Split>) -> Result<Option<Roles>, Error> {
        let there = Sniffed::of(open_table(path, self.options.no_header)?)?;
        let unlabelled = self.unlabelled(&there).filter(|_| split == Some(Split::Test));
        if let Some(reason) = unlabelled {
            self.notes.push(format!("{}: left out, for it has no labels: {reason}.", show(path)));
            return Ok(None);
        }
        heading::check(path, &there, self.options)?;
        self.roles.elsewhere(&self.sniffed, path, &there).map(Some)
    }

    /// Why a table has no labels: no such column, or -1 in every row, as in the tests of GLUE.
    fn unlabelled(&self, there: &Sniffed) -> Option<String> {
        if let Some(name) = self.roles.missing_label(&self.sniffed, there) {
            return Some(format!("no column `{}`", escape(name)));
        }
        let [label] = self.roles.labels[..] else { return None };
        let name = &self.sniffed.columns[label].name;
        let column = there.columns.iter().find(|column| column.name == *name)?;
        let hidden = column.values.len() == 1 && column.values.contains("-1");
        hidden.then(|| format!("`{}` is -1 in every row", escape(name)))
    }
}

fn of_files(
    path: &Path,
    tables: &[(PathBuf, Option<Split>)],
    options: &TableOptions,
    labelled: bool,
) -> Result<Dataset, Error> {
    let lead = leading(tables);
    let mut plan = Plan::of(&tables[lead].0, options, labelled)?;
    let mut collector = Collector::new(&plan.roles, &plan.sniffed, options.task, options.label.is_empty());
    let (mut pass, mut files, no_header) = (Pass::default(), vec![], options.no_header);
    for (place, (table, split)) in tables.iter().enumerate() {
        let roles = if place == lead { Some(plan.roles.clone()) } else { plan.roles_of(table, *split)? };
        let Some(roles) = roles else { continue };
        let before = pass.total;
        pass.read(table, *split, &roles, no_header, &mut collector)?;
        let count = pass.total - before;
        files.push(TextFile { path: table.clone(), columns: roles.columns(), count, no_header });
    }
    let inputs = inputs(path, &plan.roles.subject, files, &mut pass)?;
    let mut notes = plan.notes;
    let targets = if labelled { Some(collector.targets(path, options.task, &mut notes)?) } else { None };
    Ok(dataset(path, inputs, targets, notes, pass))
}

fn inputs(path: &Path, subject: &Subject, files: Vec<TextFile>, pass: &mut Pass) -> Result<Inputs, Error> {
    let inputs = match subject {
        Subject::Picture(_) => Inputs::Pictures(std::mem::take(&mut pass.pictures)),
        Subject::Text(_) => Inputs::Texts(TextRows { files, rows: std::mem::take(&mut pass.rows) }),
    };
    if !inputs.is_empty() {
        return Ok(inputs);
    }
    let first = pass.skipped.first().map_or(String::new(), |(_, reason)| format!(" ({reason})"));
    let problem = format!("holds no row with a label and a text or picture{first}");
    Err(Error::Malformed { path: path.to_path_buf(), problem })
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
    let first = escape(first);
    Some(match single.len() {
        1 => format!("The class {first} has a single sample: nothing can be learnt about it."),
        count => {
            format!("{count} classes have a single sample (the first: {first}): nothing can be learnt about them.")
        }
    })
}
