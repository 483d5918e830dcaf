//! Folders of the store: private, durable, and the user's own.

use std::fs::{self, DirBuilder, File};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::{Error, refused};

/// Only the owner may enter: features and texts say much about the data that they were made of.
const PRIVATE: u32 = 0o700;

/// Makes a folder and those above it as far as they are missing. Each new one is private, and is there after a power
/// failure: the folder that names it is synced.
pub fn make(folder: &Path) -> Result<(), Error> {
    if folder.is_dir() {
        return Ok(());
    }
    let above = folder.parent().filter(|above| !above.as_os_str().is_empty());
    above.map_or(Ok(()), make)?;
    match DirBuilder::new().mode(PRIVATE).create(folder) {
        // Another process was faster.
        Err(error) if error.kind() == ErrorKind::AlreadyExists && folder.is_dir() => Ok(()),
        Err(error) => Err(refused("make the folder", folder)(error)),
        Ok(()) => sync(above.unwrap_or_else(|| Path::new("."))),
    }
}

/// Makes sure that what was created, renamed or removed in a folder stays so.
pub fn sync(folder: &Path) -> Result<(), Error> {
    File::open(folder).and_then(|opened| opened.sync_all()).map_err(refused("write in", folder))
}

/// Refuses a folder of somebody else, who could plant what we would believe. One that is not there yet is fine.
pub fn require_own(folder: &Path) -> Result<(), Error> {
    match fs::metadata(folder) {
        Ok(found) if found.uid() != rustix::process::geteuid().as_raw() => {
            Err(Error::Foreign { path: folder.to_owned(), owner: found.uid() })
        }
        Err(error) if error.kind() != ErrorKind::NotFound => Err(refused("look at", folder)(error)),
        _ => Ok(()),
    }
}

/// The content of a file; `None` where there is none.
pub fn read(path: &Path) -> Result<Option<Vec<u8>>, Error> {
    present(fs::read(path)).map_err(refused("read", path))
}

/// What is in a folder, in the order of the names; nothing where there is no folder.
pub fn entries(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let list = || fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<PathBuf>>>();
    let mut found = present(list()).map_err(refused("list", folder))?.unwrap_or_default();
    found.sort();
    Ok(found)
}

/// All files of a folder and of the folders in it; links are not followed.
pub fn files(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut found = vec![];
    for path in entries(folder)? {
        match present(fs::symlink_metadata(&path)).map_err(refused("look at", &path))? {
            Some(entry) if entry.is_dir() => found.extend(files(&path)?),
            Some(_) => found.push(path),
            None => {}
        }
    }
    Ok(found)
}

/// Bytes of a file, or of all files in a folder. What goes away meanwhile counts nothing.
pub fn bytes(path: &Path) -> Result<u64, Error> {
    let size =
        |path: &Path| Ok(present(fs::symlink_metadata(path)).map_err(refused("look at", path))?.map(|it| it.len()));
    if !path.is_dir() {
        return Ok(size(path)?.unwrap_or(0));
    }
    files(path)?.iter().map(|file| Ok(size(file)?.unwrap_or(0))).sum()
}

/// `None` for what is not there: other processes may remove files at any time.
pub fn present<T>(result: std::io::Result<T>) -> std::io::Result<Option<T>> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn new_folders_are_private_and_old_ones_stay_as_they_are() {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let deep = folder.path().join("a/b");
        make(&deep).unwrap();
        make(&deep).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!([mode(folder.path()), mode(&folder.path().join("a")), mode(&deep)], [0o755, 0o700, 0o700]);
        fs::write(deep.join("file"), "12345").unwrap();
        assert_eq!(bytes(folder.path()).unwrap(), 5);
        assert!(make(&deep.join("file/c")).is_err());
    }

    #[test]
    fn a_folder_of_another_user_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        require_own(folder.path()).unwrap();
        require_own(&folder.path().join("missing")).unwrap();
        let ours = rustix::process::geteuid().as_raw();
        // Only the superuser can give a folder away.
        if std::os::unix::fs::chown(folder.path(), Some(ours + 1), None).is_ok() {
            let message = require_own(folder.path()).unwrap_err().to_string();
            assert!(message.contains(&folder.path().display().to_string()), "{message}");
            assert!(message.contains("another user"), "{message}");
        }
    }
}
