//! What can be wrong with a zoo or with one of its models, and what to do about it.

use std::io;
use std::path::{Path, PathBuf};

use super::hub::Trouble;
use super::preset;
use crate::base::path_text::{escape, show};
use crate::base::{Fail, Fault};

/// What comes before the trouble with a name that could also have been a path.
const NO_PATH: &str = "there is no such file or folder here, and as a name of the Hugging Face hub: ";

/// Why a zoo, a model or one of its files can't be used: where, and what is wrong there.
#[derive(Debug, thiserror::Error)]
#[error("{}: {problem}.", show(path))]
pub struct Error {
    /// The file or folder; for a hub name that can't be resolved, that name.
    pub path: PathBuf,
    /// What is wrong with it, and what to do.
    pub problem: Problem,
}

/// What is wrong. The text continues a sentence that begins with the path, and has no full stop.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// Nothing is at that path.
    #[error("there is no such file or folder. Check the spelling of the path")]
    Missing,
    /// The machine refused to read.
    #[error("can't be read: {0}")]
    Read(io::Error),
    /// The machine refused to write.
    #[error("can't be written: {0}")]
    Write(io::Error),
    /// A device, a pipe or a folder where a file is needed.
    #[error("is not a regular file")]
    NotRegular,
    /// A path or a link that leads out of the model's folder.
    #[error("leads out of the model's folder. Copy the file into the folder: no other place is read")]
    Outside,
    /// A file of settings that is far larger than any should be.
    #[error("is larger than 4 MiB, which no file of settings is. Give the right file")]
    TooLarge,
    /// A placeholder of Git LFS where the weights should be.
    #[error("is a placeholder of Git LFS, not the weights. Fetch them with `git lfs pull`")]
    Placeholder,
    /// A file whose content is wrong.
    #[error("{0}")]
    Malformed(String),
    /// Pictures are prepared in a way that is not described here.
    #[error(
        "{0}: pictures would be prepared wrongly. Export the model with tools/export.py, or write the steps as a \
         sidecar with `zoologist zoo add FILE.onnx --preprocess …`"
    )]
    Unrepeatable(String),
    /// No model, and nothing that looks like one.
    #[error(
        "no model found here. Run `zoologist zoo add FILE.onnx --preprocess imagenet` for a bare ONNX file, or make a \
         model folder with tools/export.py"
    )]
    NoModel,
    /// A model that is wanted by its safetensors and can't be read so.
    #[error(
        "can't be trained here: that needs a model.safetensors of BERT, RoBERTa, DistilBERT, MPNet (config.json: \
         model_type), or of EfficientNet-Lite, MobileNetV2, ResNet or ViT under timm's names (config.json: architecture)"
    )]
    NotNative,
    /// A file that is no model.
    #[error("is not a model. Give a model folder, an .onnx file, a folder of them, or a zoo.toml")]
    NotAModel,
    /// A model folder without weights.
    #[error("holds no weights: looked for onnx/model.onnx and model.onnx")]
    NoWeights,
    /// Several ONNX files, none of which is `model.onnx`.
    #[error("which file holds the model: {}? Name one of them model.onnx", _0.join(", "))]
    Several(Vec<String>),
    /// Weights as safetensors only.
    #[error(
        "only safetensors weights, of a family that is not read natively; export it to ONNX with `python tools/export.py {library} {} -o OUT`",
        show(path)
    )]
    OnlySafetensors {
        /// `timm` or `transformers`.
        library: &'static str,
        /// The model folder.
        path: PathBuf,
    },
    /// A pickle.
    #[error(
        "{}is a pickle, which is never loaded, because loading a pickle can run code. Export the model to ONNX with \
         tools/export.py; it reads safetensors, so save the weights in that form first, where you trust them",
        named(file)
    )]
    Pickle {
        /// The pickle within the folder; empty if the path itself is one.
        file: PathBuf,
    },
    /// Weights of Keras or TensorFlow.
    #[error("{}holds weights of Keras or TensorFlow: this build runs ONNX. Convert them with tf2onnx", named(file))]
    Foreign {
        /// The file within the folder; empty if the path itself is one.
        file: PathBuf,
    },
    /// Word vectors without words.
    #[error(
        "holds vectors, but nothing says which words they belong to: put the tokenizer.json, or a words.txt with one word a line, beside them"
    )]
    NoVocabulary,
    /// A model folder that doesn't say how pictures are to be prepared.
    #[error(
        "does not say how pictures are to be prepared: add a preprocessor_config.json, or run `zoologist zoo add {} \
         --preprocess {}`",
        show(weights),
        preset::names("|")
    )]
    NoPreprocessing {
        /// The weights' path.
        weights: PathBuf,
    },
    /// A bare ONNX file without a sidecar.
    #[error(
        "does not say how pictures are to be prepared. Run `zoologist zoo add {} --preprocess {}`",
        show(file),
        preset::names("|")
    )]
    NoSidecar {
        /// The ONNX file.
        file: PathBuf,
    },
    /// A pin that differs.
    #[error(
        "sha256 of {what} is {found}, pinned is {expected}: the file was changed or is damaged. Fetch it again, or, if \
         the change is meant, {renew}"
    )]
    Differs {
        /// The file, relative to the model's folder.
        what: String,
        /// The digest that is pinned.
        expected: String,
        /// The digest of the file.
        found: String,
        /// What pins it anew.
        renew: String,
    },
    /// A name of the hub that can't be resolved.
    #[error("{}{trouble}", if *nor_a_path { NO_PATH } else { "" })]
    Hub {
        /// Whether the name was given where a path may stand too.
        nor_a_path: bool,
        /// What is wrong with it.
        trouble: Trouble,
    },
    /// Two models of one name.
    #[error("has the same name, {}, as {}. Rename one of them", escape(name), show(first))]
    Doubled {
        /// The name.
        name: String,
        /// The model that has the name already.
        first: PathBuf,
    },
    /// A file that would be overwritten.
    #[error("exists already. Use --force to overwrite it")]
    Exists,
    /// A size for pictures that are not resized.
    #[error("the preset none feeds pictures as they are. Drop --size")]
    SizeOfNone,
}

fn named(file: &Path) -> String {
    if file.as_os_str().is_empty() { String::new() } else { format!("{} ", show(file)) }
}

impl Problem {
    /// This problem at this path.
    pub(super) fn at(self, path: &Path) -> Error {
        Error { path: path.to_path_buf(), problem: self }
    }

    /// Content that is wrong; control characters are escaped.
    pub(super) fn malformed(problem: impl AsRef<str>) -> Self {
        Self::Malformed(escape(problem.as_ref()))
    }
}

impl Error {
    /// Turns what went wrong while reading `path` into an error that names it.
    pub(super) fn reading(path: &Path) -> impl Fn(io::Error) -> Self {
        move |source| match source.kind() {
            io::ErrorKind::NotFound => Problem::Missing.at(path),
            _ => Problem::Read(source).at(path),
        }
    }

    /// Turns what went wrong while writing `path` into an error that names it.
    pub(super) fn writing(path: &Path) -> impl Fn(io::Error) -> Self {
        move |source| match source.kind() {
            io::ErrorKind::AlreadyExists => Problem::Exists.at(path),
            _ => Problem::Write(source).at(path),
        }
    }
}

impl Fail for Error {
    fn fault(&self) -> Fault {
        match &self.problem {
            Problem::Read(source) => Fault::of_reading(source),
            Problem::Write(_) => Fault::Environment,
            Problem::Exists | Problem::SizeOfNone => Fault::Usage,
            Problem::Hub { trouble, .. } => trouble.fault(),
            _ => Fault::Input,
        }
    }
}
