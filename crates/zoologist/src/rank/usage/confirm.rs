//! The advised way and its neighbours, run on the same held-out samples with several seeds.

use serde::Serialize;

use crate::base::Seed;
use crate::rank::Error;
use crate::rank::brute_force::tuned;
use crate::rank::field::Ground;
use crate::rank::tuning::Way;
use crate::score::paired;
use crate::zoo::{Access, Model};

/// How many seeds each way is run with.
const SEEDS: u64 = 3;
/// Ways by what they change of a model, from the least on.
const WAYS: [Way; 5] = [Way::Probe, Way::Head, Way::Head2Toe, Way::LpFt, Way::Full];

/// A way that was run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Confirmed {
    /// The way.
    pub way: String,
    /// What it reached on the judged samples, seed by seed; empty where it could not be run.
    pub values: Vec<f64>,
    /// The mean.
    pub mean: Option<f64>,
    /// This way less the advised one: the mean of the paired differences, and its 95% interval by Student's t.
    pub less_advised: Option<(f64, [f64; 2])>,
    /// Why it could not be run.
    pub error: Option<String>,
}

/// Runs the advised way and those beside it.
pub fn run(ground: &Ground, model: &Model, advised: &str, access: &Access) -> Result<Vec<Confirmed>, Error> {
    let place = WAYS.iter().position(|way| way.to_string() == advised).unwrap_or(0);
    let first = place.saturating_sub(1).min(WAYS.len() - 3);
    let mut found = vec![];
    for way in &WAYS[first..first + 3] {
        let run = (0..SEEDS).map(|seed| value(ground, model, *way, seed, access)).collect::<Result<Vec<f64>, Error>>();
        let (values, error) = match run {
            Ok(values) => (values, None),
            Err(Error::Interrupted) => return Err(Error::Interrupted),
            Err(error) => (vec![], Some(error.to_string())),
        };
        let mean = (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64);
        found.push(Confirmed { way: way.to_string(), values, mean, less_advised: None, error });
    }
    let own = found.iter().find(|it| it.way == advised).map(|it| it.values.clone()).unwrap_or_default();
    for it in found.iter_mut().filter(|it| it.way != advised && it.values.len() == own.len() && own.len() > 1) {
        let differences: Vec<f64> = it.values.iter().zip(&own).map(|(a, b)| a - b).collect();
        let found = paired::mean(&differences);
        it.less_advised = found.and_then(|found| Some((found.mean, found.interval?)));
    }
    Ok(found)
}

fn value(ground: &Ground, model: &Model, way: Way, offset: u64, access: &Access) -> Result<f64, Error> {
    let tuned = tuned(ground, model, way, Seed(ground.plan.seed.0 + offset), access)?;
    tuned.judgement.value.ok_or_else(|| Error::Worker("nothing was judged".to_owned()))
}
