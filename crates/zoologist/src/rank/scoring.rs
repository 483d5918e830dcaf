//! The scores of one candidate's features, computed or remembered.

use std::ops::Range;

use super::Error;
use super::features::Extracted;
use super::layers::View;
use super::samples::Samples;
use crate::base::path_text::show;
use crate::base::{Features, Targets};
use crate::data::shard_count;
use crate::score::{self, Asked, Evaluation, Inputs, Metric, Rows, Settings};
use crate::store::Key;

/// Changes whenever a score may come out differently.
const SCORES_VERSION: &str = "4";

/// The rows that are scored: those of all candidates that every candidate could read.
pub struct Scored {
    /// The data set, as text.
    path: String,
    /// Places in the samples' order.
    pub rows: Vec<usize>,
    /// Their targets.
    pub targets: Targets,
    /// The logical shards, the same for every candidate.
    pub shards: Vec<Range<usize>>,
    /// Place of each row in the user's data.
    order: Vec<usize>,
    /// How scores are computed, and what fixes the random ones.
    settings: Settings,
    /// Identifies all of the above.
    digest: String,
}

impl Scored {
    /// The first `count` samples but for those that failed, cut into shards for features of up to `dim` numbers.
    pub fn of(
        samples: &Samples,
        count: usize,
        failed: &[usize],
        dim: usize,
        settings: Settings,
    ) -> Result<Self, Error> {
        let path = show(&samples.job.dataset.path);
        let readable = |place: &usize| failed.binary_search(place).is_err();
        let rows: Vec<usize> = (0..count).filter(readable).collect();
        let refuse = |source| Error::Targets { path: path.clone(), source };
        let targets = samples.targets.select(&rows).map_err(refuse)?;
        let place = |bound: usize| rows.partition_point(|&row| row < bound);
        let shards = samples.partition.sample(count).shards(shard_count(count, dim));
        let shards: Vec<Range<usize>> = shards
            .into_iter()
            .map(|shard| place(shard.start)..place(shard.end))
            .filter(|shard| !shard.is_empty())
            .collect();
        let order = rows.iter().map(|&row| samples.partition.order()[row]).collect();
        let digest = digest(&rows, &targets, &shards);
        Ok(Self { path, rows, targets, shards, order, settings, digest })
    }

    /// Every other shard, beginning with the first or the second. A class that has no sample there is left out.
    pub fn half(&self, second: bool) -> Result<Self, Error> {
        let chosen: Vec<&Range<usize>> = self.shards.iter().skip(usize::from(second)).step_by(2).collect();
        let places: Vec<usize> = chosen.iter().flat_map(|shard| (*shard).clone()).collect();
        let path = self.path.clone();
        let refuse = |source| Error::Targets { path: path.clone(), source };
        let targets = self.targets.select(&places).map_err(refuse)?;
        let mut end = 0;
        let shards = chosen.iter().map(|shard| {
            end += shard.len();
            end - shard.len()..end
        });
        let shards: Vec<Range<usize>> = shards.collect();
        let rows: Vec<usize> = places.iter().map(|&place| self.rows[place]).collect();
        let order = places.iter().map(|&place| self.order[place]).collect();
        let digest = digest(&rows, &targets, &shards);
        let settings = self.settings.clone();
        Ok(Self { path, rows, targets, shards, order, settings, digest })
    }

    /// These rows of a candidate's features, as far as they are looked at.
    pub fn features(&self, extracted: &Extracted, view: &View) -> Features {
        view.of(&extracted.features.select(&self.rows))
    }
}

fn digest(rows: &[usize], targets: &Targets, shards: &[Range<usize>]) -> String {
    blake3::hash(format!("{rows:?}{targets:?}{shards:?}").as_bytes()).to_hex().to_string()
}

/// Computes the scores of a candidate that are not remembered, and remembers them.
pub fn scores(
    metrics: &[&'static Metric],
    scored: &Scored,
    extracted: &Extracted,
    view: &View,
) -> Result<Vec<Evaluation>, Error> {
    let (seed, columns) = (scored.settings.seed.0.to_string(), view.key());
    let ties = format!("{:?}", scored.settings.knn_ties);
    let key = |metric: &Metric| {
        let parts = [
            ("metric", metric.name),
            ("version", SCORES_VERSION),
            ("features", extracted.key.as_str()),
            ("columns", &columns),
            ("ties", &ties),
            ("rows", &scored.digest),
            ("seed", &seed),
        ];
        Key::of(&parts)
    };
    let kept = metrics.iter().map(|metric| extracted.folder.result(&key(metric)));
    let kept: Vec<Option<Evaluation>> = kept.collect::<Result<_, _>>()?;
    let missing: Vec<&'static Metric> =
        metrics.iter().zip(&kept).filter(|(_, kept)| kept.is_none()).map(|(metric, _)| *metric).collect();
    if missing.is_empty() {
        return Ok(kept.into_iter().flatten().collect());
    }
    let mut found = evaluated(&missing, scored, &scored.features(extracted, view)).into_iter().zip(&missing);
    let mut all = vec![];
    for kept in kept {
        match kept {
            Some(kept) => all.push(kept),
            None => {
                if let Some((evaluation, metric)) = found.next() {
                    extracted.folder.write_result(&key(metric), &evaluation)?;
                    all.push(evaluation);
                }
            }
        }
    }
    Ok(all)
}

/// Computes scores of the scored rows' features, with intervals.
pub fn evaluated(metrics: &[&'static Metric], scored: &Scored, features: &Features) -> Vec<Evaluation> {
    let inputs = Inputs::default();
    let rows = Rows {
        features,
        targets: &scored.targets,
        shards: &scored.shards,
        order: &scored.order,
        inputs: &inputs,
        settings: &scored.settings,
    };
    score::evaluate(metrics, &rows, Asked { interval: true, ..Asked::default() })
}
