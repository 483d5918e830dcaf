//! The shortened model as a folder: its last blocks taken out, all that is left tuned, as safetensors and as a graph; and
//! what that saves, measured.

use std::path::Path;
use std::sync::Mutex;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::{Keep, Retraining};
use crate::base::{Fault, path_text};
use crate::extract::launch::Machinery;
use crate::extract::training::Mode;
use crate::extract::{Extractor, LayerSet, NetworkPlan};
use crate::layers::studies::{Enough, Exported, Studies, enough};
use crate::rank::features::{self, Failure, Wanted};
use crate::rank::layer_study::StudyPlan;
use crate::rank::plan::Progress;
use crate::rank::samples::{self, Job};
use crate::rank::tuning::{self, Settings, TunePlan, Way};
use crate::rank::{Error, candidate};
use crate::store::Key;
use crate::zoo::{self, Access, Form, Model};

/// Samples whose passes are timed: four blocks, of which the first only starts the clock.
const TIMED: usize = 512;

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
        let seconds = seconds_per_sample(&model, plan, &settings, &job, machinery, progress)?;
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

/// What is kept of a measurement.
#[derive(Serialize, Deserialize)]
struct Kept {
    seconds: f64,
}

/// Seconds of one sample's pass, over a few hundred of them in flight as always; `None` if too few were left to time.
fn seconds_per_sample(
    model: &Model,
    plan: &StudyPlan,
    settings: &Settings,
    job: &Job,
    machinery: &Machinery,
    progress: &dyn Progress,
) -> Result<Option<f64>, Error> {
    let network: NetworkPlan = tuning::settings_of(candidate::plan(model, LayerSet::Last, plan.pooling), settings);
    let extractor = Extractor::Network(network);
    let key = features::key(&extractor, job, &machinery.runtime);
    let result = Key::of(&[("what", "seconds of a sample"), ("features", key.as_str())]);
    let folder = machinery.store.job(&result)?;
    if let Some(Kept { seconds }) = folder.result(&result)? {
        return Ok(Some(seconds));
    }
    let clock = Clock { progress, times: Mutex::default() };
    let wanted = Wanted { name: &model.name, extractor: &extractor, job, rows: job.len(), compute: true };
    match features::extract(wanted, machinery, &clock) {
        Ok(_) => {}
        Err(Failure::Run(error)) => return Err(error),
        // For example a graph that takes pictures of another size only: nothing can be compared then.
        Err(Failure::Candidate(_)) => return Ok(None),
    }
    let Some(seconds) = clock.seconds() else { return Ok(None) };
    folder.write_result(&result, &Kept { seconds })?;
    Ok(Some(seconds))
}

/// Notes when blocks are done.
struct Clock<'a> {
    progress: &'a dyn Progress,
    /// When, and how many rows.
    times: Mutex<Vec<(Instant, usize)>>,
}

impl Clock<'_> {
    /// Seconds per row after the first block.
    fn seconds(&self) -> Option<f64> {
        let times = self.times.lock().ok()?;
        let ((first, _), (last, _)) = (times.first()?, times.last()?);
        let rows: usize = times.iter().skip(1).map(|(_, rows)| rows).sum();
        (rows > 0).then(|| (*last - *first).as_secs_f64() / rows as f64)
    }
}

impl Progress for Clock<'_> {
    fn say(&self, sentence: &str) {
        self.progress.say(sentence);
    }

    fn begin(&self, name: &str, done: usize, rows: usize) {
        self.progress.begin(name, done, rows);
    }

    fn advance(&self, name: &str, rows: usize) {
        if let Ok(mut times) = self.times.lock() {
            times.push((Instant::now(), rows));
        }
        self.progress.advance(name, rows);
    }

    fn end(&self, name: &str) {
        self.progress.end(name);
    }

    fn phase(&self, words: &str) {
        self.progress.phase(words);
    }
}
