//! Finding the pictures in a folder and in the folders inside it.
//!
//! Links are followed as long as they stay inside, but each folder is walked once, so a loop of links ends. Nothing is opened: pictures are known
//! by their extension.

use std::collections::HashSet;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::Error;
use super::files::{counted, extension};
use crate::base::Enclosure;

/// The extensions of pictures, in lower case.
pub(super) const EXTENSIONS: [&str; 8] = ["jpg", "jpeg", "png", "webp", "bmp", "gif", "tif", "tiff"];

/// What a folder holds; paths are relative to the root of the walk.
#[derive(Debug, Default)]
pub(super) struct Walk {
    /// Pictures, in the order of their paths' bytes.
    pub pictures: Vec<PathBuf>,
    /// What looks like a sample but can't be used.
    pub skipped: Vec<(PathBuf, String)>,
    /// Files and folders whose name begins with a dot.
    pub hidden: usize,
    /// Files whose extension is not a picture's.
    pub others: usize,
    /// Folders inside the folder.
    pub folders: usize,
}

/// What stands directly in a folder.
pub(super) struct Children {
    /// Folders, in the order of their names' bytes, relative to the root.
    pub folders: Vec<PathBuf>,
    /// Pictures.
    pub pictures: usize,
}

enum Kind {
    Folder,
    File,
    /// A pipe, a device, or a link that leads nowhere.
    Neither,
    /// A link that leads out of the data set.
    Outside,
}

/// Everything in `root/folder` and below.
pub(super) fn walk(root: &Path, folder: &Path) -> Result<Walk, Error> {
    let mut walk = Walk::default();
    let mut seen = HashSet::new();
    for above in folder.ancestors().skip(1) {
        seen.insert(identity(&root.join(above))?);
    }
    let mut waiting = vec![folder.to_path_buf()];
    while let Some(folder) = waiting.pop() {
        if seen.insert(identity(&root.join(&folder))?) {
            for (path, kind) in entries(root, &folder)? {
                walk.meet(path, &kind, &mut waiting);
            }
        } else {
            walk.skipped.push((folder, "is a link to a folder that was walked already".into()));
        }
    }
    walk.pictures.sort_by(|a, b| a.as_os_str().as_bytes().cmp(b.as_os_str().as_bytes()));
    walk.skipped.sort();
    Ok(walk)
}

/// What stands directly in `root/folder`, hidden entries left out.
pub(super) fn children(root: &Path, folder: &Path) -> Result<Children, Error> {
    let mut children = Children { folders: Vec::new(), pictures: 0 };
    for (path, kind) in entries(root, folder)? {
        match kind {
            Kind::Folder if !is_hidden(&path) => children.folders.push(path),
            Kind::File if is_picture(&path) && !is_hidden(&path) => children.pictures += 1,
            _ => {}
        }
    }
    Ok(children)
}

impl Walk {
    fn meet(&mut self, path: PathBuf, kind: &Kind, waiting: &mut Vec<PathBuf>) {
        let named_as_picture = is_picture(&path);
        match kind {
            _ if is_hidden(&path) => self.hidden += 1,
            Kind::Folder => {
                self.folders += 1;
                waiting.push(path);
            }
            Kind::File if named_as_picture => self.pictures.push(path),
            Kind::Neither if named_as_picture => {
                self.skipped.push((path, "is not a regular file".into()));
            }
            Kind::Outside => {
                self.skipped
                    .push((path, "is a link that leads out of the data set. Copy what it names into it".into()));
            }
            _ if path.extension().is_none() => {
                self.skipped.push((path, "has no extension, so it is not known to be a picture".into()));
            }
            _ => self.others += 1,
        }
    }

    /// What was left out without being named, as a sentence.
    pub fn left_out(&self) -> Option<String> {
        let parts: Vec<String> = [(self.hidden, "hidden file"), (self.others, "file")]
            .into_iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, noun)| counted(count, noun))
            .collect();
        (!parts.is_empty()).then(|| format!("Left out because they are no pictures: {}.", parts.join(", ")))
    }
}

/// Whether the extension is a picture's.
pub(super) fn is_picture(path: &Path) -> bool {
    EXTENSIONS.contains(&extension(path).as_str())
}

fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_bytes().starts_with(b"."))
}

/// What makes a folder the same folder, by whatever path it is reached.
fn identity(folder: &Path) -> Result<(u64, u64), Error> {
    let found = fs::metadata(folder).map_err(Error::reading(folder))?;
    Ok((found.dev(), found.ino()))
}

fn entries(root: &Path, folder: &Path) -> Result<Vec<(PathBuf, Kind)>, Error> {
    let full = root.join(folder);
    let fail = Error::reading(&full);
    let mut entries = Vec::new();
    for entry in fs::read_dir(&full).map_err(&fail)? {
        let entry = entry.map_err(&fail)?;
        let kind = kind(root, &entry).map_err(&fail)?;
        entries.push((folder.join(entry.file_name()), kind));
    }
    entries.sort_by(|(a, _), (b, _)| a.as_os_str().as_bytes().cmp(b.as_os_str().as_bytes()));
    Ok(entries)
}

fn kind(root: &Path, entry: &fs::DirEntry) -> std::io::Result<Kind> {
    let mut found = entry.file_type()?;
    if found.is_symlink() {
        let Ok(target) = fs::metadata(entry.path()) else { return Ok(Kind::Neither) };
        if (target.is_dir() || target.is_file()) && !Enclosure::new(root)?.holds(&entry.path())? {
            return Ok(Kind::Outside);
        }
        found = target.file_type();
    }
    Ok(match () {
        () if found.is_dir() => Kind::Folder,
        () if found.is_file() => Kind::File,
        () => Kind::Neither,
    })
}
