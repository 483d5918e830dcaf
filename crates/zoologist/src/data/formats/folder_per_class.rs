//! One folder per class (torchvision's `ImageFolder`), alone or inside `train`, `val` and `test`.
//!
//! The first level of folders are the classes, whatever folders are inside them. It is the second level where the
//! first one names splits; a class is then the same class in every split.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::Format;
use crate::base::{Classes, Targets, path_text};
use crate::data::dataset::Sample;
use crate::data::files::counted;
use crate::data::labels::detect;
use crate::data::walk::{Children, Walk, children, walk};
use crate::data::{Dataset, Error, PictureSource, Split};

pub(super) const FORMAT: Format = Format { recognises, open };

/// A folder that holds the pictures of one class.
struct ClassFolder {
    name: String,
    split: Option<Split>,
    found: Walk,
    folder: PathBuf,
}

/// Where the classes are.
enum Layout {
    /// Class folders.
    Plain(Vec<PathBuf>),
    /// Folders of class folders.
    Splits(Vec<(PathBuf, Split)>),
}

fn recognises(path: &Path) -> bool {
    children(path, Path::new("")).is_ok_and(|children| !children.folders.is_empty())
}

fn open(path: &Path) -> Result<Dataset, Error> {
    let top = children(path, Path::new(""))?;
    let classes = match Layout::of(path, &top)? {
        Layout::Plain(folders) => class_folders(path, folders, None)?,
        Layout::Splits(splits) => of_splits(path, splits)?,
    };
    let mut notes = describe(&classes, &top);
    notes.extend(empty_classes(path, &classes)?);
    refuse_one_folder(path, &classes)?;
    dataset(path, classes, notes)
}

impl Layout {
    fn of(root: &Path, top: &Children) -> Result<Self, Error> {
        let mut splits = Vec::new();
        for folder in &top.folders {
            if let Some(split) = folder.to_str().and_then(Split::named)
                && !children(root, folder)?.folders.is_empty()
            {
                splits.push((folder.clone(), split));
            }
        }
        let only_split_names = top.folders.iter().all(|folder| folder.to_str().and_then(Split::named).is_some());
        let train_alone = only_split_names && matches!(splits[..], [(_, Split::Train)]);
        Ok(if splits.len() >= 2 || train_alone { Self::Splits(splits) } else { Self::Plain(top.folders.clone()) })
    }
}

fn of_splits(root: &Path, splits: Vec<(PathBuf, Split)>) -> Result<Vec<ClassFolder>, Error> {
    let mut classes = Vec::new();
    for (folder, split) in splits {
        classes.extend(class_folders(root, children(root, &folder)?.folders, Some(split))?);
    }
    Ok(classes)
}

fn class_folders(root: &Path, folders: Vec<PathBuf>, split: Option<Split>) -> Result<Vec<ClassFolder>, Error> {
    let class = |folder: PathBuf| {
        let name = class_name(folder.file_name().unwrap_or_default());
        Ok(ClassFolder { name, split, found: walk(root, &folder)?, folder })
    };
    folders.into_iter().map(class).collect()
}

/// A folder's name exactly; only where it is not UTF-8, as text that stands for it.
fn class_name(folder: &OsStr) -> String {
    folder.to_str().map_or_else(|| path_text::encode(Path::new(folder)), str::to_owned)
}

/// Refuses classes without a picture, but for those that another split fills: these give notes.
fn empty_classes(root: &Path, classes: &[ClassFolder]) -> Result<Vec<String>, Error> {
    let (empty, full): (Vec<_>, Vec<_>) = classes.iter().partition(|class| class.found.pictures.is_empty());
    if full.is_empty() {
        return Err(Error::NoPictures(root.to_path_buf()));
    }
    let filled: HashSet<&str> = full.iter().map(|class| class.name.as_str()).collect();
    let (elsewhere, nowhere): (Vec<_>, Vec<_>) =
        empty.into_iter().partition(|class| filled.contains(class.name.as_str()));
    match nowhere.split_first() {
        Some((class, more)) => Err(Error::EmptyClass { folder: root.join(&class.folder), others: more.len() }),
        None => {
            Ok(elsewhere.iter().map(|class| format!("{} holds no picture.", path_text::show(&class.folder))).collect())
        }
    }
}

/// One class folder with folders inside is most likely the folder of the classes.
fn refuse_one_folder(path: &Path, classes: &[ClassFolder]) -> Result<(), Error> {
    match classes {
        [only] if only.found.folders > 0 => {
            Err(Error::OneFolder { path: path.to_path_buf(), folder: only.folder.clone() })
        }
        _ => Ok(()),
    }
}

fn describe(classes: &[ClassFolder], top: &Children) -> Vec<String> {
    let sum = |count: fn(&Walk) -> usize| classes.iter().map(|class| count(&class.found)).sum::<usize>();
    let all = Walk { hidden: sum(|found| found.hidden), others: sum(|found| found.others), ..Walk::default() };
    let mut notes = Vec::new();
    match sum(|found| found.folders) {
        0 => {}
        nested => notes.push(format!(
            "Class folders hold {} more, whose pictures belong to the class.",
            counted(nested, "folder")
        )),
    }
    notes.extend(all.left_out());
    if top.pictures > 0 {
        notes.push(format!("Left out: {} outside the class folders.", counted(top.pictures, "picture")));
    }
    notes
}

fn dataset(path: &Path, classes: Vec<ClassFolder>, more_notes: Vec<String>) -> Result<Dataset, Error> {
    let mut skipped = Vec::new();
    let mut rows = Vec::new();
    for class in classes {
        skipped.extend(class.found.skipped);
        rows.extend(class.found.pictures.into_iter().map(|file| (file, class.split, class.name.clone())));
    }
    rows.sort_by(|a, b| a.0.as_os_str().as_bytes().cmp(b.0.as_os_str().as_bytes()));

    let labels: Vec<&str> = rows.iter().map(|(_, _, name)| name.as_str()).collect();
    let targets = Targets::Classes(Classes::from_names(&labels).map_err(Error::targets(path))?);
    let sample = |(file, split, _)| Sample { picture: PictureSource::File(file), split };
    let (inputs, splits) = Sample::apart(rows.into_iter().map(sample).collect());
    let mut notes =
        vec![format!("Folder per class: {}, {}.", counted(inputs.len(), "picture"), detect::in_words(&targets))];
    notes.extend(Dataset::splits_in_words(&splits));
    notes.extend(more_notes);
    Ok(Dataset {
        path: path.to_path_buf(),
        root: path.to_path_buf(),
        format: "folder per class",
        inputs,
        splits,
        targets: Some(targets),
        notes,
        skipped,
    })
}
