//! Opening the files of a model in the worker. The zoo looked at them already; it is looked again where they are read.

use std::io;
use std::path::{Path, PathBuf};

use super::onnx::ModelError;
use crate::base::Enclosure;
use crate::base::path_text::show;

/// The full path of a regular file beneath the model's folder, links followed.
pub(super) fn checked(folder: &Path, file: &Path) -> Result<PathBuf, ModelError> {
    let path = folder.join(file);
    let read = |source| ModelError::Read { path: path.clone(), source };
    if !Enclosure::new(folder).and_then(|enclosure| enclosure.holds(&path)).map_err(read)? {
        return Err(ModelError::Escapes(show(file)));
    }
    // Opening a pipe would wait for ever.
    if !std::fs::metadata(&path).map_err(read)?.is_file() {
        return Err(read(io::Error::new(io::ErrorKind::InvalidInput, "is not a regular file")));
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_outside_or_no_regular_file_is_refused() {
        let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::fs::write(folder.path().join("weights"), "w").unwrap();
        std::fs::write(other.path().join("weights"), "w").unwrap();
        std::os::unix::fs::symlink(other.path().join("weights"), folder.path().join("link")).unwrap();
        std::fs::create_dir(folder.path().join("sub")).unwrap();
        let refusal = |file: &str| checked(folder.path(), Path::new(file)).map_err(|error| error.to_string());
        assert_eq!(refusal("weights"), Ok(folder.path().join("weights")));
        assert!(refusal("link").unwrap_err().contains("refused"));
        assert!(refusal("/dev/zero").unwrap_err().contains("refused"));
        assert!(refusal("sub").unwrap_err().contains("is not a regular file"));
    }
}
