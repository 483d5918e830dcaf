//! What runs will cost, from a timed step.

use std::collections::BTreeMap;

use super::Scope;
use super::runs::{Runs, Timed};
use super::variants::{How, Variant};
use crate::extract::training::Mode;
use crate::rank::Error;
use crate::rank::times::FORWARD;

/// Seconds of a linear head on features that need no network.
const WITHOUT_NETWORK: f64 = 2.0;

/// Seconds of each part of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Cost {
    /// Before the first step: a process, the weights, the samples.
    start: f64,
    /// A step of the whole network.
    step: f64,
    /// A step of what stands before and after the blocks.
    least: f64,
    /// Steps.
    steps: usize,
    /// Samples of a step.
    batch: usize,
    /// Samples that judge.
    judged: usize,
    /// The share of the forward pass up to so many blocks.
    shares: BTreeMap<usize, f64>,
    blocks: usize,
    freezes_kept: bool,
    keeps_states: bool,
    /// Runs at once.
    at_once: usize,
}

impl Cost {
    /// Measures a few steps of the whole network and of what stands around the blocks.
    pub fn measured(runs: &Runs, shares: &BTreeMap<usize, f64>, blocks: usize) -> Result<Self, Error> {
        let whole = runs.timed(None)?;
        let least = runs.timed(Some(&Mode::Drop.of((0..blocks).collect(), true)))?;
        let forward = FORWARD * whole.step / runs.batch() as f64;
        Ok(Self {
            start: (whole.beside - forward * Timed::JUDGED as f64).max(0.0),
            step: whole.step,
            least: least.step.min(whole.step),
            steps: runs.steps(),
            batch: runs.batch(),
            judged: runs.judged(),
            shares: shares.clone(),
            blocks,
            freezes_kept: runs.freezes_kept(),
            keeps_states: runs.is_text(),
            at_once: runs.at_once(),
        })
    }

    /// The share of the forward pass up to so many blocks.
    fn share(&self, kept: usize) -> f64 {
        self.shares.get(&kept).copied().unwrap_or(kept as f64 / self.blocks.max(1) as f64)
    }

    /// The share of the blocks' forward pass that a variant goes through.
    pub fn share_of(&self, variant: &Variant) -> f64 {
        let whole = self.share(self.blocks);
        let first = self.share(0);
        let gone = |block: usize| self.share(block + 1) - self.share(block);
        let passes = variant.passes(self.blocks);
        let inside: f64 = passes.into_iter().map(gone).sum();
        ((first + inside) / whole.max(f64::MIN_POSITIVE)).clamp(0.0, 1.0)
    }

    /// Seconds of one run.
    pub fn of(&self, variant: &Variant) -> f64 {
        if variant.how == How::WithoutNetwork {
            return WITHOUT_NETWORK;
        }
        let step = self.least + (self.step - self.least) * self.share_of(variant);
        let frozen = if self.freezes_kept { variant.kept.map_or(0.0, |kept| self.share(kept)) } else { 0.0 };
        // Frozen blocks are passed through forwards only; those of text encoders once for all steps.
        let saved = if self.keeps_states { 1.0 } else { 1.0 - FORWARD };
        let step_of_run = step - saved * (self.step - self.least) * frozen;
        let judging = FORWARD * step / self.batch as f64 * self.judged as f64;
        self.start + self.steps as f64 * step_of_run + judging
    }

    /// Seconds that runs take which take so many seconds one after the other.
    pub fn together(&self, seconds: f64) -> f64 {
        seconds / self.at_once as f64
    }

    /// Seconds of all runs.
    pub fn of_all(&self, scope: &Scope) -> f64 {
        let runs_at = |size: &usize| {
            let here = scope.variants.iter().filter(|variant| variant.runs_at(*size, &scope.sizes));
            here.map(|variant| self.of(variant)).sum::<f64>()
        };
        self.together(scope.seeds as f64 * scope.sizes.iter().map(runs_at).sum::<f64>())
    }

    #[cfg(test)]
    pub fn for_tests() -> Self {
        Self {
            start: 1.0,
            step: 0.1,
            least: 0.02,
            steps: 100,
            batch: 16,
            judged: 160,
            shares: BTreeMap::from([(0, 0.1), (1, 0.4), (2, 0.7), (3, 1.0)]),
            blocks: 3,
            freezes_kept: false,
            keeps_states: false,
            at_once: 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::variants::progressive;
    use super::*;

    #[test]
    fn a_run_costs_its_start_its_steps_and_its_judging() {
        let cost = Cost::for_tests();
        let whole = progressive(3, Mode::Normal, 3, "stem");
        assert!((cost.of(&whole) - (1.0 + 10.0 + 160.0 * 0.1 / 48.0)).abs() < 1e-9);
        // Without its last two blocks: the stem's tenth and the first block's three tenths are left.
        let dropped = progressive(1, Mode::Drop, 3, "stem");
        assert!((cost.share_of(&dropped) - 0.4).abs() < 1e-9);
        assert!(cost.of(&dropped) < 0.6 * cost.of(&whole));
        let frozen = Cost { freezes_kept: true, ..Cost::for_tests() };
        assert!(frozen.of(&progressive(2, Mode::Normal, 3, "stem")) < cost.of(&whole));
    }
}
