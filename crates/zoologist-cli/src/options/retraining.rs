//! Options of `layers --finetune`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use zoologist::extract::training::Mode;
use zoologist::rank::retraining::{Keep, Kind, Retraining};

use super::tuning::TrainingOptions;

/// What is studied by training.
#[derive(Args)]
#[command(next_help_heading = "Studies that train")]
pub struct RetrainingOptions {
    /// Train the network with layers changed: which of them does this task need? (safetensors of a family that is built in)
    #[arg(long, requires = "data")]
    pub finetune: bool,
    /// What is changed: progressive (all but the first blocks), localised (a window, or all but it), order
    #[arg(long, value_name = "STUDY,…", value_delimiter = ',', default_value = "progressive", requires = "finetune")]
    pub study: Vec<Kind>,
    /// What becomes of changed blocks: normal (they start anew), drop (they are taken out), paper-code (as the code of
    /// Tamkin et al. does)
    #[arg(long, value_name = "MODE,…", value_delimiter = ',', default_value = "normal", requires = "finetune")]
    pub mode: Vec<Mode>,
    /// How many blocks are kept: numbers, or `bisect` for the smallest that is enough [default: up to four, evenly spaced]
    #[arg(long, value_name = "N,…", requires = "finetune")]
    pub keep: Option<Keep>,
    /// Samples to learn from [default: a quarter, a half and all]
    #[arg(long, value_name = "N,…", value_delimiter = ',', requires = "finetune", conflicts_with = "samples")]
    pub sizes: Vec<u32>,
    /// How many seeds, each with samples, a head and an order of its own
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=100), requires = "finetune")]
    pub seeds: u16,
    /// Blocks of a window
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..), requires = "finetune")]
    pub window: u16,
    /// A loss up to this is no loss
    #[arg(long, value_name = "SHARE", default_value_t = 0.01, value_parser = super::positive, requires = "finetune")]
    pub delta: f64,
    /// Judge classes by Matthews' correlation, which does not reward naming the commonest
    #[arg(long, requires = "finetune")]
    pub matthews: bool,
    /// How long it may take, as 30m or 2h; what is given up for it is named
    #[arg(long, value_name = "TIME", value_parser = super::duration, requires = "finetune")]
    pub budget: Option<Duration>,
    /// Keep the layers that are kept frozen too: cheaper, and another question
    #[arg(long, requires = "finetune")]
    pub freeze_kept: bool,
    /// Write the model with its last blocks taken out, as few as are enough (or those of --keep N), tuned
    #[arg(long, value_name = "DIR", requires = "finetune")]
    pub export: Option<PathBuf>,
    /// What is set about the trainings
    #[command(flatten)]
    pub training: TrainingOptions,
}

impl RetrainingOptions {
    /// The same for the library; `None` where nothing is to be trained.
    pub fn retraining(&self) -> Option<Retraining> {
        self.finetune.then(|| Retraining {
            kinds: self.study.clone(),
            modes: self.mode.clone(),
            keep: self.keep.clone().unwrap_or(Keep::Usual),
            sizes: self.sizes.iter().map(|&size| size as usize).collect(),
            seeds: usize::from(self.seeds),
            window: usize::from(self.window),
            delta: self.delta,
            matthews: self.matthews,
            budget: self.budget,
            freezes_kept: self.freeze_kept,
            settings: self.training.settings(),
            export: self.export.clone(),
        })
    }
}
