//! `low-precision-drift`: what features lose in lower precision.

use super::super::measure::cosines;
use super::super::{Check, Evidence, Finding, Rounded, Sample, Severity, Stage, Verdict};
use super::{not_run, points, sample};

pub const CHECK: Check = Check {
    id: "low-precision-drift",
    stage: Stage::Labels,
    finds: "features that half precision, bfloat16 or an int8 file changes",
    how: "weights rounded to each precision, and int8 files as they are: least cosine below .99, or the probe down by more than one standard error and a point",
    judge,
};

const LEAST: f64 = 0.99;
/// Fewer points are noise.
const FEWEST_POINTS: f64 = 0.01;

fn judge(evidence: &Evidence) -> Verdict {
    let sample = sample(evidence)?;
    if sample.rounded.is_empty() {
        return not_run("no lower precision was tried");
    }
    Ok(sample.rounded.iter().filter_map(|rounded| finding(sample, rounded)).collect())
}

fn finding(sample: &Sample, rounded: &Rounded) -> Option<Finding> {
    let features = match &rounded.features {
        Ok(features) => features,
        Err(reason) => {
            let message = format!("{} can't be run: {reason}", rounded.name);
            let fix = "keep float32, or bfloat16 where half precision overflows";
            return Some(Finding::new(CHECK.id, Severity::Medium, message, fix));
        }
    };
    let least = cosines(&sample.features, features).into_iter().fold(1.0, f64::min);
    let declared = sample.candidates.first().and_then(|declared| declared.probe.as_ref()).or(sample.probe.as_ref());
    let lost = declared.zip(rounded.probe.as_ref()).and_then(|(declared, rounded)| declared.above(rounded));
    let worse = lost.is_some_and(|(lost, error)| lost > error.max(FEWEST_POINTS));
    if least >= LEAST && !worse {
        return None;
    }
    let probe = lost.map_or(String::new(), |(lost, error)| format!(", probe {} ± {:.1}", points(-lost), 100.0 * error));
    let message = format!("{} changes the features: least cosine {least:.4}{probe} ({}).", rounded.name, cpu());
    let fix = "keep float32; or keep the layers that lose most in float32; int8 results differ by processor";
    Some(Finding::new(CHECK.id, Severity::Medium, message, fix).measured(least, LEAST))
}

/// What computed it: results in int8 differ by processor.
fn cpu() -> String {
    std::env::consts::ARCH.to_owned()
}
