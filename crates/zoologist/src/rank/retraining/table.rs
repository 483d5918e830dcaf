//! Values of runs by variant, size and seed, and the rows that they come to.

use std::collections::BTreeMap;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::cost::Cost;
use super::runs::{Ran, Runs};
use super::variants::{Variant, progressive};
use super::{Retraining, Scope};
use crate::extract::training::Mode;
use crate::layers::studies::{self, Study, StudyRow};
use crate::rank::Error;
use crate::rank::plan::Progress;
use crate::rank::times::words;

/// What was run.
pub struct Table {
    /// What is planned.
    pub scope: Scope,
    cost: Cost,
    begun: Instant,
    budget: Option<Duration>,
    /// By variant, size and seed.
    ran: BTreeMap<(usize, usize, usize), Ran>,
}

impl Table {
    /// Nothing was run.
    pub fn new(scope: Scope, cost: Cost, budget: Option<Duration>) -> Self {
        Self { scope, cost, begun: Instant::now(), budget, ran: BTreeMap::new() }
    }

    /// Makes every run that is planned and still missing, some at once: seed by seed, so that what is there is paired
    /// whenever it ends.
    pub fn fill(&mut self, runs: &mut Runs, progress: &dyn Progress) -> Result<(), Error> {
        runs.open_samples(self.scope.seeds)?;
        let mut missing: Vec<_> = self.planned().filter(|key| !self.ran.contains_key(key)).collect();
        missing.sort_unstable_by_key(|&(place, size, offset)| (offset, size, place));
        let (next, made) = (AtomicUsize::new(0), Mutex::new(std::mem::take(&mut self.ran)));
        let (table, runs) = (&*self, &*runs);
        let work = || -> Result<(), Error> {
            while let Some(&key) = missing.get(next.fetch_add(1, Ordering::Relaxed)) {
                if !table.has_time_for(&table.scope.variants[key.0]) {
                    return Ok(());
                }
                let label = table.label(key, &made.lock().unwrap_or_else(PoisonError::into_inner));
                let (place, size, offset) = key;
                // After a failure nobody begins another one.
                let ran = runs.ran(&table.scope.variants[place], size, offset, &label);
                let ran = ran.inspect_err(|_| next.store(missing.len(), Ordering::Relaxed))?;
                made.lock().unwrap_or_else(PoisonError::into_inner).insert(key, ran);
            }
            Ok(())
        };
        let done: Vec<Result<(), Error>> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..runs.at_once()).map(|_| scope.spawn(work)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic))).collect()
        });
        self.ran = made.into_inner().unwrap_or_else(PoisonError::into_inner);
        done.into_iter().collect::<Result<(), Error>>()?;
        progress.phase("comparing the runs");
        Ok(())
    }

    /// What a run is called, for whoever watches.
    fn label(
        &self,
        (place, size, offset): (usize, usize, usize),
        ran: &BTreeMap<(usize, usize, usize), Ran>,
    ) -> String {
        let variant = &self.scope.variants[place];
        let missing = self.planned().filter(|key| !ran.contains_key(key));
        let left = self.cost.together(missing.map(|(place, ..)| self.cost.of(&self.scope.variants[place])).sum());
        let mode = variant.mode.map_or(String::new(), |mode| format!(", {mode}"));
        let (number, all) = (ran.len() + 1, self.scope.runs());
        format!("[{number}/{all}, {} left] {}{mode}, n {size}, seed {offset}", words(left), variant.name)
    }

    fn has_time_for(&self, variant: &Variant) -> bool {
        let Some(budget) = self.budget else { return true };
        self.begun.elapsed().as_secs_f64() + self.cost.of(variant) <= budget.as_secs_f64()
    }

    fn planned(&self) -> impl Iterator<Item = (usize, usize, usize)> {
        let Scope { sizes, seeds, variants } = &self.scope;
        let at = move |(place, variant): (usize, &'_ Variant)| {
            let here = sizes.iter().filter(|&&size| variant.runs_at(size, sizes));
            here.flat_map(move |&size| (0..*seeds).map(move |offset| (place, size, offset))).collect::<Vec<_>>()
        };
        variants.iter().enumerate().flat_map(at)
    }

    /// What the budget did not reach, in words.
    pub fn missing(&self) -> Option<String> {
        let (all, ran) = (self.scope.runs(), self.ran.len());
        (ran < all).then(|| format!("{} of {all} runs, for which there was no time left", all - ran))
    }

    /// Finds the smallest depth that may be enough, by halving, at the largest size; then runs it at the others too.
    pub fn bisect(
        &mut self,
        runs: &mut Runs,
        retraining: &Retraining,
        blocks: usize,
        progress: &dyn Progress,
    ) -> Result<(), Error> {
        let sizes = self.scope.sizes.clone();
        let Some(&largest) = sizes.last() else { return Ok(()) };
        for &mode in &retraining.modes {
            let (mut low, mut high) = (0, blocks);
            if self.may_be_enough(mode, 0, largest, retraining.delta)? {
                continue;
            }
            self.scope.sizes = vec![largest];
            while high - low > 1 {
                let middle = usize::midpoint(low, high);
                self.scope.variants.push(progressive(middle, mode, blocks, runs.before()));
                self.fill(runs, progress)?;
                if self.may_be_enough(mode, middle, largest, retraining.delta)? { high = middle } else { low = middle }
            }
            self.scope.sizes.clone_from(&sizes);
        }
        self.fill(runs, progress)
    }

    fn may_be_enough(&self, mode: Mode, kept: usize, size: usize, delta: f64) -> Result<bool, Error> {
        let rows = self.rows()?;
        let row = studies::find(&rows, size, |row| row.kept == Some(kept) && row.mode == Some(mode));
        Ok(row.and_then(|row| row.interval).is_some_and(|[_, high]| high >= -delta))
    }

    /// Seconds since the runs began.
    pub fn seconds(&self) -> f64 {
        self.begun.elapsed().as_secs_f64()
    }

    /// What the values are.
    pub fn metric(&self) -> &'static str {
        self.ran.values().next().map_or("accuracy", |ran| ran.judgement.metric)
    }

    /// The value of always naming the commonest class.
    pub fn chance(&self) -> Option<f64> {
        self.ran.values().find_map(|ran| ran.judgement.chance)
    }

    /// The rows, size by size.
    ///
    /// # Errors
    /// Runs that are to be compared and are not paired.
    pub fn rows(&self) -> Result<Vec<StudyRow>, Error> {
        let mut rows = vec![];
        for &size in &self.scope.sizes {
            self.check_pairs(size)?;
            let reference = self.values(0, size);
            let variants = self.scope.variants.iter().enumerate();
            let here = variants.filter(|(_, variant)| variant.runs_at(size, &self.scope.sizes));
            rows.extend(here.map(|(place, variant)| self.row(place, variant, size, &reference)));
        }
        Ok(rows)
    }

    fn check_pairs(&self, size: usize) -> Result<(), Error> {
        for offset in 0..self.scope.seeds {
            let variants = self.scope.variants.iter().enumerate();
            let proofs: Vec<_> = variants
                .filter_map(|(place, variant)| {
                    let proof = self.ran.get(&(place, size, offset))?.proof.as_ref()?;
                    Some((variant.name.as_str(), proof))
                })
                .collect();
            let broken =
                |problem| Error::Worker(format!("{problem}: they can't be compared. This is a fault of zoologist"));
            studies::check_pairs(&proofs).map_err(broken)?;
        }
        Ok(())
    }

    fn values(&self, place: usize, size: usize) -> Vec<Option<f64>> {
        (0..self.scope.seeds).map(|offset| self.ran.get(&(place, size, offset))?.judgement.value).collect()
    }

    fn row(&self, place: usize, variant: &Variant, size: usize, reference: &[Option<f64>]) -> StudyRow {
        let values = self.values(place, size);
        let found: Vec<f64> = values.iter().copied().flatten().collect();
        let mean = (!found.is_empty()).then(|| found.iter().sum::<f64>() / found.len() as f64);
        let paired = (variant.study != Study::Unchanged).then(|| studies::compared(&values, reference)).flatten();
        let first = self.ran.get(&(place, size, 0));
        StudyRow {
            study: variant.study,
            name: variant.name.clone(),
            mode: variant.mode,
            n: size,
            kept: variant.kept,
            changed: variant.changed.clone(),
            mean,
            difference: paired.map(|paired| paired.mean),
            interval: paired.and_then(|paired| paired.interval),
            judged_error: first.and_then(Ran::judged_error),
            cost_share: Some(self.cost.share_of(variant)),
            proof: first.and_then(|ran| ran.proof.clone()),
            values,
        }
    }
}

impl Ran {
    /// The standard error that comes from the judged samples being few; `None` for numbers.
    fn judged_error(&self) -> Option<f64> {
        let ([low, high], _) = (self.judgement.interval?, self.judgement.chance?);
        // Its interval is 2 × 1.96 standard errors wide, but for a pull to the middle.
        Some((high - low) / 3.92)
    }
}
