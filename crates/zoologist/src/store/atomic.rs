//! Writing a file whole or not at all.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use super::{Error, refused};

/// Writes a file through a temporary one in the same folder: synced, then renamed, then the folder synced. Whoever
/// reads sees the old file or the new one.
pub fn write(path: &Path, fill: impl FnOnce(&mut dyn Write) -> std::io::Result<()>) -> Result<(), Error> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    let mut file = tempfile::Builder::new().prefix(".new-").tempfile_in(folder).map_err(refused("write in", folder))?;
    let mut writer = std::io::BufWriter::new(file.as_file_mut());
    fill(&mut writer).and_then(|()| writer.flush()).map_err(refused("write", path))?;
    drop(writer);
    file.as_file().sync_data().map_err(refused("write", path))?;
    file.persist(path).map_err(|error| error.error).map_err(refused("write", path))?;
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(refused("write in", folder))
}
