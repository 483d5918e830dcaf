//! Pins: digests that were written down, so that a model that was changed or damaged is noticed.
//!
//! A model folder is pinned by `SHA256SUMS`, in the form of the tool `sha256sum`; a bare file by `sha256` in its
//! sidecar; and any model by `sha256` in `zoo.toml`.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use super::files::{Root, sha256_of_text};
use super::settings::digest;
use super::{Error, Problem};
use crate::base::path_text::show;

/// The name of the file that pins a folder.
pub(super) const SUMS: &str = "SHA256SUMS";

/// The files of a model, relative to its folder, with their digests: the weights first, never empty.
pub(super) struct Digests {
    weights: (PathBuf, String),
    external: Vec<(PathBuf, String)>,
}

/// A digest that is written down for a whole model.
pub(super) struct Pin {
    /// The digest.
    pub expected: String,
    /// What pins it anew.
    pub renew: String,
}

impl Digests {
    /// Reads and hashes the files of a model.
    pub fn of(root: &Root, weights: &Path, external: &[PathBuf]) -> Result<Self, Error> {
        let hashed = |path: &Path| Ok((path.to_path_buf(), root.sha256(path)?));
        Ok(Self {
            weights: hashed(weights)?,
            external: external.iter().map(|path| hashed(path)).collect::<Result<_, Error>>()?,
        })
    }

    fn iter(&self) -> impl Iterator<Item = &(PathBuf, String)> {
        std::iter::once(&self.weights).chain(&self.external)
    }

    /// What `sha256sum` prints for the files.
    pub fn lines(&self) -> String {
        let lines: Vec<String> =
            self.iter().map(|(path, digest)| format!("{digest}  {}\n", path.to_string_lossy())).collect();
        lines.concat()
    }

    /// The digest of the model: that of the weights, or of all lines if there is external data.
    pub fn whole(&self) -> String {
        if self.external.is_empty() { self.weights.1.clone() } else { sha256_of_text(&self.lines()) }
    }

    /// Compares the model with a pin of the whole.
    pub fn check_whole(&self, pin: Pin) -> Result<(), Problem> {
        let more = if self.external.is_empty() { "" } else { " with its external data, as sha256sum lists them," };
        compare(format!("{}{more}", show(&self.weights.0)), self.whole(), pin)
    }

    /// Compares the files with the digests of a `SHA256SUMS`; tells whether all of them stand there.
    pub fn check_sums(&self, root: &Root, sums: &BTreeMap<PathBuf, String>) -> Result<bool, Problem> {
        for (path, found) in self.iter() {
            let Some(expected) = sums.get(path).cloned() else { continue };
            let renew = format!("run `zoologist zoo add {} --force` to pin it anew", show(root.folder()));
            compare(show(path), found.clone(), Pin { expected, renew })?;
        }
        Ok(self.iter().all(|(path, _)| sums.contains_key(path)))
    }
}

fn compare(what: String, found: String, pin: Pin) -> Result<(), Problem> {
    let Pin { expected, renew } = pin;
    if expected == found { Ok(()) } else { Err(Problem::Differs { what, expected, found, renew }) }
}

/// The digests in a folder's `SHA256SUMS`; none if there is no such file.
pub(super) fn sums(root: &Root) -> Result<BTreeMap<PathBuf, String>, Error> {
    let text = root.text(Path::new(SUMS))?.unwrap_or_default();
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(number, line)| {
            let file = root.folder().join(SUMS);
            sum(line).map_err(|problem| Problem::Malformed(format!("line {}: {problem}", number + 1)).at(&file))
        })
        .collect()
}

/// One line: the digest, a blank, a blank or `*`, the path.
fn sum(line: &str) -> Result<(PathBuf, String), Problem> {
    let (hex, path) = line.split_once(' ').unwrap_or((line, ""));
    let path = path.strip_prefix([' ', '*']).unwrap_or(path);
    let path: PathBuf = Path::new(path).components().filter(|part| *part != Component::CurDir).collect();
    if path.as_os_str().is_empty() {
        return Err(Problem::Malformed("is not `digest  path`".into()));
    }
    if !path.components().all(|part| matches!(part, Component::Normal(_))) {
        return Err(Problem::Outside);
    }
    Ok((path, digest(hex)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_as_sha256sum_writes_them() {
        let hex = "AB".repeat(32);
        for (line, path) in [("  onnx/model.onnx", "onnx/model.onnx"), (" *a b.onnx", "a b.onnx"), ("  ./x", "x")] {
            assert_eq!(sum(&format!("{hex}{line}")).unwrap(), (PathBuf::from(path), hex.to_ascii_lowercase()));
        }
    }

    #[test]
    fn a_wrong_line_is_refused() {
        let hex = "ab".repeat(32);
        let cases = [
            (hex.clone(), "is not `digest  path`"),
            (format!("{hex}  ../model.onnx"), "leads out of the model's folder"),
            (format!("{hex}  /etc/passwd"), "leads out of the model's folder"),
            ("12  model.onnx".into(), "sha256 \"12\" is not 64 hexadecimal digits"),
        ];
        for (line, expected) in cases {
            let message = sum(&line).unwrap_err().to_string();
            assert!(message.starts_with(expected), "{message}");
        }
    }
}
