//! The pipeline, from a plan to a ranking.

use std::sync::atomic::Ordering;
use std::time::Instant;

use super::brute_force;
use super::candidate::Candidate;
use super::features::Unusable;
use super::field::{self, Ground, Outcome, Stage, extracted};
use super::layers::Layers;
use super::order::{self, Entry};
use super::plan::{Plan, Progress, TruthKind};
use super::pool;
use super::samples::{self, Samples};
use super::scoring::Scored;
use super::truth::{self, Judges};
use super::{
    DataSummary, Error, ModelStatus, ModelTiming, Passes, RankedModel, Ranking, RunTiming, Skipped, Truth, usage,
    verdict,
};
use crate::base::path_text::show;
use crate::base::{Fault, Targets, Task};
use crate::extract::launch::Machinery;
use crate::score::{self, Metric};
use crate::zoo::{self, Access};

/// Metrics computed beside the one that orders.
const BESIDE: [&str; 3] = ["logme", "ridge", "knn"];

/// How the verdict on a part of the candidates begins.
const INTERRUPTED: &str =
    "Not complete: the run was interrupted. What was finished is kept, and the same command goes on from there.";

/// The metric that is computed too where there is a truth to compare with.
const WITH_TRUTH: &str = "hscore_regularized";

/// Makes a ranking.
pub fn run(plan: &Plan, access: &Access, machinery: &Machinery, progress: &dyn Progress) -> Result<Ranking, Error> {
    let begun = Instant::now();
    let metrics = metrics(&plan.metric, plan.truth.is_some())?;
    let zoo = zoo::open(&plan.zoo, access)?;
    let samples = samples::for_scoring(&plan.data, &plan.table, plan.samples, plan.seed, &machinery.store)?;
    announce(&samples, &zoo, progress);
    let ground = Ground { samples: &samples, plan, metric: metrics[0], machinery, progress };
    let (mut outcomes, cut) = field::outcomes(&ground, &zoo)?;
    require_a_model(&outcomes, &zoo)?;
    let judges = if cut { None } else { judges(plan, &samples, machinery)? };
    progress.phase("scoring");
    let (mut entries, scored) = entries(&mut outcomes, &metrics, &ground, judges.as_ref(), cut)?;
    pool::combine(&mut entries, &plan.metric);
    let entries = order::arrange(entries);
    let failed = field::failed_rows(&outcomes.iter().collect::<Vec<_>>());
    let n = available_rows(&outcomes, &scored, &samples, plan.layers);
    let interrupted = cut || field::interrupted(&outcomes);
    let verdict = verdict::verdict(&entries, &plan.metric, scored.targets.task());
    let verdict = if interrupted { format!("{INTERRUPTED}\n{verdict}") } else { verdict };
    let advice = verdict::advice(&entries, &scored.targets, n, samples.available);
    let models: Vec<RankedModel> = entries.into_iter().map(|entry| entry.model).collect();
    let winner = models.iter().find(|model| !model.baseline && model.rank.is_some()).map(|model| model.name.clone());
    let usage = match winner {
        Some(winner) if plan.advises && !interrupted => {
            let may_see = scored_count(samples.targets.len(), judges.as_ref());
            usage::of(&ground, &zoo, &winner, (outcomes.as_slice(), may_see), access)?
        }
        _ => None,
    };
    let truth = match (&judges, plan.truth) {
        (Some(judges), Some(TruthKind::Probe)) if !interrupted => {
            Some(judged(&ground, &outcomes, &models, &scored, judges)?)
        }
        (Some(_), Some(kind)) if !interrupted => Some(brute_force::truth(&ground, &zoo, kind, &models, access)?),
        _ => None,
    };
    Ok(Ranking {
        schema: 1,
        task: scored.targets.task(),
        data: summary(&samples, &scored, n, plan),
        metric: plan.metric.clone(),
        seed: plan.seed,
        interrupted,
        verdict,
        skipped: skipped(&samples, &zoo, &outcomes, &failed),
        passes: passes(&models, n),
        models,
        advice,
        usage,
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

fn require_a_model(outcomes: &[Outcome], zoo: &zoo::Zoo) -> Result<(), Error> {
    if extracted(outcomes).any(|(candidate, _)| !candidate.baseline) {
        return Ok(());
    }
    if field::interrupted(outcomes) {
        return Err(Error::Interrupted);
    }
    let refused = zoo.refused.iter().map(|refused| format!("{}: {}", show(&refused.path), refused.reason));
    let failed = outcomes.iter().filter(|outcome| !outcome.candidate.baseline);
    let failed: Vec<(&Candidate, &Unusable)> =
        failed.filter_map(|outcome| Some((&outcome.candidate, outcome.result.as_ref().err()?))).collect();
    let limited = zoo.refused.is_empty() && failed.iter().all(|(_, unusable)| unusable.fault == Fault::Limit);
    let failed = failed.iter().map(|(candidate, unusable)| format!("{}: {}", candidate.name, unusable.reason));
    let reasons: Vec<String> = refused.chain(failed).collect();
    let more = if reasons.len() > 3 { format!("\nand {} more", reasons.len() - 3) } else { String::new() };
    let reasons = format!("{}{more}", reasons.into_iter().take(3).collect::<Vec<_>>().join("\n"));
    let fault = if limited { Fault::Limit } else { Fault::Input };
    Err(Error::NoModel { path: show(&zoo.path), reasons, fault })
}

fn judges(plan: &Plan, samples: &Samples, machinery: &Machinery) -> Result<Option<Judges>, Error> {
    if plan.truth.is_none_or(|kind| kind == TruthKind::Probe && samples.targets.task() == Task::Multilabel) {
        return Ok(None);
    }
    Ok(Some(match samples::for_judging(&plan.data, &plan.table, plan.seed, &machinery.store)? {
        Some(split) => Judges::Split(Box::new(split)),
        None => Judges::Rest(samples.targets.len() * 4 / 5),
    }))
}

fn scored_count(rows: usize, judges: Option<&Judges>) -> usize {
    match judges {
        Some(Judges::Rest(first)) => *first,
        Some(Judges::Split(_)) | None => rows,
    }
}

/// The scores of all candidates, each on the rows that it saw, and what was scored for those who saw most.
fn entries(
    outcomes: &mut [Outcome],
    metrics: &[&'static Metric],
    ground: &Ground,
    judges: Option<&Judges>,
    cut: bool,
) -> Result<(Vec<Entry>, Scored), Error> {
    let mut seen: Vec<usize> =
        outcomes.iter().filter(|outcome| outcome.result.is_ok()).map(|outcome| outcome.rows).collect();
    seen.sort_unstable();
    seen.dedup();
    let mut entries = vec![];
    let mut most = None;
    for rows in seen {
        // As in the race: those who went on were compared here too.
        let here: Vec<&Outcome> = outcomes.iter().filter(|outcome| outcome.rows >= rows).collect();
        let stage = ground.stage(&here, scored_count(rows, judges))?;
        for outcome in outcomes.iter_mut().filter(|outcome| outcome.rows == rows) {
            // Once the user has stopped the extraction, what there is is scored.
            if !cut && ground.machinery.launcher.stop.load(Ordering::Relaxed) {
                outcome.result = Err(Unusable::interrupted());
            }
            stage.choose_layer(outcome, ground)?;
            if outcome.result.is_ok() {
                entries.push(entry(outcome, metrics, &stage, ground.plan)?);
            }
        }
        most = Some(stage.scored);
    }
    let failed = outcomes.iter().filter_map(|outcome| Some(failure(outcome, outcome.result.as_ref().err()?)));
    entries.extend(failed);
    if entries.iter().all(|entry| entry.evaluation.is_none()) && field::interrupted(&*outcomes) {
        return Err(Error::Interrupted);
    }
    most.map(|scored| (entries, scored)).ok_or_else(|| Error::NoModel {
        path: show(&ground.plan.zoo),
        reasons: "no candidate has features".to_owned(),
        fault: Fault::Input,
    })
}

/// How many rows would be scored if everybody saw all of them.
fn available_rows(outcomes: &[Outcome], scored: &Scored, samples: &Samples, layers: Layers) -> usize {
    let all = samples.targets.len();
    let seen_by_all = extracted(outcomes).any(|(_, found)| found.count == all);
    match layers {
        _ if seen_by_all => scored.rows.len(),
        // One half of the shards chooses the layer.
        Layers::Best => all / 2,
        Layers::Last | Layers::Mean | Layers::All => all,
    }
}

fn failure(outcome: &Outcome, unusable: &Unusable) -> Entry {
    let model = RankedModel { error: Some(unusable.reason.clone()), ..unscored(&outcome.candidate) };
    Entry { model, evaluation: None }
}

fn entry(outcome: &Outcome, metrics: &[&'static Metric], stage: &Stage, plan: &Plan) -> Result<Entry, Error> {
    let mut model = unscored(&outcome.candidate);
    let (found, view) = match &outcome.result {
        Ok(both) => both,
        Err(unusable) => return Ok(failure(outcome, unusable)),
    };
    let begun = Instant::now();
    let evaluations = stage.scores(metrics, found, view)?;
    model.timing = ModelTiming {
        extract_seconds: found.timing.seconds,
        score_seconds: begun.elapsed().as_secs_f64(),
        items_per_second: (found.timing.seconds > 0.0).then(|| found.timing.rows as f64 / found.timing.seconds),
        from_store: found.from_store,
    };
    let ordering = evaluations.iter().find(|evaluation| evaluation.score.metric == plan.metric).cloned();
    model.status = if outcome.stopped { ModelStatus::Eliminated } else { ModelStatus::Ok };
    model.score = ordering.as_ref().and_then(|evaluation| evaluation.score.value);
    model.interval = ordering.as_ref().and_then(|evaluation| evaluation.score.interval);
    model.scores = evaluations.into_iter().map(|evaluation| evaluation.score).collect();
    model.n_seen = stage.scored.rows.len();
    model.dim = Some(view.dim);
    model.layer.clone_from(&view.layer);
    model.flags.clone_from(&outcome.flags);
    if found.truncated > 0 {
        model.flags.push(format!("{} of {} texts cut", found.truncated, found.count));
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
    ground: &Ground,
    outcomes: &[Outcome],
    models: &[RankedModel],
    scored: &Scored,
    judges: &Judges,
) -> Result<Truth, Error> {
    let by_rank = |model: &RankedModel| {
        let outcome = outcomes.iter().find(|outcome| outcome.candidate.name == model.name)?;
        let (extracted, view) = outcome.result.as_ref().ok()?;
        Some(truth::Named { name: &outcome.candidate.name, extractor: &outcome.candidate.extractor, extracted, view })
    };
    let candidates: Vec<truth::Named> = models.iter().filter_map(by_rank).collect();
    let accuracies = truth::accuracies(&candidates, ground.samples, scored, judges, ground.machinery, ground.progress)?;
    let count = match judges {
        Judges::Rest(first) => ground.samples.targets.len() - first,
        Judges::Split(split) => split.targets.len(),
    };
    Ok(truth::agreement(models, accuracies, judges, scored.targets.task(), count, ground.plan.seed))
}

fn summary(samples: &Samples, scored: &Scored, n: usize, plan: &Plan) -> DataSummary {
    DataSummary {
        path: plan.data.clone(),
        format: samples.job.dataset.format.to_owned(),
        n,
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
    let all: Vec<&Outcome> = outcomes.iter().collect();
    let files =
        samples.job.dataset.skipped.iter().map(|(path, reason)| Skipped { path: show(path), reason: reason.clone() });
    let picture =
        |row: &usize| Skipped { path: samples.job.dataset.inputs.describe(*row), reason: field::reason_of(*row, &all) };
    let models =
        zoo.refused.iter().map(|refused| Skipped { path: show(&refused.path), reason: refused.reason.clone() });
    files.chain(failed.iter().map(picture)).chain(models).collect()
}

/// Forward passes of models, of baselines too and without them.
fn passes(models: &[RankedModel], rows: usize) -> Passes {
    let cost = |baselines: bool, seen: &dyn Fn(&RankedModel) -> usize| {
        let counted = models.iter().filter(|model| baselines || !model.baseline);
        counted.map(|model| model.multiply_adds.unwrap_or(0).saturating_mul(seen(model) as u64)).sum()
    };
    let (own, all) = (|model: &RankedModel| model.n_seen, |_: &RankedModel| rows);
    Passes {
        spent: cost(true, &own),
        full: cost(true, &all),
        spent_by_models: cost(false, &own),
        full_of_models: cost(false, &all),
    }
}
