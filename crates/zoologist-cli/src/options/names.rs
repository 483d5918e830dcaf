//! What may be chosen by name on the command line, and the same for the library.

use clap::ValueEnum;
use zoologist::base::Task;
use zoologist::rank::{Budget, Layers, TruthKind};
use zoologist::score::KnnTies;
use zoologist::vet::Severity;
use zoologist::zoo::TokenPooling;

/// How much is spent on models that do badly.
#[derive(Clone, Copy, ValueEnum)]
pub enum BudgetName {
    /// Race if there are more than four models
    Auto,
    /// Every model sees every sample
    Full,
    /// Models that can't win stop early
    Race,
}

impl BudgetName {
    /// The same for the library.
    pub fn budget(self) -> Budget {
        match self {
            Self::Auto => Budget::Auto,
            Self::Full => Budget::Full,
            Self::Race => Budget::Race,
        }
    }
}

/// How bad a finding is.
#[derive(Clone, Copy, ValueEnum)]
pub enum SeverityName {
    /// Worth knowing
    Info,
    /// Seldom matters
    Low,
    /// Results may be worse
    Medium,
    /// Results will be wrong
    High,
    /// Not to be used
    Fatal,
}

impl SeverityName {
    /// The same for the library.
    pub fn severity(self) -> Severity {
        match self {
            Self::Info => Severity::Info,
            Self::Low => Severity::Low,
            Self::Medium => Severity::Medium,
            Self::High => Severity::High,
            Self::Fatal => Severity::Fatal,
        }
    }
}

/// Which layers' features are scored.
#[derive(Clone, Copy, ValueEnum)]
pub enum LayersName {
    /// The last layer
    Last,
    /// The mean over all layers but the embeddings, which must be equally wide
    Mean,
    /// The layer that scores best
    Best,
    /// All layers side by side
    All,
}

impl LayersName {
    /// The same for the library.
    pub fn layers(self) -> Layers {
        match self {
            Self::Last => Layers::Last,
            Self::Mean => Layers::Mean,
            Self::Best => Layers::Best,
            Self::All => Layers::All,
        }
    }
}

/// How the states of a text's tokens become one vector.
#[derive(Clone, Copy, ValueEnum)]
pub enum PoolingName {
    /// The first token
    Cls,
    /// The mean over all tokens
    Mean,
    /// The largest value of each dimension
    Max,
    /// The last token
    Last,
    /// The mean over words, each the mean of its tokens, without special tokens (as transformer-ranker)
    Words,
}

impl PoolingName {
    /// The same for the library.
    pub fn pooling(self) -> TokenPooling {
        match self {
            Self::Cls => TokenPooling::Cls,
            Self::Mean => TokenPooling::Mean,
            Self::Max => TokenPooling::Max,
            Self::Last => TokenPooling::Last,
            Self::Words => TokenPooling::Words,
        }
    }
}

/// What counts as the truth.
#[derive(Clone, Copy, ValueEnum)]
pub enum TruthName {
    /// The held-out accuracy of a logistic probe; for numbers, Pearson's r of a ridge regression
    Probe,
    /// The held-out accuracy of a head with one hidden layer on each model's best layer
    Head,
    /// The held-out accuracy of each model fine-tuned as a whole, as far as its network is built in
    Full,
}

impl TruthName {
    /// The same for the library.
    pub fn kind(self) -> TruthKind {
        match self {
            Self::Probe => TruthKind::Probe,
            Self::Head => TruthKind::Head,
            Self::Full => TruthKind::Full,
        }
    }
}

/// What runs the models.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RuntimeName {
    /// ONNX Runtime if its library is found, else rten
    Auto,
    /// The built-in runtime
    Rten,
    /// ONNX Runtime: its library is looked for in `ZOOLOGIST_ONNXRUNTIME`, `ORT_DYLIB_PATH` and the active Python
    Onnxruntime,
}

/// What probes a layer.
#[derive(Clone, Copy, ValueEnum)]
pub enum ProbeName {
    /// Ridge regression, left-one-out quality in closed form
    Ridge,
    /// Logistic regression, held-out accuracy over five folds
    Logistic,
}

impl ProbeName {
    /// The metric's name.
    pub fn metric(self) -> &'static str {
        match self {
            Self::Ridge => "ridge",
            Self::Logistic => "logistic",
        }
    }
}

/// Who wins a tied vote.
#[derive(Clone, Copy, ValueEnum)]
pub enum KnnTiesName {
    /// The tied class whose neighbour is nearest
    Nearest,
    /// The tied class that stands first, as in transformer-ranker
    SmallestLabel,
}

impl KnnTiesName {
    /// The same for the library.
    pub fn ties(self) -> KnnTies {
        match self {
            Self::Nearest => KnnTies::Nearest,
            Self::SmallestLabel => KnnTies::SmallestLabel,
        }
    }
}

/// How features are scaled.
#[derive(Clone, Copy, ValueEnum)]
pub enum Normalization {
    /// To unit trace of their covariance
    Trace,
}

/// The task, or that it is to be detected.
#[derive(Clone, Copy, ValueEnum)]
pub enum TaskName {
    /// Detect it from the labels
    Auto,
    /// One class per sample
    Classification,
    /// Numbers
    Regression,
    /// Several yes/no labels
    Multilabel,
}

impl TaskName {
    /// The task that was asked for.
    pub fn task(self) -> Option<Task> {
        match self {
            Self::Auto => None,
            Self::Classification => Some(Task::Classification),
            Self::Regression => Some(Task::Regression),
            Self::Multilabel => Some(Task::Multilabel),
        }
    }
}
