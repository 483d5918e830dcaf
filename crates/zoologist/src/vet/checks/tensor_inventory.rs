//! `tensor-inventory`: the tensors of the file against those that the network needs.

use super::super::{Check, Evidence, Finding, Refusal, Severity, Stage, Verdict};
use super::{anatomy, listed};

pub const CHECK: Check = Check {
    id: "tensor-inventory",
    stage: Stage::Files,
    finds: "weights that are missing, unused or of a wrong shape",
    how: "names and shapes in the file against those that the graph or config.json needs; nothing is ever filled in",
    judge,
};

fn judge(evidence: &Evidence) -> Verdict {
    let mut findings = vec![];
    if let Some(Refusal::Tensors(reason)) = &evidence.refusal {
        let message = format!("the network can't be filled with these weights: {reason}");
        findings.push(Finding::new(CHECK.id, Severity::Fatal, message, FIX));
    }
    match anatomy(evidence) {
        Err(_) if !findings.is_empty() => {}
        Err(missing) => return missing,
        Ok(found) => {
            let all = found.missing.count;
            if all > 0 {
                let message = format!(
                    "{all} weights are missing (first: {}); this model would run with made-up values there.",
                    listed(&found.missing)
                );
                findings.push(Finding::new(CHECK.id, Severity::Fatal, message, FIX).measured(all as f64, 0.0));
            }
            if found.misfits.count > 0 {
                let message = format!("weights don't fit the network: {}.", listed(&found.misfits));
                let count = found.misfits.count as f64;
                findings.push(Finding::new(CHECK.id, Severity::Fatal, message, FIX).measured(count, 0.0));
            }
            if found.unused.count > 0 {
                let message = format!(
                    "{} weights of the file are used by nothing: {}.",
                    found.unused.count,
                    listed(&found.unused)
                );
                let fix = "check that the export kept the part you want; else harmless";
                findings.push(
                    Finding::new(CHECK.id, Severity::Info, message, fix).measured(found.unused.count as f64, 0.0),
                );
            }
            // What the runtime says of the same fault in its own words adds nothing.
            if findings.iter().filter(|finding| finding.severity == Severity::Fatal).count() > 1 {
                findings.remove(0);
            }
        }
    }
    Verdict::of(findings)
}

const FIX: &str = "load the class that these weights belong to (head or backbone; does a prefix of the names differ?) and \
                   export again; take weights and config.json from one publication";
