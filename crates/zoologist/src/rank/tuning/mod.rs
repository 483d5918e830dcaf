//! `tune`: a model, labelled samples and a way of using the model in; a model folder with a head for these labels out.
//!
//! ```text
//! samples in one order ─► learned from | validation | judged
//!        │
//!        ├─ frozen ways (probe, head, head2toe): features from the store ─► a head ─► judged ─► ONNX with the head
//!        └─ the others: a worker trains a network that is built in ─► weights ─► judged ─► safetensors
//! ```
//!
//! Validation is the last fifth of what a run may learn from: it chooses penalties and layers, and says when to stop. The
//! judged samples (a test split, else the last fifth of the one order) are looked at once, at the end. What was trained is
//! kept in the store under everything that it depends on; a run that was killed goes on from its checkpoint.

mod card;
mod folder;
mod frozen;
mod measure;
mod native;
mod result;
mod settings;
mod teachers;

use std::path::PathBuf;
use std::time::Instant;

pub use folder::refuse_existing;
pub use measure::{judge, judge_named, largest, matthews};
pub use result::{Details, Judgement, Training, Tuned, TunedData, TuningTiming};
pub use settings::{Kind, Settings, Way, recipe};

use super::plan::Progress;
use super::samples::{self, Take, TuningSamples};
use super::{Error, Skipped};
use crate::base::Seed;
use crate::data::TableOptions;
use crate::extract::NetworkPlan;
use crate::extract::launch::Machinery;
use crate::extract::training::Alteration;
use crate::zoo::{Access, ModelInput, TokenPooling};

/// What to tune, and how.
#[derive(Debug, Clone)]
pub struct TunePlan {
    /// The model.
    pub model: PathBuf,
    /// The data set.
    pub data: PathBuf,
    /// How to read it, where it is a table.
    pub table: TableOptions,
    /// The way.
    pub way: Way,
    /// Learn from, and judge where there is no test split, a seeded stratified sample of so many.
    pub samples: Option<usize>,
    /// How the states of a text's tokens are pooled, if not as the model says.
    pub pooling: Option<TokenPooling>,
    /// What a person set.
    pub settings: Settings,
    /// What is done to the network's blocks before all of it is trained: for [`Way::Full`].
    pub alteration: Option<Alteration>,
    /// The zoo of teachers, for [`Way::Btune`].
    pub teachers: Option<PathBuf>,
    /// The folder to write; it must not exist. `None`: only measure.
    pub output: Option<PathBuf>,
    /// Whether the network is written as an ONNX file too, for the ways that train it.
    pub graph: bool,
    /// Fixes everything random.
    pub seed: Seed,
    /// Fixes the training alone, where it is to differ on the same samples.
    pub training_seed: Option<Seed>,
}

/// What a way came to, before it is written.
struct Found {
    /// The model's name.
    name: String,
    /// Outputs for the judged samples, row after row.
    outputs: Vec<f64>,
    /// On the validation samples, in the metric that chooses.
    validation: f64,
    /// Samples that could not be used, by row.
    unreadable: Vec<(usize, String)>,
    details: result::Details,
    /// Seconds of the training or of the feature pass when it was made.
    seconds: f64,
    product: Product,
}

/// What can be written.
enum Product {
    /// A head for the features of a model that stays as it is.
    Head(Box<frozen::Head>),
    /// New weights of a network that is built in.
    Weights(Box<native::Weights>),
}

/// Tunes a model.
pub fn run(plan: &TunePlan, access: &Access, machinery: &Machinery, progress: &dyn Progress) -> Result<Tuned, Error> {
    let begun = Instant::now();
    folder::refuse_existing(plan.output.as_deref())?;
    let samples = samples::for_tuning(&plan.data, &plan.table, Take::up_to(plan.samples), plan.seed, &machinery.store)?;
    samples.job.dataset.notes.iter().for_each(|note| progress.say(note));
    let work = Work { plan, access, machinery, progress, samples: &samples };
    let found = if plan.way.is_frozen() { frozen::run(&work)? } else { native::run(&work)? };
    let judged: Vec<usize> = without(&samples.judged, &found.unreadable);
    let judgement = measure::judge(&samples.targets, &judged, &found.outputs);
    let mut tuned = Tuned {
        schema: 1,
        model: found.name.clone(),
        way: plan.way.to_string(),
        task: samples.targets.task(),
        data: TunedData::of(plan, &samples, &found.unreadable, judged.len()),
        judgement,
        validation: found.validation,
        details: found.details.clone(),
        seed: plan.seed,
        output: None,
        files: vec![],
        skipped: skipped(&samples, &found.unreadable),
        timing: TuningTiming { seconds: 0.0, training_seconds: found.seconds, threads: machinery.threads },
    };
    if let Some(output) = &plan.output {
        tuned.files = folder::write(output, &work, &found, &tuned)?;
        tuned.output = Some(crate::base::path_text::show(output));
    }
    tuned.timing.seconds = begun.elapsed().as_secs_f64();
    Ok(tuned)
}

/// What a way works with.
struct Work<'a> {
    plan: &'a TunePlan,
    access: &'a Access<'a>,
    machinery: &'a Machinery,
    progress: &'a dyn Progress,
    samples: &'a TuningSamples,
}

/// Rows but those that can't be read.
pub(super) fn without(rows: &[usize], unreadable: &[(usize, String)]) -> Vec<usize> {
    rows.iter().copied().filter(|row| unreadable.iter().all(|(bad, _)| bad != row)).collect()
}

/// A model run as the settings say: pictures of another size, texts cut shorter.
pub(super) fn settings_of(mut plan: NetworkPlan, settings: &Settings) -> NetworkPlan {
    match &mut plan.input {
        ModelInput::Pictures(how) => {
            if let Some(edge) = settings.size {
                *how = how.resized(edge);
            }
        }
        ModelInput::Texts(texts) => {
            if let Some(length) = settings.length {
                texts.max_tokens = Some(texts.max_tokens.unwrap_or(usize::MAX).min(length as usize));
            }
        }
    }
    plan
}

pub(super) fn skipped(samples: &TuningSamples, unreadable: &[(usize, String)]) -> Vec<Skipped> {
    let files = samples.job.dataset.skipped.iter();
    let files =
        files.map(|(path, reason)| Skipped { path: crate::base::path_text::show(path), reason: reason.clone() });
    let rows = unreadable
        .iter()
        .map(|(row, reason)| Skipped { path: samples.job.dataset.inputs.describe(*row), reason: reason.clone() });
    files.chain(rows).collect()
}
