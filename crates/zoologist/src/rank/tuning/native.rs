//! The ways that train a network which is built in: a worker does it, its folder in the store keeps what it needs to go
//! on, and what came of it. A probe comes here too where there is no graph to keep its head in: a training of no step.

use std::path::{Path, PathBuf};

use safetensors::SafeTensors;
use serde::{Deserialize, Serialize};

use super::result::{Details, Training};
use super::settings::{Kind, recipe};
use super::{Found, Product, Way, Work, frozen, teachers, without};
use crate::base::{Fail, Fault, Targets};
use crate::extract::launch::{self, LaunchError};
use crate::extract::training::{Answers, OUTPUTS, Recipe, TrainingOrder, TrainingOutcome, WEIGHTS};
use crate::extract::{LayerSet, NetworkPlan, PortablePath};
use crate::rank::features::Watch;
use crate::rank::layers::View;
use crate::rank::{Error, candidate};
use crate::score::linear_head::{self, Last};
use crate::store::{JobFolder, Key};
use crate::zoo::{self, Model, ModelInput};

/// Trained weights.
pub struct Weights {
    /// The model that they began as.
    pub model: Model,
    /// How it is run.
    pub plan: NetworkPlan,
    /// The file.
    pub file: PathBuf,
}

/// The name of what came of a training, in its folder.
const OUTCOME: &str = "training";
/// Its files.
const FILES: [&str; 2] = [WEIGHTS, OUTPUTS];

/// Trains a network.
pub fn run(work: &Work) -> Result<Found, Error> {
    let model = zoo::native(&work.plan.model, work.access)?;
    model.notes.iter().for_each(|note| work.progress.say(note));
    let plan = super::settings_of(candidate::plan(&model, LayerSet::Last, work.plan.pooling), &work.plan.settings);
    if plan.input.noun() != work.samples.job.dataset.inputs.noun() {
        let reasons = format!("it takes {}, and the samples are others", plan.input.noun());
        return Err(Error::NoModel { path: model.name, reasons, fault: Fault::Input });
    }
    let kind = if matches!(plan.input, ModelInput::Texts(_)) { Kind::Texts } else { Kind::Pictures };
    let mut recipe =
        recipe(work.plan.way, kind, [work.samples.learned.len(), work.samples.validation.len()], &work.plan.settings);
    let mut details = Details::default();
    let begins_with_probe = matches!(work.plan.way, Way::LpFt | Way::Probe);
    let fitted = begins_with_probe.then(|| fitted_head(&model.name, &plan, work)).transpose()?;
    let (head, of_head) = fitted.unzip();
    if work.plan.way == Way::Btune {
        let (taught, named) = teachers::of(&model, &plan, work)?;
        (recipe.teachers, details.teachers) = (Some(taught), named);
    }
    let folder = work.machinery.store.job(&key(&plan, &recipe, head.as_deref(), work))?;
    if let Some(head) = head {
        let path = folder.path().join("head.safetensors");
        crate::store::write_whole(&path, |file| file.write_all(&head))?;
        recipe.head = Some(PortablePath(path));
    }
    let order = order(&plan, recipe, &folder, work);
    let outcome = trained(&model.name, &folder, &order, work)?;
    let judged = without(&work.samples.judged, &outcome.unreadable);
    let outputs = outputs(&folder.path().join(OUTPUTS))?;
    let best = outcome.curve.iter().find(|checkup| checkup.step == outcome.best_step);
    // A probe's head has seen the validation samples in the end.
    let of_head = of_head.filter(|_| work.plan.way == Way::Probe);
    let validation = of_head.unwrap_or_else(|| best.map_or(0.0, |checkup| checkup.validation_score));
    details.training = Some(Training::of(&outcome));
    // Where files are is nobody's business.
    details.recipe = Some(Recipe { head: None, teachers: None, ..order.recipe });
    debug_assert_eq!(judged.len() * order.answers.outputs(), outputs.len());
    let weights = Weights { model: model.clone(), plan, file: folder.path().join(WEIGHTS) };
    Ok(Found {
        name: model.name,
        outputs,
        validation,
        unreadable: outcome.unreadable,
        seconds: outcome.seconds,
        details,
        product: Product::Weights(Box::new(weights)),
    })
}

/// Everything that the weights depend on.
fn key(plan: &NetworkPlan, recipe: &Recipe, head: Option<&[u8]>, work: &Work) -> Key {
    let identity = serde_json::json!({
        "network": { "digest": plan.digest, "form": plan.form, "input": plan.input },
        "recipe": Recipe { teachers: None, ..recipe.clone() },
    });
    let head = head.map(|head| blake3::hash(head).to_hex().to_string()).unwrap_or_default();
    let taught = recipe.teachers.as_ref().map(|teachers| {
        std::fs::read(&teachers.file.0).map(|bytes| blake3::hash(&bytes).to_hex().to_string()).unwrap_or_default()
    });
    let parts = [
        ("what", "training"),
        ("version", env!("CARGO_PKG_VERSION")),
        ("training", &identity.to_string()),
        ("head", &head),
        ("teachers", &taught.unwrap_or_default()),
        ("data", &work.samples.job.digest),
        (
            "rows",
            &format!("{:?}", [work.samples.learned.len(), work.samples.validation.len(), work.samples.judged.len()]),
        ),
        ("labels", &labels_digest(&work.samples.targets)),
        ("seed", &work.plan.seed.0.to_string()),
    ];
    Key::of(&parts)
}

fn labels_digest(targets: &Targets) -> String {
    let answers = answers(targets);
    blake3::hash(serde_json::to_string(&answers).unwrap_or_default().as_bytes()).to_hex().to_string()
}

fn order(plan: &NetworkPlan, recipe: Recipe, folder: &JobFolder, work: &Work) -> TrainingOrder {
    TrainingOrder {
        plan: plan.clone(),
        samples: work.samples.job.files.clone(),
        answers: answers(&work.samples.targets),
        training: work.samples.learned.clone(),
        validation: work.samples.validation.clone(),
        judged: work.samples.judged.clone(),
        recipe,
        seed: work.plan.seed,
        threads: work.machinery.threads_per_worker(),
        folder: folder.path().to_owned(),
    }
}

/// Targets as a training takes them.
pub fn answers(targets: &Targets) -> Answers {
    let table = |columns: &crate::base::Columns| {
        (0..targets.len()).flat_map(|row| columns.row(row).iter().map(|&value| value as f32)).collect::<Vec<f32>>()
    };
    match targets {
        Targets::Classes(classes) => Answers::Classes { index: classes.index().to_vec(), count: classes.names().len() },
        Targets::Multilabel(columns) => Answers::Labels { values: table(columns), width: columns.names().len() },
        Targets::Regression(columns) => Answers::Numbers { values: table(columns), width: columns.names().len() },
    }
}

/// What came of the training: from the store, or from a worker.
fn trained(name: &str, folder: &JobFolder, order: &TrainingOrder, work: &Work) -> Result<TrainingOutcome, Error> {
    let waiting = || work.progress.say(&format!("{name}: another process trains it; waiting for its result"));
    let lock = folder.lock(waiting)?;
    let _in_use = folder.mark_used(&lock)?;
    let kept = Key::of(&[("what", OUTCOME)]);
    if let Some(Finished { outcome, digests }) = folder.result(&kept)?
        && FILES
            .iter()
            .zip(&digests)
            .all(|(file, digest)| digest_of(&folder.path().join(file)).as_ref() == Some(digest))
    {
        return Ok(outcome);
    }
    let label = format!("{name}: {}", work.plan.way);
    work.progress.begin(&label, 0, order.recipe.steps * order.recipe.batch);
    let mut watch = Watch { progress: work.progress, name: &label };
    let outcome = launch::train(work.machinery, folder, order, &mut watch);
    work.progress.end(&label);
    let outcome = outcome.map_err(|error| refuse(name, error))?;
    let digests = FILES.map(|file| digest_of(&folder.path().join(file)).unwrap_or_default()).to_vec();
    let finished = Finished { outcome, digests };
    folder.write_result(&kept, &finished)?;
    Ok(finished.outcome)
}

/// What is kept of a training beside its files.
#[derive(Serialize, Deserialize)]
struct Finished {
    outcome: TrainingOutcome,
    /// BLAKE3 of each of [`FILES`]: what is damaged is trained again.
    digests: Vec<String>,
}

/// The BLAKE3 of a file; `None` where it can't be read.
fn digest_of(path: &Path) -> Option<String> {
    let mut hasher = blake3::Hasher::new();
    let mut file = std::fs::File::open(path).ok()?;
    std::io::copy(&mut file, &mut hasher).ok()?;
    Some(hasher.finalize().to_hex().to_string())
}

fn refuse(name: &str, error: LaunchError) -> Error {
    match error {
        LaunchError::Interrupted => Error::Interrupted,
        LaunchError::Store(error) => error.into(),
        LaunchError::Start(_) | LaunchError::Refused(_) => Error::Worker(error.to_string()),
        other => Error::NoModel { path: name.to_owned(), fault: other.fault(), reasons: other.to_string() },
    }
}

fn outputs(path: &Path) -> Result<Vec<f64>, Error> {
    let bytes = std::fs::read(path)
        .map_err(|error| Error::Worker(format!("{}: {error}", crate::base::path_text::show(path))))?;
    let tensors = SafeTensors::deserialize(&bytes).map_err(|error| Error::Worker(error.to_string()))?;
    let tensor = tensors.tensor("outputs").map_err(|error| Error::Worker(error.to_string()))?;
    Ok(tensor.data().as_chunks::<4>().0.iter().map(|bytes| f64::from(f32::from_le_bytes(*bytes))).collect())
}

/// The file of a linear head on the last layer, fitted to the network's own features: where LP-FT begins.
fn fitted_head(name: &str, plan: &NetworkPlan, work: &Work) -> Result<(Vec<u8>, f64), Error> {
    let found = frozen::extracted(name, plan.clone(), work)?;
    let unreadable: Vec<(usize, String)> =
        found.failures.iter().map(|failure| (failure.row as usize, failure.reason.clone())).collect();
    let [learned, validation] =
        [&work.samples.learned, &work.samples.validation].map(|rows| without(rows, &unreadable));
    let rows: Vec<usize> = (0..work.samples.job.len()).collect();
    let features = found.features(&rows, &View::whole(&found.description))?;
    let targets = &work.samples.targets;
    // Whoever trains on must be judged by samples that the head has not seen.
    let last = if work.plan.way == Way::Probe { Last::WithValidation } else { Last::WithoutValidation };
    let fitted = linear_head::fit(&features, targets, &learned, &validation, last).ok_or_else(|| Error::NoModel {
        path: name.to_owned(),
        reasons: "there are too few samples to fit a head".to_owned(),
        fault: Fault::Input,
    })?;
    let head = &fitted.head;
    // Numbers are learned in units of their deviation.
    let scales = scales(targets, &learned);
    let turned = |output: usize| {
        let [_, deviation] = scales[output];
        (0..head.dim).map(move |column| (column, output, deviation))
    };
    let weight: Vec<f32> = (0..head.outputs)
        .flat_map(turned)
        .map(|(column, output, deviation)| (head.weight[column * head.outputs + output] / deviation) as f32)
        .collect();
    let bias = head.bias.iter().zip(&scales).map(|(bias, [mean, deviation])| ((bias - mean) / deviation) as f32);
    let file = teachers::file(&[
        ("weight", vec![head.outputs, head.dim], weight),
        ("bias", vec![head.outputs], bias.collect()),
    ])?;
    Ok((file, fitted.validation))
}

/// Mean and deviation of each number over the rows to learn from; 0 and 1 for classes and labels.
fn scales(targets: &Targets, learned: &[usize]) -> Vec<[f64; 2]> {
    let Targets::Regression(columns) = targets else { return vec![[0.0, 1.0]; targets.names().len()] };
    let one = |column: usize| {
        // In the precision that the training sees.
        let values = || learned.iter().map(|&row| f64::from(columns.row(row)[column] as f32));
        let mean = values().sum::<f64>() / learned.len() as f64;
        let variance = values().map(|value| (value - mean).powi(2)).sum::<f64>() / learned.len() as f64;
        [mean, if variance > 0.0 { variance.sqrt() } else { 1.0 }]
    };
    (0..columns.names().len()).map(one).collect()
}
