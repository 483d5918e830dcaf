//! What is wrong or risky about a model, before anyone builds on it.
//!
//! ```text
//! files ─► a few inputs ─► unlabelled data ─► labels          what is measured, stage by stage
//!    └──────────┴──────────────┴────────────────┴─► Evidence ─► checks ─► findings, causes before consequences
//! ```
//!
//! Whoever measures fills an [`Evidence`]; a check is a pure function of it and ends in a [`Verdict`]. It never says
//! `ok` of what was not measured. Each check is one file in `checks/` and one line in [`CHECKS`].

use serde::Serialize;

mod causes;
mod checks;
mod evidence;
mod finding;
mod measure;
mod preprocessing;

pub use checks::CHECKS;
pub use checks::{proposed_names, proposed_pooling};
pub use evidence::{
    Baseline, Candidate, Channels, Copies, Duplicates, Evidence, Head, Probe, ProbedPooling, Refusal, Resized, Rounded,
    Sample, SplitFacts,
};
pub use finding::{Confidence, Finding, Severity, Status, Unmade, Verdict, VettedCheck, Vetting, VettingTiming};
pub use preprocessing::{Mode, candidates, proposed as proposed_preprocessing};

/// When a check can be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// From the files alone.
    Files,
    /// From a few inputs.
    Behaviour,
    /// From unlabelled data.
    Data,
    /// From labelled data.
    Labels,
}

/// One check.
pub struct Check {
    /// Its name on the command line and in JSON.
    pub id: &'static str,
    /// When it can be made.
    pub stage: Stage,
    /// What it finds, in a line.
    pub finds: &'static str,
    /// How it finds it, in a line.
    pub how: &'static str,
    /// Makes it.
    pub judge: fn(&Evidence) -> Verdict,
}

/// Every check, in the order in which they are made: what `vet --list --json` prints.
#[derive(Serialize)]
pub struct CheckList {
    /// Version of this form.
    pub schema: u32,
    /// The checks.
    pub checks: Vec<ListedCheck>,
}

/// One check of the list.
#[derive(Serialize)]
pub struct ListedCheck {
    /// Its name.
    pub check: &'static str,
    /// What it finds.
    pub finds: &'static str,
    /// How it finds it.
    pub how: &'static str,
}

impl Default for CheckList {
    fn default() -> Self {
        let listed = |check: &Check| ListedCheck { check: check.id, finds: check.finds, how: check.how };
        Self { schema: 1, checks: CHECKS.iter().map(listed).collect() }
    }
}

/// Which checks are wanted.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// Only these, if there are any.
    pub only: Vec<String>,
    /// All but these.
    pub skip: Vec<String>,
}

impl Selection {
    /// Whether a check is wanted.
    pub fn wants(&self, id: &str) -> bool {
        let named = |list: &[String]| list.iter().any(|name| name == id);
        (self.only.is_empty() || named(&self.only)) && !named(&self.skip)
    }

    /// The last stage of which a check is wanted.
    pub fn last_stage(&self) -> Stage {
        let stages = CHECKS.iter().filter(|check| self.wants(check.id)).map(|check| check.stage);
        stages.max().unwrap_or(Stage::Files)
    }

    /// The first name that no check has.
    pub fn unknown(&self) -> Option<&str> {
        let known = |name: &&String| CHECKS.iter().any(|check| check.id == **name);
        self.only.iter().chain(&self.skip).find(|name| !known(name)).map(String::as_str)
    }
}

/// Makes the checks of some stages.
pub fn judge(evidence: &Evidence, stages: std::ops::RangeInclusive<Stage>, selection: &Selection) -> Vec<VettedCheck> {
    let wanted = CHECKS.iter().filter(|check| stages.contains(&check.stage) && selection.wants(check.id));
    wanted.map(|check| VettedCheck::of(check, (check.judge)(evidence))).collect()
}

/// The checks of some stages that could not be made, because of this.
pub fn not_run(stages: std::ops::RangeInclusive<Stage>, selection: &Selection, reason: &str) -> Vec<VettedCheck> {
    let wanted = CHECKS.iter().filter(|check| stages.contains(&check.stage) && selection.wants(check.id));
    wanted.map(|check| VettedCheck::of(check, Err(Unmade::NotRun(reason.to_owned())))).collect()
}

/// Puts the findings of all checks into order: fatal ones first, causes before what they explain.
pub fn findings(checks: &mut [VettedCheck]) -> Vec<Finding> {
    let mut findings: Vec<Finding> = checks.iter_mut().flat_map(|check| std::mem::take(&mut check.findings)).collect();
    causes::explain(&mut findings);
    findings
}

#[cfg(test)]
mod tests;
