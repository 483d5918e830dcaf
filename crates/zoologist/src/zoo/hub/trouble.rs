//! Why a name of the hub can't be resolved, and what to do about it.

use std::path::Path;

use super::Name;
use crate::base::Fault;
use crate::base::path_text::escape;
use crate::zoo::{Error, Problem};

/// What is wrong. The text continues a sentence that begins with the name, and has no full stop.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// Not a name at all.
    #[error("is not a name of the hub: write it as org/name, perhaps with @revision")]
    Malformed,
    /// The environment names no cache.
    #[error("there is no place for the Hugging Face cache. Set HF_HUB_CACHE or HOME")]
    NoCache,
    /// Never fetched.
    #[error(
        "not in the Hugging Face cache, and no network is allowed. Run without --offline and HF_HUB_OFFLINE, or fetch \
         it with `{fetch}`"
    )]
    NotCached {
        /// The command that fetches it.
        fetch: String,
    },
    /// Fetched in part.
    #[error(
        "in the Hugging Face cache without {}, and no network is allowed. Run without --offline and HF_HUB_OFFLINE, or \
         fetch it with `{fetch}`",
        escape(lacking)
    )]
    Incomplete {
        /// What is missing.
        lacking: String,
        /// The command that fetches it.
        fetch: String,
    },
    /// The hub has nothing of that name.
    #[error("the hub has no such model or revision (404). Check the spelling")]
    NotFound,
    /// The hub does not say whether there is such a model.
    #[error(
        "the hub does not show it (401): there is no such model, or it is private or gated. Check the spelling, or set \
         HF_TOKEN to a token that may read it"
    )]
    Unauthorised,
    /// The hub has it, but not for everybody.
    #[error(
        "the hub refuses it (403): it is private or gated. Accept its terms on its page and set HF_TOKEN to a token \
         that may read it"
    )]
    Forbidden,
    /// Nothing there is ever run.
    #[error(
        "the hub has neither onnx/model.onnx nor model.onnx nor model.safetensors of it{}. Export it with \
         `python tools/export.py {library} {repository} -o FOLDER`",
        only(pickle.as_deref())
    )]
    NoWeights {
        /// `timm` or `transformers`.
        library: &'static str,
        /// The name without its revision.
        repository: String,
        /// A pickle that is there instead.
        pickle: Option<String>,
    },
    /// An answer that a hub does not give.
    #[error("the hub's answer can't be used: {}. Check HF_ENDPOINT", escape(_0))]
    Strange(String),
    /// No connection, or no answer.
    #[error("the hub can't be reached: {}. Check the network and HF_ENDPOINT, and run again", escape(_0))]
    Unreachable(String),
    /// The hub is in difficulties.
    #[error("the hub answers with status {0}. Run again later")]
    Status(u16),
    /// A file that did not arrive whole.
    #[error("{file} did not arrive whole: {}. Run again", escape(reason))]
    Broken {
        /// The file.
        file: String,
        /// What happened.
        reason: String,
    },
    /// The user asked to stop.
    #[error("stopped while it was fetched")]
    Interrupted,
}

fn only(pickle: Option<&str>) -> String {
    let pickle = pickle.map(|file| format!(", only pickles such as {}, which are never loaded", escape(file)));
    pickle.unwrap_or_default()
}

impl Trouble {
    /// This trouble with this name.
    pub(super) fn of(self, name: &Name) -> Error {
        self.at(&name.text)
    }

    /// This trouble with what may not even be a name.
    pub(in crate::zoo) fn at(self, name: &str) -> Error {
        Problem::Hub { nor_a_path: false, trouble: self }.at(Path::new(name))
    }

    /// Its kind: what the hub says of a model is about the input, the rest about the network.
    pub(in crate::zoo) fn fault(&self) -> Fault {
        match self {
            Self::NoCache | Self::Unreachable(_) | Self::Status(_) | Self::Broken { .. } => Fault::Environment,
            Self::Interrupted => Fault::Interrupted,
            _ => Fault::Input,
        }
    }
}
