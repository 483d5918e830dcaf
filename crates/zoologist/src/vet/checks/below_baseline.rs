//! `below-baseline`: features that predict no better than what nobody trained.

use super::super::{Baseline, Check, Confidence, Evidence, Finding, Severity, Stage, Verdict};
use super::{no_probe, not_run, sample};

pub const CHECK: Check = Check {
    id: "below-baseline",
    stage: Stage::Labels,
    finds: "features that predict your labels no better than pixels or word counts do",
    how: "leave-one-out ridge on the features against the best trivial baseline: not above it by one standard error",
    judge,
};

/// Fewer samples tell little.
const ENOUGH: usize = 50;
/// A baseline that reaches this leaves no room above it.
const CEILING: f64 = 0.99;

fn judge(evidence: &Evidence) -> Verdict {
    let sample = sample(evidence)?;
    let Some(probe) = sample.probe.as_ref().filter(|probe| probe.value().is_some()) else {
        return not_run(no_probe(sample));
    };
    let value = |baseline: &&Baseline| baseline.probe.value().unwrap_or(f64::NEG_INFINITY);
    let best = sample.baselines.iter().max_by(|a, b| value(a).total_cmp(&value(b)));
    let Some((best, (difference, error))) = best.and_then(|best| Some((best, probe.above(&best.probe)?))) else {
        return not_run("no baseline could be computed");
    };
    let figures = sample.baselines.iter().map(|baseline| format!("{}: {:.3}", baseline.name, value(&baseline)));
    let figures: Vec<String> = figures.collect();
    if difference > error {
        return Ok(vec![]);
    }
    let message = format!(
        "the probe reaches {:.3}, not above the baseline {} {:.3} ± {error:.3}.",
        probe.value().unwrap_or_default(),
        best.name,
        value(&best)
    );
    if value(&best) >= CEILING && difference >= 0.0 {
        let message =
            format!("{} predicts your labels too ({:.3}): they tell little about models.", best.name, value(&best));
        let finding = Finding::new(CHECK.id, Severity::Info, message, "take a harder sample to compare models");
        return finding.measured(value(&best), CEILING).seen(figures).into();
    }
    let fix = "take another model; look at earlier findings first, and at the labels";
    // Of few samples the difference is mostly chance.
    let few = sample.features.rows() < ENOUGH;
    let (severity, confidence) =
        if few { (Severity::Low, Confidence::Medium) } else { (Severity::High, Confidence::High) };
    let finding = Finding::new(CHECK.id, severity, message, fix).sure(confidence);
    finding.measured(difference, error).seen(figures).into()
}
