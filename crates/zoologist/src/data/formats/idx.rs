//! IDX files, the form of MNIST and its family: `train-images-idx3-ubyte` beside `train-labels-idx1-ubyte`, gzip or not.
//!
//! A folder of them, or one file of pictures. `t10k` is the test split. An optional `classes.txt` in the folder names
//! the labels, one a line, from 0.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::Format;
use crate::base::{Classes, Targets};
use crate::data::dataset::Sample;
use crate::data::files::counted;
use crate::data::labels::detect;
use crate::data::{Dataset, Error, PictureSource, Split, idx_file, text_lines};

pub(super) const FORMAT: Format = Format { recognises: |path| !picture_files(path).is_empty(), open };

const CLASSES: &str = "classes.txt";
const GZIP: &str = ".gz";

/// A file name such as `train-images-idx3-ubyte.gz`, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Name {
    full: String,
    /// `train`.
    part: String,
    packed: bool,
}

/// A file of pictures with one label for each.
struct Labelled {
    samples: Vec<Sample>,
    labels: Vec<String>,
}

fn open(path: &Path) -> Result<Dataset, Error> {
    let root = root(path);
    let names = class_names(&root)?;
    let files = picture_files(path);
    refuse_several_sets(path, &files)?;
    let mut all = Labelled { samples: Vec::new(), labels: Vec::new() };
    for file in &files {
        let more = labelled(&root, file, names.as_deref())?;
        all.samples.extend(more.samples);
        all.labels.extend(more.labels);
    }
    let targets = Targets::Classes(Classes::from_names(&all.labels).map_err(Error::targets(path))?);
    let (inputs, splits) = Sample::apart(all.samples);
    let mut notes = vec![format!("IDX: {}, {}.", counted(inputs.len(), "picture"), detect::in_words(&targets))];
    notes.extend(names.map(|names| format!("{CLASSES} names {}.", counted(names.len(), "label"))));
    notes.extend(Dataset::splits_in_words(&splits));
    Ok(Dataset {
        path: path.to_path_buf(),
        root,
        format: "IDX",
        inputs,
        splits,
        targets: Some(targets),
        notes,
        skipped: Vec::new(),
    })
}

/// The folder that the files are in.
fn root(path: &Path) -> PathBuf {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    if path.is_dir() { path } else { parent.unwrap_or(Path::new(".")) }.to_path_buf()
}

/// The files of pictures that `path` is or holds, by name. An unpacked file comes before its packed twin.
fn picture_files(path: &Path) -> Vec<Name> {
    let names: Vec<_> = if path.is_dir() {
        std::fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.file_name()).collect()
    } else {
        path.file_name().map(ToOwned::to_owned).into_iter().collect()
    };
    let mut files: Vec<Name> = names.iter().filter_map(|name| Name::parse(name.to_str()?)).collect();
    files.sort_by(|a, b| a.full.cmp(&b.full));
    files.dedup_by(|packed, plain| packed.part == plain.part);
    files
}

impl Name {
    fn parse(full: &str) -> Option<Self> {
        let plain = full.strip_suffix(GZIP).unwrap_or(full);
        let (part, kind) = plain.rsplit_once("-images")?;
        let dimensions = kind.strip_prefix(['-', '.'])?.strip_prefix("idx")?.strip_suffix("-ubyte")?;
        let known = matches!(dimensions, "3" | "4") && !part.is_empty();
        known.then(|| Self { full: full.to_owned(), part: part.to_owned(), packed: plain != full })
    }

    fn split(&self) -> Option<Split> {
        match self.part.rsplit('-').next()? {
            "t10k" => Some(Split::Test),
            name => Split::named(name),
        }
    }

    /// The file of the labels, in the folder `root`.
    fn labels(&self, root: &Path) -> Result<PathBuf, Error> {
        let endings = if self.packed { [GZIP, ""] } else { ["", GZIP] };
        let names = endings
            .iter()
            .flat_map(|ending| ["-", "."].map(|dot| format!("{}-labels{dot}idx1-ubyte{ending}", self.part)));
        let mut paths = names.map(|name| root.join(name));
        let missing = || {
            let problem = format!("has no labels beside it. Add {}-labels-idx1-ubyte", self.part);
            Error::Malformed { path: root.join(&self.full), problem }
        };
        paths.find(|path| path.exists()).ok_or_else(missing)
    }
}

/// Pictures of one purpose in two files would be two data sets.
fn refuse_several_sets(path: &Path, files: &[Name]) -> Result<(), Error> {
    let mut by_split: BTreeMap<Option<Split>, &Name> = BTreeMap::new();
    for file in files {
        if let Some(other) = by_split.insert(file.split(), file) {
            let problem = format!("holds several data sets. Give one file: {} or {}", other.full, file.full);
            return Err(Error::Malformed { path: path.to_path_buf(), problem });
        }
    }
    Ok(())
}

fn labelled(root: &Path, file: &Name, names: Option<&[String]>) -> Result<Labelled, Error> {
    let (features, labels_path) = (root.join(&file.full), file.labels(root)?);
    let labels = idx_file::labels(&labels_path)?;
    let count = idx_file::count(&features)?;
    if count != labels.len() {
        return Err(Error::RowCounts {
            features,
            features_rows: count,
            labels: labels_path,
            labels_rows: labels.len(),
        });
    }
    let label = |(row, number): (usize, &i64)| {
        class_name(*number, names).ok_or_else(|| {
            let problem = format!("row {row} (counted from 0) has the label {number}, which {CLASSES} does not name");
            Error::Malformed { path: labels_path.clone(), problem }
        })
    };
    let labels = labels.iter().enumerate().map(label).collect::<Result<_, _>>()?;
    let picture = |row| PictureSource::Idx { file: PathBuf::from(&file.full), row };
    let samples = (0..count as u32).map(|row| Sample { picture: picture(row), split: file.split() }).collect();
    Ok(Labelled { samples, labels })
}

fn class_names(root: &Path) -> Result<Option<Vec<String>>, Error> {
    let path = root.join(CLASSES);
    if path.exists() { text_lines::read(&path).map(Some) } else { Ok(None) }
}

fn class_name(number: i64, names: Option<&[String]>) -> Option<String> {
    match names {
        Some(names) => usize::try_from(number).ok().and_then(|place| names.get(place)).cloned(),
        None => Some(number.to_string()),
    }
}
