//! `provenance`: what the model is and where it is from. It always says something.

use super::super::{Check, Evidence, Finding, Severity, Stage, Verdict};
use super::{not_run, papers};

pub const CHECK: Check = Check {
    id: "provenance",
    stage: Stage::Files,
    finds: "digest, licence, card, format, operators and size",
    how: "read from the files",
    judge,
};

fn judge(evidence: &Evidence) -> Verdict {
    let Some(model) = &evidence.model else { return not_run("the model can't be read") };
    let papers = papers(evidence)?;
    let license = papers.license.as_deref().map_or("no licence is stated".to_owned(), |license| {
        format!("licence {}", crate::base::path_text::escape(license))
    });
    let anatomy = evidence.anatomy.as_ref();
    let (format, parameters) =
        anatomy.map_or((String::new(), 0), |anatomy| (format!("{}, ", anatomy.format), anatomy.parameters));
    let message = format!("{format}{} parameters, {license}.", thousands(parameters));
    let pinned = if model.pinned { "pinned" } else { "not pinned" };
    let operators = anatomy.map(|anatomy| {
        let counts = anatomy.operators.iter().map(|(name, count)| format!("{name} {count}"));
        format!("operators: {}", counts.collect::<Vec<_>>().join(", "))
    });
    let domains = anatomy.filter(|anatomy| !anatomy.domains.is_empty());
    let domains = domains.map(|anatomy| format!("operators beyond the standard set: {}", anatomy.domains.join(", ")));
    let card = if papers.has_card { "there is a card" } else { "there is no card (README.md)" };
    let seen = [format!("sha256 {} ({pinned})", model.digest), card.to_owned()];
    let fix = if model.pinned { "nothing" } else { "pin it: zoologist zoo add" };
    let finding = Finding::new(CHECK.id, Severity::Info, message, fix);
    finding.seen(seen).seen(operators.filter(|text| text.len() > 12)).seen(domains).into()
}

fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<String> =
        digits.as_bytes().rchunks(3).rev().map(|group| String::from_utf8_lossy(group).into_owned()).collect();
    groups.join(",")
}
