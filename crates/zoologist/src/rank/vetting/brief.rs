//! The fatal and the cheap checks that a ranking makes on every model: its files, and how it behaves on a few samples.

use super::keeper::Keeper;
use super::{beyond, is_fatal};
use crate::base::{Fail, Fault};
use crate::extract::launch::LaunchError;
use crate::extract::{LayerSet, NetworkPlan, SampleFiles};
use crate::vet::{self, Evidence, Finding, Selection, Severity, Stage};
use crate::zoo::Model;

/// What a ranking says of a model.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Brief {
    /// Findings that a reader of the table should know, in a few words each.
    pub flags: Vec<String>,
    /// Why the model is not ranked, if it is not, and the kind of that.
    pub refusal: Option<(String, Fault)>,
}

/// Makes the checks. A model that its worker says it can't run is left to the feature pass, which will say the same; one
/// that crashes or hangs is not tried again.
pub fn brief(model: &Model, files: &SampleFiles, keeper: &Keeper) -> Result<Brief, LaunchError> {
    let mut evidence = Evidence { model: Some(model.clone()), has_data: true, ..Evidence::default() };
    let plan = NetworkPlan::new(model, LayerSet::Last);
    match keeper.anatomy(&plan, Some(files), vec![]) {
        Ok(anatomy) => match &anatomy.outside {
            Some(file) => evidence.refusal = Some(beyond(&evidence, file)),
            None => evidence.anatomy = Some(anatomy),
        },
        Err(error) => return Brief::failed(error),
    }
    let selection = Selection { only: vec![], skip: vec!["provenance".to_owned()] };
    let mut checks = vet::judge(&evidence, Stage::Files..=Stage::Files, &selection);
    if !is_fatal(&checks) {
        match keeper.behaviour(&plan, Some(files), None) {
            Ok(behaviour) => evidence.behaviour = Some(behaviour),
            Err(LaunchError::Model(_)) => {}
            Err(error) => return Brief::failed(error),
        }
        checks = vet::judge(&evidence, Stage::Files..=Stage::Behaviour, &selection);
    }
    Ok(Brief::of(&vet::findings(&mut checks)))
}

impl Brief {
    fn of(findings: &[Finding]) -> Self {
        let fatal = findings.iter().find(|finding| finding.severity == Severity::Fatal);
        let worth = |finding: &&Finding| finding.severity >= Severity::Medium;
        let flag = |found: &Finding| format!("{} ({})", found.check, found.severity.word());
        let reason = |found: &Finding| format!("{}: {} See `zoologist vet`", found.check, found.message);
        Self {
            flags: findings.iter().filter(worth).map(flag).collect(),
            refusal: fatal.map(|found| (reason(found), Fault::Input)),
        }
    }

    fn failed(error: LaunchError) -> Result<Self, LaunchError> {
        match error {
            LaunchError::Model(_) => Ok(Self::default()),
            LaunchError::Died(_) | LaunchError::Memory(_) | LaunchError::Time(_) => {
                Ok(Self { flags: vec![], refusal: Some((error.to_string(), error.fault())) })
            }
            other => Err(other),
        }
    }
}
