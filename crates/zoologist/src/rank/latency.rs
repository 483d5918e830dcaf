//! How long a model takes for a sample, on this machine.

use std::sync::Mutex;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::Error;
use super::features::{self, Failure, Wanted};
use super::plan::Progress;
use super::samples::Job;
use crate::extract::launch::Machinery;
use crate::extract::{Extractor, NetworkPlan};
use crate::store::Key;
use crate::zoo::Model;

/// Samples whose passes are timed: four blocks, of which the first only starts the clock.
pub const TIMED: usize = 512;

/// What is kept of a measurement.
#[derive(Serialize, Deserialize)]
struct Kept {
    seconds: f64,
}

/// Seconds of one sample's pass, over a few hundred of them in flight as always; `None` if too few were left to time.
pub fn seconds_per_sample(
    model: &Model,
    network: NetworkPlan,
    job: &Job,
    machinery: &Machinery,
    progress: &dyn Progress,
) -> Result<Option<f64>, Error> {
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
