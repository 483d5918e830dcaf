//! Runs, some at once: what is ordered, what comes back, and what of it the store has already.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::Retraining;
use super::variants::{How, Variant};
use crate::base::{Fault, Seed, Targets};
use crate::extract::NetworkPlan;
use crate::extract::launch::Machinery;
use crate::extract::training::{
    Alteration, Answers, Freeze, Keeps, Mode, Norms, Optimizer, Proof, Recipe, Start, TrainingOrder, TrainingOutcome,
};
use crate::rank::features::{self, Wanted};
use crate::rank::layer_study::StudyPlan;
use crate::rank::layers::View;
use crate::rank::plan::Progress;
use crate::rank::samples::{self, Take, TuningSamples};
use crate::rank::side_by_side::side_by_side;
use crate::rank::trained::{self, Training};
use crate::rank::tuning::{self, Judgement, Kind as DataKind, Settings, Way};
use crate::rank::{Error, candidate};
use crate::score::linear_head::{self, Last};
use crate::store::Key;
use crate::zoo::{Model, ModelInput};

/// Samples that judge at most.
const MOST_JUDGED: usize = 2000;
/// Passes through the largest set of samples, where nothing else is said.
const EPOCHS: usize = 3;
/// Steps at least: with fewer, layers that start anew have no chance.
const LEAST_STEPS: usize = 150;
/// The learning rate for pictures: blocks that start anew learn too slowly at the one of plain fine-tuning.
const RATE_OF_PICTURES: f64 = 3e-4;

/// Seconds of a few steps.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Timed {
    /// Of one step.
    pub step: f64,
    /// Of everything beside the steps.
    pub beside: f64,
}

impl Timed {
    /// Steps that are timed.
    const STEPS: usize = 8;
    /// Samples that are judged in the timed run.
    pub const JUDGED: usize = 32;
}

/// A run that was made.
#[derive(Debug, Clone, PartialEq)]
pub struct Ran {
    /// How well it did.
    pub judgement: Judgement,
    /// What was shown of its tensors; nothing where there is no network.
    pub proof: Option<Proof>,
}

/// All that runs share.
pub struct Runs<'a> {
    model: &'a Model,
    /// How the network is run.
    pub network: NetworkPlan,
    plan: &'a StudyPlan,
    retraining: &'a Retraining,
    /// What trains: as many workers as there are trainings at once.
    machinery: Machinery,
    progress: &'a dyn Progress,
    /// Samples to learn from, from the fewest.
    pub sizes: Vec<usize>,
    /// The samples of each seed, once they were asked for.
    samples: Vec<TuningSamples>,
}

impl<'a> Runs<'a> {
    /// Opens the samples of the first seed, which say how many there are.
    pub fn open(
        model: &'a Model,
        network: NetworkPlan,
        plan: &'a StudyPlan,
        retraining: &'a Retraining,
        machinery: &'a Machinery,
        progress: &'a dyn Progress,
    ) -> Result<Self, Error> {
        let machinery = machinery.for_trainings(usize::MAX, network.bytes());
        let mut runs = Self { model, network, plan, retraining, machinery, progress, sizes: vec![], samples: vec![] };
        runs.open_samples(1)?;
        if runs.network.input.noun() != runs.samples[0].job.dataset.inputs.noun() {
            let reasons = format!("it takes {}, and the samples are others", runs.network.input.noun());
            return Err(Error::NoModel { path: model.name.clone(), reasons, fault: Fault::Input });
        }
        let all = runs.samples[0].learned.len() + runs.samples[0].validation.len();
        let mut sizes = retraining.sizes.clone();
        if sizes.is_empty() {
            sizes = vec![all / 4, all / 2, all];
        }
        sizes.iter_mut().for_each(|size| *size = (*size).min(all));
        sizes.sort_unstable();
        sizes.dedup();
        sizes.retain(|&size| size >= 4);
        if sizes.is_empty() {
            return Err(Error::NoRows);
        }
        runs.sizes = sizes;
        Ok(runs)
    }

    /// Opens the samples of so many seeds.
    pub fn open_samples(&mut self, seeds: usize) -> Result<(), Error> {
        while self.samples.len() < seeds {
            let take = match self.retraining.sizes.iter().max() {
                Some(&largest) => Take::ToLearnFrom(largest),
                None => Take::up_to(self.plan.samples),
            };
            let (data, table, store) = (&self.plan.data, &self.plan.table, &self.machinery.store);
            let mut found = samples::for_tuning(data, table, take, self.seed(self.samples.len()), store)?;
            found.judged.truncate(MOST_JUDGED);
            self.samples.push(found);
        }
        Ok(())
    }

    fn seed(&self, offset: usize) -> Seed {
        Seed(self.plan.seed.0 + offset as u64)
    }

    /// Trainings at once.
    pub fn at_once(&self) -> usize {
        self.machinery.jobs
    }

    /// Whether the network reads texts.
    pub fn is_text(&self) -> bool {
        matches!(self.network.input, ModelInput::Texts(_))
    }

    /// What stands before the blocks.
    pub fn before(&self) -> &'static str {
        if self.is_text() { "embeddings" } else { "stem" }
    }

    fn judge(&self, targets: &Targets, rows: &[usize], outputs: &[f64]) -> Judgement {
        let correlation = self.retraining.matthews.then(|| tuning::matthews(targets, rows, outputs)).flatten();
        correlation.unwrap_or_else(|| tuning::judge(targets, rows, outputs))
    }

    /// Samples that judge.
    pub fn judged(&self) -> usize {
        self.samples[0].judged.len()
    }

    /// Which these are.
    pub fn judged_on(&self) -> String {
        self.samples[0].judged_on.clone()
    }

    /// Steps of every run.
    pub fn steps(&self) -> usize {
        self.recipe(&How::AsItIs, None).steps
    }

    /// Samples of a step.
    pub fn batch(&self) -> usize {
        self.retraining.settings.batch.unwrap_or(16)
    }

    /// Whether the layers that are kept stay frozen.
    pub fn freezes_kept(&self) -> bool {
        self.retraining.freezes_kept
    }

    /// How a run is trained. Everything but the change is the same for all of them.
    pub fn recipe(&self, how: &How, kept: Option<usize>) -> Recipe {
        let largest = self.sizes.last().copied().unwrap_or(1);
        let given = &self.retraining.settings;
        let usual = EPOCHS * largest.div_ceil(self.batch());
        let renews = self.retraining.modes.iter().any(|&mode| mode != Mode::Drop);
        let norms = if self.is_text() || self.freezes_kept() || !renews { Norms::Frozen } else { Norms::Training };
        let settings = Settings {
            steps: given.steps.or(given.epochs.is_none().then(|| usual.max(LEAST_STEPS))),
            norms: given.norms.or(Some(norms)),
            optimizer: given.optimizer.or(Some(Optimizer::Adamw)),
            learning_rate: given.learning_rate.or((!self.is_text()).then_some(RATE_OF_PICTURES)),
            ..given.clone()
        };
        let kind = if self.is_text() { DataKind::Texts } else { DataKind::Pictures };
        let mut recipe = tuning::recipe(Way::Full, kind, [largest, 0], &settings);
        match how {
            How::Altered(alteration) => recipe.alteration = Some(alteration.clone()),
            How::Anew => recipe.start = Start::Random,
            How::AsItIs | How::ShuffledLabels | How::WithoutNetwork => {}
        }
        if let Some(kept) = kept.filter(|_| self.freezes_kept()) {
            recipe.freeze = Freeze::First(kept);
        }
        recipe
    }

    fn order(&self, recipe: Recipe, size: usize, offset: usize, answers: Answers) -> TrainingOrder {
        let samples = &self.samples[offset];
        TrainingOrder {
            plan: self.network.clone(),
            samples: samples.job.files.clone(),
            answers,
            training: (0..size).collect(),
            validation: vec![],
            judged: samples.judged.clone(),
            recipe,
            seed: self.seed(offset),
            threads: self.machinery.threads_per_worker(),
            keeps: Keeps::Outputs,
            folder: PathBuf::new(),
        }
    }

    fn train(&self, mut order: TrainingOrder, offset: usize, label: &str) -> Result<(TrainingOutcome, PathBuf), Error> {
        let identity = serde_json::json!({
            "network": { "digest": order.plan.digest, "form": order.plan.form, "input": order.plan.input },
            "recipe": order.recipe,
            "answers": blake3::hash(serde_json::to_string(&order.answers).unwrap_or_default().as_bytes()).to_hex().as_str(),
            "rows": [order.training.len(), order.judged.len()],
        });
        let parts = [
            ("what", "retraining"),
            ("version", env!("CARGO_PKG_VERSION")),
            ("training", &identity.to_string()),
            ("data", &self.samples[offset].job.digest),
            ("seed", &order.seed.0.to_string()),
        ];
        let folder = self.machinery.store.job(&Key::of(&parts))?;
        folder.path().clone_into(&mut order.folder);
        let run = Training { name: &self.model.name, label, folder: &folder, order: &order };
        let outcome = trained::trained(&run, &self.machinery, self.progress)?;
        Ok((outcome, folder.path().to_owned()))
    }

    /// Looks at the network and at the lengths of texts: a training of no step.
    pub fn look(&self) -> Result<TrainingOutcome, Error> {
        let recipe = Recipe { steps: 0, ..self.recipe(&How::AsItIs, None) };
        let answers = trained::answers(&self.samples[0].targets);
        let mut order = self.order(recipe, self.sizes.last().copied().unwrap_or(1), 0, answers);
        order.judged.truncate(1);
        Ok(self.train(order, 0, "looking at the network")?.0)
    }

    /// Times a few steps of the network, or of what an alteration leaves of it, in as many trainings at once as there will
    /// be.
    pub fn timed(&self, alteration: Option<&Alteration>) -> Result<Timed, Error> {
        let at_once = self.at_once();
        let timed = side_by_side(at_once, at_once, |place| self.timed_once(alteration, place))?;
        let mean = |of: fn(&Timed) -> f64| timed.iter().map(of).sum::<f64>() / timed.len() as f64;
        Ok(Timed { step: mean(|timed| timed.step), beside: mean(|timed| timed.beside) })
    }

    fn timed_once(&self, alteration: Option<&Alteration>, place: usize) -> Result<Timed, Error> {
        let how = alteration.map_or(How::AsItIs, |alteration| How::Altered(alteration.clone()));
        let recipe = Recipe { steps: Timed::STEPS, ..self.recipe(&how, None) };
        let answers = trained::answers(&self.samples[0].targets);
        let mut order = self.order(recipe, self.sizes.last().copied().unwrap_or(1), 0, answers);
        // Each in a folder of its own.
        order.seed = Seed(order.seed.0.wrapping_add(place as u64));
        order.judged.truncate(Timed::JUDGED);
        let threads = [order.threads, self.at_once()].map(|count| count.to_string()).join(" ");
        let begun = Instant::now();
        let (outcome, folder) = self.train(order, 0, &format!("timing a step ({})", place + 1))?;
        let seconds = begun.elapsed().as_secs_f64();
        let found = Timed { step: outcome.seconds / Timed::STEPS as f64, beside: (seconds - outcome.seconds).max(0.0) };
        let parts = [("what", "time of a step"), ("folder", &folder.to_string_lossy()), ("threads", &threads)];
        let key = Key::of(&parts);
        // What was measured first stays: the same command is to plan the same runs.
        let kept = self.machinery.store.job(&key)?;
        if let Some(found) = kept.result(&key)? {
            return Ok(found);
        }
        kept.write_result(&key, &found)?;
        Ok(found)
    }

    /// What is left of a budget for the runs. What was left first stays: the same command is to plan the same runs.
    pub fn left_of(&self, budget: Duration, begun: Instant) -> Result<Duration, Error> {
        let asked = format!("{:?} {:?} {:?}", self.retraining, self.network, self.sizes);
        let parts = [
            ("what", "time for the runs of a study"),
            ("asked", asked.as_str()),
            ("data", &self.samples[0].job.digest),
            ("seed", &self.plan.seed.0.to_string()),
            ("threads", &self.machinery.threads.to_string()),
        ];
        let key = Key::of(&parts);
        let folder = self.machinery.store.job(&key)?;
        if let Some(left) = folder.result(&key)? {
            return Ok(left);
        }
        let left = budget.saturating_sub(begun.elapsed());
        folder.write_result(&key, &left)?;
        Ok(left)
    }

    /// Makes a run, or takes it from the store; its samples are open.
    pub fn ran(&self, variant: &Variant, size: usize, offset: usize, label: &str) -> Result<Ran, Error> {
        if variant.how == How::WithoutNetwork {
            return self.without_network(size, offset);
        }
        let samples = &self.samples[offset];
        let mut answers = trained::answers(&samples.targets);
        if variant.how == How::ShuffledLabels {
            answers = shuffled(answers, size, self.seed(offset));
        }
        let order = self.order(self.recipe(&variant.how, variant.kept), size, offset, answers);
        let (outcome, folder) = self.train(order, offset, label)?;
        let judged = tuning::without(&samples.judged, &outcome.unreadable);
        let outputs = trained::outputs(&folder)?;
        Ok(Ran { judgement: self.judge(&samples.targets, &judged, &outputs), proof: Some(outcome.proof) })
    }

    /// A linear head on the simplest features: what needs no network at all.
    fn without_network(&self, size: usize, offset: usize) -> Result<Ran, Error> {
        let samples = &self.samples[offset];
        let Some(baseline) = candidate::without_model(&samples.job.files).into_iter().next() else {
            return Err(Error::NoRows);
        };
        let (name, extractor, job, rows) = (&baseline.name, &baseline.extractor, &samples.job, samples.job.len());
        let wanted = Wanted { name, extractor, job, rows, compute: true };
        let found =
            features::extract(wanted, &self.machinery, self.progress).map_err(|failure| failure.of(&baseline.name))?;
        let bad: Vec<(usize, String)> =
            found.failures.iter().map(|failure| (failure.row as usize, failure.reason.clone())).collect();
        let good = |rows: Vec<usize>| tuning::without(&rows, &bad);
        let all: Vec<usize> = (0..samples.job.len()).collect();
        let features = found.features(&all, &View::whole(&found.description))?;
        let (learned, validation) = (good((0..size * 4 / 5).collect()), good((size * 4 / 5..size).collect()));
        let judged = good(samples.judged.clone());
        let fitted = linear_head::fit(&features, &samples.targets, &learned, &validation, Last::WithValidation);
        let outputs = fitted.map(|fitted| fitted.head.apply(&features.select(&judged))).unwrap_or_default();
        Ok(Ran { judgement: self.judge(&samples.targets, &judged, &outputs), proof: None })
    }
}

/// The answers of the rows that are learned from, exchanged among them.
fn shuffled(answers: Answers, size: usize, seed: Seed) -> Answers {
    let mut order: Vec<usize> = (0..size).collect();
    seed.stream("shuffled labels", "rows").shuffle(&mut order);
    let table = |values: &[f32], width: usize| -> Vec<f32> {
        let count = values.len() / width;
        let of = |row: usize| if row < size { order[row] } else { row };
        (0..count).flat_map(|row| values[of(row) * width..][..width].to_vec()).collect()
    };
    match answers {
        Answers::Classes { index, count } => {
            let of = |row: usize| if row < size { order[row] } else { row };
            Answers::Classes { index: (0..index.len()).map(|row| index[of(row)]).collect(), count }
        }
        Answers::Labels { values, width } => Answers::Labels { values: table(&values, width), width },
        Answers::Numbers { values, width } => Answers::Numbers { values: table(&values, width), width },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_exchanged_among_what_is_learned_from_only() {
        let answers = Answers::Classes { index: (0..40).collect(), count: 40 };
        let Answers::Classes { index, .. } = shuffled(answers, 30, Seed(1)) else { panic!("classes stay classes") };
        assert_eq!(index[30..], (30..40).collect::<Vec<u32>>());
        let mut first = index[..30].to_vec();
        assert_ne!(first, (0..30).collect::<Vec<u32>>());
        first.sort_unstable();
        assert_eq!(first, (0..30).collect::<Vec<u32>>());
    }
}
