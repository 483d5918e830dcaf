//! `anisotropy`: vectors that all lie in a narrow cone.

use super::super::measure::mean_cosine;
use super::super::{Check, Evidence, Finding, Severity, Stage, Verdict};
use super::sample;

pub const CHECK: Check = Check {
    id: "anisotropy",
    stage: Stage::Data,
    finds: "feature vectors that all point the same way",
    how: "mean cosine of all pairs, before centring, above .9",
    judge,
};

const MOST: f64 = 0.9;

fn judge(evidence: &Evidence) -> Verdict {
    let sample = match sample(evidence) {
        Ok(sample) => sample,
        Err(missing) => return missing,
    };
    let Some(cosine) = mean_cosine(&sample.features) else {
        return Verdict::NotRun("it needs two samples whose features are not 0".to_owned());
    };
    if cosine <= MOST {
        return Verdict::Ok;
    }
    let message = format!("feature vectors all point the same way: mean cosine {cosine:.3} before centring.");
    let fix = "centre and standardise features before you compare them by cosine";
    Finding::new(CHECK.id, Severity::Low, message, fix).measured(cosine, MOST).into()
}
