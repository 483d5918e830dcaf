//! The ways that train a network which is built in: a worker does it, its folder in the store keeps what it needs to go
//! on, and what came of it. A probe comes here too where there is no graph to keep its head in: a training of no step.

use std::path::PathBuf;

use super::result::{Details, Training as TrainingOfResult};
use super::settings::{Kind, recipe};
use super::{Found, Product, Way, Work, frozen, teachers, without};
use crate::base::{Fault, Targets};
use crate::extract::training::{GRAPH, Keeps, Recipe, TrainingOrder, WEIGHTS};
use crate::extract::{LayerSet, NetworkPlan, PortablePath};
use crate::rank::layers::View;
use crate::rank::trained::{self, Training};
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
    /// The names of its blocks, where these are not those of the model any more.
    pub blocks: Option<Vec<String>>,
    /// The same network as an ONNX file, and what head and features are called in it.
    pub graph: Option<(PathBuf, [String; 2])>,
}

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
    recipe.alteration.clone_from(&work.plan.alteration);
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
    let seed = work.plan.training_seed.map_or(String::new(), |seed| format!(", seed {}", seed.0));
    let label = format!("{}: {}{seed}", model.name, work.plan.way);
    let run = Training { name: &model.name, label: &label, folder: &folder, order: &order };
    let outcome = trained::trained(&run, work.machinery, work.progress)?;
    let judged = without(&work.samples.judged, &outcome.unreadable);
    let outputs = trained::outputs(folder.path())?;
    let kept = outcome.curve.iter().find(|checkup| checkup.step == outcome.kept_step);
    // A probe's head has seen the validation samples in the end.
    let of_head = of_head.filter(|_| work.plan.way == Way::Probe);
    let validation = of_head.unwrap_or_else(|| kept.map_or(0.0, |checkup| checkup.validation_score));
    details.training = Some(TrainingOfResult::of(&outcome));
    // Where files are is nobody's business.
    details.recipe = Some(Recipe { head: None, teachers: None, ..order.recipe });
    debug_assert_eq!(judged.len() * order.answers.outputs(), outputs.len());
    let blocks = outcome.blocks.iter().map(|block| block.name.clone()).collect();
    let weights = Weights {
        model: model.clone(),
        plan,
        file: folder.path().join(WEIGHTS),
        blocks: work.plan.alteration.as_ref().map(|_| blocks),
        graph: outcome.named_in_graph.clone().map(|names| (folder.path().join(GRAPH), names)),
    };
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
        ("keeps", "the last weights within a standard error of the best"),
        ("training", &identity.to_string()),
        ("head", &head),
        ("teachers", &taught.unwrap_or_default()),
        ("data", &work.samples.job.digest),
        (
            "rows",
            &format!("{:?}", [work.samples.learned.len(), work.samples.validation.len(), work.samples.judged.len()]),
        ),
        ("labels", &labels_digest(&work.samples.targets)),
        ("seed", &work.plan.training_seed.unwrap_or(work.plan.seed).0.to_string()),
    ];
    Key::of(&parts)
}

fn labels_digest(targets: &Targets) -> String {
    let answers = trained::answers(targets);
    blake3::hash(serde_json::to_string(&answers).unwrap_or_default().as_bytes()).to_hex().to_string()
}

fn order(plan: &NetworkPlan, recipe: Recipe, folder: &JobFolder, work: &Work) -> TrainingOrder {
    TrainingOrder {
        plan: plan.clone(),
        samples: work.samples.job.files.clone(),
        answers: trained::answers(&work.samples.targets),
        training: work.samples.learned.clone(),
        validation: work.samples.validation.clone(),
        judged: work.samples.judged.clone(),
        recipe,
        seed: work.plan.training_seed.unwrap_or(work.plan.seed),
        threads: work.machinery.threads_per_worker(),
        keeps: if work.plan.graph { Keeps::Graph } else { Keeps::Weights },
        folder: folder.path().to_owned(),
    }
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
