//! `exif-orientation`: pictures that lie on their side until EXIF is honoured.

use super::super::{Check, Evidence, Finding, Severity, Stage, Verdict};
use super::{not_run, percent, takes};

pub const CHECK: Check = Check {
    id: "exif-orientation",
    stage: Stage::Data,
    finds: "pictures that tools turn, or do not",
    how: "the share of pictures whose EXIF asks for a turn: above 1%",
    judge,
};

const MOST: f64 = 0.01;

fn judge(evidence: &Evidence) -> Verdict {
    takes(evidence, "pictures")?;
    let Some((turned, all)) = evidence.turned.filter(|(_, all)| *all > 0) else {
        return not_run("no pictures in files of their own were looked at");
    };
    let share = turned as f64 / all as f64;
    if share <= MOST {
        return Ok(vec![]);
    }
    let message = format!("{turned} of {all} pictures ({}) are turned by their EXIF data.", percent(share));
    let fix = "zoologist turns them upright, as PIL's exif_transpose does; PIL's Image.open alone and some decoders do not: do \
               the same where you serve";
    Finding::new(CHECK.id, Severity::Low, message, fix).measured(share, MOST).into()
}
