//! How to use the model that won: advice from what is measured on the user's own data, with every input shown.
//!
//! The winner's layers are probed on a prefix of the samples, the probe's learning curve is followed through two doublings,
//! and both are compared with the best baseline. `rule::decide` turns these figures into a way; `--confirm` runs it and
//! its neighbours on held-out samples.

mod confirm;
mod rule;

use serde::Serialize;

pub use confirm::Confirmed;
pub use rule::Rule;

use super::candidate::{self, Candidate};
use super::features::{self, Extracted, Failure, Wanted};
use super::field::{Ground, Outcome};
use super::layers::View;
use super::scoring::{self, Scored};
use super::{Error, layer_study};
use crate::base::Targets;
use crate::extract::{Extractor, LayerSet, NetworkPlan};
use crate::score::{self, Evaluation, Metric, Settings, jackknife};
use crate::zoo::{self, Access, Model};

/// The most samples that the advice looks at.
const MOST_SAMPLES: usize = 2000;
/// Fewer samples than that say nothing.
const FEWEST_SAMPLES: usize = 40;
/// The score that probes.
const PROBE: &str = "ridge";

/// How to use a model, and why.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Usage {
    /// The model.
    pub model: String,
    /// The way, as `tune --how` takes it; `None` where the advice is not to use the model as it is.
    pub way: Option<String>,
    /// The advice, in a sentence or two.
    pub advice: String,
    /// What it stands on.
    pub inputs: Inputs,
    /// The rules in their order, and what each said.
    pub rules: Vec<Rule>,
    /// The advised way and its neighbours, run; empty unless `--confirm` asked for it.
    pub confirmed: Vec<Confirmed>,
}

/// A measured figure with its standard error.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Figure {
    /// Its value.
    pub value: f64,
    /// Its standard error, by the jackknife over shards; `None` where it has none.
    pub error: Option<f64>,
}

/// What advice stands on. Probes are ridge regressions judged on left-out samples: accuracy, or R² for numbers.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Inputs {
    /// Samples that can be learned from.
    pub n: usize,
    /// Samples of the rarest class among those looked at; `None` for labels and numbers.
    pub n_of_rarest: Option<usize>,
    /// Samples that were looked at.
    pub n_seen: usize,
    /// The last layer's probe.
    pub last: Option<Figure>,
    /// The best layer.
    pub best_layer: Option<String>,
    /// Its probe.
    pub best: Option<Figure>,
    /// The probe of all layers together.
    pub all: Option<Figure>,
    /// Best less last, paired.
    pub best_less_last: Option<Figure>,
    /// All less best, paired.
    pub all_less_best: Option<Figure>,
    /// The best layer's probe at a quarter, a half, and all of the samples.
    pub curve: Vec<(usize, Figure)>,
    /// What the last doubling gained.
    pub last_doubling: Option<Figure>,
    /// The best baseline.
    pub baseline: Option<String>,
    /// Best layer less that baseline, paired.
    pub best_less_baseline: Option<Figure>,
    /// How sure the model's own head is of its classes on these samples, on average; `None` where it has none.
    pub own_head_confidence: Option<f64>,
    /// What `vet` found of the model that is high or fatal.
    pub findings: Vec<String>,
    /// Whether the network is built in, so that its weights can be trained here.
    pub trainable: bool,
    /// Whether the user said that the samples to come will differ from these.
    pub shift_expected: bool,
}

/// Advice on the best model, from what came of all and the first `n` samples, which do not judge; `None` where these are too
/// few, or features are not to be computed.
pub fn of(
    ground: &Ground,
    zoo: &zoo::Zoo,
    winner: &str,
    (outcomes, n): (&[Outcome], usize),
    access: &Access,
) -> Result<Option<Usage>, Error> {
    let Some(model) = zoo.models.iter().find(|model| model.name == winner) else { return Ok(None) };
    if n < FEWEST_SAMPLES || ground.plan.from_store {
        return Ok(None);
    }
    let rows = ground.samples.job.blocks.iter().map(|block| block.end).take_while(|&end| end <= MOST_SAMPLES).last();
    let rows = rows.unwrap_or(ground.samples.job.len());
    let plan = candidate::plan(model, LayerSet::All, ground.plan.pooling);
    let Some(found) = extracted(ground, winner, plan, rows)? else { return Ok(None) };
    ground.progress.phase("looking how the best model is best used");
    let measured = Measured { ground, found: &found, rows: rows.min(n), n };
    let flags = outcomes.iter().find(|outcome| outcome.candidate.name == winner).map_or(&[][..], |it| &it.flags);
    let mut inputs = measured.inputs(outcomes)?;
    inputs.own_head_confidence = confidence(ground, model)?;
    inputs.findings =
        flags.iter().filter(|flag| ["high", "fatal"].iter().any(|word| flag.contains(word))).cloned().collect();
    inputs.trainable = zoo::native(&model.folder, access).is_ok();
    let (way, advice, rules) = rule::decide(&inputs);
    let confirmed = match (&way, ground.plan.confirm) {
        (Some(way), true) => confirm::run(ground, model, way, access)?,
        _ => vec![],
    };
    Ok(Some(Usage { model: winner.to_owned(), way, advice, inputs, rules, confirmed }))
}

fn extracted(ground: &Ground, name: &str, plan: NetworkPlan, rows: usize) -> Result<Option<Extracted>, Error> {
    let extractor = Extractor::Network(plan);
    let wanted = Wanted { name, extractor: &extractor, job: &ground.samples.job, rows, compute: true };
    match features::extract(wanted, ground.machinery, ground.progress) {
        Ok(found) => Ok(Some(found)),
        Err(Failure::Run(error)) => Err(error),
        Err(Failure::Candidate(_)) => Ok(None),
    }
}

/// The mean of the highest probability that the model's own head gives, over the first block of samples.
fn confidence(ground: &Ground, model: &Model) -> Result<Option<f64>, Error> {
    let plan = candidate::plan(model, LayerSet::Head, ground.plan.pooling);
    let rows = ground.samples.job.blocks.first().map_or(0, |block| block.end);
    let Some(found) = extracted(ground, &model.name, plan, rows)? else { return Ok(None) };
    let places: Vec<usize> = (0..rows).filter(|row| found.failures.iter().all(|it| it.row != *row as u64)).collect();
    let (mut sum, mut count) = (0.0, 0_usize);
    found.rows.visit(&places, |row| {
        let highest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let all: f64 = row.iter().map(|&value| f64::from(value - highest).exp()).sum();
        sum += 1.0 / all;
        count += 1;
    })?;
    // One output is no choice.
    Ok((count > 0 && found.description.dim > 1).then(|| sum / count as f64))
}

struct Measured<'a> {
    ground: &'a Ground<'a>,
    found: &'a Extracted,
    /// How many are looked at.
    rows: usize,
    /// How many could be.
    n: usize,
}

impl Measured<'_> {
    fn scored(&self, count: usize) -> Result<Scored, Error> {
        let failed: Vec<usize> =
            self.found.failures.iter().map(|failure| failure.row as usize).filter(|&row| row < count).collect();
        let settings = Settings { seed: self.ground.plan.seed, ..Settings::default() };
        // One cut into shards for everything that is compared.
        Scored::of(self.ground.samples, count, &failed, 1, settings)
    }

    fn inputs(&self, outcomes: &[Outcome]) -> Result<Inputs, Error> {
        let probe = score::metric(PROBE).ok_or_else(|| Error::UnknownMetric(PROBE.to_owned()))?;
        let scored = self.scored(self.rows)?;
        let views = View::each(&self.found.description);
        let layers: Vec<Option<Evaluation>> = views
            .iter()
            .map(|view| Ok(scoring::scores(&[probe], &scored, self.found, view)?.pop()))
            .collect::<Result<_, Error>>()?;
        let value = |evaluation: &Option<Evaluation>| evaluation.as_ref().and_then(|it| it.score.value);
        let best = (0..layers.len())
            .reduce(|best, next| if value(&layers[next]) > value(&layers[best]) { next } else { best });
        let of = |place: Option<usize>| place.and_then(|place| layers[place].as_ref());
        let (best_probe, last_probe) = (of(best), of(layers.len().checked_sub(1)));
        let all = if views.len() > 1 { layer_study::all_layers(self.found, &scored, probe)?.1 } else { None };
        let curve = best.map_or(Ok(vec![]), |best| self.curve(probe, &views[best]))?;
        let (name, baseline) = self.baseline(outcomes, probe, &scored)?.unzip();
        let last_doubling = match &curve[..] {
            [.., (_, half), (_, whole)] => {
                let error = half.error.zip(whole.error).map(|(a, b)| a.hypot(b));
                Some(Figure { value: whole.value - half.value, error })
            }
            _ => None,
        };
        let counts = if let Targets::Classes(classes) = &scored.targets { classes.counts() } else { vec![] };
        Ok(Inputs {
            n: self.n,
            n_of_rarest: counts.into_iter().min(),
            n_seen: scored.rows.len(),
            last: last_probe.and_then(figure),
            best_layer: best.map(|best| views[best].layer.clone()),
            best: best_probe.and_then(figure),
            all: all.as_ref().and_then(figure),
            best_less_last: less(best_probe, last_probe),
            all_less_best: less(all.as_ref(), best_probe),
            curve,
            last_doubling,
            baseline: name,
            best_less_baseline: less(best_probe, baseline.as_ref()),
            own_head_confidence: None,
            findings: vec![],
            trainable: false,
            shift_expected: self.ground.plan.expects_shift,
        })
    }

    fn curve(&self, probe: &'static Metric, view: &View) -> Result<Vec<(usize, Figure)>, Error> {
        let mut curve = vec![];
        for part in [4, 2, 1] {
            let count = self.rows / part;
            if count < FEWEST_SAMPLES / 2 {
                continue;
            }
            let found = scoring::scores(&[probe], &self.scored(count)?, self.found, view)?.pop();
            curve.extend(found.as_ref().and_then(figure).map(|figure| (count, figure)));
        }
        Ok(curve)
    }

    /// The baseline of the best probe on the same rows, as far as its features are there.
    fn baseline(
        &self,
        outcomes: &[Outcome],
        probe: &'static Metric,
        scored: &Scored,
    ) -> Result<Option<(String, Evaluation)>, Error> {
        let mut best: Option<(String, Evaluation)> = None;
        for Outcome { candidate: Candidate { name, .. }, result, .. } in
            outcomes.iter().filter(|it| it.candidate.baseline)
        {
            let Ok((found, _)) = result else { continue };
            if found.count < self.rows {
                continue;
            }
            let view = View::whole(&found.description);
            let Some(evaluation) = scoring::scores(&[probe], scored, found, &view)?.pop() else { continue };
            if best.as_ref().is_none_or(|(_, best)| evaluation.score.value > best.score.value) {
                best = Some((name.clone(), evaluation));
            }
        }
        Ok(best)
    }
}

fn figure(evaluation: &Evaluation) -> Option<Figure> {
    Some(Figure { value: evaluation.score.value?, error: jackknife::standard_error(&evaluation.replicates) })
}

/// The first less the second, paired where both were scored on the same shards.
fn less(first: Option<&Evaluation>, second: Option<&Evaluation>) -> Option<Figure> {
    let (first, second) = (first?, second?);
    let value = first.score.value? - second.score.value?;
    let paired = first.replicates.len() == second.replicates.len();
    let differences: Vec<f64> = first.replicates.iter().zip(&second.replicates).map(|(a, b)| a - b).collect();
    Some(Figure { value, error: if paired { jackknife::standard_error(&differences) } else { None } })
}
