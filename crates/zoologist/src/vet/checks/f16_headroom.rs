//! `f16-headroom`: how near the numbers on the way come to the largest of half precision.

use super::super::{Check, Evidence, Finding, Severity, Stage, Verdict};
use super::{behaviour, not_applicable, not_run, percent};

pub const CHECK: Check = Check {
    id: "f16-headroom",
    stage: Stage::Behaviour,
    finds: "numbers that overflow in half precision, and weights that vanish there",
    how: "the largest magnitude of every value of the graph over 8 samples, by 65504: above .5; weights below 6.1e-5: above 1%",
    judge,
};

const LARGEST: f64 = 65_504.0;
const NEAR: f64 = 0.5;
/// The share of weights that half precision may make subnormal.
const VANISHING: f64 = 0.01;
/// Small weights are common; only where this many vanish is it worth a word of warning.
const MANY: f64 = 0.2;

fn judge(evidence: &Evidence) -> Verdict {
    let behaviour = behaviour(evidence)?;
    let mut findings = vec![];
    if let Some(largest) = &behaviour.largest {
        let share = largest.magnitude / LARGEST;
        if share > NEAR {
            let message = format!(
                "the largest number on the way, {:.0} in `{}`, is {} of what half precision can hold{}.",
                largest.magnitude,
                largest.value,
                percent(share),
                if share > 1.0 { ": it overflows there" } else { "" }
            );
            let fix = "keep float32, or use bfloat16; in half precision keep this layer in float32";
            findings.push(Finding::new(CHECK.id, Severity::Medium, message, fix).measured(share, NEAR));
        }
    }
    if let Some(beyond) =
        evidence.anatomy.as_ref().map(|anatomy| anatomy.numbers.beyond_half).filter(|beyond| *beyond > 0)
    {
        let message = format!("{beyond} weights are beyond what half precision can hold: they become infinite there.");
        let fix = "keep these layers in float32, or use bfloat16";
        findings.push(Finding::new(CHECK.id, Severity::Medium, message, fix).measured(beyond as f64, 0.0));
    }
    if let Some(numbers) =
        evidence.anatomy.as_ref().map(|anatomy| &anatomy.numbers).filter(|numbers| numbers.counted > 0)
    {
        let share = numbers.subnormal_in_half as f64 / numbers.counted as f64;
        if share > VANISHING {
            let severity = if share > MANY { Severity::Low } else { Severity::Info };
            let message =
                format!("{} of the weights are so small that half precision loses digits of them.", percent(share));
            let fix = "compare features before you convert: low-precision-drift does";
            findings.push(Finding::new(CHECK.id, severity, message, fix).measured(share, VANISHING));
        }
    }
    match (findings.is_empty(), &behaviour.largest, behaviour.items) {
        (true, None, 0) => not_applicable("a table of vectors runs no network"),
        (true, None, _) => not_run("the values of this network can't be shown"),
        _ => Ok(findings),
    }
}
