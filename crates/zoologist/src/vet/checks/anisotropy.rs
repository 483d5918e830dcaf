//! `anisotropy`: vectors that all lie in a narrow cone.

use super::super::measure::mean_cosine;
use super::super::{Check, Evidence, Finding, Severity, Stage, Verdict};
use super::{not_run, sample};

pub const CHECK: Check = Check {
    id: "anisotropy",
    stage: Stage::Data,
    finds: "feature vectors that all point the same way",
    how: "mean cosine of all pairs, before centring, above .9",
    judge,
};

const MOST: f64 = 0.9;

fn judge(evidence: &Evidence) -> Verdict {
    let sample = sample(evidence)?;
    let Some(cosine) = mean_cosine(&sample.features) else {
        return not_run("it needs two samples whose features are not 0");
    };
    if cosine <= MOST {
        return Ok(vec![]);
    }
    let message = format!("feature vectors all point the same way: mean cosine {cosine:.3} before centring.");
    let fix = "centre and standardise features before you compare them by cosine";
    Finding::new(CHECK.id, Severity::Low, message, fix).measured(cosine, MOST).into()
}
