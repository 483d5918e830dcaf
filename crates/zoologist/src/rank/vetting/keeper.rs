//! What workers measure for checks, kept in the store: a run that starts again measures nothing.

use crate::extract::anatomy::{Anatomy, LookOrder};
use crate::extract::behaviour::{Behaviour, BehaviourOrder};
use crate::extract::launch::{self, LaunchError, Machinery};
use crate::extract::{Extractor, NetworkPlan, PortablePath, RuntimeChoice, SampleFiles};
use crate::store::{JobFolder, JobLock, JobUse, Key};

/// The part of a job that is its vetting: processes that compute features don't wait for each other because of it.
const PART: &str = "vet";

/// Measures, or remembers what was measured.
pub struct Keeper<'a> {
    machinery: &'a Machinery,
    folder: JobFolder,
    _lock: JobLock,
    _in_use: JobUse,
}

impl<'a> Keeper<'a> {
    /// Keeps measurements beside the features of a job; waits for another process that vets the same.
    pub fn of(machinery: &'a Machinery, key: &Key, waiting: impl FnOnce()) -> Result<Self, crate::store::Error> {
        let folder = machinery.store.job(key)?.part(PART);
        let lock = folder.lock(waiting)?;
        let in_use = folder.mark_used(&lock)?;
        Ok(Self { machinery, folder, _lock: lock, _in_use: in_use })
    }

    /// The folder in which workers find their orders.
    pub fn folder(&self) -> &JobFolder {
        &self.folder
    }

    /// What a model's files hold. Pickles are read anew each time: no digest tells of them.
    pub fn anatomy(
        &self,
        plan: &NetworkPlan,
        files: Option<&SampleFiles>,
        pickles: Vec<PortablePath>,
    ) -> Result<Anatomy, LaunchError> {
        let texts = files.filter(|files| matches!(files, SampleFiles::Texts { .. })).cloned();
        let key = key("anatomy", plan, texts.as_ref(), "");
        let known = if pickles.is_empty() { self.folder.result(&key)? } else { None };
        if let Some(known) = known {
            return Ok(known);
        }
        let keeps = pickles.is_empty();
        let order = LookOrder { folder: plan.folder.clone(), pickles, plan: Some(plan.clone()), texts };
        let found = launch::look(self.machinery, &self.folder, order)?;
        if keeps {
            self.folder.write_result(&key, &found)?;
        }
        Ok(found)
    }

    /// How a network behaves, on these samples or on made-up ones.
    pub fn behaviour(
        &self,
        plan: &NetworkPlan,
        files: Option<&SampleFiles>,
        other: Option<RuntimeChoice>,
    ) -> Result<Behaviour, LaunchError> {
        let runtime = Extractor::Network(plan.clone()).runtime(&self.machinery.runtime);
        let key = key("behaviour", plan, files, &format!("{runtime:?} {other:?}"));
        if let Some(known) = self.folder.result(&key)? {
            return Ok(known);
        }
        let order = BehaviourOrder { plan: plan.clone(), runtime, other, samples: files.cloned(), count: false };
        let found = launch::observe(self.machinery, &self.folder, order)?;
        self.folder.write_result(&key, &found)?;
        Ok(found)
    }
}

fn key(what: &str, plan: &NetworkPlan, files: Option<&SampleFiles>, runtime: &str) -> Key {
    let identity = Extractor::Network(plan.clone()).identity();
    // The samples are those of the job that the folder belongs to.
    let samples = if files.is_some() { "its own" } else { "none" };
    let version = env!("CARGO_PKG_VERSION");
    Key::of(&[
        ("what", what),
        ("extractor", &identity),
        ("samples", samples),
        ("runtime", runtime),
        ("version", version),
    ])
}
