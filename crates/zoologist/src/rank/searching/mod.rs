//! `search`: a skeleton and labelled pictures in; an architecture out that was found without training each, and what it is
//! worth beside architectures that nobody searched for.
//!
//! ```text
//! samples in one order ─► learned from | validation | judged
//!        │
//!        ├─ a worker per method and seed: shared weights, searcher ─► found, short list, drawn ones with their one-shot accuracy
//!        └─ trained alone, from random weights: found ones, the largest, drawn ones ─► judged
//!                                   │
//!                                   └─► differences in pairs, rank correlation, control with shuffled labels
//! ```
//!
//! Searches see the samples that are learned from and those that validate; judged ones are seen by networks that were
//! trained alone, once. Every search and every training is kept in the store: more seeds, methods or controls are added to
//! what is there.

mod budget;
mod compare;
mod result;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};

pub use result::{
    Against, Alone, Architecture, ArchitectureSearch, Control, Network, Search, SearchTiming, SearchedData,
};

use super::features::Watch;
use super::plan::Progress;
use super::samples::{self, Take, TuningSamples};
use super::side_by_side::side_by_side;
use super::trained;
use super::tuning::{self, Settings, TunePlan, Way};
use super::{Error, Skipped, candidate, latency};
use crate::base::{Fault, Seed, Targets};
use crate::data::TableOptions;
use crate::extract::LayerSet;
use crate::extract::launch::{self, Machinery};
use crate::extract::training::{
    Answers, Norms, OneShot, Optimizer, PathPer, Skeleton, SupernetOrder, SupernetOutcome, folder_of,
};
use crate::search::Method;
use crate::store::{JobFolder, Key};
use crate::zoo::preprocessing::{ChannelOrder, Crop, CropRounding, Filter, Layout, Preprocessing, Resize, Size};
use crate::zoo::{self, Access};

/// The mean and the deviation that pixels, from 0 to 1, are brought to.
const CENTRE: f32 = 0.5;
/// Decay of the shared weights (Liu et al., arXiv:1806.09055, §3.1).
const WEIGHT_DECAY: f64 = 3e-4;
/// Validation rows of an evaluation during a search.
const EVALUATED_ON: usize = 500;
/// Validation rows of the final choice, at most: with so many the standard error of an accuracy is .011 at most.
const VALIDATED_ON: usize = 2000;
/// Architectures among which the final choice is made.
const SHORT_LIST: usize = 20;
/// The name of what came of a search, in its folder.
const OUTCOME: &str = "search";

/// What to search, and how.
#[derive(Debug, Clone)]
pub struct SearchPlan {
    /// The data set: pictures with classes.
    pub data: PathBuf,
    /// How to read it, where it is a table.
    pub table: TableOptions,
    /// What is searched.
    pub skeleton: Skeleton,
    /// The edge that pictures are brought to.
    pub edge: usize,
    /// A sample of so many beside a test split.
    pub samples: Option<usize>,
    /// The methods.
    pub methods: Vec<Method>,
    /// How long one path is trained.
    pub path_per: PathPer,
    /// Steps of the shared weights.
    pub steps: usize,
    /// The share of the steps before anything is learned of the paths.
    pub warm_up: f64,
    /// Samples of a step.
    pub batch: usize,
    /// The learning rate, of searches and of trainings alone.
    pub learning_rate: f64,
    /// The most parameters that an architecture may have.
    pub most_parameters: Option<f64>,
    /// The most multiply-adds for one picture.
    pub most_multiply_adds: Option<f64>,
    /// How many searches of each method.
    pub seeds: usize,
    /// Steps of a training alone.
    pub training_steps: usize,
    /// How many trainings of each architecture.
    pub trainings: usize,
    /// How many architectures are drawn evenly and trained alone, to compare with.
    pub drawn: usize,
    /// Whether each search is made once more with shuffled labels.
    pub shuffles: bool,
    /// How long all of it may take: searches and trainings alone then have as many steps as fit, in the proportion given
    /// here.
    pub budget: Option<Duration>,
    /// The folder for the network that was found; it must not exist.
    pub output: Option<PathBuf>,
    /// Fixes everything random.
    pub seed: Seed,
}

/// Searches, trains alone what is to be compared, and compares.
pub fn run(
    plan: &SearchPlan,
    access: &Access,
    machinery: &Machinery,
    progress: &dyn Progress,
) -> Result<ArchitectureSearch, Error> {
    let begun = Instant::now();
    tuning::refuse_existing(plan.output.as_deref())?;
    let take = Take::up_to(plan.samples);
    let samples = samples::for_tuning(&plan.data, &plan.table, take, plan.seed, &machinery.store)?;
    samples.job.dataset.notes.iter().for_each(|note| progress.say(note));
    let work = Work { plan, access, machinery, progress, samples: &samples };
    work.refuse_others()?;
    let plan = &budget::fitted(&work, begun)?;
    let work = Work { plan, ..work };
    let (searches, shuffled) = work.searches()?;
    let alone = work.trained_alone(&searches, &shuffled)?;
    let mut found = compare::compared(plan, &samples, &searches, &shuffled, &alone);
    if let (Some(output), Some(first)) = (&plan.output, searches.first()) {
        let tuned = work.tune(&first.outcome.found, first, 0, machinery, Some(output.clone()))?;
        (found.output, found.files) = (tuned.output, tuned.files);
    }
    found.skipped = skipped(&samples, &searches);
    let milliseconds = work.milliseconds(&searches, &found)?;
    found.timing = SearchTiming {
        seconds: begun.elapsed().as_secs_f64(),
        searching_seconds: searches.iter().map(|made| made.outcome.seconds).collect(),
        milliseconds,
    };
    Ok(found)
}

/// A search that was made.
struct Made {
    method: Method,
    /// Its number among those of the method.
    offset: usize,
    outcome: SupernetOutcome,
    folder: JobFolder,
}

struct Work<'a> {
    plan: &'a SearchPlan,
    access: &'a Access<'a>,
    machinery: &'a Machinery,
    progress: &'a dyn Progress,
    samples: &'a TuningSamples,
}

impl Work<'_> {
    /// Refuses what is not pictures with classes.
    fn refuse_others(&self) -> Result<(), Error> {
        let noun = self.samples.job.dataset.inputs.noun();
        let reasons = match &self.samples.targets {
            _ if noun != "pictures" => format!("architectures are searched on pictures, and these samples are {noun}"),
            Targets::Classes(_) => return Ok(()),
            _ => "architectures are compared by accuracy: the labels must be classes".to_owned(),
        };
        let path = crate::base::path_text::show(&self.plan.data);
        Err(Error::NoModel { path, reasons, fault: Fault::Input })
    }

    /// Every search, and those with shuffled labels; some are made at once.
    fn searches(&self) -> Result<(Vec<Made>, Vec<Made>), Error> {
        let plan = self.plan;
        let seeds = |method: Method, shuffles: bool| (0..plan.seeds).map(move |offset| (method, offset, shuffles));
        let mut planned: Vec<(Method, usize, bool)> =
            plan.methods.iter().flat_map(|&method| seeds(method, false)).collect();
        let right = planned.len();
        planned
            .extend(plan.methods.first().filter(|_| plan.shuffles).into_iter().flat_map(|&first| seeds(first, true)));
        let machinery = self.machinery.for_trainings(planned.len(), 0);
        let mut made = side_by_side(planned.len(), machinery.jobs, |place| self.search(planned[place], &machinery))?;
        let shuffled = made.split_off(right);
        Ok((made, shuffled))
    }

    /// What was found, the largest and the drawn ones, each trained alone as often as is wanted; some at once.
    fn trained_alone(&self, searches: &[Made], shuffled: &[Made]) -> Result<compare::Trained, Error> {
        let mut wanted: Vec<(&OneShot, &Made)> =
            searches.iter().chain(shuffled).map(|made| (&made.outcome.found, made)).collect();
        // The largest and the drawn ones are the same whoever searched.
        if let Some(first) = searches.first().filter(|_| self.plan.drawn > 0) {
            wanted.extend([&first.outcome.largest].into_iter().chain(&first.outcome.drawn).map(|shot| (shot, first)));
        }
        let mut known = BTreeSet::new();
        wanted.retain(|(shot, _)| known.insert(&shot.architecture));
        let count = wanted.len() * self.plan.trainings;
        let machinery = self.machinery.for_trainings(count, 0);
        let values = side_by_side(count, machinery.jobs, |place| {
            let (shot, made) = wanted[place / self.plan.trainings];
            let tuned = self.tune(shot, made, place % self.plan.trainings, &machinery, None)?;
            Ok((tuned.judgement.value, tuned.validation))
        })?;
        let mut alone = compare::Trained::default();
        for (place, (value, validation)) in values.into_iter().enumerate() {
            alone.insert(&wanted[place / self.plan.trainings].0.architecture, value, validation);
        }
        Ok(alone)
    }

    /// A search by a method, with the seed of that number.
    fn search(&self, (method, offset, shuffles): (Method, usize, bool), machinery: &Machinery) -> Result<Made, Error> {
        let mut order = self.order(method, offset);
        if shuffles {
            shuffle(&mut order);
        }
        let labels = if shuffles { ", labels shuffled" } else { "" };
        let label = format!("search by {method}, seed {}{labels}", order.seed.0);
        let (outcome, folder) = self.searched(order, &label, &[], machinery)?;
        Ok(Made { method, offset, outcome, folder })
    }

    /// What an order comes to, from the store or by a worker; `more` is what it depends on beside the order.
    fn searched(
        &self,
        mut order: SupernetOrder,
        label: &str,
        more: &[(&str, &str)],
        machinery: &Machinery,
    ) -> Result<(SupernetOutcome, JobFolder), Error> {
        let identity = SupernetOrder { samples: crate::extract::SampleFiles::none(), ..order.clone() };
        let identity = serde_json::to_string(&identity).unwrap_or_default();
        let digest = blake3::hash(identity.as_bytes()).to_hex();
        let own = [
            ("what", OUTCOME),
            ("version", env!("CARGO_PKG_VERSION")),
            ("order", digest.as_str()),
            ("data", &self.samples.job.digest),
        ];
        let folder = machinery.store.job(&Key::of(&[&own, more].concat()))?;
        folder.path().clone_into(&mut order.folder);
        order.threads = machinery.threads_per_worker();
        let outcome = self.outcome(&order, &folder, label, machinery)?;
        Ok((outcome, folder))
    }

    fn outcome(
        &self,
        order: &SupernetOrder,
        folder: &JobFolder,
        label: &str,
        machinery: &Machinery,
    ) -> Result<SupernetOutcome, Error> {
        let waiting = || self.progress.say(&format!("{label}: another process makes it; waiting for its result"));
        let lock = folder.lock(waiting)?;
        let _in_use = folder.mark_used(&lock)?;
        let key = Key::of(&[("what", OUTCOME)]);
        let is_whole = |outcome: &SupernetOutcome| {
            let all = outcome.drawn.iter().chain([&outcome.found, &outcome.largest]);
            all.into_iter().all(|shot| folder.path().join(folder_of(&shot.architecture)).join("config.json").is_file())
        };
        if let Some(outcome) = folder.result::<SupernetOutcome>(&key)?.filter(is_whole) {
            return Ok(outcome);
        }
        self.progress.begin(label, 0, order.steps * order.batch);
        let mut watch = Watch { progress: self.progress, name: label };
        let outcome = launch::search(machinery, folder, order, &mut watch);
        self.progress.end(label);
        let outcome = outcome.map_err(|error| trained::refuse(label, error))?;
        folder.write_result(&key, &outcome)?;
        Ok(outcome)
    }

    fn order(&self, method: Method, offset: usize) -> SupernetOrder {
        let plan = self.plan;
        SupernetOrder {
            skeleton: plan.skeleton,
            most_parameters: plan.most_parameters,
            most_multiply_adds: plan.most_multiply_adds,
            edge: plan.edge,
            preprocessing: preprocessing(plan.edge as u32),
            samples: self.samples.job.files.clone(),
            answers: trained::answers(&self.samples.targets),
            training: self.samples.learned.clone(),
            validation: self.samples.validation.iter().copied().take(VALIDATED_ON).collect(),
            method,
            path_per: plan.path_per,
            steps: plan.steps,
            warm_up: plan.warm_up,
            batch: plan.batch,
            learning_rate: plan.learning_rate,
            weight_decay: WEIGHT_DECAY,
            evaluated_on: EVALUATED_ON,
            drawn: plan.drawn,
            short_list: SHORT_LIST,
            seed: Seed(plan.seed.0 + offset as u64),
            drawn_seed: plan.seed,
            threads: 1,
            folder: PathBuf::new(),
        }
    }

    /// Trains an architecture alone, with seed number so and so.
    fn tune(
        &self,
        shot: &OneShot,
        made: &Made,
        number: usize,
        machinery: &Machinery,
        output: Option<PathBuf>,
    ) -> Result<tuning::Tuned, Error> {
        let plan = self.plan;
        let tuning = TunePlan {
            model: made.folder.path().join(folder_of(&shot.architecture)),
            data: plan.data.clone(),
            table: plan.table.clone(),
            way: Way::Scratch,
            samples: plan.samples,
            pooling: None,
            settings: Settings {
                learning_rate: Some(plan.learning_rate),
                batch: Some(plan.batch),
                steps: Some(plan.training_steps),
                optimizer: Some(Optimizer::Sgd),
                norms: Some(Norms::Frozen),
                ..Settings::default()
            },
            alteration: None,
            teachers: None,
            output,
            graph: true,
            seed: plan.seed,
            training_seed: Some(Seed(plan.seed.0 + number as u64)),
        };
        tuning::run(&tuning, self.access, machinery, self.progress)
    }

    /// Milliseconds per picture of each network that was trained alone.
    fn milliseconds(&self, searches: &[Made], found: &ArchitectureSearch) -> Result<Vec<Option<f64>>, Error> {
        let dataset = &self.samples.job.dataset;
        let rows: Vec<usize> = (0..dataset.inputs.len().min(latency::TIMED)).collect();
        let job = samples::selected(dataset, &rows, &self.machinery.store)?;
        let of_network = |network: &Network| {
            let folder = folder_of(&network.architecture.options(&found.choices));
            let folder = searches.iter().map(|made| made.folder.path().join(&folder)).find(|folder| folder.is_dir());
            let Some(folder) = folder else { return Ok(None) };
            let model = zoo::model(&folder, self.access)?;
            let network = candidate::plan(&model, LayerSet::Last, None);
            let seconds = latency::seconds_per_sample(&model, network, &job, self.machinery, self.progress)?;
            Ok(seconds.map(|seconds| 1000.0 * seconds))
        };
        found.networks.iter().map(of_network).collect()
    }
}

/// How pictures are prepared for these networks: the shorter edge brought to size, the centre cut out, pixels from -1 to 1.
/// What is written beside a network says the same.
fn preprocessing(edge: u32) -> Preprocessing {
    Preprocessing {
        resize: Resize::ShortestEdge(edge),
        filter: Filter::Bilinear,
        crop: Some(Crop { size: Size { height: edge, width: edge }, rounding: CropRounding::HalfEven }),
        scale: 1.0 / 255.0,
        offset: 0.0,
        mean: [CENTRE; 3],
        std: [CENTRE; 3],
        channel_order: ChannelOrder::Rgb,
        layout: Layout::Nchw,
    }
}

/// Exchanges the labels of all rows that a search sees: there is nothing to be found any more.
fn shuffle(order: &mut SupernetOrder) {
    let rows: Vec<usize> = order.training.iter().chain(&order.validation).copied().collect();
    let mut others = rows.clone();
    order.seed.stream("shuffled labels", "rows").shuffle(&mut others);
    if let Answers::Classes { index, .. } = &mut order.answers {
        let before = index.clone();
        rows.iter().zip(&others).for_each(|(&row, &other)| index[row] = before[other]);
    }
}

fn skipped(samples: &TuningSamples, searches: &[Made]) -> Vec<Skipped> {
    let unreadable = searches.first().map_or(&[][..], |made| &made.outcome.unreadable);
    tuning::skipped(samples, unreadable)
}
