//! The pipeline, from a plan to a ranking.

use std::sync::atomic::Ordering;
use std::time::Instant;

use super::candidate::{self, Candidate};
use super::features::{self, Extracted, Failure};
use super::layers::{self, Layers, View};
use super::order::{self, Entry};
use super::plan::{Plan, Progress};
use super::pool;
use super::samples::{self, Samples};
use super::scoring::{self, Scored};
use super::truth::{self, Judges};
use super::{
    DataSummary, Error, ModelStatus, ModelTiming, Passes, RankedModel, Ranking, RunTiming, Skipped, Truth, verdict,
};
use crate::base::path_text::show;
use crate::base::{Targets, Task};
use crate::extract::Description;
use crate::extract::launch::Machinery;
use crate::score::{self, Metric, Settings};
use crate::zoo::{self, Access};

/// Metrics computed beside the one that orders.
const BESIDE: [&str; 3] = ["logme", "ridge", "knn"];

/// The metric that is computed too where there is a truth to compare with.
const WITH_TRUTH: &str = "hscore_regularized";

/// A candidate and what came of it.
struct Outcome {
    candidate: Candidate,
    result: Result<(Extracted, View), String>,
}

/// Makes a ranking.
pub fn run(plan: &Plan, access: &Access, machinery: &Machinery, progress: &dyn Progress) -> Result<Ranking, Error> {
    let begun = Instant::now();
    let metrics = metrics(&plan.metric, plan.truth)?;
    let zoo = zoo::open(&plan.zoo, access)?;
    let samples = samples::for_scoring(&plan.data, &plan.table, plan.samples, plan.seed, &machinery.store)?;
    announce(&samples, &zoo, progress);
    let mut outcomes = outcomes(&zoo, &samples, plan, machinery, progress)?;
    require_a_model(&outcomes, &zoo)?;
    let failed = failed_rows(&outcomes);
    require_a_picture(&samples, &outcomes, &failed)?;
    let judges = judges(plan, &samples, machinery)?;
    let settings = Settings { seed: plan.seed, knn_ties: plan.knn_ties, ..Settings::default() };
    let count = scored_count(&samples, judges.as_ref());
    let whole = Scored::of(&samples, count, &failed, widest(&outcomes, plan.layers), settings)?;
    progress.phase("scoring");
    let choosing = if plan.layers == Layers::Best { Some(whole.half(false)?) } else { None };
    choose_layers(&mut outcomes, metrics[0], choosing.as_ref(), plan)?;
    let scored = if choosing.is_some() { whole.half(true)? } else { whole };
    let mut entries = entries(&outcomes, &metrics, &scored, plan, machinery)?;
    pool::combine(&mut entries, &plan.metric);
    let entries = order::arrange(entries);
    let verdict = verdict::verdict(&entries, &plan.metric, scored.targets.task());
    let advice = verdict::advice(&entries, &scored.targets, samples.available);
    let models: Vec<RankedModel> = entries.into_iter().map(|entry| entry.model).collect();
    let truth = match &judges {
        Some(judges) => Some(judged(&outcomes, &models, &samples, &scored, judges, machinery, progress)?),
        None => None,
    };
    Ok(Ranking {
        schema: 1,
        task: scored.targets.task(),
        data: summary(&samples, &scored, plan),
        metric: plan.metric.clone(),
        seed: plan.seed,
        verdict,
        skipped: skipped(&samples, &zoo, &outcomes, &failed),
        passes: passes(&models, scored.rows.len()),
        models,
        advice,
        truth,
        timing: RunTiming { seconds: begun.elapsed().as_secs_f64(), threads: machinery.threads },
    })
}

/// The ordering metric first, then the others.
fn metrics(ordering: &str, truth: bool) -> Result<Vec<&'static Metric>, Error> {
    let beside = BESIDE.into_iter().chain(truth.then_some(WITH_TRUTH)).filter(|name| *name != ordering);
    let find = |name: &str| score::metric(name).ok_or_else(|| Error::UnknownMetric(name.to_owned()));
    std::iter::once(ordering).chain(beside).map(find).collect()
}

/// What the names of the targets are of, one and several.
fn noun(task: Task) -> [&'static str; 2] {
    match task {
        Task::Classification => ["class", "classes"],
        Task::Multilabel => ["label", "labels"],
        Task::Regression => ["target", "targets"],
    }
}

fn counted(count: usize, [one, several]: [&str; 2]) -> String {
    format!("{count} {}", if count == 1 { one } else { several })
}

fn announce(samples: &Samples, zoo: &zoo::Zoo, progress: &dyn Progress) {
    let (count, available) = (samples.targets.len(), samples.available);
    let share = if count < available { format!(" of {available}") } else { String::new() };
    let names = counted(samples.targets.names().len(), noun(samples.targets.task()));
    let format = samples.job.dataset.format;
    progress.say(&format!("data: {format}, {count}{share} samples ({}), {names}", samples.split));
    samples.job.dataset.notes.iter().for_each(|note| progress.say(note));
    progress.say(&format!("zoo: {}, {} refused", counted(zoo.models.len(), ["model", "models"]), zoo.refused.len()));
    let noted =
        zoo.models.iter().flat_map(|model| model.notes.iter().map(move |note| format!("{}: {note}", model.name)));
    noted.for_each(|note| progress.say(&note));
}

/// The features of every candidate: the models, the baselines, and last the smallest model with permuted weights.
fn outcomes(
    zoo: &zoo::Zoo,
    samples: &Samples,
    plan: &Plan,
    machinery: &Machinery,
    progress: &dyn Progress,
) -> Result<Vec<Outcome>, Error> {
    let mut outcomes = vec![];
    let models = candidate::models(zoo, plan.layers.set(), plan.pooling);
    let baselines = if plan.baselines { candidate::without_model(&samples.job.files) } else { vec![] };
    for candidate in models.into_iter().chain(baselines) {
        outcomes.push(outcome(candidate, samples, machinery, progress)?);
    }
    if let Some(permuted) =
        smallest(&outcomes).filter(|_| plan.baselines).and_then(|model| candidate::permuted(model, plan.seed))
    {
        outcomes.push(outcome(permuted, samples, machinery, progress)?);
    }
    Ok(outcomes)
}

fn outcome(
    candidate: Candidate,
    samples: &Samples,
    machinery: &Machinery,
    progress: &dyn Progress,
) -> Result<Outcome, Error> {
    let noun = samples.job.dataset.inputs.noun();
    if let Some(taken) = candidate.extractor.noun().filter(|taken| *taken != noun) {
        return Ok(Outcome { candidate, result: Err(format!("it takes {taken}, and the samples are {noun}")) });
    }
    let result = match features::extract(&candidate.name, &candidate.extractor, &samples.job, machinery, progress) {
        Ok(found) => {
            let view = View::whole(&found.description);
            Ok((found, view))
        }
        Err(Failure::Run(error)) => return Err(error),
        Err(Failure::Candidate(reason)) => {
            progress.say(&format!("{}: failed: {reason}", candidate.name));
            Err(reason)
        }
    };
    Ok(Outcome { candidate, result })
}

/// The real model with the fewest multiply-adds; of equals the first by name.
fn smallest(outcomes: &[Outcome]) -> Option<&Candidate> {
    let models = extracted(outcomes).filter(|(candidate, _)| !candidate.baseline);
    models.min_by_key(|(_, found)| found.description.multiply_adds.unwrap_or(u64::MAX)).map(|(candidate, _)| candidate)
}

fn extracted(outcomes: &[Outcome]) -> impl Iterator<Item = (&Candidate, &Extracted)> {
    outcomes.iter().filter_map(|outcome| Some((&outcome.candidate, &outcome.result.as_ref().ok()?.0)))
}

/// Settles which columns of each candidate's features are scored.
fn choose_layers(
    outcomes: &mut [Outcome],
    metric: &'static Metric,
    choosing: Option<&Scored>,
    plan: &Plan,
) -> Result<(), Error> {
    for outcome in outcomes {
        let Ok((found, view)) = &mut outcome.result else { continue };
        match layers::view(plan.layers, found, metric, choosing)? {
            Ok(chosen) => *view = chosen,
            Err(reason) => outcome.result = Err(reason),
        }
    }
    Ok(())
}

/// The widest features that are scored.
fn widest(outcomes: &[Outcome], layers: Layers) -> usize {
    let width = |description: &Description| match layers {
        Layers::Last | Layers::All => description.dim,
        Layers::Mean | Layers::Best => description.layers.iter().map(|layer| layer.dim).max().unwrap_or(1),
    };
    extracted(outcomes).map(|(_, found)| width(&found.description)).max().unwrap_or(1)
}

fn require_a_model(outcomes: &[Outcome], zoo: &zoo::Zoo) -> Result<(), Error> {
    if extracted(outcomes).any(|(candidate, _)| !candidate.baseline) {
        return Ok(());
    }
    let refused = zoo.refused.iter().map(|refused| format!("{}: {}", show(&refused.path), refused.reason));
    let failed = outcomes.iter().filter(|outcome| !outcome.candidate.baseline);
    let failed =
        failed.filter_map(|outcome| Some(format!("{}: {}", outcome.candidate.name, outcome.result.as_ref().err()?)));
    let reasons: Vec<String> = refused.chain(failed).collect();
    let more = if reasons.len() > 3 { format!("\nand {} more", reasons.len() - 3) } else { String::new() };
    let reasons = format!("{}{more}", reasons.into_iter().take(3).collect::<Vec<_>>().join("\n"));
    Err(Error::NoModel { path: show(&zoo.path), reasons })
}

/// The rows that some candidate could not read, rising.
fn failed_rows(outcomes: &[Outcome]) -> Vec<usize> {
    let mut rows: Vec<usize> =
        extracted(outcomes).flat_map(|(_, found)| &found.failures).map(|failure| failure.row as usize).collect();
    rows.sort_unstable();
    rows.dedup();
    rows
}

fn reason_of(row: usize, outcomes: &[Outcome]) -> String {
    let mut failures = extracted(outcomes).flat_map(|(_, found)| &found.failures);
    failures.find(|failure| failure.row as usize == row).map_or(String::new(), |failure| failure.reason.clone())
}

fn require_a_picture(samples: &Samples, outcomes: &[Outcome], failed: &[usize]) -> Result<(), Error> {
    let count = samples.job.len();
    if failed.len() < count {
        return Ok(());
    }
    let first = if count == 0 { String::new() } else { samples.job.dataset.inputs.describe(0) };
    let first = format!("{first}: {}", reason_of(0, outcomes));
    Err(Error::NothingReadable { path: show(&samples.job.dataset.path), count, first })
}

fn judges(plan: &Plan, samples: &Samples, machinery: &Machinery) -> Result<Option<Judges>, Error> {
    if !plan.truth || samples.targets.task() == Task::Multilabel {
        return Ok(None);
    }
    Ok(Some(match samples::for_judging(&plan.data, &plan.table, plan.seed, &machinery.store)? {
        Some(split) => Judges::Split(Box::new(split)),
        None => Judges::Rest(samples.targets.len() * 4 / 5),
    }))
}

fn scored_count(samples: &Samples, judges: Option<&Judges>) -> usize {
    match judges {
        Some(Judges::Rest(first)) => *first,
        Some(Judges::Split(_)) | None => samples.targets.len(),
    }
}

fn entries(
    outcomes: &[Outcome],
    metrics: &[&'static Metric],
    scored: &Scored,
    plan: &Plan,
    machinery: &Machinery,
) -> Result<Vec<Entry>, Error> {
    let entry = |outcome| {
        if machinery.launcher.stop.load(Ordering::Relaxed) {
            return Err(Error::Interrupted);
        }
        entry(outcome, metrics, scored, plan)
    };
    outcomes.iter().map(entry).collect()
}

fn entry(outcome: &Outcome, metrics: &[&'static Metric], scored: &Scored, plan: &Plan) -> Result<Entry, Error> {
    let mut model = unscored(&outcome.candidate);
    let (found, view) = match &outcome.result {
        Ok(both) => both,
        Err(reason) => {
            return Ok(Entry { model: RankedModel { error: Some(reason.clone()), ..model }, evaluation: None });
        }
    };
    let begun = Instant::now();
    let evaluations = scoring::scores(metrics, scored, found, view)?;
    model.timing = ModelTiming {
        extract_seconds: found.timing.seconds,
        score_seconds: begun.elapsed().as_secs_f64(),
        items_per_second: (found.timing.seconds > 0.0).then(|| found.timing.rows as f64 / found.timing.seconds),
        from_store: found.from_store,
    };
    let ordering = evaluations.iter().find(|evaluation| evaluation.score.metric == plan.metric).cloned();
    model.status = ModelStatus::Ok;
    model.score = ordering.as_ref().and_then(|evaluation| evaluation.score.value);
    model.interval = ordering.as_ref().and_then(|evaluation| evaluation.score.interval);
    model.scores = evaluations.into_iter().map(|evaluation| evaluation.score).collect();
    model.n_seen = scored.rows.len();
    model.dim = Some(view.dim);
    model.layer.clone_from(&view.layer);
    if found.truncated > 0 {
        model.flags.push(format!("{} of {} texts cut", found.truncated, found.features.rows()));
    }
    model.features_from = Some(found.description.features_from.clone());
    model.runtime.clone_from(&found.description.runtime);
    model.multiply_adds = found.description.multiply_adds;
    Ok(Entry { model, evaluation: ordering })
}

/// A row of the table for a candidate that has no features.
fn unscored(candidate: &Candidate) -> RankedModel {
    RankedModel {
        name: candidate.name.clone(),
        rank: None,
        status: ModelStatus::Failed,
        score: None,
        interval: None,
        scores: vec![],
        dim: None,
        layer: "last".to_owned(),
        features_from: None,
        runtime: None,
        n_seen: 0,
        beats_next: None,
        ties_next: false,
        baseline: candidate.baseline,
        flags: vec![],
        error: None,
        multiply_adds: None,
        timing: ModelTiming::default(),
    }
}

fn judged(
    outcomes: &[Outcome],
    models: &[RankedModel],
    samples: &Samples,
    scored: &Scored,
    judges: &Judges,
    machinery: &Machinery,
    progress: &dyn Progress,
) -> Result<Truth, Error> {
    let by_rank = |model: &RankedModel| {
        let outcome = outcomes.iter().find(|outcome| outcome.candidate.name == model.name)?;
        let (extracted, view) = outcome.result.as_ref().ok()?;
        Some(truth::Named { name: &outcome.candidate.name, extractor: &outcome.candidate.extractor, extracted, view })
    };
    let candidates: Vec<truth::Named> = models.iter().filter_map(by_rank).collect();
    let accuracies = truth::accuracies(&candidates, samples, scored, judges, machinery, progress)?;
    let count = match judges {
        Judges::Rest(first) => samples.targets.len() - first,
        Judges::Split(split) => split.targets.len(),
    };
    Ok(truth::agreement(models, accuracies, judges, scored.targets.task(), count))
}

fn summary(samples: &Samples, scored: &Scored, plan: &Plan) -> DataSummary {
    DataSummary {
        path: plan.data.clone(),
        format: samples.job.dataset.format.to_owned(),
        n: scored.rows.len(),
        available: samples.available,
        classes: scored.targets.names().len(),
        class_names: scored.targets.names().to_vec(),
        class_counts: if let Targets::Classes(classes) = &scored.targets { classes.counts() } else { vec![] },
        split: samples.split.clone(),
        digest: samples.job.digest.clone(),
    }
}

/// What could not be used: files of the data set, pictures that can't be read, entries of the zoo.
fn skipped(samples: &Samples, zoo: &zoo::Zoo, outcomes: &[Outcome], failed: &[usize]) -> Vec<Skipped> {
    let files =
        samples.job.dataset.skipped.iter().map(|(path, reason)| Skipped { path: show(path), reason: reason.clone() });
    let picture =
        |row: &usize| Skipped { path: samples.job.dataset.inputs.describe(*row), reason: reason_of(*row, outcomes) };
    let models =
        zoo.refused.iter().map(|refused| Skipped { path: show(&refused.path), reason: refused.reason.clone() });
    files.chain(failed.iter().map(picture)).chain(models).collect()
}

fn passes(models: &[RankedModel], rows: usize) -> Passes {
    let cost = |seen: &dyn Fn(&RankedModel) -> usize| {
        models.iter().map(|model| model.multiply_adds.unwrap_or(0).saturating_mul(seen(model) as u64)).sum()
    };
    Passes { spent: cost(&|model| model.n_seen), full: cost(&|_| rows) }
}
