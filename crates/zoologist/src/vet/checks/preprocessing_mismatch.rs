//! `preprocessing-mismatch`: pictures that are scaled, normalised or ordered otherwise than in training.

use super::super::preprocessing::decide;
use super::super::{Check, Evidence, Finding, Severity, Stage, Verdict};
use super::{anatomy, not_run, percent, sample, takes};
use crate::zoo::ModelInput;
use crate::zoo::preprocessing::{Preprocessing, Resize};

pub const CHECK: Check = Check {
    id: "preprocessing-mismatch",
    stage: Stage::Data,
    finds: "a wrong scale, mean, deviation or order of channels",
    how: "the declared way against up to twelve others: batch-norm statistics, the head's confidence; never the labels alone",
    judge,
};

fn judge(evidence: &Evidence) -> Verdict {
    takes(evidence, "pictures")?;
    let Some(model) = &evidence.model else { return not_run("the model can't be read") };
    let framed = if let ModelInput::Pictures(how) = &model.input { framed(how) } else { None };
    match (compared(evidence), framed) {
        (Ok(findings), framed) => Ok(framed.into_iter().chain(findings).collect()),
        (Err(_), Some(framed)) => framed.into(),
        (unmade, None) => unmade,
    }
}

/// The declared way against the others.
fn compared(evidence: &Evidence) -> Verdict {
    let (sample, anatomy) = (sample(evidence)?, anatomy(evidence)?);
    if sample.candidates.len() < 2 {
        return not_run("no other preprocessing could be tried");
    }
    Ok(decide(CHECK.id, evidence, sample, anatomy))
}

/// A crop that is larger than the picture after resizing: black surrounds it.
fn framed(how: &Preprocessing) -> Option<Finding> {
    let (crop, Resize::ShortestEdge(edge)) = (how.crop?.size, how.resize) else { return None };
    let largest = crop.height.max(crop.width);
    let message = || {
        let share = 1.0 - f64::from(edge) / f64::from(largest);
        format!(
            "pictures are resized to {edge} pixels and cropped to {} × {}: {} of each side is a black border.",
            crop.height,
            crop.width,
            percent(share)
        )
    };
    let fix = "resize to at least the size of the crop: edit size and crop_size in preprocessor_config.json";
    (largest > edge)
        .then(|| Finding::new(CHECK.id, Severity::High, message(), fix).measured(f64::from(largest), f64::from(edge)))
}
