//! `resize-sensitivity`: how much features depend on how pictures are made small.

use super::super::measure::{cosines, median};
use super::super::{Check, Evidence, Finding, Severity, Stage, Verdict};
use super::{not_applicable, not_run, points, sample, takes};

pub const CHECK: Check = Check {
    id: "resize-sensitivity",
    stage: Stage::Data,
    finds: "features that change with the resampling filter, or with squashing instead of cropping",
    how: "features under nearest, no antialias, squash and centre crop against the declared way: 1 - cosine above .05",
    judge,
};

const MOST: f64 = 0.05;

fn judge(evidence: &Evidence) -> Verdict {
    takes(evidence, "pictures")?;
    let sample = sample(evidence)?;
    if sample.is_of_size {
        return not_applicable("every picture already has the size that the network takes");
    }
    if sample.resized.is_empty() {
        return not_run("no other resizing could be tried");
    }
    let change = |place: usize| {
        let cosines = cosines(&sample.features, &sample.resized[place].features);
        1.0 - median(cosines)
    };
    let changes: Vec<f64> = (0..sample.resized.len()).map(change).collect();
    let worst = changes.iter().copied().enumerate().max_by(|a, b| a.1.total_cmp(&b.1));
    let Some((place, worst)) = worst.filter(|(_, worst)| *worst > MOST) else { return Ok(vec![]) };
    let declared = sample.candidates.first().and_then(|declared| declared.probe.as_ref());
    let described = |place: usize| {
        let other = &sample.resized[place];
        let probe = declared.zip(other.probe.as_ref()).and_then(|(declared, other)| other.above(declared));
        let probe = probe.map_or(String::new(), |(difference, error)| {
            format!(", probe {} ± {:.1}", points(difference), 100.0 * error)
        });
        format!("{}: 1 - cosine {:.3}{probe}", other.name, changes[place])
    };
    let message = format!("how pictures are resized changes the features: {}.", described(place));
    let fix = "fix one resize for training and serving, and name the filter; nothing was changed here";
    let finding = Finding::new(CHECK.id, Severity::Medium, message, fix).measured(worst, MOST);
    finding.seen((0..changes.len()).map(described)).into()
}
