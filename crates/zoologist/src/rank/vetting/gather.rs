//! The features of a sample of the user's data, and what is compared with them.

use std::ops::Range;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use super::super::Error;
use super::super::candidate;
use super::super::features::{self, Extracted, Failure, Unusable, Wanted};
use super::super::layers::View;
use super::super::plan::Progress;
use super::super::samples::{self, Samples};
use super::super::scoring::Scored;
use super::{VetPlan, alternatives, copies};
use crate::base::path_text::show;
use crate::base::{Fault, Features, Targets};
use crate::data;
use crate::extract::behaviour::BehaviourOrder;
use crate::extract::launch::{self, Machinery};
use crate::extract::{Extractor, LayerSet, NetworkPlan, SampleFiles};
use crate::score::{self, Asked, Inputs, Rows, Settings};
use crate::vet::{Baseline, Evidence, Probe, Sample};
use crate::zoo::{Access, Model};

/// The samples that are looked at, labelled or not.
pub struct Looked {
    /// What models see.
    pub job: samples::Job,
    /// With their labels, if there are any.
    pub labelled: Option<Samples>,
}

/// Reads the samples: labelled ones in the seeded, stratified order, others in a seeded one.
pub fn samples(data: &Path, plan: &VetPlan, model: &Model, machinery: &Machinery) -> Result<Looked, Error> {
    let store = &machinery.store;
    let looked = match samples::for_scoring(data, &plan.table, Some(plan.samples), plan.seed, store) {
        Ok(labelled) => Looked { job: labelled.job.clone(), labelled: Some(labelled) },
        Err(Error::NoLabels(_) | Error::Data(data::Error::Unclear { .. } | data::Error::Unlabelled(_))) => {
            Looked { job: samples::unlabelled(data, &plan.table, plan.samples, plan.seed, store)?, labelled: None }
        }
        Err(error) => return Err(error),
    };
    let extractor = Extractor::Network(NetworkPlan::new(model, LayerSet::Last));
    let refuse = |reason| Error::NoModel { path: model.name.clone(), reasons: reason, fault: Fault::Input };
    extractor.takes(looked.job.dataset.inputs.noun()).map_err(refuse)?;
    Ok(looked)
}

/// Everything that several measurements need.
pub struct Ground<'a> {
    /// The plan.
    pub plan: &'a VetPlan,
    /// The model.
    pub model: &'a Model,
    /// What computes.
    pub machinery: &'a Machinery,
    /// Who watches.
    pub progress: &'a dyn Progress,
}

/// Nobody stops what uses no network.
static NEVER: AtomicBool = AtomicBool::new(false);

/// How a folder is read again that was read before.
pub fn no_network() -> Access<'static> {
    Access::from_environment(true, &|_| {}, &NEVER)
}

impl Ground<'_> {
    /// The features that an extractor gives for a job.
    pub fn extract(
        &self,
        name: &str,
        extractor: &Extractor,
        job: &samples::Job,
    ) -> Result<Result<Extracted, String>, Error> {
        let wanted = Wanted { name, extractor, job, rows: job.len(), compute: true };
        match features::extract(wanted, self.machinery, self.progress) {
            Ok(found) => Ok(Ok(found)),
            Err(Failure::Candidate(Unusable { reason, fault })) if fault != Fault::Interrupted => Ok(Err(reason)),
            Err(other) => Err(other.of(name)),
        }
    }
}

/// Labels of rows, and how these are cut into shards.
pub struct Labelled {
    targets: Targets,
    shards: Vec<Range<usize>>,
}

impl Labelled {
    /// The labels of the first rows; `None` where they are of one class only, or too few.
    pub fn first(&self, count: usize) -> Option<Self> {
        let rows: Vec<usize> = (0..count.min(self.targets.len())).collect();
        let targets = self.targets.select(&rows).ok()?;
        let step = count.div_ceil(10).max(1);
        let shards = (0..count).step_by(step).map(|start| start..count.min(start + step)).collect();
        Some(Self { targets, shards })
    }

    /// The probe on some features, whose rows are those of the labels.
    pub fn probe(&self, features: &Features) -> Option<Probe> {
        let Self { targets, shards } = self;
        let (inputs, settings) = (Inputs::default(), Settings::default());
        let order: Vec<usize> = (0..features.rows()).collect();
        let rows = Rows { features, targets, shards, order: &order, inputs: &inputs, settings: &settings };
        let metric = score::metric("ridge")?;
        if features.rows() < 10 || features.rows() != targets.len() {
            return None;
        }
        let found = score::evaluate(&[metric], &rows, Asked { interval: true, permutations: 0 }).into_iter().next()?;
        found.score.value.is_some().then_some(Probe(found))
    }
}

/// Fills the evidence with what the model gives for the samples.
pub fn sample(
    plan: &VetPlan,
    looked: &Looked,
    machinery: &Machinery,
    progress: &dyn Progress,
    evidence: &mut Evidence,
) -> Result<(), Error> {
    let Some(model) = evidence.model.clone() else { return Ok(()) };
    let ground = Ground { plan, model: &model, machinery, progress };
    let network = Extractor::Network(NetworkPlan::new(&model, LayerSet::Last));
    let found = match ground.extract(&model.name, &network, &looked.job)? {
        Ok(found) => found,
        Err(reason) => return not_finite(&ground, looked, &reason, evidence),
    };
    let failed: Vec<usize> = found.failures.iter().map(|failure| failure.row as usize).collect();
    let rows: Vec<usize> = (0..looked.job.len()).filter(|row| failed.binary_search(row).is_err()).collect();
    if rows.is_empty() {
        let first = found.failures.first().map_or(String::new(), |failure| failure.reason.clone());
        return Err(Error::NothingReadable { path: show(&looked.job.dataset.path), count: looked.job.len(), first });
    }
    let view = View::whole(&found.description);
    let scored = match &looked.labelled {
        Some(samples) => Some(Scored::of(samples, looked.job.len(), &failed, view.dim, Settings::default())?),
        None => None,
    };
    let labelled = scored.map(|scored| Labelled { targets: scored.targets, shards: scored.shards });
    let features = found.features(&rows, &view)?;
    progress.phase("probing");
    let probe = labelled.as_ref().and_then(|labelled| labelled.probe(&features));
    let mut sample = Sample {
        noun: looked.job.dataset.inputs.noun(),
        names: rows.iter().map(|&row| looked.job.dataset.inputs.describe(row)).collect(),
        features,
        targets: labelled.as_ref().map(|labelled| labelled.targets.clone()),
        probe,
        baselines: vec![],
        length: None,
        head: None,
        candidates: vec![],
        resized: vec![],
        is_of_size: false,
        rounded: vec![],
        poolings: vec![],
    };
    let wants = |ids: &[&str]| ids.iter().any(|id| plan.selection.wants(id));
    if let Some(labelled) = labelled.as_ref().filter(|_| wants(&["below-baseline", "label-leak"])) {
        (sample.baselines, sample.length) = baselines(&ground, looked, &rows, labelled)?;
    }
    let head = evidence.anatomy.as_ref().and_then(|anatomy| anatomy.head.as_deref());
    alternatives::add(&ground, looked, &rows, labelled.as_ref(), head, &mut sample)?;
    evidence.sample = Some(sample);
    if wants(&["train-eval-duplicates", "contradicting-labels", "missing-class", "exif-orientation"]) {
        progress.phase("comparing the samples");
        copies::add(&ground, looked, evidence)?;
    }
    Ok(())
}

/// The features of some sample are not finite: counts of how many.
fn not_finite(ground: &Ground, looked: &Looked, reason: &str, evidence: &mut Evidence) -> Result<(), Error> {
    let plan = NetworkPlan::new(ground.model, LayerSet::Last);
    let runtime = Extractor::Network(plan.clone()).runtime(&ground.machinery.runtime);
    let samples = Some(looked.job.files.clone());
    let order = BehaviourOrder { plan, runtime, other: None, samples, count: true };
    let key = crate::store::Key::of(&[("what", "vet"), ("model", &ground.model.digest), ("data", &looked.job.digest)]);
    let folder = ground.machinery.store.job(&key)?.part("count");
    match launch::observe(ground.machinery, &folder, order) {
        Ok(counted) if !counted.not_finite.is_empty() => {
            let seen = evidence.behaviour.take();
            let seen = seen.map(|seen| crate::extract::behaviour::Behaviour {
                not_finite: counted.not_finite.clone(),
                items: counted.items,
                ..seen
            });
            evidence.behaviour = seen.or(Some(counted));
            Ok(())
        }
        _ => Err(Error::NoModel { path: ground.model.name.clone(), reasons: reason.to_owned(), fault: Fault::Input }),
    }
}

/// Probes on features that nobody trained, and on the length alone.
fn baselines(
    ground: &Ground,
    looked: &Looked,
    rows: &[usize],
    labelled: &Labelled,
) -> Result<(Vec<Baseline>, Option<Probe>), Error> {
    let (mut baselines, mut length) = (vec![], None);
    for candidate in candidate::without_model(&looked.job.files) {
        let Ok(found) = ground.extract(&candidate.name, &candidate.extractor, &looked.job)? else { continue };
        let features = found.features(rows, &View::whole(&found.description))?;
        let Some(probe) = labelled.probe(&features) else { continue };
        if candidate.name == candidate::TEXT_LENGTH {
            length = Some(probe);
        } else {
            baselines.push(Baseline { name: candidate.name, probe });
        }
    }
    if let SampleFiles::Pictures { root, pictures } = &looked.job.files {
        length = copies::sizes(root, pictures, rows).and_then(|features| labelled.probe(&features));
    }
    Ok((baselines, length))
}

/// Whether what is to be predicted are classes.
pub fn are_classes(targets: &Targets) -> bool {
    matches!(targets, Targets::Classes(_))
}
