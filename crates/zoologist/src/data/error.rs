//! What can be wrong with a data set, with features or with labels, and what to do about it.

use std::io;
use std::path::{Path, PathBuf};

use crate::base::path_text::show;
use crate::base::{Fail, Fault, TargetsError};

/// Why data can't be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nothing is at that path.
    #[error("{}: there is no such file or folder. Check the spelling of the path.", show(.0))]
    Missing(PathBuf),
    /// The machine refused to read.
    #[error("{}: can't be read: {source}.", show(path))]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// What the machine said.
        source: io::Error,
    },
    /// A device, pipe or folder where a file is needed.
    #[error("{}: is not a regular file. Give an ordinary file.", show(.0))]
    NotRegular(PathBuf),
    /// A path that leads out of the data set.
    #[error("{}: leads out of the data set. Use paths relative to its folder, without `..`, and no links out of it.", show(.0))]
    Outside(PathBuf),
    /// A file that is no data set.
    #[error(
        "{}: is not a data set. Give a folder of class folders, a folder with labels.csv, metadata.csv or \
         metadata.jsonl, or IDX files (…-images-idx3-ubyte).",
        show(.0)
    )]
    NotADataset(PathBuf),
    /// A folder without pictures.
    #[error("{}: holds no pictures. They are known by their extension: {}.", show(.0), super::walk::EXTENSIONS.join(", "))]
    NoPictures(PathBuf),
    /// Pictures without labels.
    #[error(
        "{}: holds pictures but no labels. Sort them into one folder per class, or add a labels.csv with the columns \
         file_name and label.",
        show(.0)
    )]
    Unlabelled(PathBuf),
    /// Class folders without pictures.
    #[error("{}: this class folder holds no picture{}. Add pictures or remove the folder.", show(folder), and_more(*others))]
    EmptyClass {
        /// The first such folder.
        folder: PathBuf,
        /// How many more there are.
        others: usize,
    },
    /// One class folder only.
    #[error(
        "{}: all pictures are in one folder, {}: nothing to rank. If the classes are folders inside it, give {}.",
        show(path), show(folder), show(&path.join(folder))
    )]
    OneFolder {
        /// The data set.
        path: PathBuf,
        /// Its only folder.
        folder: PathBuf,
    },
    /// A line of a table is wrong.
    #[error("{}, line {line}: {problem}.", show(path))]
    Line {
        /// The table.
        path: PathBuf,
        /// The line, counted from 1.
        line: u64,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// A file is not what its name promises.
    #[error("{}: {problem}.", show(path))]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// A file whose extension says nothing.
    #[error("{}: its extension is not known here. Known are: {known}.", show(path))]
    Extension {
        /// The file.
        path: PathBuf,
        /// The extensions that are known.
        known: String,
    },
    /// Several arrays, and none is named as expected.
    #[error("{}: which array is meant? It holds {found}. Name one of them {wanted}.", show(path))]
    WhichArray {
        /// The file.
        path: PathBuf,
        /// The arrays with their shapes.
        found: String,
        /// The names that are looked for.
        wanted: String,
    },
    /// A feature that is no number.
    #[error(
        "{}: features contain NaN or infinity (first at row {row}, column {column}). Drop those rows or extract again.",
        show(path)
    )]
    NotFinite {
        /// The features.
        path: PathBuf,
        /// Row, counted from 0.
        row: usize,
        /// Column, counted from 0.
        column: usize,
    },
    /// Features and labels of different numbers of rows.
    #[error(
        "{} has {features_rows} rows, {} has {labels_rows}. Each row needs its label: give files of the same samples.",
        show(features),
        show(labels)
    )]
    RowCounts {
        /// The features, or the pictures.
        features: PathBuf,
        /// How many rows they have.
        features_rows: usize,
        /// The labels.
        labels: PathBuf,
        /// How many rows they have.
        labels_rows: usize,
    },
    /// The labels can't be targets.
    #[error("{}: {source}.", show(path))]
    Targets {
        /// Where the labels are.
        path: PathBuf,
        /// What is wrong with them.
        source: TargetsError,
    },
    /// The labels can't serve the task that was asked for.
    #[error("{}: can't be used for that task: {problem}.", show(path))]
    Task {
        /// The labels.
        path: PathBuf,
        /// What is missing.
        problem: String,
    },
    /// A column was asked for that the table has not.
    #[error("{}: has no column {name}. It has: {known}.", show(path))]
    NoSuchColumn {
        /// The table.
        path: PathBuf,
        /// The column, as text.
        name: String,
        /// The columns there are.
        known: String,
    },
    /// It is not clear which columns of a table are meant.
    #[error("{}: {problem}.", show(path))]
    Unclear {
        /// The table.
        path: PathBuf,
        /// What is not clear, and what settles it.
        problem: String,
    },
    /// More than fits in memory, or than one picture may have.
    #[error("{}: is too large to be read into memory. Split it, or use a machine with more memory.", show(.0))]
    TooLarge(PathBuf),
}

fn and_more(others: usize) -> String {
    if others == 0 { String::new() } else { format!(", nor do {others} more") }
}

impl Error {
    /// Turns what went wrong while reading `path` into an error that names it. The parsers here report bad content
    /// as [`io::ErrorKind::InvalidData`].
    pub(super) fn reading(path: &Path) -> impl Fn(io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| {
            let path = path.clone();
            match source.kind() {
                io::ErrorKind::NotFound => Self::Missing(path),
                io::ErrorKind::OutOfMemory => Self::TooLarge(path),
                io::ErrorKind::UnexpectedEof => {
                    Self::Malformed { path, problem: "is cut off: it ends too early".into() }
                }
                io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => {
                    Self::Malformed { path, problem: crate::base::path_text::escape(&source.to_string()) }
                }
                _ => Self::Read { path, source },
            }
        }
    }

    pub(super) const NOT_UTF8: &'static str = "is not valid UTF-8. Save the file as UTF-8";

    /// Reports what is wrong at a line, counted from 1.
    pub(super) fn at_line(path: &Path, line: u64, problem: impl Into<String>) -> Self {
        Self::Line { path: path.to_path_buf(), line, problem: problem.into() }
    }

    /// Names the file whose labels can't be targets.
    pub(super) fn targets(path: &Path) -> impl Fn(TargetsError) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Targets { path: path.clone(), source }
    }
}

impl Fail for Error {
    fn fault(&self) -> Fault {
        match self {
            Self::Read { source, .. } => Fault::of_reading(source),
            Self::TooLarge(_) => Fault::Limit,
            Self::Task { .. } | Self::NoSuchColumn { .. } => Fault::Usage,
            _ => Fault::Input,
        }
    }
}
