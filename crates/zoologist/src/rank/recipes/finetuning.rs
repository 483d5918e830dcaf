//! Recipes that train the network itself: each training is a worker's, and is kept in the store.

use std::fmt;
use std::path::PathBuf;

use crate::base::Seed;
use crate::extract::launch::Machinery;
use crate::extract::training::{Answers, Keeps, Optimizer, Recipe, TrainingOrder};
use crate::extract::{LayerSet, NetworkPlan, SampleFiles};
use crate::rank::plan::Progress;
use crate::rank::samples::TuningSamples;
use crate::rank::trained::{self, Training};
use crate::rank::tuning::{self, Kind, Settings, Way, largest};
use crate::rank::{Error, Skipped, candidate};
use crate::store::Key;
use crate::zoo::{self, Access, Form, Model, ModelInput, Zoo};

/// Passes through the samples of a full evaluation.
const EPOCHS: usize = 3;
/// Steps of a full evaluation at least.
const LEAST_STEPS: usize = 150;
/// Samples of a step.
const BATCH: usize = 16;

/// How much of a network learns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Share {
    /// The later half of its layers.
    TopHalf,
    /// Everything.
    All,
}

impl fmt::Display for Share {
    fn fmt(&self, into: &mut fmt::Formatter<'_>) -> fmt::Result {
        into.write_str(match self {
            Self::TopHalf => "top half",
            Self::All => "full",
        })
    }
}

/// One training.
pub struct Tuning<'a> {
    /// Of which model: its place.
    pub model: usize,
    /// How much of it learns.
    pub share: Share,
    /// The learning rate of the network; a new head learns at ten times that.
    pub rate: f64,
    /// Rows to learn from.
    pub learned: &'a [usize],
    /// Rows whose classes are wanted.
    pub others: &'a [usize],
}

/// Who trains, and who watches.
#[derive(Clone, Copy)]
pub struct Workers<'a> {
    /// What makes trainings.
    pub machinery: &'a Machinery,
    /// Who watches.
    pub progress: &'a dyn Progress,
}

/// A network that is built in.
struct Network {
    name: String,
    plan: NetworkPlan,
    /// Its layers.
    layers: usize,
}

/// The networks of a zoo that can be trained, and what they are trained on.
pub struct Networks {
    /// One for each model that takes part, if it is built in.
    all: Vec<Option<Network>>,
    files: SampleFiles,
    /// Of the samples.
    digest: String,
    answers: Answers,
    /// Rows that a full evaluation learns from.
    learned: usize,
    seed: Seed,
}

impl Networks {
    /// The networks of these models, each with its number of layers; models without one are named with the reason.
    pub fn of(
        models: &[(String, usize)],
        zoo: &Zoo,
        access: &Access,
        samples: &TuningSamples,
        seed: Seed,
    ) -> (Self, Vec<Skipped>) {
        let (mut all, mut refused) = (vec![], vec![]);
        for (name, layers) in models {
            let model = zoo.models.iter().find(|model| model.name == *name);
            match model.map_or_else(|| Err("it is not in the zoo".to_owned()), |model| native(model, access)) {
                Ok(plan) => all.push(Some(Network { name: name.clone(), plan, layers: *layers })),
                Err(reason) => {
                    refused.push(Skipped { path: name.clone(), reason: format!("not fine-tuned: {reason}") });
                    all.push(None);
                }
            }
        }
        let found = Self {
            all,
            files: samples.job.files.clone(),
            digest: samples.job.digest.clone(),
            answers: trained::answers(&samples.targets),
            learned: samples.learned.len(),
            seed,
        };
        (found, refused)
    }

    /// Whether a model can be trained.
    pub fn has(&self, model: usize) -> bool {
        self.all[model].is_some()
    }

    /// Bytes of the largest one's weights.
    pub fn bytes(&self) -> u64 {
        self.all.iter().flatten().map(|network| network.plan.bytes()).max().unwrap_or(0)
    }

    /// The class of each of the other rows, as far as the network is built in.
    ///
    /// # Errors
    /// What ends a training.
    pub fn predicted(&self, tuning: &Tuning, workers: Workers) -> Result<Option<Vec<u32>>, Error> {
        let Some(network) = &self.all[tuning.model] else { return Ok(None) };
        let mut order = TrainingOrder {
            plan: network.plan.clone(),
            samples: self.files.clone(),
            answers: self.answers.clone(),
            training: tuning.learned.to_vec(),
            validation: vec![],
            judged: tuning.others.to_vec(),
            recipe: self.recipe(tuning, network),
            seed: self.seed,
            threads: workers.machinery.threads_per_worker(),
            keeps: Keeps::Outputs,
            folder: PathBuf::new(),
        };
        let identity = serde_json::json!({
            "network": { "digest": order.plan.digest, "form": order.plan.form, "input": order.plan.input },
            "recipe": order.recipe,
            "answers": order.answers,
            "rows": [&order.training, &order.judged],
        });
        let folder = workers.machinery.store.job(&Key::of(&[
            ("what", "a recipe's training"),
            ("version", env!("CARGO_PKG_VERSION")),
            ("training", &identity.to_string()),
            ("data", &self.digest),
            ("seed", &self.seed.0.to_string()),
        ]))?;
        folder.path().clone_into(&mut order.folder);
        let label = format!("{}: {}, {}, {} samples", network.name, tuning.share, tuning.rate, tuning.learned.len());
        let run = Training { name: &network.name, label: &label, folder: &folder, order: &order };
        trained::trained(&run, workers.machinery, workers.progress)?;
        let outputs = trained::outputs(folder.path())?;
        Ok(Some(outputs.chunks_exact(self.answers.outputs()).map(|row| largest(row) as u32).collect()))
    }

    fn recipe(&self, tuning: &Tuning, network: &Network) -> Recipe {
        let way = match tuning.share {
            Share::TopHalf => Way::Top((network.layers / 2).max(1)),
            Share::All => Way::Full,
        };
        let full = (EPOCHS * self.learned).div_ceil(BATCH).max(LEAST_STEPS);
        let part = tuning.learned.len() as f64 / self.learned as f64;
        let settings = Settings {
            learning_rate: Some(tuning.rate),
            steps: Some(((part * full as f64).round() as usize).max(1)),
            optimizer: Some(Optimizer::Adamw),
            batch: Some(BATCH),
            ..Settings::default()
        };
        let kind = if matches!(network.plan.input, ModelInput::Texts(_)) { Kind::Texts } else { Kind::Pictures };
        tuning::recipe(way, kind, [tuning.learned.len(), 0], &settings)
    }
}

/// How the network of a model is run, if it is one of those that are built in.
fn native(model: &Model, access: &Access) -> Result<NetworkPlan, String> {
    let found = zoo::native(&model.path(), access).map_err(|error| error.to_string())?;
    match found.form {
        Form::Native { .. } => Ok(candidate::plan(&found, LayerSet::Last, None)),
        Form::Onnx | Form::Static => Err("its network is not built in".to_owned()),
    }
}
