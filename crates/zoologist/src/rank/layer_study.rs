//! `layers`: every layer of one model, probed on the user's data in one forward pass, beside controls.

use std::path::PathBuf;
use std::time::Instant;

use rayon::prelude::*;

use super::Error;
use super::candidate::{self, Candidate};
use super::features::{self, Extracted, Failure, Unusable, Wanted};
use super::layers::View;
use super::plan::Progress;
use super::retraining::{self, Retraining, Subject};
use super::samples::{self, Samples};
use super::scoring::{self, Scored};
use crate::base::{Fail, Features, Seed, Values};
use crate::data::TableOptions;
use crate::extract::launch::{self, Machinery};
use crate::extract::{Description, Extractor, LayerSet};
use crate::layers::{
    LayerList, LayerRow, LayerStudy, ListedLayer, Probed, StudyData, StudyTiming, block_influence, verdict,
};
use crate::score::{self, Evaluation, Metric, Settings};
use crate::zoo::{self, Access, TokenPooling};

/// Above this many directions, the smaller of rows and columns, all layers together are not scored.
const MOST_DIRECTIONS: usize = 4096;

/// What to study.
#[derive(Debug, Clone)]
pub struct StudyPlan {
    /// The model.
    pub model: PathBuf,
    /// The data set.
    pub data: PathBuf,
    /// How to read it, where it is a table.
    pub table: TableOptions,
    /// How the states of a text's tokens are pooled, if not as the model says.
    pub pooling: Option<TokenPooling>,
    /// The score that probes: `ridge` or `logistic`.
    pub probe: &'static str,
    /// Study a seeded stratified sample of so many.
    pub samples: Option<usize>,
    /// Fixes everything random.
    pub seed: Seed,
    /// What to study by training, if anything.
    pub retraining: Option<Retraining>,
}

impl StudyPlan {
    /// How many samples are probed: as many as the largest training learns from.
    fn probed_samples(&self) -> Option<usize> {
        self.retraining.as_ref().and_then(|what| what.sizes.iter().max().copied()).or(self.samples)
    }
}

/// The layers of a model, by a pass over one blank picture or one short text.
pub fn list(
    model: &std::path::Path,
    pooling: Option<TokenPooling>,
    access: &Access,
    machinery: &Machinery,
) -> Result<LayerList, Error> {
    let model = zoo::model(model, access)?;
    let extractor = Extractor::Network(candidate::plan(&model, LayerSet::All, pooling));
    let refuse = |error: launch::LaunchError| Error::NoModel {
        path: model.name.clone(),
        reasons: error.to_string(),
        fault: error.fault(),
    };
    let description = launch::describe(machinery, &extractor).map_err(refuse)?;
    let layer = |(index, layer): (usize, &crate::extract::LayerDescription)| ListedLayer {
        name: layer.name.clone(),
        index,
        dim: layer.dim,
        cost_share: share(&description, layer.multiply_adds),
    };
    Ok(LayerList {
        schema: 1,
        layers: description.layers.iter().enumerate().map(layer).collect(),
        multiply_adds: description.multiply_adds,
        runtime: description.runtime,
        model: model.name,
    })
}

fn share(description: &Description, spent: Option<u64>) -> Option<f64> {
    let whole = description.multiply_adds.filter(|&whole| whole > 0)?;
    Some((spent? as f64 / whole as f64).min(1.0))
}

/// Studies the layers of a model.
pub fn study(
    plan: &StudyPlan,
    access: &Access,
    machinery: &Machinery,
    progress: &dyn Progress,
) -> Result<LayerStudy, Error> {
    let begun = Instant::now();
    // What is trained is the network that is built in, and its layers are probed then.
    let model =
        if plan.retraining.is_some() { zoo::native(&plan.model, access) } else { zoo::model(&plan.model, access) }?;
    let samples = samples::for_scoring(&plan.data, &plan.table, plan.probed_samples(), plan.seed, &machinery.store)?;
    samples.job.dataset.notes.iter().chain(&model.notes).for_each(|note| progress.say(note));
    let network = candidate::plan(&model, LayerSet::All, plan.pooling);
    let own =
        Candidate { name: model.name.clone(), baseline: false, extractor: Extractor::Network(network), notes: vec![] };
    let found = extracted(&own, &samples, machinery, progress)?
        .map_err(|Unusable { reason, fault }| Error::NoModel { path: model.name.clone(), reasons: reason, fault })?;
    let controls = controls(&own, &samples, plan.seed, machinery, progress)?;
    let failed: Vec<usize> = found.failures.iter().map(|failure| failure.row as usize).collect();
    let settings = Settings { seed: plan.seed, ..Settings::default() };
    let widest = found.description.layers.iter().map(|layer| layer.dim).max().unwrap_or(1);
    let scored = Scored::of(&samples, samples.targets.len(), &failed, widest, settings)?;
    progress.phase("probing each layer");
    let probe = score::metric(plan.probe).ok_or_else(|| Error::UnknownMetric(plan.probe.to_owned()))?;
    let rows = rows(&found, &controls, &scored, probe)?;
    let probed: Vec<Probed> = rows.iter().map(|(row, probe)| Probed { row, probe: probe.as_ref() }).collect();
    let verdict = verdict(&probed, scored.targets.task());
    let layers: Vec<LayerRow> = rows.into_iter().map(|(row, _)| row).collect();
    let subject = Subject { model: &model, plan, probed: &layers, begun };
    let retrain = |what: &Retraining| retraining::run(subject, what, access, machinery, progress);
    let studies = plan.retraining.as_ref().map(retrain).transpose()?;
    Ok(LayerStudy {
        schema: 1,
        model: model.name,
        data: StudyData {
            path: plan.data.clone(),
            task: scored.targets.task(),
            n: scored.rows.len(),
            classes: scored.targets.names().len(),
            split: samples.split.clone(),
            digest: samples.job.digest.clone(),
        },
        probe: plan.probe.to_owned(),
        features_from: found.description.features_from.clone(),
        runtime: found.description.runtime.clone(),
        seed: plan.seed,
        verdict,
        studies,
        layers,
        skipped: skipped(&samples, &found),
        timing: StudyTiming {
            seconds: begun.elapsed().as_secs_f64(),
            extract_seconds: found.timing.seconds,
            threads: machinery.threads,
        },
    })
}

fn skipped(samples: &Samples, found: &Extracted) -> Vec<(String, String)> {
    let failure = |failure: &crate::store::RowFailure| {
        (samples.job.dataset.inputs.describe(failure.row as usize), failure.reason.clone())
    };
    let left_out = samples.job.dataset.skipped.iter();
    let left_out = left_out.map(|(path, reason)| (crate::base::path_text::show(path), reason.clone()));
    left_out.chain(found.failures.iter().map(failure)).collect()
}

type Outcome = Result<Extracted, Unusable>;

fn extracted(
    candidate: &Candidate,
    samples: &Samples,
    machinery: &Machinery,
    progress: &dyn Progress,
) -> Result<Outcome, Error> {
    if let Err(reason) = candidate.extractor.takes(samples.job.dataset.inputs.noun()) {
        return Ok(Err(Unusable::because(reason)));
    }
    let (name, extractor, job, rows) = (&candidate.name, &candidate.extractor, &samples.job, samples.job.len());
    match features::extract(Wanted { name, extractor, job, rows, compute: true }, machinery, progress) {
        Ok(found) => Ok(Ok(found)),
        Err(Failure::Run(error)) => Err(error),
        Err(Failure::Candidate(unusable)) => Ok(Err(unusable)),
    }
}

/// What a layer must beat: features that nobody trained, and the same network with permuted weights.
fn controls(
    own: &Candidate,
    samples: &Samples,
    seed: Seed,
    machinery: &Machinery,
    progress: &dyn Progress,
) -> Result<Vec<(String, Outcome)>, Error> {
    let mut permuted = candidate::permuted(own, seed);
    if let Some(Candidate { name, extractor: Extractor::PermutedNetwork(plan, _), .. }) = &mut permuted {
        plan.layers = LayerSet::Last;
        "last layer, permuted weights".clone_into(name);
    }
    let all = candidate::without_model(&samples.job.files).into_iter().chain(permuted);
    all.map(|control| {
        let found = extracted(&control, samples, machinery, progress)?;
        Ok((control.name, found))
    })
    .collect()
}

type Row = (LayerRow, Option<Evaluation>);

fn rows(
    found: &Extracted,
    controls: &[(String, Outcome)],
    scored: &Scored,
    probe: &'static Metric,
) -> Result<Vec<Row>, Error> {
    let views = View::each(&found.description);
    let layer = |(index, view): (usize, &View)| {
        let mut row = blank(&view.layer, Some(index), view.dim, false);
        row.cost_share = share(&found.description, found.description.layers[index].multiply_adds);
        let before = index.checked_sub(1).map(|before| scored.features(found, &views[before])).transpose()?;
        let own = scored.features(found, view)?;
        row.block_influence = before.and_then(|before| block_influence(&before, &own));
        row.effective_rank = score::effective_rank(&own);
        filled(row, found, view, scored, probe)
    };
    let mut rows: Vec<Row> = views.par_iter().enumerate().map(layer).collect::<Result<_, Error>>()?;
    if views.len() > 1 {
        rows.push(all_layers(found, scored, probe)?);
    }
    for (name, outcome) in controls {
        rows.push(match outcome {
            Ok(found) => {
                let view = View::whole(&found.description);
                let row = blank(name, None, view.dim, true);
                filled(row, found, &view, scored, probe)?
            }
            Err(unusable) => (LayerRow { note: Some(unusable.reason.clone()), ..blank(name, None, 0, true) }, None),
        });
    }
    Ok(rows)
}

fn blank(name: &str, index: Option<usize>, dim: usize, control: bool) -> LayerRow {
    LayerRow {
        name: name.to_owned(),
        index,
        dim,
        probe: None,
        interval: None,
        logme: None,
        effective_rank: None,
        block_influence: None,
        cost_share: None,
        control,
        note: None,
    }
}

fn filled(
    row: LayerRow,
    found: &Extracted,
    view: &View,
    scored: &Scored,
    probe: &'static Metric,
) -> Result<Row, Error> {
    let evidence = score::metric("logme").ok_or_else(|| Error::UnknownMetric("logme".to_owned()))?;
    let scores = scoring::scores(&[probe, evidence], scored, found, view)?;
    Ok(with_scores(row, scores))
}

fn with_scores(mut row: LayerRow, scores: Vec<Evaluation>) -> Row {
    let mut scores = scores.into_iter();
    let (probe, evidence) = (scores.next(), scores.next());
    row.probe = probe.as_ref().and_then(|found| found.score.value);
    row.interval = probe.as_ref().and_then(|found| found.score.interval);
    row.note = probe.as_ref().filter(|found| found.score.value.is_none()).and_then(|found| found.score.note.clone());
    row.logme = evidence.and_then(|found| found.score.value);
    (row, probe)
}

/// All layers side by side, each column scaled to unit deviation, so that no layer drowns another.
pub fn all_layers(found: &Extracted, scored: &Scored, probe: &'static Metric) -> Result<Row, Error> {
    let view = View::whole(&found.description);
    let row = LayerRow { cost_share: Some(1.0), ..blank("all layers", None, view.dim, false) };
    let directions = view.dim.min(scored.rows.len());
    if directions > MOST_DIRECTIONS {
        let note =
            format!("{directions} directions are too many to score; --samples {MOST_DIRECTIONS} makes it possible");
        return Ok((LayerRow { note: Some(note), ..row }, None));
    }
    let evidence = score::metric("logme").ok_or_else(|| Error::UnknownMetric("logme".to_owned()))?;
    let features = standardised(&scored.features(found, &view)?);
    Ok(with_scores(row, scoring::evaluated(&[probe, evidence], scored, &features)))
}

/// Columns of unit deviation; those that don't vary are zeros.
fn standardised(features: &Features) -> Features {
    let (rows, dim) = (features.rows(), features.dim());
    let (mut sums, mut squares) = (vec![0.0; dim], vec![0.0; dim]);
    features.visit(0..rows, |_, column, value| sums[column] += value);
    let means: Vec<f64> = sums.iter().map(|sum| sum / rows as f64).collect();
    features.visit(0..rows, |_, column, value| squares[column] += (value - means[column]).powi(2));
    let factor = |square: &f64| if *square > 0.0 { (rows as f64 / square).sqrt() } else { 0.0 };
    let factors: Vec<f64> = squares.iter().map(factor).collect();
    let mut values = Vec::with_capacity(rows * dim);
    features.visit(0..rows, |_, column, value| values.push(((value - means[column]) * factors[column]) as f32));
    Features::new(dim, Values::F32(values))
}
