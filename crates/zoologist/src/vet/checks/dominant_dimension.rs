//! `dominant-dimension`: one feature that outweighs all others.

use super::super::measure::columns;
use super::super::{Check, Evidence, Finding, Severity, Stage, Verdict};
use super::{not_run, percent, sample};

pub const CHECK: Check = Check {
    id: "dominant-dimension",
    stage: Stage::Data,
    finds: "one feature that holds most of the variance",
    how: "the largest share of one feature in the total variance, above .5",
    judge,
};

const MOST: f64 = 0.5;

fn judge(evidence: &Evidence) -> Verdict {
    let sample = sample(evidence)?;
    if sample.features.rows() < 2 || sample.features.dim() < 4 {
        return not_run("it needs two samples and four features");
    }
    let variances: Vec<f64> =
        columns(&sample.features).deviation.iter().map(|deviation| deviation * deviation).collect();
    let total: f64 = variances.iter().sum();
    let largest = variances.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
    let Some((place, largest)) = largest.filter(|_| total > 0.0) else { return Ok(vec![]) };
    let share = largest / total;
    if share <= MOST {
        return Ok(vec![]);
    }
    let message = format!("feature {place} holds {} of the variance of all {}.", percent(share), variances.len());
    let fix = "standardise features; the cosine of these vectors is that of one number";
    Finding::new(CHECK.id, Severity::Low, message, fix).measured(share, MOST).into()
}
