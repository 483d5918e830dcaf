//! `vet`: measures a model stage by stage, as far as it survives, and lets the checks judge.
//!
//! ```text
//! papers ─► look (worker) ─► observe (worker) ─► features of a sample, prepared, resized, rounded and pooled otherwise
//! ```

mod alternatives;
mod brief;
mod copies;
mod gather;
mod keeper;
mod written;

use std::path::PathBuf;
use std::time::Instant;

use super::Error;
use super::plan::Progress;
use crate::base::path_text::show;
use crate::base::{Fail, Seed};
use crate::data::TableOptions;
use crate::extract::anatomy::LookOrder;
use crate::extract::launch::{self, LaunchError, Machinery};
use crate::extract::{Extractor, LayerSet, NetworkPlan, PortablePath, RuntimeChoice, SampleFiles};
use crate::store::Key;
use crate::vet::{self, Evidence, Refusal, Selection, Severity, Stage, VettedCheck, Vetting, VettingTiming};
use crate::zoo::{self, Access, Model, ModelInput, Problem, TokenPooling};

pub use brief::{Brief, brief};
pub use keeper::Keeper;
pub use written::write_fixed;

/// How many samples are looked at unless told otherwise.
pub const SAMPLES: usize = 256;

/// What to vet.
#[derive(Debug, Clone)]
pub struct VetPlan {
    /// The model.
    pub model: PathBuf,
    /// The data set.
    pub data: Option<PathBuf>,
    /// How to read it, where it is a table.
    pub table: TableOptions,
    /// How the states of a text's tokens are pooled, if not as the model says.
    pub pooling: Option<TokenPooling>,
    /// How many samples are looked at.
    pub samples: usize,
    /// Fixes everything random.
    pub seed: Seed,
    /// Which checks are wanted.
    pub selection: Selection,
    /// Another runtime, to compare with.
    pub other: Option<RuntimeChoice>,
}

/// A vetting, and what it was made of.
pub struct Vetted {
    /// What is said of the model.
    pub vetting: Vetting,
    /// What was measured.
    pub evidence: Evidence,
}

/// Vets a model.
pub fn vet(plan: &VetPlan, access: &Access, machinery: &Machinery, progress: &dyn Progress) -> Result<Vetted, Error> {
    let begun = Instant::now();
    let mut evidence = Evidence { has_data: plan.data.is_some(), ..Evidence::default() };
    progress.phase("reading the files");
    read(plan, access, &mut evidence)?;
    let samples = match (&plan.data, &evidence.model) {
        (Some(data), Some(model)) => Some(gather::samples(data, plan, model, machinery)?),
        _ => None,
    };
    let key = key(&evidence, samples.as_ref().map(|samples| samples.job.digest.as_str()));
    let keeper = Keeper::of(machinery, &key, || progress.say("another process vets this model; waiting for it"))?;
    let files = samples.as_ref().map(|samples| &samples.job.files);
    look(&mut evidence, files, &keeper, machinery)?;
    let selection = &plan.selection;
    let mut checks = vet::judge(&evidence, Stage::Files..=Stage::Files, selection);
    let (mut refused, mut not_loaded) = (is_fatal(&checks), None);
    let last = selection.last_stage();
    if !refused && last > Stage::Files {
        progress.phase("running it on a few inputs");
        // Where what the files show explains that it can't be run, that is the finding; else it is a refusal.
        let fixed = evidence.anatomy.as_ref().is_some_and(|anatomy| !anatomy.fixed.is_empty());
        let explained = fixed || worst(&checks) >= Some(Severity::High);
        not_loaded = observe(plan, &mut evidence, files, &keeper, machinery)?;
        checks = vet::judge(&evidence, Stage::Files..=Stage::Behaviour, selection);
        refused = evidence.refusal.is_some() || not_loaded.is_some() && !explained;
    }
    if let Some(reason) = not_loaded {
        checks.retain(|check| stage(check) == Stage::Files);
        let reason = format!("the model can't be run: {reason}");
        checks.extend(vet::not_run(Stage::Behaviour..=Stage::Labels, selection, &reason));
    } else if refused {
        checks.retain(|check| stage(check) == Stage::Files);
        checks.extend(vet::not_run(Stage::Behaviour..=Stage::Labels, selection, "the model was refused"));
    } else if is_fatal(&checks) {
        let reason = "the model's features are not finite";
        checks.extend(vet::not_run(Stage::Data..=Stage::Labels, selection, reason));
    } else {
        if let Some(samples) = samples.as_ref().filter(|_| last > Stage::Behaviour) {
            gather::sample(plan, samples, machinery, progress, &mut evidence)?;
        }
        checks = vet::judge(&evidence, Stage::Files..=Stage::Labels, selection);
    }
    let findings = vet::findings(&mut checks);
    let vetting = Vetting {
        schema: 1,
        model: evidence.model.as_ref().map_or_else(|| show(&plan.model), |model| model.name.clone()),
        data: plan.data.as_ref().map(|data| show(data)),
        n: evidence.sample.as_ref().map(|sample| sample.features.rows()),
        refused,
        findings,
        checks,
        timing: VettingTiming { seconds: begun.elapsed().as_secs_f64(), threads: machinery.threads },
    };
    Ok(Vetted { vetting, evidence })
}

/// Where what is measured of a model is kept.
fn key(evidence: &Evidence, data: Option<&str>) -> Key {
    let digest = evidence.model.as_ref().map_or_else(|| show(&folder(evidence)), |model| model.digest.clone());
    Key::of(&[("what", "vet"), ("model", &digest), ("data", data.unwrap_or_default())])
}

/// The folder of the model.
fn folder(evidence: &Evidence) -> PathBuf {
    evidence.papers.as_ref().map_or_else(PathBuf::new, |papers| papers.folder.clone())
}

fn stage(check: &VettedCheck) -> Stage {
    vet::CHECKS.iter().find(|known| known.id == check.check).map_or(Stage::Files, |known| known.stage)
}

fn is_fatal(checks: &[VettedCheck]) -> bool {
    worst(checks) == Some(Severity::Fatal)
}

fn worst(checks: &[VettedCheck]) -> Option<Severity> {
    checks.iter().flat_map(|check| &check.findings).map(|finding| finding.severity).max()
}

/// Reads what the folder says; a model that can't be used for a reason that a check names is no error.
fn read(plan: &VetPlan, access: &Access, evidence: &mut Evidence) -> Result<(), Error> {
    let mut papers = zoo::papers(&plan.model, access)?;
    match zoo::model(&plan.model, access) {
        Ok(model) => {
            papers.folder.clone_from(&model.folder);
            evidence.model = Some(pooled(model, plan.pooling));
        }
        Err(zoo::Error { problem: Problem::Pickle { file }, .. }) => {
            // The zoo tells pickles by their names alone.
            if papers.pickles.is_empty() && !file.as_os_str().is_empty() {
                papers.pickles.push(file);
            }
            evidence.refusal = Some(Refusal::Pickles);
        }
        Err(error @ zoo::Error { problem: Problem::Outside | Problem::NotRegular, .. }) => {
            evidence.refusal = Some(Refusal::External(error.to_string().trim_end_matches('.').to_owned()));
        }
        Err(error) => return Err(error.into()),
    }
    evidence.papers = Some(papers);
    Ok(())
}

fn pooled(mut model: Model, pooling: Option<TokenPooling>) -> Model {
    if let (ModelInput::Texts(settings), Some(pooling)) = (&mut model.input, pooling) {
        settings.pooling = pooling;
    }
    model
}

/// Lets a worker look at the files.
fn look(
    evidence: &mut Evidence,
    samples: Option<&SampleFiles>,
    keeper: &Keeper,
    machinery: &Machinery,
) -> Result<(), Error> {
    if matches!(evidence.refusal, Some(Refusal::External(_))) {
        return Ok(());
    }
    let pickles = evidence.papers.iter().flat_map(|papers| papers.pickles.iter().cloned().map(PortablePath)).collect();
    let found = if let Some(model) = &evidence.model {
        keeper.anatomy(&NetworkPlan::new(model, LayerSet::Last), samples, pickles)
    } else {
        let folder = folder(evidence);
        launch::look(machinery, keeper.folder(), LookOrder { folder, pickles, plan: None, texts: None })
    };
    let mut anatomy = found.map_err(|error| refuse(evidence, error))?;
    evidence.pickles = std::mem::take(&mut anatomy.pickles);
    match &anatomy.outside {
        Some(file) => evidence.refusal = Some(beyond(evidence, file)),
        // Without a model nothing but pickles was looked at.
        None => evidence.anatomy = evidence.model.is_some().then_some(anatomy),
    }
    Ok(())
}

/// A file of weights that the graph names: outside the folder, or simply not there.
fn beyond(evidence: &Evidence, file: &str) -> Refusal {
    let relative = std::path::Path::new(file);
    let plain = relative
        .components()
        .all(|part| matches!(part, std::path::Component::Normal(_) | std::path::Component::CurDir));
    let home =
        evidence.model.as_ref().map(|model| model.folder.join(model.weights.parent().unwrap_or(&PathBuf::new())));
    let absent = home.is_some_and(|home| std::fs::symlink_metadata(home.join(relative)).is_err());
    if plain && absent && !file.contains('\\') {
        return Refusal::Tensors(format!("the file `{file}` that holds weights is missing"));
    }
    Refusal::External(format!("the graph names `{file}`, which is not a file of the model's own folder"))
}

fn refuse(evidence: &Evidence, error: LaunchError) -> Error {
    match error {
        LaunchError::Interrupted => Error::Interrupted,
        LaunchError::Store(error) => error.into(),
        LaunchError::Start(_) | LaunchError::Refused(_) => Error::Worker(error.to_string()),
        other => Error::NoModel {
            path: evidence.model.as_ref().map_or_else(|| show(&folder(evidence)), |model| model.name.clone()),
            fault: other.fault(),
            reasons: other.to_string(),
        },
    }
}

/// Whether a refusal of a native encoder is about its tensors.
fn is_about_tensors(reason: &str) -> bool {
    ["model.safetensors does not fit config.json", "model.safetensors is broken"]
        .iter()
        .any(|words| reason.contains(words))
}

/// Lets a worker run the model on a few inputs. One that can't be loaded is refused, or, where an earlier finding
/// explains that, not run: the reason.
fn observe(
    plan: &VetPlan,
    evidence: &mut Evidence,
    samples: Option<&SampleFiles>,
    keeper: &Keeper,
    machinery: &Machinery,
) -> Result<Option<String>, Error> {
    let Some(model) = &evidence.model else { return Ok(None) };
    let network = NetworkPlan::new(model, LayerSet::Last);
    let runtime = Extractor::Network(network.clone()).runtime(&machinery.runtime);
    let other = plan.other.clone().filter(|other| Some(other) != runtime.as_ref());
    match keeper.behaviour(&network, samples, other) {
        Ok(behaviour) => evidence.behaviour = Some(behaviour),
        Err(LaunchError::Model(reason)) if is_about_tensors(&reason) => {
            evidence.refusal = Some(Refusal::Tensors(reason));
        }
        Err(LaunchError::Model(reason)) => return Ok(Some(reason)),
        Err(other) => return Err(refuse(evidence, other)),
    }
    Ok(None)
}
