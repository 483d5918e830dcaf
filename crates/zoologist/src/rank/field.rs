//! The candidates with their features: all rows of every candidate, or as many as each saw in a race.

use std::collections::BTreeMap;

use super::candidate::{self, Candidate};
use super::features::{self, Extracted, Failure, Unusable, Wanted};
use super::layers::{self, Layers, View};
use super::plan::{Budget, Plan, Progress};
use super::race::Seen;
use super::samples::Samples;
use super::scoring::{self, Scored};
use super::side_by_side::side_by_side;
use super::vetting::{self, Brief, Keeper};
use super::{Error, race};
use crate::extract::launch::{LaunchError, Machinery};
use crate::extract::{Description, Extractor};
use crate::score::{Evaluation, Metric, Settings};
use crate::zoo::Zoo;

/// From so many models on, they race unless the user says otherwise.
const WORTH_A_RACE: usize = 5;
/// Numbers that features in memory may have for scores that stand beside the one that orders.
const MOST_BESIDE: usize = 1 << 22;

/// A candidate and what came of it.
pub struct Outcome {
    /// The candidate.
    pub candidate: Candidate,
    /// How many rows it saw.
    pub rows: usize,
    /// Whether it was stopped because it can't win.
    pub stopped: bool,
    /// What the checks found, in a few words each.
    pub flags: Vec<String>,
    /// Its features and which of them are looked at, or why there are none.
    pub result: Result<(Extracted, View), Unusable>,
}

/// What all candidates stand on.
pub struct Ground<'a> {
    /// What they see.
    pub samples: &'a Samples,
    /// What was asked for.
    pub plan: &'a Plan,
    /// The metric that orders them.
    pub metric: &'static Metric,
    /// What runs them.
    pub machinery: &'a Machinery,
    /// Who watches.
    pub progress: &'a dyn Progress,
}

/// The rows on which some candidates are compared.
pub struct Stage {
    /// What is scored.
    pub scored: Scored,
    /// What scores see that need all rows in memory and don't order, if these are too many.
    sample: Option<Scored>,
    /// Where the best layer is chosen, if it is to be.
    choosing: Option<Scored>,
}

/// The features of every candidate: the models, the baselines, and last the smallest model with permuted weights.
/// Baselines see what the winners of the race saw. Says too whether the user stopped the run meanwhile.
pub fn outcomes(ground: &Ground, zoo: &Zoo) -> Result<(Vec<Outcome>, bool), Error> {
    let (samples, plan) = (ground.samples, ground.plan);
    let briefs = ground.briefs(zoo)?;
    let (models, refused) = sound(candidate::models(zoo, plan.layers.set(), plan.pooling), &briefs);
    let races = match plan.budget {
        Budget::Full => false,
        Budget::Race => plan.truth.is_none(),
        Budget::Auto => models.len() >= WORTH_A_RACE && plan.truth.is_none() && plan.metric != super::pool::METRIC,
    };
    let (mut outcomes, cut) =
        if races { raced(ground, &models)? } else { (ground.all(&models, samples.job.len())?, false) };
    let rows = ran(&outcomes).map(|outcome| outcome.rows).max().unwrap_or_else(|| samples.job.len());
    if plan.baselines {
        outcomes.extend(ground.all(&candidate::without_model(&samples.job.files), rows)?);
        let permuted = smallest(&outcomes).and_then(|model| candidate::permuted(model, plan.seed));
        outcomes.extend(ground.all(permuted.as_slice(), rows)?);
    }
    let interrupted = cut || interrupted(&outcomes);
    outcomes.extend(refused);
    for outcome in outcomes.iter_mut().filter(|outcome| !outcome.candidate.baseline) {
        outcome.flags = briefs.get(&outcome.candidate.name).map(|brief| brief.flags.clone()).unwrap_or_default();
    }
    Ok((outcomes, interrupted))
}

/// The models that may be ranked, and those that fail fatally.
fn sound(models: Vec<Candidate>, briefs: &BTreeMap<String, Brief>) -> (Vec<Candidate>, Vec<Outcome>) {
    let (mut sound, mut refused) = (vec![], vec![]);
    for candidate in models {
        match briefs.get(&candidate.name).and_then(|brief| brief.refusal.clone()) {
            None => sound.push(candidate),
            Some((reason, fault)) => {
                let result = Err(Unusable { reason, fault });
                refused.push(Outcome { candidate, rows: 0, stopped: false, flags: vec![], result });
            }
        }
    }
    (sound, refused)
}

/// Lets models race, and notes where each one stopped; or, if the user stopped the race, says so.
fn raced(ground: &Ground, models: &[Candidate]) -> Result<(Vec<Outcome>, bool), Error> {
    let rungs = race::rungs(&ground.samples.bounds());
    let mut outcomes: BTreeMap<usize, Outcome> = BTreeMap::new();
    let mut before = None;
    let ends = race::run(ground.plan.rule, &rungs, models.len(), |numbers, rows| {
        let runners: Vec<Candidate> = numbers.iter().map(|&number| models[number].clone()).collect();
        outcomes.extend(numbers.iter().copied().zip(ground.all(&runners, rows)?));
        if interrupted(numbers.iter().filter_map(|number| outcomes.get(number))) {
            return Err(Error::Interrupted);
        }
        before = Some(rows);
        ground.evaluations(&mut outcomes, numbers, rows)
    });
    let mut outcomes: Vec<Outcome> = outcomes.into_values().collect();
    match ends {
        Ok(ends) => {
            outcomes.iter_mut().zip(ends).for_each(|(outcome, end)| outcome.stopped = end.stopped);
            Ok((outcomes, false))
        }
        Err(Error::Interrupted) => {
            fall_back(ground, &mut outcomes, before)?;
            Ok((outcomes, true))
        }
        Err(error) => Err(error),
    }
}

/// After an interruption those who are still in the race are compared at the last rung that all of them have done.
fn fall_back(ground: &Ground, outcomes: &mut [Outcome], before: Option<usize>) -> Result<(), Error> {
    let furthest = outcomes.iter().map(|outcome| outcome.rows).max();
    for outcome in outcomes {
        match before {
            Some(rows) if Some(outcome.rows) == furthest => {
                *outcome = ground.outcome(&outcome.candidate, rows)?;
            }
            // Nobody has done a rung yet, or it was stopped before.
            _ => outcome.stopped = before.is_some() && outcome.result.is_ok(),
        }
    }
    Ok(())
}

/// Whether the user stopped the run before some of these had their features.
pub fn interrupted<'a>(outcomes: impl IntoIterator<Item = &'a Outcome>) -> bool {
    outcomes.into_iter().any(|outcome| outcome.result.as_ref().is_err_and(Unusable::is_interrupted))
}

impl Ground<'_> {
    /// What the fatal and the cheap checks say of each model; nothing where no model is to be run.
    fn briefs(&self, zoo: &Zoo) -> Result<BTreeMap<String, Brief>, Error> {
        let mut briefs = BTreeMap::new();
        if self.plan.from_store || !self.plan.vets {
            return Ok(briefs);
        }
        let job = &self.samples.job;
        self.progress.phase("vetting the models");
        for model in zoo.models.iter().filter(|model| model.input.noun() == job.dataset.inputs.noun()) {
            let plan = candidate::plan(model, self.plan.layers.set(), self.plan.pooling);
            let key = features::key(&Extractor::Network(plan), job, &self.machinery.runtime);
            let waiting =
                || self.progress.say(&format!("{}: another process is at it; waiting for its result", model.name));
            let keeper = Keeper::of(self.machinery, &key, waiting)?;
            match vetting::brief(model, &job.files, &keeper) {
                Ok(brief) => {
                    if let Some((reason, _)) = &brief.refusal {
                        self.progress.say(&format!("{}: not ranked: {reason}", model.name));
                    }
                    briefs.insert(model.name.clone(), brief);
                }
                // What is finished is ranked: the race will hear of it too.
                Err(LaunchError::Interrupted) => break,
                Err(LaunchError::Store(error)) => return Err(error.into()),
                Err(_) => {}
            }
        }
        Ok(briefs)
    }

    /// What comes of some candidates, of as many at a time as there may be workers.
    fn all(&self, candidates: &[Candidate], rows: usize) -> Result<Vec<Outcome>, Error> {
        side_by_side(candidates.len(), self.machinery.jobs, |place| self.outcome(&candidates[place], rows))
    }

    fn outcome(&self, candidate: &Candidate, rows: usize) -> Result<Outcome, Error> {
        let job = &self.samples.job;
        let result = |result| Ok(Outcome { candidate: candidate.clone(), rows, stopped: false, flags: vec![], result });
        if let Err(reason) = candidate.extractor.takes(job.dataset.inputs.noun()) {
            return result(Err(Unusable::because(reason)));
        }
        let (name, extractor) = (&candidate.name, &candidate.extractor);
        let compute = candidate.baseline || !self.plan.from_store;
        match features::extract(Wanted { name, extractor, job, rows, compute }, self.machinery, self.progress) {
            Ok(found) => {
                let view = View::whole(&found.description);
                result(Ok((found, view)))
            }
            Err(Failure::Run(Error::Interrupted)) => result(Err(Unusable::interrupted())),
            Err(Failure::Run(error)) => Err(error),
            Err(Failure::Candidate(unusable)) => {
                self.progress.say(&format!("{name}: failed: {}", unusable.reason));
                result(Err(unusable))
            }
        }
    }

    /// The first `count` samples as they are scored for those who saw them.
    pub fn stage(&self, seen_by: &[&Outcome], count: usize) -> Result<Stage, Error> {
        let settings = Settings { seed: self.plan.seed, knn_ties: self.plan.knn_ties, ..Settings::default() };
        let layers = self.plan.layers;
        let failed: Vec<usize> = failed_rows(seen_by).into_iter().filter(|&row| row < count).collect();
        if failed.len() == count {
            return Err(self.nothing_readable(seen_by));
        }
        let widest = widest(seen_by, layers);
        let scored = |count: usize| Scored::of(self.samples, count, &failed, widest, settings.clone());
        let (whole, fewer) = (scored(count)?, MOST_BESIDE / widest);
        let sample = if fewer < count { Some(scored(fewer)?) } else { None };
        Ok(match layers {
            Layers::Best => Stage {
                choosing: Some(whole.half(false)?),
                scored: whole.half(true)?,
                sample: sample.map(|sample| sample.half(true)).transpose()?,
            },
            Layers::Last | Layers::Mean | Layers::All => Stage { choosing: None, scored: whole, sample },
        })
    }

    fn nothing_readable(&self, seen_by: &[&Outcome]) -> Error {
        let job = &self.samples.job;
        let first = if job.len() == 0 { String::new() } else { job.dataset.inputs.describe(0) };
        let first = format!("{first}: {}", reason_of(0, seen_by));
        Error::NothingReadable { path: crate::base::path_text::show(&job.dataset.path), count: job.len(), first }
    }

    /// The scores by which the race is decided, of those of these numbers.
    fn evaluations(
        &self,
        outcomes: &mut BTreeMap<usize, Outcome>,
        numbers: &[usize],
        rows: usize,
    ) -> Result<Vec<Option<Seen>>, Error> {
        let seen_by: Vec<&Outcome> = numbers.iter().filter_map(|number| outcomes.get(number)).collect();
        if ran(seen_by.iter().copied()).next().is_none() {
            return Ok(numbers.iter().map(|_| None).collect());
        }
        self.progress.phase("scoring");
        let stage = self.stage(&seen_by, rows)?;
        numbers.iter().map(|number| outcomes.get_mut(number).map_or(Ok(None), |one| stage.see(one, self))).collect()
    }
}

impl Stage {
    /// Settles which columns of a candidate's features are scored.
    pub fn choose_layer(&self, outcome: &mut Outcome, ground: &Ground) -> Result<(), Error> {
        let Ok((found, view)) = &mut outcome.result else { return Ok(()) };
        match layers::view(ground.plan.layers, found, ground.metric, self.choosing.as_ref())? {
            Ok(chosen) => *view = chosen,
            Err(reason) => outcome.result = Err(Unusable::because(reason)),
        }
        Ok(())
    }

    /// What is seen of a candidate here in a race, if it has features.
    fn see(&self, outcome: &mut Outcome, ground: &Ground) -> Result<Option<Seen>, Error> {
        self.choose_layer(outcome, ground)?;
        let Ok((found, view)) = &outcome.result else { return Ok(None) };
        let score = scoring::scores(&[ground.metric], &self.scored, found, view)?.pop();
        Ok(score.map(|score| Seen { score, dim: view.dim }))
    }

    /// The scores of a candidate; the first metric is the one that orders.
    pub fn scores(
        &self,
        metrics: &[&'static Metric],
        found: &Extracted,
        view: &View,
    ) -> Result<Vec<Evaluation>, Error> {
        let Some(sample) = &self.sample else { return scoring::scores(metrics, &self.scored, found, view) };
        let on_sample = |place: usize, metric: &Metric| place > 0 && !metric.needs_statistics();
        let chosen = |sampled: bool| -> Vec<&'static Metric> {
            let pairs = metrics.iter().enumerate().filter(|(place, metric)| on_sample(*place, metric) == sampled);
            pairs.map(|(_, metric)| *metric).collect()
        };
        let mut all = scoring::scores(&chosen(false), &self.scored, found, view)?;
        let mut beside = scoring::scores(&chosen(true), sample, found, view)?;
        let note = format!("on the first {} samples of the seeded order: it needs them in memory", sample.rows.len());
        beside.iter_mut().for_each(|evaluation| evaluation.score.add_note(&note));
        all.append(&mut beside);
        all.sort_by_key(|evaluation| metrics.iter().position(|metric| metric.name == evaluation.score.metric));
        Ok(all)
    }
}

/// Those that have features.
fn ran<'a>(outcomes: impl IntoIterator<Item = &'a Outcome>) -> impl Iterator<Item = &'a Outcome> {
    outcomes.into_iter().filter(|outcome| outcome.result.is_ok())
}

/// The candidates that have features, and these.
pub fn extracted<'a>(
    outcomes: impl IntoIterator<Item = &'a Outcome>,
) -> impl Iterator<Item = (&'a Candidate, &'a Extracted)> {
    outcomes.into_iter().filter_map(|outcome| Some((&outcome.candidate, &outcome.result.as_ref().ok()?.0)))
}

/// The real model with the fewest multiply-adds; of equals the first by name.
fn smallest(outcomes: &[Outcome]) -> Option<&Candidate> {
    let models = extracted(outcomes).filter(|(candidate, _)| !candidate.baseline);
    models.min_by_key(|(_, found)| found.description.multiply_adds.unwrap_or(u64::MAX)).map(|(candidate, _)| candidate)
}

/// The widest features that are scored.
fn widest(outcomes: &[&Outcome], layers: Layers) -> usize {
    let width = |description: &Description| match layers {
        Layers::Last | Layers::All => description.dim,
        Layers::Mean | Layers::Best => description.layers.iter().map(|layer| layer.dim).max().unwrap_or(1),
    };
    extracted(outcomes.iter().copied()).map(|(_, found)| width(&found.description)).max().unwrap_or(1)
}

/// The rows that some candidate could not read, rising.
pub fn failed_rows(outcomes: &[&Outcome]) -> Vec<usize> {
    let failures = extracted(outcomes.iter().copied()).flat_map(|(_, found)| &found.failures);
    let mut rows: Vec<usize> = failures.map(|failure| failure.row as usize).collect();
    rows.sort_unstable();
    rows.dedup();
    rows
}

/// Why a row could not be read.
pub fn reason_of(row: usize, outcomes: &[&Outcome]) -> String {
    let mut failures = extracted(outcomes.iter().copied()).flat_map(|(_, found)| &found.failures);
    failures.find(|failure| failure.row as usize == row).map_or(String::new(), |failure| failure.reason.clone())
}
