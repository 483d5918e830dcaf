//! Writing a file whole or not at all.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::{Error, folders, refused};

/// How the names of unfinished files begin.
pub(super) const UNFINISHED: &str = ".new-";

/// Writes a file through a temporary one in the same folder: synced, then renamed, then the folder synced. Whoever
/// reads sees the old file or the new one.
pub fn write(path: &Path, fill: impl FnOnce(&mut dyn Write) -> std::io::Result<()>) -> Result<(), Error> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    if std::fs::metadata(path).is_ok_and(|found| !found.is_file()) {
        let special = std::io::Error::other("it is a folder or a device, not an ordinary file");
        return Err(refused("write", path)(special));
    }
    // Read by whom the user's umask lets read, as any file that a program writes.
    let everyone = std::fs::Permissions::from_mode(0o666);
    let mut builder = tempfile::Builder::new();
    let temporary = builder.prefix(UNFINISHED).permissions(everyone).tempfile_in(folder);
    let mut file = temporary.map_err(refused("write in", folder))?;
    let mut writer = std::io::BufWriter::new(file.as_file_mut());
    fill(&mut writer).and_then(|()| writer.flush()).map_err(refused("write", path))?;
    drop(writer);
    file.as_file().sync_data().map_err(refused("write", path))?;
    file.persist(path).map_err(|error| error.error).map_err(refused("write", path))?;
    folders::sync(folder)
}
