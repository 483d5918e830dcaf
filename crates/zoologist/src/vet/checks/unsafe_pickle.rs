//! `unsafe-pickle`: weights as a Python pickle, which can run code when it is loaded.

use super::super::{Check, Evidence, Finding, Severity, Stage, Verdict};
use super::{listed, papers};
use crate::extract::anatomy::PickleFacts;

pub const CHECK: Check = Check {
    id: "unsafe-pickle",
    stage: Stage::Files,
    finds: "weights kept as a Python pickle: loading one can run any code",
    how: "pickles are never loaded; an opcode reader lists what each would import beyond the parts of tensors",
    judge,
};

fn judge(evidence: &Evidence) -> Verdict {
    let facts = &evidence.pickles;
    let papers = papers(evidence)?;
    if papers.pickles.is_empty() {
        return Ok(vec![]);
    }
    let only = !papers.has_other_weights;
    let finding = |place: usize| {
        let file = crate::base::path_text::show(&papers.pickles[place]);
        let found = facts.get(place).map_or_else(|| "it was not read".to_owned(), imports);
        let severity = if only { Severity::Fatal } else { Severity::Info };
        let rest = if only { "It was not loaded" } else { "It is not used: there are other weights beside it" };
        let message = format!("{file} is a Python pickle; loading it can run code. {found}. {rest}.");
        let fix = "use the safetensors or ONNX file of the same repository, or convert it where you trust it: load it in a \
                   sandbox with weights_only=True, save it with safetensors, export it with tools/export.py";
        Finding::new(CHECK.id, severity, message, fix)
    };
    Ok((0..papers.pickles.len()).map(finding).collect())
}

fn imports(facts: &PickleFacts) -> String {
    match &facts.unreadable {
        Some(reason) => format!("Found: it can't be read to its end ({reason}), which counts as unsafe"),
        None if facts.suspicious.count > 0 => format!("Found: {}", listed(&facts.suspicious)),
        None => "Found: nothing but the parts of tensors".to_owned(),
    }
}
