//! `twin-tensors`: large weights that hold the same numbers, and rows of the embedding table that do.

use super::super::{Check, Evidence, Finding, Severity, Stage, Verdict};
use super::{anatomy, listed};

pub const CHECK: Check = Check {
    id: "twin-tensors",
    stage: Stage::Files,
    finds: "weights that hold the same numbers: tied on purpose, or copied by mistake",
    how: "digests of all weights of 256 numbers or more, and of the rows of the embedding table",
    judge,
};

fn judge(evidence: &Evidence) -> Verdict {
    let found = anatomy(evidence)?;
    let mut findings = vec![];
    let twins = &found.numbers.twins;
    if twins.count > 0 {
        let message = format!("weights hold the same numbers: {}.", listed(twins));
        let fix = "expected of tied embeddings and shared layers (ALBERT); else check the conversion";
        findings.push(Finding::new(CHECK.id, Severity::Info, message, fix).measured(twins.count as f64, 0.0));
    }
    if let Some(vocabulary) = found.vocabulary.as_ref().filter(|vocabulary| vocabulary.equal_rows > 0) {
        let message = format!("{} rows of the embedding table hold the vector of another row.", vocabulary.equal_rows);
        let fix = "unused tokens are often left so; see untrained-embedding-rows for those that occur in your texts";
        findings.push(Finding::new(CHECK.id, Severity::Info, message, fix).measured(vocabulary.equal_rows as f64, 0.0));
    }
    Ok(findings)
}
