//! The shortened model as a folder: its last blocks taken out, all that is left tuned, as safetensors and as a graph; and
//! what that saves, measured.

use std::path::Path;

use super::{Keep, Retraining};
use crate::base::{Fault, path_text};
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
use crate::zoo::{self, Access, Form};

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
    let job = samples::unlabelled(&plan.data, &plan.table, TIMED, plan.seed, &machinery.store)?;
    let settings =
        Settings { length: found.training.tokens.map(|tokens| tokens as u32), ..retraining.settings.clone() };
    let timed = |path: &Path| -> Result<(Form, Option<f64>), Error> {
        let model = zoo::model(path, access)?;
        let network = tuning::settings_of(candidate::plan(&model, LayerSet::Last, plan.pooling), &settings);
        let seconds = latency::seconds_per_sample(&model, network, &job, machinery, progress)?;
        Ok((model.form, seconds))
    };
    let ((form, whole), (short_form, short)) = (timed(&plan.model)?, timed(output)?);
    // A graph against a network that is built in would compare two runtimes.
    let alike = matches!(form, Form::Onnx) == matches!(short_form, Form::Onnx);
    let latency = whole.zip(short).filter(|_| alike).map(|(whole, short)| [1000.0 * whole, 1000.0 * short]);
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
