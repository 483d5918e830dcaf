//! Do the layers that probe well also transfer? The rank correlation of the probe's curve and the progressive one.

use std::collections::BTreeMap;

use serde::Serialize;

use super::StudyRow;
use crate::base::{Seed, Stream};
use crate::score::agreement::spearman;
use crate::score::paired;

/// Draws of the interval.
const DRAWS: usize = 2000;

/// Spearman's correlation of the two curves over the depths of the progressive study.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CurveAgreement {
    /// The depths: how many blocks are kept.
    pub kept: Vec<usize>,
    /// The probe of the layer at that depth.
    pub probe: Vec<f64>,
    /// The mean value when the blocks from there on are changed.
    pub progressive: Vec<f64>,
    /// Their rank correlation; `None` where one of them does not vary.
    pub spearman: Option<f64>,
    /// Its 95% interval over draws of the seeds and of the probes' errors.
    pub interval: Option<[f64; 2]>,
}

/// Compares the curves: `probes` holds for each depth the probe and its standard error; `rows` are those of one size and
/// one mode, the unchanged network (the full depth) among them.
pub fn curve_agreement(
    probes: &BTreeMap<usize, (f64, f64)>,
    rows: &[(usize, &StudyRow)],
    seed: Seed,
) -> Option<CurveAgreement> {
    let points: Vec<(usize, (f64, f64), Vec<f64>)> = rows
        .iter()
        .filter_map(|(kept, row)| {
            let values =
                row.values.iter().copied().collect::<Option<Vec<f64>>>().filter(|values| !values.is_empty())?;
            Some((*kept, *probes.get(kept)?, values))
        })
        .collect();
    let seeds = points.iter().map(|(_, _, values)| values.len()).min()?;
    if points.len() < 3 {
        return None;
    }
    let mean = |values: &[f64]| paired::mean(values).map_or(0.0, |found| found.mean);
    let probe: Vec<f64> = points.iter().map(|(_, (probe, _), _)| *probe).collect();
    let progressive: Vec<f64> = points.iter().map(|(_, _, values)| mean(values)).collect();
    let mut stream = seed.stream("agreement of curves", "draws");
    let mut draws: Vec<f64> = (0..DRAWS)
        .filter_map(|_| {
            let chosen: Vec<usize> = (0..seeds).map(|_| stream.below(seeds)).collect();
            let of_draw = |values: &Vec<f64>| mean(&chosen.iter().map(|&seed| values[seed]).collect::<Vec<f64>>());
            let drawn: Vec<f64> = points.iter().map(|(_, _, values)| of_draw(values)).collect();
            let probes: Vec<f64> =
                points.iter().map(|(_, (probe, error), _)| probe + error * normal(&mut stream)).collect();
            spearman(&probes, &drawn)
        })
        .collect();
    draws.sort_by(f64::total_cmp);
    let quantile = |share: f64| draws[((draws.len() - 1) as f64 * share).round() as usize];
    Some(CurveAgreement {
        kept: points.iter().map(|(kept, _, _)| *kept).collect(),
        spearman: spearman(&probe, &progressive),
        interval: (draws.len() > DRAWS / 2 && seeds > 1).then(|| [quantile(0.025), quantile(0.975)]),
        probe,
        progressive,
    })
}

/// A standard normal number (Box and Muller).
fn normal(stream: &mut Stream) -> f64 {
    let (radius, angle) = ((-2.0 * (1.0 - stream.unit()).ln()).sqrt(), std::f64::consts::TAU * stream.unit());
    radius * angle.cos()
}

#[cfg(test)]
mod tests {
    use super::super::tests::row;
    use super::*;

    #[test]
    fn curves_that_rise_together_agree_and_the_interval_knows_how_sure_that_is() {
        let [a, b, c] =
            [row(Some(0), 100, &[0.5, 0.52]), row(Some(3), 100, &[0.7, 0.71]), row(None, 100, &[0.9, 0.91])];
        let rows = [(0, &a), (3, &b), (6, &c)];
        let probes = |error: f64| BTreeMap::from([(0, (0.5, error)), (3, (0.6, error)), (6, (0.8, error))]);
        let sure = curve_agreement(&probes(0.001), &rows, Seed(0)).unwrap();
        assert!(sure.spearman.unwrap() > 0.999 && sure.interval.unwrap()[0] > 0.999, "{sure:?}");
        let unsure = curve_agreement(&probes(0.3), &rows, Seed(0)).unwrap();
        assert!(unsure.interval.unwrap()[0] < 0.0, "{unsure:?}");
        assert_eq!(curve_agreement(&probes(0.1), &rows[..2], Seed(0)), None);
    }
}
