//! Finding the ONNX file of a model folder, and the files that may hold its external data.
//!
//! Only names are looked at. Weights in other formats are recognised by their extension, so that the refusal can say
//! what to do; none of them is opened.

use std::path::{Path, PathBuf};

use super::files::{Root, extension};
use super::{Error, Problem};

/// Where the weights stand by convention, the best first (Optimum, Transformers.js).
const USUAL: [&str; 2] = ["onnx/model.onnx", "model.onnx"];
/// Pickles: PyTorch's files, and plain ones.
const PICKLES: [&str; 7] = ["pt", "pth", "bin", "ckpt", "pkl", "pickle", "joblib"];
/// Keras and TensorFlow.
const FOREIGN: [&str; 5] = ["h5", "keras", "hdf5", "pb", "tflite"];

/// What a file's extension says about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Onnx,
    Safetensors,
    Pickle,
    /// Keras or TensorFlow.
    Foreign,
    /// Words and their vectors, one a line, as GloVe's and fastText's files.
    Words,
    /// A NumPy array.
    Array,
    Other,
}

impl Kind {
    /// The kind of a file of that name.
    pub fn of(path: &Path) -> Self {
        // Archives of PyTorch's first years.
        let stem = extension(&path.with_extension(""));
        match extension(path).as_str() {
            "tar" if PICKLES.contains(&stem.as_str()) => Self::Pickle,
            "onnx" => Self::Onnx,
            "safetensors" => Self::Safetensors,
            other if PICKLES.contains(&other) => Self::Pickle,
            "vec" => Self::Words,
            "txt" if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("glove")) => Self::Words,
            "npy" => Self::Array,
            other if FOREIGN.contains(&other) => Self::Foreign,
            _ => Self::Other,
        }
    }
}

/// The weights of a model folder, relative to it: `onnx/model.onnx`, else `model.onnx`, else the only `.onnx` file in the
/// folder or in `onnx/`. Variants beside a `model.onnx` (quantised ones and the like) are ignored.
pub(super) fn find(root: &Root, library: &'static str) -> Result<PathBuf, Error> {
    for usual in USUAL.map(PathBuf::from) {
        if root.find(&usual)?.is_some() {
            return Ok(usual);
        }
    }
    let mut names = root.names(Path::new(""))?;
    names.extend(root.names(Path::new("onnx"))?.iter().map(|name| Path::new("onnx").join(name)));
    let found: Vec<&PathBuf> = names.iter().filter(|name| Kind::of(name) == Kind::Onnx).collect();
    match found[..] {
        [only] => root.find(only).map(|_| only.clone()),
        [] => Err(without_onnx(&names, root.folder(), library).at(root.folder())),
        _ => {
            Err(Problem::Several(found.iter().map(|name| crate::base::path_text::show(name)).collect())
                .at(root.folder()))
        }
    }
}

/// Whether there is an ONNX file where [`find`] looks.
pub(super) fn has_onnx(root: &Root) -> Result<bool, Error> {
    let onnx =
        |folder: &str| root.names(Path::new(folder)).map(|names| names.iter().any(|name| Kind::of(name) == Kind::Onnx));
    Ok(onnx("")? || onnx("onnx")?)
}

/// Whether an ONNX file has a sidecar.
pub(super) fn has_sidecar(root: &Root) -> Result<bool, Error> {
    for folder in ["", "onnx"].map(Path::new) {
        for name in root.names(folder)?.iter().filter(|name| Kind::of(name) == Kind::Onnx) {
            if root.find(&super::sidecar::beside(&folder.join(name)))?.is_some() {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// The table of static embeddings in a folder of the model: `model.safetensors`, else the only file of safetensors, else
/// of words and vectors, else the only NumPy array. `None` if there is none.
pub(super) fn table(root: &Root, home: &Path) -> Result<Option<PathBuf>, Error> {
    let usual = home.join("model.safetensors");
    if root.find(&usual)?.is_some() {
        return Ok(Some(usual));
    }
    let names = root.names(home)?;
    for kind in [Kind::Safetensors, Kind::Words, Kind::Array] {
        let found: Vec<&PathBuf> = names.iter().filter(|name| Kind::of(name) == kind).collect();
        match found[..] {
            [] => {}
            [only] => {
                let path = home.join(only);
                return root.find(&path).map(|_| Some(path));
            }
            _ => {
                let names = found.iter().map(|name| crate::base::path_text::show(name)).collect();
                return Err(Problem::Several(names).at(root.folder()));
            }
        }
    }
    Ok(None)
}

/// The folder of a bare file, and the file's name there.
pub(super) fn home_of(file: &Path) -> Result<(Root, PathBuf), Error> {
    let name = PathBuf::from(file.file_name().unwrap_or_default());
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let root = Root::new(folder)?;
    root.find(&name).map(|_| (root, name))
}

/// Why a folder without an ONNX file can't be used.
fn without_onnx(names: &[PathBuf], folder: &Path, library: &'static str) -> Problem {
    let first = |kind| names.iter().find(|name| Kind::of(name) == kind).cloned();
    if first(Kind::Safetensors).is_some() {
        Problem::OnlySafetensors { library, path: folder.to_path_buf() }
    } else if let Some(file) = first(Kind::Pickle) {
        Problem::Pickle { file }
    } else if let Some(file) = first(Kind::Foreign) {
        Problem::Foreign { file }
    } else {
        Problem::NoWeights
    }
}

/// The files beside the weights that may hold their external data, relative to the root. In a folder of the weights'
/// own (`onnx/`) that is every file that is neither another network nor text. Elsewhere it is those whose name begins
/// with the weights' whole name (`model.onnx_data`, `model.onnx.data`), and `model.data`, `model.weights` and
/// `model.bin` beside `model.onnx`. Nothing else is part of the model, so the worker must not read it.
pub(super) fn external(root: &Root, weights: &Path) -> Result<Vec<PathBuf>, Error> {
    let folder = weights.parent().unwrap_or(Path::new(""));
    let name = weights.file_name().unwrap_or_default().to_string_lossy();
    let belongs = |other: &PathBuf| {
        let continued = other.to_string_lossy().strip_prefix(&*name).is_some_and(|rest| rest.starts_with(['.', '_']));
        let same_stem = other.file_stem() == weights.file_stem();
        let own_folder = folder != Path::new("") && !is_text(other);
        Kind::of(other) != Kind::Onnx && (own_folder || continued || same_stem && is_data(other))
    };
    let names = root.names(folder)?;
    let paths = names.iter().filter(|name| belongs(name)).map(|name| folder.join(name));
    paths.map(|path| root.find(&path).map(|_| path)).collect()
}

fn is_text(path: &Path) -> bool {
    ["json", "toml", "txt", "md"].contains(&extension(path).as_str())
}

fn is_data(path: &Path) -> bool {
    ["data", "weights", "bin"].contains(&extension(path).as_str())
}
