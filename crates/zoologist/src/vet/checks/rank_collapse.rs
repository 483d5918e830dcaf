//! `rank-collapse`: features that use hardly any direction.

use super::super::measure::mean_cosine;
use super::super::{Check, Evidence, Finding, Severity, Stage, Verdict};
use super::{not_run, sample};
use crate::score::effective_rank;

pub const CHECK: Check = Check {
    id: "rank-collapse",
    stage: Stage::Data,
    finds: "features that use hardly any of their directions",
    how: "effective rank of the centred features: below 2 high, below .05 min(D, n - 1) medium; or mean cosine above .999",
    judge,
};

/// Fewer directions are no representation.
const FEWEST: f64 = 2.0;
/// The share of the possible directions that is used at least.
const LEAST_SHARE: f64 = 0.05;
/// Vectors this alike are as good as equal.
const ALIKE: f64 = 0.999;
/// Fewer features can't use many directions.
const NARROW: usize = 4;

fn judge(evidence: &Evidence) -> Verdict {
    let sample = sample(evidence)?;
    let (rows, dim) = (sample.features.rows(), sample.features.dim());
    if rows < 10 || dim < NARROW {
        return not_run("it needs ten samples and four features");
    }
    let most = dim.min(rows - 1) as f64;
    let rank = effective_rank(&sample.features).unwrap_or(0.0);
    let fix = "check the scale and type of the input first (preprocessing-mismatch), then the weights; another layer may \
               be better: zoologist layers";
    let message = format!("all inputs give nearly the same features: effective rank {rank:.1} of {most:.0}.");
    if rank < FEWEST {
        return Finding::new(CHECK.id, Severity::High, message, fix).measured(rank, FEWEST).into();
    }
    if rank < LEAST_SHARE * most {
        return Finding::new(CHECK.id, Severity::Medium, message, fix).measured(rank, LEAST_SHARE * most).into();
    }
    let cosine = mean_cosine(&sample.features).unwrap_or(0.0);
    if cosine > ALIKE {
        let message = format!("all feature vectors point the same way: mean cosine {cosine:.4}.");
        return Finding::new(CHECK.id, Severity::Medium, message, fix).measured(cosine, ALIKE).into();
    }
    Ok(vec![])
}
