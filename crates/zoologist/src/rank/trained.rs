//! One training: from the store, or by a worker that goes on from its checkpoint.

use std::path::Path;

use safetensors::SafeTensors;
use serde::{Deserialize, Serialize};

use super::Error;
use super::features::Watch;
use super::plan::Progress;
use crate::base::{Fail, Targets};
use crate::extract::launch::{self, LaunchError, Machinery};
use crate::extract::training::{Answers, GRAPH, OUTPUTS, TrainingOrder, TrainingOutcome, WEIGHTS};
use crate::store::{JobFolder, Key};

/// The name of what came of a training, in its folder.
const OUTCOME: &str = "training";
/// Its files, as far as they are wanted.
const FILES: [&str; 3] = [OUTPUTS, WEIGHTS, GRAPH];

/// A training that is to be there.
pub struct Training<'a> {
    /// The model's name.
    pub name: &'a str,
    /// What the work is called, for whoever watches.
    pub label: &'a str,
    /// Its folder in the store: under everything that it depends on.
    pub folder: &'a JobFolder,
    /// What is ordered.
    pub order: &'a TrainingOrder,
}

/// Targets as a training takes them.
pub fn answers(targets: &Targets) -> Answers {
    let table = |columns: &crate::base::Columns| {
        (0..targets.len()).flat_map(|row| columns.row(row).iter().map(|&value| value as f32)).collect::<Vec<f32>>()
    };
    match targets {
        Targets::Classes(classes) => Answers::Classes { index: classes.index().to_vec(), count: classes.names().len() },
        Targets::Multilabel(columns) => Answers::Labels { values: table(columns), width: columns.names().len() },
        Targets::Regression(columns) => Answers::Numbers { values: table(columns), width: columns.names().len() },
    }
}

/// What came of the training: from the store, or from a worker.
pub fn trained(run: &Training, machinery: &Machinery, progress: &dyn Progress) -> Result<TrainingOutcome, Error> {
    let Training { name, label, folder, order } = *run;
    let waiting = || progress.say(&format!("{name}: another process trains it; waiting for its result"));
    let lock = folder.lock(waiting)?;
    let _in_use = folder.mark_used(&lock)?;
    let kept = Key::of(&[("what", OUTCOME)]);
    let files = &FILES[..=order.keeps as usize];
    if let Some(Finished { outcome, digests }) = folder.result(&kept)?
        && files
            .iter()
            .zip(&digests)
            .all(|(file, digest)| digest_of(&folder.path().join(file)).as_ref() == Some(digest))
    {
        return Ok(outcome);
    }
    progress.begin(label, 0, order.recipe.steps * order.recipe.batch);
    let mut watch = Watch { progress, name: label };
    let outcome = launch::train(machinery, folder, order, &mut watch);
    progress.end(label);
    let outcome = outcome.map_err(|error| refuse(name, error))?;
    let digests = files.iter().map(|file| digest_of(&folder.path().join(file)).unwrap_or_default()).collect();
    let finished = Finished { outcome, digests };
    folder.write_result(&kept, &finished)?;
    Ok(finished.outcome)
}

/// What is kept of a training beside its files.
#[derive(Serialize, Deserialize)]
struct Finished {
    outcome: TrainingOutcome,
    /// BLAKE3 of each of [`FILES`]: what is damaged is trained again.
    digests: Vec<String>,
}

/// The BLAKE3 of a file; `None` where it can't be read.
fn digest_of(path: &Path) -> Option<String> {
    let mut hasher = blake3::Hasher::new();
    let mut file = std::fs::File::open(path).ok()?;
    std::io::copy(&mut file, &mut hasher).ok()?;
    Some(hasher.finalize().to_hex().to_string())
}

/// An error of a worker that trains, for whoever ordered it.
pub fn refuse(name: &str, error: LaunchError) -> Error {
    match error {
        LaunchError::Interrupted => Error::Interrupted,
        LaunchError::Store(error) => error.into(),
        LaunchError::Start(_) | LaunchError::Refused(_) => Error::Worker(error.to_string()),
        other => Error::NoModel { path: name.to_owned(), fault: other.fault(), reasons: other.to_string() },
    }
}

/// What the trained network says of the judged rows, row after row.
pub fn outputs(folder: &Path) -> Result<Vec<f64>, Error> {
    let path = &folder.join(OUTPUTS);
    let bytes = std::fs::read(path)
        .map_err(|error| Error::Worker(format!("{}: {error}", crate::base::path_text::show(path))))?;
    let tensors = SafeTensors::deserialize(&bytes).map_err(|error| Error::Worker(error.to_string()))?;
    let tensor = tensors.tensor("outputs").map_err(|error| Error::Worker(error.to_string()))?;
    Ok(tensor.data().as_chunks::<4>().0.iter().map(|bytes| f64::from(f32::from_le_bytes(*bytes))).collect())
}
