//! The scores of one candidate's features, computed or remembered.

use std::ops::Range;

use rayon::prelude::*;

use super::Error;
use super::features::Extracted;
use super::layers::View;
use super::samples::Samples;
use super::statistics::digest as targets_digest;
use crate::base::path_text::show;
use crate::base::{Features, Targets, absent_numbers};
use crate::data::shard_count;
use crate::score::{self, Asked, Evaluation, Inputs, Metric, Rows, Settings, Status};
use crate::stats::{Builder, Moments, Precision, Responses, ScratchPool, Shards, pilot_rows};
use crate::store::Key;

/// Changes whenever a score may come out differently.
const SCORES_VERSION: &str = "5";
/// Numbers that features in memory may have.
const MOST_NUMBERS: usize = 1 << 28;
/// Rows that are taken from the store at once.
const ROWS_AT_ONCE: usize = 256;

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

    /// These rows of a candidate's features, as far as they are looked at, in memory.
    pub fn features(&self, extracted: &Extracted, view: &View) -> Result<Features, Error> {
        extracted.features(&self.rows, view)
    }
}

fn digest(rows: &[usize], targets: &Targets, shards: &[Range<usize>]) -> String {
    let mut hasher = blake3::Hasher::new_derive_key("zoologist 2026 scored rows");
    rows.iter().for_each(|&row| {
        hasher.update(&(row as u64).to_le_bytes());
    });
    hasher.update(targets_digest(targets).as_bytes()).update(format!("{shards:?}").as_bytes());
    hasher.finalize().to_hex().to_string()
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
    let mut found = computed(&missing, scored, extracted, view)?.into_iter().zip(&missing);
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

/// Computes scores: those from statistics in one pass over the rows in the store, the others of all rows in memory.
fn computed(
    metrics: &[&'static Metric],
    scored: &Scored,
    extracted: &Extracted,
    view: &View,
) -> Result<Vec<Evaluation>, Error> {
    let (count, fits) = (scored.rows.len(), scored.rows.len().saturating_mul(view.dim) <= MOST_NUMBERS);
    let (mut streamed, mut of_rows): (Vec<&Metric>, Vec<&Metric>) =
        metrics.iter().copied().partition(|metric| metric.needs_statistics());
    if count <= view.dim {
        // Fewer rows than dimensions: their inner products are the smaller statistics.
        of_rows.append(&mut streamed);
    }
    let mut found = if streamed.is_empty() { vec![] } else { of_stored(&streamed, scored, extracted, view)? };
    if fits && !of_rows.is_empty() {
        found.extend(evaluated(&of_rows, scored, &scored.features(extracted, view)?));
    } else {
        found.extend(of_rows.iter().map(|metric| too_large(metric.name)));
    }
    let place = |evaluation: &Evaluation| metrics.iter().position(|metric| metric.name == evaluation.score.metric);
    found.sort_by_key(place);
    Ok(found)
}

fn too_large(metric: &str) -> Evaluation {
    let note = "it needs all rows in memory: more than 2^28 numbers. Rank a sample (--samples), or by another metric";
    Evaluation::without_value(metric, Status::TooLarge, note)
}

/// Scores from statistics of rows that stay in the store.
fn of_stored(
    metrics: &[&Metric],
    scored: &Scored,
    extracted: &Extracted,
    view: &View,
) -> Result<Vec<Evaluation>, Error> {
    let (count, dim) = (scored.rows.len(), view.dim);
    let responses = Responses::plain(&scored.targets);
    let precision = match pilot_rows(count, dim) {
        Some(pilot) => {
            let places: Vec<usize> = (0..pilot).map(|place| scored.rows[place * count / pilot]).collect();
            Precision::of_pilot(&extracted.features(&places, view)?)
        }
        None => Precision::Double,
    };
    let whole = std::array::from_fn::<_, 1, _>(|_| 0..count);
    let apart = score::keeps_apart(scored.shards.len(), dim, scored.targets.names().len(), responses.count());
    let ranges = if apart { &scored.shards[..] } else { &whole[..] };
    let pool = ScratchPool::default();
    let moments = |range: &Range<usize>| {
        pool.with(|scratch| {
            let mut builder = Builder::new(dim, &responses, &precision);
            for start in range.clone().step_by(ROWS_AT_ONCE) {
                let here = start..range.end.min(start + ROWS_AT_ONCE);
                let block = extracted.features(&scored.rows[here.clone()], view)?;
                builder.add(&block, &here.enumerate().collect::<Vec<_>>(), scratch);
            }
            Ok(builder.finish(scratch))
        })
    };
    let shards: Vec<Moments> = ranges.par_iter().map(moments).collect::<Result<_, Error>>()?;
    let asked = Asked { interval: true, ..Asked::default() };
    Ok(score::of_statistics(metrics, &Shards::from_list(shards), asked, absent_numbers(&scored.targets)))
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
