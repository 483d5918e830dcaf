//! The shortened model as a folder: its last blocks taken out, all that is left tuned, as safetensors and as a graph; and
//! what that saves, measured.

use std::path::Path;

use super::{Keep, Retraining};
use crate::base::{Fault, Seed, path_text};
use crate::extract::LayerSet;
use crate::extract::launch::Machinery;
use crate::extract::training::Mode;
use crate::layers::studies::{Enough, Exported, Studies, enough};
use crate::rank::latency::{self, TIMED};
use crate::rank::layer_study::StudyPlan;
use crate::rank::plan::Progress;
use crate::rank::samples;
use crate::rank::tuning::{self, Settings, TunePlan, Way};
use crate::rank::{Error, candidate};
use crate::zoo::{self, Access, Form, Model};

/// How often each model is timed, on other samples each time.
const ROUNDS: u64 = 3;

/// Tunes and writes the shortened model.
pub fn run(
    plan: &StudyPlan,
    retraining: &Retraining,
    found: &Studies,
    output: &Path,
    access: &Access,
    machinery: &Machinery,
    progress: &dyn Progress,
) -> Result<Exported, Error> {
    let (blocks, largest) = (found.blocks.len(), found.sizes.last().copied().unwrap_or(0));
    let kept = depth(retraining, found, largest).ok_or_else(|| Error::NoModel {
        path: path_text::show(output),
        reasons: "no depth that was tried is enough, so nothing was written. --keep N (one number) writes that depth \
                  whatever it loses"
            .to_owned(),
        fault: Fault::Input,
    })?;
    let tuned = tuning::run(
        &TunePlan {
            model: plan.model.clone(),
            data: plan.data.clone(),
            table: plan.table.clone(),
            way: Way::Full,
            samples: if retraining.sizes.is_empty() { plan.samples } else { Some((largest * 5).div_ceil(4)) },
            pooling: plan.pooling,
            settings: Settings {
                length: found.training.tokens.map(|tokens| tokens as u32),
                ..retraining.settings.clone()
            },
            alteration: Some(Mode::Drop.of((kept..blocks).collect(), true)),
            teachers: None,
            output: Some(output.to_owned()),
            graph: true,
            seed: plan.seed,
            training_seed: None,
        },
        access,
        machinery,
        progress,
    )?;
    let models = [zoo::model(&plan.model, access)?, zoo::model(output, access)?];
    // A graph against a network that is built in would compare two runtimes.
    let [whole, short] = models.each_ref().map(|model| matches!(model.form, Form::Onnx));
    let tokens = found.training.tokens.map(|tokens| tokens as u32);
    let timed = |model: &Model, round: u64| {
        let seed = Seed(plan.seed.0.wrapping_add(round));
        let job = samples::unlabelled(&plan.data, &plan.table, TIMED, seed, &machinery.store)?;
        let settings = Settings { length: tokens, ..retraining.settings.clone() };
        let network = tuning::settings_of(candidate::plan(model, LayerSet::Last, plan.pooling), &settings);
        latency::seconds_per_sample(model, network, &job, machinery, progress)
    };
    let latency = if whole == short { milliseconds(&models, timed)? } else { None };
    let row = found.rows.iter().find(|row| row.kept == Some(kept) && row.mode == Some(Mode::Drop));
    Ok(Exported {
        folder: path_text::show(output),
        kept,
        value: tuned.judgement.value,
        interval: tuned.judgement.interval,
        cost_share: row.and_then(|row| row.cost_share),
        files: tuned.files,
        timing: latency,
    })
}

/// The median of what each model takes for a sample, by turns, since something else may run on the machine meanwhile.
fn milliseconds(
    models: &[Model; 2],
    timed: impl Fn(&Model, u64) -> Result<Option<f64>, Error>,
) -> Result<Option<[f64; 2]>, Error> {
    let mut all = [vec![], vec![]];
    for round in 0..ROUNDS {
        for (model, times) in models.iter().zip(&mut all) {
            times.extend(timed(model, round)?);
        }
    }
    let [whole, short] = all.map(|mut times| {
        times.sort_by(f64::total_cmp);
        times.get(times.len() / 2).map(|seconds| 1000.0 * seconds)
    });
    Ok(whole.zip(short).map(<[f64; 2]>::from))
}

/// The depth that is written: the one that was asked for, else the smallest that is enough.
fn depth(retraining: &Retraining, found: &Studies, largest: usize) -> Option<usize> {
    if let Keep::Depths(depths) = &retraining.keep
        && let [one] = depths[..]
    {
        return Some(one);
    }
    match enough(&found.rows, largest, Mode::Drop, found.delta)? {
        Enough::Surely(kept) | Enough::Perhaps(kept) => Some(kept),
    }
}
